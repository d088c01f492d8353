"""The service lines."""

from __future__ import annotations

from rules.claim.payers import LineDecision
from rules.claim.persons import Provider
from rules.claim.places import ServiceFacility
from rules.values import Code, Date, Flag, Money, Name, Number, Some, Whole, claim_part


@claim_part
class Drug:
    """Loop 2410: what was given, beside the J code of the line."""

    ndc: Code | None = None
    """LIN03 with qualifier N4: 11 digits, no dashes."""
    quantity: Number | None = None
    """CTP04, in the unit beside it."""
    unit: Code | None = None
    """CTP05-1: F2, GR, ML, UN or ME."""


@claim_part
class Line:
    """Loop 2400: one service line."""

    number: Whole
    """LX01, from 1."""
    procedure: Code | None = None
    """SV101-2 or SV202-2: a CPT or HCPCS code; null on institutional lines that have a revenue code alone."""
    modifiers: Some[Code] = ()
    """SV101-3 to -6 or SV202-3 to -6, in order."""
    units: Number | None = None
    """SV104 or SV205, in `unit_basis`."""
    unit_basis: Code | None = None
    """SV103 or SV204: UN units, MJ minutes, DA days."""
    charge: Money
    """SV102 or SV203, US dollars."""
    non_covered_charge: Money | None = None
    """SV207, US dollars: the part of the charge that is not covered; institutional only."""
    service_date: Date | None = None
    """DTP*472: the day, or the first of a range."""
    service_date_end: Date | None = None
    """DTP*472 with RD8: the last day of a range; null where there is one day."""
    place_of_service: Code | None = None
    """SV105; null: that of the claim."""
    diagnosis_pointers: Some[Whole] = ()
    """SV107: positions in `diagnoses`, from 1; professional only."""
    revenue_code: Code | None = None
    """SV201, 4 digits; institutional only."""
    rendering_provider: Provider | None = None
    """Loop 2420A; null: that of the claim."""
    drug: Drug | None = None
    """Loop 2410."""
    control_number: Name | None = None
    """REF*6R: the provider's own number of the line. Never a fact."""
    has_description: Flag | None = None
    """Whether SV101-7 or SV202-7 describes the service, or a note of the line (NTE) does."""
    has_long_note: Flag | None = None
    """Whether a note of the line (NTE02) has more than 80 characters."""
    supervising_provider: Provider | None = None
    """Loop 2420D (837P); null: that of the claim."""
    referring_provider: Provider | None = None
    """Loop 2420F, NM1*DN (837P), or 2420D (837I); null: that of the claim."""
    decisions: Some[LineDecision] = ()
    """Loop 2430: one for each other payer that decided on the line, or several where it split the line."""
    service_facility: ServiceFacility | None = None
    """Loop 2420C (837P): where this line was given; null: that of the claim."""
    prior_authorization: Name | None = None
    """2400 REF*G1 of the destination payer; null: that of the claim."""
