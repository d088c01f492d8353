"""Facts of the diagnoses: their number, their form, and the side of the body that they name."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from functools import lru_cache
from itertools import combinations

from rules.case import Case, date_of
from rules.claim import Claim, Line
from rules.facts.registry import fact, line_fact
from rules.formats import icd9, icd10
from rules.tables.table import Table

CODE_LENGTH = 5
SEVENTH = 7
"""Characters of a diagnosis code whose last one tells the encounter of an injury."""
ANESTHESIA = ("00100", "01999")
SURGERY = ("10004", "69990")
_kept = lru_cache(maxsize=2**14)
"""The same lists of diagnoses come again and again."""


@fact("number", "the diagnoses", diagnoses=True)
def diagnosis_count(case: Case) -> Decimal:
    """How many diagnoses the claim has; admitting and reason-for-visit diagnoses do not count."""
    return Decimal(len(case.claim.diagnoses))


@fact("codes", "the diagnoses", diagnoses=True)
def repeated_diagnoses(case: Case) -> tuple[str, ...]:
    """Diagnoses that are in the list more than once."""
    return _repeated(case.claim.diagnoses)


@_kept
def _repeated(diagnoses: tuple[str, ...]) -> tuple[str, ...]:
    codes = [undotted(code) for code in diagnoses]
    return tuple(dict.fromkeys(code for code in codes if codes.count(code) > 1))


@fact("codes", "the diagnoses", diagnoses=True)
def icd9_diagnoses(case: Case) -> tuple[str, ...]:
    """Diagnosis codes that have the form of ICD-9-CM."""
    return _icd9(_all(case.claim))


@_kept
def _icd9(codes: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(filter(icd9, codes))


@fact("codes", "the diagnoses", diagnoses=True)
def malformed_diagnoses(case: Case) -> tuple[str, ...]:
    """Diagnosis codes that have neither the form of ICD-10-CM nor that of ICD-9-CM."""
    return _malformed(_all(case.claim))


@_kept
def _malformed(codes: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(code or "(empty)" for code in codes if not icd10(code) and not icd9(code))


@line_fact("codes", "the diagnosis pointers", diagnoses=True)
def diagnosis_sides(case: Case, line: Line) -> tuple[str, ...] | None:
    """Sides that the line's diagnoses name, from the laterality table: right, left, bilateral, unspecified, or none
    for a diagnosis that names no side. Professional: the diagnoses that the line points to; institutional: all."""
    day = date_of(case.claim, line)
    if day is None:
        return None
    table = case.tables["laterality"]
    everyone = _sides(table, case.claim.diagnoses, table.unchanged_since(day))
    if case.claim.form == "institutional":
        return tuple(sorted(set(everyone)))
    pointed = [everyone[pointer - 1] for pointer in line.diagnosis_pointers if 1 <= pointer <= len(everyone)]
    if pointed:
        return tuple(sorted(set(pointed)))
    return everyone[:1] if len(set(everyone)) <= 1 else None


@_kept
def _sides(table: Table, codes: tuple[str, ...], day: date) -> tuple[str, ...]:
    rows = [table.find((undotted(code),), day) for code in codes]
    return tuple(row[0] if row else "none" for row in rows)


@fact("codes", "the date of service", diagnoses=True)
def header_diagnoses(case: Case) -> tuple[str, ...] | None:
    """Diagnosis codes that are only the heading of a group on the procedure's first date, from the table of headers."""
    day = case.first_day
    if day is None:
        return None
    table = case.tables["diagnosis_headers"]
    return _headers(table, _all(case.claim), table.unchanged_since(day))


@_kept
def _headers(table: Table, codes: tuple[str, ...], day: date) -> tuple[str, ...]:
    return tuple(dict.fromkeys(code for code in codes if table.find((undotted(code),), day) is not None))


@fact("codes", "the date of service", diagnoses=True)
def excludes1_pairs(case: Case) -> tuple[str, ...] | None:
    """Pairs of diagnoses that ICD-10-CM does not allow together (Excludes1) on the procedure's first date."""
    day = case.first_day
    if day is None:
        return None
    table = case.tables["excludes1"]
    return _excludes1(table, case.claim.diagnoses, table.unchanged_since(day))


@_kept
def _excludes1(table: Table, codes: tuple[str, ...], day: date) -> tuple[str, ...]:
    current = [code for code in dict.fromkeys(codes) if not _sequela(code)]
    listed = [(code, groups) for code in current if (groups := _groups(code, table))]
    return tuple(
        f"{one} with {other}"
        for (one, groups), (other, others) in combinations(listed, 2)
        if any(
            table.find(pair, day) is not None
            for first in groups
            for second in others
            for pair in ((first, second), (second, first))
        )
    )


def _sequela(code: str) -> bool:
    """Whether it is the late effect of an injury, which stands beside what it led to and is not the injury itself."""
    bare = undotted(code)
    return len(bare) == SEVENTH and bare[0] in "ST" and bare[-1] == "S"


def _groups(code: str, table: Table) -> list[str]:
    """The code and every group above it (M5431, M543, M54) that the table names."""
    bare = undotted(code)
    return [bare[:length] for length in range(len(bare), 1, -1) if bare[:length] in table.words]


@line_fact("flag", "the diagnosis pointers", diagnoses=True)
def diagnosis_fits_block(case: Case, line: Line) -> bool | None:
    """Whether a diagnosis that the line points to is of a kind in the table of a sciatic block's usual reasons.
    Professional: the diagnoses that the line points to; institutional: all."""
    day = date_of(case.claim, line)
    if day is None:
        return None
    table = case.tables["block_reasons"]
    return of_line(case, line, _usual(table, case.claim.diagnoses, table.unchanged_since(day)))


@_kept
def _usual(table: Table, codes: tuple[str, ...], day: date) -> tuple[bool, ...]:
    return tuple(any(table.find((group,), day) is not None for group in _groups(code, table)) for code in codes)


def of_line(case: Case, line: Line, everyone: Sequence[bool]) -> bool | None:
    """Whether any diagnosis of the line is wanted, of those of the claim; with its pointers missing, only where all or
    none are."""
    if case.claim.form == "institutional":
        return any(everyone)
    pointed = [everyone[pointer - 1] for pointer in line.diagnosis_pointers if 1 <= pointer <= len(everyone)]
    if pointed:
        return any(pointed)
    return everyone[0] if len(set(everyone)) == 1 else None


@fact("flag", "the procedures", reach="lines")
def has_surgery(case: Case) -> bool:
    """Whether the claim has an anesthesia line, or a surgical line that is not akin to the procedure and no needle
    procedure."""
    return any(operative(case, line.procedure) for line in case.claim.lines if line.procedure)


def operative(case: Case, code: str) -> bool:
    """Whether a code is anesthesia, or a surgical procedure that is not akin to that of the case and no puncture or
    injection."""
    if len(code) != CODE_LENGTH or not (code.isascii() and code.isdigit()) or code in case.codes:
        return False
    tables = case.tables
    needle = (code,) in tables["needle_procedures"].spans or (code,) in tables["injections"].spans
    needle = needle or (case.package is not None and case.package.like_it(code))
    return ANESTHESIA[0] <= code <= ANESTHESIA[1] or (SURGERY[0] <= code <= SURGERY[1] and not needle)


def _all(claim: Claim) -> tuple[str, ...]:
    extra = (claim.admitting_diagnosis,) if claim.admitting_diagnosis is not None else ()
    return (*claim.diagnoses, *extra, *claim.reason_diagnoses)


def undotted(code: str) -> str:
    """A diagnosis code as the tables hold it."""
    return code.replace(".", "", 1)
