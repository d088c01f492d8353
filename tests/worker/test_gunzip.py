"""Gzip of any number of members, whole or cut anywhere: what could be unpacked comes out, and damage is known."""

from __future__ import annotations

import gzip
import io
import itertools

from hypothesis import given
from hypothesis import strategies as st

from worker.intake.gunzip import Gunzip

MEMBERS = st.lists(st.binary(max_size=300) | st.binary(min_size=1, max_size=5).map(lambda b: b * 20_000), max_size=4)


def unpack(packed: bytes) -> tuple[bytes, bool]:
    stream = Gunzip(io.BufferedReader(io.BytesIO(packed)))  # type: ignore[arg-type]
    return io.BufferedReader(stream).read(), stream.damaged


@given(MEMBERS, st.integers(0, 10))
def test_all_members_come_out_one_after_the_other(members: list[bytes], padding: int) -> None:
    packed = b"".join(gzip.compress(member, mtime=0) for member in members) + bytes(padding)
    assert unpack(packed) == (b"".join(members), False)


@given(MEMBERS.filter(bool), st.data())
def test_a_cut_gives_the_beginning_and_is_known_unless_it_falls_between_members(
    members: list[bytes], data: st.DataObject
) -> None:
    packed = [gzip.compress(member, mtime=0) for member in members]
    whole = b"".join(packed)
    cut = data.draw(st.integers(0, len(whole)))
    found, damaged = unpack(whole[:cut])
    assert b"".join(members).startswith(found)
    assert damaged == (cut not in {0, *itertools.accumulate(map(len, packed))})


@given(st.binary(min_size=50, max_size=300), st.integers(0, 10_000), st.integers(1, 255))
def test_a_changed_byte_never_raises(member: bytes, at: int, flip: int) -> None:
    packed = bytearray(gzip.compress(member, mtime=0))
    packed[at % len(packed)] ^= flip
    found, damaged = unpack(bytes(packed))
    assert damaged or found == member
