"""Files of claims: recognized by content, read one by one, refused with a position."""

from __future__ import annotations

import gzip
import io
import json
import zlib
from hashlib import sha256

import pytest

from worker.intake.document import Document, Found, Refusal
from worker.intake.documents import read_documents

CLAIM = {
    "claim_id": "PCN-1",
    "form": "professional",
    "payer": {"id": "87726"},
    "diagnoses": ["M54.31"],
    "lines": [{"number": 1, "charge": "450.00"}],
}
EVENT = {"specversion": "1.0", "id": "evt-1", "source": "/ehr", "type": "claim.submitted.v1", "data": CLAIM}
LINE = json.dumps(CLAIM).encode()


def read(raw: bytes, limit: int = 2**20) -> list[Found]:
    return list(read_documents("f.json", io.BytesIO(raw), limit=limit))


def positions(found: list[Found]) -> list[tuple[str, str]]:
    return [(type(item).__name__, item.position) for item in found]


@pytest.mark.parametrize("raw", [LINE, LINE + b"\n", json.dumps(CLAIM, indent=2).encode(), b"\xef\xbb\xbf" + LINE])
def test_one_claim(raw: bytes) -> None:
    assert positions(read(raw)) == [("Document", "line 1")]


def test_a_cloud_event_keeps_its_envelope() -> None:
    (document,) = read(json.dumps(EVENT, indent=1).encode())
    assert isinstance(document, Document)
    assert document.event is not None
    assert (document.event.id, document.claim.claim_id) == ("evt-1", "PCN-1")


def test_lines_are_read_one_by_one_and_a_bad_one_does_not_hide_the_next() -> None:
    found = read(b"\n".join([LINE, b"", b'{"claim_id": }', LINE, b"[]", b"{}", LINE]))
    assert positions(found) == [
        ("Document", "line 1"),
        ("Refusal", "line 3"),
        ("Document", "line 4"),
        ("Refusal", "line 5"),
        ("Refusal", "line 6"),
        ("Document", "line 7"),
    ]
    assert str(found[1]).startswith("f.json: line 3: column 14: not JSON")


def test_a_bad_first_line_does_not_hide_the_rest() -> None:
    assert positions(read(b'{"claim_id": }\n' + LINE)) == [("Refusal", "line 1"), ("Document", "line 2")]


@pytest.mark.parametrize(
    ("first", "refused"),
    [
        (b'{"claim_id": "PCN\n-0", "form": 1}', 2),
        (b'{"claim_id": "PCN-0",\n "form": }', 2),
        (b'{"claim_id": "PCN-0"\n\n', 1),
        (b'"form": "professional"}', 1),
        (b"# claims of March\n\n", 1),
        (b"claim_id,form\nPCN-0,professional\n", 2),
    ],
    ids=["a line end in a text", "an object over two lines", "cut", "the end of an object", "a comment", "other rows"],
)
@pytest.mark.parametrize("count", [2, 4_000])
def test_whatever_the_first_line_is_it_takes_none_of_the_others_along(first: bytes, refused: int, count: int) -> None:
    start = first.strip().count(b"\n") + first.endswith(b"\n\n") + 2
    found = read(first.rstrip(b"\n") + b"\n" * (1 + first.endswith(b"\n\n")) + b"\n".join([LINE] * count))
    assert [kind for kind, _ in positions(found)] == ["Refusal"] * refused + ["Document"] * count
    assert [place for _, place in positions(found)][refused:] == [f"line {start + n}" for n in range(count)]


def test_an_object_whose_second_line_begins_with_a_brace_is_one_document() -> None:
    raw = LINE.replace(b'"lines": [{', b'"lines": [\n{')
    assert raw != LINE
    assert positions(read(raw)) == [("Document", "line 1")]


def test_a_broken_object_over_many_lines_is_one_refusal() -> None:
    raw = json.dumps(json.loads(LINE), indent=1).encode()
    assert positions(read(raw[:-2])) == [("Refusal", "line 1")]


def test_an_array_is_read_item_by_item() -> None:
    assert positions(read(b"[" + LINE + b", 7, " + LINE + b"]")) == [
        ("Document", "item 1"),
        ("Refusal", "item 2"),
        ("Document", "item 3"),
    ]


@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_line_that_is_too_long_is_refused_without_its_neighbors(at: int) -> None:
    lines = [LINE, LINE]
    lines.insert(at, b'{"claim_id": "' + b"x" * 5_000_000 + b'"}')
    found = read(b"\n".join(lines), limit=1_024)
    assert [type(item).__name__ for item in found].count("Document") == 2
    assert positions(found)[at] == ("Refusal", f"line {at + 1}")


def test_gzip_is_read() -> None:
    assert positions(read(gzip.compress(LINE))) == [("Document", "line 1")]


def test_a_gzip_that_is_cut_off_is_refused() -> None:
    assert isinstance(read(gzip.compress(LINE * 50)[:40])[-1], Refusal)


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"", "empty"),
        (b"\n  \n", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (b"ISA*00*          *00*", "X12"),
        (b'{"resourceType": "Claim"}', "Claim.type: expected either"),
        (b"5", "expected an object"),
        (b"null", "expected an object"),
        (b'"claim"\n', "expected an object"),
        (b"PK\x03\x04", "a zip archive"),
        (b"dear sirs", "neither JSON nor NDJSON nor X12"),
        (LINE.decode().encode("utf-16"), "UTF-16"),
        (b"[]", "empty"),
        (b"[1", "not JSON"),
        (b'{"claim_id": "A"\n "form": 1}', "not JSON"),
        (b"[" * 20_000, "not JSON"),
        (b'{"a": ' + b"1" * 2_000_000 + b"}", "more than"),
    ],
)
def test_what_is_not_read_is_refused_with_a_sentence(raw: bytes, sentence: str) -> None:
    (refusal,) = read(raw)
    assert isinstance(refusal, Refusal)
    assert sentence in refusal.sentence


def test_every_problem_of_a_claim_is_in_its_refusal() -> None:
    (refusal,) = read(json.dumps({**CLAIM, "form": "oral", "memo": 1, "lines": []}).encode())
    assert isinstance(refusal, Refusal)
    assert {problem.path for problem in refusal.problems} == {"form", "memo", "lines"}


def test_a_gzip_of_several_members_is_read_whole() -> None:
    packed = b"".join(gzip.compress(LINE + b"\n") for _ in range(3))
    assert positions(read(packed)) == [("Document", f"line {number}") for number in (1, 2, 3)]
    halves = gzip.compress(LINE[:50]) + gzip.compress(LINE[50:])
    assert positions(read(halves)) == [("Document", "line 1")]


@pytest.mark.parametrize("after", [b"no member", gzip.compress(b"x", mtime=0)[:10], b"\0\0x"])
def test_what_came_before_damage_in_a_gzip_is_read(after: bytes) -> None:
    found = read(gzip.compress(LINE + b"\n") + after)
    assert positions(found) == [("Document", "line 1"), ("Refusal", "")]
    assert "gzip" in str(found[-1])


def test_zeros_behind_a_gzip_member_are_padding() -> None:
    packed = gzip.compress(LINE + b"\n") + bytes(100_000)
    assert positions(read(packed)) == [("Document", "line 1")]
    assert len(read(packed + gzip.compress(LINE))) == 2


def test_a_gzip_that_is_cut_anywhere_gives_its_whole_lines_and_one_more_refusal() -> None:
    noise = b"".join(b'{"claim_id": "%s"}\n' % sha256(b"%d" % n).hexdigest().encode() for n in range(50))
    packed = gzip.compress(noise)
    for cut in range(20, len(packed), 97):
        found = read(packed[:cut])
        assert "gzip" in str(found[-1])
        whole = zlib.decompressobj(31).decompress(packed[:cut]).count(b"\n")
        assert len(found) >= whole + 1
    assert len(read(packed)) == 50


def test_a_batch_of_cloud_events_is_read_item_by_item() -> None:
    batch = [EVENT, {**EVENT, "id": "evt-2"}, {**EVENT, "type": "other"}]
    found = read(json.dumps(batch).encode())
    assert positions(found) == [("Document", "item 1"), ("Document", "item 2"), ("Refusal", "item 3")]
    events = [item.event.id for item in found if isinstance(item, Document) and item.event]
    assert events == ["evt-1", "evt-2"]


def test_a_value_that_is_no_object_does_not_hide_the_lines_after_it() -> None:
    found = read(b"null\n" + LINE + b"\n5\n" + LINE)
    assert [kind for kind, _ in positions(found)] == ["Refusal", "Document", "Refusal", "Document"]
