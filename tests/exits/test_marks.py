"""Marks in the bytes of a file are where the reader sees segments, whatever the bytes."""

from __future__ import annotations

import io

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.exits.test_split import of
from worker.exits.marks import marks
from worker.intake.x12.segments import Broken, Segments, places_of

ISA = b"ISA*00*          *00*          *ZZ*A              *ZZ*B              *261020*0915*^*00501*000000101*0*T*:"
PIECES = st.sampled_from(
    [b"~", b"~~", b"*", b"\r\n", b"\n", b" ", b"\t", b"\x0b", b"\x1d", b"\xc4", b"\xff", b"CLM*A", b"HL*1", b"ISA", b"hl*2",
     b"GS*HC", b"IEA*1", b"X" * 300]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=40).map(b"".join), st.sampled_from([b"~", b"\n", b"\r", b"\x1d", b"'"]))
def test_bytes_and_texts_of_a_batch_are_the_same_segments(body: bytes, terminator: bytes) -> None:
    raw = b"  \n" + ISA + terminator + body
    segments = Segments(io.BytesIO(raw))
    for batch in segments:
        if isinstance(batch, Broken):
            continue
        assert raw[segments.place : segments.place + len(segments.raw)] == segments.raw
        if len(batch) == 1 and batch[0].startswith("ISA*00"):
            continue
        mark = segments.terminator.encode("latin-1")
        found = [segments.raw[start : start + size] for start, size in places_of(segments.raw, mark)]
        assert len(found) == len(batch)
        for text, piece in zip(batch, found, strict=True):
            plain = piece.removesuffix(mark).replace(b"\r", b"").replace(b"\n", b"")
            assert text.strip() in {plain.decode(name, "replace").strip() for name in ("utf-8", "cp1252", "latin-1")}


def test_a_mark_reaches_to_the_next_segment_over_blocks_of_the_reader() -> None:
    raw = of(([f"C-{number}" for number in range(900)], [])).replace(b"~", b"~\r\n")
    assert len(raw) > 2 * 2**16
    found = list(marks(io.BytesIO(raw)))
    assert [mark.name for mark in found] == ["ISA", "GS", "ST", "BHT", "HL", "HL", *["CLM"] * 900, "SE", "GE", "IEA"]
    for mark in found:
        assert raw[mark.start :].startswith(mark.name.encode())
        assert raw[mark.start : mark.end].endswith(b"~\r\n")
        assert raw[mark.start : mark.end].count(b"~") == 1
        assert raw[mark.start + mark.size - 1 : mark.start + mark.size] == b"~"
    assert found[-1].segment == raw.count(b"~")
