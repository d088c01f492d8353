"""Field by field agreement with pyx12 and x12sdk, on the public generated files and on claims with 64445 lines."""

from __future__ import annotations

import io
import random
from decimal import Decimal
from functools import cache
from typing import Any

import pytest
from x12sdk.generate import ClaimSpec, PatientSpec, ServiceLineSpec, SubmissionSpec, generate_837i, generate_837p

from tests.x12.oracles import as_oracle, by_pyx12, by_x12sdk, comparable
from tests.x12.samples import SAMPLES
from worker.intake.document import Document
from worker.intake.x12 import read_x12

GENERATED = sorted((SAMPLES / "x12/generated").glob("*.837")) if SAMPLES.is_dir() else []
MODIFIERS = [[], ["RT"], ["LT"], ["50"], ["RT", "59"], ["LT", "XS", "GA", "KX"]]
DIAGNOSES = [["M5431"], ["M5432", "G5702"], ["G5701", "M5416", "M961", "R52"]]


def read(raw: str) -> list[dict[str, Any]]:
    found = list(read_x12("f", io.BytesIO(raw.encode()), limit=2**20))
    assert [item.problems for item in found if not isinstance(item, Document)] == []
    return [item.value for item in found if isinstance(item, Document)]


def agree(raw: str, *, both: bool = True) -> int:
    claims = read(raw)
    oracles = [by_pyx12(raw)] + ([list(by_x12sdk(raw))] if both else [])
    for theirs in oracles:
        assert len(claims) == len(theirs)
        for claim, other in zip(claims, theirs, strict=True):
            ours = as_oracle(claim)
            assert comparable(ours, other) == comparable(other, ours)
            missing = {key for key, value in other.items() if value not in (None, [], {})} - ours.keys()
            assert not missing
    return len(claims)


@cache
def blocks(form: str, count: int, seed: int) -> str:
    """Claims of x12sdk's generator with 64445 lines, given modifiers and ICD-10-CM diagnoses afterwards."""
    chance = random.Random(seed)
    patients = []
    for _ in range(count):
        lines = [
            ServiceLineSpec(
                charge=Decimal(chance.randint(1, 99_999)) / 100, procedure="64445", units=chance.choice([1, 1, 2])
            )
        ]
        if chance.random() < 0.4:
            lines.append(ServiceLineSpec(charge=Decimal("40.10"), procedure=chance.choice(["99213", "J3301", "76942"])))
        chance.shuffle(lines)
        claim = ClaimSpec(charge=sum((line.charge for line in lines), Decimal(0)), lines=lines)
        patients.append(PatientSpec(claims=[claim], dependent=chance.random() < 0.3))
    generate = generate_837p if form == "P" else generate_837i
    raw = generate(seed=seed, claims=SubmissionSpec(patients=patients))
    return "\n".join(_dressed(line, chance) for line in raw.split("\n"))


def _dressed(segment: str, chance: random.Random) -> str:
    if ":64445*" in segment:
        return segment.replace(":64445*", ":".join([":64445", *chance.choice(MODIFIERS)]) + "*")
    if segment.startswith("HI*BK:"):
        first, *more = chance.choice(DIAGNOSES)
        return "*".join([f"HI*ABK:{first}", *(f"ABF:{code}" for code in more)]) + "~"
    return segment


@pytest.mark.skipif(not GENERATED, reason="the public samples are not beside the project")
@pytest.mark.parametrize("name", ["837p", "837i"])
def test_generated_samples_are_read_as_the_oracles_read_them(name: str) -> None:
    raw = next(file for file in GENERATED if name in file.name).read_text()
    cut = raw[: raw.index("HL*60*")]
    count = cut.count("~") - 1  # without ISA and GS, with SE
    assert agree(cut + f"SE*{count}*0001~\nGE*1*1~\nIEA*1*000000001~\n") > 30


@pytest.mark.parametrize("form", ["P", "I"])
def test_claims_with_64445_are_read_as_the_oracles_read_them(form: str) -> None:
    raw = blocks(form, 40, 11)
    assert agree(raw, both=True) == 40
    assert sum(line.get("procedure") == "64445" for claim in read(raw) for line in claim["lines"]) == 40


@pytest.mark.slow
@pytest.mark.skipif(not GENERATED, reason="the public samples are not beside the project")
@pytest.mark.parametrize("file", GENERATED, ids=lambda file: file.name)
def test_every_generated_claim_is_read_as_the_oracles_read_it(file: Any) -> None:
    assert agree(file.read_text()) == 500


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("form", "seed"), [("P", 1), ("P", 2), ("I", 3)])
def test_a_thousand_claims_with_64445_are_read_as_the_oracles_read_them(form: str, seed: int) -> None:
    raw = blocks(form, 500, seed)
    assert agree(raw) == 500
    assert sum(line.get("procedure") == "64445" for claim in read(raw) for line in claim["lines"]) == 500
