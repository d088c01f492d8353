"""What comes out of the institutional files of tests/x12/form: one planted fault each, by its edit of the form.

The base claim has two faults of its own: the attending provider has the hospital's NPI (UBF010), and nobody operated
(UBF011).
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from rules.engine.check import check
from tests.book import BOOK
from tests.x12.test_reader import read
from tests.x12.test_syntax import PLANTED
from worker.intake.document import Document

FOLDER = Path(__file__).parent / "form"
OF_BASE = [("UBF010", "block"), ("UBF011", "block")]
FOUND: dict[str, list[tuple[str, str]]] = {
    "base_i": [],
    "I_01_attending_eq_billing": [],  # the fault is one of the base
    "I_03_adm_type_0": [("UBF002", "block")],
    "I_05_status_00": [("UBF004", "block")],
    "I_07_rev_5digit": [("UBF008", "block")],
    "I_09_dos_outside_stmt": [("UBF006", "block")],
    "I_14_dup_occ": [("UBF022", "block")],
    "I_16_occ_future": [("UBF022", "block")],
    "I_22_0636_no_hcpcs": [("UBF009", "warn")],
    "I_24_facility_addr": [],  # asked with a hospital's own list alone: test_enrolled_locations
    "I_31_noncovered_gt_charge": [("UBF029", "block")],
    "I_36_rev_0001": [("UBF008", "warn")],
    "I_54_PN_and_PO": [("UBF030", "block"), ("UBF031", "block")],
}


@pytest.mark.parametrize("name", FOUND)
def test_the_planted_fault_is_found_beside_those_of_the_base(name: str) -> None:
    (found,) = read((FOLDER / f"{name}.837").read_bytes())
    assert isinstance(found, Document), found
    report = check(found.claim, BOOK, received=date(2026, 10, 20))
    assert sorted((one.code, one.severity) for one in report.findings) == sorted([*OF_BASE, *FOUND[name]])
    assert report.disposition == "rework"


def test_every_institutional_file_of_the_folder_is_in_a_table() -> None:
    assert {path.stem for path in FOLDER.glob("I_*.837")} <= {*FOUND, *PLANTED}
