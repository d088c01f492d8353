"""Reading one composite of HI: diagnoses, and the codes of the UB-04. No sentence here holds a value of the file."""

from __future__ import annotations

from functools import lru_cache

from worker.intake.x12.elements import Unreadable, iso, number, split

_DIAGNOSES = frozenset({"ABK", "ABF", "ABJ", "APR", "ABN", "BK", "BF", "BJ", "PR", "BN"})


@lru_cache(1_000)
def diagnosis(raw: str, component: str) -> tuple[str, str]:
    """HI01 to HI12: the qualifier and the code."""
    parts = split(raw, component)
    if not parts[0] or not parts[1]:
        raise Unreadable("expected a qualifier and a code")
    if any(part in _DIAGNOSES for part in parts[2:]):
        raise Unreadable("expected one code; each code has a composite (HI01 to HI12) of its own")
    return parts[0].upper(), parts[1]


def present_on_admission(raw: str, component: str) -> str | None:
    """The ninth component of a diagnosis."""
    parts = split(raw, component)
    return parts[8] or None if len(parts) > 8 else None


def condition(raw: str, component: str) -> str:
    """Of HI*BG the code."""
    return diagnosis(raw, component)[1]


def occurrence(raw: str, component: str) -> dict[str, object]:
    """Of HI*BH the code with its day."""
    kind, when = _dated(raw, component)
    if not when:
        return {"code": diagnosis(raw, component)[1]}
    if kind != "D8":
        raise Unreadable("expected a date in the format D8 in the third and fourth component")
    return {"code": diagnosis(raw, component)[1], "day": iso(when)}


def occurrence_span(raw: str, component: str) -> dict[str, object]:
    """Of HI*BI the code with its first and last day."""
    kind, when = _dated(raw, component)
    if not when:
        return {"code": diagnosis(raw, component)[1]}
    first, dash, last = when.partition("-")
    if kind != "RD8" or not dash:
        raise Unreadable("expected two dates with a dash in the format RD8 in the third and fourth component")
    return {"code": diagnosis(raw, component)[1], "from_date": iso(first.strip()), "through_date": iso(last.strip())}


def value_code(raw: str, component: str) -> dict[str, object]:
    """Of HI*BE the code with its amount."""
    parts = split(raw, component)
    amount = parts[4] if len(parts) > 4 else ""
    found: dict[str, object] = {"code": diagnosis(raw, component)[1]}
    return {**found, "amount": number(amount, [], component)} if amount else found


def _dated(raw: str, component: str) -> tuple[str, str]:
    parts = (*split(raw, component), "", "")
    return parts[2].upper(), parts[3]
