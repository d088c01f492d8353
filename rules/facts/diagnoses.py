"""Facts of the diagnoses: their number, their form, and the side of the body that they name."""

from __future__ import annotations

from decimal import Decimal

from rules.case import Case, date_of
from rules.claim import Claim, Line
from rules.facts import fact, line_fact
from rules.formats import icd9, icd10


@fact("number", "the diagnoses")
def diagnosis_count(case: Case) -> Decimal:
    """How many diagnoses the claim has; admitting and reason-for-visit diagnoses do not count."""
    return Decimal(len(case.claim.diagnoses))


@fact("codes", "the diagnoses")
def repeated_diagnoses(case: Case) -> tuple[str, ...]:
    """Diagnoses that stand in the list more than once."""
    codes = [undotted(code) for code in case.claim.diagnoses]
    return tuple(dict.fromkeys(code for code in codes if codes.count(code) > 1))


@fact("codes", "the diagnoses")
def icd9_diagnoses(case: Case) -> tuple[str, ...]:
    """Diagnosis codes that have the form of ICD-9-CM."""
    return tuple(code for code in _all(case.claim) if icd9(code))


@fact("codes", "the diagnoses")
def malformed_diagnoses(case: Case) -> tuple[str, ...]:
    """Diagnosis codes that have neither the form of ICD-10-CM nor that of ICD-9-CM."""
    return tuple(code or "(empty)" for code in _all(case.claim) if not icd10(code) and not icd9(code))


@line_fact("codes", "the diagnosis pointers")
def diagnosis_sides(case: Case, line: Line) -> tuple[str, ...] | None:
    """Sides that the line's diagnoses name, from the laterality table: right, left, bilateral, unspecified, or none
    for a diagnosis that names no side. Professional: the diagnoses that the line points to; institutional: all."""
    day = date_of(case.claim, line)
    if day is None:
        return None
    everyone = tuple(_side(case, code, line) for code in case.claim.diagnoses)
    if case.claim.form == "institutional":
        return tuple(sorted(set(everyone)))
    pointed = [everyone[pointer - 1] for pointer in line.diagnosis_pointers if 1 <= pointer <= len(everyone)]
    if pointed:
        return tuple(sorted(set(pointed)))
    return everyone[:1] if len(set(everyone)) == 1 else None


def _side(case: Case, code: str, line: Line) -> str:
    day = date_of(case.claim, line)
    row = case.tables["laterality"].find((undotted(code),), day) if day else None
    return row[0] if row else "none"


def _all(claim: Claim) -> tuple[str, ...]:
    extra = (claim.admitting_diagnosis,) if claim.admitting_diagnosis is not None else ()
    return (*claim.diagnoses, *extra, *claim.reason_diagnoses)


def undotted(code: str) -> str:
    """A diagnosis code as the tables hold it."""
    return code.replace(".", "", 1)
