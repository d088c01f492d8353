"""Claims as pyx12 and x12sdk read them: two parsers that know nothing of each other or of the reader under test."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pyx12.error_handler
import pyx12.params
import pyx12.x12context
import pyx12.x12n_document
from x12sdk.io import X12ModelReader

Claim = dict[str, Any]
LABELS = {"005010X222A2": "005010X222A1", "005010X223A3": "005010X223A2"}
"""pyx12 has maps for the older label of the same guide alone."""


def relabeled(raw: str) -> str:
    for new, old in LABELS.items():
        raw = raw.replace(new, old)
    return raw


def by_pyx12(raw: str) -> list[Claim]:
    """Every claim, from the loops in which pyx12's maps put the segments."""
    param, errors = pyx12.params.ParamsBase(), pyx12.error_handler.errh_null()
    reader = pyx12.x12context.X12ContextReader(param, errors, io.StringIO(relabeled(raw)))
    claims: list[Claim] = []
    levels: dict[str, Claim] = {}
    for node in reader.iter_segments():
        path = node.cur_path.split("/")
        loop, segment = path[-2], node.seg_data

        def value(reference: str, segment: Any = segment) -> str | None:
            return segment.get_value(reference) or None

        name = segment.get_seg_id()
        match loop, name:
            case ("2000A", "HL"):
                levels = {"billing_provider": {}}
            case ("2000A", "PRV"):
                levels["billing_provider"]["taxonomy"] = value("PRV03")
            case ("2010AA", "NM1"):
                levels["billing_provider"] |= {"npi": value("NM109"), "entity": _entity(value("NM102"))}
            case ("2010AA", "N4"):
                levels["billing_provider"]["state"] = value("N402")
            case ("2000B", "SBR"):
                levels["payer"] = {"responsibility": value("SBR01"), "filing_indicator": value("SBR09")}
                levels["subscriber"] = {"group_number": value("SBR03")}
            case ("2010BA", "NM1"):
                levels["subscriber"]["member_id"] = value("NM109")
                levels["patient"] = {"first_name": value("NM104")}
            case ("2010CA", "NM1"):
                levels["patient"] = {"first_name": value("NM104")}
            case ("2010BA", "DMG") | ("2010CA", "DMG"):
                levels["patient"] |= {"birth_date": _iso(value("DMG02")), "sex": value("DMG03")}
            case ("2010BB", "NM1"):
                levels["payer"] |= {"name": value("NM103"), "id": value("NM109")}
            case ("2300", "CLM"):
                claims.append({
                    **{key: dict(level) for key, level in levels.items()}, "diagnoses": [], "lines": [],
                    "claim_id": value("CLM01"), "total_charge": value("CLM02"), "place": value("CLM05-1"),
                    "frequency_code": value("CLM05-3"),
                })  # fmt: skip
            case ("2300", "HI"):
                for place in range(1, 13):
                    if value(f"HI{place:02d}-1") in ("BK", "BF", "ABK", "ABF"):
                        claims[-1]["diagnoses"].append(value(f"HI{place:02d}-2"))
            case ("2300", "DTP") if value("DTP01") == "434":
                claims[-1]["statement"] = value("DTP03")
            case ("2400", "LX"):
                claims[-1]["lines"].append({"number": value("LX01")})
            case ("2400", "SV1") | ("2400", "SV2"):
                claims[-1]["lines"][-1] |= _service(name, value)
            case ("2400", "DTP") if value("DTP01") == "472":
                claims[-1]["lines"][-1]["date"] = value("DTP03")
    return claims


def _service(name: str, value: Any) -> Claim:
    at = "1" if name == "SV1" else "2"
    modifiers = [value(f"{name}0{at}-{place}") for place in range(3, 7)]
    line = {
        "procedure": value(f"{name}0{at}-2"), "modifiers": [code for code in modifiers if code],
        "charge": value(f"{name}0{int(at) + 1}"), "basis": value(f"{name}0{int(at) + 2}"),
        "units": value(f"{name}0{int(at) + 3}"),
    }  # fmt: skip
    if name == "SV1":
        line["pointers"] = [found for place in range(1, 5) if (found := value(f"SV107-{place}"))]
    else:
        line["revenue_code"] = value("SV201")
    return line


def by_x12sdk(raw: str) -> Iterator[Claim]:
    """Every claim, from x12sdk's models; it leaves composites whole."""
    with X12ModelReader(raw) as reader:
        for model in reader.models():
            for item in model.claims():
                yield _from_model(item)


def _from_model(item: Any) -> Claim:
    provider, subscriber, payer, patient, claim = (
        item.billing_provider, item.subscriber, item.payer, item.patient, item.claim,
    )  # fmt: skip
    where = claim.clm_segment.health_care_service_location_information.split(":")
    codes = [
        code
        for segment in claim.hi_segment or []
        for place in range(1, 13)
        if (code := getattr(segment, f"health_care_code_{place}", None))
    ]
    return {
        "billing_provider": {
            "npi": provider.nm1_segment.identification_code,
            "entity": _entity(provider.nm1_segment.entity_type_qualifier),
            "state": provider.n4_segment.state_province_code,
        },
        "payer": {"name": payer.nm1_segment.name_last_or_organization_name, "id": payer.nm1_segment.identification_code},
        "subscriber": {"member_id": subscriber.nm1_segment.identification_code},
        "patient": {
            "first_name": patient.nm1_segment.name_first, "birth_date": str(patient.dmg_segment.date_time_period),
            "sex": str(getattr(patient.dmg_segment.gender_code, "value", patient.dmg_segment.gender_code)),
        },
        "claim_id": item.patient_control_number, "total_charge": str(item.charge), "place": where[0],
        "frequency_code": where[2],
        "diagnoses": [code[1] for code in codes if code[0] in ("BK", "BF", "ABK", "ABF")],
        "lines": [_line_from_model(line) for line in item.service_lines],
    }  # fmt: skip


def _line_from_model(line: Any) -> Claim:
    number = str(line.lx_segment.assigned_number)
    days = [item.date_time_period for item in line.dtp_segment or [] if item.date_time_qualifier == "472"]
    when = {"date": days[0].strftime("%Y%m%d") if isinstance(days[0], date) else str(days[0])} if days else {}
    if getattr(line, "sv1_segment", None) is not None:
        one = line.sv1_segment
        parts = one.product_service_id_qualifier.split(":")
        return {
            "number": number, "procedure": parts[1], "modifiers": parts[2:6], "charge": str(one.line_item_charge_amount),
            "basis": _plain(one.unit_basis_measurement_code), "units": str(one.service_unit_count),
            "pointers": (one.composite_diagnosis_code_pointer or "").split(":"), **when,
        }  # fmt: skip
    two = line.sv2_segment
    # delimiters and segment name come before SV201
    fields = [None, *list(two.model_dump().values())[2:]]
    parts = str(fields[2]).split(":")
    return {
        "number": number, "revenue_code": fields[1], "procedure": parts[1], "modifiers": parts[2:6],
        "charge": str(fields[3]), "basis": _plain(fields[4]), "units": str(fields[5]), **when,
    }  # fmt: skip


def _plain(value: Any) -> str:
    return str(getattr(value, "value", value))


def _entity(kind: str | None) -> str | None:
    return {"1": "person", "2": "organization"}.get(str(getattr(kind, "value", kind)))


def _iso(day: str | None) -> str | None:
    return f"{day[:4]}-{day[4:6]}-{day[6:]}" if day else None


def as_oracle(claim: Claim) -> Claim:
    """The reader's claim in the oracles' terms."""
    professional = claim["form"] == "professional"
    lines = []
    for line in claim["lines"]:
        found = {
            "number": str(line["number"]), "procedure": line.get("procedure"), "modifiers": line.get("modifiers", []),
            "charge": line["charge"], "basis": line.get("unit_basis"), "units": line.get("units"),
        }  # fmt: skip
        if professional:
            found["pointers"] = [str(pointer) for pointer in line.get("diagnosis_pointers", [])]
        else:
            found["revenue_code"] = line.get("revenue_code")
        if line.get("service_date"):
            first = line["service_date"].replace("-", "")
            last = line.get("service_date_end", "").replace("-", "")
            found["date"] = f"{first}-{last}" if last else first
        lines.append(found)
    place = claim.get("place_of_service") if professional else claim["type_of_bill"][1:3]
    kept = (
        "billing_provider",
        "payer",
        "subscriber",
        "patient",
        "claim_id",
        "total_charge",
        "frequency_code",
        "diagnoses",
    )
    found = {key: claim[key] for key in kept} | {"place": place, "lines": lines}
    if not professional and claim.get("statement_from_date"):
        first, last = (claim[f"statement_{end}_date"].replace("-", "") for end in ("from", "through"))
        found["statement"] = first if first == last else f"{first}-{last}"
    return found


def comparable(claim: Claim, like: Claim) -> Claim:
    """Without absent values, numbers as numbers, and no key that the other one does not know."""

    def plain(value: Any, other: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            known = other if isinstance(other, dict) else {}
            return {k: plain(v, known.get(k), k) for k, v in value.items() if v not in (None, []) and k in known}
        if isinstance(value, list) and key == "lines":
            return [plain(v, o, "line") for v, o in zip(value, other, strict=True)]
        return Decimal(value) if key in ("total_charge", "charge", "units") and value else value

    return plain(claim, like)


def validates(raw: str) -> tuple[bool, str]:
    """Whether pyx12's maps find nothing wrong with an interchange, and what they found."""
    import json

    param = pyx12.params.ParamsBase()
    out = io.StringIO()
    fine = pyx12.x12n_document.x12n_document(param, io.StringIO(relabeled(raw)), io.StringIO(), None, fd_json=out)
    text = out.getvalue()
    return bool(fine), json.dumps(json.loads(text))[:4_000] if text else ""
