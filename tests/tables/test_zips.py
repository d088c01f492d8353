"""The ZIP Code to Carrier Locality File: what it becomes, what a ZIP code then says, and how a faulty file is refused.

The layout is that of ZIP5lyout.txt. What else CMS does in it was found where others stumbled over it: states written as
EK, WK, EM and WM, two contractors for one locality (the asterisk in the list of PF26PA), islands under Hawaii's contractor, the suburbs of Washington in Virginia (the notes on real data of
the public project cms_pricing), locality 00 that is no default, and ZIP codes of which parts are elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from rules.authoring.examples import example_claim
from rules.claim import read_claim
from rules.loader import load_book
from rules.payment.claims import Ours, expected_of
from rules.payment.medicare import medicare_payment
from rules.payment.places import by_zip
from rules.payment.question import Expected, Places, Question
from rules.tables.edition import Edition
from worker.tables import editionstore

from .official import pack
from .test_importers import read, refusal

DAY = date(2026, 7, 13)
ROWS = (
    ("AL", "35004", "10112", "00", "0"),
    ("CA", "94110", "01112", "05", "0"),
    ("CA", "95476", "01112", "67", "1"),
    ("NY", "10001", "13202", "01", "0"),
    ("WY", "82001", "03602", "21", "0"),
    ("EK", "66012", "05202", "00", "0"),
    ("WM", "64101", "05302", "02", "0"),
    ("GU", "96910", "01212", "01", "0"),
    ("VA", "22201", "12202", "01", "0"),
    ("EM", "63101", "05392", "01", "0"),
    ("EM", "63401", "05392", "99", "0"),
    ("CA", "92001", "01182", "75", "0"),
    ("VA", "22202", "11302", "01", "0"),
    ("MD", "20814", "12202", "01", "0"),
    ("MD", "21201", "12302", "01", "0"),
    ("AE", "09001", "00000", "  ", "0"),
    ("TX", "79901", "04412", "98", "0"),
)
"""State, ZIP code, contractor, locality, whether parts of it are elsewhere."""


def zip_line(row: tuple[str, ...], plus_four: str = "", quarter: str = "20263") -> str:
    state, code, contractor, locality, several = row
    head = f"{state}{code}{contractor}{locality}R{'Z9'} {'':2}{several}{plus_four or ' A':<4}"
    return f"{head:<75}{quarter}"


def zips_text(rows: Iterable[tuple[str, ...]] = ROWS, quarter: str = "20263", end: str = "\r\n") -> bytes:
    return "".join(zip_line(row, quarter=quarter) + end for row in rows).encode("latin-1")


def plus_four_text(own: Iterable[tuple[tuple[str, ...], str]] = ()) -> bytes:
    rows = [*((row, "0001") for row in ROWS[:5]), *own]
    return "".join(zip_line(row, plus_four) + "\r\n" for row, plus_four in rows).encode("latin-1")


def asked(tmp_path: Path, code: str, day: date = DAY, **content: bytes) -> Places:
    folder = tmp_path / "tables"
    files = content or {"ZIP5_JUL2026": zips_text()}
    for name, text in files.items():
        (tmp_path / f"{name}.txt").write_bytes(text)
        editionstore.add(folder, read(tmp_path / f"{name}.txt"))
    return by_zip(load_book(None, folder, examples=False).tables, code, day)


def test_the_zip_of_cms_is_one_edition_of_each_file_and_leaves_layout_and_workbook_aside(tmp_path: Path) -> None:
    content = {
        "ZIP5_JUL2026.txt": zips_text(),
        "ZIP5_JUL2026.xlsx": b"a workbook",
        "ZIP5lyout.txt": b"                       Zip5 Record Layout\r\n",
        "ZIP9_JUL2026.txt": plus_four_text(),
        "ZIP9lyout.txt": b"layout",
    }
    five, nine = read(pack(tmp_path / "zip-code-carrier-locality-file.zip", content))
    assert [(one.table, one.release, one.whole, list(one.speaks)) for one in (five, nine)] == [
        ("zip_localities", "2026 Q3", True, ["zip5"]),
        ("zip_localities", "2026 Q3", True, ["zip9"]),
    ]
    assert (five.speaks["zip5"].from_, five.speaks["zip5"].to) == (date(2026, 7, 1), None)
    assert ("zip5", "94110", "00000", "CA", "01112", "05", "0", "", "") in set(five.all_rows())
    assert ("zip9", "10001", "00001", "NY", "13202", "01", "0", "", "") in set(nine.all_rows())
    assert five.count == len(ROWS) - 1  # the one without a locality is left out


@pytest.mark.parametrize(
    ("code", "area"),
    [
        ("94110", "CA 05"),
        ("94110-1234", "CA 05"),
        ("941101234", "CA 05"),
        ("10001", "NY 01"),
        ("35004", "AL 00"),
        ("66012", "KS 00"),
        ("64101", "MO 02"),
        ("96910", "HI 01"),
        ("22201", "DC 01"),
        ("22202", "DC 01"),
        ("20814", "DC 01"),
        ("21201", "MD 01"),
        ("63101", "MO 01"),
        ("63401", "MO 99"),
        ("92001", "CA 75"),
    ],
)
def test_a_zip_code_tells_the_locality(tmp_path: Path, code: str, area: str) -> None:
    found = asked(tmp_path, code)
    assert [f"{one.state} {one.locality}" for one in found.areas] == [area]
    assert found.editions == ("ZIP codes with their localities, 2026 Q3",)


@pytest.mark.parametrize(
    ("code", "day", "missing"),
    [
        ("99999", DAY, "the locality of 99999, which the ZIP codes of 2026 Q3 do not have"),
        ("09001", DAY, "the locality of 09001, which the ZIP codes of 2026 Q3 do not have"),
        ("79901", DAY, "cost indices of TX, 04412 98 on 2026-07-13: scrub tables import GPCI"),
        ("9411", DAY, "a ZIP code of five or nine digits, in place of '9411'"),
        ("94110", date(2026, 6, 30), "the ZIP codes of 2026-06-30: scrub tables import the ZIP Code to Carrier Locality File of that quarter (ZIP5_OCT2026.txt), or give the locality"),
    ],
)  # fmt: skip
def test_a_zip_code_that_tells_nothing_says_why(tmp_path: Path, code: str, day: date, missing: str) -> None:
    found = asked(tmp_path, code, day)
    assert (found.areas, found.missing) == ((), (missing,))


def test_a_zip_code_of_several_localities_wants_nine_digits_and_is_a_range_until_then(tmp_path: Path) -> None:
    napa = ("CA", "95476", "01112", "51", "1")
    nine = plus_four_text([(ROWS[2], "0001"), (napa, "0007")][1:])
    content = {"ZIP5_JUL2026": zips_text(), "ZIP9_JUL2026": nine}
    assert [one.locality for one in asked(tmp_path, "95476-0007", **content).areas] == ["51"]
    assert [one.locality for one in asked(tmp_path, "95476-0001", **content).areas] == ["67"]
    found = asked(tmp_path, "95476", **content)
    assert (len(found.areas), found.missing) == (29, ("nine digits of the ZIP code",))


def test_nine_digits_want_the_file_of_nine(tmp_path: Path) -> None:
    found = asked(tmp_path, "95476-0007")
    assert found.missing == ("the ZIP9 file of that quarter: scrub tables import",)
    assert len(found.areas) > 1


def test_a_later_quarter_takes_the_place_of_an_earlier_one_on_its_dates(tmp_path: Path) -> None:
    moved = (*ROWS[:1], ("CA", "94110", "01112", "52", "0"), *ROWS[2:])
    content = {"ZIP5_JUL2026": zips_text(), "ZIP5_OCT2026": zips_text(moved, "20264")}
    assert [one.locality for one in asked(tmp_path, "94110", **content).areas] == ["05"]
    assert [one.locality for one in asked(tmp_path, "94110", date(2026, 10, 1), **content).areas] == ["52"]


def test_the_amount_of_a_zip_code_is_that_of_its_locality_and_names_the_file(tmp_path: Path) -> None:
    folder = tmp_path / "tables"
    (tmp_path / "ZIP5_JUL2026.txt").write_bytes(zips_text())
    editionstore.add(folder, read(tmp_path / "ZIP5_JUL2026.txt"))
    tables = load_book(None, folder, examples=False).tables
    found = medicare_payment(Question("64445", DAY, "office", by_zip(tables, "10001", DAY)), tables)
    assert found.kind == "amount"
    assert found.editions[0] == "ZIP codes with their localities, 2026 Q3"


def test_a_claim_is_priced_by_the_zip_code_of_its_place_and_no_zip_code_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "tables"
    (tmp_path / "ZIP5_JUL2026.txt").write_bytes(zips_text())
    editionstore.add(folder, read(tmp_path / "ZIP5_JUL2026.txt"))
    book = load_book(None, folder, examples=False)

    def priced(**difference: Any) -> Expected:
        claim = read_claim(example_claim("practitioner", difference, {"filing_indicator": "MB"}))
        (line,) = expected_of(claim, book.registry.select(claim.payer), book.tables, book.codes, Ours())
        return line.expected

    san_francisco = {"state": "CA", "address": {"zip": "941101234"}}
    assert (priced(billing_provider=san_francisco).kind, priced(billing_provider=san_francisco).low) == (
        "amount",
        22518,
    )
    away = priced(billing_provider=san_francisco, service_facility={"state": "AL", "address": {"zip": "35004"}})
    assert away.low == 15581
    parted = priced(billing_provider={"state": "CA", "address": {"zip": "95476"}})
    assert (parted.kind, parted.missing) == ("range", ("nine digits of the ZIP code",))
    unlisted = priced(billing_provider={"state": "TX", "address": {"zip": "75999"}})
    assert (unlisted.low, unlisted.high) == (16193, 18000)
    assert "75999" not in repr(unlisted)


def test_the_same_file_again_is_there_already(tmp_path: Path) -> None:
    (tmp_path / "z.txt").write_bytes(zips_text())
    editions: list[Edition] = read(tmp_path / "z.txt")
    assert len(editionstore.add(tmp_path / "tables", editions)) == 1
    assert editionstore.add(tmp_path / "tables", read(tmp_path / "z.txt")) == []


@pytest.mark.parametrize("end", ["\r\n", "\n"])
def test_a_last_line_without_an_end_and_a_sign_for_the_end_of_a_file_are_taken(tmp_path: Path, end: str) -> None:
    (tmp_path / "z.txt").write_bytes(zips_text(end=end).rstrip(b"\r\n"))
    assert read(tmp_path / "z.txt")[0].count == len(ROWS) - 1
    (tmp_path / "y.txt").write_bytes(zips_text(end=end) + b"\x1a")
    assert read(tmp_path / "y.txt")[0].count == len(ROWS) - 1


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (zips_text(ROWS[:3]), "z.txt: has no ZIP code of NY, WY: the file is cut short"),
        (zips_text()[:-20], "z.txt:17: expected 80 characters, found 62: the file is cut short or edited"),
        (zips_text([*ROWS, ROWS[1]]), "z.txt: ZIP code 94110 is there twice: the periods overlap"),
        (zips_text() + zips_text([("TX", "75201", "04412", "11", "0")], "20264"), "z.txt:18: expected one year and quarter in columns 76 to 80, found 20263 and 20264"),
        (zips_text().replace(b"NY10001", b"NY1000A"), "z.txt:4: expected state, ZIP code, contractor, locality, and 0 or 1 in column 21"),
        (zips_text().replace(b"1320201", b"1320X01"), "z.txt:4: expected state, ZIP code, contractor, locality, and 0 or 1 in column 21"),
        (zips_text([*ROWS, ("TX", "75201", "04412", "11", "2")]), "z.txt:18: expected state, ZIP code, contractor, locality, and 0 or 1 in column 21"),
    ],
)  # fmt: skip
def test_a_faulty_file_of_zip_codes_is_refused_with_its_line(tmp_path: Path, content: bytes, expected: str) -> None:
    (tmp_path / "z.txt").write_bytes(content)
    assert refusal(tmp_path / "z.txt") == [expected]


def test_a_workbook_of_zip_codes_is_to_be_given_as_text(tmp_path: Path) -> None:
    pack(tmp_path / "ZIP5_JUL2026.xlsx", {"[Content_Types].xml": b"<x/>", "xl/workbook.xml": b"<x/>"})
    assert refusal(tmp_path / "ZIP5_JUL2026.xlsx") == [
        "ZIP5_JUL2026.xlsx: is an Excel workbook; the zip that CMS publishes holds the same table as text or CSV: give that"
    ]
