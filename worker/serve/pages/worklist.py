"""The work list: cases in groups of urgency, the highest charge first, in an order that stays for a visit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import get_args
from urllib.parse import urlencode

from worker.desk.cases import Case, Sort, StateWanted, Urgency
from worker.desk.lists import Choices
from worker.desk.tabled import expected_text, sums_text
from worker.desk.wanted import SORTS, Listed, Sums, Wanted, due_of
from worker.serve.pages.frame import Pill, state_pill
from worker.serve.pages.words import Words, counted, money

SIZE = 50
"""Cases of a page."""
_NAMES = ("payer", "code", "owner", "state", "due", "sort")
GROUPS: Mapping[Urgency, str] = {
    "past": "Past the last day to file", "week": "Last day within 7 days", "month": "Last day within 30 days",
    "later": "Later", "unknown": "Last day not known",
}  # fmt: skip
STATES: Mapping[StateWanted, str] = {
    "held": "Open or pended", "open": "Open", "pended": "Pended", "mended": "Mended", "waived": "Waived",
    "closed": "Closed", "all": "All",
}  # fmt: skip
DUE_SAYS: Mapping[str, str] = {
    "": "Any day", "past": "Past", "week": "Within 7 days", "month": "Within 30 days", "unknown": "Not known",
}  # fmt: skip
SORT_SAYS: Mapping[Sort, str] = {
    "urgency": "Last day to file, then charge", "charge": "Highest charge", "expected": "Highest expected payment",
    "age": "Held longest",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which cases, as an address has it: never a claim number."""

    mine: bool = False
    """Of the reader: page /work."""
    payer: str = ""
    code: str = ""
    owner: str = ""
    state: StateWanted = "held"
    due: str = ""
    """One of `DUE_SAYS`, or a number of days."""
    sort: Sort = "urgency"

    @classmethod
    def of(cls, query: Mapping[str, str], *, mine: bool) -> Filters:
        """From an address; what it does not know counts as not set."""
        first: StateWanted = "open" if mine else "held"
        due = query.get("due", "")
        return cls(
            mine=mine,
            payer=query.get("payer", "")[:128],
            code=query.get("code", "").upper()[:16],
            owner="" if mine else query.get("owner", "")[:64],
            state=next((one for one in STATES if one == query.get("state")), first),
            due=due if due_of(due) is not None else "",
            sort=next((one for one in SORTS if one == query.get("sort")), "urgency"),
        )

    @property
    def narrowed(self) -> bool:
        """Whether anything is left out that the page shows as it opens."""
        return self != Filters.of({}, mine=self.mine)

    @property
    def path(self) -> str:
        return "/work" if self.mine else "/held"

    def address(self, **more: str | int) -> str:
        """Of the list, with what else is to stand in it."""
        first = Filters.of({}, mine=self.mine)
        said = {name: getattr(self, name) for name in _NAMES}
        query = {name: value for name, value in said.items() if value != getattr(first, name)}
        query |= {name: str(value) for name, value in more.items()}
        return f"{self.path}?{urlencode(query)}" if query else self.path

    def wanted(self, account: str, payers: frozenset[str] | None, scopes: frozenset[str] | None) -> Wanted:
        """For the database. `payers`: what the payer's name means; `scopes`: what the reader may see."""
        owner = account if self.mine or self.owner == "me" else "" if self.owner == "nobody" else self.owner or None
        return Wanted(
            state=self.state, payers=payers, code=self.code or None, owner=owner, due=due_of(self.due), scopes=scopes,
            sort=self.sort,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Group:
    """Neighbors of one urgency on a list, or all of it in another order: where they begin, and what they came to when
    the list was made."""

    urgency: Urgency | None
    start: int
    sums: Sums


@dataclass(frozen=True, slots=True)
class Order:
    """A list as it was when it was opened. Its handles are one text, which takes a tenth of the room."""

    filters: Filters
    handles: str
    groups: tuple[Group, ...]
    sums: Sums
    made: str
    """When, ISO 8601."""

    @classmethod
    def of(cls, filters: Filters, found: Sequence[Listed], made: str) -> Order:
        """Of what the database found, in that order."""
        groups: list[Group] = []
        for urgency, some in groupby(found, lambda one: one.urgency if filters.sort == "urgency" else None):
            start = groups[-1].start + groups[-1].sums.claims if groups else 0
            groups.append(Group(urgency, start, Sums.of(some)))
        return cls(filters, " ".join(one.handle for one in found), tuple(groups), Sums.of(found), made)

    @property
    def all(self) -> list[str]:
        return self.handles.split()

    @property
    def claims(self) -> int:
        return self.sums.claims

    def page(self, number: int) -> tuple[str, ...]:
        """The handles of a page, counted from 1."""
        return tuple(self.all[(number - 1) * SIZE : number * SIZE])


@dataclass(frozen=True, slots=True)
class OnList:
    """Where a case is on a list."""

    at: int
    """From 1."""
    of: int
    before: str
    """Handle; empty: none."""
    after: str
    page: int

    @classmethod
    def on(cls, order: Order, handle: str) -> OnList | None:
        every = order.all
        if handle not in every:
            return None
        at = every.index(handle)
        after = every[at + 1] if at + 1 < len(every) else ""
        return cls(at + 1, len(every), every[at - 1] if at else "", after, at // SIZE + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A case on a page."""

    handle: str
    version: int
    number: str
    payer: str
    due: str
    due_more: str
    late: Urgency
    fault: str
    codes: tuple[str, ...]
    owner: str
    held: str
    charge: str
    expected: str
    state: Pill


@dataclass(frozen=True, slots=True)
class Shown:
    """The rows of a group that are on a page."""

    title: str
    about: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One of a filter."""

    value: str
    text: str
    chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkList:
    """A page of a list."""

    title: str
    about: str
    filters: Filters
    token: str
    groups: tuple[Shown, ...]
    first: str
    """Handle of the first case to be worked on; empty: there is none."""
    number: int
    pages: int
    between: str
    """`1 to 50 of 10,000`."""
    made: str
    options: Mapping[str, tuple[Choice, ...]]

    @property
    def empty(self) -> bool:
        return not self.groups

    def page(self, number: int) -> str:
        """Its address."""
        return self.filters.address(list=self.token, page=number)

    @property
    def export(self) -> str:
        """Address of all of it as a CSV."""
        path, _, query = self.filters.address().partition("?")
        return f"{path}.csv?{query}" if query else f"{path}.csv"


def work_list(
    order: Order, token: str, number: int, found: Mapping[str, Case], words: Words, payers: Mapping[str, str],
    choices: Choices,
) -> WorkList:  # fmt: skip
    """A page of a list. `found`: its cases as they are now; `payers`: names of the book's payers by their keys."""
    last = max(1, -(-order.claims // SIZE))
    number = min(max(number, 1), last)
    start = (number - 1) * SIZE
    handles = order.page(number)
    groups = [
        Shown(
            GROUPS[group.urgency] if group.urgency else SORT_SAYS[order.filters.sort],
            f"{counted(group.sums.claims, 'claim')}, {sums_text(group.sums, money)}",
            tuple(
                _row(found[handle], words, payers)
                for place, handle in enumerate(handles, start)
                if group.start <= place < group.start + group.sums.claims and handle in found
            ),
        )
        for group in order.groups
    ]
    return WorkList(
        title="My work" if order.filters.mine else "All held claims",
        about=f"{counted(order.claims, 'claim')}, {sums_text(order.sums, money)}.",
        filters=order.filters,
        token=token,
        groups=tuple(one for one in groups if one.rows),
        first=next((one for one in handles if one in found and found[one].state_on(words.today) == "open"), ""),
        number=number,
        pages=last,
        between=f"{start + 1:,} to {start + len(handles):,} of {order.claims:,}",
        made=words.clock(order.made),
        options=_options(order.filters, choices, payers),
    )


def _row(case: Case, words: Words, payers: Mapping[str, str]) -> Row:
    last = case.last_day
    return Row(
        handle=case.handle,
        version=case.version,
        number=case.claim_id,
        payer=payer_name(case, payers),
        due=words.day(last.day) if last else "Not known",
        due_more=words.days(last.day) if last else "",
        late=case.urgency(words.today),
        fault=case.fault or "Read the claim for what holds it",
        codes=case.codes,
        owner=case.owner,
        held=words.since(case.held_since),
        charge=money(case.charge_cents),
        expected=expected_text(case.expected, money),
        state=state_pill(case, words),
    )


def payer_name(case: Case, payers: Mapping[str, str]) -> str:
    """As the book has it, else as the claim does."""
    return payers.get(case.payer or "", case.payer_name)


def _options(chosen: Filters, choices: Choices, payers: Mapping[str, str]) -> dict[str, tuple[Choice, ...]]:
    names = [(key or name, payers.get(key or "", name)) for key, name in choices.payers]
    found: dict[str, list[tuple[str, str]]] = {
        "payer": [("", "Any payer"), *names],
        "code": [("", "Any reason"), *((code, code) for code in choices.codes)],
        "state": [(state, text) for state, text in STATES.items()],
        "due": [(due, text) for due, text in DUE_SAYS.items()],
        "sort": [(sort, text) for sort, text in SORT_SAYS.items()],
    }
    if not chosen.mine:
        owners = [(name, name) for name in choices.owners]
        found["owner"] = [("", "Anyone"), ("me", "Me"), ("nobody", "Nobody"), *owners]
    for name, options in found.items():  # what is chosen stays there, also where no held case has it any more
        value = getattr(chosen, name)
        if value not in [one for one, _ in options]:
            text = f"Within {counted(int(value), 'day')}" if name == "due" else payers.get(value, value)
            options.append((value, text))
    return {
        name: tuple(Choice(value=v, text=text, chosen=v == getattr(chosen, name)) for v, text in options)
        for name, options in found.items()
    }


assert set(STATES) == set(get_args(StateWanted))
assert set(SORT_SAYS) == set(SORTS)
