"""Who takes part in a FHIR claim: payers, subscriber, patient, providers and the place, by reference or contained.

A payer is an Organization. Whoever pays for himself is a Patient or RelatedPerson, whose name and numbers are never
read as a payer's: a payer id reaches logs.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from rules import formats
from rules.states import state_code
from worker.intake.fhir import systems
from worker.intake.fhir.node import Node, plain_system
from worker.intake.fhir.node import systems as plain_systems

_MARKED = frozenset(("payerid", "niip"))
"""Types of a payer's own id: CARIN Blue Button and HL7 table 0203."""
_PAYER_SYSTEM = re.compile(r"pay[eo]r")
_NO_PAYER_TYPES = frozenset(("npi", "tax", "ei", "en", "ein", "mr", "prn", "xx"))
_CMS = plain_system("https://www.cms.gov/payer-id")
_NAIC = plain_systems("urn:oid:2.16.840.1.113883.6.300", "http://terminology.hl7.org/NamingSystem/NAIC-company-code")
_NPI_SYSTEM = re.compile(r"(.*[/_-])?npi([/_-].*)?")
"""As Blue Button names a variable, `carr_clm_blg_npi_num`."""
_TYPE_AS_SYSTEM = plain_systems("", "http://terminology.hl7.org/CodeSystem/v2-0203")
"""No system, or that of the types of identifiers in its place: what it is a number of, its form must say."""
_PROVIDERS = ("Practitioner", "PractitionerRole", "Organization", "Location")
_TAX_TYPES = frozenset(("tax", "ei", "en", "ein", "prv-ein"))
_PERSONAL_TYPES = frozenset(("ss", "sy", "ssn"))
_HOME = {"us", "usa", "840", "united states", "united states of america"}
Text = Callable[[Node], "str | None"]
Read = Callable[[Node], object]
READS: dict[Read, tuple[str, ...]] = {}
"""What a function asks of the resource behind a Reference: element by element, as docs/not-read.md names them."""


def reads(places: str) -> Callable[[Text], Text]:
    """Marks a function with the elements that it asks."""

    def mark(read: Text) -> Text:
        READS[read] = tuple(places.split())
        return read

    return mark


def identifiers(node: Node) -> list[Node]:
    """Those in use."""
    return [one for one in node.objects("identifier") if one.value.get("use") != "old"]


def types_of(identifier: Node) -> set[str]:
    """The codes of its type, in small letters."""
    return {code.lower() for code in identifier.object("type").codes()}


# payers


def payer_reference(claim: Node, coverage: Node) -> Node:
    """The first of the insurer and the payor that has an id."""
    references = [claim.object("insurer"), payor(coverage)]
    return next((one for one in references if payer_number(one)), claim.nothing("insurer"))


def payor(coverage: Node) -> Node:
    """The first payor that is no person."""
    return next(filter(_is_organization, coverage.objects("payor")), coverage.nothing("payor"))


def organization_number(payor: Node) -> str | None:
    """The id of a payor that is no person."""
    return payer_number(payor) if _is_organization(payor) else None


def _is_organization(payor: Node) -> bool:
    kind = payor.referred_kind
    return kind == "Organization" or (not kind and _rank(payor.object("identifier")) < 3)


def payer_number(reference: Node) -> str | None:
    """The identifier that is marked as a payer's, else of a system that is, else the only one that is neither an NPI
    nor a tax number."""
    found = [reference.object("identifier"), *identifiers(reference.target("Organization"))]
    ranked: dict[int, dict[str, None]] = {}
    for one in found:
        if one and (value := one.text("value")):
            ranked.setdefault(_rank(one), {})[value] = None
    best = next((list(ranked[rank]) for rank in sorted(ranked) if rank < _NEVER), [])
    if len(best) > 1:
        sentence = "has several payer ids; expected one, or one whose type is `payerid` (CARIN Blue Button)"
        reference.doubt("", sentence)
    return best[0] if len(best) == 1 else None


_NEVER = 9


def _rank(identifier: Node) -> int:
    system, types = plain_system(identifier.text("system")), types_of(identifier)
    if types & _MARKED:
        return 0
    if system in systems.NPIS | systems.TAX_NUMBERS or types & _NO_PAYER_TYPES:
        return _NEVER
    if system in _NAIC or "naiccode" in types:
        return 4
    return 1 if system == _CMS else 2 if _PAYER_SYSTEM.search(system) else 3


# providers


@reads("Organization.identifier Practitioner.identifier PractitionerRole.identifier Location.identifier "
       "PractitionerRole.practitioner")  # fmt: skip
def npi(reference: Node) -> str | None:
    """Of a Practitioner, PractitionerRole or Organization, or of a reference that names it."""
    role = reference.target(*_PROVIDERS)
    sources = [
        [reference.object("identifier")],
        identifiers(role),
        identifiers(_person(role)) if role.kind == "PractitionerRole" else [],
    ]
    for found in sources:
        if values := _npis(found):
            if len(values) > 1:
                reference.doubt("", "names two different NPIs; expected one")
            return values[0]
    return _conditional(reference.text("reference") or "")


def _npis(found: list[Node]) -> list[str]:
    for is_one in (_is_npi, _looks_like_npi):
        if values := [value for one in found if is_one(one) and (value := one.text("value"))]:
            return list(dict.fromkeys(values))
    return []


def _is_npi(identifier: Node) -> bool:
    """By its system, or by its type, whichever system that has."""
    kind = identifier.object("type")
    system = plain_system(identifier.text("system"))
    return (
        system in systems.NPIS
        or "npi" in types_of(identifier)
        or any(of in systems.NPIS for of, _ in kind.codings())
        or _NPI_SYSTEM.fullmatch(system) is not None
    )


def _looks_like_npi(identifier: Node) -> bool:
    """Without a system or type of its own, ten digits that end in the NPI's check digit."""
    plain = not identifier.value.get("type") and plain_system(identifier.text("system")) in _TYPE_AS_SYSTEM
    return plain and formats.npi(identifier.text("value") or "")


def _conditional(reference: str) -> str | None:
    """`Practitioner?identifier=http://hl7.org/fhir/sid/us-npi|1234567893`."""
    found = re.fullmatch(r"\w+\?identifier=(.+)\|(\w+)", reference)
    return found[2] if found and plain_system(found[1]) in systems.NPIS else None


def _person(role: Node) -> Node:
    return role.object("practitioner").target("Practitioner")


@reads("PractitionerRole.specialty Practitioner.qualification Organization.type PractitionerRole.practitioner")
def taxonomy(reference: Node) -> str | None:
    """The first specialty; that there are others is noted."""
    role = reference.target(*_PROVIDERS)
    person = _person(role) if role.kind == "PractitionerRole" else role
    lists = [
        ("PractitionerRole.specialty", role.objects("specialty") if role.kind == "PractitionerRole" else []),
        ("Practitioner.qualification", [one.object("code") for one in person.objects("qualification")]),
        ("Organization.type", role.objects("type") if role.kind == "Organization" else []),
    ]
    for place, concepts in lists:
        found = list(dict.fromkeys(code for one in concepts for code in one.codes(systems.TAXONOMY)))
        if len(found) > 1:
            reference.notes.passed.add(place)
        if found:
            return found[0]
    return None


def entity(reference: Node) -> str | None:
    """Person or organization."""
    kinds = {"Organization": "organization", "Practitioner": "person", "PractitionerRole": "person"}
    return kinds.get(reference.referred_kind or "")


_PLACED = "Organization.address Practitioner.address Location.address PractitionerRole.practitioner"


@reads(_PLACED)
def state_of(reference: Node) -> str | None:
    """Of the address where the provider is: one for letters alone is the last to be asked."""
    addresses = _addresses(reference)
    for among in (_visited(addresses), addresses):
        states = [name for one in among if (name := state(one))]
        if len(set(states)) > 1:
            reference.doubt("", "has addresses in two states; expected one, or all others of the type `postal`")
        if states:
            return states[0]
    return None


def state(address: Node) -> str | None:
    """Its two letters; what names no state stands as it is, for the facts to say (rules/states.py)."""
    found = address.text("state")
    return state_code(found) or found


def _addresses(reference: Node) -> list[Node]:
    found = reference.target(*_PROVIDERS)
    place = _person(found) if found.kind == "PractitionerRole" else found
    if place.kind == "Location":
        return [one] if (one := place.object("address")) else []
    return in_use(place, "address")


def in_use(node: Node, name: str) -> list[Node]:
    """Of a list of names or addresses those that are not marked old."""
    return [one for one in node.objects(name) if one.value.get("use") != "old"]


def _visited(addresses: list[Node]) -> list[Node]:
    return [one for one in addresses if one.value.get("type") != "postal"]


def address(part: str) -> Text:
    """A part of the address of whoever a Reference names: street, street_more, city, state, zip or country."""

    @reads(_PLACED)
    def read(reference: Node) -> str | None:
        return part_of(_addresses(reference), part)

    return read


def part_of(addresses: list[Node], part: str) -> str | None:
    """Of the first that has more than a state, one for letters alone the last; another one is noted."""
    among = [one for one in _visited(addresses) or addresses if _says_place(one)]
    if not among:
        return None
    if any(_place(one) != _place(among[0]) for one in among):
        among[0].notes.passed.add(among[0].place)
    return _PARTS[part](among[0])


def _says_place(one: Node) -> bool:
    """Whether an address has parts; one in a single text cannot be told apart."""
    found = any(one.value.get(name) for name in ("line", "city", "postalCode"))
    if not found and one.value.get("text"):
        one.notes.passed.add(one.place)
    return found


def _place(one: Node) -> list[str | None]:
    return [read(one) for read in _PARTS.values()]


def _lines(one: Node) -> list[str]:
    found = one.value.get("line")
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(text, str | None) for text in found):
        one.note("line", "expected a list of strings")
        return []
    return [text.strip() for text in found if text and text.strip()]


def country(one: Node) -> str | None:
    """As it stands, but for the words for this one."""
    found = one.text("country")
    return "US" if found and found.strip().lower().replace(".", "") in _HOME else found


_PARTS: dict[str, Text] = {
    "street": lambda one: next(iter(_lines(one)), None),
    "street_more": lambda one: " ".join(_lines(one)[1:]) or None,
    "city": lambda one: one.text("city"),
    "state": state,
    "zip": lambda one: (one.text("postalCode") or "").replace("-", "").strip() or None,
    "country": country,
}


# names and numbers


@reads("Organization.name Practitioner.name PractitionerRole.practitioner")
def last_name(reference: Node) -> str | None:
    """NM103: of a person the family name, else the name."""
    found = reference.target(*_PROVIDERS)
    if found.kind == "Organization":
        return found.text("name")
    return family(_person(found) if found.kind == "PractitionerRole" else found) if found.kind != "Location" else None


@reads("Practitioner.name PractitionerRole.practitioner")
def first_name(reference: Node) -> str | None:
    """NM104."""
    found = reference.target(*_PROVIDERS)
    person = _person(found) if found.kind == "PractitionerRole" else found
    return given(person) if person.kind == "Practitioner" else None


def official(person: Node) -> Node:
    """The name that a payer has on file: the official one, else the first that is in use."""
    names = in_use(person, "name")
    return next(
        (one for one in names if one.value.get("use") == "official"), names[0] if names else person.nothing("name")
    )


def family(person: Node) -> str | None:
    """Of that name; one that is written in one piece is noted."""
    name = official(person)
    found = name.text("family")
    if not found and name.value.get("text"):
        name.notes.passed.add(name.place)
    return found


def given(person: Node) -> str | None:
    """The first of its first names."""
    found = official(person).value.get("given")
    if found is None:
        return None
    if not isinstance(found, list) or not all(isinstance(one, str | None) for one in found):
        official(person).note("given", "expected a list of strings")
        return None
    return next((one for one in found if one), None)


@reads("Organization.identifier Practitioner.identifier PractitionerRole.practitioner")
def tax_id(reference: Node) -> str | None:
    """REF*EI: by system, else by type."""
    return _number(reference, systems.TAX_IDS, _TAX_TYPES, "tax ids")


@reads("Practitioner.identifier PractitionerRole.practitioner")
def social_security_number(reference: Node) -> str | None:
    """REF*SY: by system, else by type."""
    return _number(reference, systems.PERSONAL_NUMBERS, _PERSONAL_TYPES, "social security numbers")


def _number(reference: Node, among: frozenset[str], kinds: frozenset[str], what: str) -> str | None:
    role = reference.target(*_PROVIDERS)
    who = _person(role) if role.kind == "PractitionerRole" else role
    every = systems.TAX_IDS | systems.PERSONAL_NUMBERS
    found: dict[str, None] = {}
    for one in [reference.object("identifier"), *identifiers(who)]:
        system = plain_system(one.text("system"))
        if system in among or (system not in every and types_of(one) & kinds):
            found[(one.text("value") or "").replace("-", "").strip()] = None
    values = [value for value in found if value]
    if len(values) > 1:
        reference.doubt("", f"has two {what}; expected one")
    return values[0] if values else None


# who is insured


def subscriber(coverage: Node, claim: Node) -> Node:
    """The person who is insured: named by the Coverage, or the patient where that is the same one."""
    named = coverage.object("subscriber")
    if named:
        return named.target("Patient", "RelatedPerson")
    if systems.relationship(coverage.object("relationship")) == "18":
        return claim.object("patient").target("Patient")
    return coverage.nothing("subscriber")


@reads("Patient.name RelatedPerson.name")
def insured_last_name(person: Node) -> str | None:
    """NM103 of who is insured."""
    return family(person)


@reads("Patient.name RelatedPerson.name")
def insured_first_name(person: Node) -> str | None:
    """NM104 of who is insured."""
    return given(person)


def is_dependent(coverage: Node, claim: Node) -> bool | None:
    """By who is named as subscriber, else by the relationship; None where neither is said."""
    relation = systems.relationship(coverage.object("relationship"))
    insured = coverage.object("subscriber").target("Patient", "RelatedPerson")
    patient = claim.object("patient").target("Patient")
    if not patient or (relation is None and not insured):
        return None
    if not insured:
        return relation != "18"
    if insured.value != patient.value:
        return True
    if relation not in (None, "18"):
        sentence = "says that the patient is another person than the subscriber, and `subscriber` names the patient"
        coverage.doubt("relationship", sentence)
    return False
