"""The rules of a plan as one function: it says what the rules say one by one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from rules.book.assignment import Assigned
from rules.claim import Claim, read_claim
from rules.engine.active import Active
from rules.engine.cases import cases_of
from rules.engine.check import check
from rules.engine.fused import QUIET, fused
from rules.engine.memory import memory_of
from rules.engine.plan import ShapePlan
from rules.facts import facts_of
from rules.history import NOTHING_BILLED
from tests.book import BOOK, unused
from worker.bench.claims import claim

CLAIMS = [read_claim(claim(number)) for number in range(800)]


def plans() -> list[ShapePlan]:
    book = unused()
    for one in CLAIMS:
        check(one, book, history=NOTHING_BILLED)
    return [plan for plan, *_ in memory_of(book).by_shape]


def faulty(one: Claim) -> Claim:
    return replace(one, total_charge=None, patient=None, billing_provider=None)


def in_two(one: Claim, *charges: Decimal) -> Claim:
    """The procedure on two lines that differ in their charges alone."""
    lines = [replace(line, charge=charge) for charge in charges for line in one.lines if line.procedure == "64445"]
    numbered = [replace(line, number=number) for number, line in enumerate(lines, 1)]
    return replace(one, lines=tuple(numbered), total_charge=sum(charges, Decimal(0)))


def first_for_nothing(one: Claim) -> Claim:
    return in_two(one, Decimal(0), Decimal(900))


def second_for_nothing(one: Claim) -> Claim:
    return in_two(one, Decimal(900), Decimal(0))


@pytest.mark.parametrize("change", [lambda one: one, faulty, first_for_nothing, second_for_nothing])
def test_it_says_which_of_its_rules_have_something_to_say_and_what_it_derived(change: Callable[[Claim], Claim]) -> None:
    book, seen = unused(), set()
    memory = memory_of(book)
    for one in map(change, CLAIMS[:300]):
        memory.by_shape.clear()
        check(one, book, history=NOTHING_BILLED)
        for plan, *_ in memory.by_shape:
            cases = cases_of(one, book, None, NOTHING_BILLED)
            facts = [facts_of(case) for case in cases]
            for name, rules in (("by_diagnoses", plan.by_diagnoses), ("by_claim", plan.by_claim)):
                function = plan.fused(name)
                assert function is not None
                said = function.spoken(cases, plan.known)
                loud = [one for one in rules if not one[1].is_quiet(facts[one[0][0]][one[0][1]])]
                assert list(said.rules) == loud
                assert all(facts[layer][number][fact] == value for (layer, number), fact, value in said.facts)
                seen.add((name, not loud))
    assert ("by_claim", False) in seen
    assert {("by_diagnoses", True), ("by_diagnoses", False)} <= seen


def test_plans_of_many_shapes_share_one() -> None:
    found = plans()
    assert len({plan.fused("by_claim") for plan in found}) < len(found) / 5


def test_rules_that_look_at_more_than_facts_are_asked_one_by_one() -> None:
    tabled = next(rule for rule in BOOK.rules if "(f, x)" in rule.versions[-1].quiet_text)
    version = tabled.versions[-1]
    assert fused((((0, 0), Active(Assigned(tabled), version, version.is_quiet, 0)),), frozenset()) is None


def test_no_rules_are_quiet() -> None:
    function = fused((), frozenset())
    assert function is not None
    assert function.spoken(cases_of(CLAIMS[0], BOOK, None), (({},),)) is QUIET
