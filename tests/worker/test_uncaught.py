"""Inputs that once raised something of Python's own: each is refused with its place, and the rest is read.

Numbers with exponents beyond what decimal computes with (shopspring/decimal#427, cpython#142032), and segments of an
interchange that are shorter than their guide has them (badX12#215, pyx12#35).
"""

from __future__ import annotations

import copy
import io
import json
from collections.abc import Callable
from typing import Any

import pytest

from rules.authoring.examples import example_claim
from rules.claim import read_claim
from rules.errors import ClaimInvalid
from tests.worker.fhirclaims import PROFESSIONAL as BILLED
from tests.x12.examples import PROFESSIONAL
from tests.x12.writer import file_of
from worker.errors import EventInvalid
from worker.intake.document import Document, Refusal
from worker.intake.documents import read_documents
from worker.intake.events import read_event, structured
from worker.intake.x12.remittance import Payment, read_remittances
from worker.pipeline.inbox import InboxEntry
from worker.pipeline.outlets import quarantined

from . import fhirbundle

CLAIM = example_claim("practitioner", {}, {"id": "87726", "filing_indicator": "CI"})
HUGE = (
    "1e1000000", "1E+400", "9e9999999", "-1e-1000000", "1e-999999", "-9e999999999999999999", "1e99999999999999999999",
    "9" * 4_000, "0." + "1" * 4_000, "1" * 5_000,
)  # fmt: skip
ZEROS = ("0e1000000", "-0e-9999999")


def places() -> dict[str, Callable[[dict[str, Any]], tuple[dict[str, Any], str]]]:
    """Where a number may stand: the object that holds it, and its key."""
    return {
        "total_charge": lambda claim: (claim, "total_charge"),
        "lines[0].charge": lambda claim: (claim["lines"][0], "charge"),
        "lines[0].units": lambda claim: (claim["lines"][0], "units"),
        "lines[0].drug.quantity": lambda claim: (claim["lines"][0].setdefault("drug", {}), "quantity"),
        "other_payers[0].paid": lambda claim: (claim.setdefault("other_payers", [{}])[0], "paid"),
        "lines[0].number": lambda claim: (claim["lines"][0], "number"),
        "claim_id": lambda claim: (claim, "claim_id"),
    }


def with_number(place: str, number: str, *, text: bool = False) -> str:
    claim = copy.deepcopy(CLAIM)
    holder, key = places()[place](claim)
    holder[key] = number if text else "THE NUMBER"
    written = json.dumps(claim)
    return written if text else written.replace('"THE NUMBER"', number)


def read(raw: str) -> list[Any]:
    return list(read_documents("f", io.BytesIO(raw.encode()), limit=2**20))


@pytest.mark.parametrize("number", HUGE)
@pytest.mark.parametrize("place", places())
def test_a_number_out_of_all_bounds_is_refused_and_the_claims_around_it_are_read(place: str, number: str) -> None:
    good = json.dumps(CLAIM)
    found = read("\n".join([good, with_number(place, number), good]))
    assert [type(one) for one in found] == [Document, Refusal, Document]
    assert found[1].position == "line 2"
    in_array = read("[" + ",".join([good, with_number(place, number), good]) + "]")
    assert [type(one) for one in in_array] == [Document, Refusal, Document]
    assert in_array[1].position == "item 2"


@pytest.mark.parametrize("number", HUGE)
@pytest.mark.parametrize("place", list(places())[:5])
def test_the_same_as_a_text_is_refused_at_its_place(place: str, number: str) -> None:
    with pytest.raises(ClaimInvalid) as caught:
        read_claim(json.loads(with_number(place, number, text=True)))
    assert [problem.path for problem in caught.value.problems] == [place]


@pytest.mark.parametrize("zero", ZEROS)
def test_a_zero_is_zero_whatever_its_exponent(zero: str) -> None:
    (found,) = read(with_number("lines[0].units", zero))
    assert isinstance(found, Document)
    assert str(found.claim.lines[0].units) == "0"


@pytest.mark.parametrize("number", HUGE)
def test_an_event_in_either_mode_that_holds_one_is_refused(number: str) -> None:
    data = with_number("lines[0].units", number)
    attributes = {"specversion": "1.0", "id": "1", "source": "s", "type": "claim.submitted.v1"}
    whole = json.dumps({**attributes, "data": "DATA"}).replace('"DATA"', data).encode()
    binary = structured(
        {**{f"ce_{key}".encode(): value.encode() for key, value in attributes.items()}, b"data": data.encode()}
    )
    assert binary is not None
    for event in (whole, binary):
        with pytest.raises(EventInvalid):
            read_event(event, limit=2**20)
    batch = read(f"[{whole.decode()}, {json.dumps({**attributes, 'data': CLAIM})}]")
    assert [type(one) for one in batch] == [Refusal, Document]


@pytest.mark.parametrize("number", HUGE)
@pytest.mark.parametrize("key", ["net", "unitPrice", "quantity", "factor"])
def test_a_fhir_claim_that_holds_one_is_refused_or_read_and_the_next_is_read(key: str, number: str) -> None:
    good = json.dumps(fhirbundle.bundle(BILLED))
    bundle = copy.deepcopy(fhirbundle.bundle(BILLED))
    claim = next(one["resource"] for one in bundle["entry"] if one["resource"]["resourceType"] == "Claim")
    item = claim["item"][0]
    if key != "net":
        item.pop("net", None)
        item["unitPrice"] = {"value": "NUMBER"}
        item["quantity"] = {"value": "NUMBER"}
    item[key] = "NUMBER" if key == "factor" else {"value": "NUMBER"}
    found = read(json.dumps(bundle).replace('"NUMBER"', number) + "\n" + good)
    assert any(isinstance(one, Refusal) and one.position.startswith("line 1") for one in found)
    assert any(isinstance(one, Document) and one.position.startswith("line 2") for one in found)


WHOLE = file_of([PROFESSIONAL])
HEAD = WHOLE.split("~\n")[0]


@pytest.mark.parametrize(
    "damage",
    [
        "ISA*00*~", "ISA~", "ISA*~", "ISA*00*x~GS*~", "ISA*00*x~GS~ST~SE~GE~IEA~", "GS~", "ST~", "SE~", "GE~", "IEA~",
        "HL~", "CLM~", "ISA|00|~", "ISA*00*" + "*" * 40 + "~", HEAD + "*MORE~", HEAD.rpartition("*")[0] + "~",
        "ISA*" * 50 + "~",
    ],
)  # fmt: skip
@pytest.mark.parametrize("where", ["behind", "between", "before the sets"])
def test_an_envelope_segment_that_is_too_short_or_too_long_is_reported_and_the_other_interchanges_are_read(
    damage: str, where: str
) -> None:
    cut = WHOLE.index("ST*") if where == "before the sets" else len(WHOLE)
    raw = WHOLE[:cut] + damage + WHOLE[cut:] + ("" if where == "behind" else WHOLE)
    found = read(raw)
    assert any(isinstance(one, Refusal) for one in found)
    read_whole = [one for one in found if isinstance(one, Document)]
    separable = not damage.startswith(HEAD[:50])  # an ISA that does not say its separators hides what is behind it
    assert not separable or len([one for one in found if one.number]) >= raw.count("CLM*")
    assert len(read_whole) >= (1 if where != "before the sets" else 0) + (where == "between")


def test_a_second_interchange_that_is_short_says_how_many_elements_it_has() -> None:
    found = read(WHOLE + "ISA*00*~")
    (refusal,) = [one for one in found if isinstance(one, Refusal)]
    assert "the ISA segment has 2 elements; expected 16" in [problem.sentence for problem in refusal.problems]
    assert [type(one) for one in found] == [Document, Refusal]


REMITTANCE = (
    HEAD.replace("*HC*", "*HP*") + "~GS*HP*S*R*20260101*1200*1*X*005010X221A1~ST*835*0001~"
    "BPR*I*1*C*ACH************20260101~TRN*1*1*1~{}CLP*GOOD*1*10*10**12*1~SE*1*1~GE*1*1~IEA*1*1~"
)


@pytest.mark.parametrize(
    "damage",
    ["CLP~", "SVC~", "CLP*A*1*1e400*1~", f"CLP*A*1*{'9' * 4_000}*1~", "CLP*A*1*1*1~SVC*HC:64445*1E+999999~",
     "CLP*A*1*1*1~CAS*CO*45*1e1000000~", "CLP*A*1*1*1~CAS~SVC~REF~LQ~DTM~MIA~"],
)  # fmt: skip
def test_a_claim_of_a_remittance_that_cannot_be_read_costs_no_other(damage: str) -> None:
    found = list(read_remittances("f", io.BytesIO(REMITTANCE.format(damage).encode())))
    assert [one.claim_id for one in found if isinstance(one, Payment)][-1:] == ["GOOD"]


def test_what_is_kept_in_quarantine_is_at_most_twice_what_came_in() -> None:
    for content in (b'"' * 10_000, b"\\" * 10_000, b"\x01" * 10_000, b"\xff" * 10_000, b"\n" * 10_000, b"a" * 10_000):
        for entry in (InboxEntry("1-1", content, {}), InboxEntry("1-1", None, {b"x": content})):
            kept = quarantined("d", "1-1", entry, "not_json", [], None, "now")
            assert len(kept) < 2 * len(content) + 2**16
            assert content.decode("utf-8", "replace")[:1] or kept
