"""Which cases a list is of, in which order, and which page of it: said once, for command line, HTTP and pages. No I/O.

`Wanted.of` answers of cases that are in memory what `worker.desk.lists` asks of the database.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal, NamedTuple, get_args

import orjson

from rules.book.book import Book
from rules.payment.sums import ClaimExpected
from worker.desk.cases import HELD, URGENCIES, Case, Sort, StateWanted, Urgency
from worker.errors import PlaceUnknown

Due = int | Literal["unknown"]
"""The last day to file is within so many days of today (what is past is among them; -1: only that), or not known."""
DueWord = Literal["past", "week", "month", "unknown"]
DUE_WORDS: tuple[DueWord, ...] = get_args(DueWord)
DUE = r"^(?:past|week|month|unknown|-?[0-9]{1,4})$"
"""What `due_of` reads."""
_DAYS: dict[str, Due] = {"past": -1, "week": 7, "month": 30, "unknown": "unknown"}
SORTS: tuple[Sort, ...] = get_args(Sort)
SortKey = tuple[int | str, ...]
"""Of a case in an order; of two, the lesser comes first."""


class Listed(NamedTuple):
    """A case in its place on a list."""

    handle: str
    cents: int
    urgency: Urgency
    expected: ClaimExpected | None


@dataclass(frozen=True, slots=True)
class Sums:
    """Of cases: how many, their charges, and what is expected of those of which it is known for all lines."""

    claims: int = 0
    cents: int = 0
    priced: int = 0
    priced_cents: int = 0
    """Charges of those."""
    low_cents: int = 0
    high_cents: int = 0

    @classmethod
    def of(cls, found: Iterable[Listed]) -> Sums:
        every = list(found)
        whole = [(one.cents, one.expected) for one in every if one.expected and one.expected.whole]
        return cls(
            len(every), sum(one.cents for one in every), len(whole), sum(cents for cents, _ in whole),
            sum(one.low_cents or 0 for _, one in whole), sum(one.high_cents or 0 for _, one in whole),
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is asked for; None: whatever it is."""

    state: StateWanted = "held"
    payers: frozenset[str] | None = None
    """Keys and names, as `payers_named` finds them."""
    code: str | None = None
    """Held by this rule."""
    owner: str | None = None
    """Empty: nobody's."""
    due: Due | None = None
    scopes: frozenset[str] | None = None
    """Facilities that its reader may see."""
    claim_ids: frozenset[str] | None = None
    sort: Sort = "urgency"
    limit: int | None = None
    after: SortKey | None = None
    """Those behind this place; `limit` counts from there."""

    def meets(self, case: Case, day: date) -> bool:
        """Whether a case is one of them, on whatever page."""
        return (
            self._in_state(case, day)
            and (self.payers is None or case.payer in self.payers or case.payer_name in self.payers)
            and (self.code is None or self.code in case.codes)
            and (self.owner is None or case.owner == self.owner)
            and (self.due is None or self._is_due(case, day))
            and (self.scopes is None or case.scope in self.scopes)
            and (self.claim_ids is None or case.claim_id in self.claim_ids)
        )

    def _in_state(self, case: Case, day: date) -> bool:
        now = case.state_on(day)
        return self.state in ("all", now) or (self.state == "held" and now in HELD)

    def _is_due(self, case: Case, day: date) -> bool:
        left = case.days_left(day)
        return left is None if self.due == "unknown" else left is not None and left <= (self.due or 0)

    def of(self, cases: Iterable[Case], day: date) -> list[Case]:
        """Those of the cases that are asked for, in order; of the page, where one is meant."""
        placed = sorted((place_of(one, self.sort, day), one) for one in cases if self.meets(one, day))
        behind = [one for place, one in placed if self.after is None or place > self.after]
        return behind[: self.limit]


def place_of(case: Case, sort: Sort, day: date) -> SortKey:
    """The place of a case in an order: ends with its handle, so that no two have the same."""
    if sort == "charge":
        return (-case.charge_cents, case.handle)
    if sort == "age":
        return (case.held_since, case.handle)
    if sort == "expected":
        low = case.expected and case.expected.low_cents
        high = (case.expected and case.expected.high_cents) or 0
        return (int(low is None), -(low or 0), -high, case.handle)
    return (URGENCIES.index(case.urgency(day)), -case.charge_cents, case.handle)


def listed_of(case: Case, day: date) -> Listed:
    """A case as lists have it."""
    return Listed(case.handle, case.charge_cents, case.urgency(day), case.expected)


def due_of(text: str) -> Due | None:
    """past, week, month, unknown, or a number of days; None: it is none of them."""
    if not re.fullmatch(DUE, text):
        return None
    return _DAYS[text] if text in _DAYS else int(text)


def payers_named(
    name: str, book: Book, payers: Iterable[tuple[str | None, str]], *, whole: bool = False
) -> frozenset[str]:
    """Keys and names of the payers that are called so, or begin so; empty: none does. `payers`: key and name, as claims
    have them; `whole`: one payer alone, as a list offers it."""
    if whole and name in book.registry.payers:
        return frozenset({name})
    folded = name.casefold()

    def meant(one: str) -> bool:
        return one.casefold() == folded if whole else one.casefold().startswith(folded)

    found = {key for key, one in book.registry.payers.items() if meant(key) or meant(one.name)}
    return frozenset(found | {one for _, one in payers if meant(one)})


def token_of(place: SortKey, sort: Sort) -> str:
    """A place as a program gives it back for the next page. No claim number is in it."""
    return base64.urlsafe_b64encode(orjson.dumps([sort, *place])).decode().rstrip("=")


def place_in(token: str, sort: Sort) -> SortKey:
    """And back.

    Raises:
        PlaceUnknown: no list in this order gave it.
    """
    try:
        found: Any = orjson.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        kinds = [type(one) for one in found]
    except (ValueError, TypeError):
        raise PlaceUnknown(sort=sort) from None
    if not isinstance(found, list) or found[:1] != [sort] or kinds[1:] != _KINDS[sort]:
        raise PlaceUnknown(sort=sort)
    if any(isinstance(one, int) and abs(one) >= 2**63 for one in found):
        raise PlaceUnknown(sort=sort)
    return tuple(found[1:])


_KINDS: dict[Sort, list[type]] = {
    "urgency": [int, int, str], "charge": [int, str], "age": [str, str], "expected": [int, int, int, str],
}  # fmt: skip
