"""What is hidden cannot be worked out: tried by solving for it, with other code than that which hides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from worker.backtest.suppression import Sum, suppressed

Key = tuple[str, str]
ROWS, COLUMNS = tuple("abcde"), tuple("wxyz")


def solved(sums: Iterable[Sum[Key]], hidden: frozenset[Key]) -> set[Key]:
    """The hidden counts that all sums together determine, by Gauss and Jordan in fractions."""
    rows: dict[Key, dict[Key, Fraction]] = {}
    for one in sums:
        row = {key: Fraction(-1) for key in one.parts if key in hidden}
        if one.total in hidden:
            row[one.total] = Fraction(1)
        for pivot in [key for key in row if key in rows]:
            row = _less(row, rows[pivot], row[pivot])
        if row:
            pivot = min(row)
            row = {key: value / row[pivot] for key, value in row.items()}
            rows = {key: _less(old, row, old[pivot]) if pivot in old else old for key, old in rows.items()}
            rows[pivot] = row
    return {pivot for pivot, row in rows.items() if len(row) == 1}


def _less(row: Mapping[Key, Fraction], other: Mapping[Key, Fraction], times: Fraction) -> dict[Key, Fraction]:
    found = {key: row.get(key, Fraction(0)) - times * other.get(key, Fraction(0)) for key in {*row, *other}}
    return {key: value for key, value in found.items() if value}


def table(cells: Mapping[Key, int]) -> tuple[dict[Key, int], list[Sum[Key]]]:
    """A table with its margins, as counts and sums."""
    counts = dict(cells)
    sums = []
    for row in ROWS:
        counts[row, "*"] = sum(cells[row, column] for column in COLUMNS)
        sums.append(Sum((row, "*"), tuple((row, column) for column in COLUMNS)))
    for column in COLUMNS:
        counts["*", column] = sum(cells[row, column] for row in ROWS)
        sums.append(Sum(("*", column), tuple((row, column) for row in ROWS)))
    counts["*", "*"] = sum(cells.values())
    sums.append(Sum(("*", "*"), tuple((row, "*") for row in ROWS)))
    sums.append(Sum(("*", "*"), tuple(("*", column) for column in COLUMNS)))
    return counts, sums


numbers = st.one_of(st.just(0), st.integers(1, 14), st.integers(1, 400))
tables = st.fixed_dictionaries({(row, column): numbers for row in ROWS for column in COLUMNS})


@settings(max_examples=80, deadline=None)
@given(tables)
def test_no_small_count_is_shown_nor_follows_from_what_is(cells: dict[Key, int]) -> None:
    counts, sums = table(cells)
    hidden = suppressed(counts, sums, 11)
    small = {key for key, count in counts.items() if 0 < count < 11}
    assert small <= hidden
    assert not solved(sums, hidden) & small
    for one in sums:
        missing = [key for key in one.parts if key in hidden]
        if missing and one.total not in hidden:
            assert sum(counts[key] for key in missing) >= 11, "together they are a small count themselves"


def test_two_in_every_row_and_column_are_not_enough_where_a_bridge_joins_them() -> None:
    """Each row and column has two hidden counts or none, and one of them follows all the same."""
    cells = {(row, column): 50 for row in ROWS for column in COLUMNS}
    counts, sums = table(cells)
    square = {("a", "w"), ("a", "x"), ("b", "w"), ("b", "x")}
    other = {("c", "y"), ("c", "z"), ("d", "y"), ("d", "z")}
    bridge = frozenset({*square, *other, ("b", "y")})
    assert solved(sums, bridge) == {("b", "y")}
    counts["b", "y"] = 3
    hidden = suppressed(counts, sums, 11, bridge)
    assert ("b", "y") not in solved(sums, hidden)


def test_zero_is_shown_and_a_table_without_small_counts_is_shown_whole() -> None:
    counts, sums = table({(row, column): 20 if row != "a" else 0 for row in ROWS for column in COLUMNS})
    assert suppressed(counts, sums, 11) == frozenset()


def test_the_least_count_of_1_hides_nothing() -> None:
    counts, sums = table({(row, column): 1 for row in ROWS for column in COLUMNS})
    assert suppressed(counts, sums, 1) == frozenset()


def test_what_is_worth_less_goes_first() -> None:
    counts = {("r", "small"): 3, ("r", "dear"): 12, ("r", "cheap"): 90, ("r", "*"): 105}
    sums = [Sum(("r", "*"), (("r", "small"), ("r", "dear"), ("r", "cheap")))]
    assert suppressed(counts, sums, 11) == {("r", "small"), ("r", "dear")}
    worth = {"dear": 1}
    found = suppressed(counts, sums, 11, worth=lambda key: worth.get(key[1], 0))
    assert found == {("r", "small"), ("r", "cheap")}


def test_what_is_left_of_a_whole_beside_a_count_is_not_to_be_few_either() -> None:
    """Of 103 denials the rule fired on 100: to show that would show the 3 on which it was silent."""
    counts = {("r", "a"): 100, ("r", "b"): 50, ("r", "c"): 60, ("r", "*"): 210}
    sums = [Sum(("r", "*"), (("r", "a"), ("r", "b"), ("r", "c")))]
    rest = {("r", "a"): 3, ("r", "b"): 4, ("r", "c"): 40, ("r", "*"): 47}
    assert suppressed(counts, sums, 11, rest=rest) == {("r", "a"), ("r", "b"), ("r", "c")}, "3 and 4 are few together"
    assert suppressed(counts, sums, 11) == frozenset()
