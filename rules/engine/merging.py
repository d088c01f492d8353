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
from typing import NamedTuple

from rules.book.rule import Rule
from rules.causes import CAUSES, OF_A_LINE
from rules.engine.findings import cannot_check
from rules.report import Finding
from rules.terms import SEVERITIES


class Member(NamedTuple):
    """A finding of an active rule."""

    finding: Finding
    rule: Rule
    missing: tuple[str, ...]
    """Labels of the facts for want of which it is undetermined."""


Group = list[Member]
"""What is shown as one finding, the leading one first."""
Thing = tuple[str, int | None]
"""What is missing: its label, and the line that lacks it where each line has its own."""
_OUTCOMES = ("fail", "undetermined", "out_of_range", "bypassed")


def merged(found: Sequence[Member]) -> list[Finding]:
    """The findings as they are shown, in no order."""
    if len(found) < 2:
        return [one.finding for one in found]
    groups = _by_cause(found)
    unjudged = [group for group in groups if _wants(group)]
    if len(unjudged) > 1 or (unjudged and len(groups) > 1):
        groups = _by_missing([group for group in groups if not _wants(group)], unjudged)
    return [_shown(group) for group in groups]


def _by_cause(found: Iterable[Member]) -> list[Group]:
    alone: list[Group] = []
    places: dict[str, dict[int | None, Group]] = {}
    for one in found:
        if one.finding.cause is None:
            alone.append([one])
        else:
            places.setdefault(one.finding.cause, {}).setdefault(one.finding.line, []).append(one)
    for lines in places.values():
        if None in lines and len(lines) == 2:
            whole = lines.pop(None)
            next(iter(lines.values())).extend(whole)
        alone += (sorted(group, key=_rank) for group in lines.values())
    return alone


def _rank(one: Member) -> tuple[int, int, bool, bool, str, int, str]:
    finding = one.finding
    return (
        SEVERITIES.index(finding.severity),
        _OUTCOMES.index(finding.outcome),
        one.rule.another_fix,
        finding.line is not None,
        finding.code,
        finding.line or 0,
        finding.rule,
    )


def _wants(group: Group) -> set[Thing]:
    """What is missing, where the leading finding cannot be judged for it."""
    first = group[0]
    if first.finding.outcome != "undetermined" or first.finding.cause is None:
        return set()
    return {(label, one.finding.line if label in OF_A_LINE else None) for one in group for label in one.missing}


def _by_missing(judged: list[Group], unjudged: list[Group]) -> list[Group]:
    """Each unjudged finding with that which says what it lacks, else with those that lack the same.

    What else was found of its cause stays: it would be there as well if nothing were missing.
    """
    left: list[Group] = []
    others: list[Group] = []
    for group in unjudged:
        rest = [one for one in group if one.finding.outcome != "undetermined"]
        owner = next((one for one in judged if _says_missing(one, group)), None)
        if owner is None:
            (others if rest else left).append(group)
        else:
            owner.extend(one for one in group if one.finding.outcome == "undetermined")
            others += [rest] if rest else []
    return [*judged, *others, *_sharing(left)]


def _says_missing(owner: Group, group: Group) -> bool:
    """Whether what leads the one is that what the other lacks is missing."""
    first = owner[0].finding
    if first.cause is None or SEVERITIES.index(first.severity) > SEVERITIES.index(group[0].finding.severity):
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


def _shown(group: Group) -> Finding:
    if len(group) == 1:
        return group[0].finding
    group = sorted(group, key=_rank)
    first, *others = group
    message, fix = first.finding.message, _fix(group)
    if first.finding.outcome == "undetermined":
        message, fix = cannot_check(_all_missing(group))
    return replace(first.finding, message=message, fix=fix, because=tuple(one.finding for one in others))


def _all_missing(group: Group) -> tuple[str, ...]:
    """What is missing, each once."""
    return tuple(dict.fromkeys(label for one in group for label in one.missing))


def _fix(group: Group) -> str:
    """The leading fix, and the first of each other way out."""
    ways: dict[str, str] = {}
    for one in group:
        if one.finding.outcome == "fail":
            ways.setdefault(one.rule.file if one.rule.another_fix else "", one.finding.fix)
    fix, *others = dict.fromkeys(ways.values()) or (group[0].finding.fix,)
    return fix + "".join(f" Or else: {other}" for other in others)
