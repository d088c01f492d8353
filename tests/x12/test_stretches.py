"""An 837 cut into stretches gives what one reading of the whole gives, whatever is in it."""

from __future__ import annotations

import io
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.x12.writer import file_of
from worker.bench.claims import claim
from worker.intake.document import Refusal
from worker.intake.x12.reader import read_x12
from worker.intake.x12.stretches import StretchEnd, Stretches, read_stretch, x12_stretches

CLAIMS = [{"frequency_code": "1", **claim(number)} for number in range(40)]
PROFESSIONAL = [one for one in CLAIMS if one["form"] == "professional"]
BASES = [
    (file_of(PROFESSIONAL, end=end) + file_of([one for one in CLAIMS if one["form"] == "institutional"])).encode()
    for end in ("", "\n", "\r\n")
]
BASES += [
    b"".join(file_of([one]).encode() for one in CLAIMS),
    file_of(PROFESSIONAL, dependent=[number % 3 == 0 for number in range(len(PROFESSIONAL))]).encode(),
    file_of(PROFESSIONAL, separators="|>\n", end="").encode(),
]
FOREIGN = [
    b"", b"~", b"~~", b" ", b"\n", b"ISA", b"ISA*00*~HL*1*22*22*", b"IEA*1*1~", b"SE*1*1~", b"HL*9*1*22*0~",
    b"HL*9*1*23*0~", b"HL*1**20*1~", b"CLM*X*1~", b" CLM*X*1~", b"clm*y*1~", b"\xff", b"A" * 70_000, b"GE*1*1~", b"XX*1~",
    b"ST*837*0002*005010X222A2~", b"ST*835*0002~",
]  # fmt: skip
CHANGE = st.tuples(
    st.integers(0, 9_000), st.sampled_from([0, 0, 0, 1, 5, 30, 400]), st.sampled_from(FOREIGN), st.booleans()
)


def at_once(raw: bytes, limit: int) -> list[Any]:
    found: list[Any] = []
    found.extend(one for one in read_x12("f", io.BytesIO(raw), limit=limit, ended=found.append))
    return found


def in_stretches(raw: bytes, size: int, limit: int) -> tuple[list[Any], int, int]:
    """What was found, the stretches, and how many of them were foreseen wrongly."""
    together, found, count, again = Stretches("f"), list[Any](), 0, 0
    for stretch in x12_stretches(io.BytesIO(raw), b"", size):
        count += 1
        again += stretch.start != together.stands
        for one in read_stretch("f", stretch._replace(start=together.stands), limit):
            found += together.end(one) if isinstance(one, StretchEnd) else [together.take(one)]
    return found, count, again


def test_clean_files_are_cut_often_and_every_place_is_foreseen() -> None:
    for raw in BASES:
        found, count, again = in_stretches(raw, 1_500, 2**20)
        assert found == at_once(raw, 2**20)
        assert count > 3
        assert not again
        assert sum(not isinstance(one, Refusal) for one in found) > 20


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(BASES), st.lists(CHANGE, max_size=4), st.sampled_from([700, 4_000]), st.sampled_from([300, 2**20])
)
def test_broken_files_read_in_stretches_are_the_same_claims_refusals_and_ends(
    base: bytes, changes: list[tuple[int, int, bytes, bool]], size: int, limit: int
) -> None:
    raw = bytearray(base)
    for place, gone, new, between in changes:
        start = raw.find(b"~", place) + 1 if between else place
        raw[start : start + gone] = new
    assert in_stretches(bytes(raw), size, limit)[0] == at_once(bytes(raw), limit)


def test_where_blocks_end_decides_nothing_of_long_or_indented_segments() -> None:
    raw = BASES[0].replace(b"CLM*", b" CLM*", 3).replace(b"HI*", b"A" * 66_000 + b"~HI*", 2)
    for ahead in (0, 1, 70_000, len(raw)):
        stream = io.BytesIO(raw[ahead:])
        assert list(read_x12("f", stream, limit=2**20, ahead=raw[:ahead])) == list(
            read_x12("f", io.BytesIO(raw), limit=2**20)
        )
