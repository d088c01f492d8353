"""Two books side by side: what the new one would change, and that the short way round says the same as the long one."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from functools import cache

import pytest

from rules.authoring.impact import Comparison, ImpactTally, Move
from rules.book.book import Book
from rules.book.overridden import overridden
from rules.book.overridefile import read_overrides
from rules.book.overrides import pin_of
from rules.claim import Claim, read_claim
from rules.errors import BookInvalid
from rules.loader import book_files, load_book, read_book
from tests.book import unused
from worker.bench.claims import claim

DAY = date(2026, 11, 23)
UNT001 = "procedures/64445/medicare/UNT001-one-unit.yaml"
UNT002 = "procedures/64445/medicare/UNT002-mue.yaml"


@cache
def library() -> Book:
    return unused()


@cache
def claims() -> tuple[Claim, ...]:
    return tuple(read_claim(claim(number)) for number in range(400))


def changed(file: str, old: str, new: str) -> Book:
    files = dict(book_files())
    text = files[file].decode()
    assert old in text
    return read_book({**files, file: text.replace(old, new).encode()})


def tally(comparison: Comparison) -> ImpactTally:
    found = ImpactTally()
    for one in claims():
        found.claims += 1
        if shift := comparison.shift(one, DAY):
            found.add(shift)
    return found


def with_entries(text: str) -> Book:
    return overridden(library(), read_overrides("o", f"overrides:\n{text}", library()), DAY)


OBSERVE = "  - {name: o, mode: observe, reason: r, owner: o, expires: 2027-01-01}\n"


def test_while_both_books_only_observe_claims_move_by_their_verdicts() -> None:
    """Who starts by observing wants to see what a book would hold, and nothing moves yet."""
    fewer = changed(UNT002, "severity: block", "severity: warn")
    fewer = overridden(fewer, read_overrides("o", f"overrides:\n{OBSERVE}", fewer), DAY)
    plain = tally(Comparison(library(), changed(UNT002, "severity: block", "severity: warn")))
    found = tally(Comparison(with_entries(OBSERVE), fewer))
    assert (found.touched, found.routes.keys()) == (plain.touched, plain.routes.keys())
    begun = tally(Comparison(with_entries(OBSERVE), library()))
    assert {way for way in begun.routes if way[0] != "billing"} == set()
    assert ("billing", "rework") in begun.routes


def test_drafts_of_an_upgrade_are_judged_as_active_ones_where_drafts_are() -> None:
    pin = pin_of([library().files[UNT001.removesuffix(".yaml")]])
    text = f"  - {{name: d, draft: {UNT001}, written_for: {pin}, reason: r, owner: o, expires: 2027-01-01}}\n"
    drafted = with_entries(text)
    assert tally(Comparison(library(), drafted)).touched > 0
    assert tally(Comparison(library(), drafted, drafts=True)).touched == 0


def test_the_same_book_changes_nothing() -> None:
    found = tally(Comparison(library(), load_book()))
    assert (found.touched, found.routes, found.moves, found.finds) == (0, {}, {}, {})


@pytest.mark.parametrize(("file", "old", "new"), [
    (UNT001, "severity: block", "severity: warn"),
    (UNT001, "status: active", "status: draft"),
    ("procedures/64445/uhc/MOD006-side-required.yaml", "status: active", "status: draft"),
])  # fmt: skip
def test_judging_by_the_rules_that_differ_says_what_judging_in_full_says(file: str, old: str, new: str) -> None:
    short = Comparison(library(), changed(file, old, new))
    assert short.narrow
    full = Comparison(short.old, short.new)
    full.narrow = None
    for one in claims():
        assert short.shift(one, DAY) == full.shift(one, DAY)


def test_claims_that_move_are_counted_by_rule_and_payer_with_their_charge() -> None:
    off = [replace(rule, status="retired") if rule.code in ("UNT001", "UNT002") else rule for rule in library().rules]
    new = replace(library(), rules=tuple(off))
    back = tally(Comparison(library(), new))
    moved = back.routes["rework", "billing"]
    assert moved.claims > 0
    assert moved.charge > Decimal(0)
    assert len(moved.examples) == min(5, moved.claims)
    assert all(move.before == "rework" and move.after == "billing" for move in back.moves)
    there = tally(Comparison(new, library()))
    assert there.routes["billing", "rework"] == moved
    assert {
        Move("billing", "rework", move.code, move.payer): group for move, group in back.moves.items()
    } == there.moves


def test_drafts_are_judged_as_if_active_where_that_is_asked() -> None:
    draft = changed(UNT001, "status: active", "status: draft")
    assert tally(Comparison(library(), draft)).touched
    assert not tally(Comparison(library(), draft, drafts=True)).touched


def test_other_tables_or_payers_are_judged_in_full() -> None:
    files = dict(book_files())
    name = "payers/uhc.yaml"
    assert (
        Comparison(
            library(), read_book({**files, name: files[name].replace(b"87726", b"87727")}, examples=False)
        ).narrow
        is None
    )


def test_parts_merged_in_order_are_the_whole() -> None:
    comparison = Comparison(library(), changed(UNT001, "severity: block", "severity: note"))
    whole, first, second = ImpactTally(), ImpactTally(), ImpactTally()
    for place, one in enumerate(claims()):
        shift = comparison.shift(one, DAY)
        for part in (whole, first if place < 150 else second):
            part.claims += 1
            if shift:
                part.add(shift)
    first.merge(second)
    assert first == whole


def test_a_book_with_a_fault_is_refused() -> None:
    with pytest.raises(BookInvalid):
        changed(UNT001, "severity: block", "severity: loud")
