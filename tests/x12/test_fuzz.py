"""Damaged files: never a crash, never without end, and no claim that is neither read as it is nor reported."""

from __future__ import annotations

import copy
import io
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.x12.examples import INSTITUTIONAL, PROFESSIONAL
from tests.x12.writer import apart, file_of
from worker.intake.document import Document, Refusal
from worker.intake.documents import read_documents

FEW = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def several(base: dict[str, Any]) -> list[dict[str, Any]]:
    """Four claims that differ in everything that could slip from one to another."""
    made = []
    for number in range(4):
        claim = copy.deepcopy(base)
        claim["claim_id"] = f"PCN-{number}"
        claim["subscriber"]["member_id"] = f"MEMBER{number}"
        claim["patient"]["birth_date"] = f"19{number}0-01-01"
        claim["payer"]["id"] = f"PAYER{number}"
        claim["diagnoses"][0] = f"M54{number}"
        for line in claim["lines"]:
            line["charge"] = f"{number + 1}{line['number']}.00"
        made.append(claim)
    return made


DEPENDENT = [False, True, False, True]
FILES = {
    form: (
        [apart(one) if dependent else one for one, dependent in zip(several(base), DEPENDENT, strict=True)],
        file_of(several(base), dependent=DEPENDENT),
    )
    for form, base in (("P", PROFESSIONAL), ("I", INSTITUTIONAL))
}
SEGMENTS = {form: raw.split("~\n")[:-1] for form, (_, raw) in FILES.items()}


def read(raw: str | bytes) -> list[Document | Refusal]:
    return list(read_documents("f", io.BytesIO(raw if isinstance(raw, bytes) else raw.encode()), limit=2**20))


def fields(item: Document) -> dict[str, Any]:
    """Without what the syntax layer says of the file: it has more to say of a damaged one."""
    return {key: value for key, value in item.value.items() if key != "form_faults"}


def told(found: list[Document | Refusal]) -> bool:
    return any(isinstance(item, Refusal) for item in found)


def within(part: Any, whole: Any) -> bool:
    """Whether all that the part has is in the whole as it is."""
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(key in whole and within(value, whole[key]) for key, value in part.items())
    return bool(part == whole)


IDENTITY = ("subscriber", "patient", "payer", "billing_provider")


def sound(found: list[Document | Refusal], form: str, damaged: str) -> None:
    """Each CLM is accounted for; what was read has the owner it had; whatever is not as it was is reported."""
    whole = {claim["claim_id"]: claim for claim in FILES[form][0]}
    numbers = [item.number for item in found if item.number]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) == sum(segment.startswith("CLM*") for segment in damaged.split("~\n"))
    same = 0
    for item in found:
        if isinstance(item, Document):
            claim = whole.get(item.value["claim_id"])
            same += fields(item) == claim
            if claim is not None and fields(item) != claim:
                assert told(found)
    assert told(found) or same >= 4


@FEW
@given(form=st.sampled_from("PI"), places=st.lists(st.integers(0, 500), min_size=1, max_size=3))
def test_segments_that_are_cut_out(form: str, places: list[int]) -> None:
    segments = list(SEGMENTS[form])
    for place in places:
        del segments[1 + place % (len(segments) - 1)]  # without an ISA nothing is read at all
    damaged = "~\n".join(segments) + "~\n"
    sound(read(damaged), form, damaged)


@FEW
@given(form=st.sampled_from("PI"), places=st.lists(st.integers(0, 500), min_size=1, max_size=3))
def test_segments_that_are_doubled(form: str, places: list[int]) -> None:
    segments = list(SEGMENTS[form])
    for place in places:
        segments.insert(place % len(segments), segments[place % len(segments)])
    damaged = "~\n".join(segments) + "~\n"
    sound(read(damaged), form, damaged)


@FEW
@given(
    form=st.sampled_from("PI"),
    pairs=st.lists(st.tuples(st.integers(1, 500), st.integers(1, 500)), min_size=1, max_size=3),
)
def test_segments_that_are_swapped(form: str, pairs: list[tuple[int, int]]) -> None:
    segments = list(SEGMENTS[form])
    for one, other in pairs:
        a, b = 1 + one % (len(segments) - 1), 1 + other % (len(segments) - 1)
        segments[a], segments[b] = segments[b], segments[a]
    damaged = "~\n".join(segments) + "~\n"
    found = read(damaged)
    numbers = [item.number for item in found if item.number]
    assert len(numbers) == damaged.count("\nCLM*")


def test_any_one_segment_that_goes_is_reported_and_no_claim_gets_another_ones_owner() -> None:
    for form in "PI":
        whole = {claim["claim_id"]: claim for claim in FILES[form][0]}
        kept = 0
        for place in range(len(SEGMENTS[form])):
            segments = list(SEGMENTS[form])
            gone = segments.pop(place)
            found = read("~\n".join(segments) + "~\n")
            assert told(found), gone
            for item in found:
                if isinstance(item, Document):
                    kept += 1
                    owner = whole[item.value["claim_id"]]
                    for key in IDENTITY:
                        assert within(item.value.get(key, {}), owner[key]), gone
        assert kept > 3 * len(SEGMENTS[form]), "nearly all of the four claims are read each time"


def test_any_one_garbled_segment_identifier_is_reported_and_costs_the_claims_it_may_belong_to() -> None:
    for form in "PI":
        whole = {claim["claim_id"]: claim for claim in FILES[form][0]}
        kept = 0
        for place in range(1, len(SEGMENTS[form])):
            segments = list(SEGMENTS[form])
            segments[place] = "Q" + segments[place]
            found = read("~\n".join(segments) + "~\n")
            assert told(found), segments[place]
            for item in found:
                if isinstance(item, Document):
                    kept += 1
                    assert fields(item) == whole[item.value["claim_id"]], segments[place]
        assert kept > 2 * len(SEGMENTS[form]), "the claims before and after it are read"


@FEW
@given(form=st.sampled_from("PI"), at=st.integers(0, 10_000))
def test_files_that_are_cut_off_anywhere(form: str, at: int) -> None:
    claims, raw = FILES[form]
    cut = raw[: at % len(raw.rstrip("~\n"))]
    found = read(cut)
    assert told(found)
    for item, claim in zip([item for item in found if isinstance(item, Document)], claims, strict=False):
        assert fields(item) == claim


@FEW
@given(raw=st.binary(max_size=3_000))
@example(b"ISA*")
@example(b"ISA" * 300)
def test_any_bytes(raw: bytes) -> None:
    for start in (b"", b"ISA*00*", FILES["P"][1][:106].encode(), FILES["P"][1][:2_000].encode()):
        assert told(read(start + raw))


@FEW
@given(
    form=st.sampled_from("PI"),
    at=st.integers(0, 10_000),
    junk=st.binary(min_size=1, max_size=20),
    drop=st.integers(0, 20),
)
def test_bytes_that_are_overwritten(form: str, at: int, junk: bytes, drop: int) -> None:
    raw = FILES[form][1].encode()
    place = at % len(raw)
    found = read(raw[:place] + junk + raw[place + drop :])
    assert {type(item) for item in found} in ({Document}, {Refusal}, {Document, Refusal})


@FEW
@given(form=st.sampled_from("PI"), at=st.integers(0, 10_000), other=st.sampled_from("PI"))
def test_a_file_that_breaks_off_into_another(form: str, at: int, other: str) -> None:
    cut = FILES[form][1][: max(4, at % len(FILES[form][1].rstrip("~\n")))]
    found = read(cut + FILES[other][1])
    assert told(found)
    assert [fields(item) for item in found if isinstance(item, Document)][-4:] == FILES[other][0]
