"""`scrub snapshot` and `scrub restore`: ledgers and event memory in a file, and back from it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.common.stores import opened
from worker.cli.common.terminal import Format, complain, on_terminal, plain, say, say_json

if TYPE_CHECKING:
    from worker.config.settings import Settings
    from worker.pipeline.recovery import Since
    from worker.pipeline.restoring import Restored
    from worker.pipeline.snapshot import About


def snapshot() -> None:
    """Writes ledgers and event memory into an encrypted file, for the day on which Redis has lost them.

    Run it every night (the runbook has the line for cron), as `operator`, while workers go on. The files are in
    SCRUB_SNAPSHOT_DIR, of which the newest SCRUB_SNAPSHOTS are kept; copy them to another machine, and the secret with
    its rings to a third place: without those nobody can read them. Claims that wait and results that nobody has taken
    yet are not in them.

    Exit codes: 0, or 2 where Redis or the folder cannot be used.

    Example: `scrub snapshot`
    """
    from worker.config.settings import load_settings
    from worker.pipeline.snapshot import take

    settings = load_settings()
    with opened(settings) as store:
        taken = take(store, settings.snapshot_path, settings.snapshots, _progress())
    size = taken.file.stat().st_size / 2**20
    say(f"{taken.file}: {taken.ledgers} ledgers and {taken.events} events, {size:.1f} MB.")


def restore(
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="Default: the newest snapshot.")] = None,
    audit: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="Further audit files, of other hosts; may be repeated.")
    ] = None,
    format: Annotated[
        Format, typer.Option(help="json: each claim that the audit files tell of since, one a line.")
    ] = "text",
) -> None:
    """Puts ledgers and event memory back after Redis was emptied, cut or brought back from an older copy.

    What Redis holds stays, unless the snapshot has something later of the same claim; what waits on a stream is decided
    again. From the audit lines since the snapshot, ledgers learn which claims were decided and billed. What cannot be
    known is said in the end. Stop the workers first, or what they judge meanwhile is judged without its history. To do
    it again is safe.

    Exit codes: 0 nothing is missing, 1 something cannot be known, 2 the snapshot or Redis cannot be used. It wants the
    user `admin`.

    Examples:

    * `scrub restore`
    * `scrub restore snapshots/ledger-20261101T020000Z.snapshot --audit /archive/web2/audit-*.jsonl`
    """
    from worker import bootstrap
    from worker.config.settings import load_settings
    from worker.errors import SecretUnusable
    from worker.pipeline import snapshot as snapshots
    from worker.pipeline.recovery import since
    from worker.store.keyring import load_ring

    settings = load_settings()
    given = file or _newest(settings)
    if not settings.secret_path.exists():  # none is made here
        raise SecretUnusable(file=settings.secret_path, reason="it is not there")
    ring = load_ring(settings.secret_path, "audit")
    about, records = snapshots.opened(given, ring)
    told = since(settings.audit_path, audit or (), ring, about.heads)
    with opened(settings) as store:
        restorer = bootstrap.restorer(store)
        try:
            done = restorer.restore(given, about, records, told, _progress())
        finally:
            restorer.audit.close()
    if format == "json":
        for one in done.recovered:
            say_json(
                {"claim_id": one.claim_id, "decision_id": one.decision, "moment": one.moment,
                 "disposition": one.disposition}
            )  # fmt: skip
    else:
        say(*_summary(given, about, done))
    unknown = list(_unknown(told, done))
    complain("\n".join(["What this cannot know:", *(f"- {sentence}" for sentence in unknown)]))
    raise typer.Exit(1 if len(unknown) > 1 else 0)


def _newest(settings: Settings) -> Path:
    from worker.errors import SnapshotUnusable
    from worker.pipeline.snapshot import files

    found = files(settings.snapshot_path)
    if not found:
        raise SnapshotUnusable(file=settings.snapshot_path, reason="there is none in this folder")
    return found[-1]


def _summary(file: Path, about: About, done: Restored) -> Iterator[str]:
    keys = done.keys
    yield f"{plain(file.name)}, taken {about.taken}: {keys['ledgers']} ledgers and {keys['events']} events put back."
    if keys["there"]:
        yield f"  {keys['there']} more are in Redis already."
    if keys["expired"]:
        yield f"  {keys['expired']} events have expired since."
    if keys["waiting"]:
        yield f"  {keys['waiting']} events wait on a stream, and are decided again."
    if done.producers:
        yield f"  Registered again: {', '.join(done.producers)}."
    yield f"{len(done.recovered)} decisions since, from the audit lines; {done.rejected} rejections."


def _unknown(told: Since, done: Restored) -> Iterator[str]:
    """What is not known, the last sentence always."""
    billed = sum(one.billed for one in done.recovered)
    if billed:
        yield (
            f"the services of {billed} claims that went to billing since: a copy of one under another number is not "
            "found. `--format json` lists them; give the claims to `scrub history import`."
        )
    if told.events > 0:
        yield (
            f"{told.events} events that were decided since: sent again, each is judged again, and one that went to "
            "billing may go there twice. Ask their senders for claims that `scrub audit lost` lists, and for no others."
        )
    if told.displaced:
        yield f"what {told.displaced} replacements and voids since took the place of, where it has another number."
    if told.imports:
        yield f"{told.imports} claims that were imported since: import their files again."
    if done.unnamed:
        yield f"{done.unnamed} decisions since, whose patients' ledgers may stand under a patient key of before."
    if told.broken:
        names = tuple(file.name for file in told.broken)
        yield f"what came after the fault in {_some(names)}: `scrub audit verify` names it."
    if told.absent:
        yield (
            f"what was decided since in {len(told.absent)} audit files that are not here ({_some(told.absent)}): name "
            "them with --audit, unless they are older than the snapshot."
        )
    if done.book:
        yield f"the book {plain(done.book[:12])}, which was in force: `scrub rules switch` to it before workers start."
    yield "what waited on streams and lay in outlets when it was lost: `scrub audit lost` lists what was decided."


def _some(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(map(plain, names[:3])) + more


def _progress() -> Callable[[int], None]:
    if not on_terminal(sys.stderr):
        return lambda _: None
    from worker.cli.common.terminal import console

    return lambda seen: console(stderr=True).print(f"{seen:,} keys", end="\r")
