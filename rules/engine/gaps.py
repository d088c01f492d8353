"""Gaps in few words: what of a claim was not looked at, and which editions would have to be imported for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from functools import lru_cache
from typing import NamedTuple

from rules.book.book import Book
from rules.case import dates_of
from rules.claim import Claim, Role
from rules.report import Gap, GapKind, Report
from rules.tables.cadence import release_on
from rules.tables.table import SPECS
from rules.unread import PASSED_OVER

_TABLES = frozenset[GapKind]({"table_extract", "table_not_imported", "edition_past"})
"""Kinds that an import closes."""
_OFFICIAL: Mapping[str, str] = {
    "asc_drugs": "ASC Addendum BB",
    "covered_diagnoses": "the Medicare coverage export",
    "diagnosis_headers": "ICD-10-CM",
    "fee_schedule": "Medicare fees (Addendum AA, Addendum B)",
    "hcpcs_codes": "HCPCS",
    "localities": "GPCI",
    "modifiers": "HCPCS",
    "mue": "MUE",
    "ncci_ptp": "NCCI pairs",
    "nopain": "Addenda BB and B (non-opioid items)",
    "packaging_operations": "OPPS Addendum B",
    "relative_values": "PPRRVU",
}
"""The official files of the tables, as `scrub tables import` takes them."""
_BY_SETTING = ("mue", "ncci_ptp")
_SETTINGS: Mapping[Role, str] = {"hospital_outpatient": "hospital"}


PASSED = ", which is on the claim and is not read"
"""Ends `what` of a field that stood in the input; of others one cannot say where they would have stood."""


class Unread(NamedTuple):
    """One thing that was not looked at."""

    what: str
    """`lines 2 and 4`; of a table with the edition that the claim's date asks for: `NCCI pairs (hospital) 2026 Q4`."""
    codes: tuple[str, ...]
    """Of the rules that would have asked it."""
    kind: GapKind
    """Of a table that was not imported at all as well: `edition_past` stands for every kind that an import closes."""
    official: bool = False
    """Whether it is a file that can be imported."""

    def __str__(self) -> str:
        return self.what + (f" [{', '.join(self.codes)}]" if self.codes else "")


def unread(report: Report, claim: Claim | None) -> tuple[Unread, ...]:
    """What was not looked at, each thing once, in the order of the gaps. `claim`: None where it cannot be read any
    more; no edition is named then."""
    # Without a ledger no history is ever at hand: that is said once for all claims. What is a finding is no gap more.
    found = {finding.code for finding in report.every}
    gaps = [
        gap
        for gap in report.gaps
        if not (gap.kind == "history_not_consulted" and report.history == "not_consulted")
        and not (gap.kind in ("payer_without_rules", "plan_unknown") and gap.rule in found)
    ]
    things: dict[tuple[str, GapKind, bool], dict[str, None]] = {}
    form = any(look.looked_at == "form" for look in report.lines)
    for what, gap, official in _things(gaps, report.bills_as, claim, form):
        kind: GapKind = "edition_past" if gap.kind in _TABLES else gap.kind
        codes = things.setdefault((what, kind, official), {})
        if gap.rule and gap.kind in (*_TABLES, "rule_out_of_range", "field_not_read"):
            codes[gap.rule] = None
    return tuple(Unread(what, tuple(sorted(codes)), kind, file) for (what, kind, file), codes in things.items())


def editions_wanted(report: Report, claim: Claim) -> list[str]:
    """The official files, with the editions of the claim's dates, the import of which would close gaps."""
    if not any(gap.kind in _TABLES for gap in report.gaps):
        return []
    days = {line.service_date for line in claim.lines}
    day = days.pop() if len(days) == 1 else None
    if day is None or report.shared is None:
        return _wanted(report, claim)
    # Of one template are claims of the days between two changes of the book: few enough to be kept.
    by_day: dict[date, list[str]] = report.shared.setdefault("wanted", {})
    found = by_day.get(day)
    if found is None:
        found = by_day[day] = _wanted(report, claim)
    return found


def _wanted(report: Report, claim: Claim) -> list[str]:
    found = _things((gap for gap in report.gaps if gap.kind in _TABLES), report.bills_as, claim)
    return list(dict.fromkeys(what for what, _, official in found if official))


def editions_at_hand(book: Book) -> frozenset[str]:
    """The editions that were imported, named as `editions_wanted` names them."""
    roles: Mapping[str, Role] = {"outpatient_hospital": "hospital_outpatient"}
    return frozenset(
        _edition(table.name, roles.get(part, "practitioner"), edition.speaks[part].from_)
        for table in book.every_table
        if table.name in _OFFICIAL
        for part, reigns in table.reigns.items()
        for _, _, edition in reigns
        if part in edition.speaks
    )


def _things(
    gaps: Iterable[Gap], role: Role, claim: Claim | None, form: bool = False
) -> Iterator[tuple[str, Gap, bool]]:
    listed = list(gaps)
    lines = [gap.line for gap in listed if gap.kind == "line_not_judged" and gap.line is not None]
    for gap in listed:
        if gap.kind in _TABLES and gap.table:
            yield _edition(gap.table, role, _day(claim, gap.line)), gap, gap.table in _OFFICIAL
        elif gap.kind == "line_not_judged":
            yield numbered(lines) + (" (but for form)" if form else ""), gap, False
        elif gap.kind == "field_not_read" and PASSED_OVER in gap.sentence:
            yield gap.sentence.partition(PASSED_OVER)[0] + PASSED, gap, False
        else:
            yield _WORDS[gap.kind], gap, False


_WORDS: Mapping[GapKind, str] = {
    "payer_without_rules": "rules of the payer's own (the book has none)",
    "plan_unknown": "rules of the plan (the book does not know it)",
    "rule_out_of_range": "rules that ended before the date of service",
    "history_not_consulted": "history (no member id)",
    "field_not_read": "fields that the claim leaves out",
    "table_extract": "a table of which the book has an extract",
    "table_not_imported": "a table that was not imported",
    "edition_past": "a table whose edition is past",
    "line_not_judged": "lines",
}


def numbered(lines: list[int]) -> str:
    """`line 2`, `lines 2 and 4`, `lines 1, 2 and 4`."""
    if len(lines) < 2:
        return f"line {lines[0]}" if lines else "lines"
    return f"lines {', '.join(map(str, lines[:-1]))} and {lines[-1]}"


def _day(claim: Claim | None, number: int | None) -> date | None:
    """The date of that line, else the first one of the claim."""
    if claim is None:
        return None
    lines = [line for line in claim.lines if line.number == number] or claim.lines
    return min(dates_of(claim, lines) or dates_of(claim, claim.lines), default=None)


@lru_cache(1_024)
def _edition(table: str, role: Role, day: date | None) -> str:
    name = _OFFICIAL.get(table, table.replace("_", " "))
    setting = f" ({_SETTINGS.get(role, 'practitioner')})" if table in _BY_SETTING else ""
    cadence = SPECS[table].cadence if table in SPECS else None
    return name + setting + (f" {release_on(cadence, day)}" if cadence and day else "")
