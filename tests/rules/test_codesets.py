"""Which procedure codes and modifiers can be: nothing that CMS prices, pairs or pays is called impossible."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from rules.authoring.examples import example_claim
from rules.claim import read_claim
from rules.engine.cases import case_of
from rules.engine.check import check
from rules.engine.gaps import unread
from rules.facts.codesets import impossible_procedures
from rules.report import Report
from tests.book import BOOK

REFERENCE = Path(__file__).parents[3] / "shared" / "reference"
OF_CODES = ("ncci_ptp", "ncci_mue", "PPRRVU", "asc_addenda", "asc_addendum", "opps_addendum_b_2026Jan")
CODE = re.compile(r"[0-9A-Z]{4}[0-9A-Z]")


def judged(*lines: dict[str, Any]) -> tuple[Report, Any]:
    claim = read_claim(example_claim("practitioner", {"lines": list(lines)}, {"id": "04412"}))
    return check(claim, BOOK, received=date(2026, 7, 20)), claim


def listed() -> Iterator[str]:
    """Every code of CMS's files that are at hand: pairs, unit limits, fees, payment rates."""
    for file in sorted(path for path in REFERENCE.rglob("*.csv") if path.name.startswith(OF_CODES)):
        with file.open(newline="", encoding="latin-1") as stream:
            for row in csv.reader(stream):
                yield from (
                    cell.strip() for cell in row[:3] if CODE.fullmatch(cell.strip()) and cell[0] in "0123456789GJ"
                )


@pytest.mark.skipif(not REFERENCE.exists(), reason="the reference data is beside the project, and not here")
def test_no_code_that_cms_has_is_called_impossible() -> None:
    codes = {code for code in listed() if re.search("[0-9]{4}", code)}
    assert len(codes) > 5_000
    found: list[str] = []
    for start in range(0, len(codes), 900):
        lines = [{"procedure": code} for code in sorted(codes)[start : start + 900]]
        claim = read_claim(example_claim("practitioner", {"lines": lines}, {"id": "04412"}))
        found += impossible_procedures(case_of(claim, BOOK, None))
    assert found == []


def test_a_modifier_and_a_code_that_nobody_knows_are_one_thing_to_import() -> None:
    report, claim = judged({"modifiers": ["RT", "ZQ"]}, {"procedure": "J9998"}, {"procedure": "J9998"})
    said = [str(one) for one in unread(report, claim)]
    assert said.count("HCPCS 2026 Q3 [CLM033, MOD016]") == 1
    assert [gap.rule for gap in report.gaps if gap.kind == "table_not_imported"] == ["CLM033", "MOD016"]


def test_modifiers_that_the_book_speaks_of_are_known_to_it() -> None:
    known = BOOK.tables["known_modifiers"].words
    families = {code for (code,) in BOOK.tables["modifiers_ncci"].spans if code[0].isalpha()}
    assert families - known == set()
