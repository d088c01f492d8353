"""A line as its payment depends on it, and what it is expected to bring."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal, get_args

from rules.tables.table import Tables

Site = Literal["office", "facility", "hospital", "asc"]
"""office, facility: a practitioner with the practice costs of an office, or without them; hospital: its outpatient
department's own payment; asc: a surgical center's."""
SITES: tuple[Site, ...] = get_args(Site)
Kind = Literal["amount", "range", "packaged", "unknown"]
Rank = Literal["only", "other", "uncertain"]
"""Among the procedures of its day: alone or the dearest of them, another one, or that cannot be said."""
Sides = Literal["one", "both", "second"]
"""second: the other side is on a line of its own, which is paid in full."""


@dataclass(frozen=True, slots=True)
class Area:
    """A locality of the physician fee schedule."""

    contractor: str
    """Number of the Medicare administrative contractor, five digits."""
    locality: str
    state: str
    name: str

    def __str__(self) -> str:
        return f"{self.state} {self.locality} ({self.name})"


@dataclass(frozen=True, slots=True)
class Places:
    """Where a line may have been given: one area, or those among which nothing decides."""

    areas: tuple[Area, ...]
    how: str
    """`TX 11 (Dallas)`, `TX, 8 localities`, `any of 109 localities`."""
    missing: tuple[str, ...] = ()
    """What would tell more, or why there is no area."""
    editions: tuple[str, ...] = ()
    """The editions of the ZIP codes by which it was found."""


@dataclass(frozen=True, slots=True)
class Question:
    """One line of service."""

    procedure: str
    day: date
    site: Site
    places: Places = Places((), "")
    """Of a practitioner's line."""
    modifiers: tuple[str, ...] = ()
    units: Decimal = Decimal(1)
    qualifying: bool = False
    """Whether the practitioner is a qualifying participant (QP) of an advanced payment model."""
    participating: bool = True
    nurse_or_assistant: bool = False
    """Whether a nurse practitioner, clinical nurse specialist or physician assistant gave the service."""
    wage_index: Decimal | None = None
    """Of the hospital or the surgical center; None: not known."""
    rank: Rank = "only"
    second_side: bool = False
    """Whether the line is the second of two, one for each side."""
    beside: tuple[str, ...] = ()
    """Codes of the other lines of a hospital's claim."""

    @property
    def sides(self) -> Sides:
        if "50" in self.modifiers or {"LT", "RT"} <= set(self.modifiers):
            return "both"
        return "second" if self.second_side else "one"


@dataclass(frozen=True, slots=True)
class Expected:
    """What a line is expected to bring: payer's and patient's part together, before deductible and sequestration."""

    kind: Kind
    """amount; range: from `low` to `high`; packaged: nothing of its own; unknown: see `missing`."""
    low: int | None = None
    """US cents."""
    high: int | None = None
    schedule: str | None = None
    """By which it is paid: `physician fee schedule`."""
    national: int | None = None
    """Of a practitioner's line, the amount with every cost index at 1."""
    steps: tuple[str, ...] = ()
    """How it comes about, in order."""
    notes: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    """What would have to be known, each with what to do."""
    editions: tuple[str, ...] = ()
    """The editions of the tables that it rests on."""


class Unknown(Exception):
    """Nothing can be said, for want of what its arguments name."""

    def __init__(self, *missing: str) -> None:
        super().__init__(*missing)
        self.missing = missing


def unknown(*missing: str) -> Expected:
    """Nothing can be said."""
    return Expected("unknown", missing=missing)


def between(low: int, high: int, schedule: str) -> Expected:
    """An amount, or a range where the two differ."""
    return Expected("amount" if low == high else "range", low, high, schedule)


@dataclass(frozen=True, slots=True)
class Looked:
    """Looks rows up for one question, and keeps by which editions."""

    tables: Tables
    day: date
    editions: dict[str, None]

    def find(self, table: str, key: tuple[str, ...], part: str = "") -> tuple[str, ...] | None:
        """The values of the row, or None."""
        found = self.tables[table].find(key, self.day)
        if found is not None:
            edition = self.tables[table].edition(part, self.day)
            self.editions[f"{edition.title}, {edition.release}" if edition else f"the book's {table}"] = None
        return found

    def share(self, schedule: str, case: str) -> Decimal:
        """The share of the amount that a case is paid.

        Raises:
            Unknown
        """
        row = self.find("payment_shares", (schedule, case))
        if row is None:
            raise Unknown(f"the rule book has no share of {schedule} for {case} on {self.day}: take a newer book")
        return Decimal(row[0])
