"""What of a claim's input the readers pass over, classed: which rules could ask it, or why none could.

A newcomer reads UNREAD; docs/not-read.md is made of it. A place that could matter is noted on the claim (`not_read`),
and a rule that would have asked it makes a gap `field_not_read` of the report. A place is a loop and a segment of the
837, or an element of a FHIR Claim or of what it refers to; never a value.

Source of loops and segments: ASC X12N 005010X222A1/A2 (837P, here P) and 005010X223A2/A3 (837I, here I); FHIR R4 Claim
(here F).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

PASSED_OVER = " is on the claim and was not read: "
"""Stands in the sentence of a gap `field_not_read` behind the place that stood in the input; a gap without it is of
fields that the claim leaves out."""


@dataclass(frozen=True, slots=True)
class Unread:
    """Places that are passed over for one reason."""

    loop: str
    """As in worker/intake/x12/fields.py; empty: any loop of a claim. Of FHIR the type of resource."""
    segments: str
    """One or more, each with a qualifier where one decides: `REF*4N`. Of FHIR the elements."""
    forms: str
    why: str
    """Of a place that could matter what it says, as a part of a sentence; else why no rule asks it."""
    rules: tuple[str, ...] = ()
    """Codes of the rules that could ask it."""

    def places(self) -> Iterator[str]:
        """`2300 PWK`, `Claim.item.bodySite`."""
        for segment in self.segments.split():
            yield f"{self.loop}.{segment}" if self.forms == "F" else f"{self.loop} {segment}".lstrip()


_PROVIDERS = ("IDN002",)
_AREA = ("COV006", "COV007", "COV008", "COV009", "COV010")
_RECORDS = ("DOC007",)
_SIDE = ("MOD006",)
_SPECIALTY = ("IDN003",)
_CODES = ("DXN001", "DXN002")

_ACCIDENTS = ("CLM015", "CLM016", "CLM017", "CLM018", "CLM021")
_ORDER = ("COB001", "COB002", "COB003")
_ADDRESSES = ("ADR001", "ADR002", "ADR003", "ADR004", "ADR005", "ADR006")
_NAMES = ("ADR010",)
_SECOND = "it holds a second address, or one in a single text"
_ONE_PIECE = "it holds a name in one piece"

UNREAD = (
    # could matter
    Unread("2300", "PWK", "PI", "it says that records go with the claim", _RECORDS),
    Unread("2400", "PWK", "PI", "it says that records go with the line", _RECORDS),
    Unread("2300", "REF*4N", "PI", "it gives a reason why no authorization was had", ("AUT001",)),
    Unread("2300", "HI*ABN", "PI", "it holds codes of external causes", _CODES),
    Unread("2300", "HI*BP HI*BO", "P", "it names the operation that was anesthetized", ("DXN007",)),
    Unread("2310A", "NM1*P3", "P", "it names the primary care provider", _PROVIDERS),
    Unread(
        "2420B-H", "NM1*QB NM1*DK NM1*P3", "P", "it names an ordering or another provider of a line", _PROVIDERS,
    ),
    Unread("2420A-D", "NM1*72 NM1*ZZ", "I", "it names an operating or another provider of a line", _PROVIDERS),
    Unread("Claim", "supportingInfo.attachment", "F", "it says that records go with the claim", _RECORDS),
    Unread("Claim", "supportingInfo.other", "F", "it says something of the claim under a category that is not read",
           ("CLM012", "CLM019", "CLM020", "CLM025", "UBF021", "UBF022", "UBF023")),
    Unread("Claim", "careTeam.supervisor", "F", "it names a supervising provider, whom an 837I has no place for",
           _PROVIDERS),
    Unread("Claim", "careTeam.other", "F", "it names a provider in a role that is not read", _PROVIDERS),
    Unread("Claim", "careTeam.referring", "F", "it names a second referring provider", _PROVIDERS),
    Unread("Claim", "accident", "F", "it is for an accident, which an 837I says by occurrence codes", _ACCIDENTS),
    Unread("Claim", "accident.type", "F", "it says the kind of accident in a code that is not known", _ACCIDENTS),
    Unread("Claim", "insurance.coverage", "F", "another payer is named, and the Coverage did not come along", _ORDER),
    Unread("Coverage", "payor", "F", "another payer is named, and not read: one of no id, or a second one of a cover",
           _ORDER),
    Unread("Coverage", "order", "F", "it gives the payer another place in the order than Claim.insurance.sequence",
           _ORDER),
    Unread("Coverage", "relationship", "F", "it says what the patient is to the subscriber in a code that is not known",
           ("COB014",)),
    Unread("Coverage", "type", "F", "it says the kind of cover in other codes than X12's", ("PAY001", "COB003")),
    Unread("ClaimResponse", "item adjudication total", "F",
           "it says what another payer adjusted and left to the patient", ("COB007", "COB008")),
    Unread("PractitionerRole", "specialty", "F", "it names a second taxonomy code", _SPECIALTY),
    Unread("Practitioner", "qualification", "F", "it names a second taxonomy code", _SPECIALTY),
    Unread("Organization", "type", "F", "it names a second taxonomy code", _SPECIALTY),
    Unread("Organization", "address", "F", _SECOND, _ADDRESSES),
    Unread("Practitioner", "address", "F", _SECOND, _ADDRESSES),
    Unread("Location", "address", "F", "it holds an address in a single text", _ADDRESSES),
    Unread("Patient", "address", "F", _SECOND, _ADDRESSES),
    Unread("Patient", "name", "F", _ONE_PIECE, _NAMES),
    Unread("Practitioner", "name", "F", _ONE_PIECE, _NAMES),
    Unread("RelatedPerson", "name", "F", _ONE_PIECE, _NAMES),
    Unread("Claim", "item.bodySite item.subSite", "F", "it may name the side", _SIDE),
    Unread("Claim", "item.detail.modifier item.detail.subDetail.modifier", "F",
           "it holds modifiers of a part of a line", ("MOD002", *_SIDE)),
    Unread("Claim", "item.locationReference item.locationAddress", "F",
           "it says where a line was given, without a state", _AREA),
    Unread("Claim", "item.locationCodeableConcept supportingInfo.code", "F",
           "it says the place of service in other codes than CMS's, or beside them another one", ("CLM009", "POS001")),
    Unread("Claim", "diagnosis.externalcause", "F", "it holds codes of external causes", _CODES),
    # no rule asks it: persons, numbers and addresses
    Unread("", "PER", "PI", "Whom to call; no rule asks it."),
    Unread("", "N3 N4", "PI",
           "Addresses of other entities; those of billing, pay-to, patient, payer and facility are read."),
    Unread("", "PRV", "PI", "Specialties of other providers; rules ask that of who bills, renders and attends."),
    Unread("2010AB", "NM1*87", "PI", "Where payments go, if not to who bills."),
    Unread("2010AC", "NM1*PE", "PI", "A plan that is paid in the provider's place."),
    Unread("2000B", "PAT", "P", "Death, weight and pregnancy of the subscriber: no rule's text turns on them."),
    Unread("2000C", "PAT", "PI", "Whose child or spouse the patient is, death, weight and pregnancy: as of 2000B."),
    Unread("", "REF", "PI", "Other numbers of providers and payers, beside the NPI, and numbers of the sender's own."),
    Unread("2310E", "NM1*PW", "P", "Ambulance: no package is for transports."),
    Unread("2310F", "NM1*45", "P", "Ambulance: no package is for transports."),
    Unread("2420B-H", "NM1*PW NM1*45", "P", "Ambulance: no package is for transports."),
    # of the claim
    Unread("2300", "DTP", "PI", "Other dates than onset, accident and admission: no rule's text turns on them."),
    Unread("2300", "CL1", "P", "Not in the guide of the 837P."),
    Unread("2300", "CN1", "PI", "The contract's kind and terms: a hospital's contract is in its overrides."),
    Unread("2300", "AMT", "PI",
           "Other amounts than what the patient paid (AMT*F5) or is estimated to owe (AMT*F3): not in the guides."),
    Unread("2300", "K3", "PI", "Whatever a state or payer has agreed on in free form: no text of a rule names it."),
    Unread("2300", "CR1 CR2 CR3 CR5 CR6 CRC", "PI",
           "Ambulance, manipulation of the spine, equipment, oxygen, home health, vision, screening of children: "
           "no package is for them."),
    Unread("2300", "HCP QTY", "PI", "Repricing by a third party; days of a stay. No rule asks what was allowed."),
    Unread("2300", "HI*BN", "PI", "ICD-9-CM, which the reader refuses or DXN001 finds beside it."),
    Unread("2300", "HI*DR HI*BBR HI*BR HI*CAH HI*BBQ HI*BQ", "PI", "Groups and procedures of inpatient stays."),
    Unread("2300", "HI*TC", "PI", "Treatment codes of home health: no rule's text turns on them."),
    Unread("2300", "HI*BP HI*BO", "I", "Not in the guide of the 837I."),
    # of other payers
    Unread("2320", "AMT", "PI", "Other amounts than paid, not covered and left to the patient: not in the guides."),
    Unread("2320", "DMG", "PI", "The other payer's subscriber: birth date and sex, of no use to a rule."),
    Unread("2320", "MIA", "P", "Not in the guide of the 837P."),
    Unread("2330B", "DTP", "PI", "Other dates of the other payer; that of its decision is read."),
    Unread("2330C-G", "NM1*DN NM1*P3 NM1*82 NM1*77 NM1*DQ NM1*85", "P", "The other payer's numbers of providers."),
    Unread("2330C-I", "NM1*71 NM1*72 NM1*ZZ NM1*77 NM1*82 NM1*DN NM1*85", "I",
           "The other payer's numbers of providers."),
    Unread("2430", "AMT DTP", "PI", "Other amounts and dates than those of the decision: not in the guides."),
    # of the lines
    Unread("2400", "SV5 CR1 CR3 CRC MEA PS1 QTY", "P",
           "Equipment, ambulance, certificates, test results, purchased services: no package is for them."),
    Unread("2400", "DTP", "PI", "Prescription, certificate, last seen, test, first treatment: no text turns on them."),
    Unread("2400", "CN1 HCP", "PI", "Contract and repricing of a line, as of the claim."),
    Unread("2400", "AMT", "PI", "Tax and postage, which the charge of the line includes by the guide."),
    Unread("2400", "K3", "PI", "As of the claim."),
    Unread("2400", "QTY", "I", "Not used with the codes that rules are for."),
    Unread("2440", "LQ FRM", "P", "Answers of equipment forms: no package is for equipment."),
    # of FHIR
    Unread("Claim", "priority prescription originalPrescription fundsReserve created enterer", "F",
           "Handling of the claim and its money: no rule asks it."),
    Unread("Claim", "payee.type", "F", "To whom payments go, and by which list: where they go is read."),
    Unread("Provenance", "signature", "F",
           "Who wrote and signed the resource: what the form says of signatures is what is on file at the provider, "
           "and R4 has no place for it."),
    Unread("Claim", "insurance.identifier insurance.businessArrangement", "F",
           "Numbers of the cover and of a contract, beside what Coverage says."),
    Unread("Claim", "careTeam.responsible", "F", "Who answers for the claim: the billing provider is Claim.provider."),
    Unread("Claim", "diagnosis.packageCode", "F", "Groups: of inpatient stays, as HI of the 837I."),
    Unread("Claim", "procedure.sequence procedure.type procedure.date procedure.udi item.procedureSequence", "F",
           "What was done beside the items: a code that rules are for and that no item bills refuses the claim."),
    Unread("Claim", "item.encounter item.udi item.programCode item.category item.informationSequence", "F",
           "Links and devices: no rule asks them."),
    Unread("Claim",
           "item.detail.sequence item.detail.revenue item.detail.category item.detail.programCode "
           "item.detail.unitPrice item.detail.factor item.detail.net item.detail.udi item.detail.subDetail.sequence "
           "item.detail.subDetail.revenue item.detail.subDetail.category item.detail.subDetail.programCode "
           "item.detail.subDetail.quantity item.detail.subDetail.unitPrice item.detail.subDetail.factor "
           "item.detail.subDetail.net item.detail.subDetail.udi", "F",
           "Parts of a line, which goes out as one: a procedure among them refuses the claim, a drug is read."),
    Unread("Claim",
           "supportingInfo.sequence supportingInfo.valueBoolean supportingInfo.valueAttachment supportingInfo.reason",
           "F", "Of the categories that are read what the form has is a code, a date, an amount or a text."),
    Unread("Claim", "supportingInfo.valueReference", "F", "A record that the sender keeps: rules ask the claim."),
    Unread("Claim", "insurance.preAuthRef", "F", "Beyond the first, which is read: rules ask whether there is one."),
    # of what a FHIR Claim refers to
    Unread("Patient", "identifier active telecom maritalStatus multipleBirthBoolean multipleBirthInteger photo contact "
           "communication generalPractitioner managingOrganization link", "F",
           "Numbers and kin of the patient: the member id is the Coverage's."),
    Unread("Patient", "deceasedBoolean deceasedDateTime", "F", "Death, as PAT of the 837: no rule's text turns on it."),
    Unread("RelatedPerson", "identifier active patient relationship telecom gender birthDate address photo period "
           "communication", "F", "Of who is insured the name is read: no rule asks more."),
    Unread("Coverage", "status period dependent policyHolder network costToBeneficiary subrogation contract", "F",
           "Whether the cover is in force, and its terms: the payer's answer says so, no rule does."),
    Unread("Organization", "active alias telecom partOf contact endpoint", "F", "Whom to call; no rule asks it."),
    Unread("Practitioner", "active telecom gender birthDate photo communication", "F", "The person; no rule asks it."),
    Unread("PractitionerRole", "active period organization code location healthcareService telecom availableTime "
           "notAvailable availabilityExceptions endpoint", "F",
           "Where and when somebody works: the claim says where the service was given."),
    Unread("Location", "status operationalStatus alias description mode type telecom physicalType position "
           "managingOrganization partOf hoursOfOperation availabilityExceptions endpoint", "F",
           "The place itself: the form has its name, number and address."),
    Unread("ClaimResponse", "status type subType use patient created insurer requestor outcome disposition preAuthRef "
           "preAuthPeriod payeeType addItem fundsReserve formCode form processNote communicationRequest insurance "
           "error", "F", "Handling of the answer: what was paid, and when, is read."),
)  # fmt: skip


ODDITIES = {
    "repeated": "{place} is there more than once, and the first was read",
    "misplaced": "{place} has no place where it stands, and was not read",
    "unknown": "{place} is none of the guide, and was not read",
    "missing": "{place} is missing, and was taken for the level above that was open",
    "international": "{place} is of the WHO's ICD-10 by its system, and was read as ICD-10-CM",
    "differs": "{place} is not unit price times quantity, and was read as it stands",
    "modifier": "{place} has the form of a modifier and stands where the description does, and was read as neither",
    "dangling": "{place} names none of those that it points to, and was passed over",
    "renumbered": "{place} does not count up from 1, and the lines are numbered as they stand",
}
"""What is odd in an 837 or FHIR Claim that is read all the same: the last word of an entry of the claim's `oddities`,
and what it says of the place before it."""


def oddity(entry: str) -> str:
    """An entry of `oddities` as a sentence's part; empty where this release does not know its word."""
    place, _, word = entry.rpartition(" ")
    return ODDITIES[word].format(place=place) if word in ODDITIES else ""


@cache
def mattering(form: str) -> dict[str, Unread]:
    """The places that could matter, of a form: P, I or F (FHIR)."""
    return {place: one for one in UNREAD if one.rules and form in one.forms for place in one.places()}


@cache
def asked_of() -> dict[str, Unread]:
    """The same of all forms."""
    return {place: one for form in "PIF" for place, one in mattering(form).items()}
