"""What the NCCI tables say of two codes: a pair that a modifier may lift, one that none lifts, no pair, or nothing.

An imported edition of the whole table says all: what it does not list is no pair. An extract, as earlier releases
imported it, says all of one procedure. The rows and ranges that ship with the book say something of what they name,
and nothing of the rest: what no row says is unknown, which is neither a pair nor none.
"""

from __future__ import annotations

from datetime import date
from typing import Literal, NamedTuple

from rules.case import Case, ncci_setting
from rules.tables.table import shape_of

Indicator = Literal["1", "0", "none", "unknown"]
LIFTABLE: Indicator = "1"
FIRM: Indicator = "0"
NONE: Indicator = "none"
UNKNOWN: Indicator = "unknown"
ANESTHESIA = ("00100", "01999")
_GROUPS = {
    "C0000": (("C5271", "C5278"), ("C7500", "C7999"), ("C8900", "C8957"), ("C9600", "C9608"), ("C9700", "C9799")),
    "G0000": (("G0000", "G9999"),),
    "0000T": (("0001T", "9999T"),),
    "00000": (ANESTHESIA, ("10004", "79999"), ("90281", "99499")),
}
"""What may form a pair, by the shape of the code. The rest is left out, because the edition of which the shipped rows
are lists none of it with the procedure, but for two drugs that are rows and Q2043: laboratory (80047 to 89398, U and M
codes), performance measures (F), supplies, devices and drugs (A, B, C1713 to C2699, E, J, K, L, P, Q, R, V), transport,
dental and state codes (D, H, S, T)."""
_OF_OWN_RULES = ("imaging_guidance", "visits")
"""Tables of codes that rules of their own judge beside the procedure, whatever the pairs say."""


class Pair(NamedTuple):
    """What is said of two codes."""

    indicator: Indicator
    denied: str = ""
    """The code in column 2, which is the one that is not paid."""


_NO_PAIR, _NOTHING = Pair(NONE), Pair(UNKNOWN)


def is_anesthesia(code: str | None) -> bool:
    """Whether a code is of the anesthesia section, 00100 to 01999."""
    return bool(code and shape_of(code) == "00000" and ANESTHESIA[0] <= code <= ANESTHESIA[1])


def pair_of(case: Case, one: str, other: str, day: date) -> Pair:
    """What the tables of the date say of two codes, in either column."""
    pairs, setting = case.tables["ncci_ptp"], ncci_setting(case)
    for column1, column2 in ((one, other), (other, one)):
        if row := pairs.find((setting, column1, column2), day):
            return Pair(FIRM if row[0] == FIRM else LIFTABLE, column2)
    edition = pairs.edition(setting, day)
    if edition is None:
        return _in_ranges(case, one, other, day) or _in_ranges(case, other, one, day) or _NOTHING
    return _NO_PAIR if edition.whole or edition.procedure in (one, other) else _NOTHING


def _in_ranges(case: Case, procedure: str, other: str, day: date) -> Pair | None:
    row = case.tables["ncci_ranges"].find_in_range((ncci_setting(case), procedure), other, day)
    if row is None:
        return None
    column, indicator = row
    if indicator == NONE:
        return _NO_PAIR
    return Pair(FIRM if indicator == FIRM else LIFTABLE, other if column == "1" else procedure)


def ever_said(case: Case, one: str, other: str) -> bool:
    """Whether the tables of some date say of two codes that they are a pair."""
    pairs, setting = case.tables["ncci_ptp"], ncci_setting(case)
    if pairs.has((setting, one, other)) or pairs.has((setting, other, one)):
        return True
    return any(_ever_in_ranges(case, *codes) for codes in ((one, other), (other, one)))


def _ever_in_ranges(case: Case, procedure: str, other: str) -> bool:
    spans = case.tables["ncci_ranges"].spans_in_range((ncci_setting(case), procedure), other)
    return any(values[1] != NONE for _, _, values in spans)


def could_pair(case: Case, code: str, day: date) -> bool:
    """Whether a code of which nothing is said could be one of a pair, and no other rule looks at it."""
    groups = _GROUPS.get(shape_of(code), ())
    return any(first <= code <= last for first, last in groups) and not any(
        case.tables[name].find((code,), day) is not None for name in _OF_OWN_RULES
    )
