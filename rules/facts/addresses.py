"""Facts of names, addresses and numbers of those whom a claim names: which parts are there, and of which form.

No name, street, ZIP code or number is a fact: a rule learns whose is missing or wrong, never what it says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

from rules.case import Case, filled, place_of
from rules.claim import Address, Line, Patient, Provider, Subscriber
from rules.facts.registry import fact
from rules.facts.together import once
from rules.formats import npi, taxonomy

STATES = frozenset({
    "AL", "AK", "AZ", "AR", "CA", "CO", "CT", "DE", "FL", "GA", "HI", "ID", "IL", "IN", "IA", "KS", "KY", "LA",
    "ME", "MD", "MA", "MI", "MN", "MS", "MO", "MT", "NE", "NV", "NH", "NJ", "NM", "NY", "NC", "ND", "OH", "OK",
    "OR", "PA", "RI", "SC", "SD", "TN", "TX", "UT", "VT", "VA", "WA", "WV", "WI", "WY", "DC", "AS", "GU", "MP",
    "PR", "VI", "UM", "FM", "MH", "PW", "AA", "AE", "AP",
})  # fmt: skip
"""States, the District, territories, freely associated states and military posts, as the US mail writes them."""
PHYSICIANS = frozenset({
    "202C", "202D", "202K", "204C", "204D", "204E", "204F", "204R", "207K", "207L", "207N", "207P", "207Q", "207R",
    "207S", "207T", "207U", "207V", "207W", "207X", "207Y", "207Z", "2080", "2081", "2082", "2083", "2084", "2085",
    "2086", "2088", "208C", "208D", "208G", "208M", "208U", "208V", "2098",
})  # fmt: skip
"""How taxonomy codes of physicians (20) begin: kind and class. Of the other kinds no list is here."""
PROVINCES = frozenset({
    "AB", "BC", "MB", "NB", "NL", "NS", "NT", "NU", "ON", "PE", "QC", "SK", "YT",
})  # fmt: skip
HOME = frozenset({"", "US", "USA"})
"""Countries of an address in the US: as a rule none is given."""
_CANADA = frozenset({"CA", "CAN"})
_ZIP = re.compile(r"[0-9]{5}(?:-?[0-9]{4})?")
_POSTAL = re.compile(r"[A-Z][0-9][A-Z] ?[0-9][A-Z][0-9]")
_BOX = re.compile(
    r"\bP\.? ?O\.? ?(?:BOX|DRAWER|BX)\b|\bP\.?O\.?B\.? ?[0-9]|\bPOST ?OFFICE ?(?:BOX|BX|DRAWER)\b|\bLOCK ?BOX\b"
    r"|\bPMB\b|^BOX ?[0-9]|\bCALLER SERVICE\b"
)
"""A box on a rural route (RR 2 BOX 15, HC 1 BOX 7) is where somebody is."""
_ODD_IN_GROUP = frozenset("&*#@ ")
_EIN = re.compile(r"[0-9]{9}")
_NO_ADDRESS = Address()


def _from_837(case: Case) -> bool:
    """Whether what is null is not on the claim, rather than left out by its format."""
    return case.claim.source_format == "x12"


def _whole(address: Address | None, state: str | None) -> Mapping[str, str]:
    """The parts that are there, in capital letters without padding."""
    given = address or _NO_ADDRESS
    parts = {
        "street": given.street, "more": given.street_more, "city": given.city, "state": state or given.state,
        "ZIP code": given.zip, "country": given.country,
    }  # fmt: skip
    return {name: " ".join(text.upper().split()) for name, text in parts.items() if text and filled(text)}


_known_place = lru_cache(maxsize=1_024)(_whole)
"""Of places where many claims come from or go to; never where a patient lives."""


def _billing(case: Case) -> Mapping[str, str]:
    billing = case.claim.billing_provider
    return _known_place(billing.address, billing.state) if billing else {}


def _facility(case: Case) -> Mapping[str, str]:
    facility = case.claim.service_facility
    return _known_place(facility.address, facility.state) if facility else {}


def _patient(case: Case) -> Mapping[str, str]:
    patient = case.claim.patient
    if not patient or not patient.address:
        return {}
    address = patient.address
    return once(case, "patient's address", lambda: _whole(address, None))


def _addresses(case: Case) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Whose, and the parts of it, of those that are on the claim."""
    everyone = (
        ("billing provider", _billing(case)), ("pay-to", _known_place(case.claim.pay_to_address, None)),
        ("patient", _patient(case)), ("payer", _known_place(case.claim.payer.address, None)),
        ("service facility", _facility(case)),
    )  # fmt: skip
    for whose, parts in everyone:
        if parts:
            yield whose, parts


def _at_home(parts: Mapping[str, str]) -> bool:
    return parts.get("country", "") in HOME


def _american(parts: Mapping[str, str]) -> bool:
    """In the US by its country, and not in a province that lacks one."""
    return _at_home(parts) and parts.get("state") not in PROVINCES


def _lacks(parts: Mapping[str, str]) -> tuple[str, ...]:
    """Which parts every address has; abroad there need be neither a state nor a ZIP code."""
    wanted = ("street", "city", "state", "ZIP code") if _at_home(parts) else ("street", "city")
    return tuple(part for part in wanted if part not in parts)


@fact("codes", "the billing provider's address", own=True)
def billing_address_lacks(case: Case) -> tuple[str, ...]:
    """What is not there of the billing provider's address: street, city, state, ZIP code (2010AA N3, N4)."""
    billing = case.claim.billing_provider
    return _lacks(_billing(case)) if _from_837(case) or (billing and billing.address) else ()


@fact("codes", "the patient's address", own=True)
def patient_address_lacks(case: Case) -> tuple[str, ...]:
    """What is not there of the patient's address (N3, N4 of 2010CA, of 2010BA where the patient is the subscriber)."""
    patient = case.claim.patient
    return _lacks(_patient(case)) if _from_837(case) or (patient and patient.address) else ()


@fact("codes", "the service facility's address", own=True)
def facility_address_lacks(case: Case) -> tuple[str, ...]:
    """What is not there of the address of the service facility that the claim names (2310C; 837I: 2310E)."""
    facility = case.claim.service_facility
    return _lacks(_facility(case)) if facility and (_from_837(case) or facility.address) else ()


@fact("flag", "the billing provider's address", own=True)
def billing_address_is_a_box(case: Case) -> bool:
    """Whether the billing provider's street is a post office box, a lock box or a private mailbox."""
    parts = _billing(case)
    return any(_BOX.search(parts.get(part, "")) for part in ("street", "more"))


@fact("codes", "the ZIP codes", own=True)
def short_zip_codes(case: Case) -> tuple[str, ...]:
    """Whose US address has a ZIP code of five digits, of the billing provider and the service facility."""
    both = (("billing provider", _billing(case)), ("service facility", _facility(case)))
    return tuple(
        whose for whose, parts in both if _american(parts) and re.fullmatch("[0-9]{5}", parts.get("ZIP code", ""))
    )


@fact("codes", "the ZIP codes", own=True)
def malformed_zip_codes(case: Case) -> tuple[str, ...]:
    """Whose US address has a ZIP code of other than five or nine digits, or whose Canadian one no postal code."""
    return tuple(whose for whose, parts in _addresses(case) if not _well_zipped(parts))


def _well_zipped(parts: Mapping[str, str]) -> bool:
    code = parts.get("ZIP code")
    if code is None:
        return True
    if parts.get("country", "") in _CANADA or parts.get("state") in PROVINCES:
        return _POSTAL.fullmatch(code) is not None
    return not _at_home(parts) or (_ZIP.fullmatch(code) is not None and set(code) != {"0"})


@fact("codes", "the states", own=True)
def unknown_states(case: Case) -> tuple[str, ...]:
    """Whose address in the US or Canada has a state that is none of theirs; a province without a country is
    another fault."""
    return tuple(whose for whose, parts in _addresses(case) if not _in_a_state(parts))


def _in_a_state(parts: Mapping[str, str]) -> bool:
    state = parts.get("state")
    if state is None:
        return True
    if parts.get("country", "") in _CANADA:
        return state in PROVINCES
    return not _at_home(parts) or state in STATES or state in PROVINCES


@fact("codes", "the countries", own=True)
def addresses_without_country(case: Case) -> tuple[str, ...]:
    """Whose address is in a Canadian province by its state and names no country."""
    return tuple(
        whose for whose, parts in _addresses(case) if "country" not in parts and parts.get("state") in PROVINCES
    )


@fact("codes", "the ZIP codes", own=True)
def zip_codes_abroad(case: Case) -> tuple[str, ...]:
    """Whose address is outside of the US and Canada and has a ZIP code."""
    return tuple(
        whose
        for whose, parts in _addresses(case)
        if not _at_home(parts) and parts.get("country", "") not in _CANADA and "ZIP code" in parts
    )


def _named(case: Case) -> Iterator[tuple[str, Provider | Subscriber]]:
    """Who is named, with the role; of the patient see `_patient_apart`."""
    claim = case.claim
    everyone: tuple[tuple[str, Provider | Subscriber | None], ...] = (
        ("billing provider", claim.billing_provider), ("subscriber", claim.subscriber),
        ("rendering provider", claim.rendering_provider), ("referring provider", claim.referring_provider),
        ("supervising provider", claim.supervising_provider), ("attending provider", claim.attending_provider),
        ("operating provider", claim.operating_provider),
        ("other operating provider", claim.other_operating_provider),
    )  # fmt: skip
    for role, one in everyone:
        if one:
            yield role, one
    for line in claim.lines:
        for role, provider in _of_line(line):
            yield f"{role} of line {line.number}", provider


def _of_line(line: Line) -> Iterator[tuple[str, Provider]]:
    for role, one in (
        ("rendering provider", line.rendering_provider),
        ("supervising provider", line.supervising_provider),
        ("referring provider", line.referring_provider),
    ):
        if one:
            yield role, one


def _says_names(one: Provider | Subscriber) -> bool:
    """Whether the claim says anything of the name: in JSON one provider may have it and another not."""
    return one.last_name is not None or one.first_name is not None


@fact("codes", "the names", own=True)
def entities_without_name(case: Case) -> tuple[str, ...]:
    """Who is on the claim without a name: a person without a last name, or an organization without its name (NM103)."""
    found = [role for role, one in _named(case) if not filled(one.last_name) and (_from_837(case) or _says_names(one))]
    patient = _patient_apart(case)
    return tuple(found if patient is None or filled(patient.last_name) else [*found, "patient"])


@fact("codes", "the names", own=True)
def persons_without_first_name(case: Case) -> tuple[str, ...]:
    """Which persons on the claim (NM102 is 1) have a last name and no first name (NM104)."""
    found = [
        role
        for role, one in _named(case)
        if one.entity == "person" and filled(one.last_name) and not filled(one.first_name)
    ]
    patient = _patient_apart(case)
    if patient and filled(patient.last_name) and not filled(patient.first_name):
        found.append("patient")
    return tuple(found)


def _patient_apart(case: Case) -> Patient | None:
    """The patient, where it is not the subscriber who lacks the same names: of the two only one is then named."""
    patient, subscriber = case.claim.patient, case.claim.subscriber or Subscriber()
    if not _from_837(case):
        return patient if patient and patient.last_name is not None else None
    patient = patient or Patient()
    same = filled(patient.last_name) == filled(subscriber.last_name)
    return None if same and filled(patient.first_name) == filled(subscriber.first_name) else patient


@fact("flag", "the billing provider's tax id", own=True)
def has_tax_id(case: Case) -> bool:
    """Whether the billing provider's tax id or social security number is there (2010AA REF*EI or REF*SY)."""
    billing = case.claim.billing_provider
    return billing is not None and (filled(billing.tax_id) or filled(billing.social_security_number))


@fact("flag", "the billing provider's tax id", own=True)
def tax_id_has_nine_digits(case: Case) -> bool:
    """Whether the billing provider's tax id (REF*EI), if there is one, is nine digits and not one digit nine times."""
    return _nine(case.claim.billing_provider.tax_id if case.claim.billing_provider else None)


@fact("flag", "the billing provider's social security number", own=True)
def social_security_number_has_nine_digits(case: Case) -> bool:
    """Whether the billing provider's social security number (REF*SY), if there is one, is nine digits."""
    return _nine(case.claim.billing_provider.social_security_number if case.claim.billing_provider else None)


def _nine(number: str | None) -> bool:
    return not filled(number) or (_EIN.fullmatch(number or "") is not None and len(set(number or "")) > 1)


@fact("lines", "the supervising provider", own=True)
def lines_supervised_by_who_renders(case: Case) -> tuple[int, ...]:
    """Lines whose supervising provider, their own or the claim's, has the NPI of the rendering provider."""
    claim = case.claim
    found = []
    for line in claim.lines:
        supervising = line.supervising_provider or claim.supervising_provider
        rendering = line.rendering_provider or claim.rendering_provider
        if supervising and rendering and filled(supervising.npi) and supervising.npi == rendering.npi:
            found.append(line.number)
    return tuple(found)


@fact("lines", "the referring provider of a line", own=True)
def lines_with_referring(case: Case) -> tuple[int, ...]:
    """Lines that name a referring provider of their own."""
    return tuple(line.number for line in case.claim.lines if line.referring_provider)


@fact("flag", "the referring provider", own=True)
def has_referring(case: Case) -> bool:
    """Whether the claim names a referring provider."""
    return case.claim.referring_provider is not None


@fact("flag", "the referring provider's NPI", own=True)
def referring_has_npi(case: Case) -> bool | None:
    """Whether the referring provider that the claim names has an NPI."""
    referring = case.claim.referring_provider
    return filled(referring.npi) if referring else None


@fact("code", "the referring provider's entity type (person or organization)", own=True)
def referring_entity(case: Case) -> str | None:
    """2310A NM102 (837I: 2310F): person or organization."""
    return case.claim.referring_provider.entity if case.claim.referring_provider else None


@fact("flag", "the referral number", own=True)
def has_referral_number(case: Case) -> bool:
    """Whether the claim has a referral number (REF*9F)."""
    return filled(case.claim.referral_number)


@fact("flag", "the service facility's NPI", own=True)
def facility_is_billing_provider(case: Case) -> bool:
    """Whether the service facility has the billing provider's NPI."""
    facility, billing = case.claim.service_facility, case.claim.billing_provider
    return bool(facility and billing and filled(facility.npi) and facility.npi == billing.npi)


@fact("codes", "the rendering provider's NPI", own=True)
def persons_with_the_groups_npi(case: Case) -> tuple[str, ...]:
    """The rendering providers who are persons (NM102 is 1) with the NPI of a billing provider who is none."""
    claim, billing = case.claim, case.claim.billing_provider
    if not (billing and billing.entity == "organization" and filled(billing.npi)):
        return ()
    found = [("rendering provider", claim.rendering_provider)]
    found += [(f"rendering provider of line {line.number}", line.rendering_provider) for line in claim.lines]
    return tuple(role for role, one in found if one and one.entity == "person" and one.npi == billing.npi)


@fact("codes", "the NPIs of referring and supervising providers", own=True)
def other_malformed_npis(case: Case) -> tuple[str, ...]:
    """The roles (referring, supervising, and of a line) whose NPI is there but not a valid one."""
    claim = case.claim
    found = [("referring", claim.referring_provider), ("supervising", claim.supervising_provider)]
    for line in claim.lines:
        found.append((f"line {line.number} referring", line.referring_provider))
        found.append((f"line {line.number} supervising", line.supervising_provider))
    return tuple(role for role, one in found if one and one.npi is not None and not npi(one.npi))


@fact("codes", "the provider taxonomies", reach="head")
def unlisted_taxonomies(case: Case) -> tuple[str, ...]:
    """The roles whose taxonomy code is well formed and is of a class of physicians that the code set does not have."""
    claim = case.claim
    found: list[tuple[str, Provider | None]] = [
        ("billing", claim.billing_provider), ("rendering", claim.rendering_provider),
        ("attending", claim.attending_provider),
    ]  # fmt: skip
    found += [(f"line {line.number} rendering", line.rendering_provider) for line in claim.lines]
    return tuple(role for role, one in found if one and one.taxonomy and _unlisted(one.taxonomy))


def _unlisted(code: str) -> bool:
    return taxonomy(code) and code.startswith("20") and code[:4] not in PHYSICIANS


@fact("flag", "the group number", own=True)
def group_number_is_plain(case: Case) -> bool:
    """Whether the group number (SBR03), if there is one, has no blank and none of & * # @."""
    group = case.claim.subscriber.group_number if case.claim.subscriber else None
    return not group or _ODD_IN_GROUP.isdisjoint(group.strip())


@fact("flag", "the hospital's list of enrolled locations", own=True)
def has_enrolled_locations(case: Case) -> bool:
    """Whether the hospital's overrides list where this payer has enrolled the billing provider."""
    return bool(case.locations)


@fact("flag", "the service facility's address", own=True)
def facility_is_as_enrolled(case: Case) -> bool:
    """Whether the service facility's address, where the claim gives one, is one of the hospital's list of enrolled
    locations, character by character."""
    facility = case.claim.service_facility
    if not case.locations or facility is None or facility.address is None:
        return True
    at = facility.address
    return place_of((at.street, at.street_more, at.city, facility.state or at.state, at.zip)) in case.locations
