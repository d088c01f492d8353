"""What the workers judge by, compared with each other and with this machine's disk, for the doctor."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from rules.book.book import Book
from rules.book.overridden import overridden
from rules.book.overridefile import read_overrides
from rules.errors import ScrubError
from rules.loader import TRIED, book_files, read_book, version_of
from worker.books import current, fleet
from worker.books.overrides import NONE
from worker.books.switch import Basis, BookName, InForce, held, held_overrides
from worker.config.settings import Settings
from worker.doctor.diagnosis import Diagnosis
from worker.monitoring.reconciliation import Reconciliation
from worker.store.connections import Store

_MENDS = {
    "book": "Put one in force for all: scrub rules switch FILE.book --reason TEXT",
    "overrides": "Put one file in force for all: scrub rules overrides FILE --switch --reason TEXT",
    "tables": "Import the same editions on all and restart the workers, or put a packed book in force.",
    "secret": "Copy the secret of the first worker to the others, and restart them.",
    "version": "Upgrade those that were left behind.",
}


def workers(settings: Settings, found: Reconciliation, now: InForce) -> Iterator[Diagnosis]:
    """In what the workers are not alike, and what of this machine's disk is not what they judge by."""
    for one in fleet.differences(found, now):
        yield Diagnosis("poor", "workers", f"{one}.", _MENDS[one.what])
    for sentence in fleet.unused_overrides_files(found, now):
        mend = "Put the file in force: scrub rules overrides FILE --switch --reason TEXT; else take the edit back."
        yield Diagnosis("poor", "overrides", f"{sentence}.", mend)
    for sentence in fleet.unusable(found):
        yield Diagnosis(
            "poor", "workers", sentence, "Mend its files: where nothing is in force any more, it does not start."
        )
    alive = [one for name, one in now.judging.items() if any(worker.runs(name) for worker in found.alive)]
    for reason in sorted({one.refused for one in alive if one.refused}):
        yield Diagnosis("ill", "workers", f"A worker refuses what is in force, and judges by what was before: {reason}")
    try:
        yield from _disk(settings, found, now)
    except ScrubError:
        return  # the rule book's diagnosis says so already


def _disk(settings: Settings, found: Reconciliation, now: InForce) -> Iterator[Diagnosis]:
    own = current.own(settings)
    ours, name = BookName(own.book.version, own.book.digest), str(BookName(own.book.version, own.book.digest))
    if own.library != TRIED.read_text("ascii").strip() and ours.version == version_of(book_files()):
        yield Diagnosis(
            "well", "rule book", f"{name} was edited: it has the version of the book that ships, and is another."
        )
    if now.basis:
        if now.basis.book.digest != ours.digest:
            sentence = f"Workers judge by {now.basis}, put in force; `scrub check` here by {name}."
            mend = "What is newer here, tables too, waits for a switch: scrub rules pack, scrub rules switch."
            yield Diagnosis("well", "rule book", sentence, mend)
        return
    others: dict[str, list[str]] = {}
    for worker in found.alive:
        theirs = worker.own_digest or worker.book_digest
        same = {ours.digest} if worker.own_digest else {ours.digest, current.book_of_today(settings).digest}
        if theirs not in same:
            tables = " (other tables)" if worker.library == own.library else ""
            label = f"{worker.book_version}+{theirs[:8]}{tables}"
            others.setdefault(label, []).append(worker.name)
    for label, names in sorted(others.items()):
        sentence = (
            f"On this machine's disk is book {name}; what {', '.join(sorted(names))} read at the start is {label}. "
            "A restart here would take up what is on the disk."
        )
        mend = "Is it meant? Put it in force (scrub rules pack, scrub rules switch); else take the edit back."
        yield Diagnosis("poor", "rule book", sentence, mend)


def judged_with(store: Store, now: InForce, today: date) -> Book | None:
    """The book and overrides that were put in force, as they are today; None: no overrides were.

    Raises:
        BookNotThere, OverridesNotThere, PackInvalid, OverridesInvalid, redis.exceptions.RedisError
    """
    basis: Basis | None = now.basis
    if basis is None or basis.overrides in (None, NONE):
        return None
    files = held(store.redis, store.keys, basis.book.digest, None)
    text = held_overrides(store.redis, store.keys, basis.overrides or "", None)
    book = read_book(files.library, files.imported, rows=store.settings.tables_path, examples=False)
    return overridden(book, read_overrides(f"overrides {fleet.short(basis.overrides)}", text, book), today)
