"""The shape of a claim: all of it but amounts, dates, identifiers and diagnoses. Many claims share one."""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple

from rules.case import Case, filled

_MOST_LINES = 12
"""What is kept of a shape grows with its lines."""


class Shape(NamedTuple):
    """What the claim shares with others."""

    payer: Hashable
    """Who pays for whom, and what the claim says to the payer."""
    setting: Hashable
    """Who gave the services, and where."""
    lines: tuple[tuple[Hashable, ...], ...]
    """What is of each; its number comes first."""


def shape_of(case: Case) -> Shape | None:
    """What the claim shares with others; None where something of it is rare, so that it is judged for itself.

    Rare: no lines, records, fields that were not read or were read as something odd, other payers, what they decided on
    a line, providers of a line, ranges of days, lines without a date, more than a dozen lines.
    """
    claim = case.claim
    if claim.documentation or claim.not_read or claim.oddities or claim.other_payers:
        return None
    if not 0 < len(claim.lines) <= _MOST_LINES:
        return None
    billing, first = claim.billing_provider, claim.lines[0].service_date
    if first is None:
        return None
    lines = []
    for line in claim.lines:
        day, drug = line.service_date, line.drug
        if day is None or line.service_date_end is not None or line.rendering_provider is not None or line.decisions:
            return None
        lines.append(
            (
                line.number, line.procedure, line.modifiers, line.units, line.unit_basis, line.place_of_service,
                line.diagnosis_pointers, not line.revenue_code, day != first and (day - first).days,
                drug and (drug.ndc, drug.quantity, drug.unit), line.service_facility and line.service_facility.state,
                not filled(line.prior_authorization),
            )
        )  # fmt: skip
    rendering, attending, operating = claim.rendering_provider, claim.attending_provider, claim.operating_provider
    payer = (
        claim.frequency_code, claim.delay_reason_code, claim.transaction_type, claim.several_principal_diagnoses,
        not filled(claim.original_reference_number), not filled(claim.prior_authorization),
        claim.payer.responsibility, claim.payer.id, claim.payer.filing_indicator, claim.payer.insurance_type,
        claim.subscriber and (claim.subscriber.relationship,), claim.patient and (claim.patient.own_loop,),
        not case.history.billed,
        tuple([(one.kind, one.loop, one.segment, one.element, one.line, one.answer) for one in claim.form_faults]),
    )  # fmt: skip
    setting = (
        claim.form, claim.type_of_bill, claim.place_of_service,
        billing and (billing.entity, billing.state, billing.participating, billing.taxonomy),
        claim.service_facility and (claim.service_facility.kind, claim.service_facility.state),
        rendering and (not rendering.npi, rendering.taxonomy),
        attending and (not attending.npi, attending.taxonomy),
        operating and (not operating.npi, operating.taxonomy),
    )  # fmt: skip
    return Shape(payer, setting, tuple(lines))
