"""Which cases are asked for, and in which order: the same for the command line and over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from rules.book.book import Book
from worker.desk.cases import HELD, URGENCIES, Case, Sort, StateWanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is asked for; None: whatever it is."""

    state: StateWanted = "open"
    payers: frozenset[str] | None = None
    """Keys and names, see `payers_named`."""
    code: str | None = None
    owner: str | None = None
    """Empty: nobody's."""
    due: int | None = None
    """The last day to file is within so many days."""

    def meets(self, case: Case, day: date) -> bool:
        """Whether a case is one of them, whatever its state."""
        named = self.payers is None or case.payer in self.payers or case.payer_name in self.payers
        coded = self.code is None or self.code.upper() in case.codes
        owned = self.owner is None or case.owner == self.owner
        left = case.days_left(day)
        return named and coded and owned and (self.due is None or (left is not None and left <= self.due))

    def in_state(self, case: Case, day: date) -> bool:
        now = case.state_on(day)
        return self.state in ("all", now) or (self.state == "held" and now in HELD)

    def of(self, cases: Iterable[Case], day: date) -> list[Case]:
        """Those of the cases that are asked for."""
        return [one for one in cases if self.meets(one, day) and self.in_state(one, day)]


def payers_named(begin: str, book: Book, cases: Sequence[Case]) -> frozenset[str]:
    """Keys and names of the payers that begin so: of the book, and as claims have them; empty: none does."""
    folded = begin.casefold()
    known = {key: {key, one.name} for key, one in book.registry.payers.items()}
    found = {key for key, names in known.items() if any(name.casefold().startswith(folded) for name in names)}
    return frozenset(found | {one.payer_name for one in cases if one.payer_name.casefold().startswith(folded)})


def by(sort: Sort, day: date) -> Callable[[Case], tuple[Any, ...]]:
    """The key of an order, which is the same whenever it is asked for."""
    if sort == "charge":
        return lambda case: (-case.charge_cents, case.handle)
    if sort == "age":
        return lambda case: (case.held_since, case.handle)
    return lambda case: (URGENCIES.index(case.urgency(day)), -case.charge_cents, case.handle)


def shown(case: Case, day: date) -> dict[str, Any]:
    """A case as JSON has it, as of a day."""
    return {**asdict(case), "state": case.state_on(day), "urgency": case.urgency(day), "days_left": case.days_left(day)}
