"""One slip of the biller, one finding: what several rules find of one cause is shown as one.

- Findings of one cause on one line are one. One on the claim as a whole is one with those of a line where that line
  alone has the cause; where several lines have it, it is nobody's part.
- Findings that cannot be judged for want of the same thing are one, whatever their causes and lines. Where a rule says
  that this very thing is missing, and is as severe, they are one with what it found.
- The most severe leads. Of equal ones that which failed leads, then the claim as a whole, then the first by code.
- The leading one keeps its fix. A rule whose fix is another way out (`another_fix`) has it named beside, and leads only
  where it is more severe.

A rule without a cause (of an older book, of a hospital's own) merges with nothing, so that old verdicts are replayed as
they were.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from rules.book.rule import Rule
from rules.causes import CAUSES, OF_A_LINE
from rules.engine.findings import cannot_check
from rules.engine.recent import Recent
from rules.report import Finding, Outcome
from rules.terms import SEVERITIES, Severity


class Member(NamedTuple):
    """A finding of an active rule."""

    finding: Finding
    rule: Rule
    missing: tuple[str, ...]
    """Labels of the facts for want of which it is undetermined."""


class FindingPlace(NamedTuple):
    """What decides where a finding stands: nothing that it says."""

    severity: Severity
    code: str
    line: int | None
    rule: str
    outcome: Outcome
    cause: str | None
    another_fix: bool
    missing: tuple[str, ...]
    number: int
    """Among the findings of the claim, from 0."""


Group = list[FindingPlace]
"""What is shown as one finding, the leading one first."""
Thing = tuple[str, int | None]
"""What is missing: its label, and the line that lacks it where each line has its own."""
_OUTCOMES = ("fail", "undetermined", "out_of_range", "bypassed")
Shown = Recent[tuple[list[Member], Finding]]
"""What was shown of several findings, by their identities; with these, so that no others can have them."""


def merged(found: Sequence[Member], shown: Shown) -> tuple[Finding, ...]:
    """The findings as they are shown, in the order of a report. `shown`: what was before, and what is now."""
    if len(found) < 2:
        return tuple([one.finding for one in found])
    groups = _arranged(
        tuple(
            [
                (
                    one.finding.severity, one.finding.code, one.finding.line, one.finding.rule, one.finding.outcome,
                    one.finding.cause, one.rule.another_fix, one.missing, number,
                )
                for number, one in enumerate(found)
            ]
        )
    )  # fmt: skip
    return tuple(
        [
            found[numbers[0]].finding if len(numbers) == 1 else _shown([found[number] for number in numbers], shown)
            for numbers in groups
        ]
    )


@lru_cache(maxsize=4_096)
def _arranged(places: tuple[tuple[object, ...], ...]) -> tuple[tuple[int, ...], ...]:
    """Which findings are shown as one, the leading one first. Claims with the same faults share it, whatever amounts
    and dates are in the sentences."""
    groups = _by_cause(_taken_over_once(map(FindingPlace._make, places)))
    unjudged = [group for group in groups if _wants(group)]
    if len(unjudged) > 1 or (unjudged and len(groups) > 1):
        groups = _by_missing([group for group in groups if not _wants(group)], unjudged)
    ranked = [sorted(group, key=_rank) for group in groups]
    ranked.sort(key=lambda group: _order(group[0]))
    return tuple([tuple([one.number for one in group]) for group in ranked])


def _order(one: FindingPlace) -> tuple[int, str, int, str]:
    """As `order` of rules/report.py."""
    return SEVERITIES.index(one.severity), one.code, one.line or 0, one.rule


def _taken_over_once(found: Iterable[FindingPlace]) -> list[FindingPlace]:
    """Without the findings of Medicare's rules where the payer's own rule of that code spoke on that line.

    Rules that a Medicare Advantage plan takes over come after the payer's own.
    """
    seen: dict[tuple[str, int | None], str] = {}
    kept = []
    for one in found:
        owner = seen.setdefault((one.code, one.line), one.rule)
        if owner == one.rule or "/medicare/" not in one.rule or "/medicare/" in owner:
            kept.append(one)
    return kept


def _by_cause(found: Iterable[FindingPlace]) -> list[Group]:
    alone: list[Group] = []
    places: dict[str, dict[int | None, Group]] = {}
    for one in found:
        if one.cause is None:
            alone.append([one])
        else:
            places.setdefault(one.cause, {}).setdefault(one.line, []).append(one)
    for lines in places.values():
        if None in lines and len(lines) == 2:
            whole = lines.pop(None)
            next(iter(lines.values())).extend(whole)
        alone += (sorted(group, key=_rank) for group in lines.values())
    return alone


def _rank(one: FindingPlace) -> tuple[int, int, bool, bool, str, int, str]:
    return (
        SEVERITIES.index(one.severity),
        _OUTCOMES.index(one.outcome),
        one.another_fix,
        one.line is not None,
        one.code,
        one.line or 0,
        one.rule,
    )


def _wants(group: Group) -> set[Thing]:
    """What is missing, where the leading finding cannot be judged for it."""
    first = group[0]
    if first.outcome != "undetermined" or first.cause is None:
        return set()
    return {(label, one.line if label in OF_A_LINE else None) for one in group for label in one.missing}


def _by_missing(judged: list[Group], unjudged: list[Group]) -> list[Group]:
    """Each unjudged finding with that which says what it lacks, else with those that lack the same.

    What else was found of its cause stays: it would be there as well if nothing were missing.
    """
    left: list[Group] = []
    others: list[Group] = []
    for group in unjudged:
        rest = [one for one in group if one.outcome != "undetermined"]
        owner = next((one for one in judged if _says_missing(one, group)), None)
        if owner is None:
            (others if rest else left).append(group)
        else:
            owner.extend(one for one in group if one.outcome == "undetermined")
            others += [rest] if rest else []
    return [*judged, *others, *_sharing(left)]


def _says_missing(owner: Group, group: Group) -> bool:
    """Whether what leads the one is that what the other lacks is missing."""
    first = owner[0]
    if first.cause is None or SEVERITIES.index(first.severity) > SEVERITIES.index(group[0].severity):
        return False
    lacks = CAUSES[first.cause].lacks
    return first.outcome == "fail" and all(
        label in lacks and (line is None or first.line in (None, line)) for label, line in _wants(group)
    )


def _sharing(groups: Iterable[Group]) -> list[Group]:
    """Groups that lack one thing are one, and so are those that each share one with a third."""
    apart: list[tuple[set[Thing], Group]] = []
    for group in groups:
        things, whole, others = _wants(group), list(group), []
        for known, other in apart:
            if things.isdisjoint(known):
                others.append((known, other))
            else:
                things, whole = things | known, [*other, *whole]
        apart = [*others, (things, whole)]
    return [group for _, group in apart]


def _shown(group: list[Member], shown: Shown) -> Finding:
    """One finding for several, the leading one first."""
    same = tuple([id(one.finding) for one in group])
    kept = shown.get(same)
    if kept is None:
        first = group[0].finding
        message, fix = first.message, _fix(group)
        if first.outcome == "undetermined":
            message, fix = cannot_check(_all_missing(group))
        because = tuple(one.finding for one in group[1:])
        kept = shown[same] = group, replace(first, message=message, fix=fix, because=because)
    return kept[1]


def _all_missing(group: list[Member]) -> tuple[str, ...]:
    """What is missing, each once."""
    return tuple(dict.fromkeys(label for one in group for label in one.missing))


def _fix(group: list[Member]) -> str:
    """The leading fix, and the first of each other way out."""
    ways: dict[str, str] = {}
    for one in group:
        if one.finding.outcome == "fail":
            ways.setdefault(one.rule.file if one.rule.another_fix else "", one.finding.fix)
    fix, *others = dict.fromkeys(ways.values()) or (group[0].finding.fix,)
    return fix + "".join(f" Or else: {other}" for other in others)
