"""How long cases are kept, and how they are made again: purge, preserve, release, rebuild."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.common.terminal import flush, hung, plain, say
from worker.cli.rework.acts import act
from worker.cli.rework.common import CaseName, Text, book_of, open_desk

if TYPE_CHECKING:
    from worker.desk.cases import Case
    from worker.desk.purging import Purgeable
    from worker.desk.rebuilding import Rebuilt

_MOST = 10
"""Handles that a sentence names."""


def purge(
    days: Annotated[
        int | None,
        typer.Option("--days", metavar="DAYS", min=30, max=36_500, help="Kept so long; default: SCRUB_CASE_RETENTION."),
    ] = None,
    reason: Annotated[
        str,
        typer.Option("--reason", metavar="TEXT", help="Why, for the audit log; no patient data. Without: says what."),
    ] = "",
) -> None:
    """Takes cases out of the store that are done, with claim, notes and reasons. Without --reason: says which it would.

    Days count from the last that happened on a case. Open and pended ones stay, and those that somebody preserves. The
    audit log keeps decisions and acts, without the claim and without what people wrote, and says who purged what.

    Exit codes: 0, or 2 where Redis or the case store cannot be used.

    Examples:

    * `scrub rework purge --days 2555`
    * `scrub rework purge --reason "seven years, records policy 12"`
    """
    from worker.desk import purging

    why = reason.strip()
    if len(why) > 200 or not why.isprintable():
        raise typer.BadParameter("expected a sentence of 1 to 200 printable signs", param_hint="--reason")
    with open_desk() as desk:
        kept = days or desk.store.settings.case_retention
        if kept is None:
            raise typer.BadParameter("expected it here or in SCRUB_CASE_RETENTION", param_hint="--days")
        now = datetime.now(UTC)
        found = purging.purgeable(desk.cases, now, kept)
        if why and found.cases:
            number = purging.purge(desk, now, kept, why)
            say(f"{number} case{'s' * (number != 1)} purged, each on the audit log.")
        else:
            say(*_would(found, kept))
        if found.preserved:
            say(f"{len(found.preserved)} as old stay, since they are preserved: {_named(found.preserved)}")
    flush()


def _would(found: Purgeable, days: int) -> Iterator[str]:
    if not found.cases:
        yield f"No case that is done is older than {days} days."
        return
    number = len(found.cases)
    many = "s" * (number != 1)
    yield hung(
        f"{number} case{many} would go, done, on which nothing happened for {days} days ({_named(found.cases)}). "
        f"The oldest was decided on {found.cases[0].moment[:10]}. Nothing was written; with --reason they go for good.",
        0,
    )


def _named(cases: Sequence[Case | str]) -> str:
    names = [one if isinstance(one, str) else one.handle for one in cases]
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return ", ".join(names[:_MOST]) + more


def preserve(case: CaseName, text: Text = "") -> None:
    """Keeps a case from purging, whatever its age, as a legal hold or a dispute wants it, until it is released.

    Exit codes: 0, or 2 where it is not possible.

    Examples:

    * `scrub rework preserve k7m2q9x4bd --note "appeal, counsel asked for it"`
    """
    act("preserve", case, text, None)


def release(case: CaseName, text: Text = "") -> None:
    """Lets a case be purged again, in its time.

    Exit codes: 0, or 2 where it is not possible.

    Examples:

    * `scrub rework release k7m2q9x4bd`
    """
    act("release", case, text, None)


def rebuild(
    audit: Annotated[
        list[Path] | None,
        typer.Option(
            "--audit", metavar="DIR", help="Folders of audit files, as of other machines; default: this one's."
        ),
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Says what it would make, and writes nothing.")] = False,
) -> None:
    """Makes cases again from decisions and the audit log, where the case store was lost or is an older copy.

    State, owner, days and reasons come back, and who did what; what people wrote does not, since the audit log has
    digests of it alone: texts that are still there are verified by them. Claims come back as far as outlets have them.
    What is in the store and not on these files stays as it is, and what was purged stays out.

    Exit codes: 0 all is as the log has it now, 1 it would change something (--check), or a text is not the one that was
    written, 2 Redis, the audit files or the case store cannot be used.

    Examples:

    * `scrub rework rebuild --check`
    * `scrub rework rebuild --audit /srv/audit-of-a --audit /srv/audit-of-b`
    """
    from worker.desk.rebuilding import rebuild as again

    with open_desk() as desk:
        folders = audit or [desk.store.settings.audit_path]
        for folder in folders:
            if not folder.is_dir():
                raise typer.BadParameter(f"expected a folder: {plain(str(folder))}", param_hint="--audit")
        done = again(desk, lambda: book_of(desk.store), folders, write=not check)
    say(*_rebuilt(done, check=check))
    flush()
    changes = check and (done.changed or done.purged or done.acts or done.decisions)
    raise typer.Exit(1 if changes or done.altered else 0)


def _rebuilt(done: Rebuilt, *, check: bool) -> Iterator[str]:
    would = "would be made again" if check else "made again"
    yield f"{done.cases} case{'s' * (done.cases != 1)} on the audit log, {len(done.changed)} {would}."
    if done.acts:
        yield f"{done.acts} acts were not in the store; the text of {done.texts} is gone."
    if done.decisions:
        yield f"{done.decisions} decisions were not in the store; their claims are gone."
    if done.purged:
        yield f"Purged before, and {'to be ' * check}taken out again: {_named(done.purged)}"
    if done.altered:
        yield f"Not the text that was written, by its digest: {_named(done.altered)}"
    if done.unverified:
        yield f"{done.unverified} texts have a digest under a key that is not in the ring here, and were not verified."
    if done.unsound:
        yield f"{done.unsound} audit lines were left out: they are not as they were written (`scrub audit verify`)."
