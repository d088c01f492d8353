"""Facts of code sets: which procedure codes and modifiers can be, or are in CMS's file that the hospital imported."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rules.case import Case, date_of
from rules.claim import Line
from rules.facts.registry import fact, line_fact
from rules.formats import modifier, procedure

PHYSICAL_STATUS = ("P1", "P2", "P3", "P4", "P5", "P6")
"""Modifiers of CPT that begin with a letter."""
CPT_SECTIONS = (
    ("00100", "01999"), ("10004", "69990"), ("70010", "79999"), ("80047", "89398"), ("90281", "99607"),
)  # fmt: skip
"""First and last codes of the sections of category I; evaluation and management lies within the last."""
_PLACES = frozenset("DEGHIJNPRSX")
"""Where an ambulance came from and went to."""
_LEVEL_TWO = re.compile(r"[ABCEGHJKLMPQRSTUV][0-9]{4}")
"""The chapters of HCPCS level II that CMS's file has; dental codes, D, are the ADA's and not in it."""
_OTHER_CODES = re.compile(r"[0-9]{4}[AFMTU]|[ABCDEGHJKLMPQRSTUVWXYZ][0-9]{4}")
"""Other categories of CPT and its vaccines, level II, and the states' own codes (W to Z), which some still take."""


def _of_level_two(line: Line) -> Iterator[str]:
    """Its modifiers that CMS's file would have; those of a trip, two letters of place, are not in it."""
    trip = (line.procedure or "").startswith("A0")
    for code in line.modifiers:
        if modifier(code) and code[0].isalpha() and code not in PHYSICAL_STATUS and not (trip and set(code) <= _PLACES):
            yield code


@line_fact("codes", "the date of service", reach="line")
def unknown_modifiers(case: Case, line: Line) -> tuple[str, ...] | None:
    """The line's modifiers of HCPCS level II that do not exist on its date, from the imported HCPCS file; none where
    the hospital has imported no such file. Those of CPT, which begin with a digit or are P1 to P6, are not in it."""
    own = tuple(_of_level_two(line))
    table, day = case.tables["modifiers"], date_of(case.claim, line)
    if not own or not table.spans:
        return ()
    if day is None:
        return None
    return tuple(code for code in own if table.find((code,), day) is None)


@fact("codes", "the modifiers", reach="each")
def unlisted_modifiers(case: Case) -> tuple[str, ...]:
    """The claim's modifiers of HCPCS level II that the book does not know, where the hospital has imported no HCPCS
    file to look them up in."""
    if case.tables["modifiers"].spans:
        return ()
    known = case.tables["known_modifiers"].words
    return tuple(dict.fromkeys(code for line in case.claim.lines for code in _of_level_two(line) if code not in known))


@fact("codes", "the procedure codes", reach="each")
def impossible_procedures(case: Case) -> tuple[str, ...]:
    """The claim's procedure codes of five characters that no code set has: outside of the sections of CPT, of a form
    that is neither of CPT nor of HCPCS level II, or of a chapter that HCPCS never had."""
    codes = dict.fromkeys(line.procedure for line in case.claim.lines if line.procedure)
    return tuple(code for code in codes if procedure(code) and not _possible(code))


def _possible(code: str) -> bool:
    if code.isdigit():
        return any(first <= code <= last for first, last in CPT_SECTIONS)
    return _OTHER_CODES.fullmatch(code) is not None


@line_fact("codes", "the date of service", reach="line")
def unknown_hcpcs(case: Case, line: Line) -> tuple[str, ...] | None:
    """The line's code, where it is one of HCPCS level II that does not exist on its date by the imported HCPCS file;
    none where the hospital has imported no such file, and of the drug codes of which the book knows the last day."""
    code, table, day = line.procedure or "", case.tables["hcpcs_codes"], date_of(case.claim, line)
    if not _LEVEL_TWO.fullmatch(code) or not table.spans or case.tables["deleted_drugs"].has((code,)):
        return ()
    if day is None:
        return None
    return () if table.find((code,), day) is not None else (code,)


@fact("codes", "the procedure codes", reach="each")
def unlisted_hcpcs(case: Case) -> tuple[str, ...]:
    """The claim's codes of HCPCS level II that no table of the book names, where the hospital has imported no HCPCS
    file to look them up in."""
    if case.tables["hcpcs_codes"].spans:
        return ()
    codes = dict.fromkeys(line.procedure for line in case.claim.lines if line.procedure)
    tables = case.tables.values()
    return tuple(
        code for code in codes if _LEVEL_TWO.fullmatch(code) and not any(code in table.words for table in tables)
    )
