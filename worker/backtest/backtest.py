"""The backtest itself: claims and remittances in, a result out. Nothing is kept."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from hashlib import sha256
from typing import Any

from rules.book.book import Book
from rules.report import BookId
from worker.backtest import result
from worker.backtest.counting import Counts, Fired
from worker.backtest.holding import Held, HoldJob, chunks, hold
from worker.backtest.judging import Job, judged
from worker.backtest.result import FOUND, HELD, BacktestResult, InSample, JudgedBy, Moved, Noticed
from worker.backtest.sending import Manifest
from worker.backtest.spool import Spool, spool
from worker.backtest.tabulating import Tables
from worker.backtest.taking import TakenClaim, TakenPayment, Taking
from worker.cores import in_order
from worker.outcomes.reasons import expected_carcs
from worker.outcomes.store import MeetingPlace, meeting_place
from worker.outcomes.tally import ALIKE, READ, Expected

UNREADABLE, TWICE = "could not be read", "there twice"
RESTATED = "served after the day in the file's header, and judged as of their last day of service"
NONE_ANSWERED = "no claim of this file is answered"
NONE_MATCHED = "no claim on this remittance is among the claims"
_CHUNK = 400
MOST_LISTED = 100
"""Places that are kept of each kind."""
_VERSION = re.compile(r"(\d{4})\.(\d{1,2})")


@dataclass
class Options:
    """How it is judged."""

    books: Callable[[date], Sequence[tuple[Book, str]]]
    """The books with the digests of their overrides, as they stand on a day: the last one on which a claim was sent."""
    months: int
    """That the ledger remembers."""
    manifest: Manifest
    received: date | None
    written: date | None
    """When the book was written, where its version does not say."""
    least: int
    cores: int
    version: str
    """Of the program."""


@dataclass
class File:
    """A file that was read to its end."""

    name: str
    of: result.Kind
    sha256: str
    records: int


@dataclass
class _State:
    claims: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    noted: Counter[str] = field(default_factory=Counter)
    fates: Counter[str] = field(default_factory=Counter)
    of_remittances: Counter[str] = field(default_factory=Counter)
    found_in: Counter[str] = field(default_factory=Counter)
    """By file of remittances: payments that found their claim."""
    listed: list[Noticed] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)
    days: list[str] = field(default_factory=list)
    """Of remittances: the first and the last."""
    files: list[File] = field(default_factory=list)

    def note(self, what: str, file: str, position: str) -> None:
        self.kinds[what] += 1
        if self.kinds[what] <= MOST_LISTED:
            self.listed.append(Noticed(_base(file), position, what))


class Backtest:
    """Takes remittances first, then claims, then `backtested`s."""

    def __init__(self, options: Options, spooled: Spool, place: MeetingPlace) -> None:
        self._options, self._spool, self._place = options, spooled, place
        self._state = _State()
        self._originals: dict[str, str] = {}
        """Payers' own numbers to the claims that they are of."""
        self._references: dict[str, str] = {}
        """Claims that name the payer's number of the claim that they replace or void."""
        self._key = b"backtest"

    @property
    def taking(self) -> Taking:
        """How files are read for it."""
        return Taking(self._options.manifest, self._options.received, self._key)

    def remitted(self, payment: TakenPayment) -> None:
        """Takes a claim of a remittance."""
        state = self._state
        state.of_remittances[READ] += 1
        for what in payment.notes:
            state.of_remittances[what] += 1
            state.note(what, payment.file, payment.position)
        if payment.day:
            state.days = [min([*state.days[:1], payment.day]), max([*state.days[1:], payment.day])]
        if payment.control:
            self._originals.setdefault(payment.control, payment.packed[0])
        self._place.enter_packed(payment.packed)

    def submitted(self, claim: TakenClaim) -> None:
        """Takes a claim."""
        state = self._state
        state.claims[READ] += 1
        refused = claim.refused or ("" if self._spool.enter(claim) else TWICE)
        if refused:
            state.refused[refused] += 1
        for what in (refused,) if refused else claim.notes:
            state.noted[what] += not refused
            state.note(what, claim.file, claim.position)
        if claim.replaces and not refused:
            self._references[claim.claim_id] = claim.replaces

    def unreadable(self, file: str, position: str, *, claim: bool) -> None:
        """Counts what could not be read; what is no claim but a file or its envelope is listed alone."""
        if claim:
            self._state.claims[READ] += 1
            self._state.refused[UNREADABLE] += 1
        self._state.note(UNREADABLE, file, position)

    def finished(self, file: File) -> None:
        """Notes a file that was read to its end."""
        self._state.files.append(file)

    # once everything is in

    def run(self, progress: Callable[[int], None] = lambda _: None) -> BacktestResult:
        """Judges, matches, counts."""
        state, options = self._state, self._options
        if restated := self._spool.restate():
            state.noted[RESTATED] = restated
        first, last = self._spool.period()
        books = list(options.books(date.fromisoformat(last) if last else date.min))
        job = Job(tuple(book for book, _ in books), options.months, self._key)
        for verdicts in judged(self._spool.chunks(_CHUNK), job, options.cores):
            self._spool.judged((seq, said) for seq, said, _, _ in verdicts)
            for _, _, claim, decision in verdicts:
                self._place.decided(claim, decision)
            progress(len(verdicts))
        held = self._held((first, last), [expected_carcs(book) for book, _ in books])
        return self._result(held, books, (first, last))

    def _held(self, period: tuple[str | None, str | None], expects: Sequence[Expected]) -> Held:
        """Every claim of the remittances, held to what was judged."""
        given, several = self._place.resolve()
        if given:
            self._state.of_remittances[ALIKE] = given
        first, last = (date.fromisoformat(day) if day else None for day in period)
        job = HoldJob(self._originals, self._references, several, first, last, expects)
        whole = Held()
        for one in in_order(hold, chunks(self._place, self._spool), job, self._options.cores):
            whole.add(one)
            self._spool.answered(one.answered)
            for note in one.notes:
                self._state.note(*note)
        return whole

    def _result(
        self, held: Held, books: Sequence[tuple[Book, str]], period: tuple[str | None, str | None]
    ) -> BacktestResult:
        state, options, counts = self._state, self._options, held.counts
        state.claims.update(held.claims)
        state.fates.update(held.fates)
        state.found_in.update(held.found_in)
        tables = Tables(counts, options.least)
        paid, denied = tables.money()
        inputs = tuple(self._inputs())
        answered = tuple(state.days) or (None, None)
        by = tuple(
            self._judged_by(place, book, overrides, counts, tables) for place, (book, overrides) in enumerate(books)
        )
        between = _moved(counts, options.least) if len(books) == 2 else ()
        return BacktestResult(
            result.FORMAT, options.least, self._digest(inputs, books), options.version, inputs,
            result.Period(*period, *answered), self._claims(), self._remittances(), tables.totals(), paid, denied,
            tables.allowed_share(), held.mended.result(options.least), by, between,
            tuple(sorted(state.listed, key=lambda place: (place.what, place.file))),
        )  # fmt: skip

    def _claims(self) -> result.Claims:
        said, refused = self._state.claims, self._state.refused
        without = said[READ] - said["matched"] - refused.total()
        return result.Claims(
            said[READ], said["matched"], said["counted"], said["again"], said["undecided"], without, _sorted(refused),
            _sorted(self._state.noted),
        )  # fmt: skip

    def _remittances(self) -> result.Remittances:
        noted = self._state.of_remittances.copy()
        return result.Remittances(noted.pop(READ, 0), _sorted(self._state.fates), _sorted(noted))

    def _inputs(self) -> Iterator[result.Input]:
        kept = self._spool.by_file()
        for number, file in enumerate(self._state.files):
            matched = kept.get(number, (0, 0))[1] if file.of == "claims" else self._state.found_in[file.name]
            if file.records and not matched and file.of != "manifest":
                self._state.note(NONE_ANSWERED if file.of == "claims" else NONE_MATCHED, file.name, "")
            yield result.Input(_base(file.name), file.sha256, file.of, file.records, matched)

    def _judged_by(self, place: int, book: Book, overrides: str, counts: Counts, tables: Tables) -> JudgedBy:
        fired = counts.fired[place] if counts.fired else {}
        expects = expected_carcs(book)
        codes = [HELD, FOUND, *sorted(fired.keys() - {HELD, FOUND})]
        records = tuple(tables.rule(code, fired.get(code, Fired()), expects.get(code, ())) for code in codes)
        carcs = sorted({atom.carc for atom in counts.atoms if atom.carc})
        named = {
            carc: tuple(sorted(code for code, of in expects.items() if carc.rpartition("-")[2] in of)) for carc in carcs
        }
        return JudgedBy(BookId(book.version, book.digest), overrides, self._in_sample(book), records, named)

    def _in_sample(self, book: Book) -> InSample:
        written = self._options.written or _written(book.version)
        if written is None or not self._spool.count:
            return InSample("unknown", None, 0)
        before, whole = self._spool.sent_before(written), self._spool.count
        sample: result.Sample = "after" if before == whole else "before" if not before else "across"
        return InSample(sample, written.isoformat(), before)

    def _digest(self, inputs: Iterable[result.Input], books: Iterable[tuple[Book, str]]) -> str:
        options = self._options
        parts = [f"{one.of} {one.sha256}" for one in inputs]
        parts += [f"book {book.digest} {overrides}" for book, overrides in books]
        parts += [f"received {options.received} written {options.written} months {options.months} {options.least}"]
        return sha256("\n".join([options.version, *parts]).encode()).hexdigest()


def _moved(counts: Counts, least: int) -> tuple[Moved, ...]:
    """Between two books. Both or none: what one book held more than the other is seen in their rows."""
    shown = {}
    for outcome in ("denied", "paid"):
        pair = [counts.moved[side, outcome] for side in ("first", "second")]
        shown[outcome] = [None, None] if any(0 < one < least for one in pair) else pair
    sides: tuple[Any, ...] = ("first", "second")
    return tuple(Moved(side, shown["denied"][place], shown["paid"][place]) for place, side in enumerate(sides))


def _written(version: str) -> date | None:
    """The month that the version names, as `2026.11`."""
    found = _VERSION.match(version)
    try:
        return date(int(found[1]), int(found[2]), 1) if found else None
    except ValueError:
        return None


def _sorted(counts: Counter[str]) -> dict[str, int]:
    return {name: number for name, number in sorted(counts.items()) if number}


def _base(name: str) -> str:
    return name.rpartition("/")[2]


@contextmanager
def opened(options: Options) -> Iterator[Backtest]:
    """A backtest with room on the disk for what it reads."""
    with spool() as spooled, meeting_place() as place:
        yield Backtest(options, spooled, place)
