"""What single rules find on a claim."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from rules.book.assignment import Assigned
from rules.book.rule import Version, enumerated, missing_labels
from rules.case import Case
from rules.engine.active import Active, ScopedRules
from rules.errors import MISTAKES
from rules.facts import Facts, LineFacts
from rules.facts.parts import edition_of
from rules.facts.together import position_of_number
from rules.report import Citation, Finding, Outcome
from rules.terms import SEVERITIES, Severity

ENGINE_CODE = "ENG001"


class Found(NamedTuple):
    """A finding, in the order in which rules are judged: no two have the same scope and order."""

    scope: int
    """0: the claim as a whole; then each line of the procedure."""
    order: int
    """Of its rule among all that are in force."""
    assigned: Assigned
    finding: Finding


def judged(rules: ScopedRules, all_facts: Sequence[Facts], case: Case) -> list[Found]:
    """What these rules find, in the order of judging; `all_facts`: of the claim and of its lines."""
    found = []
    for scope, one in _not_quiet(rules, all_facts):
        finding = _judged(one, all_facts[scope], case)
        if finding:
            found.append(Found(scope, one.order, one.assigned, finding))
    return found


def _not_quiet(rules: ScopedRules, all_facts: Sequence[Facts]) -> Iterable[tuple[int, Active]]:
    try:
        return [(scope, one) for scope, one in rules if not one.is_quiet(all_facts[scope])]
    except MISTAKES:  # judged one by one, the rule that raises is found
        return rules


def _judged(one: Active, facts: Facts, case: Case) -> Finding | None:
    assigned, version = one.assigned, one.version
    try:
        if facts.day is None:
            outcome, version = assigned.rule.judge(facts)
        else:
            outcome = version.judge(facts)
        if outcome in ("pass", "not_applicable"):
            return None
        return _finding(assigned, version, outcome, facts, case)
    except MISTAKES as error:  # one broken rule must not hide what the others found
        return _broken(assigned, facts, error)


def _cited(version: Version, facts: Facts) -> Citation:
    """The rule's source, or the imported edition that judged in its place."""
    edition = edition_of(facts, version.edition.table) if version.edition else None
    if edition is None:
        return version.citation
    return replace(version.citation, source=edition.title, edition=edition.release, url=edition.url)


def _finding(assigned: Assigned, version: Version, outcome: Outcome, facts: Facts, case: Case) -> Finding:
    rule, number = assigned.rule, facts.line.number if isinstance(facts, LineFacts) else None
    message, fix = version.message.fill(facts), version.fix.fill(facts)
    patch: tuple[dict[str, object], ...] = ()
    if outcome == "undetermined":
        labels = enumerated(missing_labels(version, facts))
        message = f"Cannot check this: missing on the claim: {labels}."
        fix = f"Add {labels}, then check again."
    elif outcome == "bypassed" and version.bypass:
        message, fix = version.bypass.message.fill(facts), version.bypass.fix.fill(facts)
    elif number is not None:
        patch = tuple(operation.at(position_of_number(case, number)) for operation in version.patch)
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
    )


def _broken(assigned: Assigned, facts: Facts, error: Exception) -> Finding:
    rule, version = assigned.rule, assigned.rule.versions[-1]
    return Finding(
        code=ENGINE_CODE,
        outcome="undetermined",
        severity="block",
        line=facts.line.number if isinstance(facts, LineFacts) else None,
        title="A rule could not be run",
        message=f"Rule {rule.code} stopped with {type(error).__name__}; the other rules ran.",
        fix="Report this with the claim's form and the book's version; the claim is held until the rule can run.",
        patch=(),
        expected_denial=None,
        citation=version.citation,
        evidence={},
        version=version.start.isoformat(),
        rule=rule.file,
    )


def capped(severity: Severity, at_most: Severity | None) -> Severity:
    """The severity, but not above the ceiling."""
    return at_most if at_most and SEVERITIES.index(severity) < SEVERITIES.index(at_most) else severity
