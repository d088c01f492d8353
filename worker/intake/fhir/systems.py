"""Code systems as they are named in use, and the one code of a concept that is meant.

A concept may say one thing in several systems (CPT beside SNOMED CT): that of the right system is read. Two codes of
the right system are two things: where the claim has place for one, the claim is refused with the element. Systems: US
Core, CARIN Blue Button, Da Vinci, HL7 Terminology (THO), and the documentation of those who send bills.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container
from functools import lru_cache

from worker.intake.fhir.node import Node, systems

CPT = "http://www.ama-assn.org/go/cpt"
"""As a message names it."""
PROCEDURES = systems(
    CPT, "urn:oid:2.16.840.1.113883.6.12", "http://terminology.hl7.org/CodeSystem/CPT", "http://hl7.org/fhir/sid/cpt",
    "https://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets", "urn:oid:2.16.840.1.113883.6.285",
    "urn:oid:2.16.840.1.113883.6.14", "http://terminology.hl7.org/CodeSystem/HCPCS",
    "http://terminology.hl7.org/CodeSystem/HCPCS-all-codes", "http://hl7.org/fhir/sid/hcpcs",
    "https://bluebutton.cms.gov/resources/codesystem/hcpcs", "https://bluebutton.cms.gov/resources/variables/hcpcs_cd",
    "http://www.nlm.nih.gov/research/umls/hcpcs", "http://www.nlm.nih.gov/research/umls/cpt",
)  # fmt: skip
NDC = systems("http://hl7.org/fhir/sid/ndc", "urn:oid:2.16.840.1.113883.6.69")
TAXONOMY = systems(
    "http://nucc.org/provider-taxonomy", "urn:oid:2.16.840.1.113883.6.101",
    "http://terminology.hl7.org/CodeSystem/provider-taxonomy",
)  # fmt: skip
ABSENT = systems("http://terminology.hl7.org/CodeSystem/data-absent-reason")
NPIS = systems("http://hl7.org/fhir/sid/us-npi", "urn:oid:2.16.840.1.113883.4.6")
TAX_IDS = systems(
    "urn:oid:2.16.840.1.113883.4.4",
    "http://hl7.org/fhir/sid/us-ein",
    "http://terminology.hl7.org/NamingSystem/ein",
)
PERSONAL_NUMBERS = systems(
    "urn:oid:2.16.840.1.113883.4.1",
    "http://hl7.org/fhir/sid/us-ssn",
    "http://terminology.hl7.org/NamingSystem/ssn",
)
TAX_NUMBERS = TAX_IDS | PERSONAL_NUMBERS
NAMES = {
    "snomed.info/sct": "SNOMED CT", "hl7.org/fhir/sid/cvx": "CVX", "hl7.org/fhir/sid/ndc": "NDC",
    "nlm.nih.gov/research/umls/rxnorm": "RxNorm", "loinc.org": "LOINC",
}  # fmt: skip
"""Of systems that name no procedure which is billed."""

_CLINICAL = systems(
    "http://hl7.org/fhir/sid/icd-10-cm",
    "urn:oid:2.16.840.1.113883.6.90",
    "http://terminology.hl7.org/CodeSystem/icd-10-cm",
    "http://terminology.hl7.org/CodeSystem/icd10cm",
    "http://www.cms.gov/Medicare/Coding/ICD10",
)
_INTERNATIONAL = systems("http://hl7.org/fhir/sid/icd-10", "urn:oid:2.16.840.1.113883.6.3")
"""Of the WHO: senders in the US write it and mean ICD-10-CM, LinuxForHealth/hl7v2-fhir-converter#189."""
_NINTH = systems(
    "http://hl7.org/fhir/sid/icd-9-cm",
    "urn:oid:2.16.840.1.113883.6.103",
    "http://terminology.hl7.org/CodeSystem/icd9cm",
)
_PLACES = re.compile(r"(.*/)?(place[-_]?of[-_]?service[-_]?(codes?|code[-_]set)?|cmsplaceofservicecodes|pos"
                     r"|ex-serviceplace|line_place_of_srvc_cd|place_of_service_code_set)")  # fmt: skip
_BILLS = re.compile(r"(.*/)?(type-?of-?bill|bill-?type|typeofbillcodes?)")
_REVENUE = re.compile(r"(.*/)?(\w*revenue-?(center|code)s?|rev_cntr|ex-revenue-center)")
_FILING = re.compile(r"(.*/)?(1032|claim-filing-indicator(-codes?)?)")
BILLING_CODES = {
    "condition": re.compile(r"(.*/)?(v2-0043|condition-?codes?|\w*rlt_cond_cd)"),
    "occurrence": re.compile(r"(.*/)?(v2-0350|(nubc-)?occurrence-?codes?(-cs)?|\w*rlt_ocrnc_cd)"),
    "span": re.compile(r"(.*/)?(v2-0351|(nubc-)?occurrence-?span-?codes?(-cs)?|\w*span_cd)"),
    "value": re.compile(r"(.*/)?(v2-0153|(nubc-)?value-?codes?(-cs)?|\w*clm_val_cd)"),
}
"""Lists of the UB-04 by the system of a code, or by the category of supporting information: HL7's tables 0043, 0153,
0350 and 0351 (https://terminology.hl7.org/CodeSystem-v2-0350.html), the NUBC's own names, Blue Button's variables."""
_MODIFIER = re.compile(r"[0-9A-Za-z]{2}")
_PLACE = re.compile(r"[0-9]{2}")


def _one(node: Node, codes: list[str], what: str, same: Callable[[str], str] = str) -> str | None:
    """The code, where all that are there say the same."""
    if len({same(code) for code in codes}) > 1:
        node.doubt("", f"carries {len(codes)} {what}s; expected one")
    return codes[0] if codes else None


def diagnosis(concept: Node) -> str | None:
    """ICD-10-CM, else ICD-10, else ICD-9-CM."""
    for among in (_CLINICAL, _INTERNATIONAL, _NINTH):
        if codes := concept.codes(among):
            if among is _INTERNATIONAL:
                concept.odd("international")
            return _one(concept, codes, "diagnosis code", lambda code: code.replace(".", "").upper())
    return None


def ndc(concept: Node) -> str | None:
    """The National Drug Code, as it stands."""
    return _one(concept, concept.codes(NDC), "drug code", lambda code: code.replace("-", ""))


def taxonomy(concept: Node) -> str | None:
    """A provider taxonomy code."""
    return _one(concept, concept.codes(TAXONOMY), "taxonomy code")


def place_of_service(concept: Node) -> str | None:
    """The CMS place of service: of a system of that name, else two digits of none or of the sender's own."""
    codings = concept.codings()
    named = [code for system, code in codings if _PLACES.fullmatch(system)]
    other = [code for system, code in codings if system not in NAMES and _PLACE.fullmatch(code)]
    if named and not set(other) <= set(named):
        concept.notes.passed.add(concept.place)
    return _one(concept, named or list(dict.fromkeys(other)), "place of service code")


def type_of_bill(concept: Node, *, any_system: bool) -> str | None:
    """Four digits; three get their leading zero."""
    named = [code for system, code in concept.codings() if _BILLS.fullmatch(system)]
    codes = named or (concept.codes() if any_system else [])
    return _one(concept, [f"0{code}" if len(code) == 3 else code for code in codes], "type of bill code")


def revenue(concept: Node) -> str | None:
    """Four digits; three get their leading zero."""
    codings = concept.codings()
    named = [code for system, code in codings if _REVENUE.fullmatch(system)]
    codes = named or concept.codes()
    return _one(concept, [f"0{code}" if len(code) == 3 else code for code in codes], "revenue code")


def filing_indicator(concept: Node) -> str | None:
    """X12 data element 1032."""
    codes = [code for system, code in concept.codings() if _FILING.fullmatch(system)]
    return _one(concept, list(dict.fromkeys(codes)), "claim filing indicator")


@lru_cache(1_000)
def _list_of(name: str) -> str | None:
    return next((kind for kind, known in BILLING_CODES.items() if known.fullmatch(name.lower())), None)


def billing_code(info: Node) -> tuple[str, str] | None:
    """The list of the UB-04 that the code of supporting information is of, and the code."""
    if not info.value.get("code"):
        return None
    concept = info.object("code")
    codings = concept.codings()
    kind = next(filter(None, (_list_of(system) for system, _ in codings)), None) or next(
        filter(None, map(_list_of, info.object("category").codes())), None
    )
    if not kind or not codings:
        return None
    named = [code for system, code in codings if BILLING_CODES[kind].fullmatch(system)]
    code = _one(concept, list(dict.fromkeys(named or [code for _, code in codings])), f"{kind} code")
    return (kind, code) if code else None


CAUSES = {
    "mva": "AA", "wpa": "EM", "school": "OA", "spt": "OA", "aa": "AA", "em": "EM", "oa": "OA",
}  # fmt: skip
"""HL7's kinds of accident (https://terminology.hl7.org/CodeSystem-v3-ActCode.html: ActIncidentCode) and X12's own."""
RELATIONS = {
    "self": "18", "spouse": "01", "child": "19", "common": "53", "parent": "G8", "other": "G8", "injured": "G8",
    "18": "18", "01": "01", "19": "19", "20": "20", "21": "21", "39": "39", "40": "40", "53": "53", "g8": "G8",
}  # fmt: skip
"""HL7's relationships to the subscriber (https://terminology.hl7.org/CodeSystem-subscriber-relationship.html), and
those of SBR02 of loop 2320."""


def related_causes(concept: Node) -> list[str]:
    """CLM11: the kinds of accident."""
    return list(dict.fromkeys(CAUSES[code.lower()] for code in concept.codes() if code.lower() in CAUSES))


def relationship(concept: Node) -> str | None:
    """What the patient is to the subscriber, as SBR02 has it."""
    codes = [RELATIONS[code.lower()] for code in concept.codes() if code.lower() in RELATIONS]
    return _one(concept, codes, "relationship")


def has_stranger(concept: Node, known: Container[str]) -> bool:
    """Whether a code that is not known stands beside one that is, in the system of that: another thing that is said,
    and not the same one in another system."""
    if len(concept.value.get("coding") or ()) < 2:
        return False
    codings = [(system, code.lower() in known) for system, code in concept.codings()]
    read = {system for system, is_known in codings if is_known}
    return any(system in read and not is_known for system, is_known in codings)


def plain(concept: Node) -> str | None:
    """The one code, of whatever system."""
    return _one(
        concept, [code for system, code in concept.codings() if system not in NAMES and system not in ABSENT], "code"
    )


def modifiers(concept: Node) -> list[str]:
    """All modifiers of a concept, which may hold several: two characters of whatever system, and not what SNOMED CT
    says beside them; else whatever it holds of a system that may have modifiers, for the rule that judges it."""
    codings = [(system, code) for system, code in concept.codings() if system not in NAMES]
    short = [code for _, code in codings if _MODIFIER.fullmatch(code)]
    return list(dict.fromkeys(short or [code for _, code in codings]))
