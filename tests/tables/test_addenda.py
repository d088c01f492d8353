"""The addenda of surgical centers and hospitals, and the cost indices by locality: what they become, what is refused."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from pathlib import Path

import pytest

from rules.tables.edition import Edition

from .official import pack
from .test_importers import REFERENCE, read, refusal

TITLES = {
    "AA": "ASC Covered Surgical Procedures for CY 2026",
    "BB": "ASC Covered Ancillary Services Integral to Covered Surgical Procedures for CY 2026",
}
HEADERS = {
    "AA": [
        *("HCPCS Code", "", "Short Descriptor", "Subject to Multiple Procedure Discounting"),
        *("October 2026 Payment Indicator", "October 2026  Payment Weight  ", "October 2026 Payment Rate "),
    ],
    "BB": [
        *("HCPCS Code", "", "Short Descriptor", "Drug and Device Pass-Through Expiration during Calendar Year"),
        *(
            "October 2026 Payment Indicator",
            "October 2026 Payment Weight  ",
            "October 2026 Payment Rate ",
            "Copayment1",
        ),
    ],
}
AA = [
    ["29881", "", "x", "Y", "A2", "33.1", '"$1,863.24"'],
    ["64445", "", "x", "Y", "P3", "", "$124.01 "],
    ["G0105", "**", "x", "Y", "A2", "", "$3.00"],
]
BB = [
    ["C9812", "***", "x", "", "L6", "", "", ""],
    ["J0666", "***", "x", "", "K2", "", "$1.41", ""],
    ["J1010", "", "x", "", "N1", "", "", ""],
    ["J1010", "", "x", "", "N1", "", "", ""],
    ["Q4101", "", "x", "", "N1", "", "", ""],
]
B = [
    ["27447", "x", "J1", "5115", "144.1", '"$13,116.76"'],
    ["64445", "x", "T", "5442", "7.889", "$721.17"],
    ["C9804", "x", "H1", "2048", "", "."],
    ["J0666", "x", "K1", "0763", "", "$1.451"],
    ["V5364", "x", "E1", "", "", ""],
]


def asc_text(kind: str, rows: Iterable[list[str]], mark: str = ",", head: list[str] | None = None) -> bytes:
    quote, between = ('"', "\n") if mark == "," else ("", " ")
    lines = [
        f"{quote}Addendum {kind} -- {TITLES[kind]} {between}(Including Packaged){quote}",
        "CPT codes and descriptions only are copyright 2025 American Medical Association.\xff All Rights Reserved.",
        mark * 6,
        *(mark.join(cells) for cells in [head or HEADERS[kind], *rows]),
        mark * 6,
        f"{quote}NOTE 4:  Triple asterisked codes(***) indicate a non-opioid alternative.{quote}",
    ]
    return ("\r\n".join(lines) + "\r\n").encode("latin-1")


def opps_text(rows: Iterable[list[str]], mark: str = "\t") -> bytes:
    head = ["HCPCS Code", "Short Descriptor", " SI", " APC ", "Relative Weight", "Payment Rate"]
    lines = [
        f"{mark}Addendum B.-- OPPS Payment by HCPCS Code for CY 2026",
        f"{mark}CPT codes and descriptions only are copyright 2025 American Medical Association.",
        f'{mark}"The existence or absence of a HCPCS code does not mean that an item is covered."',
        *(mark.join(cells) for cells in [head, *rows]),
    ]
    return ("\r\n".join(lines) + "\r\n").encode("latin-1")


def asked(editions: list[Edition]) -> dict[str, Edition]:
    return {edition.table: edition for edition in editions}


@pytest.mark.parametrize("mark", [",", "\t"])
def test_a_rate_of_surgical_centers_holds_from_its_quarter_to_the_end_of_the_year(tmp_path: Path, mark: str) -> None:
    (tmp_path / "AA.csv").write_bytes(asc_text("AA", AA, mark))
    edition, indicators = read(tmp_path / "AA.csv")
    assert (edition.table, edition.release) == ("fee_schedule", "October 2026, Addendum AA")
    assert indicators.rows == (("asc", "64445", "P3", "Y", "", "", ""),)
    assert edition.rows == (("asc", "64445", "124.01", "", ""),)
    assert (edition.speaks["asc"].from_, edition.speaks["asc"].to) == (date(2026, 10, 1), date(2026, 12, 31))


def test_drugs_and_non_opioid_items_of_surgical_centers(tmp_path: Path) -> None:
    (tmp_path / "BB.csv").write_bytes(asc_text("BB", BB))
    found = asked(read(tmp_path / "BB.csv"))
    assert found["asc_drugs"].rows == tuple(
        (code, indicator, "", "")
        for code, indicator in [("C9812", "L6"), ("J0666", "K2"), ("J1010", "N1"), ("Q4101", "N1")]
    )
    assert found["nopain"].rows == (("asc", "C9812", "", ""), ("asc", "J0666", "", ""))


@pytest.mark.parametrize("mark", [",", "\t"])
def test_a_hospital_file_is_rate_comprehensive_operations_and_non_opioid_items(tmp_path: Path, mark: str) -> None:
    name = "October-2026-OPPS-Addendum-B.zip"
    found = asked(read(pack(tmp_path / name, {"Addendum B.09.28.26.txt": opps_text(B, mark)})))
    assert found["fee_schedule"].rows == (("hospital_outpatient", "64445", "721.17", "", ""),)
    assert found["payment_indicators"].rows == (("hospital_outpatient", "64445", "T", "", "", "", ""),)
    assert found["packaging_operations"].rows == (("27447", "", ""),)
    assert found["nopain"].rows == (
        ("hospital_outpatient", "C9804", "", ""),
        ("hospital_outpatient", "J0666", "", ""),
    )
    assert {edition.release for edition in found.values()} == {"October 2026, Addendum B"}


@pytest.mark.parametrize(
    ("name", "starts"),
    [
        ("July2026_Addendum_B.csv", date(2026, 7, 1)),
        ("2026_Apr_Web_Addendum_B.txt", date(2026, 4, 1)),
        ("2025 NFRM Addendum B.11122024.txt", date(2025, 1, 1)),
    ],
)
def test_the_name_of_a_hospital_file_says_its_quarter(tmp_path: Path, name: str, starts: date) -> None:
    (tmp_path / name).write_bytes(opps_text(B))
    assert {edition.speaks[part].from_ for edition in read(tmp_path / name) for part in edition.speaks} == {starts}


def test_months_are_written_short_in_older_files(tmp_path: Path) -> None:
    head = [cell.replace("October 2026", "Apr 2023") for cell in HEADERS["AA"]]
    (tmp_path / "AA.csv").write_bytes(asc_text("AA", AA, head=head))
    assert {edition.speaks["asc"].from_ for edition in read(tmp_path / "AA.csv")} == {date(2023, 4, 1)}


def test_a_last_line_without_an_end_is_taken_as_it_is_published(tmp_path: Path) -> None:
    (tmp_path / "AA.csv").write_bytes(asc_text("AA", AA).rstrip(b"\r\n"))
    assert [edition.table for edition in read(tmp_path / "AA.csv")] == ["fee_schedule", "payment_indicators"]


def test_a_column_behind_the_last_is_passed_over_as_in_april_2025(tmp_path: Path) -> None:
    (tmp_path / "AA.csv").write_bytes(asc_text("AA", [[*row, ""] for row in AA], head=[*HEADERS["AA"], ""]))
    assert read(tmp_path / "AA.csv")[0].rows == (("asc", "64445", "124.01", "", ""),)


def test_an_addendum_that_does_not_say_what_is_discounted_is_a_rate_alone(tmp_path: Path) -> None:
    head = [cell.replace("Discounting", "Reduction") for cell in HEADERS["AA"]]
    (tmp_path / "AA.csv").write_bytes(asc_text("AA", AA, head=head))
    assert [edition.table for edition in read(tmp_path / "AA.csv")] == ["fee_schedule"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (asc_text("AA", [AA[0], AA[2]]), "AA.csv: no row is for 64445: the file is cut short, or of another table"),
        (asc_text("AA", AA[:2]), "AA.csv: has no code of chapter G: the file is cut short"),
        (asc_text("AA", [*AA, ["64445", "", "x", "Y", "G2", "", "$1.00"]]), "AA.csv:9: 64445 is there twice, and once otherwise: the periods overlap"),
        (asc_text("AA", [AA[0], [*AA[1][:6], "?"], AA[2]]), "AA.csv: expected a payment rate for 64445, such as $721.17"),
        (asc_text("AA", [AA[0], AA[1][:5], AA[2]]), "AA.csv:7: expected at least 7 fields, found 5"),
        (asc_text("AA", AA, head=[*HEADERS["AA"][:6], "Rate"]), "AA.csv:5: expected a header with 'payment rate'"),
        (asc_text("AA", AA, head=[*HEADERS["AA"][:6], "July 2026 Payment Rate"]), "AA.csv:5: expected a header of one quarter, found july 2026 and october 2026"),
        (asc_text("AA", AA).replace(b"HCPCS", b"Code"), "AA.csv: expected a header that begins with HCPCS Code: the file is cut short"),
    ],
)  # fmt: skip
def test_a_faulty_addendum_is_refused_with_its_line(tmp_path: Path, content: bytes, expected: str) -> None:
    (tmp_path / "AA.csv").write_bytes(content)
    (problem,) = refusal(tmp_path / "AA.csv")
    assert problem.replace("AA.csv:1: ", "AA.csv: ") == expected


def test_a_hospital_file_under_another_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_bytes(opps_text(B))
    (problem,) = refusal(tmp_path / "b.txt")
    assert problem.endswith("such as October-2026-OPPS-Addendum-B.zip")


HEAD = '"Medicare Administrative Contractor (MAC)",State,Locality Number,Locality Name'
STATES = ("AL,00,1.000,0.875,0.566", "CA,18,1.041,1.183,0.664", "NY,01,1.050,1.190,1.700", "WY,21,1.000,1.000,0.600")


def indices_text(rows: Iterable[str] = STATES, year: int = 2026, both: bool = False) -> bytes:
    lines = [
        f"ADDENDUM E. FINAL CY {year} GEOGRAPHIC PRACTICE COST INDICES (GPCIs) BY STATE AND MEDICARE LOCALITY,,",
        ",,",
    ]
    without = f"{year} PW GPCI (without 1.0 Floor)," if both else ""
    lines.append(f"{HEAD},{without}{year} PW GPCI (with 1.0 Floor),{year} PE GPCI,{year} MP GPCI")
    for row in rows:
        state, locality, *indices = row.split(",")
        lines.append(",".join(["10112", state, locality, "PLACE*", *(["0.950"] if both else []), *indices]))
    lines += [",,", "*Work GPCI reflects a 1.5 floor in Alaska established by the MIPPA.,,"]
    return ("\r\n".join(lines) + "\r\n").encode("latin-1")


def test_the_cost_indices_of_a_year_are_of_every_locality(tmp_path: Path) -> None:
    (tmp_path / "GPCI2026.csv").write_bytes(indices_text())
    edition, areas = read(tmp_path / "GPCI2026.csv")
    assert areas.rows[1] == ("10112", "01", "NY", "PLACE", "", "")
    assert (edition.table, edition.release) == ("localities", "CY 2026, 4 localities")
    assert edition.rows[1] == ("CA", "18", "1.041", "1.183", "0.664", "", "")
    assert (edition.speaks[""].from_, edition.speaks[""].to) == (date(2026, 1, 1), date(2026, 12, 31))


def test_zeros_that_a_spreadsheet_dropped_from_contractor_and_locality_are_put_back(tmp_path: Path) -> None:
    """As 25LOCCO.csv comes from CMS: contractor 2102, locality 1."""
    (tmp_path / "GPCI.csv").write_bytes(indices_text().replace(b"10112,CA,18", b"1182,CA,9"))
    indices, areas = read(tmp_path / "GPCI.csv")
    assert ("CA", "09") in {row[:2] for row in indices.rows}
    assert ("01182", "09", "CA") in {row[:3] for row in areas.rows}


@pytest.mark.parametrize(("year", "work"), [(2026, "1.041"), (2027, "0.950")])
def test_of_two_work_indices_the_one_with_the_floor_holds_while_the_law_has_it(
    tmp_path: Path, year: int, work: str
) -> None:
    (tmp_path / "GPCI.csv").write_bytes(indices_text(year=year, both=True))
    edition, _ = read(tmp_path / "GPCI.csv")
    assert edition.rows[1] == ("CA", "18", work, "1.183", "0.664", "", "")


def test_the_official_indices_of_2025_are_those_that_ship(tmp_path: Path) -> None:
    from tests.book import BOOK

    file = REFERENCE / "medicare-2026/GPCI2025_addendumE.csv"
    if not file.is_file():
        pytest.skip("no reference file; set SCRUB_REFERENCE to its folder")
    edition, areas = read(file)
    shipped = BOOK.tables["localities"]
    assert len(edition.rows) == 109
    assert {row[:3] for row in areas.rows} == {
        (*key, row[0])
        for key in BOOK.tables["payment_areas"].spans
        if (row := BOOK.tables["payment_areas"].find(key, date(2026, 7, 1)))
    }
    for state, locality, *indices, _, _ in edition.rows:
        row = shipped.find((state, locality), date(2025, 7, 1))
        assert row
        assert list(map(float, row)) == list(map(float, indices)), (state, locality)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (indices_text(STATES[:3]), "GPCI.csv: has no locality of WY: the file is cut short"),
        (indices_text([*STATES, STATES[1]]), "GPCI.csv:8: locality CA 18 is there twice: the periods overlap"),
        (indices_text([*STATES, "TX,01,1,1,1"]), "GPCI.csv:8: locality 01 of contractor 10112 is there twice"),
        (indices_text([*STATES, "TX,99,x,1,1"]), "GPCI.csv:8: expected a state, the number of a locality, and three indices such as 1.041"),
        (indices_text([*STATES, "TX,99,1"]), "GPCI.csv:8: expected 7 fields, found 5"),
        (indices_text().replace(b"PW GPCI", b"Work"), "GPCI.csv:3: expected a column such as 2026 PW GPCI (with 1.0 Floor)"),
        (indices_text().replace(b"PE GPCI", b"PE"), "GPCI.csv:3: expected columns such as 2026 PE GPCI and 2026 MP GPCI"),
        (indices_text().replace(b"Locality Number", b"Number"), "GPCI.csv:1: expected a header with Locality Number and the three indices: the file is cut short"),
    ],
)  # fmt: skip
def test_faulty_cost_indices_are_refused_with_their_line(tmp_path: Path, content: bytes, expected: str) -> None:
    (tmp_path / "GPCI.csv").write_bytes(content)
    assert refusal(tmp_path / "GPCI.csv") == [expected]
