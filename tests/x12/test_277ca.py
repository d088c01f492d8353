"""`scrub check --format x12-277ca`: the acknowledgment says what the reports say, and pyx12's X214 map accepts it."""

from __future__ import annotations

import copy
import io
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import pyx12.codes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rules.book.book import Book
from rules.engine.check import check
from tests.book import BOOK
from tests.cli.conftest import Run
from tests.x12.examples import INSTITUTIONAL, PERSON, PROFESSIONAL
from tests.x12.oracles import validates
from tests.x12.samples import SAMPLES
from tests.x12.test_fuzz import SEGMENTS
from tests.x12.writer import file_of
from worker.books.overrides import with_text
from worker.config.routing import entries
from worker.intake.document import Document
from worker.intake.documents import read_documents
from worker.intake.x12.acknowledgment import Acknowledgment
from worker.intake.x12.statuses import ELEMENTS, STATUSES, UNREADABLE


def clean(**changes: Any) -> dict[str, Any]:
    line = copy.deepcopy(PROFESSIONAL["lines"][0]) | {"modifiers": ["RT"], "diagnosis_pointers": [1]}
    for key in ("rendering_provider", "place_of_service", "decisions"):
        line.pop(key, None)
    dropped = (
        "original_reference_number",
        "delay_reason_code",
        "service_facility",
        "other_payers",
        "prior_authorization",
        "has_long_note",
        "several_principal_diagnoses",
    )
    base = {key: value for key, value in copy.deepcopy(PROFESSIONAL).items() if key not in dropped}
    base |= {
        "lines": [line], "total_charge": "450.00", "frequency_code": "1", "diagnoses": ["M54.31"],
        "payer": {"id": "87726", "name": "UHC", "filing_indicator": "CI", "responsibility": "P"},
        "rendering_provider": {"npi": "1234567893", "taxonomy": "207L00000X", **PERSON},
    }  # fmt: skip
    return base | changes


def with_line(**changes: Any) -> dict[str, Any]:
    claim = clean()
    claim["lines"][0] |= changes
    return claim


def answer(raw: bytes, book: Book = BOOK) -> str:
    out = io.BytesIO()
    acknowledgment = Acknowledgment(out, datetime(2026, 11, 2, 9, 30, tzinfo=UTC))
    for found in read_documents("f.837", io.BytesIO(raw)):
        if isinstance(found, Document):
            acknowledgment.accept(found, check(found.claim, book, received=date(2026, 10, 20)))
        elif found.number:
            acknowledgment.refuse(found)
    acknowledgment.close()
    return out.getvalue().decode("ascii")


def segments(raw: str, *names: str) -> list[str]:
    return [line for line in raw.replace("~\n", "\n").splitlines() if line.startswith(names)]


def valid(raw: str) -> None:
    fine, faults = validates(raw)
    assert fine, faults


def test_a_clean_a_faulty_an_unchecked_and_an_unreadable_claim() -> None:
    other = with_line(procedure="99213", modifiers=[])
    given = [
        clean(claim_id="A"),
        with_line(units="0") | {"claim_id": "B"},
        other | {"claim_id": "C"},
        clean(claim_id="D"),
    ]
    raw = file_of(given)
    at = raw.index("HC:64445", raw.index("CLM*D"))
    made = answer((raw[:at] + "HC>64445" + raw[at + 8 :]).encode())
    valid(made)
    claims = made.split("NM1*QC")[1:]
    status = [segments(claim, "STC")[0] for claim in claims]
    assert status[0] == "STC*A2:20*20261102*WQ*450********NOT LOOKED AT ICD-10-CM FY 2027 (DXN002)"
    assert status[1].startswith("STC*A7:476*20261102*U*450********UNT003 LINE 1 SV104")
    assert status[2].startswith("STC*A1:19:40*20261102*WQ*450********NOT CHECKED")
    assert status[3].startswith("STC*A3:454*20261102*U*450********segment ")
    assert "SV101" in status[3]
    assert [segments(claim, "TRN")[0] for claim in claims] == [f"TRN*2*{name}" for name in "ABCD"]
    assert segments(claims[1], "SVC", "STC*A7:476*20261102*U")[-2:] == [
        "SVC*HC:64445:RT*450*****0",
        "STC*A7:476*20261102*U",
    ]
    head = made.split("HL*3")[0]
    assert segments(head, "QTY", "AMT") == ["QTY*90*2", "QTY*AA*2", "AMT*YU*900", "AMT*YY*900"]
    assert "TRN*2*BATCH1" in head
    assert segments(head, "ISA")[0].split("*")[5:9] == ["ZZ", f"{'CLAIMSCRUBBER':15}", "ZZ", f"{'SENDER':15}"]


@pytest.mark.parametrize(
    ("claim", "status"),
    [
        (clean(total_charge="451.00"), "A7:400"),
        (with_line(modifiers=["LT"]), "A8:255"),
        (clean(diagnoses=["5559"]), "A7:255"),
        (with_line(diagnosis_pointers=[9]), "A7:477"),
        (with_line(service_date="2027-10-01"), "A7:187"),
        (clean(frequency_code="7"), "A6:464"),
        (clean(billing_provider={"npi": "1234567890", "entity": "organization", "state": "TX"}), "A7:562:85"),
        (clean(patient={"birth_date": "2026-12-01", "sex": "F", "first_name": "KIM"}), "A7:158:QC"),
    ],
)
def test_the_status_of_a_claim_for_rework_names_what_is_wrong(claim: dict[str, Any], status: str) -> None:
    made = answer(file_of([claim]).encode())
    valid(made)
    assert any(segment.split("*")[1] == status for segment in segments(made, "STC"))


@pytest.mark.parametrize(
    ("claim", "message"),
    [
        (clean(), ""),
        (clean(total_charge="451.00"), "OBSERVED, WOULD BE HELD  CLM001"),
        (with_line(procedure="20553"), "NOT CHECKED  no line carries procedure 64445"),
    ],
)
def test_a_claim_that_is_only_observed_is_accepted_and_says_what_would_have_become_of_it(
    claim: dict[str, Any], message: str
) -> None:
    observed = with_text(BOOK, entries("observe", ""), "settings")
    made = answer(file_of([claim]).encode(), observed)
    valid(made)
    (status,) = [segment for segment in segments(made, "STC") if segment.startswith("STC*A2:20")]
    assert status.rpartition("*")[2] == message or (not message and "OBSERVED" not in status)


def test_an_accepted_claim_names_the_tables_that_do_not_speak_of_its_date_and_no_other_does() -> None:
    made = answer(file_of([clean(), with_line(service_date="2026-09-01")]).encode())
    valid(made)
    past, fine = [segment for segment in segments(made, "STC") if segment.startswith("STC*A2:20")]
    assert past.endswith("*450********NOT LOOKED AT ICD-10-CM FY 2027 (DXN002)")
    assert fine.endswith("*450")


@pytest.mark.parametrize(("route", "status", "action"), [("rework", "A3:0", "U"), ("unchecked", "A1:19:40", "WQ")])
def test_a_claim_that_its_gaps_alone_hold_has_a_status_which_says_so(route: str, status: str, action: str) -> None:
    book = with_text(BOOK, entries("", route), "settings")
    medicare = {"id": "09102", "name": "MEDICARE", "filing_indicator": "MB", "responsibility": "P"}
    given = clean(payer=medicare)
    given["subscriber"] = {**given["subscriber"], "member_id": "1EG4TE5MK73"}
    made = answer(file_of([given]).encode(), book)
    valid(made)
    (found,) = [segment for segment in segments(made, "STC") if segment.split("*")[1] == status][-1:]
    assert found.split("*")[3] == action
    assert "MUE (practitioner) 2026 Q4 (UNT002)" in found


def test_institutional_claims_several_providers_sets_and_interchanges() -> None:
    second = clean(claim_id="Z", billing_provider={"npi": "1982345677", "entity": "person", "state": "OK"})
    raw = file_of([clean(), clean(claim_id="B"), second]) + file_of([INSTITUTIONAL], "~^*") + file_of([clean()])
    made = answer(raw.encode())
    valid(made)
    assert len(segments(made, "ISA")) == 3
    assert len(segments(made, "NM1*85")) == 4
    assert "REF*BLT*131" in made


def test_absurd_values_of_a_claim_that_cannot_be_read_do_not_get_into_the_answer() -> None:
    raw = file_of([clean()]).replace("CLM*PCN-1*450.00*", f"CLM**{'9' * 20_000}*").replace("BATCH1", "")
    made = answer(raw.encode())
    valid(made)
    assert "TRN*2*0~" in made
    assert len(made) < 5_000


def test_two_files_with_the_same_control_numbers_get_an_answer_each(scrub: Run, home: Path) -> None:
    for name in "ab":
        (home / f"{name}.837").write_text(file_of([clean()]))
    done = scrub("check", "--format", "x12-277ca", "--received", "2026-10-20", "a.837", "b.837", "b.837")
    assert (done.returncode, done.stderr) == (0, "")
    made = done.stdout
    valid(made)
    assert len(segments(made, "ISA")) == 3


def test_text_that_the_answer_cannot_carry_is_made_plain() -> None:
    given = clean(
        claim_id="A~B", patient={"last_name": "ROE", "first_name": "JOSÉ^*", "birth_date": "1970-01-01", "sex": "M"}
    )
    made = answer(file_of([given], "|\x1f\n", "").encode())
    valid(made)
    assert "NM1*QC*1*ROE*JOSE****MI*" in made
    assert "TRN*2*A B~" in made


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    form=st.sampled_from("PI"),
    places=st.lists(st.tuples(st.integers(5, 500), st.integers(0, 3)), min_size=1, max_size=4),
)
def test_the_answer_to_a_damaged_file_is_valid(form: str, places: list[tuple[int, int]]) -> None:
    segments = list(SEGMENTS[form])
    for place, how in places:
        at = 5 + place % (len(segments) - 5)
        if how == 0:
            del segments[at]
        elif how == 1:
            segments.insert(at, segments[at])
        else:
            parts = segments[at].split("*")
            parts[place % len(parts)] = "" if how == 2 else "?^"
            segments[at] = "*".join(parts)
    made = answer(("~\n".join(segments) + "~\n").encode())
    assert made
    valid(made)


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the public samples are not beside the project")
@pytest.mark.parametrize("pattern", ["x12/lfh/837*", "x12/imsweb/*complex.txt", "x12/imsweb/*multiple_gs.txt"])
def test_the_answers_to_the_public_samples_are_valid(pattern: str) -> None:
    files = sorted(SAMPLES.glob(pattern))
    assert files
    for file in files:
        made = answer(file.read_bytes())
        assert len(segments(made, "TRN*2")) - len(segments(made, "ST*")) == file.read_text().count("CLM*")
        valid(made)


def test_every_status_code_is_in_the_external_code_list() -> None:
    known = pyx12.codes.ExternalCodes()
    codes = (
        {code for code, *_ in STATUSES.values()}
        | set(ELEMENTS)
        | set(UNREADABLE.values())
        | {"0", "19", "20", "481", "228"}
    )
    assert [code for code in sorted(codes) if not known.isValid("claim_status", code)] == []


def test_every_rule_that_can_block_has_a_status() -> None:
    assert {assigned.code[:3] for assigned in BOOK.rules} <= {*STATUSES, "PAY", "ENG"}


def test_the_command_writes_the_answer_and_ends_as_a_check_does(scrub: Run, home: Path) -> None:
    file = home / "a.837"
    file.write_text(file_of([clean(), with_line(units="0")]))
    done = scrub("check", "--format", "x12-277ca", "--received", "2026-10-20", file)
    assert done.returncode == 1
    assert not done.stderr
    valid(done.stdout)
    file.write_text(file_of([clean()]))
    assert scrub("check", "--format", "x12-277ca", "--received", "2026-10-20", file).returncode == 0
    file.write_text(
        '{"claim_id": "PCN-1", "form": "professional", "payer": {"id": "1"}, "diagnoses": [], "lines": [{"number": 1, "charge": "1"}]}'
    )
    refused = scrub("check", "--format", "x12-277ca", file)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "a 277CA answers 837 files" in refused.stderr


def test_a_plain_check_of_an_837_shows_place_and_findings(scrub: Run, home: Path) -> None:
    file = home / "a.837"
    file.write_text(file_of([with_line(units="0")]).replace("SE*", "SE*9"))
    done = scrub("check", "--received", "2026-10-20", file)
    assert done.returncode == 2
    assert f"({file}:ISA 000000001 / GS 1 / ST 0001 / claim 1 / segment 24)" in done.stdout
    assert "UNT003" in done.stdout
    assert f"{file}: ISA 000000001 / GS 1 / ST 0001: SE01 says" in done.stderr


def test_findings_of_one_slip_are_one_status_with_the_codes_of_all() -> None:
    medicare = {"id": "09102", "name": "MEDICARE", "filing_indicator": "MB", "responsibility": "P"}
    claim = with_line(modifiers=["50"], units="2") | {"payer": medicare, "diagnoses": ["M54.31", "M54.32"]}
    claim["lines"][0]["diagnosis_pointers"] = [1, 2]
    claim["subscriber"] = claim["subscriber"] | {"member_id": "1EG4TE5MK73"}
    made = answer(file_of([claim]).encode())
    valid(made)
    (status,) = segments(made.split("NM1*QC")[1].split("SVC*")[0], "STC")
    assert status.startswith("STC*A7:453*20261102*U*450******A7:476**MOD003 LINE 1 SV101-3  This line has modifier 50")
    assert status.endswith("ALSO UNT001, UNT002")
    assert len(status.split("*")[12]) <= 264
    (on_line,) = segments(made.split("SVC*")[1], "STC")
    assert on_line == "STC*A7:453*20261102*U*******A7:476"
