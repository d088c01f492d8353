"""`scrub rules overrides`: what this hospital decided otherwise, and whether it still holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from worker.cli.common.books import BookFolder, read_book
from worker.cli.common.terminal import Format, Style, columns, complain, paint, plain, say, say_json

if TYPE_CHECKING:
    from rules.book.book import Book
    from rules.book.override import Override
    from worker.config.settings import Settings

_STYLES: dict[str, Style] = {"in_force": "green", "outdated": "yellow", "expired": "bold red"}


def overrides(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="Default: the one that SCRUB_OVERRIDES names.")
    ] = None,
    book: BookFolder = None,
    format: Annotated[Format, typer.Option(help="text for people; json: one override a line.")] = "text",
    switch: Annotated[
        bool, typer.Option("--switch", help="Put FILE in force for all workers, over the book that they judge by.")
    ] = False,
    why: Annotated[
        str | None, typer.Option("--reason", metavar="TEXT", help="With --switch: why, for the audit log.")
    ] = None,
) -> None:
    """Checks the hospital's overrides and lists them: what they change, for whom, why, by whom, until when.

    in_force: it holds. outdated: it holds, but what it touches was changed since it was written. expired: it holds no
    more, and the book's own rule does. All faults of the file are listed at once as `file:line:col: path: sentence`.

    A worker reads SCRUB_OVERRIDES at its start, and an edit changes nothing while it runs. `--switch` puts the file in
    force as `scrub rules switch` does a book: on all workers from their next batch on, audited, and taken back with
    `scrub rules rollback`; from then on files on the workers' disks count no more. `none` for FILE: no overrides.

    Exit codes: 0 all hold, or with --switch they are in force, 1 one is expired or outdated, or the file has faults, 2
    there is no file or no book, or Redis cannot be used.

    Examples:

    * `SCRUB_OVERRIDES=./overrides.yaml scrub rules overrides`
    * `scrub rules overrides overrides.yaml --switch --reason "contract of January"`
    """
    from rules.errors import OverridesInvalid
    from worker.books.overrides import added
    from worker.config.settings import load_settings

    settings = load_settings()
    file = file or settings.overrides
    if file is None and (switch or not any(added(settings))):
        raise typer.BadParameter("expected FILE, or the variable SCRUB_OVERRIDES")
    if switch and file:
        _put(file, why, settings)
        return
    if file and not file.is_file():
        raise typer.BadParameter(f"there is no file {file}")
    try:
        entries = standing(
            file, read_book(book or settings.book, settings.tables_path, keys=settings.trusted), settings
        )
    except OverridesInvalid as error:
        for problem in error.problems:
            say(str(problem))
        complain(f"{len(error.problems)} fault{'s' * (len(error.problems) != 1)}")
        raise typer.Exit(1) from None
    if format == "json":
        say_json(*map(_described, entries))
    else:
        for entry in entries:
            _show(entry)
        say(f"{len(entries)} override{'s' * (len(entries) != 1)}.")
    raise typer.Exit(1 if warn(entries) else 0)


def _put(file: Path, why: str | None, settings: Settings) -> None:
    from dataclasses import replace

    from rules.book.overridefile import with_drafts
    from worker import bootstrap
    from worker.books import drafts
    from worker.cli.common.stores import opened
    from worker.cli.packs import given_text, notify_and_report, reason

    why, text = reason(why or ""), given_text(file, settings)
    with opened(settings) as store:
        if not settings.book_key:
            text = replace(text, content=with_drafts(text.content, drafts.standing(store)[1].text))
        switcher = bootstrap.book_switcher(store)
        try:
            done = switcher.put_overrides(text, why)
        finally:
            switcher.audit.close()
        notify_and_report(store, done, "These overrides are in force already; nothing was changed.")


def standing(file: Path | None, book: Book, settings: Settings) -> tuple[Override, ...]:
    """The overrides of the file, and of this machine's settings, as they stand today.

    Raises:
        OverridesInvalid
    """
    from worker.books.overrides import with_overrides

    return with_overrides(book, settings, file=file).overrides.entries


def warn(entries: tuple[Override, ...]) -> int:
    """Says on standard error which of them no longer hold, or want a look; and how many sentences that were."""
    from worker.books.overrides import warnings

    sentences = list(warnings(entries))
    for sentence in sentences:
        complain(plain(sentence))
    return len(sentences)


def _show(entry: Override) -> None:
    say(f"{paint(entry.name, 'bold')}  {paint(entry.state, _STYLES[entry.state])}")
    scope = [*(entry.payers or ("all payers",)), *(f"billing NPI {one}" for one in sorted(entry.providers))]
    rows = [
        ("does", entry.effect),
        ("for", ", ".join(scope)),
        ("dates", _period(entry)),
        ("touches", ", ".join(sorted(entry.files))),
        ("reason", entry.reason),
        ("owner", f"{entry.owner}, until {entry.expires}"),
    ]
    say(*columns([(f"  {name}", plain(text)) for name, text in rows if text], ("dim",)), "")


def _period(entry: Override) -> str:
    since = "" if entry.start.year == 1 else f"from {entry.start}"
    return f"{since}{'' if entry.end.year == 9999 else f' to {entry.end}'}".strip() or "all dates of service"


def _described(entry: Override) -> dict[str, Any]:
    return {
        "name": entry.name, "state": entry.state, "effect": entry.effect, "payers": entry.payers,
        "providers": sorted(entry.providers), "from": None if entry.start.year == 1 else entry.start,
        "to": None if entry.end.year == 9999 else entry.end, "files": sorted(entry.files), "reason": entry.reason,
        "owner": entry.owner, "expires": entry.expires, "written_for": entry.written_for, "pin": entry.pin,
    }  # fmt: skip
