"""Dated tables: what is found on which day, and what is reported of a faulty file."""

from __future__ import annotations

from datetime import date

import pytest

from rules.tables.table import SPECS, read_table

SOURCES = {"s": None}
HEAD = ",".join(SPECS["laterality"].columns)


def faults(text: str) -> list[str]:
    return [str(problem) for problem in read_table("laterality", "tables/laterality.csv", text, SOURCES)[1]]


def test_a_row_holds_from_its_first_to_its_last_day() -> None:
    text = f"{HEAD}\nM5431,right,2020-01-01,2020-12-31,s\nM5431,left,2021-01-01,,s\n"
    table, problems = read_table("laterality", "f", text, SOURCES)
    assert problems == []
    days = [date(2019, 12, 31), date(2020, 1, 1), date(2020, 12, 31), date(2021, 1, 1), date(2100, 1, 1)]
    assert [table.find(("M5431",), day) for day in days] == [None, ("right",), ("right",), ("left",), ("left",)]
    assert (len(table), table.starts) == (2, {"": date(2020, 1, 1)})


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("M5431,right,2020-01-01,s", "2:1: laterality: expected 5 fields, found 4"),
        ("M5431,right,2020-1-1,,s", "expected dates as YYYY-MM-DD"),
        ("M5431,right,2020-01-02,2020-01-01,s", "`to` is before `from`"),
        ("M5431,right,2020-01-01,,nowhere", "source 'nowhere' is not in sources.yaml"),
        (
            "M5431,right,2020-01-01,,s\nM5431,left,2025-01-01,,s",
            "3:1: laterality: the period of M5431 overlaps an earlier row",
        ),
    ],
)
def test_a_faulty_row_is_named_with_its_line(row: str, words: str) -> None:
    (fault,) = faults(f"{HEAD}\n{row}\n")
    assert words in fault


def test_a_wrong_header_is_refused_whole() -> None:
    assert faults("code,side\nM5431,right\n") == [f"tables/laterality.csv:1:1: laterality: expected the header {HEAD}"]
