"""What single rules find on a claim."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

from rules.book.assignment import Assigned
from rules.book.rule import Version, enumerated, missing_labels
from rules.engine.active import Active, AllFacts, Scope, ScopedRules
from rules.engine.recent import Recent
from rules.errors import MISTAKES
from rules.facts import Facts
from rules.facts.parts import edition_of
from rules.facts.together import position_of_number
from rules.report import Citation, EditionId, Evidence, Finding, Gap, Outcome, Report
from rules.tables.edition import Edition
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


@dataclass(slots=True, eq=False)
class FoundOnce:
    """What rules found on claims that are alike."""

    found: tuple[Found, ...]
    report: Report | None = None
    """Where they found no more: of no claim. Made when the first claim asks: where claims have faults, few do."""


class _Said(NamedTuple):
    """All that a finding is made of."""

    rule: Active
    scope: Scope
    outcome: Outcome
    line: int | None
    place: int | None
    """Of the line among those of the claim, where a patch names it."""
    missing: tuple[str, ...]
    edition: EditionId | None
    """The imported edition that it cites."""
    evidence: tuple[Evidence, ...]
    """Of each fact that the rule reads, which are those of its sentences as well."""


def judged(rules: ScopedRules, all_facts: AllFacts, kept: Recent[Found]) -> list[Found]:
    """What these rules find, in the order of judging. `kept`: what was found before, and what is found now."""
    return spoken(_not_quiet(rules, all_facts), all_facts, kept)


def spoken(rules: Iterable[tuple[Scope, Active]], all_facts: AllFacts, kept: Recent[Found]) -> list[Found]:
    """The same of rules that are known to have something to say."""
    found = []
    for scope, one in rules:
        said = _judged(scope, one, all_facts[scope[0]][scope[1]], kept)
        if said:
            found.append(said)
    return found


def _not_quiet(rules: ScopedRules, all_facts: AllFacts) -> Iterable[tuple[Scope, Active]]:
    try:
        return [(scope, one) for scope, one in rules if not one.is_quiet(all_facts[scope[0]][scope[1]])]
    except MISTAKES:  # judged one by one, the rule that raises is found
        return rules


def _judged(scope: Scope, one: Active, facts: Facts, kept: Recent[Found]) -> Found | None:
    try:
        if facts.day is None:
            return _undated(scope, one, facts)
        version = one.version
        outcome = version.judge(facts)
        if outcome in ("pass", "not_applicable"):
            return None
        said = _said(scope, one, version, outcome, facts)
        found = kept.get(said)
        if found is None:
            finding = _finding(one.assigned, version, outcome, facts, said.missing)
            if finding is None:
                return None
            found = kept[said] = Found(scope, one.order, one.assigned, finding, said.missing)
        return found
    except MISTAKES as error:  # one broken rule must not hide what the others found
        return Found(scope, one.order, one.assigned, _broken(one.assigned, facts, error))


def _undated(scope: Scope, one: Active, facts: Facts) -> Found | None:
    outcome, version = one.assigned.rule.judge(facts)
    if outcome in ("pass", "not_applicable"):
        return None
    missing = _missing(version, outcome, facts)
    finding = _finding(one.assigned, version, outcome, facts, missing)
    return Found(scope, one.order, one.assigned, finding, missing) if finding else None


def _said(scope: Scope, one: Active, version: Version, outcome: Outcome, facts: Facts) -> _Said:
    edition, number = _edition(version, facts), facts.line_number
    return _Said(
        one, scope, outcome, number,
        position_of_number(facts.case, number) if version.patch and number is not None else None,
        _missing(version, outcome, facts), edition.named if edition else None, tuple(version.evidence(facts).values()),
    )  # fmt: skip


def _missing(version: Version, outcome: Outcome, facts: Facts) -> tuple[str, ...]:
    """Labels of what a finding is undetermined for; a gap is none."""
    return missing_labels(version, facts) if outcome == "undetermined" and not version.gap else ()


def _edition(version: Version, facts: Facts) -> Edition | None:
    return edition_of(facts, version.edition.table) if version.edition else None


def _cited(version: Version, facts: Facts) -> Citation:
    """The rule's source, or the imported edition that judged in its place."""
    edition = _edition(version, facts)
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


def _finding(
    assigned: Assigned, version: Version, outcome: Outcome, facts: Facts, missing: tuple[str, ...]
) -> Finding | Gap | None:
    if version.gap:
        return _gap(assigned, version, outcome, facts)
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
