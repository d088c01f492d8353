"""A small writer of FHIR: a claim of the model as a Bundle, or as one Claim that contains what it refers to."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

Claim = dict[str, Any]
Resource = dict[str, Any]

CPT = "http://www.ama-assn.org/go/cpt"
HCPCS = "https://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
ICD = "http://hl7.org/fhir/sid/icd-10-cm"
NDC = "http://hl7.org/fhir/sid/ndc"
NPI = "http://hl7.org/fhir/sid/us-npi"
NUCC = "http://nucc.org/provider-taxonomy"
POS = "https://www.cms.gov/Medicare/Coding/place-of-service-codes/Place_of_Service_Code_Set"
ROLE = "http://terminology.hl7.org/CodeSystem/claimcareteamrole"
INFO = "http://hl7.org/fhir/us/carin-bb/CodeSystem/C4BBSupportingInfoType"
FILING = "https://codesystem.x12.org/005010/1032"
_RANKS = "PSTABCDEFGH"
_DRUG_UNITS = {"ML": "mL", "GR": "g", "ME": "mg", "F2": "[iU]", "UN": "1"}
RELATION = "http://terminology.hl7.org/CodeSystem/subscriber-relationship"
_RELATIONS = {"18": "self", "01": "spouse", "19": "child", "53": "common", "G8": "other"}
_CAUSES = {"AA": "MVA", "EM": "WPA", "OA": "SPT"}
_STAY = {"admtype": "admission_type", "pointoforigin": "point_of_origin", "discharge-status": "patient_status"}
_BILLING_LISTS = {
    "http://terminology.hl7.org/CodeSystem/v2-0043": "condition_codes",
    "http://terminology.hl7.org/CodeSystem/v2-0350": "occurrences",
    "http://terminology.hl7.org/CodeSystem/v2-0351": "occurrence_spans",
    "http://terminology.hl7.org/CodeSystem/v2-0153": "value_codes",
}
_UNITS = {**_DRUG_UNITS, "MJ": "min", "DA": "d"}


def concept(code: str, system: str = "") -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code} if system else {"code": code}]}


def procedure_system(code: str) -> str:
    return CPT if code[0].isdigit() else HCPCS


def human(given: Claim) -> list[dict[str, Any]] | None:
    """A name as far as the claim says that there is one, after one that is out of use."""
    name = {"family": given.get("last_name"), "given": [given["first_name"]] if given.get("first_name") else None}
    said = {key: value for key, value in name.items() if value}
    return [{"use": "old", "family": "Before"}, {"use": "official", **said}] if said else None


def where(given: Claim | None, state: str | None = None) -> dict[str, Any] | None:
    given = given or {}
    address = {
        "line": [one for one in (given.get("street"), given.get("street_more")) if one], "city": given.get("city"),
        "state": state or given.get("state"), "postalCode": given.get("zip"), "country": given.get("country"),
    }  # fmt: skip
    return {key: value for key, value in address.items() if value} or None


class Writer:
    def __init__(self, claim: Claim) -> None:
        self.claim = claim
        self.others: list[Resource] = []
        self.team: list[dict[str, Any]] = []

    def add(self, kind: str, key: str, /, **elements: Any) -> dict[str, str]:
        """Adds a resource, and gives the reference to it."""
        resource = {"resourceType": kind, "id": key, **{name: value for name, value in elements.items() if value}}
        self.others.append(resource)
        return {"reference": f"{kind}/{key}"}

    def organization(
        self, name: str, payer_id: str | None, title: str | None = None, address: Any = None
    ) -> dict[str, str]:
        kind = {
            "coding": [{"system": "http://hl7.org/fhir/us/carin-bb/CodeSystem/C4BBIdentifierType", "code": "payerid"}]
        }
        identifier = [{"type": kind, "value": payer_id}] if payer_id else []
        return self.add("Organization", name, identifier=identifier, name=title, address=[address] if address else None)

    def member(self, provider: Claim | None, role: str) -> int | None:
        if not provider:
            return None
        sequence = len(self.team) + 1
        identifier = [{"system": NPI, "value": provider["npi"]}]
        if provider.get("entity") == "organization":
            who = self.add(
                "Organization", f"pr{sequence}", identifier=identifier, name=provider.get("last_name")
            )  # fmt: skip
        else:
            who = self.add("Practitioner", f"pr{sequence}", identifier=identifier, name=human(provider))
        member = {"sequence": sequence, "provider": who, "role": concept(role, ROLE)}
        if provider.get("taxonomy"):
            member["qualification"] = concept(provider["taxonomy"], NUCC)
        self.team.append(member)
        return sequence

    def billing(self) -> dict[str, str] | None:
        provider = self.claim.get("billing_provider")
        if not provider:
            return None
        identifier = [{"system": NPI, "value": provider["npi"]}]
        if provider.get("tax_id"):
            identifier.append({"system": "urn:oid:2.16.840.1.113883.4.4", "value": provider["tax_id"]})
        if provider.get("social_security_number"):
            number = provider["social_security_number"]
            identifier.append({"system": "http://hl7.org/fhir/sid/us-ssn", "value": number})
        place = where(provider.get("address"), provider.get("state"))
        common: dict[str, Any] = {
            "identifier": identifier, "address": [place] if place else None,
            "name": provider.get("last_name") if provider["entity"] == "organization" else human(provider),
        }  # fmt: skip
        taxonomy = concept(provider["taxonomy"], NUCC) if provider.get("taxonomy") else None
        if provider["entity"] == "organization":
            return self.add("Organization", "billing", type=[taxonomy] if taxonomy else None, **common)
        return self.add("Practitioner", "billing", qualification=[{"code": taxonomy}] if taxonomy else None, **common)

    def insurance(self) -> list[dict[str, Any]]:
        claim, rows = self.claim, []
        payer, subscriber = claim["payer"], claim.get("subscriber") or {}
        group = subscriber.get("group_number")
        system = "http://terminology.hl7.org/CodeSystem/coverage-class"
        coverage = self.add(
            "Coverage", "focal", status="active", subscriberId=subscriber.get("member_id"),
            beneficiary={"reference": "Patient/p"}, payor=[self.organization("payer", payer["id"], payer.get("name"), where(payer.get("address")))],
            type=concept(payer["filing_indicator"], FILING) if payer.get("filing_indicator") else None,
            **{"class": [{"type": concept("group", system), "value": group}] if group else None},
            **self.insured(),
        )  # fmt: skip
        focal = {"sequence": _RANKS.index(payer["responsibility"]) + 1, "focal": True, "coverage": coverage}
        if claim.get("prior_authorization"):
            focal["preAuthRef"] = [claim["prior_authorization"]]
        rows.append(focal)
        for number, other in enumerate(claim.get("other_payers") or (), 1):
            payor = self.organization(f"other{number}", other["payer_id"], "Other")
            filing, insured = other.get("filing_indicator"), other.get("subscriber") or {}
            relation = _RELATIONS.get(other.get("relationship") or "")
            cover = self.add(
                "Coverage", f"c{number}", status="active", beneficiary={"reference": "Patient/p"}, payor=[payor],
                type=concept(filing, FILING) if filing else None, subscriberId=insured.get("member_id"),
                relationship=concept(relation, RELATION) if relation else None,
                subscriber=self.add("Patient", f"s{number}", name=human({"last_name": "Roe"}))
                if insured.get("has_last_name") else None,
            )  # fmt: skip
            place = other.get("responsibility")
            row = {"sequence": _RANKS.index(place) + 1 if place else 20 + number, "focal": False, "coverage": cover}
            if other["paid"] is not None:
                payment = {"type": concept("complete"), "amount": {"value": float(other["paid"]), "currency": "USD"}}
                if other["adjudication_date"]:
                    payment["date"] = other["adjudication_date"]
                row["claimResponse"] = self.add(
                    "ClaimResponse", f"r{number}", status="active", type=concept(claim["form"]), use="claim",
                    patient={"reference": "Patient/p"}, created="2026-01-01", insurer=payor, outcome="complete",
                    payment=payment,
                )  # fmt: skip
            rows.append(row)
        return rows

    def insured(self) -> dict[str, Any]:
        """Who is insured, where the claim says so: the patient, or a person apart."""
        subscriber, patient = self.claim.get("subscriber") or {}, self.claim.get("patient") or {}
        if subscriber.get("relationship") == "18":
            return {"relationship": concept("self", RELATION), "subscriber": {"reference": "Patient/p"}}
        if not patient.get("own_loop"):
            return {}
        who = self.add("RelatedPerson", "insured", patient={"reference": "Patient/p"}, name=human(subscriber))
        return {"relationship": concept("child", RELATION), "subscriber": who}

    def informed(self) -> list[dict[str, Any]]:
        """Supporting information of the stay and of the onset."""
        claim, rows = self.claim, []
        if day := claim.get("admission_date"):
            hours = [claim.get("admission_hour"), claim.get("discharge_hour")]
            moments = [f"{day}T{one[:2]}:{one[2:]}:00-05:00" if one else None for one in hours]
            end = {"end": moments[1]} if moments[1] else {}
            rows.append(
                {"category": concept("admissionperiod", INFO), "timingPeriod": {"start": moments[0] or day, **end}}
            )
        if day := claim.get("onset_date"):
            rows.append({"category": concept("onset"), "timingDate": day})
        for list_, key in _BILLING_LISTS.items():
            for one in claim.get(key) or ():
                row = {
                    "category": concept("info"),
                    "code": concept(one if isinstance(one, str) else one["code"], list_),
                }
                if isinstance(one, dict) and one.get("day"):
                    row["timingDate"] = one["day"]
                if key == "occurrence_spans":
                    row["timingPeriod"] = {"start": one["from_date"], "end": one["through_date"]}
                if key == "value_codes" and one.get("amount") is not None:
                    row["valueQuantity"] = {"value": float(one["amount"])}
                rows.append(row)
        for category, key in _STAY.items():
            if claim.get(key):
                rows.append(
                    {"category": concept(category, INFO), "code": concept(claim[key], "https://www.nubc.org/x")}
                )
        return rows

    def accident(self) -> dict[str, Any] | None:
        claim = self.claim
        causes = [concept(_CAUSES[one], "http://terminology.hl7.org/CodeSystem/v3-ActCode")["coding"][0]
                  for one in claim.get("related_causes") or ()]  # fmt: skip
        place = {"state": claim.get("accident_state"), "country": claim.get("accident_country")}
        place = {key: value for key, value in place.items() if value}
        found = {
            "date": claim.get("accident_date"), "type": {"coding": causes} if causes else None,
            "locationAddress": place,
        }  # fmt: skip
        return {key: value for key, value in found.items() if value}

    def diagnoses(self) -> list[dict[str, Any]]:
        claim, rows = self.claim, []
        admitted = {one["diagnosis"]: one["indicator"] for one in claim.get("present_on_admission") or ()}
        kinds = [(code, "principal" if place == 0 else None) for place, code in enumerate(claim["diagnoses"])]
        if claim.get("admitting_diagnosis"):
            kinds.append((claim["admitting_diagnosis"], "admitting"))
        kinds += [(code, "patientreasonforvisit") for code in claim.get("reason_diagnoses") or ()]
        for sequence, (code, kind) in enumerate(kinds, 1):
            row: dict[str, Any] = {"sequence": sequence}
            if sequence % 2:
                row["diagnosisCodeableConcept"] = concept(code, ICD)
            else:
                who = {"reference": "Patient/p"}
                row["diagnosisReference"] = self.add("Condition", f"d{sequence}", subject=who, code=concept(code, ICD))
            if kind:
                row["type"] = [concept(kind)]
            if sequence in admitted:
                row["onAdmission"] = concept(admitted[sequence].lower())
            rows.append(row)
        return rows

    def item(self, line: Claim) -> dict[str, Any]:
        code = line.get("procedure")
        absent = concept("not-applicable", "http://terminology.hl7.org/CodeSystem/data-absent-reason")
        item: dict[str, Any] = {
            "sequence": line["number"],
            "productOrService": concept(code, procedure_system(code)) if code else absent,
            "net": {"value": float(line["charge"]), "currency": "USD"},
        }
        if line.get("modifiers"):
            item["modifier"] = [concept(one, CPT) for one in line["modifiers"]]
        if line.get("units") is not None:
            item["quantity"] = {"value": float(line["units"]), "code": _UNITS[line["unit_basis"]]}
        if line.get("service_date_end"):
            item["servicedPeriod"] = {"start": line["service_date"], "end": line["service_date_end"]}
        elif line.get("service_date"):
            item["servicedDate"] = line["service_date"]
        if line.get("place_of_service"):
            item["locationCodeableConcept"] = concept(line["place_of_service"], POS)
        if line.get("diagnosis_pointers"):
            item["diagnosisSequence"] = line["diagnosis_pointers"]
        if line.get("revenue_code"):
            item["revenue"] = concept(line["revenue_code"], "https://www.nubc.org/CodeSystem/RevenueCodes")
        for role, code in (("rendering", "rendering"), ("supervising", "supervisor"), ("referring", "referring")):
            if sequence := self.member(line.get(f"{role}_provider"), code):
                item.setdefault("careTeamSequence", []).append(sequence)
        if facility := line.get("service_facility"):
            item["locationReference"] = self.place(f"f{line['number']}", facility)
        if drug := line.get("drug"):
            detail: dict[str, Any] = {"sequence": 1, "productOrService": concept(drug["ndc"], NDC)}
            if drug["quantity"] is not None:
                detail["quantity"] = {"value": float(drug["quantity"])}
                if drug["unit"]:
                    detail["quantity"]["code"] = _DRUG_UNITS[drug["unit"]]
            item["detail"] = [detail]
        return item

    def place(self, name: str, facility: Claim) -> dict[str, Any]:
        return self.add(
            "Location", name, identifier=[{"system": NPI, "value": facility["npi"]}] if facility["npi"] else None,
            name=facility["name"], address=where(facility.get("address"), facility["state"]),
        )  # fmt: skip

    def resource(self) -> Resource:
        claim = self.claim
        if patient := claim.get("patient"):
            sex = {"F": "female", "M": "male", "U": "unknown"}.get(patient["sex"])
            address = where(patient.get("address"))
            self.add(
                "Patient", "p", birthDate=patient["birth_date"], gender=sex, name=human(patient),
                address=[address] if address else None,
            )  # fmt: skip
        for role in ("rendering", "referring", "attending", "operating"):
            self.member(claim.get(f"{role}_provider"), role)
        self.member(claim.get("supervising_provider"), "supervisor")
        items = [self.item(line) for line in claim["lines"]]
        resource: Resource = {
            "resourceType": "Claim", "id": "c", "status": "active", "use": "claim", "created": "2026-10-02",
            "identifier": [{"value": claim["claim_id"]}],
            "type": concept(claim["form"], "http://terminology.hl7.org/CodeSystem/claim-type"),
            "patient": {"reference": "Patient/p"}, "priority": concept("normal"),
            "provider": self.billing() or {"display": "unknown"}, "insurance": self.insurance(),
            "diagnosis": self.diagnoses(), "item": items, "careTeam": self.team,
        }  # fmt: skip
        if bill := claim.get("type_of_bill"):
            code = concept(bill, "https://www.nubc.org/CodeSystem/TypeOfBill")
            resource["supportingInfo"] = [{"category": concept("typeofbill", INFO), "code": code}]
        rows = resource["supportingInfo"] = [*resource.get("supportingInfo", ()), *self.informed()]
        for number, row in enumerate(rows, 1):
            row["sequence"] = number
        resource["accident"] = self.accident()
        if claim.get("original_reference_number"):
            code = "void" if claim.get("frequency_code") == "8" else "prior"
            prior = {"relationship": concept(code), "reference": {"value": claim["original_reference_number"]}}
            resource["related"] = [prior]
        period = {"start": claim.get("statement_from_date"), "end": claim.get("statement_through_date")}
        resource["billablePeriod"] = {name: day for name, day in period.items() if day}
        if address := claim.get("pay_to_address"):
            party = self.add("Organization", "paid", name="Lockbox", address=[where(address)])
            resource["payee"] = {"type": concept("other"), "party": party}
        if facility := claim.get("service_facility"):
            resource["facility"] = self.place("f", facility)
        if claim.get("total_charge") is not None:
            resource["total"] = {"value": float(claim["total_charge"]), "currency": "USD"}
        return {key: value for key, value in resource.items() if value}


def bundle(*claims: Claim, kind: str = "collection") -> Resource:
    """A Bundle with each claim before the resources that it refers to; each claim's have ids of their own."""
    entries = []
    for number, claim in enumerate(claims, 1):
        writer = Writer(claim)
        for resource in (writer.resource(), *writer.others):
            name = f"{resource['resourceType']}/{number}-{resource['id']}"
            entries.append(
                {"fullUrl": f"http://ehr.test/fhir/{name}", "resource": {**resource, "id": name.partition("/")[2]}}
            )
    found = json.loads(json.dumps(entries))
    for entry in found:
        number = entry["resource"]["id"].partition("-")[0]
        _rename(entry["resource"], lambda name, number=number: name.replace("/", f"/{number}-", 1))
    return {"resourceType": "Bundle", "type": kind, "entry": found}


def _rename(value: Any, name: Callable[[str], str]) -> None:
    """Gives every literal reference below a new name."""
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _rename(one, name)
    if isinstance(value, dict) and isinstance(value.get("reference"), str):
        value["reference"] = name(value["reference"])


def contained(claim: Claim) -> Resource:
    """One Claim that carries all that it refers to."""
    writer = Writer(claim)
    resource = {**writer.resource(), "contained": writer.others}
    resource = json.loads(json.dumps(resource))
    _rename(resource, lambda name: "#" + name.partition("/")[2])
    return resource
