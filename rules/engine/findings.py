"""What single rules find on a claim."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from rules.book.assignment import Assigned
from rules.book.rule import Version, enumerated, missing_labels
from rules.engine.active import Active, AllFacts, Scope, ScopedRules
from rules.errors import MISTAKES
from rules.facts import Facts
from rules.facts.parts import edition_of
from rules.facts.together import position_of_number
from rules.report import Citation, Finding, Gap, Outcome
from rules.terms import SEVERITIES, Severity

ENGINE_CODE = "ENG001"


class Found(NamedTuple):
    """A finding, in the order in which rules are judged: no two have the same scope and order."""

    scope: Scope
    order: int
    """Of its rule among all that are in force."""
    assigned: Assigned
    finding: Finding | Gap
    missing: tuple[str, ...] = ()
    """Labels of the facts for want of which it is undetermined."""


def judged(rules: ScopedRules, all_facts: AllFacts) -> list[Found]:
    """What these rules find, in the order of judging."""
    found = []
    for scope, one in _not_quiet(rules, all_facts):
        judgement = _judged(one, all_facts[scope[0]][scope[1]])
        if judgement:
            found.append(Found(scope, one.order, one.assigned, *judgement))
    return found


def _not_quiet(rules: ScopedRules, all_facts: AllFacts) -> Iterable[tuple[Scope, Active]]:
    try:
        return [(scope, one) for scope, one in rules if not one.is_quiet(all_facts[scope[0]][scope[1]])]
    except MISTAKES:  # judged one by one, the rule that raises is found
        return rules


def _judged(one: Active, facts: Facts) -> tuple[Finding | Gap, tuple[str, ...]] | None:
    """The finding, and the labels of what it is undetermined for."""
    assigned, version = one.assigned, one.version
    try:
        if facts.day is None:
            outcome, version = assigned.rule.judge(facts)
        else:
            outcome = version.judge(facts)
        if outcome in ("pass", "not_applicable"):
            return None
        if version.gap:
            gap = _gap(assigned, version, outcome, facts)
            return (gap, ()) if gap else None
        missing = missing_labels(version, facts) if outcome == "undetermined" else ()
        return _finding(assigned, version, outcome, facts, missing), missing
    except MISTAKES as error:  # one broken rule must not hide what the others found
        return _broken(assigned, facts, error), ()


def _cited(version: Version, facts: Facts) -> Citation:
    """The rule's source, or the imported edition that judged in its place."""
    edition = edition_of(facts, version.edition.table) if version.edition else None
    if edition is None:
        return version.citation
    return replace(version.citation, source=edition.title, edition=edition.release, url=edition.url)


def _gap(assigned: Assigned, version: Version, outcome: Outcome, facts: Facts) -> Gap | None:
    """What cannot be said for want of a fact is asked for by the rules that need it to judge."""
    if outcome != "fail" or version.gap is None:
        return None
    sentence = f"{version.message.fill(facts)} {version.fix.fill(facts)}"
    # That a rule ended is said once, whichever lines it would have asked of.
    line = None if version.gap == "rule_out_of_range" else facts.line_number
    return Gap(version.gap, assigned.rule.code, line, version.gap_table, sentence)


def cannot_check(missing: tuple[str, ...]) -> tuple[str, str]:
    """Message and fix of a finding that is undetermined for want of these."""
    labels = enumerated(missing)
    return f"Cannot check this: missing on the claim: {labels}.", f"Add {labels}, then check again."


def _finding(assigned: Assigned, version: Version, outcome: Outcome, facts: Facts, missing: tuple[str, ...]) -> Finding:
    rule, number = assigned.rule, facts.line_number
    message, fix = version.message.fill(facts), version.fix.fill(facts)
    patch: tuple[dict[str, object], ...] = ()
    if outcome == "undetermined":
        message, fix = cannot_check(missing)
    elif outcome == "bypassed" and version.bypass:
        message, fix = version.bypass.message.fill(facts), version.bypass.fix.fill(facts)
    elif number is not None:
        patch = tuple(operation.at(position_of_number(facts.case, number)) for operation in version.patch)
    if assigned.whose and outcome != "undetermined":
        message = f"{message} {assigned.whose}"
    return Finding(
        code=rule.code,
        outcome=outcome,
        severity="note" if outcome == "bypassed" else capped(version.severity, assigned.at_most),
        line=number,
        title=rule.title,
        message=message,
        fix=fix,
        patch=patch,
        expected_denial=version.denial if outcome == "fail" else None,
        citation=_cited(version, facts),
        evidence=version.evidence(facts),
        version=version.start.isoformat(),
        rule=rule.file,
        override=assigned.override,
        cause=rule.cause,
        fault=rule.fault,
        observed=assigned.observed,
    )


def _broken(assigned: Assigned, facts: Facts, error: Exception) -> Finding:
    rule, version = assigned.rule, assigned.rule.versions[-1]
    return Finding(
        code=ENGINE_CODE,
        outcome="undetermined",
        severity="block",
        line=facts.line_number,
        title="A rule could not be run",
        message=f"Rule {rule.code} stopped with {type(error).__name__}; the other rules ran.",
        fix="Report this with the claim's form and the book's version; the claim is held until the rule can run.",
        patch=(),
        expected_denial=None,
        citation=version.citation,
        evidence={},
        version=version.start.isoformat(),
        rule=rule.file,
        observed=assigned.observed,
    )


def capped(severity: Severity, at_most: Severity | None) -> Severity:
    """The severity, but not above the ceiling."""
    return at_most if at_most and SEVERITIES.index(severity) < SEVERITIES.index(at_most) else severity
