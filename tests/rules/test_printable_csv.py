"""A table for a spreadsheet: no cell is a formula, and each row stays one, whatever a sender wrote into a field."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rules.printable import csv_of

FORMULAS = [
    "=1+1",
    "+1",
    "-1",
    "@x",
    "\tx",
    "\rx",
    "\n=x",
    " =1",
    "　=1",
    "＝1",
    "＋1",
    "－1",
    "＠x",
    "=cmd|'/c calc'!A0",
]


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_is_a_formula(text: str) -> None:
    assert csv_of(("a",), [(text,)]).partition("\n")[2].lstrip('"').startswith("'")


@given(rows=st.lists(st.tuples(st.text(), st.text()), max_size=5))
@example([("a\u2028b", 'c","=1+1'), ("x\x0b\x1c", "\x85")])
def test_what_goes_in_comes_out_but_for_the_apostrophe(rows: list[tuple[str, str]]) -> None:
    read = list(csv.reader(io.StringIO(csv_of(("a", "b"), rows, "\r\n"), newline="")))
    assert read[0] == ["a", "b"]
    assert [[cell.removeprefix("'") for cell in row] for row in read[1:]] == [
        [cell.removeprefix("'") for cell in row] for row in rows
    ]


def test_numbers_and_days_are_no_texts() -> None:
    assert csv_of(("a", "b", "c"), [(-5, None, 1.5)]) == "a,b,c\n-5,,1.5\n"
