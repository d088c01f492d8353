"""Decoding: whatever comes in ends in an event or in a clean refusal that quotes nothing of it."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.errors import EventInvalid
from worker.intake.events import decode, digest, read_event, structured

CLAIM = {
    "claim_id": "PCN-1",
    "form": "professional",
    "payer": {"id": "87726"},
    "diagnoses": ["M54.31"],
    "lines": [{"number": 1, "charge": "450.00"}],
}
ENVELOPE = {"specversion": "1.0", "id": "evt-1", "source": "/ehr", "type": "claim.submitted.v1", "data": CLAIM}
LIMIT = 2**20


def read(**changes: object) -> object:
    return read_event(json.dumps({**ENVELOPE, **changes}).encode(), limit=LIMIT)


def refusal(raw: bytes) -> EventInvalid:
    with pytest.raises(EventInvalid) as caught:
        read_event(raw, limit=LIMIT)
    return caught.value


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b'{"a": 1, "a": 2}', "twice"),
        (b'{"a": NaN}', "NaN is no JSON number"),
        (b'{"a":\n [1,\nNaN]}', "NaN is no JSON number"),
        (b"[Infinity]", "Infinity is no JSON number"),
        (b"[-Infinity]", "Infinity is no JSON number"),
        (b'{"claim_id": 1, "claim_id": 2}', "the key 'claim_id' is there twice"),
        (b'{"lines": [{"charge": 1, "charge": 2}]}', "the key 'charge' is there twice"),
        (b'{"specversion": 1, "specversion": 2}', "the key 'specversion' is there twice"),
        (b'{"JANE CANARY": 1, "JANE CANARY": 2}', "a key of an object is there twice"),
        (b'{"canary": 1, "canary": 2}', "a key of an object is there twice"),
        (b"[" * 10_000 + b"]" * 10_000, "recursion limit"),
        (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, "recursion limit"),
        (b'{"a": "\xff"}', "unicode"),
        (b'{"a": "\\ud800"}', "hex escape"),
        (b'{"a": "\xed\xa0\x80"}', "unicode"),
        (b'\xef\xbb\xbf{"a": 1}', "byte order mark"),
        ('{"a": 1}'.encode("utf-16"), "UTF-16"),
        ('{"a": 1}'.encode("utf-16-le"), "UTF-16"),
        (b'{"a": ' + b"1" * 10_000 + b"}", "out of range"),
        (b'{"a": 1e9999999999999999999999}', "out of range"),
        (b"", "nothing in it"),
        (b" \n ", "nothing in it"),
        (b'{"a": 1} {"b": 2}', "trailing"),
        (b'{"a": ', "EOF"),
        (b'{"a": 01}', "invalid number"),
        (b'{"a": "\x01"}', "control character"),
    ],
)
def test_what_is_not_json_is_refused_with_its_position(raw: bytes, sentence: str) -> None:
    error = refusal(raw)
    assert error.reason == "not_json"
    assert sentence in error.problems[0].sentence
    assert error.problems[0].safe_path.startswith("line ")


def test_a_number_with_a_fraction_never_becomes_a_float() -> None:
    assert decode(b'{"charge": 450.10}') == {"charge": Decimal("450.10")}


@given(st.binary(max_size=300))
def test_any_bytes_end_in_a_refusal(raw: bytes) -> None:
    assert refusal(raw).problems


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda s: st.lists(s, max_size=3)))
def test_any_json_value_as_data_ends_in_a_refusal(value: object) -> None:
    assert refusal(json.dumps({**ENVELOPE, "data": value}).encode()).problems


def test_an_exponent_beyond_all_money_is_a_problem_of_the_claim() -> None:
    raw = json.dumps(ENVELOPE).replace('"450.00"', "1e999999").encode()
    assert "data.lines[0].charge" in {problem.safe_path for problem in refusal(raw).problems}


def test_all_problems_of_envelope_and_claim_come_at_once() -> None:
    bad = {**ENVELOPE, "specversion": "0.3", "time": "yesterday", "data": {**CLAIM, "form": "oral", "lines": []}}
    del bad["id"]
    paths = {problem.safe_path for problem in refusal(json.dumps(bad).encode()).problems}
    assert paths == {"specversion", "time", "id", "data.form", "data.lines"}


def test_an_event_that_is_too_large_is_refused_unread() -> None:
    with pytest.raises(EventInvalid) as caught:
        read_event(b"x" * 11, limit=10)
    assert caught.value.reason == "too_large"


@pytest.mark.parametrize("value", ["[]", "null", "1", '"text"'])
def test_what_is_not_an_object_is_refused(value: str) -> None:
    assert refusal(value.encode()).reason == "not_an_event"


def test_extension_attributes_are_allowed() -> None:
    submission = read(partitionkey="p", sequence=7, requeue_of="1-1")
    assert submission.event.requeue_of == "1-1"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "changes",
    [
        {"data_base64": "eA=="},
        {"Sequence": 1},
        {"nested": {"a": 1}},
        {"datacontenttype": "text/xml"},
        {"time": "2026-10-20T14:03:00"},
        {"traceparent": "zz"},
        {"id": ""},
        {"source": 1},
        {"type": "claim.deleted.v1"},
    ],
)
def test_a_bad_envelope_is_refused(changes: dict[str, object]) -> None:
    assert refusal(json.dumps({**ENVELOPE, **changes}).encode()).reason == "envelope_invalid"


def test_the_trace_id_is_read_from_the_trace_context() -> None:
    submission = read(traceparent=f"00-{'a' * 32}-{'b' * 16}-01")
    assert submission.event.trace_id == "a" * 32  # type: ignore[attr-defined]


def test_the_digest_does_not_depend_on_order_or_spelling_of_decimals() -> None:
    first = decode(b'{"a": 450.00, "b": [1, 2]}')
    second = decode(b'{ "b" : [1,2], "a": "450.00" }')
    assert digest(first) == digest(second) != digest({"a": "450.00", "b": [2, 1]})


def test_the_digest_takes_integers_of_any_size() -> None:
    assert digest({"b": 10**100, "a": 1}) == digest({"a": 1, "b": 10**100})


CANARY = "CANARY"


@pytest.mark.parametrize(
    "raw",
    [
        json.dumps({**ENVELOPE, "data": {**CLAIM, CANARY: 1, "form": CANARY}}).encode(),
        json.dumps({**ENVELOPE, "id": [CANARY], "time": CANARY, CANARY: CANARY}).encode(),
        b'{"CANARY": 1, "CANARY": 2}',
        b'{"CANARY": CANARY}',
        json.dumps({**ENVELOPE, "data": {**CLAIM, "subscriber": {"member_id": [CANARY]}}}).encode(),
    ],
)
def test_what_may_be_logged_of_a_refusal_holds_nothing_of_the_input(raw: bytes) -> None:
    error = refusal(raw)
    assert CANARY not in str(error)
    assert all(CANARY not in f"{problem.safe_path} {problem.sentence}" for problem in error.problems)


BINARY = {
    b"ce_specversion": b"1.0", b"ce_id": b"evt-1", b"ce_source": b"/ehr", b"ce_type": b"claim.submitted.v1",
    b"ce_time": b"2026-10-20T14:03:00Z", b"ce_plant": b"n\xc3\xb6rd", b"content-type": b"application/json",
    b"partition": b"7", b"data": json.dumps(CLAIM).encode(),
}  # fmt: skip


@pytest.mark.parametrize("mark", [b"ce_", b"ce-", b"CE_"])
def test_an_event_in_binary_mode_is_the_same_event(mark: bytes) -> None:
    fields = {name.replace(b"ce_", mark): value for name, value in BINARY.items()}
    found = structured(fields)
    assert found is not None
    submission = read_event(found, limit=10_000)
    assert (submission.event.id, submission.event.source) == ("evt-1", "/ehr")
    assert submission.event.datacontenttype == "application/json"
    assert json.loads(found)["plant"] == "nörd"
    whole = {"specversion": "1.0", "id": "evt-1", "source": "/ehr", "type": "claim.submitted.v1", "data": CLAIM}
    other = read_event(json.dumps(whole).encode(), limit=10_000)
    assert (submission.digest, submission.event.identity) == (other.digest, other.event.identity)


@pytest.mark.parametrize(
    ("change", "reason", "path"),
    [
        ({b"data": b"{"}, "not_json", "line 1"),
        ({b"data": b""}, "not_json", "line 1"),
        ({b"data": b'{}, "id": "evt-2"'}, "not_json", "line 1"),
        ({b"data": b"{}"}, "claim_invalid", "data.claim_id"),
        ({b"content-type": b"text/xml"}, "envelope_invalid", "datacontenttype"),
        ({b"ce_time": b"yesterday"}, "envelope_invalid", "time"),
        ({b"ce_plant\xff": b"x"}, "envelope_invalid", ""),
        ({b"ce_id": b""}, "envelope_invalid", "id"),
    ],
)
def test_a_bad_event_in_binary_mode_is_refused_as_a_structured_one(
    change: dict[bytes, bytes], reason: str, path: str
) -> None:
    found = structured({**BINARY, **change})
    assert found is not None
    with pytest.raises(EventInvalid) as caught:
        read_event(found, limit=10_000)
    assert caught.value.reason == reason
    assert any(problem.path.startswith(path) for problem in caught.value.problems)


def test_fields_without_an_attribute_are_no_event_and_data_may_be_missing() -> None:
    assert structured({b"data": b"{}", b"id": b"1"}) is None
    without = structured({name: value for name, value in BINARY.items() if name != b"data"})
    assert without is not None
    with pytest.raises(EventInvalid) as caught:
        read_event(without, limit=10_000)
    assert [problem.path for problem in caught.value.problems] == ["data"]
