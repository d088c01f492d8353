"""What the readers pass over is classed, noted where a rule could ask it, and a gap where one would have."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import orjson
import pytest

from rules.claim import Claim, read_claim
from rules.engine.check import check
from rules.report import Gap, Report
from rules.unread import UNREAD, asked_of, mattering
from tests.book import BOOK
from tests.x12 import examples
from tests.x12.test_reader import one, read, refusals
from tests.x12.writer import file_of
from worker.intake.events import digest
from worker.intake.plain import read_plain
from worker.intake.x12.fields import DIAGNOSES, FIELDS, LOOPS

PROFESSIONAL = {key: value for key, value in examples.PROFESSIONAL.items() if key != "not_read"}
INSTITUTIONAL = {key: value for key, value in examples.INSTITUTIONAL.items() if key != "not_read"}
SPECIAL = {"HI", "LX", "SVD", "LIN"}
"""Of which each element or qualifier is read or classed for itself."""
SEVERAL = {"REF", "DTP", "AMT"}
"""Segments of which a loop has several, by a qualifier."""


def inserted(raw: str, before: str, segments: str) -> str:
    """The file with these segments more in its first claim, and a count that follows."""
    assert before in raw
    more = segments.count("~")
    counted = re.sub(r"SE\*(\d+)\*", lambda found: f"SE*{int(found[1]) + more}*", raw, count=1)
    return counted.replace(before, segments + before, 1)


def inside_claim() -> list[tuple[str, str, str]]:
    """Form, loop and segment of all that may stand in a claim, by the reader's own loops."""
    return [
        (form, loop.name, segment)
        for loop in LOOPS
        for form in loop.forms
        if loop.name[:2] in ("23", "24")
        for segment in (*loop.opens, *loop.members.split())
    ]


def classed(form: str) -> set[str]:
    return {place for row in UNREAD if form in row.forms for place in row.places()}


def test_every_segment_of_a_claim_is_read_or_classed() -> None:
    filled = {(form, row.loop, row.segment) for row in FIELDS for form in row.forms}
    ids = {(form, loop, segment.partition("*")[0]) for form, loop, segment in filled if segment[:3] != "NM1"}
    left = [
        f"837{form} {loop} {segment}"
        for form, loop, segment in inside_claim()
        if segment not in SPECIAL
        and (form, loop, segment) not in filled
        and (segment in SEVERAL or (form, loop, segment) not in ids)
        and not classed(form) & {f"{loop} {segment}", segment}
    ]
    assert left == []


def test_every_qualifier_of_hi_that_is_no_diagnosis_is_classed() -> None:
    passed = {f"2300 HI*{qualifier}" for qualifier, target in DIAGNOSES.items() if target is None}
    for form in "PI":
        assert passed <= classed(form)


def test_no_place_is_classed_twice_and_what_could_matter_is_a_place_that_the_reader_knows() -> None:
    for form in "PIF":
        places = [place for row in UNREAD if form in row.forms for place in row.places()]
        assert len(places) == len(set(places))
    for form in "PI":
        known = {f"{loop} {segment}" for kind, loop, segment in inside_claim() if kind == form}
        for place in mattering(form):
            assert {place, place.partition("*")[0]} & known


def test_each_code_that_could_ask_is_a_rule_of_the_book() -> None:
    codes = {rule.code for rule in BOOK.rules}
    assert {code for row in UNREAD for code in row.rules} <= codes


IN_A_PROFESSIONAL_CLAIM = {
    "2300 PWK": ("HI*", "PWK*OZ*BM***AC*DMN0012~\n"),
    "2300 REF*4N": ("HI*", "REF*4N*3~\n"),
    "2300 HI*ABN": ("HI*", "HI*ABN:W1839XA~\n"),
    "2300 HI*BP": ("HI*", "HI*BP:29881~\n"),
    "2310A NM1*P3": ("NM1*82*", "NM1*P3*1*CANARY*ANN****XX*1234567893~\nREF*G2*CANARY~\n"),
    "2400 PWK": ("DTP*472*", "PWK*OZ*BM***AC*DMN0012~\n"),
    "2420B-H NM1*DK": ("LX*2~", "NM1*DK*1*CANARY*ANN****XX*1234567893~\n"),
}
NO_MATTER = {
    "a date": ("HI*", "DTP*454*D8*20260901~\n"),
    "a condition": ("HI*", "CRC*07*Y*01~\n"),
    "another number": ("HI*", "REF*EA*CANARY~\n"),
    "a number of the line": ("DTP*472*", "REF*9B*CANARY~\n"),
    "another payer's adjustment": ("LX*1~", "SBR*S*18*******CI~\nCAS*CO*45*10~\nOI***Y***Y~\nNM1*PR*2*X*****PI*Y~\n"),
}


@pytest.mark.parametrize("place", IN_A_PROFESSIONAL_CLAIM)
def test_what_a_rule_could_ask_is_noted_by_its_place_alone(place: str) -> None:
    found = one(inserted(file_of([PROFESSIONAL]), *IN_A_PROFESSIONAL_CLAIM[place]))
    assert found.pop("not_read") == [place]
    assert found == PROFESSIONAL


@pytest.mark.parametrize("name", NO_MATTER)
def test_what_no_rule_asks_leaves_the_claim_as_it_is(name: str) -> None:
    assert "not_read" not in one(inserted(file_of([PROFESSIONAL]), *NO_MATTER[name]))


def test_what_is_noted_of_one_claim_is_not_of_the_next() -> None:
    raw = inserted(file_of([PROFESSIONAL, PROFESSIONAL]), *IN_A_PROFESSIONAL_CLAIM["2300 PWK"])
    assert [getattr(found, "value", {}).get("not_read") for found in read(raw)] == [["2300 PWK"], None]
    assert not refusals(raw)


def test_of_the_codes_of_a_hospitals_claim_those_of_treatment_alone_are_passed_over() -> None:
    raw = file_of([INSTITUTIONAL])
    assert "not_read" not in one(raw)
    found = one(inserted(raw, "HI*", "HI*BH:32:D8:20261001~\nHI*BG:20~\nHI*BE:80:::4~\nHI*TC:12~\n"))
    assert "not_read" not in found
    assert found["condition_codes"][0] == "20"
    assert found["value_codes"][0] == {"code": "80", "amount": "4"}
    assert found["occurrences"][0] == {"code": "32", "day": "2026-10-01", "group": 1}


def judged(base: dict[str, Any], **changes: Any) -> tuple[Report, list[Gap]]:
    report = check(read_claim({**base, **changes}), BOOK, received=date(2026, 10, 20))
    return report, [gap for gap in report.gaps if gap.kind == "field_not_read"]


def test_a_gap_names_each_rule_that_applies_and_would_have_asked_and_changes_no_way() -> None:
    plain, none = judged(PROFESSIONAL)
    report, gaps = judged(PROFESSIONAL, not_read=["2310A NM1*P3", "2300 REF*4N", "2300 PWK"])
    assert none == []
    # No table of the hospital wants an authorization, and no line has modifier 22.
    assert [(gap.rule, gap.line) for gap in gaps] == [("IDN002", None)]
    assert gaps[0].sentence.startswith("2310A NM1*P3 is on the claim and was not read: ")
    assert (report.disposition, report.findings) == (plain.disposition, plain.findings)


def test_records_that_go_with_a_claim_are_asked_where_its_payer_wants_them() -> None:
    line = {**PROFESSIONAL["lines"][0], "modifiers": ["RT", "22"]}
    for payer, rules in (("60054", ["DOC007"]), ("87726", [])):
        changes = {"payer": {"id": payer, "filing_indicator": "CI"}, "lines": [line]}
        assert [gap.rule for gap in judged(PROFESSIONAL, not_read=["2300 PWK"], **changes)[1]] == rules


def test_a_place_that_no_release_knows_is_no_gap() -> None:
    assert judged(PROFESSIONAL, not_read=["2300 XYZ"])[1] == []


def test_a_claim_with_a_gap_shares_no_report_with_one_without() -> None:
    for places in ([], ["2310A NM1*P3"], [], ["2310A NM1*P3"]):
        assert len(judged(PROFESSIONAL, not_read=places)[1]) == len(places)


def test_what_was_passed_over_is_no_part_of_the_digest_by_which_a_repeat_is_known() -> None:
    noted = {**PROFESSIONAL, "not_read": ["2300 PWK"]}
    assert digest(noted) == digest(PROFESSIONAL)
    assert digest({**noted, "claim_id": "OTHER"}) != digest(PROFESSIONAL)


def test_it_is_read_by_both_readers_of_claims() -> None:
    data = {**PROFESSIONAL, "not_read": ["2300 PWK"]}
    content = orjson.dumps(data, default=str)
    quick = read_plain(orjson.loads(content), content)
    whole = read_claim(data)
    assert isinstance(whole, Claim)
    assert whole.not_read == ("2300 PWK",)
    assert quick is not None
    assert tuple(quick.not_read) == whole.not_read


def test_every_place_that_could_matter_is_named_with_its_rules() -> None:
    assert all(row.rules and row.why[0].islower() for row in asked_of().values())
