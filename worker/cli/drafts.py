"""`scrub rules drafts`: the rules that an upgrade brought as drafts, and switching them on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rules.terms import FORM
from worker.cli.common.terminal import Format, columns, plain, say, say_json

if TYPE_CHECKING:
    from rules.book.book import Book
    from rules.book.override import Override
    from rules.book.rule import Rule
    from worker.config.settings import Settings

app = typer.Typer(no_args_is_help=True)
_Waiting = list[tuple["Override", "Rule | None"]]
_ON_EVERY_CLAIM = "Form on claims that the rules of no procedure judge"


@app.callback()
def _group() -> None:
    """Rules that are new or stricter in this release and would hold claims that passed before.

    They are judged in shadow until a person switches them on. A new installation has none.
    """


@app.command("list")
def list_(
    format: Annotated[Format, typer.Option(help="text for people; json: one draft a line.")] = "text",
) -> None:
    """Lists the drafts that wait on this machine: which rule, why it is one, for whom, and until when it waits unseen.

    After its last day a draft warns, and still holds no claim: nothing but `accept` lets it.

    Exit codes: 0 none waits, 1 some do, 2 there is no book, or the drafts cannot be read.

    Example: `scrub rules drafts list`
    """
    from worker.config.settings import load_settings

    found = _waiting(load_settings())
    if format == "json":
        say_json(*(_described(*one) for one in found))
    else:
        say(*columns([_row(*one) for one in found], ("bold", None, None, None, "dim")))
        say(f"{len(found)} draft{'s' * (len(found) != 1)} of an upgrade.")
    raise typer.Exit(1 if found else 0)


@app.command()
def accept(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[CODE|NAME]...", help="Codes, or names as listed.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All that wait.")] = False,
    *,
    why: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for the audit log. At most 200 signs.")],
) -> None:
    """Switches drafts on: from the next batch on all workers let these rules hold claims, as their severity says.

    Look at `scrub rules impact --drafts` first. It is put in force as `scrub rules overrides --switch` does, audited,
    and taken back with `scrub rules rollback`; where no worker runs, workers take it up at their start.

    Exit codes: 0 done, 2 nothing of that name waits, somebody else was quicker, or Redis cannot be used.

    Examples:

    * `scrub rules drafts accept BND010 --reason "looked at impact of October"`
    * `scrub rules drafts accept --all --reason "looked at impact of October"`
    """
    from worker import bootstrap
    from worker.books import drafts
    from worker.cli.common.stores import opened
    from worker.cli.packs import notify_and_report, reason
    from worker.config.settings import load_settings

    settings, why = load_settings(), reason(why)
    if settings.book_key:
        raise typer.BadParameter("with SCRUB_BOOK_KEY drafts are entries of your signed overrides: take them out there")
    if bool(names) is every:
        raise typer.BadParameter("expected codes or names, or --all")
    with opened(settings) as store:
        library, before = drafts.standing(store)
        left = "" if every else _without(before.text, names or [], settings)
        if every and not before.text:
            say("No draft waits; nothing was changed.")
            return
        switcher = bootstrap.book_switcher(store)
        try:
            done = switcher.put_drafts(left, why)
            drafts.agree(store, library, before, left)
            gone = set(drafts.names_in(before.text)) - set(drafts.names_in(left))
            drafts.note(store, switcher.audit, sorted(gone), why)
        finally:
            switcher.audit.close()
        if done:
            notify_and_report(store, done, "")
        else:
            say("No worker judges by these drafts now; those that start with this book judge without them.")


@app.command()
def make(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="Folder or packed book that judged before.")],
) -> None:
    """Writes the drafts of this release for who judged by another book, as overrides, and changes nothing.

    For overrides that are signed (SCRUB_BOOK_KEY), and where the workers could not read what judged before: put the
    entries into the file of overrides.

    Exit codes: 0, or 2 where a book cannot be read.

    Example: `scrub rules drafts make before.book > drafts.yaml`
    """
    from worker.books import drafts
    from worker.books.overrides import today
    from worker.books.trust import book_files
    from worker.cli.common.books import read_book
    from worker.config.settings import load_settings

    settings = load_settings()
    text = drafts.made(book_files(old, None, None), read_book(None, settings.tables_path), today())
    say(*(text.splitlines() or ["overrides: []"]))


def _waiting(settings: Settings) -> _Waiting:
    from worker.books.drafts import waiting

    return waiting(_own_book(settings))


def _own_book(settings: Settings) -> Book:
    from worker.books.overrides import with_overrides
    from worker.cli.common.books import read_book

    return with_overrides(read_book(settings.book, settings.tables_path, keys=settings.trusted), settings)


def _without(text: str, names: list[str], settings: Settings) -> str:
    """The drafts without those of these codes or names."""
    from worker.books import drafts
    from worker.cli.common.books import read_book

    book = read_book(settings.book, settings.tables_path)
    entries = drafts.read(text, book)
    known = {name for entry in entries for name in (entry.name, *drafts.codes(entry, book))}
    if wrong := [name for name in names if name not in known]:
        raise typer.BadParameter(f"no draft {', '.join(wrong)} waits; `scrub rules drafts list` names them")
    return drafts.kept(text, {e.name for e in entries if not {e.name, *drafts.codes(e, book)} & set(names)})


def _row(entry: Override, rule: Rule | None) -> tuple[str, ...]:
    for_whom = ", ".join(entry.payers or (rule.payers if rule else ("all",)))
    late = "warns since" if rule else "was to be seen by"
    until = late if entry.state == "expired" else "waits until"
    title = rule.title if rule else _ON_EVERY_CLAIM
    return (
        rule.code if rule else FORM,
        entry.reason,
        for_whom,
        f"{until} {entry.expires}",
        plain(f"{title} ({entry.name})"),
    )


def _described(entry: Override, rule: Rule | None) -> dict[str, Any]:
    return {
        "name": entry.name, "code": rule.code if rule else FORM, "file": rule.file if rule else None,
        "title": rule.title if rule else _ON_EVERY_CLAIM, "reason": entry.reason,
        "payers": entry.payers or (rule.payers if rule else ("all",)),
        "from": None if entry.start.year == 1 else entry.start,
        "to": None if entry.end.year == 9999 else entry.end, "expires": entry.expires, "state": entry.state,
    }  # fmt: skip
