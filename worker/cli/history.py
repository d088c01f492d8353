"""`scrub history`: what went to billing before, entered by a person: imported, or rejected by a payer."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.common.books import codes_of
from worker.cli.common.sources import Files, Intake
from worker.cli.common.stores import opened
from worker.cli.common.terminal import complain, on_terminal, plain, say

if TYPE_CHECKING:
    from worker.pipeline.ledgerrecorder import Fate
    from worker.store.connections import Store

app = typer.Typer(no_args_is_help=True)
_FATES: dict[Fate, str] = {
    "known": "in the ledger already, or a later version of them",
    "too_old": "older than the ledger keeps (SCRUB_HISTORY_MONTHS)",
    "no_procedure": "without a line that the rule book is for",
    "no_member_id": "without a member id, so nobody's",
    "no_date": "without any date",
}


@app.callback()
def _group() -> None:
    """What went to billing before, by which duplicates and frequency are judged. Workers keep it up by themselves."""


@app.command("import")
def import_(
    files: Files,
    facility: Annotated[
        str, typer.Option(metavar="NAME", help="Whose claims they are; default: the installation's one facility.")
    ] = "",
) -> None:
    """Enters claims that were billed before the project came, so that their duplicates are found.

    Give only what really went to a payer. The claims are not checked, and nothing is published. To import the same
    files again changes nothing. A claim that a worker sent to billing since stays as it is.

    Duplicates are found among the claims of all facilities; voids, replacements and later versions reach those of their
    own alone. So where producers are registered with a facility (`scrub producer list`), say here which one's they are.

    Exit codes: 0 everything was read, 2 something could not be read, no producer is of this facility, or Redis cannot
    be used.

    Examples:

    * `scrub history import billed-2024.ndjson billed-2025.ndjson.gz`
    * `scrub history import --facility north - < billed.json`
    """
    from worker import bootstrap
    from worker.config.settings import load_settings

    settings = load_settings()
    intake = Intake(files, settings.max_event_bytes, codes=codes_of(settings))
    today = datetime.now().astimezone().date()
    with opened(settings) as store:
        _assert_known(store, facility)
        recorder = bootstrap.ledger_recorder(store)
        try:
            with _progress() as advance:
                counts = recorder.enter(intake.documents(), today, advance, facility)
        except BaseException:
            complain("It broke off; what was entered stays, and to import the files again is safe.")
            raise
        finally:
            recorder.audit.close()
    say(*_summary(counts, intake.refused))
    raise typer.Exit(2 if intake.refused else 0)


def _assert_known(store: Store, facility: str) -> None:
    """A misspelled one would be a facility whose claims nobody can replace."""
    from worker.store.registry import producers_of

    known = sorted({one.facility for one in producers_of(store.redis, store.keys).values() if one.facility})
    if facility and facility not in known:
        listed = ", ".join(map(plain, known)) or "none"
        raise typer.BadParameter(f"no producer is registered for it; known: {listed}", param_hint="--facility")


@app.command("reject")
def reject(
    claim_ids: Annotated[list[str], typer.Argument(metavar="CLAIM_ID", help="As on the claim (CLM01).")],
    reason: Annotated[
        str, typer.Option(metavar="TEXT", help="Why, for the audit log; no patient data. At most 200 characters.")
    ],
) -> None:
    """Records that the payer rejected claims that went to billing: they count no longer, and may be sent again.

    For claims that the payer never took in (a 277CA or TA1 rejection). One that was denied was taken in: send a
    replacement (frequency 7) for it. All ledgers are looked through, which takes its time where there are millions.

    Exit codes: 0 all are recorded, 1 some are in no ledger as billed, 2 bad usage or Redis cannot be used.

    Example: `scrub history reject PCN-0001 PCN-0002 --reason "277CA A7 of 2026-11-02, wrong submitter id"`
    """
    from worker import bootstrap

    reason = reason.strip()
    if not reason or len(reason) > 200 or not reason.isprintable():
        raise typer.BadParameter("expected a sentence of 1 to 200 printable characters", param_hint="--reason")
    missing = 0
    with opened() as store:
        recorder = bootstrap.ledger_recorder(store)
        try:
            for claim_id in dict.fromkeys(claim_ids):
                found = recorder.reject(claim_id, reason)
                if found:
                    several = f" for {found} payers or patients" if found > 1 else ""
                    say(f"{plain(claim_id)}: recorded as rejected{several}; it counts no longer.")
                else:
                    missing += 1
                    complain(f"{plain(claim_id)}: no ledger has a claim of this id that went to billing and counts.")
        finally:
            recorder.audit.close()
    raise typer.Exit(1 if missing else 0)


def _summary(counts: Counter[Fate], refused: int) -> Iterator[str]:
    total = counts.total()
    yield f"{total} claim{'' if total == 1 else 's'} read, {counts['entered']} entered."
    yield from (f"  {counts[fate]} {text}" for fate, text in _FATES.items() if counts[fate])
    if refused:
        yield f"  {refused} could not be read"


@contextmanager
def _progress() -> Iterator[Callable[[int], None]]:
    """A count with its time on standard error, where that is a terminal."""
    if not on_terminal(sys.stderr):
        yield lambda _: None
        return
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from worker.cli.common.terminal import console

    parts = (SpinnerColumn(), TextColumn("{task.completed:.0f} claims read"), TimeElapsedColumn())
    with Progress(*parts, console=console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda number: bar.update(task, completed=number)
