"""Groups of fields that the forms of an 837 carry and other formats may leave out.

A form rule that asks such a field names its group (`needs:` in the rule file). It is asked of a claim that was read
from an 837, and of any other claim that brings a field of the group; on the rest it does not apply, and one gap
`field_not_read` names the groups. So a claim in JSON or FHIR that leaves them out is not held for what nobody asked it
to say, and is not called checked either.

A newcomer reads CARRIED.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from rules.claim import Claim, OtherPayer, Provider, Subscriber


@dataclass(frozen=True, slots=True)
class Group:
    """Fields that come together or not at all."""

    label: str
    """In a biller's words, as a part of a sentence: `the other payers' own claims`."""
    brought: Callable[[Claim], bool]
    """Whether a claim that was read from no 837 brings one of the fields."""


def _has_name(one: Provider | Subscriber | None) -> bool:
    return one is not None and (one.last_name is not None or one.first_name is not None)


def _names(claim: Claim) -> bool:
    if claim.referring_provider or claim.supervising_provider:
        return True
    if _has_name(claim.billing_provider) or _has_name(claim.subscriber) or _has_name(claim.rendering_provider):
        return True
    if claim.patient and claim.patient.last_name is not None:
        return True
    for line in claim.lines:
        if line.referring_provider or line.supervising_provider or _has_name(line.rendering_provider):
            return True
    return False


def _addresses(claim: Claim) -> bool:
    for one in (claim.billing_provider, claim.service_facility, claim.patient, claim.payer):
        if one is not None and one.address is not None:
            return True
    return claim.pay_to_address is not None


def _tax_id(claim: Claim) -> bool:
    billing = claim.billing_provider
    return billing is not None and (billing.tax_id is not None or billing.social_security_number is not None)


def _claim_details(claim: Claim) -> bool:
    said = (
        claim.onset_date, claim.admission_date, claim.referral_number, claim.patient_paid,
        claim.patient_estimated, claim.has_remark, claim.has_long_note, *[line.has_long_note for line in claim.lines],
    )  # fmt: skip
    return said.count(None) < len(said)


def _line_details(claim: Claim) -> bool:
    return any(line.control_number is not None or line.has_description is not None for line in claim.lines)


def _others(brought: Callable[[OtherPayer], bool]) -> Callable[[Claim], bool]:
    """Whether another payer of the claim brings it; where there is none, nothing of it is left out."""
    return lambda claim: not claim.other_payers or any(map(brought, claim.other_payers))


def _alone(claim: Claim) -> bool:
    """A primary claim without other payers says all that there is to say of their order."""
    return claim.payer.responsibility in (None, "P") and not claim.other_payers


_places_of_others = _others(lambda other: bool(other.responsibility))


def _order(claim: Claim) -> bool:
    """Whether a claim says in which order its payers decide: one to a later payer that names no other has left nobody's
    place out, but whoever decided before."""
    return claim.payer.responsibility is not None and _places_of_others(claim)


def _insurance_type(claim: Claim) -> bool:
    return _alone(claim) or any((claim.payer.insurance_type, *[other.insurance_type for other in claim.other_payers]))


def _who_is_insured(claim: Claim) -> bool:
    subscriber, patient = claim.subscriber, claim.patient
    return bool(subscriber and subscriber.relationship) and patient is not None and patient.own_loop is not None


_named_insured = _others(lambda other: other.subscriber is not None and other.subscriber.has_last_name is not None)
"""Whether a claim says who is insured: a member id alone does not."""


def _named(claim: Claim) -> bool:
    """Whether one of the providers of an institutional claim has a name, or is said to be a person or not."""
    for one in (claim.attending_provider, claim.operating_provider, claim.other_operating_provider):
        if one is not None and (one.last_name or one.first_name or one.entity):
            return True
    return False


_adjusted = _others(lambda other: bool(other.adjustments))
CARRIED: Mapping[str, Group] = {
    "names": Group("names, and referring and supervising providers", _names),
    "addresses": Group("streets, cities and ZIP codes", _addresses),
    "tax_id": Group("the billing provider's tax id", _tax_id),
    "signatures": Group(
        "signatures and assignment",
        lambda claim: bool(
            claim.provider_signature or claim.assignment or claim.benefits_assigned or claim.release_of_information
        ),
    ),
    "accidents": Group(
        "accidents", lambda claim: bool(claim.related_causes or claim.accident_date or claim.accident_state)
    ),
    "claim_details": Group("admission, onset, referral and notes", _claim_details),
    "line_details": Group("control numbers and descriptions of lines", _line_details),
    # what only the institutional form has
    "admission": Group(
        "admission and discharge (CL1, DTP*096)",
        lambda claim: bool(
            claim.admission_type or claim.point_of_origin or claim.patient_status or claim.discharge_hour
        ),
    ),
    "condition_codes": Group("condition codes (HI*BG)", lambda claim: bool(claim.condition_codes)),
    "occurrences": Group("occurrence codes (HI*BH)", lambda claim: bool(claim.occurrences)),
    "value_codes": Group("value codes (HI*BE)", lambda claim: bool(claim.value_codes)),
    "remarks": Group("a note (NTE)", lambda claim: claim.has_remark is not None),
    "statement": Group(
        "statement dates (DTP*434)", lambda claim: bool(claim.statement_from_date or claim.statement_through_date)
    ),
    "operating": Group("an operating provider (2310B)", lambda claim: claim.operating_provider is not None),
    "provider_names": Group("the names of the attending and operating provider (2310A, 2310B)", _named),
    # other payers of the claim
    "payer_place": Group("the payer's place in the order", lambda claim: claim.payer.responsibility is not None),
    "payer_order": Group("the other payers' places in the order", _order),
    "insurance_type": Group("why Medicare is not the first payer", _insurance_type),
    "filing_indicator": Group("the kind of payer", lambda claim: bool(claim.payer.filing_indicator)),
    "who_is_insured": Group("what the patient is to the subscriber", _who_is_insured),
    "other_adjustments": Group(
        "what other payers adjusted",
        lambda claim: _adjusted(claim) or any(line.decisions for line in claim.lines),
    ),
    "other_coverage": Group(
        "assignment and release at other payers",
        _others(
            lambda other: bool(
                other.benefits_assigned or other.patient_signature_source or other.release_of_information
            )
        ),
    ),
    "other_subscriber": Group("who is insured with other payers", _named_insured),
}
"""By name, as rule files give it."""

EVERY = frozenset(CARRIED)
"""What an 837 carries."""
_BROUGHT = tuple(group.brought for group in CARRIED.values())


def carried(claim: Claim) -> frozenset[str]:
    """The groups that the claim's format carries, or the claim brings."""
    return EVERY if claim.source_format == "x12" else _set_of(tuple([brought(claim) for brought in _BROUGHT]))


@lru_cache(maxsize=1_024)
def _set_of(brought: tuple[bool, ...]) -> frozenset[str]:
    """One set for all claims that bring the same."""
    return frozenset(name for name, there in zip(CARRIED, brought, strict=True) if there)
