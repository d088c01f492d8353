"""What comes out of the files of tests/x12/reading: read, refused with its reason, or held; nothing dropped in silence.

Each file is one of two claims with one thing changed. Neither is without a fault: on the professional one the person who
renders has the clinic's NPI (ADR022), on the institutional one nobody but the hospital attends.
"""

from __future__ import annotations

import copy
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from rules.claim import read_claim
from rules.engine.check import check
from rules.report import Report
from tests.book import BOOK
from tests.x12.test_reader import read
from worker.intake.document import Document, Refusal

FOLDER = Path(__file__).parent / "reading"


def reports(name: str) -> tuple[list[Report], list[str]]:
    found = read((FOLDER / f"{name}.837").read_bytes())
    judged = [check(one.claim, BOOK, received=date(2026, 10, 20)) for one in found if isinstance(one, Document)]
    return judged, [str(one) for item in found if isinstance(item, Refusal) for one in item.problems]


OF_BASE = ("ADR022", "warn")
READ: dict[str, tuple[str, list[tuple[str, str]]]] = {
    # file: where its claim goes, and with which findings beside the professional claim's own
    "base_p": ("billing", []),
    # who attends has the hospital's NPI, and nobody operated: Medicare returns it (17712, 19301)
    "base_i": ("rework", [("UBF010", "block"), ("UBF011", "block")]),
    "c02_isa_space": ("billing", []),
    "d02_2400G1": ("billing", []),
    "d06_LX_restart": ("billing", [("RDR001", "note")]),
    "f11b_two_G1": ("billing", [("SYN006", "warn")]),
    "f11g_REFG1_late": ("rework", [("SYN005", "block")]),
    "d03_MJ": ("rework", [("UNT004", "block")]),
    "d03c_MJ1": ("rework", [("UNT004", "block")]),
    "m07b_ca": ("billing", [("COV001", "warn")]),
    "d01b_2420C_CA": ("billing", [("COV001", "warn")]),
    "e10b_claim472": ("rework", [("CLM006", "block")]),
    # an encounter, which is reported and not charged
    "k20_RP_zero": ("billing", [("COV007", "note")]),
}


@pytest.mark.parametrize("name", READ)
def test_what_is_read_goes_where_it_belongs_with_the_findings_that_say_why(name: str) -> None:
    (report,), refused = reports(name)
    assert not refused
    own = [] if name in ("base_i", "e10b_claim472") else [OF_BASE]  # without a day no version of a rule holds
    route, findings = READ[name]
    assert report.disposition == route
    assert sorted((one.code, one.severity) for one in report.findings) == sorted([*own, *findings])


REFUSED = {
    "c03_isa16_missing": "no ISA16, the component separator",
    "f11c_nte_tilde": "perhaps the text of the NTE before it holds '~', the segment terminator",
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_is_refused_for_its_cause(name: str) -> None:
    judged, refused = reports(name)
    assert not judged
    assert REFUSED[name] in refused[0]
    assert not any("version" in sentence for sentence in refused)


def test_a_file_of_a_mainframe_is_called_what_it_is() -> None:
    """c09d_ebcdic of the cases: the clean claim in the characters of a mainframe."""
    found = read((FOLDER / "base_p.837").read_text().encode("cp037"))
    (said,) = [str(one) for item in found if isinstance(item, Refusal) for one in item.problems]
    assert "this is EBCDIC, the characters of a mainframe" in said
    assert "iconv" in said


def test_every_file_of_the_folder_is_in_a_table() -> None:
    assert {path.stem for path in FOLDER.glob("*.837")} == {*READ, *REFUSED}


def test_a_block_in_minutes_is_said_to_be_no_service_and_no_other_rule_speaks_of_its_units() -> None:
    for name in ("d03_MJ", "d03c_MJ1"):
        (report,), _ = reports(name)
        finding, _ = report.findings
        assert finding.because == ()
        assert "64445 is counted in services (UN), and neither in minutes (MJ)" in finding.message
        assert "UN into SV103" in finding.fix


def test_one_missing_date_is_one_finding_that_names_it_and_nothing_else() -> None:
    (report,), _ = reports("e10b_claim472")
    (finding,) = report.findings
    assert finding.message == "Cannot check this: missing on the claim: the date of service."


def odd(name: str) -> Any:
    (found,) = read((FOLDER / f"{name}.837").read_bytes())
    assert isinstance(found, Document)
    return found.value.get("oddities"), found.value


def test_what_was_odd_is_said_once_and_the_rest_is_read() -> None:
    said, value = odd("f11b_two_G1")
    assert (said, value["prior_authorization"]) == (["2300 REF*G1 repeated"], "PA1")
    said, value = odd("d06_LX_restart")
    assert (said, [line["number"] for line in value["lines"]]) == (["2400 LX renumbered"], [1, 2])
    said, value = odd("f11g_REFG1_late")
    assert (said, value.get("prior_authorization")) == (["2310B REF*G1 misplaced"], None)
    assert odd("base_p")[0] is None
    assert odd("base_i")[0] is None


def test_the_place_and_the_authorization_of_a_line_are_read() -> None:
    _, value = odd("d01b_2420C_CA")
    assert value["lines"][0]["service_facility"] == {"npi": "1234567893", "name": "NORTH ASC", "state": "CA"} | {
        "address": {"street": "9 LAKE", "city": "FRESNO", "zip": "937010001"}
    }
    _, value = odd("d02_2400G1")
    assert value["lines"][0]["prior_authorization"] == "AUTH778"


PAYERS = (
    {"id": "04412", "filing_indicator": "MB"},
    {"id": "60054"},
    {"id": "87726"},
    {"id": "62308"},
    {"id": "SB890", "filing_indicator": "BL"},
)
MISSING = {
    ("billing_provider", "npi"): "the billing provider's NPI", ("patient", "birth_date"): "the patient's birth date",
    ("total_charge",): "the total charge", ("lines", 0, "units"): "the units",
    ("lines", 0, "service_date"): "the date of service",
}  # fmt: skip


@pytest.mark.parametrize("payer", PAYERS, ids=[one["id"] for one in PAYERS])
@pytest.mark.parametrize("path", MISSING)
def test_one_thing_that_is_missing_is_one_finding_that_names_it_alone(
    path: tuple[str | int, ...], payer: dict[str, str]
) -> None:
    (found,) = read((FOLDER / "base_p.837").read_bytes())
    assert isinstance(found, Document)
    data: Any = {**copy.deepcopy(found.value), "payer": {"responsibility": "P", **payer}}
    known = {one.code for one in check(read_claim(data), BOOK, received=date(2026, 10, 20)).findings}
    part = data
    for key in path[:-1]:
        part = part[key]
    del part[path[-1]]
    report = check(read_claim(data), BOOK, received=date(2026, 10, 20))
    (finding,) = [one for one in report.findings if one.code not in known]
    assert finding.outcome == "undetermined"
    assert finding.message == f"Cannot check this: missing on the claim: {MISSING[path]}."


def test_a_date_that_several_lines_lack_is_one_finding_beside_what_else_is_missing() -> None:
    (found,) = read((FOLDER / "base_p.837").read_bytes())
    assert isinstance(found, Document)
    line = {**found.value["lines"][0], "charge": "100.00"}
    del line["service_date"], line["units"]
    lines = [{**line, "number": number, "procedure": code} for number, code in ((1, "64445"), (2, "J3301"))]
    data = {**found.value, "total_charge": "200.00", "lines": lines}
    (finding,) = check(read_claim(data), BOOK, received=date(2026, 10, 20)).findings
    assert "the date of service" in finding.message
    assert "the units" in finding.message
    assert "birth" not in finding.message
