"""Tables of code ranges: which range a code is in, and what is wrong with a file of them."""

from __future__ import annotations

from datetime import date

import pytest

from rules.errors import RuleProblem
from rules.tables.table import SPECS, Table, read_table

HEADER = ",".join(SPECS["ncci_ranges"].columns)
DAY = date(2026, 7, 13)


def read(*rows: str) -> tuple[Table, list[RuleProblem]]:
    return read_table("ncci_ranges", "f.csv", "\n".join([HEADER, *rows, ""]), {"s": None})


RANGES = (
    "practitioner,64445,00100,01952,2,1,2024-07-01,,s",
    "practitioner,64445,01991,01992,1,0,2024-07-01,2025-12-31,s",
    "practitioner,64445,0213T,0218T,2,0,2024-07-01,,s",
    "practitioner,64445,G0260,G0260,,none,2024-07-01,,s",
    "outpatient_hospital,64445,00100,01952,2,0,2024-07-01,,s",
)


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("00100", ("2", "1")),
        ("01952", ("2", "1")),
        ("01470", ("2", "1")),
        ("00099", None),
        ("01953", None),
        ("0050T", None),
        ("0213T", ("2", "0")),
        ("0215T", ("2", "0")),
        ("0219T", None),
        ("02150", None),
        ("G0260", ("", "none")),
        ("G0261", None),
        ("", None),
        ("99999", None),
    ],
)
def test_a_code_is_in_a_range_of_its_own_shape_only(code: str, found: tuple[str, str] | None) -> None:
    table, problems = read(*RANGES)
    assert problems == []
    assert table.find_in_range(("practitioner", "64445"), code, DAY) == found


def test_a_range_has_dates_a_part_and_a_procedure() -> None:
    table, _ = read(*RANGES)
    assert table.find_in_range(("practitioner", "64445"), "01991", date(2025, 12, 31)) == ("1", "0")
    assert table.find_in_range(("practitioner", "64445"), "01991", date(2026, 1, 1)) is None
    assert table.find_in_range(("outpatient_hospital", "64445"), "01470", DAY) == ("2", "0")
    assert table.find_in_range(("practitioner", "64447"), "01470", DAY) is None


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (("practitioner,64445,01952,00100,2,1,2024-07-01,,s",), "expected the first and the last code of a range, found 01952/00100"),
        (("practitioner,64445,00100,0100T,2,1,2024-07-01,,s",), "expected the first and the last code of a range, found 00100/0100T"),
        ((*RANGES, "practitioner,64445,01900,01960,2,1,2024-07-01,,s"), "two ranges of practitioner/64445 have 01900 in them"),
    ],
)  # fmt: skip
def test_a_faulty_range_is_named(rows: tuple[str, ...], sentence: str) -> None:
    assert [problem.sentence for problem in read(*rows)[1]] == [sentence]
