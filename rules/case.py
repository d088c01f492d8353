"""A claim as the rules of one layer see it: with its payer, its billing role, the tables, and the lines they judge."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from types import MappingProxyType
from typing import Any, NamedTuple

from rules.claim import Claim, Line, Role
from rules.history import History
from rules.memberids import Form
from rules.payers import Selection
from rules.procedures import Procedure
from rules.tables.table import Tables

Location = tuple[str, str, str, str, str]
"""N301, N302, N401, N402 and N403 as they are compared: see `place_of`."""
ASC_TAXONOMY = "261QA1903X"


class Case(NamedTuple):
    """All that a fact may be derived from: first what differs by layer, then what all layers of a claim share."""

    layer: str
    """form, edits, or the procedure whose rules judge."""
    package: Procedure | None
    """The package of that procedure."""
    tables: Tables
    lines: tuple[Line, ...]
    """The lines that the layer judges: those of the procedure, or all."""
    first_day: date | None
    """The first date of those lines; None where one of a procedure's has none, or none of all has one."""
    cache: dict[Any, Any]
    """What was worked out for this claim: see `rules/facts/together.py`."""
    claim: Claim
    selection: Selection
    role: Role
    received: date | None
    """The day on which the payer is expected to receive the claim."""
    history: History
    """What was billed before for this patient."""
    provider: str | None = None
    """NPI of the billing provider, where an override names it."""
    ruled: bool = True
    """Whether the book has rules of its own for the payer."""
    forms: Mapping[str, Form] = MappingProxyType({})
    """The forms of member ids that the book's payer files declare, by name."""
    with_rules: frozenset[str] = frozenset()
    """The codes that some package of the book is for: its rules speak of their pairs and units."""
    carried: frozenset[str] = frozenset()
    """The groups of fields (rules/carried.py) that the claim's format carries, or the claim brings."""
    locations: tuple[Location, ...] = ()
    """Where the payer has enrolled this billing provider, by the hospital's own list; empty: there is none."""
    former: bool = False
    """Whether the book is of releases 0.1: a few facts mean to its rules what they meant then."""

    def of_layer(
        self, layer: str, package: Procedure | None, tables: Tables, lines: tuple[Line, ...], first: date | None
    ) -> Case:
        """The same claim as another layer sees it. What was worked out for one layer is not for another."""
        return Case._make((layer, package, tables, lines, first, {}, *self[_OF_LAYER:]))

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes of the procedure; none where the layer is of no procedure."""
        return self.package.codes if self.package else ()

    @property
    def procedure(self) -> str:
        """The first of them."""
        return self.package.codes[0] if self.package else ""


_OF_LAYER = Case._fields.index("claim")


def filled(text: str | None) -> bool:
    """Whether there is anything but blanks in it."""
    return bool(text and not text.isspace())


def place_of(parts: Iterable[str | None]) -> Location:
    """An address as it is compared with another: character by character, but for small letters, padding and the dash
    of a ZIP code."""
    street, more, city, state, code = ((part or "").strip().upper() for part in parts)
    return street, more, city, state, code.replace("-", "")


def role_of(claim: Claim) -> Role:
    """Who bills: the hospital's outpatient department, an ambulatory surgical center, or a practitioner."""
    if claim.form == "institutional":
        return "hospital_outpatient"
    if claim.billing_provider and claim.billing_provider.taxonomy == ASC_TAXONOMY:
        return "asc"
    if claim.rendering_provider is None and claim.service_facility is None and _at_asc(claim):
        return "asc"
    return "practitioner"


def role_is_certain(claim: Claim) -> bool:
    """False for a claim from place 24 whose billing taxonomy and rendering provider are both missing."""
    if claim.form == "institutional" or not _at_asc(claim):
        return True
    if claim.billing_provider and claim.billing_provider.taxonomy:
        return True
    return claim.rendering_provider is not None


def _at_asc(claim: Claim) -> bool:
    return claim.place_of_service == "24" or any(line.place_of_service == "24" for line in claim.lines)


def ncci_setting(case: Case) -> str:
    """Which of the two NCCI tables judges the claim; surgical centers use the practitioners'."""
    return "outpatient_hospital" if case.role == "hospital_outpatient" else "practitioner"


def date_of(claim: Claim, line: Line) -> date | None:
    """The line's date of service, else the statement's where it spans a single day (837I lines may omit theirs)."""
    return line.service_date or _only_day(claim)


def _only_day(claim: Claim) -> date | None:
    start = claim.statement_from_date
    return start if start == claim.statement_through_date else None


def dates_of(claim: Claim, lines: Iterable[Line]) -> list[date]:
    """The dates of service of those lines that have one."""
    only = _only_day(claim)
    return [day for line in lines if (day := line.service_date or only)]


def last_date_of(claim: Claim, line: Line) -> date | None:
    """The last day of the line's range, or its only day."""
    return line.service_date_end or date_of(claim, line)


def place_of_service_of(claim: Claim, line: Line) -> str | None:
    """The line's place of service, else the claim's."""
    return line.place_of_service or claim.place_of_service or None


def last_dates_of(claim: Claim, lines: Iterable[Line]) -> list[date]:
    """The last days of those lines that have one."""
    only = _only_day(claim)
    return [day for line in lines if (day := line.service_date_end or line.service_date or only)]
