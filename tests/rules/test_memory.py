"""What the engine keeps beside a book is that book's alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

from rules.claim import read_claim
from rules.engine.check import check
from rules.engine.memory import memory_of
from tests.book import unused
from worker.bench.claims import claim


def test_a_changed_copy_of_a_book_begins_with_nothing_and_leaves_the_book_s_own_as_it_is() -> None:
    book = unused()
    check(read_claim(claim(0)), book)
    kept = memory_of(book)
    narrowed = book.narrowed(book.rules[:3])
    later = replace(book, covers_from=book.covers_from + timedelta(days=1))
    for copy in (narrowed, later, replace(book)):
        assert not len(memory_of(copy).by_shape)
        assert not memory_of(copy).assigned
    assert memory_of(book) is kept
    assert len(kept.by_shape) == 1


def test_a_book_that_was_used_is_still_equal_to_one_that_was_not() -> None:
    used, fresh = unused(), unused()
    fresh = replace(used, version=fresh.version)
    check(read_claim(claim(0)), used)
    assert used == fresh
    assert "Memory" not in repr(used)


def test_a_period_ends_where_a_rule_or_what_the_book_covers_begins() -> None:
    book = unused()
    memory = memory_of(book)
    begins = {version.start for rule in book.rules for version in rule.versions} - {date.min}
    begins |= {book.covers_from, *(payer.covers_from for payer in book.registry.payers.values())}
    assert begins
    for day in begins:
        assert memory.period(day) == memory.period(day - timedelta(days=1)) + 1
