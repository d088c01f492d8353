"""All commands as one application, and how a run of it ends."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from copy import copy
from difflib import get_close_matches
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from rules.errors import ScrubError
from rules.printable import printable
from worker.cli import (
    audit,
    backtest,
    bench,
    benchmark,
    certificate,
    check,
    claim,
    demo,
    doctor,
    history,
    migrate,
    outcomes,
    partitions,
    probe,
    producer,
    quarantine,
    replay,
    report,
    rework,
    rules,
    secret,
    serve,
    settings,
    snapshot,
    status,
    submit,
    support,
    tables,
    tail,
    token,
    webhook,
    work,
)
from worker.cli.common.crash import FAILED
from worker.cli.common.terminal import Unwritten, complain, end_complaints, flush, give_up, say
from worker.logs.frames import places
from worker.process.signals import Stopped, install


class _Failed(BaseException):
    """An error of the operating system on its way out, past the parser of arguments: it would end a broken connection
    with code 1 and no word (click#712).
    """

    def __init__(self, error: OSError) -> None:
        self.error = error


class _Commands(TyperGroup):
    """A wrong argument may be a file's name from anywhere: it is shown, and steers no terminal."""

    def make_context(self, *arguments: Any, **more: Any) -> Any:
        return self._guarded(super().make_context, *arguments, **more)

    def invoke(self, ctx: Any) -> Any:
        return self._guarded(super().invoke, ctx)

    @staticmethod
    def _guarded(call: Any, *arguments: Any, **more: Any) -> Any:
        try:
            return call(*arguments, **more)
        except OSError as error:
            raise _Failed(error) from None
        except Exception as error:
            if hasattr(error, "format_message"):  # one of the parser's own
                said = "\n".join(map(printable, error.message.split("\n")))  # type: ignore[attr-defined]
                error.message = _own_words(said)  # type: ignore[attr-defined]
            raise


_CHOICE = re.compile(r"(?:Value error, )?(.*) is not one of (.*?)\.?\Z", re.DOTALL)


def _own_words(said: str) -> str:
    """What the parser says of a choice that there is not, with a guess, and without what its library puts before it."""
    found = _CHOICE.match(said)
    if not found:
        return said.removeprefix("Value error, ")
    given, choices = found[1].strip("'\""), re.findall(r"'([^']*)'", found[2])
    near = get_close_matches(given.lower(), choices, n=1)
    guess = f" Did you mean {near[0]}?" if near else ""
    return f"there is no {given!r}.{guess} Expected: {', '.join(choices)}."


app = typer.Typer(
    name="scrub",
    cls=_Commands,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,  # its tracebacks show local variables, which hold claims
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("check")(check.check)
app.command("submit")(submit.submit)
app.command("worker")(work.worker)
app.command("serve")(serve.serve)
app.add_typer(token.app, name="token")
app.add_typer(webhook.app, name="webhook")
app.command("status")(status.status)
app.command("doctor")(doctor.doctor)
app.command("probe")(probe.probe)
app.command("settings")(settings.settings)
app.command("partitions")(partitions.partitions)
app.command("migrate")(migrate.migrate)
app.add_typer(producer.app, name="producer")
app.command("tail")(tail.tail)
app.add_typer(history.app, name="history")
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(rules.app, name="rules")
app.command("claim")(claim.claim)
app.add_typer(rework.app, name="rework")
app.command("replay")(replay.replay)
app.add_typer(outcomes.app, name="outcomes")
app.command("backtest")(backtest.backtest)
app.add_typer(tables.app, name="tables")
app.add_typer(audit.app, name="audit")
app.add_typer(certificate.app, name="certificate")
app.add_typer(secret.app, name="secret")
app.command("snapshot")(snapshot.snapshot)
app.command("restore")(snapshot.restore)
app.command("benchmark")(benchmark.benchmark)
app.command("report")(report.report)
app.add_typer(support.app, name="support")
app.command("demo")(demo.demo)
app.command("bench")(bench.bench)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        say(f"claim-scrubber {version('claim-scrubber')}")
        raise typer.Exit


@app.callback()
def scrub(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Checks claims against the payer's own rules before they are sent.

    `scrub check claims.json` needs nothing else. `scrub worker` in one terminal and `scrub submit claims.json` in
    another run the whole pipe; `scrub demo` shows it at work.

    Settings are environment variables: SCRUB_REDIS_URL (none: a server of your own is started), SCRUB_STATE_DIR,
    SCRUB_BOOK and others: `scrub settings` shows all of them.

    Exit codes: 0 all is well, 1 something needs a person, 2 bad usage or an input that cannot be read, 70 the program
    itself failed.
    """


def run() -> int:
    """Runs the command of this process's arguments, and answers the exit code; raises what is a defect of ours."""
    install()
    code = _ended(_asked(sys.argv[1:2]))
    code = _ended(flush) or code
    end_complaints()
    return code


def _asked(name: list[str]) -> typer.Typer:
    """The application with the one command that is named, all where it is none of them: to make them all would cost
    each a tenth of its start."""
    one = copy(app)
    one.registered_commands = [command for command in app.registered_commands if [command.name] == name]
    one.registered_groups = [group for group in app.registered_groups if [group.name] == name]
    return one if one.registered_commands or one.registered_groups else app


def _ended(step: Callable[[], object]) -> int:
    try:
        step()
    except SystemExit as ended:
        return _code(ended)
    except Stopped as stopped:
        return stopped.exit_code
    except ScrubError as error:
        complain(str(error))
    except Unwritten as lost:
        _without_output(lost)
    except _Failed as failed:
        cause, where = failed.error, places(failed.error.__traceback__)
        if cause.filename is None and where[-1].startswith("console.py:"):  # rich writes help texts itself
            _without_output(Unwritten(cause))
        else:
            complain(_refused(cause, where))
    except OSError:  # the parser cannot say what is wrong with the arguments: standard error is full
        give_up(sys.stderr)
    else:
        return 0
    return 2


def _without_output(lost: Unwritten) -> None:
    """A full disk under the output is no verdict on the claims."""
    complain(f"cannot write the output: {lost.reason}")
    give_up()


def _code(ended: SystemExit) -> int:
    if ended.code is None or isinstance(ended.code, int):
        return ended.code or 0
    complain(str(ended.code))
    return FAILED


def _refused(error: OSError, where: list[str]) -> str:
    """What the operating system refused; its errors quote names of files, and nothing that is in one."""
    reason = error.strerror or type(error).__name__
    name = error.filename
    if isinstance(name, str | bytes):
        return f"{os.fsdecode(name)}: {reason}"
    return f"cannot go on: {reason} ({' '.join(where[-3:])})"
