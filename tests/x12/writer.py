"""A small 837 writer of the tests: claims as JSON to interchanges. It shares no code or table with the reader."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

Claim = dict[str, Any]
Segments = list[list[str]]
GUIDES = {"professional": "005010X222A2", "institutional": "005010X223A3"}


def compact(day: str) -> str:
    return day.replace("-", "")


def days(qualifier: str, first: str | None, last: str | None) -> Segments:
    if first is None:
        return []
    if last is None:
        return [["DTP", qualifier, "D8", compact(first)]]
    return [["DTP", qualifier, "RD8", f"{compact(first)}-{compact(last)}"]]


def name(entity: str, kind: str, last: str, first: str = "", qualifier: str = "", code: str | None = None) -> list[str]:
    return ["NM1", entity, kind, last, first, "", "", "", qualifier if code else "", code or ""]


def provider(entity: str, given: Claim | None, role: str = "") -> Segments:
    if given is None:
        return []
    segments = [named(entity, given, "XX", given.get("npi"))]
    if given.get("taxonomy"):
        segments.append(["PRV", role, "PXC", given["taxonomy"]])
    return segments


def named(entity: str, given: Claim, qualifier: str, code: str | None) -> list[str]:
    """A name as far as the claim says that there is one."""
    kind = {"person": "1", "organization": "2"}.get(given.get("entity") or "", "")
    return name(
        entity, kind, given.get("last_name") or "", given.get("first_name") or "",
        qualifier, code,
    )  # fmt: skip


def address(given: Claim | None, state: str | None = None) -> Segments:
    given = given or {}
    place = [given.get(key) or "" for key in ("city", "state", "zip", "country")]
    place[1] = state or place[1]
    street = [given.get("street") or "", given.get("street_more") or ""]
    return [segment for segment in (["N3", *street], ["N4", *place]) if any(segment[1:])]


def claim_segments(claim: Claim, c: str = ":") -> Segments:
    """Loop 2300 and below. `c`: component separator."""
    professional = claim["form"] == "professional"
    if professional:
        where = f"{claim['place_of_service']}{c}B{c}{claim['frequency_code']}"
    else:
        where = f"{claim['type_of_bill'][1:3]}{c}A{c}{claim['frequency_code']}"
    signs = (
        "provider_signature",
        "assignment",
        "benefits_assigned",
        "release_of_information",
        "patient_signature_source",
    )
    causes = [*claim.get("related_causes", []), "", "", ""][:3]
    causes += [claim.get("accident_state") or "", claim.get("accident_country") or ""]
    head = ["CLM", claim["claim_id"], claim["total_charge"], "", "", where, *(claim.get(key) or "" for key in signs)]
    head.append(c.join(causes).rstrip(c))
    if claim.get("delay_reason_code"):
        head += [""] * 8 + [claim["delay_reason_code"]]
    out: Segments = [head]
    if not professional:
        out += days("434", claim["statement_from_date"], claim["statement_through_date"])
        out += stay(claim)
    else:
        for key, qualifier in (("onset_date", "431"), ("accident_date", "439"), ("admission_date", "435")):
            out += days(qualifier, claim.get(key), None)
    if "2300 PWK" in claim.get("not_read", ()):
        out.append(["PWK", "OZ", "BM", "", "", "AC", "DMN0012"])
    if claim.get("patient_paid"):
        out.append(["AMT", "F5", claim["patient_paid"]])
    if claim.get("patient_estimated"):
        out.append(["AMT", "F3", claim["patient_estimated"]])
    if claim.get("referral_number"):
        out.append(["REF", "9F", claim["referral_number"]])
    if claim.get("prior_authorization"):
        out.append(["REF", "G1", claim["prior_authorization"]])
    if claim.get("original_reference_number"):
        out.append(["REF", "F8", claim["original_reference_number"]])
    out += note(claim)
    first = len(claim["diagnoses"]) if claim.get("several_principal_diagnoses") else 1
    codes = [f"{'ABK' if place < first else 'ABF'}{c}{code}" for place, code in enumerate(claim["diagnoses"])]
    for one in claim.get("present_on_admission", []):
        codes[one["diagnosis"] - 1] += c * 7 + one["indicator"]
    if professional:
        out += [["HI", *codes]] if codes else []
    else:
        out += [["HI", *codes[:1]]] if codes else []
        if claim.get("admitting_diagnosis"):
            out.append(["HI", f"ABJ{c}{claim['admitting_diagnosis']}"])
        if claim.get("reason_diagnoses"):
            out.append(["HI", *(f"APR{c}{code}" for code in claim["reason_diagnoses"])])
        out += [["HI", *codes[start : start + 12]] for start in range(1, len(codes), 12)]
        out += other_codes(claim, c)
    if professional:
        out += provider("DN", claim.get("referring_provider"))
        out += provider("82", claim.get("rendering_provider"), "PE")
    else:
        out += provider("71", claim.get("attending_provider"), "AT")
        out += provider("72", claim.get("operating_provider"))
        out += provider("ZZ", claim.get("other_operating_provider"))
        out += provider("82", claim.get("rendering_provider"))
    if facility := claim.get("service_facility"):
        out.append(name("77", "2", facility.get("name") or "", "", "XX", facility.get("npi")))
        out += address(facility.get("address"), facility.get("state"))
    if professional:
        out += provider("DQ", claim.get("supervising_provider"))
    if not professional:
        out += provider("DN", claim.get("referring_provider"))
    for other in claim.get("other_payers", []):
        out += other_payer(other, professional)
    for line in claim["lines"]:
        out += line_segments(line, professional, c)
    return out


def other_payer(other: Claim, professional: bool = True) -> Segments:
    """Loop 2320 and below. Of several remarks on an institutional claim the first is one of the stay (MIA)."""
    sbr = ["responsibility", "relationship", "", "", "insurance_type", "", "", "", "filing_indicator"]
    out: Segments = [["SBR", *(other.get(key) or "" for key in sbr)]]
    out += adjustments(other.get("adjustments", []))
    for qualifier, key in (("D", "paid"), ("A8", "noncovered"), ("EAF", "remaining_liability")):
        if other.get(key) is not None:
            out.append(["AMT", qualifier, other[key]])
    if "release_of_information" in other:
        out.append(
            [
                "OI",
                "",
                "",
                *(
                    other.get(key) or ""
                    for key in ("benefits_assigned", "patient_signature_source", "", "release_of_information")
                ),
            ]
        )
    remarks = other.get("remark_codes", [])
    if not professional and remarks[1:]:
        out.append(["MIA", "0", "", "", "", remarks[0]])
        remarks = remarks[1:]
    if remarks:
        out.append(["MOA", "", "", *remarks])
    if insured := other.get("subscriber"):
        out.append(
            name("IL", "1", "ROE" if insured.get("has_last_name") else "", "SAM", "MI", insured.get("member_id"))
        )
    out.append(name("PR", "2", "OTHER PAYER", "", "PI", other.get("payer_id")))
    if not other.get("dated_by_lines"):
        out += days("573", other.get("adjudication_date"), None)
    return [*out, name("82", "1", ""), ["REF", "G2", "OTHER7"]]


def adjustments(given: Sequence[Claim]) -> Segments:
    """CAS: one for each run of one group code."""
    out: Segments = []
    for one in given:
        if not out or out[-1][1] != one["group"] or len(out[-1]) >= 20:
            out.append(["CAS", one["group"]])
        out[-1] += [one.get(key) or "" for key in ("reason", "amount", "quantity")]
    return out


def decision(given: Claim, c: str = ":") -> Segments:
    """Loop 2430."""
    svd = [given.get("payer_id") or "", given.get("paid") or "", f"HC{c}64445", ""]
    out: Segments = [["SVD", *svd, given.get("paid_units") or "", given.get("bundled_into") or ""]]
    out += adjustments(given.get("adjustments", []))
    out += days("573", given.get("adjudication_date"), None)
    if given.get("remaining_liability") is not None:
        out.append(["AMT", "EAF", given["remaining_liability"]])
    return out


def stay(claim: Claim) -> Segments:
    """Admission and discharge of an institutional claim."""
    out: Segments = []
    if claim.get("discharge_hour"):
        out.append(["DTP", "096", "TM", claim["discharge_hour"]])
    if claim.get("admission_date"):
        hour = claim.get("admission_hour") or ""
        out.append(["DTP", "435", "DT" if hour else "D8", compact(claim["admission_date"]) + hour])
    said = [claim.get(key) or "" for key in ("admission_type", "point_of_origin", "patient_status")]
    return [*out, ["CL1", *said]] if any(said) else out


def other_codes(claim: Claim, c: str) -> Segments:
    """Occurrence spans, occurrences, values and conditions."""
    out: Segments = []
    if spans := claim.get("occurrence_spans"):
        out.append(["HI", *(_composite(c, "BI", one["code"], _span(one)) for one in spans)])
    for group in sorted({one["group"] for one in claim.get("occurrences", [])}):
        ours = [one for one in claim["occurrences"] if one["group"] == group]
        days = [("D8", compact(one["day"])) if one.get("day") else () for one in ours]
        out.append(["HI", *(_composite(c, "BH", one["code"], day) for one, day in zip(ours, days, strict=True))])
    if values := claim.get("value_codes"):
        amounts = [("", "", one["amount"]) if one.get("amount") else () for one in values]
        out.append(["HI", *(_composite(c, "BE", one["code"], more) for one, more in zip(values, amounts, strict=True))])
    if conditions := claim.get("condition_codes"):
        out.append(["HI", *(_composite(c, "BG", code, ()) for code in conditions)])
    return out


def _span(one: Claim) -> tuple[str, ...]:
    if not one.get("from_date"):
        return ()
    return "RD8", f"{compact(one['from_date'])}-{compact(one['through_date'])}"


def _composite(c: str, *parts: str | tuple[str, ...]) -> str:
    return c.join(text for part in parts for text in ((part,) if isinstance(part, str) else part))


def line_segments(line: Claim, professional: bool, c: str) -> Segments:
    code = c.join(["HC", line["procedure"], *line.get("modifiers", [])]) if line.get("procedure") else ""
    if code and line.get("has_description") and not line.get("has_long_note"):
        code += c * (7 - code.count(c) - 1) + "WHAT IT WAS"
    amounts = [line["charge"], line.get("unit_basis") or "", line.get("units") or ""]
    out: Segments = [["LX", str(line["number"])]]
    if professional:
        pointers = c.join(map(str, line.get("diagnosis_pointers", [])))
        out.append(["SV1", code, *amounts, line.get("place_of_service") or "", "", pointers])
    else:
        out.append(["SV2", line.get("revenue_code") or "", code, *amounts, "", line.get("non_covered_charge") or ""])
    out += days("472", line.get("service_date"), line.get("service_date_end"))
    if line.get("prior_authorization"):
        out.append(["REF", "G1", line["prior_authorization"]])
    if line.get("control_number"):
        out.append(["REF", "6R", line["control_number"]])
    if line.get("has_long_note") or (line.get("has_description") and not code):
        out += note({"has_remark": True, **line})
    if drug := line.get("drug"):
        out.append(["LIN", "", "N4", drug["ndc"]])
        out.append(["CTP", "", "", "", drug["quantity"], drug["unit"]])
    if rendering := line.get("rendering_provider"):
        out += provider("82", rendering, "PE")
    if facility := line.get("service_facility"):
        out.append(name("77", "2", facility.get("name") or "", "", "XX", facility.get("npi")))
        out += address(facility.get("address"), facility.get("state"))
    if professional:
        out += provider("DQ", line.get("supervising_provider"))
    out += provider("DN", line.get("referring_provider"))
    for one in line.get("decisions", []):
        out += decision(one, c)
    return out


def note(given: Claim) -> Segments:
    if not given.get("has_remark"):
        return []
    return [["NTE", "ADD", "SURGERY WAS UNUSUALLY LONG" * (4 if given.get("has_long_note") else 1)]]


def apart(claim: Claim) -> Claim:
    """The claim as it is read where it was written as a dependent's."""
    subscriber = {key: value for key, value in claim["subscriber"].items() if key != "relationship"}
    return {**claim, "subscriber": subscriber, "patient": {**claim.get("patient", {}), "own_loop": True}}


def hierarchy(claims: Iterable[tuple[Claim, bool]], c: str = ":") -> Segments:
    """HL levels for claims that each are a dependent's (True) or the subscriber's; one provider level a provider."""
    out: Segments = []
    number = 0
    levels: object = None
    provider_level = 0
    for claim, dependent in claims:
        level = claim["billing_provider"], claim.get("pay_to_address")
        if level != levels:
            levels = level
            billing = claim["billing_provider"]
            number += 1
            provider_level = number
            out.append(["HL", str(number), "", "20", "1"])
            if billing.get("taxonomy"):
                out.append(["PRV", "BI", "PXC", billing["taxonomy"]])
            out.append(named("85", billing, "XX", billing.get("npi")))
            out += address(billing.get("address"), billing.get("state"))
            if billing.get("tax_id"):
                out.append(["REF", "EI", billing["tax_id"]])
            if billing.get("social_security_number"):
                out.append(["REF", "SY", billing["social_security_number"]])
            out += [["NM1", "87", "2"], *address(claim.get("pay_to_address"))]
        number += 1
        subscriber, patient, payer = claim["subscriber"], claim["patient"], claim["payer"]
        out.append(["HL", str(number), str(provider_level), "22", "1" if dependent else "0"])
        out.append([
            "SBR", payer["responsibility"], "" if dependent else subscriber.get("relationship") or "",
            subscriber.get("group_number") or "", "", payer.get("insurance_type") or "", "", "", "",
            payer["filing_indicator"],
        ])  # fmt: skip
        person = [*address(patient.get("address")), *_demographics(patient)]
        first = patient.get("first_name") or ""
        insured = named("IL", subscriber, "MI", subscriber["member_id"])
        out.append(insured if dependent else [*insured[:3], patient.get("last_name") or "", first, *insured[5:]])
        out += [["DMG", "D8", "19010101", "U"]] if dependent else person
        out.append(name("PR", "2", payer.get("name") or "", "", "PI", payer["id"]))
        out += address(payer.get("address"))
        if dependent:
            out += [
                ["HL", str(number + 1), str(number), "23", "0"],
                ["PAT", "19"],
                name("QC", "1", patient.get("last_name") or "", first),
                *person,
            ]
            number += 1
        out += claim_segments(claim, c)
    return out


def _demographics(patient: Claim) -> Segments:
    if not patient.get("birth_date") and not patient.get("sex"):
        return []
    birth = compact(patient["birth_date"]) if patient.get("birth_date") else ""
    return [["DMG", "D8" if birth else "", birth, patient.get("sex") or ""]]


def transaction(
    segments: Segments, form: str, control: str = "0001", kind: str = "CH", day: str = "20260101"
) -> Segments:
    head: Segments = [
        ["ST", "837", control, GUIDES[form]],
        ["BHT", "0019", "00", "BATCH1", day, "1200", kind],
        name("41", "2", "SUBMITTER", "", "46", "SUB1"),
        ["PER", "IC", "LISA", "TE", "5551234567"],
        name("40", "2", "RECEIVER", "", "46", "REC1"),
    ]
    return [*head, *segments, ["SE", str(len(head) + len(segments) + 1), control]]


def interchange(sets: Sequence[Segments], form: str, control: int = 1, separators: str = "*:~", end: str = "\n") -> str:
    """`separators`: element, component, terminator."""
    element, component, terminator = separators
    isa = [
        "ISA", "00", " " * 10, "00", " " * 10, "ZZ", f"{'SENDER':15}", "ZZ", f"{'RECEIVER':15}", "260101", "1200", "^",
        "00501", f"{control:09d}", "0", "T", component,
    ]  # fmt: skip
    body = [segment for one in sets for segment in one]
    every = [
        isa, ["GS", "HC", "SENDER", "RECEIVER", "20260101", "1200", "1", "X", GUIDES[form]], *body,
        ["GE", str(len(sets)), "1"], ["IEA", "1", f"{control:09d}"],
    ]  # fmt: skip
    return "".join(_segment(segment, element) + terminator + end for segment in every)


def _segment(elements: list[str], separator: str) -> str:
    if elements[0] == "ISA":
        return separator.join(elements)
    while elements and not elements[-1]:
        elements = elements[:-1]
    return separator.join(elements)


def file_of(claims: Sequence[Claim], separators: str = "*:~", end: str = "\n", dependent: Sequence[bool] = ()) -> str:
    """One interchange with one set for claims of one form."""
    form = claims[0]["form"]
    marks = list(dependent) or [False] * len(claims)
    body = hierarchy(zip(claims, marks, strict=True), separators[1])
    return interchange(
        [transaction(body, form, kind=claims[0].get("transaction_type") or "CH")], form, separators=separators, end=end
    )
