"""Who pays: the payer that the claim goes to, and what other payers decided."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from rules.claim.places import Address
from rules.values import Code, Date, Flag, Money, Name, Number, Some, claim_part, printable

LineOfBusiness = Literal["commercial", "medicare_advantage", "medicaid", "exchange", "fep"]


@claim_part
class Payer:
    """Loop 2010BB, NM1*PR, of the destination payer, with what 2000B says of the subscriber's cover."""

    id: Annotated[str, Field(strict=True, min_length=1, max_length=80), AfterValidator(printable)]
    """NM109, the payer id of the clearinghouse or payer."""
    name: Name | None = None
    """NM103."""
    filing_indicator: Code | None = None
    """SBR09: MA Medicare Part A, MB Medicare Part B, CI commercial, BL Blue Cross Blue Shield, 16, HM, MC ..."""
    plan: Name | None = None
    """A plan key of the payer file, such as `anthem` or `ibx`; not on the 837."""
    responsibility: Literal["P", "S", "T", "A", "B", "C", "D", "E", "F", "G", "H", "U"] | None = None
    """SBR01: P primary, S secondary, T tertiary, A to H fourth to eleventh, U unknown."""
    line_of_business: LineOfBusiness | None = None
    """Not on the 837; null: derived from SBR09."""
    address: Address | None = None
    """N3 and N4 of 2010BB."""
    insurance_type: Code | None = None
    """SBR05: why Medicare is not the first payer: 12, 13, 14, 15, 16, 41, 42, 43, 47; professional only."""


@claim_part
class Adjustment:
    """Segment CAS of loop 2320 or 2430: why another payer paid less, or more, than was charged. One for each reason."""

    group: Code | None = None
    """CAS01: CO, CR, OA, PI or PR."""
    reason: Code | None = None
    """CAS02, 05, 08, 11, 14 or 17: claim adjustment reason code (CARC)."""
    amount: Money | None = None
    """The element after it, US dollars; positive where less is paid."""
    quantity: Number | None = None
    """The element after that: units that are adjusted."""


@claim_part
class OtherSubscriber:
    """Loop 2330A, NM1*IL: who is insured with another payer."""

    has_last_name: Flag | None = None
    """Whether NM103 is there; the name itself is asked by no rule."""
    member_id: Name | None = None
    """NM109. Identifies a person: never a fact, never logged."""


@claim_part
class OtherPayer:
    """Loop 2320 with 2330A and 2330B: another payer of the same claim and what it decided."""

    payer_id: Name | None = None
    """2330B NM109."""
    adjudication_date: Date | None = None
    """2330B DTP*573."""
    paid: Money | None = None
    """2320 AMT*D, US dollars."""
    dated_by_lines: Flag | None = None
    """True: loop 2330B has no date, and `adjudication_date` is the latest of 2430 DTP*573."""
    responsibility: Code | None = None
    """2320 SBR01, as in `payer.responsibility`."""
    relationship: Code | None = None
    """2320 SBR02: what the patient is to the subscriber; 18 self."""
    insurance_type: Code | None = None
    """2320 SBR05, as in `payer.insurance_type`."""
    filing_indicator: Code | None = None
    """2320 SBR09, as in `payer.filing_indicator`."""
    adjustments: Some[Adjustment] = ()
    """2320 CAS: of the claim as a whole, beside those of its lines."""
    remaining_liability: Money | None = None
    """2320 AMT*EAF: what is left for the patient to pay, US dollars."""
    noncovered: Money | None = None
    """2320 AMT*A8: what the payer does not cover, US dollars."""
    benefits_assigned: Code | None = None
    """2320 OI03: Y, N, or W where the patient refuses."""
    patient_signature_source: Code | None = None
    """2320 OI04: P where the provider signed for the patient; professional only."""
    release_of_information: Code | None = None
    """2320 OI06: Y a signed statement, I informed consent."""
    subscriber: OtherSubscriber | None = None
    remark_codes: Some[Code] = ()
    """2320 MIA05, MIA20 to 23, MOA03 to 07: remittance advice remark codes (RARC)."""


@claim_part
class LineDecision:
    """Loop 2430: what another payer decided on one service line."""

    payer_id: Name | None = None
    """SVD01: that of loop 2330B."""
    paid: Money | None = None
    """SVD02, US dollars."""
    paid_units: Number | None = None
    """SVD05."""
    bundled_into: Code | None = None
    """SVD06: the number of the line into which the payer bundled this one."""
    adjudication_date: Date | None = None
    """DTP*573."""
    adjustments: Some[Adjustment] = ()
    """CAS."""
    remaining_liability: Money | None = None
    """AMT*EAF, US dollars."""
