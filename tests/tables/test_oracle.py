"""Every pair of 64445 in a real NCCI edition, through the importer and the engine, against the table read by hand.

The copies of the edition have no effective dates. They are written in the layout of CMS with the least that the file
says for certain: a pair that is active holds from the edition's first day on, a deleted one on its last day.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from rules.authoring.examples import example_claim
from rules.book.book import Book
from rules.claim import read_claim
from rules.engine.check import check
from rules.facts.ncci import for_operation
from rules.report import Report
from tests.book import unused
from worker.tables.official import editions_in

from .official import quarter

pytestmark = pytest.mark.slow

REFERENCE = Path(os.environ.get("SCRUB_REFERENCE", Path(__file__).parents[3] / "shared" / "reference"))
OPEN = "9999-12-31"
DAY = "2024-08-15"
TABLES = {
    "practitioner": ("ncci_ptp_practitioner_64445_2024Q3.csv", "ccipra-v302r0", "practitioner"),
    "outpatient": ("ncci_ptp_outpatient_64445_2024Q3.csv", "ccioph-v302r0", "hospital_outpatient"),
}
PAIR_CODES = {"BND002", "BND003", "BND004", "BND005", "BND020"}


def rows_of(file: str) -> list[dict[str, str]]:
    path = REFERENCE / file
    if not path.is_file():
        pytest.skip(f"no reference file {file}; set SCRUB_REFERENCE to its folder")
    with path.open(encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))


def book_with(rows: list[dict[str, str]], name: str, folder: Path) -> Book:
    """The rules about pairs, with the edition that the importer makes of the rows."""
    compact = {row["deletion_date"]: row["deletion_date"].replace("-", "") for row in rows}
    official = [
        (
            row["column1"],
            row["column2"],
            "20240701" if row["deletion_date"] == OPEN else compact[row["deletion_date"]],
            "*" if row["deletion_date"] == OPEN else compact[row["deletion_date"]],
            row["modifier_indicator"],
        )
        for row in rows
    ]
    book = unused()
    imported = book.with_editions(editions_in(quarter(folder, official, name), book.procedure, lambda _: None))
    return replace(imported, rules=tuple(rule for rule in book.rules if rule.code in PAIR_CODES))


def verdict(book: Book, role: str, code: str, *modifiers: str) -> Report:
    lines = [
        {"modifiers": [], "service_date": DAY},
        {"procedure": code, "modifiers": list(modifiers), "service_date": DAY, "diagnosis_pointers": [1]},
    ]
    claim = example_claim(role, {"lines": lines}, {"id": "04412", "filing_indicator": "MB"})  # type: ignore[arg-type]
    return check(read_claim(claim), book)


def rule_by_hand(role: str, code: str, indicator: str) -> str:
    """Which rule speaks of an active pair, by the NCCI policy manual: visits and anesthesia have their own."""
    if indicator == "0":
        return "BND002"
    if role == "practitioner":
        if "99202" <= code <= "99499" or code in ("92012", "92014", "G0463"):
            return "BND004"
        if "00100" <= code <= "01999" and code.isdigit() and code not in ("01953", "01995", "01996", "01999"):
            return "BND005"
    return "BND003"


def disagreements(book: Book, role: str, rows: list[dict[str, str]]) -> Iterator[str]:
    active: dict[str, str] = {}
    for row in rows:
        other = row["column2"] if row["column1"] == "64445" else row["column1"]
        if row["deletion_date"] == OPEN:
            assert other not in active
            active[other] = row["modifier_indicator"]
    for code in {row["column1"] for row in rows} | {row["column2"] for row in rows} - {"64445"}:
        if code == "64445":
            continue
        indicator = active.get(code)
        policy = role == "practitioner" and for_operation(code)  # by the manual, whether or not there is a pair
        expected = ["BND005"] if policy else [] if indicator is None else [rule_by_hand(role, code, indicator)]
        report = verdict(book, role, code)
        # A hospital's operation packages the block, or may: a note of its own tells it, and no modifier earns anything.
        packaged = role == "hospital_outpatient" and "10004" <= code <= "69990" and "BND020" in report.codes("note")
        if packaged and indicator == "1":
            expected = []
        if report.codes("block") != expected or report.disposition != ("rework" if expected else "billing"):
            yield f"{code} (indicator {indicator}): expected {expected}, found {report.codes('block')}"
        if indicator is None:
            continue
        lifter = "25" if expected == ["BND004"] else "59"
        lifted = verdict(book, role, code, lifter)
        if lifted.codes("block") != (expected if indicator == "0" else []):
            yield f"{code} (indicator {indicator}) with {lifter}: found {lifted.codes('block')}"


@pytest.mark.parametrize("table", TABLES)
def test_the_verdict_on_every_pair_is_the_tables(table: str, tmp_path: Path) -> None:
    file, name, role = TABLES[table]
    rows = rows_of(file)
    book = book_with(rows, name, tmp_path)
    assert sum(row["deletion_date"] == OPEN for row in rows) > 6_000
    assert list(disagreements(book, role, rows)) == []


def test_the_report_says_which_edition_judged(tmp_path: Path) -> None:
    book = book_with(rows_of(TABLES["practitioner"][0]), "ccipra-v302r0", tmp_path)
    report = verdict(book, "practitioner", "27447")
    assert [(e.table, e.edition, bool(e.sha256)) for e in report.editions] == [("ncci_ptp", "2024 Q3, v302r0", True)]
    assert report.findings[0].citation.edition == "2024 Q3, v302r0"
    assert book.tables["ncci_ptp"].edition("practitioner", date(2024, 8, 15)) is not None
    assert book.tables["ncci_ptp"].edition("outpatient_hospital", date(2024, 8, 15)) is None
