"""The book that is in force, and what the hospital overrides of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any

from rules.book.book import Book
from rules.book.override import Override
from rules.book.sources import due_items
from worker.books.overrides import ending, warnings
from worker.config.settings import Settings
from worker.doctor.diagnosis import Diagnosis
from worker.errors import ContractsInvalid
from worker.tables.contracts import contracts_in


def rule_book(book: Book, today: date) -> Iterator[Diagnosis]:
    """Whether its sources have been reviewed in time, and its tables cover today."""
    late = sorted((s.review_by, name) for name, s in book.sources.items() if s.review_by and s.review_by < today)
    if late:
        names = ", ".join(f"{name} (since {day})" for day, name in late[:5]) + (", ..." if len(late) > 5 else "")
        mend = "Look whether a newer edition is out; then change the rules, or the date in sources.yaml."
        yield Diagnosis("poor", "sources", f"{len(late)} sources are past their review date: {names}.", mend)
    watched = list(due_items(book.sources, today))
    for source, _, item in watched[:5]:
        sentence = f"{item.what} (since {item.due}; rules {', '.join(item.rules)})."
        mend = f"Look it up in {book.sources[source].title}, mend the rules, and take the item out of sources.yaml."
        yield Diagnosis("poor", "watch", sentence, mend)
    filled = {table.name: table.spans for table in book.every_table if table.spans}
    silent = [name for name, spans in filled.items() if not _covers(spans, today)]
    if silent:
        sentence = f"No row is in force today in the tables {', '.join(sorted(silent))}."
        yield Diagnosis("poor", "tables", sentence, "Import the current edition.")
    damaged = _damaged(book)
    for name in damaged:
        sentence = (
            f"The rows of the imported table {name} are not what was imported: the disk or a person changed them."
        )
        yield Diagnosis("ill", "tables", sentence, f"scrub tables undo {name}, and import the official files again.")
    if not late and not silent and not damaged and not watched:
        next_review = min((s.review_by for s in book.sources.values() if s.review_by), default=None)
        text = f"{book.label}, {len(book.rules)} rules; next review of a source by {next_review}."
        yield Diagnosis("well", "rule book", text)


def overrides(book: Book, today: date) -> Iterator[Diagnosis]:
    """Whether the hospital's overrides hold, and are still of the rules that they were written for."""
    entries = book.overrides.entries
    sentences = list(warnings(entries))
    yield from (Diagnosis("poor", "overrides", f"{text[:1].upper()}{text[1:]}.") for text in sentences)
    yield from _silenced(entries)
    for entry in ending(entries, today):
        sentence = f"Override {entry.name} ({entry.effect}) holds until {entry.expires}."
        yield Diagnosis("poor", "overrides", sentence, f"Ask {entry.owner} whether it is to be renewed.")
    if entries and not sentences:
        yield Diagnosis("well", "overrides", f"{len(entries)}, all written for the rules as they are.")


def _damaged(book: Book) -> list[str]:
    """The imported tables whose packed rows, all of them read, are not those of their digest."""
    reigns = (reign for table in book.every_table for reigns in table.reigns.values() for reign in reigns)
    editions = {edition.id: edition.content for _, _, edition in reigns if edition.content is not None}
    return sorted(name for name, content in editions.items() if not content.sound())


def _silenced(entries: Iterable[Override]) -> Iterator[Diagnosis]:
    """What is judged and holds no claim: by a mode, and as drafts of an upgrade."""
    listed = tuple(entries)
    for entry in listed:
        if entry.mode == "observe" and entry.state != "expired":
            whom = ", ".join(entry.payers) or "all payers"
            what = ", ".join(sorted(file.rpartition("/")[2] for file in entry.files)) or "rules"
            sentence = f"Override {entry.name} ({entry.reason}): {what} hold no claim of {whom}, and are on record."
            mend = "Look at what they would hold (scrub rules impact, the page), then let them: enforce."
            yield Diagnosis("poor", "observe", sentence, mend)
    drafts = [entry for entry in listed if entry.waits]
    if drafts:
        verb = "warn" if any(entry.state == "expired" for entry in drafts) else "are judged in shadow"
        sentence = f"{len(drafts)} rules, {drafts[-1].reason}, {verb} and hold no claim until they are switched on."
        mend = "scrub rules drafts list, scrub rules impact --drafts, then scrub rules drafts accept."
        yield Diagnosis("poor", "drafts", sentence, mend)


def _covers(spans: Any, today: date) -> bool:
    return any(start <= today <= end for rows in spans.values() for start, end, _ in rows)


def contracts(settings: Settings, book: Book) -> Iterator[Diagnosis]:
    """The hospital's table of contracts, where it has one."""
    if settings.contracts is None:
        return
    try:
        rows = len(contracts_in(settings.contracts, book.registry))
    except ContractsInvalid as error:
        sentence = f"{len(error.problems)} problem(s): {error.problems[0]}"
        yield Diagnosis("ill", "contracts", sentence, f"Mend {settings.contracts}; no worker starts with it.")
    else:
        yield Diagnosis("well", "contracts", f"{rows} rows of {settings.contracts}.")
