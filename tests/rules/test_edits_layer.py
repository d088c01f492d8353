"""The edits layer in the engine: lines of any procedure, from whole tables, beside the rules of a procedure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rules.authoring.examples import example_claim
from rules.authoring.trial import with_rows
from rules.claim import read_claim
from rules.engine.check import check
from rules.report import Report
from tests.book import BOOK

PAIRS = (
    "practitioner,29881,29875,0,2023-01-01,",
    "practitioner,29881,20610,1,2023-01-01,",
    "practitioner,29881,64445,0,2023-01-01,",
)
LIMITS = ("practitioner,20610,2,3,2023-01-01,", "practitioner,64445,1,3,2023-01-01,")
WHOLE: Mapping[str, tuple[str, ...]] = {"ncci_ptp": PAIRS, "mue": LIMITS}
MEDICARE, UHC = {"id": "04412", "filing_indicator": "MB"}, {"id": "87726", "filing_indicator": "CI"}


def report(*codes: str, payer: dict[str, Any] = MEDICARE, tables: Mapping[str, tuple[str, ...]] = WHOLE) -> Report:
    lines = [{"procedure": code, "modifiers": []} for code in codes]
    return check(read_claim(example_claim("practitioner", {"lines": lines}, payer)), with_rows(BOOK, tables))


def edits(found: Report) -> list[tuple[str, str, int | None]]:
    return [(f.code, f.severity, f.line) for f in found.findings if f.code.startswith("EDT")]


def test_a_claim_without_a_known_procedure_is_judged_by_pairs() -> None:
    found = report("29881", "29875", "20610")
    assert edits(found) == [("EDT001", "block", 2), ("EDT002", "block", 3)]
    assert found.disposition == "rework"
    assert [look.looked_at for look in found.lines] == ["edits"] * 3
    (first, *_) = [f for f in found.findings if f.code == "EDT001"]
    assert "29875 and 29881 of the same day and provider are an NCCI pair" in first.message


def test_a_payer_whose_text_adopts_the_pairs_warns() -> None:
    assert edits(report("29881", "29875", payer=UHC)) == [("EDT001", "warn", 2)]


def test_a_pair_with_the_block_is_told_by_its_own_rules_alone() -> None:
    found = report("29881", "64445")
    assert edits(found) == []
    assert "BND002" in found.codes("block")


def test_without_whole_tables_the_layer_says_nothing_and_does_not_say_that_it_looked() -> None:
    found = report("29881", "29875", tables={})
    assert edits(found) == []
    assert "edits" not in {look.looked_at for look in found.lines}
    assert found.disposition == "unchecked"
    alone = report("29881", "29875", tables={"ncci_ptp": PAIRS})
    assert edits(alone) == [("EDT001", "block", 2)]
    assert "edits" not in {look.looked_at for look in alone.lines}, "limits of units are not at hand"


def test_what_no_row_and_no_range_says_is_a_gap_and_no_finding() -> None:
    found = report("64445", "0200T", tables={})
    assert [(gap.kind, gap.rule, gap.line) for gap in found.gaps if gap.kind == "table_extract"] == [
        ("table_extract", "BND002", 1)
    ]
    assert "BND002" not in {finding.code for finding in found.findings}
    assert "BND002" in report("64445", "28296", tables={}).codes("block")
    assert [gap for gap in report("64445", "64447", tables={}).gaps if gap.kind == "table_extract"] == []
    assert [gap for gap in report("64445", "0200T").gaps if gap.kind == "table_extract"] == [], (
        "the whole table says none"
    )


def test_a_drug_above_its_limit_is_told_once() -> None:
    tables = {**WHOLE, "mue": (*LIMITS, "practitioner,J3301,16,3,2026-01-01,")}
    lines = [{}, {"procedure": "J3301", "modifiers": ["JZ"], "units": "40"}]
    found = check(read_claim(example_claim("practitioner", {"lines": lines}, MEDICARE)), with_rows(BOOK, tables))
    (told,) = [finding for finding in found.findings if finding.cause == "units_of_other_line"]
    assert [one.code for one in (told, *told.because)] == ["EDT003", "DRG005"]
