"""What all rules together say of a claim: their findings in order, each where it belongs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from rules.book.assignment import Assigned
from rules.engine.plan import ShapedPlan
from rules.report import SEVERITIES, Finding, Report


class Spoken(NamedTuple):
    """A finding, in the order in which rules are judged: no two have the same scope and place."""

    scope: int
    """0: the claim as a whole; then each line on trial."""
    place: int
    """Of its rule among all that are in force."""
    assigned: Assigned
    finding: Finding


class Said(NamedTuple):
    """What rules found on claims that are alike, and the report where they found no more: of no claim yet."""

    spoken: tuple[Spoken, ...]
    report: Report


class Kept(NamedTuple):
    """What is known of claims of one shape."""

    plan: ShapedPlan
    said: Said
    """By the rules that rest on the shape alone."""


class Verdict(NamedTuple):
    """Findings where they belong, each kind in the order of a report."""

    findings: tuple[Finding, ...]
    shadow: tuple[Finding, ...]
    """By drafts."""
    overridden: tuple[Finding, ...]
    """By rules that an override put out of force."""

    @property
    def blocks(self) -> bool:
        """Whether a finding sends the claim to rework."""
        return any(finding.severity == "block" and finding.outcome != "bypassed" for finding in self.findings)


def verdict_of(spoken: Iterable[Spoken]) -> Verdict:
    """The verdict that these findings make, which come in the order of judging."""
    found: list[Finding] = []
    shadow: list[Finding] = []
    overridden: list[Finding] = []
    for one in spoken:
        draft = one.assigned.rule.status == "draft"
        where = shadow if draft else overridden if one.assigned.published else found
        where.append(one.finding)
    return Verdict(_sorted(_taken_over_once(found)), _sorted(shadow), _sorted(overridden))


def _taken_over_once(findings: Iterable[Finding]) -> list[Finding]:
    """Without the findings of Medicare's rules where the payer's own rule of that code spoke on that line.

    Rules that a Medicare Advantage plan takes over come after the payer's own.
    """
    seen: dict[tuple[str, int | None], str] = {}
    kept = []
    for finding in findings:
        owner = seen.setdefault((finding.code, finding.line), finding.rule)
        if owner == finding.rule or "/medicare/" not in finding.rule or "/medicare/" in owner:
            kept.append(finding)
    return kept


def _sorted(found: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(found, key=_order))


def _order(finding: Finding) -> tuple[int, str, int, str]:
    return (SEVERITIES.index(finding.severity), finding.code, finding.line or 0, finding.rule)
