"""What SYN finds on a claim the 999 notes: accepted with errors (IK5 E), each segment and element named by its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.x12.test_answers import Answer, checked, made, parsed
from tests.x12.test_not_read import inserted

BASE = {form: (Path(__file__).parent / "reading" / f"base_{form}.837").read_text() for form in ("p", "i")}


def answer(raw: str) -> Answer:
    (found,) = checked(made(raw.encode()))
    return found


def noted(found: Answer) -> list[str]:
    return ["*".join(segment) for segment in found.segments("999", "IK3", "IK4")]


def without(raw: str, segment: str) -> str:
    """The file without that segment, its count with it."""
    assert raw.count(segment) == 1
    count = raw.split("SE*")[1].split("*")[0]
    return raw.replace(segment, "").replace(f"SE*{count}*", f"SE*{int(count) - 1}*")


def place(raw: str, start: str) -> int:
    """Where the first such segment stands in its transaction set, ST being 1."""
    segments = [one.strip() for one in raw[raw.index("ST*837") :].split("~")]
    return 1 + next(at for at, one in enumerate(segments) if one.startswith(start))


def test_a_file_without_a_fault_is_accepted() -> None:
    found = answer(BASE["p"])
    assert noted(found) == []
    assert [one[1:] for one in found.segments("999", "IK5")] == [["A"]]


CASES: dict[str, tuple[str, str, list[str]]] = {
    # what is changed, and what the 999 notes of it; the places are those of the base
    "an element of the claim": ("*Y*A*Y*Y~", "*Y*A*Y*X~", ["IK3*CLM*{CLM}*2300*8", "IK4*9**7"]),
    "a component": ("11:B:1", "11::1", ["IK3*CLM*{CLM}*2300*8", "IK4*5:2**1"]),
    "an element of a line": ("HC:64445:RT*450*UN", "HC:64445:RT*450*XX", ["IK3*SV1*{SV1}*2400*8", "IK4*3**7"]),
    "an element of a level above": ("SBR*P*18*******MB", "SBR*P*18*******ZQ", ["IK3*SBR*{SBR}*2000*8", "IK4*9**7"]),
}


@pytest.mark.parametrize("name", CASES)
def test_each_element_is_named_by_its_place(name: str) -> None:
    old, new, expected = CASES[name]
    if old not in BASE["p"]:
        pytest.fail(f"the base has no {old}")
    raw = BASE["p"].replace(old, new, 1)
    found = answer(raw)
    if not found.segments("277", "STC"):
        pytest.fail("the claim is not read")
    places = {part: place(raw, f"{part}*") for part in ("CLM", "HI", "SV1", "SBR")}
    assert noted(found) == [text.format(**places) for text in expected]
    assert [one[1:] for one in found.segments("999", "IK5")] == [["E", "5"]]
    assert [one[1] for one in found.segments("999", "AK9")] == ["E"]


def test_a_segment_that_is_missing_is_named_at_what_begins_its_level() -> None:
    raw = without(BASE["p"], next(one + "~\n" for one in BASE["p"].split("~\n") if one.startswith("REF*EI")))
    found = answer(raw)
    assert noted(found) == [f"IK3*REF*{place(raw, 'HL*1')}*2010*3"]
    assert found.segments("999", "CTX") == []  # of no claim alone


def test_a_fault_of_a_level_is_noted_once_for_all_claims_beneath() -> None:
    faulty = BASE["p"].replace("SBR*P*18*", "SBR*P*18*****9", 1)
    claim = faulty[faulty.index("CLM*") : faulty.index("SE*")]
    count = int(faulty.split("SE*")[1].split("*")[0])
    twice = faulty.replace(claim, claim + claim.replace("CLM*", "CLM*SECOND-"))
    twice = twice.replace(f"SE*{count}*", f"SE*{count + claim.count('~')}*")
    once = noted(answer(faulty))
    assert once
    assert noted(answer(twice)) == once


def test_what_syn_holds_is_rejected_in_the_277ca_and_its_segment_named_in_the_999() -> None:
    raw = inserted(BASE["i"], "HI*", "").replace(
        next(o for o in BASE["i"].split("~\n") if o.startswith("CL1")) + "~\n", ""
    )
    count = raw.split("SE*")[1].split("*")[0]
    raw = raw.replace(f"SE*{count}*", f"SE*{int(count) - 1}*")
    (found,) = parsed(made(raw.encode()))
    assert f"IK3*CL1*{place(raw, 'CLM*')}*2300*3" in noted(found)
    assert any("SYN001" in "*".join(one) for one in found.segments("277", "STC"))
