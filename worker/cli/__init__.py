"""The command line, `scrub`: one module a group of commands.

Every command imports what it needs when it runs, so that `scrub --help` does not wait for Redis or Celery clients.
Exit codes: 0 all is well; 1 something needs a person; 2 bad usage, or an input that cannot be read.
"""

from __future__ import annotations

import contextlib
import sys
from typing import Annotated, NoReturn

import typer

from rules.errors import ScrubError
from worker.cli import (
    audit,
    bench,
    check,
    demo,
    doctor,
    history,
    outcomes,
    partitions,
    quarantine,
    replay,
    report,
    rules,
    status,
    submit,
    tables,
    tail,
    work,
)
from worker.cli.signals import Stopped, install
from worker.cli.terminal import complain, flush, give_up

app = typer.Typer(
    name="scrub",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,  # its tracebacks show local variables, which hold claims
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("check")(check.check)
app.command("submit")(submit.submit)
app.command("worker")(work.worker)
app.command("status")(status.status)
app.command("doctor")(doctor.doctor)
app.command("partitions")(partitions.partitions)
app.command("tail")(tail.tail)
app.add_typer(history.app, name="history")
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(rules.app, name="rules")
app.command("replay")(replay.replay)
app.add_typer(outcomes.app, name="outcomes")
app.add_typer(tables.app, name="tables")
app.add_typer(audit.app, name="audit")
app.command("report")(report.report)
app.command("demo")(demo.demo)
app.command("bench")(bench.bench)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"claim-scrubber {version('claim-scrubber')}")
        raise typer.Exit


@app.callback()
def scrub(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Checks claims that carry CPT 64445 against the payer's own rules before they are sent.

    `scrub check claims.json` needs nothing else. `scrub worker` in one terminal and `scrub submit claims.json` in
    another run the whole pipe; `scrub demo` shows it at work.

    Settings are environment variables: SCRUB_REDIS_URL (none: a server of your own is started), SCRUB_STATE_DIR,
    SCRUB_BOOK and others, which `worker/settings.py` lists.

    Exit codes: 0 all is well, 1 something needs a person, 2 bad usage or an input that cannot be read.
    """


def _unwritten(error: OSError) -> int:
    """A full disk under the output is no verdict on the claims: exit code 2."""
    complain(f"cannot write the output: {error.strerror or type(error).__name__}")
    give_up()
    return 2


def main() -> NoReturn:
    """Runs the command and ends the process: no traceback for what a user may do wrong, none for Ctrl-C."""
    install()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        app()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    except Stopped as stopped:
        code = stopped.exit_code
    except ScrubError as error:
        complain(str(error))
        code = 2
    except OSError as error:
        code = _unwritten(error)
    try:
        flush()
    except Stopped as stopped:
        code = stopped.exit_code
    except OSError as error:
        code = _unwritten(error)
    sys.exit(code)
