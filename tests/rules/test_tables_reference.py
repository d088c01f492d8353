"""The shipped tables against the CMS edition that they state, where a copy of it is at hand."""

from __future__ import annotations

import csv
import os
from datetime import date
from pathlib import Path

import pytest

from rules.facts.fees import amount_of
from rules.loader import LIBRARY
from tests.book import BOOK

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


@pytest.mark.parametrize(("year", "suffix"), [(2025, ""), (2026, "_nonQP")])
def test_the_amounts_of_every_locality_are_those_of_the_official_values(year: int, suffix: str) -> None:
    official = rows(reference(f"medicare-2026/expected_64445_{year}_by_locality.csv"))
    day, tables = date(year, 7, 1), BOOK.tables
    own = {key: tables["localities"].find(key, day) for key in tables["localities"].spans}
    assert len(official) == len([indices for indices in own.values() if indices]) == 109
    for place in ("nonfacility", "facility"):
        values = tables["relative_values"].find((place, "64445"), day)
        assert values
        for row in official:
            indices = own[(row["state"], row["locality"])]
            assert indices
            assert str(amount_of(values, indices)) == row[f"{place}{suffix}"], row


def test_the_rates_of_hospitals_and_surgical_centers_are_those_of_the_official_files() -> None:
    hospital = {row["code"]: row for row in rows(reference("medicare-2026/opps_addendum_b_2026Jan.csv"))}
    center = {row["code"]: row for row in rows(reference("medicare-2026/asc_addendum_aa_2026Jul.csv"))}
    fees = BOOK.tables["fee_schedule"]
    assert fees.find(("hospital_outpatient", "64445"), date(2026, 12, 31)) == (hospital["64445"]["payment_rate"],)
    assert fees.find(("asc", "64445"), date(2026, 9, 30)) == (center["64445"]["payment_rate"],)
    assert fees.find(("asc", "64445"), date(2026, 10, 1)) is None


def test_operations_of_the_official_file_are_packaging_where_their_status_says_so() -> None:
    packaging = BOOK.tables["packaging_operations"]
    official = rows(reference("medicare-2026/opps_addendum_b_2026Jan.csv"))
    assert {row["si"] for row in official} >= {"J1", "T", "N"}
    for row in official:
        assert (packaging.find((row["code"],), date(2026, 7, 1)) is not None) is (row["si"] == "J1"), row


def test_the_hospital_limit_of_64445_is_that_of_the_official_quarter() -> None:
    official = {row["code"]: row for row in rows(reference("medicare-2026/ncci_mue_outpatient_2026Q4.csv"))}["64445"]
    assert BOOK.tables["mue"].find(("outpatient_hospital", "64445"), date(2026, 10, 1)) == (
        official["mue"],
        official["mai"],
    )


def test_drugs_of_surgical_centers_have_the_indicators_of_the_official_quarters() -> None:
    table, nopain = BOOK.tables["asc_drugs"], BOOK.tables["nopain"]
    file = reference("medicare-2026/asc_addenda_2024_2026Q2_rows.csv")
    asked = 0
    with file.open(encoding="latin-1", newline="") as text:
        for quarter, _, code, mark, _, _, indicator, *_ in filter(lambda row: row[1] == "BB", csv.reader(text)):
            day = date.fromisoformat(quarter)
            if (code,) in table.spans and indicator != "D5":
                asked += 1
                assert table.find((code,), day) == (indicator,), (quarter, code)
            if day.year > 2024:
                assert (nopain.find(("asc", code), day) is not None) is (mark == "***"), (quarter, code)
    assert asked
