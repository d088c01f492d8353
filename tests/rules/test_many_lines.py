"""Claims of many lines: the time of judging grows with the lines, not with their square.

Whatever hangs on all other lines of a day is asked once a day, as others learned for lists that callers make long
(madler/unzip#13, pydantic-core#602).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from rules.authoring.examples import example_claim
from rules.claim import read_claim
from rules.engine.check import check
from rules.history import Billed, History
from tests.book import BOOK

RECEIVED = date(2026, 10, 20)
Line = dict[str, Any]
CODES = ("99213", "76942", "J3301", "27447", "01402", "64447")


def _dated(line: Line, place: int) -> Line:
    return {**line, "service_date": (date(2024, 1, 1) + timedelta(place)).isoformat()}


KINDS: dict[str, Callable[[Line, int], Line]] = {
    "all alike": lambda line, place: line,
    "blocks and others in turn": lambda line, place: line if place % 2 else {**line, "procedure": CODES[place % 6]},
    "each on a day of its own": _dated,
    "without dates": lambda line, place: {**line, "service_date": None},
    "ending before they start": lambda line, place: {**line, "service_date_end": "2026-09-01"},
    "bilateral": lambda line, place: {**line, "modifiers": ["50"] if place % 2 else ["RT", "59"]},
    "each beside another code": lambda line, place: line if place % 2 else {**line, "procedure": str(20_000 + place)},
    "with twenty pointers": lambda line, place: {**line, "diagnosis_pointers": [9] * 20},
}


def claim_of(lines: int, kind: str) -> Any:
    claim = example_claim("practitioner", {}, {"id": "87726", "filing_indicator": "CI"})
    line = {**claim["lines"][0], "service_date": "2026-10-01"}
    claim["lines"] = [{**KINDS[kind](line, place), "number": place + 1} for place in range(lines)]
    return read_claim(claim)


def history_of(lines: int) -> History:
    def billed(place: int) -> Billed:
        day = date(2026, 10, 1) - timedelta(place % 300)
        return Billed(
            f"OLD-{place}", "other", "64445", day, day, "RT", (), Decimal(1), "1234567893", "practitioner", True
        )

    return History("consulted", tuple(billed(place) for place in range(lines)))


def seconds(lines: int, kind: str) -> float:
    """Processor time of judging such a claim; the least of three."""
    claim, history, found = claim_of(lines, kind), history_of(lines), []
    for _ in range(3):
        started = time.process_time()
        check(claim, BOOK, received=RECEIVED, history=history)
        found.append(time.process_time() - started)
    return min(found)


@pytest.mark.parametrize("kind", KINDS)
def test_eight_times_the_lines_cost_nowhere_near_sixty_four_times_the_processor_time(kind: str) -> None:
    seconds(30, kind)  # what is worked out once a book
    assert seconds(480, kind) < 24 * seconds(60, kind) + 0.05


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_nor_do_as_many_lines_as_a_claim_may_have(kind: str) -> None:
    seconds(30, kind)
    assert seconds(999, kind) < 24 * seconds(125, kind) + 0.05


def test_lines_that_are_alike_are_each_judged_as_when_there_are_few() -> None:
    few, many = (check(claim_of(lines, "all alike"), BOOK, received=RECEIVED) for lines in (20, 999))
    assert few.every
    assert {finding.code for finding in few.every} <= {finding.code for finding in many.every}
