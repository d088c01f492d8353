"""Who takes part in a FHIR claim: payers, subscriber, patient, providers and the place, by reference or contained.

A payer is an Organization. Whoever pays for himself is a Patient or RelatedPerson, whose name and numbers are never
read as a payer's: a payer id reaches logs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

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

ROLES = {
    "rendering": frozenset(("rendering", "performing", "performer", "82", "prf", "pprf")),
    "referring": frozenset(("referring", "referral", "referrer", "ref", "dn")),
    "attending": frozenset(("attending", "atnd", "71")),
    "operating": frozenset(("operating", "72")),
}
"""CARIN Blue Button's codes of the care team, HL7's kinds of participation, and the 837's own qualifiers."""
SUPERVISORS = frozenset(("supervisor", "supervising", "dq"))
_PRIMARY = frozenset(("primary",))
"""HL7's own code for who leads, where no one has a role of the 837 that leads."""


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
    for one in coverage.objects("payor"):
        if one.referred_kind == "Organization" or (not one.referred_kind and _rank(one.object("identifier")) < 3):
            return one
    return coverage.nothing("payor")


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


def state_of(reference: Node) -> str | None:
    """Of the address where the provider is: one for letters alone is the last to be asked."""
    found = reference.target(*_PROVIDERS)
    place = _person(found) if found.kind == "PractitionerRole" else found
    if found.kind == "Location":
        return state(found.object("address"))
    addresses = [one for one in place.objects("address") if one.value.get("use") != "old"]
    for among in ([one for one in addresses if one.value.get("type") != "postal"], addresses):
        states = [name for one in among if (name := state(one))]
        if len({state_code(name) or name for name in states}) > 1:
            reference.doubt("", "has addresses in two states; expected one, or all others of the type `postal`")
        if states:
            return states[0]
    return None


def state(address: Node) -> str | None:
    """As it stands: which state it names is for the facts to say (rules/states.py)."""
    return address.text("state")


# the care team


@dataclass(frozen=True, slots=True)
class Team:
    """Who has which role."""

    members: dict[str, list[Node]] = field(default_factory=dict)
    others: list[Node] = field(default_factory=list)
    """Whose role is none that is read."""

    def in_role(self, role: str, sequences: Iterable[int]) -> list[Node]:
        """The members that one item refers to."""
        wanted = set(sequences)
        return [one for one in self.members.get(role, ()) if one.whole("sequence") in wanted]


def team_of(claim: Node, form: str | None) -> Team:
    """Who leads is the rendering provider, of a hospital's claim the attending one: the only member without a role, and
    HL7's `primary`, where no member has that role."""
    team, leading, rows = Team(), [], claim.objects("careTeam")
    for one in rows:
        role = one.object("role")
        codes = {code.lower() for code in role.codes()}
        words = codes or set(re.findall(r"\w+", (role.text("text") or "").lower()))
        roles = [name for name, known in ROLES.items() if known & words]
        for name in roles:
            team.members.setdefault(name, []).append(one)
        if not roles and (codes & _PRIMARY or (not words and len(rows) == 1)):
            leading.append(one)
        elif not roles:
            team.others.append(one)
    lead = "attending" if form == "institutional" else "rendering"
    if not team.members.get(lead):
        team.members[lead] = leading
    else:
        team.others.extend(leading)
    return team
