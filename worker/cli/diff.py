"""`scrub rules diff`: what one book says otherwise than another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.common.books import BookFolder
from worker.cli.common.terminal import Format, columns, paint, plain, say, say_json

if TYPE_CHECKING:
    from rules.authoring.diff import Change

_BOOKS = "A folder, a packed book, or a git revision of the book, such as HEAD~3."


def diff(
    old: Annotated[str, typer.Argument(metavar="OLD", help=_BOOKS)],
    new: Annotated[
        str | None, typer.Argument(metavar="NEW", help="The same; default: the book as it is in its folder.")
    ] = None,
    book: BookFolder = None,
    format: Annotated[Format, typer.Option(help="text for people; json: one change a line.")] = "text",
) -> None:
    """Shows what a new book says otherwise than an old one: by rule, payer and first date of service.

    Rules that were added, retired or removed; severities, limits and other conditions with fact, test, old and new
    value; dates, sources, messages; rows of tables; payers and their ids. A new version of a rule is compared with the
    version before it. The books need not load: files are compared as they are written.

    Exit codes: 0 they say the same, 1 they do not, 2 one of them cannot be found.

    Examples:

    * `scrub rules diff HEAD~3`
    * `scrub rules diff ./book-october ./book-november --format json`
    """
    from rules.authoring.diff import difference
    from rules.loader import LIBRARY
    from worker.cli.common.revisions import files_of
    from worker.config.settings import load_settings

    folder = book or load_settings().book
    changes = difference(files_of(old, folder), files_of(new or str(folder or LIBRARY), folder))
    if format == "json":
        say_json(*changes)
    else:
        _show(changes)
    raise typer.Exit(1 if changes else 0)


def _show(changes: list[Change]) -> None:
    if not changes:
        say("The books say the same.")
        return
    heading = None
    for change in changes:
        about = _about(change)
        if about != heading:
            if heading is not None:
                say("")
            say(paint(plain(about), "bold"))
            heading = about
        since = f"from {change.since}" if change.since else ""
        say(*columns([(f"  {since:<15}", plain(change.sentence))], ("dim",)))
    rules = len({change.file for change in changes if change.code})
    say("", f"{len(changes)} change{'s' * (len(changes) != 1)}, {rules} rule{'s' * (rules != 1)} among them.")


def _about(change: Change) -> str:
    if change.code is None:
        return change.file
    return f"{change.code}  {', '.join(change.payers)}  ({Path(change.file).with_suffix('')})"
