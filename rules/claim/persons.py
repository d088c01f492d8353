"""Who: subscriber, patient and providers."""

from __future__ import annotations

from typing import Literal

from rules.claim.places import Address
from rules.values import Code, Date, Flag, Name, Npi, claim_part

Entity = Literal["person", "organization"]


@claim_part
class Subscriber:
    """Loop 2010BA, NM1*IL."""

    member_id: Name | None = None
    """NM109 with qualifier MI. Identifies a person: never a fact, never logged."""
    group_number: Name | None = None
    """2000B SBR03."""
    entity: Entity | None = None
    """NM102: the insured is a person, but for an employer of work injuries."""
    last_name: Name | None = None
    """NM103. Never a fact, never logged."""
    first_name: Name | None = None
    """NM104. Never a fact, never logged."""
    relationship: Code | None = None
    """2000B SBR02: 18 where the patient is the subscriber, else nothing."""


@claim_part
class Patient:
    """Loop 2010CA, or 2010BA where the patient is the subscriber. Identifies a person: never a fact, never logged."""

    birth_date: Date | None = None
    """DMG02."""
    sex: Literal["F", "M", "U"] | None = None
    """DMG03."""
    first_name: Name | None = None
    """NM104."""
    last_name: Name | None = None
    """NM103. Never a fact, never logged."""
    address: Address | None = None
    """N3 and N4."""
    own_loop: Flag | None = None
    """Whether loop 2000C names the patient apart from the subscriber."""


@claim_part
class Provider:
    """A provider in a role: 2310A referring, 2310B and 2420A rendering, 2310D and 2420D supervising, 2420F referring;
    837I: 2310A attending, 2310B operating, 2310D rendering, 2310F and 2420D referring."""

    npi: Npi | None = None
    """NM109 with qualifier XX: the National Provider Identifier, 10 digits."""
    taxonomy: Code | None = None
    """PRV03: provider taxonomy code, 10 characters."""
    entity: Literal["person", "organization"] | None = None
    """NM102: 1 person, 2 non-person entity."""
    last_name: Name | None = None
    """NM103: of a person the last name, else the name. Never a fact, never logged."""
    first_name: Name | None = None
    """NM104. Never a fact, never logged."""


@claim_part
class BillingProvider(Provider):
    """Loop 2010AA with 2000A PRV."""

    state: Code | None = None
    """N402, two letters."""
    participating: Flag | None = None
    """Whether the provider has a contract with this payer; not on the 837."""
    address: Address | None = None
    """N3 and N4 of 2010AA."""
    tax_id: Name | None = None
    """REF*EI: the Employer Identification Number, 9 digits. Never a fact, never logged."""
    social_security_number: Name | None = None
    """REF*SY, where a person has no tax id of another kind. Identifies a person: never a fact, never logged."""
