"""Facts of the NCCI procedure-to-procedure edits: which pairs are on the claim, and what lifts them.

Source of the mechanics: NCCI Policy Manual 2026, chapter I, section E (pages I-14 to I-20).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from rules.case import Case, date_of, ncci_setting
from rules.claim import Line
from rules.facts.day import SIDES
from rules.facts.operations import is_operation
from rules.facts.pairs import FIRM, LIFTABLE, UNKNOWN, could_pair, ever_said, is_anesthesia, pair_of
from rules.facts.registry import line_fact
from rules.facts.together import beside, blocks, once, position_of

ANESTHESIA_LIFTERS = ("59", "XE", "XP", "XS", "XU")
VISITS_OF_OWN_RULE = {"practitioner": (("practitioner",), ("facility",)), "hospital_outpatient": (("facility",),)}
"""Rows of the table of visits whose pairs are left to the rules of visits, which want 25 and nothing else."""
NOT_FOR_SURGERY = ("01953", "01991", "01992", "01995", "01996", "01999")
"""Anesthesia codes that do not stand for the anesthesia of an operation: an add-on, anesthesia for injections, a
regional block, daily management, and the unlisted one."""
NOT_FOR_SURGERY_THEN = ("01953", "01995", "01996", "01999")
"""The same for books of releases 0.1."""


def for_operation(code: str | None) -> bool:
    """Whether a code is the anesthesia of an operation."""
    return is_anesthesia(code) and code not in NOT_FOR_SURGERY


def _of_own_rule(case: Case, code: str | None) -> bool:
    return is_anesthesia(code) and code not in NOT_FOR_SURGERY_THEN if case.former else for_operation(code)


def paired_anesthesia(case: Case, code: str | None, day: date | None) -> bool:
    """Whether a code is the anesthesia of an operation by its pair with 64445 on the date: all that books of releases
    0.1 know of."""
    return bool(code and day and _of_own_rule(case, code)) and _said(case, code or "", day or date.min) == LIFTABLE


Wanted = Callable[[Line, Line, bool], bool]
Pair = tuple[Line, Line, bool]
"""A line of the procedure, the one that it forms an edit with, and whether both are surely of one day and provider."""


def _partners(case: Case, line: Line) -> list[Pair]:
    """Companion lines that form an edit with the procedure which a modifier may lift, in either column.

    Visits, a practitioner's anesthesia and a hospital's operations are left out: they have rules of their own.
    """
    return [pair for pair in _paired(case, line, LIFTABLE) if not _has_own_rule(case, pair[1])]


def _has_own_rule(case: Case, other: Line) -> bool:
    if case.role == "hospital_outpatient" and not case.former:
        return is_operation(case, other.procedure, date_of(case.claim, other))
    return case.role == "practitioner" and _of_own_rule(case, other.procedure)


def _unknown(case: Case, line: Line) -> list[Pair]:
    """Companion lines of which no table says whether they form an edit with the procedure, and that could."""
    day = date_of(case.claim, line)
    return [pair for pair in _paired(case, line, UNKNOWN) if day and could_pair(case, pair[1].procedure or "", day)]


def _firm(case: Case, line: Line) -> list[Pair]:
    """Companion lines that form an edit with the procedure which no modifier lifts."""
    return _paired(case, line, FIRM)


def _paired(case: Case, line: Line, indicator: str) -> list[Pair]:
    """The pairs of the procedure's lines of the day and provider: what lifts the pair of one need not lift another's.

    Of lines that are alike in all that is asked of a pair, one.
    """
    lines = blocks(case, line).sure
    return once(case, ("paired", id(lines), indicator), lambda: _pairs(case, lines, indicator))


def _pairs(case: Case, lines: list[Line], indicator: str) -> list[Pair]:
    kinds = {(own.modifiers, date_of(case.claim, own), id(beside(case, own))): own for own in reversed(lines)}
    alone = sorted(kinds.values(), key=lambda own: position_of(case, own))
    return [(own, other, certain) for own in alone for other, certain in _paired_with(case, own, indicator)]


def _paired_with(case: Case, line: Line, indicator: str) -> list[tuple[Line, bool]]:
    lines, day = beside(case, line), date_of(case.claim, line)
    if day is None:
        return []
    return once(case, ("paired_with", id(lines), day, indicator), lambda: _found(case, lines, day, indicator))


def _found(case: Case, lines: list[tuple[Line, bool]], day: date, indicator: str) -> list[tuple[Line, bool]]:
    visits, own_rule = case.tables["visits"], VISITS_OF_OWN_RULE.get(case.role, ())
    found: dict[object, tuple[Line, bool]] = {}
    for other, certain in lines:
        code = other.procedure
        if not code or code == case.procedure or visits.find((code,), day) in own_rule:
            continue
        kind = (code, other.modifiers, date_of(case.claim, other), certain)
        if kind not in found and _said(case, code, day) == indicator:
            found[kind] = (other, certain)
    return list(found.values())


def _said(case: Case, code: str, day: date) -> str:
    """What is said of the procedure and a code on a date, asked once for all lines and facts."""
    return once(case, ("said", code, day), lambda: pair_of(case, case.procedure, code, day).indicator)


def _certain(_own: Line, _other: Line, sure: bool) -> bool:
    return sure


def _uncertain(_own: Line, _other: Line, sure: bool) -> bool:
    return not sure


def _picked(
    case: Case, line: Line, what: str, pairs: Callable[[Case, Line], list[Pair]], wanted: Wanted
) -> tuple[str, ...]:
    """The procedures of the pairs that are wanted; `what` names the question, which all lines of the day share."""
    key = (what, id(blocks(case, line).sure))
    return once(
        case, key, lambda: _codes([other for own, other, sure in pairs(case, line) if wanted(own, other, sure)])
    )


def forms_pair(case: Case, code: str, day: date) -> bool:
    """Whether a code forms an active pair with the procedure on the date, in either column."""
    return _said(case, code, day) in (LIFTABLE, FIRM)


def undated(case: Case, line: Line) -> bool:
    """Whether the line has no date and another line's procedure is in some edition of the pairs."""
    if date_of(case.claim, line) is not None:
        return False
    lines = beside(case, line)
    codes = once(case, ("codes", id(lines)), lambda: {other.procedure for other, _ in lines if other.procedure})
    return any(ever_said(case, case.procedure, code) for code in codes)


def _family(case: Case, line: Line) -> dict[str, str]:
    """The NCCI-associated modifiers of a line, each with its family: anatomic, global or other."""
    day, table = date_of(case.claim, line), case.tables["modifiers_ncci"]
    found = {code: table.find((code,), day) for code in line.modifiers} if day else {}
    return {code: row[0] for code, row in found.items() if row}


def _takes_side(case: Case, code: str) -> bool:
    """Whether a side lifts the pair: not with visits or drugs, which have no side."""
    if case.former and is_anesthesia(code):
        return False
    return not (code.startswith("J") or (code,) in case.tables["visits"].spans)


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


@line_fact("flag", "the date of service", reach="line")
def ncci_covers_date(case: Case, line: Line) -> bool | None:
    """Whether an edition of the NCCI pairs is at hand for the line's date."""
    day = date_of(case.claim, line)
    return None if day is None else case.tables["ncci_ptp"].covers(ncci_setting(case), day)


@line_fact("codes", "the date of service", reach="lines")
def ncci_partners(case: Case, line: Line) -> tuple[str, ...] | None:
    """Procedures of the same day and provider in an active NCCI pair with the procedure that a modifier may lift."""
    if undated(case, line):
        return None
    return _picked(case, line, "partners", _partners, _certain)


@line_fact("codes", "the date of service", reach="lines")
def ncci_unlifted(case: Case, line: Line) -> tuple[str, ...] | None:
    """Those of them whose pair with a line of the procedure of the day no modifier on either line lifts."""
    if undated(case, line):
        return None
    return _picked(case, line, "unlifted", _partners, lambda own, other, sure: sure and not lifted(case, own, other))


@line_fact("codes", "the procedures of the day", reach="lines")
def possible_ncci_unlifted(case: Case, line: Line) -> tuple[str, ...]:
    """Unlifted partners that may be of the same provider, their specialty or date being unknown."""
    return _picked(
        case, line, "maybe_unlifted", _partners, lambda own, other, sure: not sure and not lifted(case, own, other)
    )


@line_fact("codes", "the date of service", reach="lines")
def ncci_never_paid(case: Case, line: Line) -> tuple[str, ...] | None:
    """Procedures of the same day and provider in an active NCCI pair with the procedure that no modifier can lift."""
    if undated(case, line):
        return None
    return _picked(case, line, "firm", _firm, _certain)


@line_fact("codes", "the procedures of the day", reach="lines")
def possible_ncci_never_paid(case: Case, line: Line) -> tuple[str, ...]:
    """The same for procedures that may be of the same provider, their specialty or date being unknown."""
    return _picked(case, line, "maybe_firm", _firm, _uncertain)


@line_fact("codes", "the date of service", reach="lines")
def ncci_unknown(case: Case, line: Line) -> tuple[str, ...] | None:
    """Procedures of the same day and provider of which neither the shipped rows and ranges nor an imported edition
    say whether they form an NCCI pair with the procedure, and that could: no drugs, supplies, laboratory, imaging or
    visits."""
    if undated(case, line):
        return None
    return _picked(case, line, "unknown", _unknown, _certain)


@line_fact("codes", "the procedures of the day", reach="lines")
def possible_ncci_unknown(case: Case, line: Line) -> tuple[str, ...]:
    """The same for procedures that may be of the same provider, their specialty or date being unknown."""
    return _picked(case, line, "maybe_unknown", _unknown, _uncertain)


@line_fact("codes", "the modifiers", reach="lines")
def ncci_lifted_by_one_side(case: Case, line: Line) -> tuple[str, ...]:
    """Partners whose pair nothing lifts but LT or RT on one of the two lines, while the other names no side."""
    unlifted = ncci_unlifted(case, line) or ()
    found = _picked(case, line, "one_side", _partners, lambda own, other, sure: sure and _by_one_side(case, own, other))
    return tuple(code for code in found if code not in unlifted)


def _by_one_side(case: Case, own: Line, other: Line) -> bool:
    here, there = set(_family(case, own)), set(_family(case, other))
    one = (not here or not there) and len(here | there) == 1 and (here | there) <= set(SIDES)
    if is_anesthesia(other.procedure):  # it has no side that could be named
        return False
    return one and "50" not in (*own.modifiers, *other.modifiers) and lifted(case, own, other)
