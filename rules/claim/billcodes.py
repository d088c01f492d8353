"""What the UB-04 says in codes with a day or an amount: occurrences, values, presence on admission."""

from __future__ import annotations

from rules.values import Code, Date, Number, Whole, claim_part


@claim_part
class Occurrence:
    """Loop 2300, one composite of HI*BH: something that happened, and when."""

    code: Code
    """HI01-2: the occurrence code, two characters."""
    day: Date | None = None
    """HI01-4."""
    group: Whole = 1
    """Which HI*BH segment of the claim it stands in, from 1: a code may stand in each of them once."""


@claim_part
class OccurrenceSpan:
    """Loop 2300, one composite of HI*BI: something that lasted, and from when to when."""

    code: Code
    """HI01-2: the occurrence span code, two characters."""
    from_date: Date | None = None
    """HI01-4, first day."""
    through_date: Date | None = None
    """HI01-4, last day."""


@claim_part
class ValueCode:
    """Loop 2300, one composite of HI*BE: an amount or a number that the payer needs."""

    code: Code
    """HI01-2: the value code, two characters."""
    amount: Number | None = None
    """HI01-5: US dollars, or a count or measure, as the code says."""


@claim_part
class PresentOnAdmission:
    """Loop 2300 HI, component 9 of a diagnosis: whether it was there when the patient was admitted."""

    diagnosis: Whole
    """Its position in `diagnoses`, from 1."""
    indicator: Code
    """HI01-9: Y yes, N no, U not documented, W not to be determined."""
