"""Reading 835 remittances: what was paid, line by line, and nothing of what is damaged."""

from __future__ import annotations

import gzip
import io
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.x12.samples import SAMPLES
from worker.intake.document import Refusal
from worker.intake.x12.remittance import Adjustment, Payment, ProviderAdjustment, read_remittances

ISA = "ISA*00*          *00*          *ZZ*PAYER          *ZZ*HOSPITAL       *261101*1200*^*00501*000000001*0*P*:~"
HEAD = [
    ISA, "GS*HP*PAYER*HOSPITAL*20261101*1200*1*X*005010X221A1~", "ST*835*0001~",
    "BPR*I*100*C*ACH*CCP************20261102~", "TRN*1*CHECK1*1999999999~", "DTM*405*20261101~",
    "N1*PR*SOME PAYER~", "N1*PE*HOSPITAL*XX*1234567893~", "LX*1~",
]  # fmt: skip
CLAIM = [
    "CLP*PCN-1*1*500.5*100*25.5*12*ICN1*11*1~", "CAS*CO*A1*75**94*-10~", "NM1*QC*1*CANARY*ANNA****MI*SECRET1~",
    "MOA***MA01*N1~", "SVC*HC:64445:RT*450.5*100**1~", "DTM*472*20261001~", "CAS*CO*45*60**151*265**~",
    "CAS*PR*2*25.5~", "REF*6R*1~", "LQ*HE*N362~", "LQ*RX*70~", "SVC*HC:J3301*50*0*0636*1*HC:J3302~", "CAS*OA*18*50~",
]  # fmt: skip
TAIL = ["PLB*1234567893*20261231*WO:1*5~", "SE*20*0001~", "GE*1*1~", "IEA*1*000000001~"]
PAY = ["CLP*PCN-2*4*10*0~", "CAS*CO*29*10~"]


def read(*segments: str) -> list[Payment | Refusal]:
    found = read_remittances("era.835", io.BytesIO("\n".join(segments).encode()))
    return [one for one in found if not isinstance(one, ProviderAdjustment)]


def test_every_field_of_a_claim_is_where_it_belongs() -> None:
    one, two = read(*HEAD, *CLAIM, *PAY, *TAIL)
    assert isinstance(one, Payment)
    assert (one.claim_id, one.status, one.control, one.day) == ("PCN-1", "1", "ICN1", date(2026, 11, 1))
    assert (one.charge, one.paid) == (Decimal("500.5"), Decimal(100))
    assert one.adjustments == (Adjustment("CO", "A1", Decimal(75)), Adjustment("CO", "94", Decimal(-10)))
    assert one.remarks == ("MA01", "N1")
    block, drug = one.services
    assert (block.procedure, block.charge, block.paid, block.line) == ("64445", Decimal("450.5"), Decimal(100), "1")
    assert [(each.group, each.reason, str(each.amount)) for each in block.adjustments] == [
        ("CO", "45", "60"), ("CO", "151", "265"), ("PR", "2", "25.5"),
    ]  # fmt: skip
    assert block.remarks == ("N362",)
    assert (drug.procedure, drug.line) == ("J3302", None)
    assert not one.balances
    assert isinstance(two, Payment)
    assert two.balances
    assert "CANARY" not in repr(one)
    assert "SECRET1" not in repr(one)


def test_a_file_that_is_packed_reads_the_same() -> None:
    content = "".join([*HEAD, *CLAIM, *TAIL]).encode()
    found, _ = read_remittances("era.835.gz", io.BytesIO(gzip.compress(content)))
    assert found == read(*HEAD, *CLAIM, *TAIL)[0]
    *_, last = read_remittances("era.835.gz", io.BytesIO(gzip.compress(content)[:-20]))
    assert isinstance(last, Refusal)


@pytest.mark.parametrize(
    ("segments", "sentence"),
    [
        ([*HEAD, "CLP**1*1*1~", *TAIL], "ST 0001 / claim 1 / segment 11: CLP01, the claim id, is missing"),
        ([*HEAD, "CLP*A*1*1,5*1~", *TAIL], "CLP03: expected a decimal number"),
        ([*HEAD, "CLP*A*1*1*1~", "SVC*HC>64445*1*1~", *TAIL], "SVC01: expected components separated by ':' (ISA16)"),
        ([*HEAD, "CLP*A*1*1*1~", "CAS*CO*45*x~", *TAIL], "CAS03: expected a decimal number"),
        ([*HEAD, "CLP*A*1*1*1~"], "the file ends before the end of the set (SE) after this claim"),
        (HEAD, "the file ends before the end of the set (SE)"),
        ([*HEAD, "CLP*A*1*1*1~", "SVC*HC:64445*1"], "the file ends inside a segment"),
        ([*HEAD, "CLP*A*1*1*1~", *TAIL[2:]], "the set ends without SE after this claim"),
        ([ISA, "GS*HC~", "ST*837*0001~", *TAIL[1:]], "this transaction set is no 835"),
        ([""], "there is no 835 in this file"),
    ],
)
def test_what_cannot_be_read_is_reported_with_its_place_and_without_its_content(
    segments: list[str], sentence: str
) -> None:
    found = read(*segments)
    assert len(found) == 1
    assert isinstance(found[0], Refusal)
    assert sentence in f"{found[0].position}: {found[0].sentence}"


def test_a_claim_that_is_damaged_takes_no_other_along() -> None:
    found = read(*HEAD, "CLP*A*1*x*1~", *PAY, "CLP*B*1*y*1~", *PAY, *TAIL)
    assert [isinstance(one, Payment) for one in found] == [False, True, False, True]


@pytest.mark.parametrize(
    ("before", "whole"),
    [([], 1), (PAY, 1), ([*PAY, TAIL[0]], 2), ([*PAY, "LX*2~"], 2)],
    ids=["first", "behind a claim, which may not be whole", "behind PLB", "behind LX"],
)
def test_a_claim_whose_first_segment_is_lost_is_reported_wherever_it_stands(before: list[str], whole: int) -> None:
    found = read(*HEAD, *before, "CLP*A*1*5*5***" + "x" * 200_000 + "~", "SVC*HC:64445*5*5~", *PAY, *TAIL)
    assert [one.claim_id for one in found if isinstance(one, Payment)] == ["PCN-2"] * whole
    (lost,) = (one for one in found if isinstance(one, Refusal))
    assert "a segment has more than" in lost.sentence


@given(st.lists(st.sampled_from([*HEAD, *CLAIM, *PAY, *TAIL]), max_size=40), st.binary(max_size=20))
def test_nothing_in_a_file_raises(segments: list[str], end: bytes) -> None:
    list(read_remittances("era.835", io.BytesIO("".join([*HEAD, *segments]).encode() + end)))


def test_the_public_examples_are_read_and_balance() -> None:
    files = sorted((SAMPLES / "x12" / "lfh").glob("*.835"))
    if not files:
        pytest.skip(f"there are no public samples in {SAMPLES}")
    found = []
    for file in files:
        with file.open("rb") as stream:
            found += list(read_remittances(file.name, stream))
    claims = [one for one in found if not isinstance(one, ProviderAdjustment)]
    assert (len(claims), len(found)) == (8, 9)
    assert all(isinstance(one, Payment) and one.balances and one.day for one in claims)
    assert {one.claim_id for one in found if isinstance(one, Payment)} >= {"5554555444", "8765432112", "666123"}
