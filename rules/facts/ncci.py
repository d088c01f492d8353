"""Facts of the NCCI procedure-to-procedure edits: which pairs are on the claim, and what lifts them.

Source of the mechanics: NCCI Policy Manual 2026, chapter I, section E (pages I-14 to I-20).
"""

from __future__ import annotations

from collections.abc import Iterator

from rules.case import Case, date_of
from rules.claim import Line
from rules.facts import line_fact
from rules.facts.day import SIDES, companions

LIFTABLE = "1"


def _table(case: Case) -> str:
    return "outpatient_hospital" if case.role == "hospital_outpatient" else "practitioner"


def _partners(case: Case, line: Line) -> Iterator[tuple[Line, bool]]:
    """Companion lines that form an edit with 64445 which a modifier may lift, in either column.

    A practitioner's visits are left out: they have a rule of their own, which asks for modifier 25.
    """
    pairs, visits, day = case.tables["ncci_ptp"], case.tables["visits"], date_of(case.claim, line)
    if day is None:
        return
    for other, certain in companions(case, line):
        code = other.procedure
        if not code or code == case.procedure:
            continue
        if case.role == "practitioner" and visits.find((code,), day):
            continue
        row = pairs.find((_table(case), case.procedure, code), day) or pairs.find(
            (_table(case), code, case.procedure), day
        )
        if row == (LIFTABLE,):
            yield other, certain


def _undated(case: Case, line: Line) -> bool:
    """Whether the line has no date and another line's procedure is in some edition of the pairs."""
    if date_of(case.claim, line) is not None:
        return False
    known, table, own = case.tables["ncci_ptp"].spans, _table(case), case.procedure
    codes = (other.procedure or "" for other, _ in companions(case, line))
    return any((table, own, code) in known or (table, code, own) in known for code in codes)


def _family(case: Case, line: Line) -> dict[str, str]:
    """The NCCI-associated modifiers of a line, each with its family: anatomic, global or other."""
    day, table = date_of(case.claim, line), case.tables["modifiers_ncci"]
    found = {code: table.find((code,), day) for code in line.modifiers} if day else {}
    return {code: row[0] for code, row in found.items() if row}


def _takes_side(case: Case, code: str) -> bool:
    """Whether a side lifts the pair: not with visits, drugs or anesthesia, which have no side."""
    anesthesia = code.isdigit() and code < "02000"
    return not (anesthesia or code.startswith("J") or (code,) in case.tables["visits"].spans)


def lifted(case: Case, line: Line, other: Line) -> bool:
    """Whether a modifier on either line lifts the pair."""
    here, there = _family(case, line), _family(case, other)
    if any(family != "anatomic" for family in (*here.values(), *there.values())):
        return True
    if here and there and set(here) == set(there):
        return False
    if not _takes_side(case, other.procedure or ""):
        return any(code not in SIDES for code in (*here, *there))
    return bool(here or there)


def _codes(lines: list[Line]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(line.procedure for line in lines if line.procedure))


@line_fact("flag", "the NCCI edits")
def ncci_covers_date(case: Case, line: Line) -> bool | None:
    """Whether an edition of the NCCI pairs is at hand for the line's date."""
    day = date_of(case.claim, line)
    return None if day is None else case.tables["ncci_ptp"].starts <= day


@line_fact("codes", "the procedures of the day")
def ncci_partners(case: Case, line: Line) -> tuple[str, ...] | None:
    """Procedures of the same day and provider in an active NCCI pair with 64445 that a modifier may lift."""
    if _undated(case, line):
        return None
    return _codes([other for other, sure in _partners(case, line) if sure])


@line_fact("codes", "the procedures of the day")
def ncci_unlifted(case: Case, line: Line) -> tuple[str, ...] | None:
    """Those of them that no modifier on either line lifts."""
    if _undated(case, line):
        return None
    return _codes([other for other, sure in _partners(case, line) if sure and not lifted(case, line, other)])


@line_fact("codes", "the procedures of the day")
def possible_ncci_unlifted(case: Case, line: Line) -> tuple[str, ...]:
    """Unlifted partners that may be of the same provider, their specialty or date being unknown."""
    return _codes([other for other, sure in _partners(case, line) if not sure and not lifted(case, line, other)])
