"""A claim says the same in each format: as JSON, as FHIR and as an 837 it gets the same findings, over the whole corpus.

What FHIR has no place for (NOT_IN_FHIR) and what the writers of the tests do not write is left out of all three. Rules
that need what only an 837 carries are no part of the comparison.
"""

from __future__ import annotations

import copy
import io
import json
from collections import Counter
from datetime import date
from typing import Any

import pytest

from rules.claim import Claim, read_claim
from rules.engine.check import check
from rules.report import Report
from tests.book import BOOK
from tests.corpus.stories import Story, read_stories
from tests.worker.fhirbundle import bundle
from tests.x12.writer import file_of
from worker.intake.document import Document
from worker.intake.documents import read_documents
from worker.intake.fhir.fields import NOT_IN_FHIR

STORIES = read_stories(BOOK)
NEEDING = {rule.file.removesuffix(".yaml") for rule in BOOK.rules if rule.needs or rule.code.startswith("SYN")}
UNITS = {"ML", "GR", "ME", "F2", "UN"}
_EMPTY: dict[str, Any] = {"npi": None, "taxonomy": None}
_PARTS: dict[str, dict[str, Any]] = {
    "payer": {"name": None, "filing_indicator": None, "responsibility": "P"},
    "patient": {"birth_date": None, "sex": None, "first_name": None},
    "subscriber": {"member_id": None, "group_number": None},
    "billing_provider": {**_EMPTY, "entity": None, "state": None},
    "rendering_provider": _EMPTY, "referring_provider": _EMPTY, "attending_provider": _EMPTY,
    "operating_provider": _EMPTY, "service_facility": {"npi": None, "name": "Clinic", "state": None},
}  # fmt: skip


def common(data: dict[str, Any]) -> dict[str, Any] | None:
    """What of a claim all three formats hold, with every key that the writers ask for; None: it holds too little or
    says what one of them has no way to say."""
    claim = {"frequency_code": "1", **copy.deepcopy(data)}
    for path in (*NOT_IN_FHIR, "not_read", "oddities", "form_faults", "source_format"):
        at: Any = claim
        *steps, last = path.split(".")
        for step in steps:
            at = at.get(step) or {} if isinstance(at, dict) else {}
        if isinstance(at, dict):
            at.pop(last, None)
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
        {"paid": "0.00"} | {key: other.get(key) for key in ("payer_id", "adjudication_date", "paid") if key in other}
        for other in claim.get("other_payers") or ()
    ]  # FHIR has the day of a decision beside what was paid
    for line in claim["lines"]:
        if line.get("units") is not None:
            line["unit_basis"] = line.get("unit_basis") or "UN"
        if line.get("drug"):
            line["drug"] = {key: line["drug"].get(key) for key in ("ndc", "quantity", "unit")}
        if line.get("rendering_provider"):
            line["rendering_provider"] = {**_EMPTY, **line["rendering_provider"]}
    return claim if _sayable(claim) else None


def _sayable(claim: dict[str, Any]) -> bool:
    """Whether each format has a way to say the claim as it is."""
    numbers = [line["number"] for line in claim["lines"]]
    if not all(claim.get(part) for part in ("billing_provider", "subscriber", "patient")) or numbers != sorted(
        {*numbers}
    ):
        return False
    if not all(_line_is_sayable(line, claim["form"]) for line in claim["lines"]):
        return False
    frequency, original = claim["frequency_code"], claim.get("original_reference_number")
    if claim["form"] == "institutional":
        bill = claim.get("type_of_bill") or ""
        return len(bill) == 4 and bill[-1] == frequency and not (original and frequency == "1")
    return bool(claim["place_of_service"]) and (frequency in ("7", "8") if original else frequency == "1")


def _line_is_sayable(line: dict[str, Any], form: str) -> bool:
    """A code, or a revenue code alone; four modifiers; a unit that both formats have a word for."""
    code, revenue = line.get("procedure"), line.get("revenue_code")
    unit = (line.get("drug") or {}).get("unit") or "ML"
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


@pytest.mark.parametrize("name", SENT)
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
