"""The shipped tables against the CMS edition that they state, where a copy of it is at hand."""

from __future__ import annotations

import csv
import os
from datetime import date
from pathlib import Path

import pytest

from rules.authoring.examples import example_claim
from rules.claim import Role, read_claim
from rules.engine.cases import case_of
from rules.facts.pairs import Pair, could_pair, pair_of
from rules.loader import LIBRARY
from rules.payment.physician import amount_of
from tests.book import BOOK

REFERENCE = Path(os.environ.get("SCRUB_REFERENCE", Path(__file__).parents[3] / "shared" / "reference"))
EDITIONS = {
    "practitioner": "ncci_ptp_practitioner_64445_2024Q3.csv",
    "outpatient_hospital": "ncci_ptp_outpatient_64445_2024Q3.csv",
}
FEE_SCHEDULES = ("PPRRVU2025_Oct.excerpt.csv", "PPRRVU2026_Jul_nonQPP.excerpt.csv")
ACTIVE = "9999-12-31"
DAY = date(2026, 7, 13)
LATER = {"77002", "77003", "G0463"}
"""Pairs of the hospital since 2026 Q4."""


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
    pairs = {
        (r["column1"], r["column2"]): r["indicator"]
        for r in shipped("ncci_ptp")
        if r["table"] == table and r["source"] == "cms-ncci-ptp-2024q3"
    }
    assert pairs
    assert {pair: indicator for pair, indicator in pairs.items() if official.get(pair) != indicator} == {}


def said_of(table: str, code: str, day: date = DAY) -> Pair:
    """What the shipped tables say of 64445 and another code."""
    role: Role = "practitioner" if table == "practitioner" else "hospital_outpatient"
    case = case_of(read_claim(example_claim(role, {}, {"id": "04412"})), BOOK, None)
    return pair_of(case, "64445", code, day)


@pytest.mark.parametrize("table", EDITIONS)
def test_every_active_row_is_judged_as_the_table_says_or_named_unknown(table: str) -> None:
    official = edition(table)
    said = {pair: said_of(table, pair[1] if pair[0] == "64445" else pair[0]) for pair in official}
    known = {pair: one for pair, one in said.items() if one.indicator != "unknown"}
    assert {pair: one for pair, one in known.items() if one != (official[pair], pair[1])} == {}
    assert len(official) > 6_000
    assert len(known) > 0.92 * len(official)
    unknown = [other for pair in set(official) - set(known) for other in pair if other != "64445"]
    case = case_of(read_claim(example_claim("practitioner", {}, {"id": "04412"})), BOOK, None)
    assert [code for code in unknown if not could_pair(case, code, DAY) and code != "Q2043"] == []


@pytest.mark.parametrize("table", EDITIONS)
def test_a_code_that_the_rows_have_only_as_deleted_is_no_pair(table: str) -> None:
    active = {code for pair in edition(table) for code in pair}
    every = {code for row in rows(reference(EDITIONS[table])) for code in (row["column1"], row["column2"])}
    assert every > active
    assert [code for code in every - active if said_of(table, code).indicator in ("0", "1")] == []


@pytest.mark.parametrize("table", EDITIONS)
@pytest.mark.parametrize("name", FEE_SCHEDULES)
def test_a_code_of_the_fee_schedule_that_has_no_pair_is_none(table: str, name: str) -> None:
    active = {code for pair in edition(table) for code in pair}
    codes = set(descriptors(name)) - active - LATER
    assert len(codes) > 20
    assert [code for code in codes if said_of(table, code).indicator in ("0", "1")] == []


@pytest.mark.parametrize(
    "code",
    ["64446", "64447", "64448", "64449", "64450", "64483", "64493", "62323", "27096", "01953", "01996", "01999"],
)
def test_procedures_that_are_known_to_have_no_pair_have_none(code: str) -> None:
    assert [said_of(table, code).indicator for table in EDITIONS] == ["none", "none"]


@pytest.mark.parametrize(
    ("code", "practitioner", "hospital"),
    [
        ("00100", ("1", "64445"), ("1", "64445")),
        ("01470", ("1", "64445"), ("1", "64445")),
        ("01990", ("1", "64445"), ("1", "64445")),
        ("01991", ("0", "01991"), ("none", "")),
        ("01992", ("0", "01992"), ("none", "")),
        ("28296", ("0", "64445"), ("1", "64445")),
        ("29881", ("0", "64445"), ("1", "64445")),
        ("64999", ("none", ""), ("none", "")),
        ("10003", ("unknown", ""), ("unknown", "")),
        ("0999T", ("unknown", ""), ("unknown", "")),
    ],
)
def test_anesthesia_and_operations_are_pairs_by_range(
    code: str, practitioner: tuple[str, str], hospital: tuple[str, str]
) -> None:
    assert [tuple(said_of(table, code)) for table in EDITIONS] == [practitioner, hospital]


def test_no_table_says_anything_before_its_first_day() -> None:
    assert [said_of(table, "01470", date(2024, 6, 30)).indicator for table in EDITIONS] == ["unknown", "unknown"]


def test_the_hospital_pairs_of_2026_are_those_of_the_edition() -> None:
    later = rows(reference("medicare-2026/ncci_ptp_outpatient_64445_2026Q4.csv"))
    day = date(2026, 10, 1)
    wrong = []
    for row in later:
        other = row["column2"] if row["column1"] == "64445" else row["column1"]
        found = said_of("outpatient_hospital", other, day)
        if found.indicator not in (row["modifier_indicator"], "unknown"):
            wrong.append((other, found))
    assert wrong == []
    assert [said_of("outpatient_hospital", code, day).indicator for code in sorted(LATER)] == ["1", "1", "1"]
    gone = ("0553T", "0567T", "0568T")
    assert [said_of("outpatient_hospital", code, day).indicator for code in gone] == ["unknown"] * 3


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
