"""A claim says the same in each format: as JSON, as FHIR and as an 837 it gets the same findings, over the whole corpus.

What FHIR has no place for (NOT_IN_FHIR), what is not read of it, and what the writers of the tests do not write is left
out of all three. The stories are compared as they are by the rules that ask no group of rules/carried.py, and once more
dressed with all that FHIR has for those groups, each with one fault, by every rule whose groups the FHIR claim carries.
"""

from __future__ import annotations

import copy
import io
import json
from collections import Counter
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from rules.carried import CARRIED, carried
from rules.claim import Claim, read_claim
from rules.engine.check import check
from rules.report import Report
from tests.book import BOOK
from tests.corpus.stories import STORIES, Story
from tests.sliced import sliced
from tests.worker.fhirbundle import bundle
from tests.x12.writer import file_of
from worker.intake.document import Document
from worker.intake.documents import read_documents
from worker.intake.fhir.fields import NOT_IN_FHIR, NOT_READ_OF_FHIR

NEEDING = {rule.file.removesuffix(".yaml") for rule in BOOK.rules if rule.needs or rule.code.startswith("SYN")}
UNITS = {"ML", "GR", "ME", "F2", "UN"}
_EMPTY: dict[str, Any] = {
    "npi": None, "taxonomy": None, "entity": "person", "last_name": None, "first_name": None,
}  # fmt: skip
_PLACED: dict[str, Any] = {"address": None}
_PARTS: dict[str, dict[str, Any]] = {
    "payer": {"name": None, "filing_indicator": None, "responsibility": "P", **_PLACED},
    "patient": {"birth_date": None, "sex": None, "first_name": None, "last_name": None, "own_loop": None, **_PLACED},
    "subscriber": {"member_id": None, "group_number": None, "relationship": None, "entity": None, "last_name": None,
                   "first_name": None},
    "billing_provider": {**_EMPTY, "entity": None, "state": None, "tax_id": None, **_PLACED},
    "rendering_provider": _EMPTY, "referring_provider": _EMPTY, "attending_provider": _EMPTY,
    "operating_provider": _EMPTY, "service_facility": {"npi": None, "name": "Clinic", "state": None, **_PLACED},
    "supervising_provider": _EMPTY,
}  # fmt: skip


_OTHER = (
    "payer_id", "adjudication_date", "paid", "responsibility", "filing_indicator", "relationship", "subscriber",
)  # fmt: skip


def common(data: dict[str, Any]) -> dict[str, Any] | None:
    """What of a claim all three formats hold, with every key that the writers ask for; None: it holds too little or
    says what one of them has no way to say."""
    claim = {"frequency_code": "1", **copy.deepcopy(data)}
    for path in (*NOT_IN_FHIR, *NOT_READ_OF_FHIR, "not_read", "oddities", "form_faults", "source_format"):
        _drop(claim, path.split("."))
    for name, keys in _PARTS.items():
        if claim.get(name):
            claim[name] = keys | {key: value for key, value in claim[name].items() if key in keys or key == "id"}
    for role in ("referring_provider", "operating_provider"):
        if claim.get(role):
            claim[role]["taxonomy"] = None  # of which the 837 has no segment
    first = claim["lines"][0]
    if claim["form"] == "professional":
        claim["place_of_service"] = claim.get("place_of_service") or first.get("place_of_service")
        first["place_of_service"] = first.get("place_of_service") or claim["place_of_service"]
    claim["other_payers"] = [
        {"paid": "0.00", "adjudication_date": None} | {key: other.get(key) for key in _OTHER if key in other}
        for other in claim.get("other_payers") or ()
    ]  # FHIR has the day of a decision beside what was paid
    seen: Counter[str] = Counter()
    for one in claim.get("occurrences") or ():
        seen[one["code"]] += 1
        one["group"] = seen[one["code"]]  # of which FHIR has none: what comes again is of the next
    for line in claim["lines"]:
        if line.get("units") is not None:
            line["unit_basis"] = line.get("unit_basis") or "UN"
        if line.get("drug"):
            line["drug"] = {key: line["drug"].get(key) for key in ("ndc", "quantity", "unit")}
        for role in ("rendering_provider", "supervising_provider", "referring_provider"):
            if line.get(role):
                line[role] = {**_EMPTY, **line[role]}
    return claim if _sayable(claim) else None


def _drop(at: Any, path: list[str]) -> None:
    """Without a field, of each line where it is one of a line."""
    name = path[0].removesuffix("[]")
    if not isinstance(at, dict) or name not in at:
        return
    if not path[1:]:
        del at[name]
        return
    for one in (at[name] or ()) if path[0].endswith("[]") else [at[name]]:
        _drop(one, path[1:])


def _sayable(claim: dict[str, Any]) -> bool:
    """Whether each format has a way to say the claim as it is."""
    numbers = [line["number"] for line in claim["lines"]]
    if not all(claim.get(part) for part in ("billing_provider", "subscriber", "patient")) or numbers != sorted(
        {*numbers}
    ):
        return False
    if not all(_line_is_sayable(line, claim["form"]) for line in claim["lines"]):
        return False
    if any(line.get("referring_provider") for line in claim["lines"]) and not claim.get("referring_provider"):
        return False  # who referred to an item of FHIR is one of the claim's care team
    frequency, original = claim["frequency_code"], claim.get("original_reference_number")
    if claim["form"] == "institutional":
        bill = claim.get("type_of_bill") or ""
        return len(bill) == 4 and bill[-1] == frequency and not (original and frequency == "1")
    return bool(claim["place_of_service"]) and (frequency in ("7", "8") if original else frequency == "1")


def _line_is_sayable(line: dict[str, Any], form: str) -> bool:
    """A code, or a revenue code alone; four modifiers; a unit that both formats have a word for."""
    code, revenue = line.get("procedure"), line.get("revenue_code")
    unit = (line.get("drug") or {}).get("unit") or "ML"
    if revenue and len(revenue) != 4:
        return False  # three digits of FHIR get their zero
    coded = len(code or "") == 5 or (code is None and form == "institutional")
    return coded and len(line.get("modifiers") or ()) <= 4 and unit in UNITS and bool(revenue or form == "professional")


def _read(name: str, raw: bytes) -> Claim:
    found = [one for one in read_documents(name, io.BytesIO(raw)) if isinstance(one, Document)]
    assert len(found) == 1, list(read_documents(name, io.BytesIO(raw)))
    return found[0].claim


def _findings(report: Report) -> list[tuple[str, str, str, int]]:
    """Of rules that ask what every format carries."""
    return sorted(
        (one.code, one.outcome, one.severity, one.line or 0) for one in report.findings if one.rule not in NEEDING
    )


def _sent(story: Story) -> tuple[dict[str, Any], date] | None:
    claim = common(story.data)
    return (claim, story.claim.received_date or date(2026, 10, 20)) if claim else None


SENT = {f"{story.file}: {story.name}": sent for story in STORIES if (sent := _sent(story))}


BARE = [name for name in SENT if "/form-" not in name]
"""Without the stories of the form rules, which say half of a thing that the writers of the tests say whole or not at
all: they are compared dressed."""


@pytest.mark.parametrize("name", sliced(BARE, 4))
def test_a_claim_of_the_corpus_gets_the_same_findings_as_json_fhir_and_837(name: str) -> None:
    claim, received = SENT[name]
    plain = check(read_claim(claim), BOOK, received=received)
    fhir = check(_read("f.json", json.dumps(bundle(claim)).encode()), BOOK, received=received)
    assert _findings(fhir) == _findings(plain)
    assert fhir.disposition == plain.disposition
    assert Counter(fhir.gaps) == Counter(plain.gaps)
    x12 = check(_read("f.837", file_of([claim]).encode()), BOOK, received=received)
    assert _findings(x12) == _findings(plain)


def test_most_of_the_corpus_is_compared() -> None:
    assert len(SENT) > 0.8 * len(STORIES)


# with all that FHIR has for the form


RULES = {rule.file.removesuffix(".yaml"): rule for rule in BOOK.rules}
ADDRESS = {"street": "1 MAIN ST", "street_more": None, "city": "AUSTIN", "zip": "787010001", "country": None}
TOO_LATE = "2027-01-01"


def _with(path: str, value: object) -> Callable[[dict[str, Any]], None]:
    def change(claim: dict[str, Any]) -> None:
        *steps, last = path.split(".")
        at: Any = claim
        for step in steps:
            at = at.get(step) or {}
        if at and (steps or last in claim):
            at[last] = value

    return change


FAULTS: list[Callable[[dict[str, Any]], None]] = [
    lambda claim: None,
    _with("billing_provider.address", {**ADDRESS, "street": "PO BOX 7"}),
    _with("billing_provider.tax_id", "12"),
    _with("patient.address", {**ADDRESS, "zip": "7", "state": "TX"}),
    _with("patient.address", {**ADDRESS, "city": None, "state": "ZZ"}),
    _with("accident_date", TOO_LATE),
    _with("accident_date", None),
    _with("related_causes", []),
    _with("accident_state", None),
    _with("onset_date", TOO_LATE),
    _with("rendering_provider.first_name", None),
    _with("attending_provider.entity", "organization"),
    _with("rendering_provider.last_name", None),
    lambda claim: claim.update(supervising_provider=copy.deepcopy(claim.get("rendering_provider"))),
    lambda claim: claim["payer"].update(responsibility="S"),
    lambda claim: [other.update(responsibility="S", adjudication_date=None) for other in claim["other_payers"]],
    lambda claim: [
        other.update(filing_indicator="MB", relationship=None, subscriber=None) for other in claim["other_payers"]
    ],
    _with("payer.filing_indicator", "XY"),
    _with("patient_status", "30"),
    _with("point_of_origin", None),
    _with("present_on_admission", [{"diagnosis": 1, "indicator": "Y"}]),
    _with("present_on_admission", [{"diagnosis": 1, "indicator": "X"}]),
    _with("condition_codes", ["09", "09"]),
    _with("condition_codes", ["9"]),
    _with("occurrences", [{"code": "11", "day": None, "group": 1}]),
    _with("occurrences", [{"code": "01", "day": TOO_LATE, "group": 1}]),
    _with("value_codes", [{"code": "80", "amount": None}]),
    _with("value_codes", [{"code": "80", "amount": "1.00"}, {"code": "80", "amount": "2.00"}]),
]
"""One a claim: what the form rules look for, where FHIR has it."""


def dressed(data: dict[str, Any], number: int) -> dict[str, Any]:
    """The claim with names, addresses, numbers, accident or stay, and the places of other payers."""
    claim = copy.deepcopy(data)
    roles = ("rendering_provider", "referring_provider", "attending_provider", "operating_provider")
    of_lines = ("rendering_provider", "supervising_provider", "referring_provider")
    everyone = [claim.get(role) for role in (*roles, "supervising_provider")]
    for one in everyone + [line.get(role) for line in claim["lines"] for role in of_lines]:
        if one:
            one.update(last_name="LEE", first_name="KIM")
    billing, patient, subscriber = claim["billing_provider"], claim["patient"], claim["subscriber"]
    billing.update(entity=billing["entity"] or "organization", last_name="PAIN", tax_id="123456789", address=ADDRESS)
    billing.update(first_name="ANN" if billing["entity"] == "person" else None, state=billing["state"] or "TX")
    patient.update(last_name="ROE", first_name="SAM", address={**ADDRESS, "state": "TX"}, own_loop=bool(number % 3))
    subscriber.update(entity="person", last_name="ROE", first_name="PAT" if patient["own_loop"] else "SAM",
                      relationship=None if patient["own_loop"] else "18")  # fmt: skip
    claim["payer"].update(address={**ADDRESS, "state": "KY"})
    claim["payer"]["filing_indicator"] = claim["payer"]["filing_indicator"] or "CI"
    if claim.get("service_facility"):
        claim["service_facility"].update(address=ADDRESS, state=claim["service_facility"]["state"] or "TX")
    if claim["other_payers"]:
        claim["payer"]["responsibility"] = "PSTABCDEFGH"[len(claim["other_payers"])]
    for place, other in enumerate(claim["other_payers"]):
        other.update(responsibility="PSTABCDEFGH"[place], filing_indicator="CI", relationship="18")
        other["subscriber"] = {"has_last_name": True, "member_id": "M9"}
    day = claim["lines"][0].get("service_date")
    if claim["form"] == "professional":
        claim |= {"related_causes": ["AA"], "accident_state": "TX", "accident_date": day, "onset_date": day}
    else:
        claim |= {"admission_type": "3", "point_of_origin": "1", "patient_status": "01", "admission_date": day}
        claim["admission_hour"] = "0815" if day else None
        claim |= {"condition_codes": ["09"], "value_codes": [{"code": "80", "amount": "1.00"}]}
        claim["occurrences"] = [{"code": "11", "day": day, "group": 1}]
        if claim["diagnoses"]:
            claim["present_on_admission"] = []
    FAULTS[number % len(FAULTS)](claim)
    return claim


DRESSED = {name: (dressed(claim, number), day) for number, (name, (claim, day)) in enumerate(SENT.items())}


def _carried_by(report: Report, groups: frozenset[str]) -> list[tuple[str, str, str, int]]:
    """The findings of the rules whose groups the claim carries; how an 837 writes its dates no other format says."""
    return sorted(
        (one.code, one.outcome, one.severity, one.line or 0)
        for one in report.findings
        if groups.issuperset(RULES[one.rule].needs) and not one.code.startswith("SYN") and one.code != "UBF007"
    )


@pytest.mark.parametrize("name", sliced(DRESSED, 5))
def test_a_claim_with_all_that_fhir_has_for_the_form_gets_the_same_findings_in_each_format(name: str) -> None:
    claim, received = DRESSED[name]
    plain = check(read_claim(claim), BOOK, received=received)
    read = _read("f.json", json.dumps(bundle(claim)).encode())
    assert read.not_read == ()
    fhir = check(read, BOOK, received=received)
    groups = carried(read)
    assert carried(read_claim(claim)) == groups
    assert _carried_by(fhir, groups) == _carried_by(plain, groups)
    assert Counter(fhir.gaps) == Counter(plain.gaps)
    raw = file_of([claim], dependent=[bool(claim["patient"]["own_loop"])]).encode()
    x12 = check(_read("f.837", raw), BOOK, received=received)
    found, expected = Counter(_carried_by(x12, groups)), Counter(_carried_by(fhir, groups))
    assert found - expected == Counter()
    # What a rule of the syntax has said of an 837 no other rule says again.
    assert {code for code, *_ in expected - found} <= (BY_SYNTAX | _because_of(x12) if _by_syntax(x12) else set())


def _because_of(report: Report) -> set[str]:
    return {other.code for one in report.findings if one.code.startswith("SYN") for other in one.because}


BY_SYNTAX = {"ADR001", "ADR006", "UBF010", "UBF022", "UBF023", "UBF024", "UBF026", "UBF027"}


def _by_syntax(report: Report) -> bool:
    return any(one.code.startswith("SYN") for one in report.findings)


NOT_OF_FHIR = {"signatures", "line_details", "remarks"}
"""Groups that no claim of FHIR brings: NOT_IN_FHIR and NOT_READ_OF_FHIR."""


def test_the_faults_are_found_and_few_groups_are_left_out() -> None:
    found: set[str] = set()
    groups: set[str] = set()
    for claim, received in DRESSED.values():
        report = check(read_claim(claim), BOOK, received=received)
        found |= {one.code for one in report.findings if RULES[one.rule].needs}
        groups |= carried(read_claim(claim))
    assert found >= {
        "ADR001",
        "ADR004",
        "ADR006",
        "ADR010",
        "ADR012",
        "CLM015",
        "CLM016",
        "CLM017",
        "CLM018",
        "CLM019",
        "UBF021",
        "UBF022",
        "UBF023",
    }
    assert CARRIED.keys() - groups == NOT_OF_FHIR
