"""A loose alarm: several times slower than today fails. Speed itself is measured by `make bench`."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from rules.engine.check import check
from rules.loader import load_book
from worker.bench import rivals
from worker.bench.rules import medicare_office

TIMES_BY_HAND = 10
"""Today it is about 1.9."""


def least(run: Callable[[], object]) -> float:
    """The quickest of many short runs: what the machine does beside counts for nothing."""

    def once() -> float:
        started = time.perf_counter()
        run()
        return time.perf_counter() - started

    return min(once() for _ in range(30))


def test_the_engine_is_not_several_times_slower_than_rules_by_hand() -> None:
    book = load_book()
    files = set(rivals.FILES)
    small = replace(book, rules=tuple(rule for rule in book.rules if rule.file in files))
    assert len(small.rules) == len(rivals.FILES)
    claims = medicare_office(50)
    ours = least(lambda: [check(one, small) for one in claims])
    assert ours < TIMES_BY_HAND * least(lambda: [rivals.by_hand(one) for one in claims])


def test_the_rules_by_hand_say_what_the_engine_says() -> None:
    book = load_book()
    files = set(rivals.FILES)
    small = replace(book, rules=tuple(rule for rule in book.rules if rule.file in files))
    told = set[str]()
    for one in medicare_office(200):
        by_hand = rivals.by_hand(one)
        told.update(by_hand)
        assert by_hand == sorted({finding.code for finding in check(one, small).every})
    assert len(told) > 1
