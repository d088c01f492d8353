"""Every claim of an 837 is in exactly one class, whatever the file: its bytes are those of the original.

How the world splits 837s, and breaks them: LinuxForHealth/x12#143 (claims sit at two depths, under subscribers and under
dependents; code tends to walk one of them), azoner/pyx12#38 (a subscriber level without claims of its own),
LibreHealthIO/lh-ehr#1022 (interchanges one after the other in one file), kputnam/stupidedi#106 and indice-co/EDI.Net#19
(a line break as terminator), indice-co/EDI.Net#231 (CR LF behind each segment), phatboyg/Machete#44 (a blank before the
terminator of ISA).
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.exits.splitting import (
    DISPOSITIONS,
    Result,
    assert_each_claim_is_in_one_class,
    assert_what_goes_on_is_sound,
    cut,
    read_back,
    split,
)
from tests.x12.samples import SAMPLES
from tests.x12.test_roundtrip import claims
from tests.x12.writer import GUIDES, Segments, hierarchy, interchange, transaction

TESTS = Path(__file__).parents[1]
SHARED = SAMPLES.parent
FILES = sorted(
    {
        path
        for folder in (TESTS, SHARED / "cases", SAMPLES / "x12")
        if folder.is_dir()
        for path in folder.rglob("*")
        if path.is_file() and re.search(r"\.(837\w*|txt|x12|edi)$", path.name) and "835" not in path.name
    }
)


WHOLE = b"\n".join(
    path.read_bytes()
    for path in (
        TESTS / "x12/form/clean_p.837", TESTS / "x12/reading/base_p.837", TESTS / "x12/form/clean_i.837",
        TESTS / "x12/reading/base_i.837",
    )
)  # fmt: skip
"""Four interchanges."""


def turns(shift: int) -> Callable[[int], str]:
    return lambda number: DISPOSITIONS[(number + shift) % 3]


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """Interchanges with groups and sets, claims of subscribers and dependents, some of one claim, some of many."""
    separators = draw(st.sampled_from(["*:~", "|>\n", "~^_", "*\x1f\x1d", "*:\r"]))
    end = draw(st.sampled_from(["", "\n", "\r\n"])) if separators[2] not in "\r\n" else ""
    raw = b""
    pools: dict[str, list[dict[str, Any]]] = {}
    for control in range(1, draw(st.integers(1, 3)) + 1):
        form = draw(st.sampled_from(["professional", "institutional"]))
        groups = []
        if form not in pools:
            pools[form] = draw(st.lists(claims(form), min_size=1, max_size=2))
        for group in range(1, draw(st.integers(1, 2)) + 1):
            sets = [
                transaction(levels(draw, pools[form], separators[1]), form, f"{number:04d}")
                for number in range(1, draw(st.integers(1, 2)) + 1)
            ]
            groups.append((group, sets))
        raw += enveloped(groups, form, control, separators, end).encode()
    return raw


def levels(draw: st.DrawFn, pool: list[dict[str, Any]], component: str) -> Segments:
    """Claims like some of the pool; some subscribers have claims of their own and those of a dependent."""
    chosen = draw(st.lists(st.tuples(st.sampled_from(pool), st.booleans()), min_size=1, max_size=6))
    numbered = [
        ({"patient": {}, **claim, "claim_id": f"{claim['claim_id'][:20]}{number}"}, dependent)
        for number, (claim, dependent) in enumerate(chosen)
    ]
    body = hierarchy(numbered, component)
    return with_a_claim_of_the_subscriber(body) if draw(st.booleans()) else body


def with_a_claim_of_the_subscriber(body: Segments) -> Segments:
    """The claim of the first dependent stands under its subscriber as well."""
    dependent = next((place for place, segment in enumerate(body) if segment[0] == "HL" and segment[3] == "23"), None)
    if dependent is None:
        return body
    start = next(place for place in range(dependent, len(body)) if body[place][0] == "CLM")
    end = next((place for place in range(start + 1, len(body)) if body[place][0] in ("CLM", "HL")), len(body))
    own = [list(segment) for segment in body[start:end]]
    own[0][1] = "OWN" + own[0][1][:20]
    return [*body[:dependent], *own, *body[dependent:]]


def enveloped(groups: list[tuple[int, list[Segments]]], form: str, control: int, separators: str, end: str) -> str:
    text = interchange([], form, control, separators, end)
    element, _, terminator = separators
    isa, _, _, iea, *_ = text.split(terminator + end)
    out = [isa]
    for number, sets in groups:
        out.append(element.join(["GS", "HC", "SENDER", "RECEIVER", "20260101", "1200", str(number), "X", GUIDES[form]]))
        out += [joined(segment, element) for one in sets for segment in one]
        out.append(element.join(["GE", str(len(sets)), str(number)]))
    iea = element.join(["IEA", str(len(groups)), f"{control:09d}"])
    return "".join(segment + terminator + end for segment in [*out, iea])


def joined(segment: list[str], element: str) -> str:
    while segment and not segment[-1]:
        segment = segment[:-1]
    return element.join(segment)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(raw=files(), data=st.data())
def test_of_any_file_whatever_its_verdicts(raw: bytes, data: st.DataObject) -> None:
    chosen: dict[int, str] = {}

    def choose(number: int) -> str:
        return chosen.setdefault(number, data.draw(st.sampled_from(DISPOSITIONS)))

    with tempfile.TemporaryDirectory() as folder:
        result = split(raw, Path(folder), choose)
    assert result is not None
    rows = result.manifest["claims"]
    assert not [row for row in rows if row["kind"] == "refused"]
    assert [raw[row["offset"] : row["offset"] + row["bytes"]] for row in rows] == cut(raw)
    assert_each_claim_is_in_one_class(result)
    assert_what_goes_on_is_sound(result)


INSERTED = st.sampled_from(
    [
        b"~",
        b"*",
        b"\r\n",
        b"\xff",
        b" ",
        b"ISA*00*",
        b"HL*1**20*1~",
        b"SE*1*1~",
        b"CLM*X*1~",
        b"~\x0b~",
        b"~ ~",
        b"\x1d",
    ]
)


@st.composite
def broken(draw: st.DrawFn) -> bytes:
    """One to three breaks of four interchanges."""
    raw = WHOLE
    for _ in range(draw(st.integers(1, 3))):
        first, last = sorted((draw(st.integers(1, len(raw) - 1)), draw(st.integers(1, len(raw) - 1))))
        pieces = raw.split(b"~")
        one, other = draw(st.integers(0, len(pieces) - 1)), draw(st.integers(0, len(pieces) - 1))
        match draw(st.sampled_from(["cut", "lost", "put in", "doubled", "segment lost", "segments swapped"])):
            case "cut":
                raw = raw[:last]
            case "lost":
                raw = raw[:first] + raw[min(last, first + 300) :]
            case "put in":
                raw = raw[:first] + draw(INSERTED) + raw[first:]
            case "doubled":
                raw = raw[:last] + raw[first:]
            case "segment lost":
                raw = b"~".join([*pieces[:one], *pieces[one + 1 :]])
            case "segments swapped":
                pieces[one], pieces[other] = pieces[other], pieces[one]
                raw = b"~".join(pieces)
        if len(raw) < 2:
            break
    return raw


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(broken())
def test_of_a_file_that_is_broken_anywhere(raw: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        result = split(raw, Path(folder), turns(0))
    if result is not None:
        assert_each_claim_is_in_one_class(result)
        assert_what_goes_on_is_sound(result)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_of_every_837_there_is(path: Path, tmp_path: Path) -> None:
    raw = path.read_bytes()
    for shift in range(3 if len(raw) < 50_000 else 1):
        folder = tmp_path / str(shift)
        result = split(raw, folder, turns(shift))
        if result is None:
            assert not list(folder.iterdir())
            continue
        assert_each_claim_is_in_one_class(result)
        assert_what_goes_on_is_sound(result)


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the public samples are not beside the project")
def test_of_five_hundred_claims_each_is_read_back_as_it_was(tmp_path: Path) -> None:
    raw = (SAMPLES / "x12/generated/x12sdk-2.2.0_837p_seed7_500.837").read_bytes()
    before = {one.claim.claim_id: one.claim for one in read_back(raw)}
    result = split(raw, tmp_path, turns(0))
    assert isinstance(result, Result)
    after = {
        one.claim.claim_id: one.claim
        for kind in ("clean", "held", "unchecked")
        for one in read_back(result.files[kind])
    }
    assert after == before
