"""`scrub audit`: whether the audit files are as they were written and all there, and how they are archived."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.common.stores import opened
from worker.cli.common.terminal import Format, Style, complain, paint, plain, say, say_json

if TYPE_CHECKING:
    from worker.audit.chains import Compared
    from worker.audit.check import FileCheck
    from worker.audit.ends import End
    from worker.audit.lines import Retired
    from worker.audit.log import Head
    from worker.config.settings import Settings
    from worker.store.keyring import Ring

app = typer.Typer(help="The audit log.", no_args_is_help=True)
_STYLES: dict[Retired, Style] = {
    "sound": "green", "torn": "yellow", "tampered": "bold red", "unknown": "bold red", "missing": "bold red",
    "wrong key": "bold red",
}  # fmt: skip


@app.callback()
def _group() -> None:
    """The audit log: one JSON object a line, chained, in the audit folder of the state folder."""


@app.command("verify")
def verify(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[FILE]...", help="Audit files, or folders of such; default: all of them, and none may be missing."
        ),
    ] = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Do not ask Redis where the files ended; a cut tail then stays unseen.")
    ] = False,
    every_host: Annotated[
        bool, typer.Option("--every-host", help="Without FILE: the audit folder is that of all hosts, on one volume.")
    ] = False,
) -> None:
    """Checks that no line of an audit file was changed, removed, added or reordered, and that its end is there.

    Without FILE: all files of the audit folder, and that each chain that Redis knows of this host has its file. A host
    is this one, or one of which a file is in the folder; chains of other hosts are only counted.

    sound: as it was written. torn: sound, but for a last line that a crash cut off before it counted. tampered:
    somebody changed it; the sentence says from which line on. wrong key: it was written under a key that is not here.
    unknown: Redis does not know its chain. missing: Redis knows the chain, and there is no file; or it
    is one between two files of a process, of which each names the one before it. not here: none before it is there
    either. A file whose chain was retired verifies by the line that says so, in the audit folder or in another FILE.
    Needs the secret that the workers used, and the ring of audit keys beside it.

    Exit codes: 0 all are sound, 1 one is not, 2 one cannot be read, or without FILE Redis does not answer.

    Examples:

    * `scrub audit verify`
    * `scrub audit verify /archive/web1`
    """
    from worker.config.settings import load_settings

    settings = load_settings()
    whole = not files or any(file.is_dir() for file in files)
    files = [one for file in files or () for one in _of_folder(file)]
    there, code = [file for file in files if _readable(file)], 0
    if files:
        code = 0 if len(there) == len(files) else 2
        if not there:
            raise typer.Exit(2)
        _ring(settings)
    heads, found = (None, None) if offline else _asked(settings, every_host)
    if not files:
        there, code = _in_folder(settings, found), 0 if offline or found else 2
    code = max([code, *_each(there, heads, settings)])
    if whole:
        code = max(code, _between(there, settings, {head.chain for head in found.missing} if found else set()))
    if found and not files:
        code = max(code, _absent(found, settings))
    raise typer.Exit(code)


def _ring(settings: Settings) -> Ring:
    """The audit keys, of which none is made here."""
    from worker.errors import SecretUnusable
    from worker.store.keyring import load_ring

    if not settings.secret_path.exists():
        raise SecretUnusable(file=settings.secret_path, reason="it is not there")
    return load_ring(settings.secret_path, "audit")


def _asked(settings: Settings, every_host: bool) -> tuple[dict[str, Head], Compared] | tuple[None, None]:
    """What Redis knows, and how it compares with the folder; None: it does not answer."""
    from rules.errors import ScrubError
    from worker.audit import chains

    try:
        with opened(settings) as store:
            ring = _ring(settings) if settings.secret_path.exists() else None
            found, heads = chains.compared(store.redis, store.keys, settings.audit_path, ring, everywhere=every_host)
            return heads, found
    except ScrubError as error:
        complain(f"Without Redis the ends of the files are not checked: {error}")
        return None, None


def _in_folder(settings: Settings, found: Compared | None) -> list[Path]:
    """The files to verify; of a chain with several files the one that holds most of it."""
    from worker.audit.ends import ends

    if found is None:
        return [end.file for end in ends(settings.audit_path)]
    for end in found.parts:
        say(f"{plain(str(end.file))}: passed over: another file holds more of its chain")
    return sorted(end.file for end in (*found.agree, *(end for end, _ in found.cut), *found.unknown))


def _each(files: list[Path], heads: dict[str, Head] | None, settings: Settings) -> Iterator[int]:
    """Says how each file is, and answers the exit code for each."""
    from rules.errors import ScrubError
    from worker.audit import chains, sequence
    from worker.audit import check as audit
    from worker.audit.ends import end_of

    if not files:
        return
    ring, links = _ring(settings), sequence.links(_ends(files))
    gone: dict[str, chains.Retirement] | None = None
    for file in files:
        try:
            end = end_of(file)
            if heads is None:
                check = audit.verify(file, ring)
            else:
                check = chains.verify(file, ring, heads, {})
                if check.state == "unknown":
                    gone = chains.retired(settings.audit_path, ring, files) if gone is None else gone
                    check = chains.verify(file, ring, heads, gone)
            if end:
                check = sequence.continued(check, end, links, asked=heads is not None)
        except (OSError, ScrubError) as error:
            complain(plain(str(error)))
            yield 2
            continue
        _say(check)
        yield 0 if check.state == "sound" else 1


def _ends(files: Iterable[Path]) -> list[End]:
    """Of those that can be read and are audit files."""
    from worker.audit.ends import end_of

    found: list[End] = []
    for file in files:
        with suppress(OSError):
            found += [end] if (end := end_of(file)) else []
    return found


def _between(files: list[Path], settings: Settings, said: Collection[str]) -> int:
    """Says which files are missing from a sequence, but those that are said anyway, and answers the exit code."""
    from worker.audit import chains, sequence

    ends = _ends(files)
    links = sequence.links(ends)
    missing = [gap for gap in sequence.gaps(ends, links) if gap.chain not in said]
    if missing:
        gone = chains.retired(settings.audit_path, _ring(settings), files)
        missing = [gap for gap in sequence.gaps(ends, links, gone) if gap.chain not in said]
    for gap in missing:
        state = paint("missing", _STYLES["missing"]) if gap.after else "not here"
        say(f"{plain(str(gap.file))}: {state}: {plain(str(gap))}")
    return 1 if any(gap.after for gap in missing) else 0


def _say(check: FileCheck) -> None:
    say(f"{plain(str(check.file))}: {paint(check.state, _STYLES[check.state])}: {plain(check.sentence)}")


def _absent(found: Compared, settings: Settings) -> int:
    """Says which chains have no file, and answers the exit code."""
    from worker.audit.log import file_name

    for head in found.missing:
        file = plain(str(settings.audit_path / file_name(head.chain)))
        sentence = f"{head.seq} lines were committed, and the file is not there; restore it, or `scrub audit retire` it"
        say(f"{file}: {paint('missing', _STYLES['missing'])}: {sentence}")
    if found.elsewhere:
        hosts = ", ".join(map(plain, found.hosts))
        say(f"Chains of other hosts, to be verified there: {len(found.elsewhere)} ({hosts})")
    if not (found.agree or found.cut or found.unknown or found.missing):
        say(f"There is no audit file in {settings.audit_path}, and Redis knows of none of this host.")
    return 1 if found.missing else 0


def _of_folder(path: Path) -> list[Path]:
    """The audit files of a folder; else the path itself."""
    if not path.is_dir():
        return [path]
    found = sorted(path.glob("audit-*.jsonl"))
    if not found:
        raise typer.BadParameter(f"there is no audit file (audit-*.jsonl) in {plain(str(path))}", param_hint="FILE")
    return found


def _readable(file: Path) -> bool:
    try:
        with file.open("rb"):
            return True
    except OSError as error:
        complain(f"{plain(str(file))}: {error.strerror or error}")
        return False


@app.command("lost")
def lost(
    again: Annotated[
        bool, typer.Option("--again", help="Those that were decided again instead: who had a result has a second one.")
    ] = False,
    format: Annotated[Format, typer.Option(help="text for people; json: one decision a line.")] = "text",
) -> None:
    """Lists the decisions of this machine's audit files that Redis does not know: after FLUSHALL, a cut append-only
    file, an older backup, or the failover of a cluster's node.

    A claim that waits, or was decided again under the same decision id, is not listed: those --again names. Run it on
    every machine with audit files. What was sent and never decided is in no file: that only its sender knows.

    Exit codes: 0 nothing is lost, 1 something is, 2 Redis or the files cannot be used.

    Examples:

    * `scrub audit lost`
    * `scrub audit lost --format json | jq -r .claim_id`
    """
    from worker.audit.behind import behind

    with opened() as store:
        found = behind(store, _ring(store.settings))
    listed = found.repeated if again else found.lost
    if format == "json":
        for one in listed:
            say_json(
                {"claim_id": one.claim, "decision_id": one.decision, "moment": one.moment,
                 "disposition": one.disposition, "file": str(one.file)}
            )  # fmt: skip
    else:
        for one in listed:
            say(plain(f"{one.moment}  {one.disposition:10}  {one.claim or '-'}  {one.decision}"))
        say(f"{found}." if found.lost else "Redis knows every decision of the audit files.")
        if found.waiting:
            say(f"{found.waiting} more wait on the inbox and will be decided.")
    raise typer.Exit(1 if found.lost else 0)


@app.command("retire")
def retire(
    chains: Annotated[
        list[str] | None, typer.Argument(metavar="[CHAIN]...", help="Chains, or their files, which may be gone.")
    ] = None,
    host: Annotated[
        str | None, typer.Option("--host", help="All chains of a host, which is no more or whose files moved.")
    ] = None,
    reason: Annotated[str, typer.Option("--reason", help="Why, for the audit log; 1 to 200 signs.")] = "",
) -> None:
    """Takes chains off the list of those whose files must be in the audit folder: archived ones, or lost for good.

    Who did it, why, where each chain ended and how its file was then are in the audit log, by which a file that is
    kept elsewhere still verifies. Verify before you archive: a file that was tampered with is retired as such. Chains
    of live workers are refused.

    Exit codes: 0 done, 1 a chain was written meanwhile and stays, 2 there is no such chain, or it is in use.

    Examples:

    * `scrub audit retire audit-web1-311-9f0c22ab.jsonl --reason 'on tape 12'`
    * `scrub audit retire --host web1 --reason 'machine returned; its files are in the archive'`
    """
    from worker import bootstrap
    from worker.audit.chains import host_of, known
    from worker.monitoring.reconciliation import reconcile

    why = reason.strip()
    if not why or len(why) > 200 or not why.isprintable():
        raise typer.BadParameter("expected a sentence of 1 to 200 printable signs", param_hint="--reason")
    if bool(chains) == bool(host):
        raise typer.BadParameter("expected chains, or --host", param_hint="CHAIN")
    with opened() as store:
        names = list(dict.fromkeys(map(_chain, chains or ())))
        if host:
            names = sorted(chain for chain in known(store.redis, store.keys) if host_of(chain) == host)
        if not names:
            complain(f"Redis knows no chain of a host {plain(host or '')}.")
            raise typer.Exit(2)
        retirement = bootstrap.chain_retirement(store)
        try:
            stay = retirement.retire(names, why, reconcile(store.redis, store.keys).alive)
        finally:
            retirement.audit.close()
    _complain_of(stay)
    say(f"{len(names) - len(stay)} retired.")
    raise typer.Exit(1 if stay else 0)


def _complain_of(stay: Iterable[str]) -> None:
    for chain in stay:
        complain(f"{plain(chain)} was written meanwhile, and stays.")


def _chain(name: str) -> str:
    """The chain by its name, or by that of its file."""
    from worker.audit.log import chain_of

    return chain_of(Path(name).name) or name
