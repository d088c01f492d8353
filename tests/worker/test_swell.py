"""Small files that swell, and long ones that stall: time and memory follow the bytes, and what is left off is reported.

Public cases of the kind: envoy#21864, dulwich#2250, headroom#3284 (gzip), cpython#110016 (zip), pydantic#8242 (problems
without end).
"""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import resource
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rules.authoring.examples import example_claim
from rules.errors import ClaimInvalid, PackInvalid
from tests.worker import fhirbundle
from tests.worker.fhirclaims import PROFESSIONAL as BILLED
from worker.errors import EventInvalid, TableRefused
from worker.intake.document import Document, Refusal
from worker.intake.documents import MOST_REFUSED, read_documents
from worker.intake.events import claim_of, read_event
from worker.intake.x12.remittance import read_remittances
from worker.tables.files import members

CLAIM = example_claim("practitioner", {}, {"id": "87726", "filing_indicator": "CI"})
GOOD = json.dumps(CLAIM).encode()
ISA = b"ISA*00*          *00*          *ZZ*SENDER         *ZZ*RECEIVER       *260101*1200*^*00501*000000001*0*T*:~"
SET = ISA + b"GS*HC*S*R*20260101*1200*1*X*005010X222A1~ST*837*0001*005010X222A1~"
BUNDLE = b'{"resourceType":"Bundle","type":"collection","entry":['
MEGABYTE = 2**20

FILES: dict[str, Callable[[], bytes]] = {
    "an array of empty objects": lambda: gzip.compress(b"[" + b"{}," * 20_000_000 + b"{}]"),
    "an array of empty lists": lambda: gzip.compress(b"[" + b"[]," * 20_000_000 + b"[]]"),
    "a Bundle of empty entries": lambda: gzip.compress(BUNDLE + b"{}," * 20_000_000 + b"{}]}"),
    "nothing but line ends": lambda: gzip.compress(b"\n" * 500_000_000),
    "lines of empty objects": lambda: gzip.compress(b"{}\n" * 20_000_000),
    "interchanges without anything in them": lambda: gzip.compress(ISA * 340_000),
    "claims without anything in them": lambda: gzip.compress(SET + b"CLM*1~" * 10_000_000),
    "gzip within gzip": lambda: gzip.compress(gzip.compress(GOOD)),
    "a list of twenty million in one entry": lambda: (
        BUNDLE + b'{"resource":{"resourceType":"Claim","contained":[' + b"{}," * 15_000_000 + b"{}]}}]}"
    ),
    "a line of 64 MB": lambda: b'{"claim_id":"' + b"x" * (64 * MEGABYTE) + b'"}\n',
    "lines that say next to nothing": lambda: b'{"form":1}\n' * 1_000_000,
    "a nest of a million": lambda: b"[" * 1_000_000 + b"]" * 1_000_000,
}


def bounded() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
    resource.setrlimit(resource.RLIMIT_CPU, (100, 100))


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("kind", FILES)
def test_a_file_that_swells_or_stalls_is_refused_in_a_gigabyte_and_in_time(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "claims"
    file.write_bytes(FILES[kind]())
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    done = subprocess.run(
        [sys.executable, "-m", "worker", "check", str(file)],
        capture_output=True, text=True, preexec_fn=bounded, check=False,
        env={**os.environ, "SCRUB_STATE_DIR": str(tmp_path / "state")},
    )  # fmt: skip
    assert done.returncode == 2, done.stderr[-2_000:]
    assert "Traceback" not in done.stderr
    assert "could not be read" in done.stdout
    assert len(done.stderr.splitlines()) < 25_000
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before < 60


def read(raw: bytes) -> list[Any]:
    return list(read_documents("f", io.BytesIO(raw), limit=MEGABYTE))


def test_a_large_file_of_claims_is_read_to_its_end_packed_as_it_may_be() -> None:
    claims = [json.dumps({**CLAIM, "claim_id": f"PCN-{number}"}).encode() for number in range(3_000)]
    for raw in (b"\n".join(claims), b"[" + b",".join(claims) + b"]", gzip.compress(b"\n".join(claims))):
        found = read(raw)
        assert [one.value["claim_id"] for one in found] == [f"PCN-{number}" for number in range(3_000)]


def test_blank_lines_are_counted_though_they_are_passed_over() -> None:
    found = read(b"\n \r\n" + b"\n" * 100_000 + GOOD + b"\n\n\n  \n" + GOOD)
    assert [one.position for one in found] == ["line 100003", "line 100007"]


def test_a_stream_that_swells_is_left_off_and_what_came_before_is_read() -> None:
    found = read(gzip.compress(GOOD + b"\n" + b"\n" * 200_000_000))
    assert isinstance(found[0], Document)
    assert "swells to more than 250 times" in found[-1].sentence


def test_more_members_and_zeros_behind_them_are_no_damage_and_anything_else_is() -> None:
    whole = gzip.compress(GOOD + b"\n") * 3 + b"\0" * 100
    assert [type(one) for one in read(whole)] == [Document] * 3
    assert [type(one) for one in read(whole + b"garbage")] == [Document] * 3 + [Refusal]


def test_a_fault_in_an_array_names_its_line_and_column_and_costs_no_item_before_it() -> None:
    found = read(b"[\n" + GOOD + b",\n " + b'{"claim_id": nul},\n' + GOOD + b",\n{")
    assert [type(one) for one in found] == [Document, Refusal, Document, Refusal]
    assert (found[1].position, found[1].problems[0].path) == ("item 2", "line 3 column 18")
    assert found[3].problems[0].path.startswith("line 5 column ")


def test_documents_that_are_all_refused_end_the_file_and_the_place_is_reported() -> None:
    found = read(b"5\n" * (MOST_REFUSED + 5) + GOOD)
    assert len(found) == MOST_REFUSED + 1
    assert f"what follows line {MOST_REFUSED} was not looked at" in found[-1].sentence
    some = read(b"5\n" * 1_000 + GOOD + b"\n" + b"5\n" * 10)
    assert [type(one) for one in some].count(Document) == 1
    assert len(some) == 1_011


def event_of(data: bytes) -> bytes:
    return b'{"specversion":"1.0","id":"1","source":"s","type":"claim.submitted.v1","data":' + data + b"}"


def with_lines(lines: bytes) -> bytes:
    return re.sub(rb'"lines": \[', b'"lines": [' + lines.replace(b"\\", b"\\\\"), GOOD, count=1)


EVENTS = {
    "empty lines": with_lines(b"{}," * 300_000),
    "unknown keys": b"{" + b",".join(b'"k%d":1' % number for number in range(80_000)) + b"}",
    "modifiers that are none": with_lines((b'{"number":1,"charge":"1","modifiers":[' + b"1," * 199 + b"1]},") * 900),
    "a key of a megabyte": b'{"' + b"k" * 900_000 + b'":1}',
    "diagnoses that are none": GOOD.replace(b'"diagnoses": [', b'"diagnoses": [' + b"1," * 300_000),
    "lines that are none": with_lines(b"1," * 900),
    "a text of a megabyte": GOOD.replace(b'"claim_id": "', b'"claim_id": "' + b"x" * 900_000),
}


@pytest.mark.parametrize("kind", EVENTS)
def test_an_event_of_a_megabyte_has_a_hundred_problems_at_most_and_says_that_there_are_more(kind: str) -> None:
    with pytest.raises(EventInvalid) as caught:
        read_event(event_of(EVENTS[kind]), limit=MEGABYTE)
    problems = caught.value.problems
    assert 0 < len(problems) <= 101
    assert len(problems) <= 100 or re.fullmatch(r"and \d+ more problems", problems[-1].sentence)
    assert sum(len(str(problem)) for problem in problems) < 64 * 1024


def test_lengths_are_looked_at_before_what_is_in_the_list() -> None:
    with pytest.raises(ClaimInvalid) as caught:
        claim_of({**CLAIM, "lines": [{}] * 1_001, "claim_id": 5})
    assert [str(problem) for problem in caught.value.problems] == ["lines: expected at most 1000 entries"]


def test_a_remittance_of_one_claim_without_end_is_refused_and_the_next_claim_is_read() -> None:
    head = ISA + b"GS*HP*S*R*20260101*1200*1*X*005010X221A1~ST*835*0001~BPR*I*1*C*ACH************20260101~"
    raw = head + b"CLP*A*1*10*10**12*1~" + b"SVC*HC:64445*1*1~CAS*CO*45*1~" * 10_000 + b"CLP*B*1*10*10**12*1~SE*1*1~"
    refused, read_ = read_remittances("f", io.BytesIO(raw))
    assert "more than 10000 service lines" in str(refused)
    assert getattr(read_, "claim_id", None) == "B"


def zip_of(**files: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name.replace("_", "."), content)
    return packed.getvalue()


def test_a_zip_in_a_zip_that_swells_or_goes_on_without_end_is_refused_unread(tmp_path: Path) -> None:
    nest = zip_of(a_zip=b"\0" * 300_000_000)
    deep = zip_of(a_txt=b"x")
    for _ in range(8):
        deep = zip_of(a_zip=deep)
    for content in (nest, deep):
        file = tmp_path / "tables.zip"
        file.write_bytes(content)
        with pytest.raises(TableRefused, match=r"no official file is; get it again"):
            members(file)
    (tmp_path / "good.zip").write_bytes(zip_of(inner_zip=zip_of(a_txt=b"text\n")))
    assert [member.name for member in members(tmp_path / "good.zip")] == ["a.txt"]


def test_a_table_of_one_line_without_end_is_refused(tmp_path: Path) -> None:
    (tmp_path / "one.zip").write_bytes(zip_of(a_txt=b"x" * 70_000_000))
    (member,) = members(tmp_path / "one.zip")
    with pytest.raises(Exception, match="the line has more than 67108864 bytes"):
        list(member.lines(lambda _: None))


def test_a_book_in_redis_is_not_inflated_beyond_what_a_book_may_have() -> None:
    from worker.books.switch import held
    from worker.store.keys import Keys

    class Holder:
        def hget(self, *_: object) -> bytes:
            return b"\0" * 64 + zlib.compress(b"\0" * 200_000_000)

    with pytest.raises(PackInvalid, match="more than 67108864 bytes"):
        held(Holder(), Keys(0, 1), "d" * 64, None)  # type: ignore[arg-type]


LARGE = {"resource": {"resourceType": "DocumentReference", "description": "x, y {z} " * 200_000}}


def test_a_large_bundle_is_read_as_a_small_one_is() -> None:
    small = fhirbundle.bundle(BILLED, BILLED)
    large = {**small, "entry": [*small["entry"], LARGE]}
    few, many = read(json.dumps(small).encode()), read(json.dumps(large, indent=1).encode())
    assert sum(isinstance(one, Document) for one in few) == 2
    assert [getattr(one, "claim", None) for one in many[:-1]] == [getattr(one, "claim", None) for one in few]
    assert (many[-1].kind, many[-1].position) == ("DocumentReference", f"line 1 entry {len(large['entry'])}")


@pytest.mark.parametrize(
    ("entries", "sentence"),
    [
        ({}, "Bundle.entry: expected a list of objects"),
        ([LARGE, None], "Bundle.entry: expected a list of objects"),
        ([LARGE, {"fullUrl": 5}], "Bundle.entry[1].fullUrl: expected a string"),
    ],
)
def test_what_is_wrong_with_a_large_bundle_is_reported_as_of_a_small_one(entries: Any, sentence: str) -> None:
    value = {**fhirbundle.bundle(BILLED), "entry": entries, "text": {"div": "x" * 2_000_000}}
    (refusal,) = read(json.dumps(value).encode())
    assert refusal.sentence == sentence


@pytest.mark.parametrize("end", [b"", b"]", b"]}x", b"},]}", b"{]}"])
def test_a_large_bundle_that_is_no_json_is_refused_as_a_whole(end: bytes) -> None:
    whole = json.dumps({**fhirbundle.bundle(BILLED), "entry": [LARGE]}).encode()
    (refusal,) = read(whole[: whole.rindex(b"]")] + end)
    assert "not JSON" in refusal.sentence


def test_a_document_of_more_values_than_memory_should_hold_is_refused_undecoded() -> None:
    entry = {"resource": {"resourceType": "Claim", "contained": [{}] * 600_000}}
    (refusal,) = read(json.dumps({**fhirbundle.bundle(BILLED), "entry": [entry]}).encode())
    assert "more than 524,288 values" in refusal.sentence
