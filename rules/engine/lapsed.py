"""Rules that ended before a day: what they would have asked of a claim is a gap."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date

from rules.book.assignment import Assigned
from rules.book.logic import NEVER, Condition
from rules.book.rule import Rule, Text, Version
from rules.engine.active import Active
from rules.terms import FORM


def lapsed(assigned: Iterable[Assigned], day: date) -> Iterator[Active]:
    """The rules that nothing follows on the day, each as a version that finds the gap wherever it would have asked.

    None of a code of which another rule is in force, and none of those whose file says that they end on purpose.
    """
    numbered = [
        (order, one)
        for order, one in enumerate(assigned)
        if one.rule.status == "active" and not one.published
    ]  # fmt: skip
    going = {(one.rule.layer, one.rule.code) for _, one in numbered if one.rule.version_on(day)}
    ended: dict[tuple[str, str], date] = {}
    over: list[tuple[int, Assigned, Version]] = []
    for order, one in numbered:
        rule = one.rule
        if not going.isdisjoint(((rule.layer, rule.code), (FORM, rule.code))):
            continue
        before = [version for version in rule.versions if version.end < day]
        if before and not before[-1].meant_to_end:
            over.append((order, one, before[-1]))
            named = (rule.layer, rule.code)
            ended[named] = max(before[-1].end, ended.get(named, date.min))
    for order, one, version in over:
        gap = _gap(one.rule, version, ended[one.rule.layer, one.rule.code])
        yield Active(one, gap, gap.is_quiet, order)


def _gap(rule: Rule, version: Version, last: date) -> Version:
    """A version that fails wherever it is not certain that the one that ended would have been silent."""
    said = f"{rule.code} says nothing of this date of service: its last version ended on {last}, and none follows."
    asked = version.applies
    return replace(
        version,
        applies=Condition(f"(not {asked.false})", asked.false, asked.facts, asked.constants, asked.asked_missing),
        demand=NEVER,
        wanted=True,
        bypass=None,
        message=Text(((said, None),)),
        fix=Text((("Look whether the payer's text was renewed.", None),)),
        edition=None,
        gap="rule_out_of_range",
        gap_table=None,
    )
