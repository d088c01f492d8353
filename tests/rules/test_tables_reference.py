"""The shipped NCCI pairs against the CMS edition that they state, where a copy of it is at hand."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

from rules.loader import LIBRARY

REFERENCE = Path(os.environ.get("SCRUB_REFERENCE", Path(__file__).parents[3] / "shared" / "reference"))
EDITIONS = {
    "practitioner": "ncci_ptp_practitioner_64445_2024Q3.csv",
    "outpatient_hospital": "ncci_ptp_outpatient_64445_2024Q3.csv",
}
FEE_SCHEDULES = ("PPRRVU2025_Oct.excerpt.csv", "PPRRVU2026_Jul_nonQPP.excerpt.csv")
ACTIVE = "9999-12-31"


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))


def reference(name: str) -> Path:
    file = REFERENCE / name
    if not file.is_file():
        pytest.skip(f"no reference file {name}; set SCRUB_REFERENCE to its folder")
    return file


def shipped(table: str) -> list[dict[str, str]]:
    return rows(LIBRARY / "tables" / f"{table}.csv")


def edition(table: str) -> dict[tuple[str, str], str]:
    return {
        (row["column1"], row["column2"]): row["modifier_indicator"]
        for row in rows(reference(EDITIONS[table]))
        if row["deletion_date"] == ACTIVE
    }


def descriptors(name: str) -> dict[str, str]:
    with reference(name).open(encoding="latin-1", newline="") as text:
        return {row[0]: row[2] for row in csv.reader(text) if len(row[0]) == 5 and row[0] != "HCPCS"}


@pytest.mark.parametrize("table", EDITIONS)
def test_every_shipped_pair_is_active_with_the_same_indicator(table: str) -> None:
    official = edition(table)
    pairs = {(r["column1"], r["column2"]): r["indicator"] for r in shipped("ncci_ptp") if r["table"] == table}
    assert pairs
    assert {pair: indicator for pair, indicator in pairs.items() if official.get(pair) != indicator} == {}


def test_the_rows_are_named_facts_and_not_the_official_file() -> None:
    assert len(shipped("ncci_ptp")) < len(edition("practitioner")) / 5


def test_every_visit_from_the_pairs_is_in_them() -> None:
    official = edition("practitioner")
    visits = [row["code"] for row in shipped("visits") if row["source"] == "cms-ncci-ptp-2024q3"]
    assert [code for code in visits if official.get(("64445", code)) != "1"] == []


def test_visits_that_the_pairs_leave_out_are_policy() -> None:
    official = edition("practitioner")
    policy = [row["code"] for row in shipped("visits") if row["source"] != "cms-ncci-ptp-2024q3"]
    assert [code for code in policy if ("64445", code) in official] == []


@pytest.mark.parametrize("name", FEE_SCHEDULES)
def test_no_needle_procedure_names_imaging_in_its_descriptor(name: str) -> None:
    official = descriptors(name)
    codes = {row["code"] for row in shipped("needle_procedures")}
    assert [code for code in codes if "img" in official.get(code, "").split()] == []
    assert "img" in official["64445"].split()


def test_imaging_guidance_forms_no_pair() -> None:
    official = edition("practitioner")
    imaging = [row["code"] for row in shipped("imaging_guidance")]
    assert [code for code in imaging if ("64445", code) in official or (code, "64445") in official] == []
