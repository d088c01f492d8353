"""A loose alarm: several times slower than today fails. Speed itself is measured by `make bench`."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from rules.claim import read_claim
from rules.engine.check import check
from rules.engine.memory import memory_of
from rules.history import NOTHING_BILLED
from tests.book import unused
from worker.bench import rivals
from worker.bench.claims import claim
from worker.bench.rules import medicare_office

TIMES_BY_HAND = 15
"""Today it is about 7: what a claim costs beside its rules (shape, periods, gaps, report) is most of it, of so few rules."""

TIMES_KNOWN = 15
"""Today it is about 8: a claim whose shape is new, made of a head and of lines that are known, beside one whose shape is."""


def least(run: Callable[[], object], times: int = 60) -> float:
    """The quickest of many short runs: what the machine does beside counts for nothing."""

    def once() -> float:
        started = time.process_time()
        run()
        return time.process_time() - started

    return min(once() for _ in range(times))


def test_the_engine_is_not_several_times_slower_than_rules_by_hand() -> None:
    book = unused()
    files = set(rivals.FILES)
    small = replace(book, rules=tuple(rule for rule in book.rules if rule.file in files))
    assert len(small.rules) == len(rivals.FILES)
    claims = medicare_office(50)
    ours = least(lambda: [check(one, small) for one in claims])
    assert ours < TIMES_BY_HAND * least(lambda: [rivals.by_hand(one) for one in claims])


def test_a_claim_of_a_new_shape_is_not_many_times_dearer_than_one_of_a_known_shape() -> None:
    """Before heads and lines were looked at for themselves it was 18 times."""
    book = unused()
    claims = [read_claim(claim(number)) for number in range(400)]

    def judge(*, new: bool) -> None:
        memory = memory_of(book)
        if new:
            memory.by_shape.clear()
            memory.by_diagnoses.clear()
        for one in claims:
            check(one, book, history=NOTHING_BILLED)

    judge(new=True)
    shapes = len(memory_of(book).by_shape)
    known = least(lambda: judge(new=False), 6) / len(claims)
    new = (least(lambda: judge(new=True), 6) - known * (len(claims) - shapes)) / shapes
    assert new < TIMES_KNOWN * known


def test_the_rules_by_hand_say_what_the_engine_says() -> None:
    book = unused()
    files = set(rivals.FILES)
    small = replace(book, rules=tuple(rule for rule in book.rules if rule.file in files))
    told = set[str]()
    for one in medicare_office(200):
        by_hand = rivals.by_hand(one)
        told.update(by_hand)
        assert by_hand == sorted({finding.code for finding in check(one, small).every})
    assert len(told) > 1
