"""Reading 837 files: what claims inherit, what is refused, and what is reported of the envelope."""

from __future__ import annotations

import copy
import gzip
import io
from datetime import date
from typing import Any

import pytest

from rules.claim import Claim
from rules.engine.check import check
from tests.book import BOOK
from tests.rules.drawn import filled_paths, paths
from tests.x12.examples import INSTITUTIONAL, PROFESSIONAL
from tests.x12.writer import file_of, hierarchy, interchange, transaction
from worker.intake.document import Document, Refusal
from worker.intake.documents import read_documents
from worker.intake.x12 import read_x12
from worker.intake.x12.fields import FIELDS


def read(raw: str | bytes, limit: int = 2**20) -> list[Document | Refusal]:
    data = raw if isinstance(raw, bytes) else raw.encode()
    return list(read_documents("f.837", io.BytesIO(data), limit=limit))


def one(raw: str | bytes) -> dict[str, Any]:
    (found,) = read(raw)
    assert isinstance(found, Document), found
    return found.value


def refusals(raw: str | bytes, limit: int = 2**20) -> list[str]:
    return [str(problem) for item in read(raw, limit) if isinstance(item, Refusal) for problem in item.problems]


def claim(base: dict[str, Any] = PROFESSIONAL, **changes: Any) -> dict[str, Any]:
    return {**copy.deepcopy(base), **changes}


def test_every_field_that_an_837_holds_is_read() -> None:
    assert one(file_of([PROFESSIONAL])) == PROFESSIONAL
    assert one(file_of([INSTITUTIONAL])) == INSTITUTIONAL
    filled = {item.path.replace("[]", "").split(".")[0] for item in FIELDS}
    assert filled | {"form", "diagnoses", "admitting_diagnosis", "reason_diagnoses", "not_read"} == set(
        PROFESSIONAL
    ) | set(INSTITUTIONAL)


NOT_IN_837 = {
    "received_date", "payer.plan", "payer.line_of_business", "billing_provider.participating", "service_facility.kind",
    "referring_provider.taxonomy", "operating_provider.taxonomy",
}  # fmt: skip


def test_every_field_of_the_claim_model_is_read_from_one_of_the_files_or_is_not_in_an_837() -> None:
    read_ = filled_paths(one(file_of([PROFESSIONAL]))) | filled_paths(one(file_of([INSTITUTIONAL])))
    missing = {path for path in paths(Claim) if path not in read_ and not path.startswith("documentation")}
    assert missing == NOT_IN_837


@pytest.mark.parametrize("base", [PROFESSIONAL, INSTITUTIONAL], ids=["P", "I"])
@pytest.mark.parametrize("separators", ["*:~", "|>'", "~^_", "*:\n", "*:\r", "+<\x1c"])
@pytest.mark.parametrize("end", ["", "\n", "\r\n", " \n\n"])
def test_separators_come_from_the_isa_and_line_breaks_do_not_matter(base: Any, separators: str, end: str) -> None:
    assert one(file_of([base], separators, end)) == base


def test_a_byte_order_mark_blank_lines_and_what_follows_the_end_do_not_matter() -> None:
    raw = file_of([PROFESSIONAL]).encode()
    assert one(b"\xef\xbb\xbf\r\n \n" + raw + b"\r\n\r\n\x1a") == PROFESSIONAL
    assert one(raw.rstrip().removesuffix(b"~")) == PROFESSIONAL


def test_lines_wrapped_at_eighty_columns_are_read() -> None:
    raw = file_of([PROFESSIONAL], end="")
    assert one("\r\n".join(raw[at : at + 80] for at in range(0, len(raw), 80))) == PROFESSIONAL


@pytest.mark.parametrize(("encoding", "name"), [("utf-8", "JOSÉ"), ("latin-1", "JOSÉ"), ("cp1252", "D’ARCY")])
def test_names_may_be_utf8_latin1_or_what_windows_makes_of_it(encoding: str, name: str) -> None:
    given = claim(patient={**PROFESSIONAL["patient"], "first_name": name})
    assert one(file_of([given]).encode(encoding)) == given


def test_a_claim_inherits_from_its_own_provider_subscriber_and_patient() -> None:
    other = {"npi": "1982345677", "entity": "person", "state": "OK"}
    claims = [
        claim(claim_id="A"),
        claim(claim_id="B", subscriber={"member_id": "222"}, patient={"first_name": "KIM"}),
        claim(claim_id="C", patient={"first_name": "LEE"}),
        claim(claim_id="D", billing_provider=other),
    ]
    found = read(file_of(claims, dependent=[False, False, True, False]))
    assert [item.value for item in found if isinstance(item, Document)] == claims


def test_several_claims_of_one_subscriber_and_of_its_dependents() -> None:
    body = hierarchy([(claim(claim_id="A"), False), (claim(claim_id="B", patient={"first_name": "LEE"}), True)])
    second = [segment for segment in body if segment[0] == "HL" and segment[3] == "22"][1]
    # The dependent's HL hangs on the first subscriber's when the second subscriber level goes.
    start = body.index(second)
    end = next(place for place, segment in enumerate(body) if segment[0] == "HL" and segment[3] == "23")
    body[end][2] = "2"
    found = read(interchange([transaction(body[:start] + body[end:], "professional")], "professional"))
    assert [(item.value["claim_id"], item.value["patient"]) for item in found if isinstance(item, Document)] == [
        ("A", PROFESSIONAL["patient"]), ("B", {"first_name": "LEE"}),
    ]  # fmt: skip


def test_a_dependent_without_demographics_does_not_get_those_of_the_subscriber() -> None:
    raw = file_of([claim(patient={})], dependent=[True])
    assert "patient" not in one(raw)


def test_an_other_payer_that_decided_by_line_has_the_date_of_its_last_decision() -> None:
    raw = file_of(
        [claim(other_payers=[{"payer_id": "60054"}, {"payer_id": "62308", "adjudication_date": "2026-10-09"}])]
    )
    decisions = (
        "SVD*60054*40.00*HC:64445**1~\nDTP*573*D8*20261012~\nSVD*62308*40.00*HC:64445**1~\nDTP*573*D8*20261013~\n",
        "SVD*60054*0*HC:J3301**1~\nCAS*CO*42*3.00~\nDTP*573*D8*20261011~\n",
    )
    at = raw.index("LX*2")
    raw = raw[:at] + decisions[0] + raw[at:].replace("SE*", decisions[1] + "SE*")
    found = [item.value for item in read(raw) if isinstance(item, Document)]
    assert [other["adjudication_date"] for other in found[0]["other_payers"]] == ["2026-10-12", "2026-10-09"]
    assert found[0]["lines"] == PROFESSIONAL["lines"]


def test_place_and_origin_tell_claims_apart_where_control_numbers_repeat() -> None:
    part = file_of([claim(claim_id="A"), claim(claim_id="B")])
    found = read(part + part)
    assert [item.number for item in found] == [1, 2, 3, 4]
    assert len({item.origin for item in found}) == 4
    assert [item.origin for item in found] == [item.origin for item in read(part + part)]
    assert found[1].position.startswith("ISA 000000001 / GS 1 / ST 0001 / claim 2 / segment ")
    assert found[2].origin == "000000001.2/1.1/0001.1/1"


def test_two_interchanges_with_separators_that_clash() -> None:
    mark = "\ufeff"  # as files have it that were put together from others
    last = file_of([PROFESSIONAL], "*:\n", "")
    found = read(file_of([PROFESSIONAL], "*:~") + mark + file_of([INSTITUTIONAL], "~^*") + mark + last)
    assert len(found) == 3
    assert [item.value for item in found if isinstance(item, Document)] == [PROFESSIONAL, INSTITUTIONAL, PROFESSIONAL]


@pytest.mark.parametrize("block", [1, 7, 100, 65_536])
def test_the_size_of_the_blocks_in_which_a_file_arrives_does_not_matter(block: int) -> None:
    class Slow(io.RawIOBase):
        def __init__(self, data: bytes) -> None:
            self.rest = data

        def read(self, size: int = -1) -> bytes:
            part, self.rest = self.rest[:block], self.rest[block:]
            return part

    mark = b"\xef\xbb\xbf" + b"\r\n" * 300
    raw = mark + (file_of([PROFESSIONAL], "*:~") + "\n" * 300 + file_of([INSTITUTIONAL], "~^*")).encode()
    found = list(read_x12("f", Slow(raw), limit=2**20))  # type: ignore[arg-type]
    assert [item.value for item in found if isinstance(item, Document)] == [PROFESSIONAL, INSTITUTIONAL]


def test_a_component_separator_that_is_not_the_one_of_isa16_is_detected() -> None:
    raw = file_of([PROFESSIONAL], "*>~").replace("*T*>~", "*T*:~")
    (found,) = read(raw)
    assert isinstance(found, Refusal)
    assert found.number == 1
    text = " ".join(map(str, found.problems))
    for element in ("CLM05", "HI01", "SV101"):
        assert f"{element}: expected components separated by ':' (ISA16)" in text
    assert "the file seems to use '>'" in text


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("SV1*HC:64445:RT:59*", "SV1*HC>64445>RT>59*"),
        ("SV1*HC:64445:RT:59*", "SV1*HC:64445>RT>59*"),
        ("SV1*HC:64445:RT:59*", "SV1*HC:64445RT*"),
        ("SV1*HC:64445:RT:59*", "SV1*HC:6444559*"),
        ("SV1*HC:64445:RT:59*", "SV1*HC:64447RT*"),
        ("SV1*HC:64445:RT:59*", "SV1*HC:J3301JZ*"),
        ("SV1*HC:64445:RT:59*", "SV1*HC:J330150*"),
        ("SV1*HC:64445:RT:59*", "SV1*HC:0213TRT*"),
        ("SV1*HC:64445:RT:59*", "SV1*64445*"),
        ("SV1*HC:64445:RT:59*", "SV1*IV:64445*"),
        ("SV1*HC:64445:RT:59*", "SV1*HX:64445*"),
        ("SV1*HC:64445:RT:59*450.00*", "SV1*HC:64445:RT*4S0.00*"),
        ("*UN*1*22**1:3~", "*UN*one*22**1:3~"),
        ("*UN*1*22**1:3~", "*UN*1*22**1>3~"),
        ("HI*ABK:M54.31*", "HI*ABK*M54.31*"),
        ("HI*ABK:M54.31*", "HI*BK:M54.31*"),
        ("HI*ABK:M54.31*", "HI*QQ:M54.31*"),
        ("DTP*472*D8*20261001~", "DTP*472*D8*20261301~"),
        ("DTP*472*D8*20261001~", "DTP*472*RD9*20261001-20261001~"),
        ("DTP*472*D8*20261001~", "DTP*472*D8*20261001~\nDTP*472*D8*20261002~"),
        ("DTP*472*D8*20261001~", "ZZZ*472*D8*20261001~"),
        ("LX*1~", "LX*one~"),
        ("LX*1~", "LX*1~\nLX*1~"),
        ("LX*2~\n", ""),
        ("SV1*HC:J3301*", "LX*2*"),
        ("CLM*PCN-1*500.25*", "CLM**500.25*"),
        ("***11:B:7*", "***11:A:7*"),
        ("NM1*PR*2*UHC*****PI*87726~", "NM1*PR*2*UHC~"),
        ("NM1*PR*2*UHC*****PI*87726~", "NM1*PX*2*UHC*****PI*87726~"),
        ("NM1*85*2*", "NM1*8S*2*"),
        ("HL*2*1*22*0~\n", ""),
        ("HL*2*1*22*0~", "HL*2*7*22*0~"),
        ("HL*2*1*22*0~", "HL*2*1*21*0~"),
        ("DMG*D8*19700302*F~", "DMG*D8*19703002*F~"),
        ("NM1*IL*1*ROE*CANARY", "NM1*IL*1*ROE~SMITH*CANARY"),
    ],
)
def test_a_claim_with_64445_that_cannot_be_read_is_refused_and_never_read_as_another(old: str, new: str) -> None:
    raw = file_of([PROFESSIONAL])
    assert old in raw
    found = read(raw.replace(old, new, 1))
    assert [item.number for item in found if item.number] == [1]
    assert isinstance(found[0], Refusal)
    text = " ".join(map(repr, found))
    for private in ("CANARY", "ROE", "SMITH", "912345678", "1970", "CLINIC"):
        assert private not in text


def test_a_claim_without_its_place_is_for_the_rules() -> None:
    (found,) = read(file_of([PROFESSIONAL]).replace("***11:B:7*", "****"))
    assert isinstance(found, Document)
    codes = check(found.claim, BOOK, received=date(2026, 10, 20)).codes("block")
    assert "CLM009" in codes


def test_a_bad_claim_does_not_take_its_neighbors_along() -> None:
    claims = [claim(claim_id=name) for name in "ABC"]
    raw = file_of(claims)
    at = raw.index("HC:64445", raw.index("CLM*B"))
    found = read(raw[:at] + "HC>64445" + raw[at + 8 :])
    assert [(type(item).__name__, item.number) for item in found] == [("Document", 1), ("Refusal", 2), ("Document", 3)]


@pytest.mark.parametrize("lost", ["HL*4*1*22*0~", "SBR*S*18*GRP1******CI~"])
def test_a_lost_level_costs_the_claims_below_it_and_no_others(lost: str) -> None:
    claims = [claim(claim_id=name) for name in "ABCD"]
    raw = file_of(claims)
    at = raw.index(lost, raw.index("CLM*B"))
    found = read(raw[:at] + raw[at:].replace(lost, "", 1))
    read_ids = [item.value["claim_id"] for item in found if isinstance(item, Document)]
    assert {"A", "B", "D"} >= set(read_ids) >= {"A", "D"} or lost.startswith("SBR")
    assert len(read_ids) + sum(1 for item in found if isinstance(item, Refusal) and item.number) == 4


def test_a_file_that_is_cut_off_yields_its_whole_claims_and_says_what_is_missing() -> None:
    raw = file_of([claim(claim_id=name) for name in "ABC"])
    at = raw.index("SV1", raw.index("CLM*C"))
    found = read(raw[: at + 10])
    assert [type(item).__name__ for item in found] == ["Document", "Document", "Refusal", "Refusal"]
    text = " ".join(map(str, found[3].problems))  # type: ignore[union-attr]
    assert "the transaction set ends without SE" in text
    assert "the file ends before IEA" in text
    assert "2 claims read and 1 refused before the end of the file" in text
    between = read(raw[: raw.index("SE*")])
    assert [type(item).__name__ for item in between] == ["Document", "Document", "Refusal", "Refusal"]


def test_a_gzip_that_is_cut_off_yields_its_whole_claims_and_refuses_the_one_that_is_not() -> None:
    raw = file_of([claim(claim_id=f"A{number}", prior_authorization=f"{number * 7919:X}") for number in range(500)])
    packed = gzip.compress(raw.encode())
    assert sum(isinstance(item, Document) for item in read(packed)) == 500
    found = read(packed[: len(packed) // 2])
    claims = [item for item in found if item.number]
    assert len(claims) > 100
    assert [type(item).__name__ for item in claims] == ["Document"] * (len(claims) - 1) + ["Refusal"]
    assert "gzip stream is cut off" in str(found[-1])


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("SE*", "SE*1", "SE01 says"),
        ("*0001~\nGE", "*0002~\nGE", "SE02 is not the control number of ST02"),
        ("SE*", "SE*²*", "SE01 says no number"),
        ("SE*", f"SE*{'9' * 6_000}", "SE01 says no number"),
        ("GE*1*1~", "GE**1~", "GE01 says no number"),
        ("GE*1*1~", "GE*2*1~", "GE01 says 2, and there are 1 transaction sets"),
        ("GE*1*1~", "GE*1*9~", "GE02 is not the control number of GS06"),
        ("IEA*1*", "IEA*5*", "IEA01 says 5, and there are 1 groups"),
        ("IEA*1*000000001~", "IEA*1*000000002~", "IEA02 is not the control number of ISA13"),
        ("IEA*1*000000001~\n", "", "the file ends before IEA"),
        ("GE*1*1~\n", "", "the group ends without GE"),
        ("GS*", "GX*", "is in no"),
        ("*ZZ*SENDER         *", "*ZZ*SENDER*", "ISA06 has 6 characters; expected 15"),
    ],
)
def test_faults_of_the_envelope_are_reported_once_at_the_end_and_cost_no_claim(
    old: str, new: str, sentence: str
) -> None:
    raw = file_of([PROFESSIONAL])
    assert old in raw
    found = read(raw.replace(old, new, 1))
    assert [item.number for item in found] == [1, 0]
    assert isinstance(found[0], Document)
    assert sentence in " ".join(refusals(raw.replace(old, new, 1)))


def test_a_lost_segment_of_the_body_shows_in_the_count() -> None:
    raw = file_of([PROFESSIONAL]).replace("PWK*OZ*BM***AC*DMN0012~\n", "")
    assert any("SE01 says" in text for text in refusals(raw))


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        ("ISA*00*", "does not say which separators"),
        ("ISA" + "*" * 200, "does not say which separators"),
        ("GS*HC*A*B~ST*837*0001~", "expected an ISA segment"),
        (file_of([PROFESSIONAL]).split("GS*")[0], "the file ends before IEA"),
        (file_of([PROFESSIONAL]).replace("ST*837", "ST*835"), "no 837 but 835"),
        (file_of([PROFESSIONAL]).replace("005010X222A2", "004010X098A1"), "version"),
        (file_of([PROFESSIONAL]).replace("005010X222A2", "005010X224A2"), "version"),
        (file_of([PROFESSIONAL]).replace("ST*837*0001*005010X222A2", "ST*837*0001*005010X223A3"), "version"),
        (file_of([PROFESSIONAL]).replace("ST*837*0001*005010X222A2~\n", ""), "no transaction set"),
    ],
)
def test_what_is_no_837_is_refused_with_a_sentence_and_every_claim_of_it(raw: str, sentence: str) -> None:
    found = read(raw)
    assert not any(isinstance(item, Document) for item in found)
    assert sum(bool(item.number) for item in found) == raw.count("CLM*")
    assert sentence in " ".join(refusals(raw))


def test_a_claim_larger_than_the_limit_is_refused_without_being_held() -> None:
    many = claim(lines=[{**PROFESSIONAL["lines"][0], "number": number} for number in range(1, 900)])
    found = read(file_of([claim(claim_id="A"), many, claim(claim_id="C")]), limit=20_000)
    assert [type(item).__name__ for item in found] == ["Document", "Refusal", "Document"]
    assert refusals(file_of([many]), limit=20_000)[0] == "the claim has more than 20000 bytes"


def test_a_segment_without_end_is_passed_over_without_being_held() -> None:
    raw = file_of([claim(claim_id=name) for name in "ABC"])
    at = raw.index("NTE*", raw.index("CLM*B"))
    found = read(raw[:at] + "NTE*ADD*" + "X" * 5_000_000 + "~" + raw[at:])
    assert [(type(item).__name__, item.number) for item in found][:3] == [
        ("Document", 1),
        ("Refusal", 2),
        ("Document", 3),
    ]


def test_the_claims_of_the_reader_can_be_judged() -> None:
    book = BOOK
    for base in (PROFESSIONAL, INSTITUTIONAL):
        (found,) = read(file_of([base]))
        assert isinstance(found, Document)
        report = check(found.claim, book, received=date(2026, 10, 20))
        assert report.disposition in ("billing", "rework")


@pytest.mark.parametrize(
    ("units", "disposition"), [("1", "billing"), ("1.00", "billing"), ("0", "rework"), ("1.5", "rework")]
)
def test_units_of_a_file_reach_the_rules(units: str, disposition: str) -> None:
    line = {
        **PROFESSIONAL["lines"][0],
        "modifiers": ["RT"],
        "units": units,
        "place_of_service": None,
        "diagnosis_pointers": [1],
    }
    line.pop("rendering_provider")
    given = claim(
        lines=[line], total_charge="450.00", frequency_code="1", diagnoses=["M54.31"], other_payers=[],
        payer={"id": "87726", "name": "UHC", "filing_indicator": "CI", "responsibility": "P"},
        rendering_provider={"npi": "1234567893", "taxonomy": "207L00000X"},
    )  # fmt: skip
    for key in ("original_reference_number", "delay_reason_code", "service_facility", "other_payers"):
        given.pop(key)
    (found,) = read(file_of([given]))
    assert isinstance(found, Document)
    assert check(found.claim, BOOK, received=date(2026, 10, 20)).disposition == disposition
