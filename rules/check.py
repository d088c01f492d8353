"""Claim and book in, report out. No clock, no network, no log: the same two give the same report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date

from rules.book import Assigned, Book
from rules.case import Case, date_of, role_of
from rules.claim import Claim
from rules.facts import ClaimFacts, Facts, LineFacts
from rules.history import NOT_CONSULTED, History
from rules.report import SEVERITIES, BookId, Coverage, Disposition, Finding, Outcome, Report, Severity
from rules.rule import Version, missing_labels

ENGINE_CODE = "ENG001"
VOID = "8"


def check(claim: Claim, book: Book, *, received: date | None = None, history: History = NOT_CONSULTED) -> Report:
    """Judges a claim. `received` stands in where the claim has no received date of its own; `history` is what was
    billed before for its patient, without which the rules that read it do not run."""
    case = case_of(claim, book, received, history)
    reason = _uncovered(case, book)
    if reason:
        return _report(case, book, "unchecked", "none", reason)
    judged = list(_judge(case, book))
    findings = _taken_over_twice([found for draft, found in judged if found and not draft])
    routed = any(found.severity == "block" and found.outcome != "bypassed" for found in findings)
    superseded = _superseded(history)
    return _report(
        case,
        book,
        "rework" if routed or superseded else "billing",
        "full" if case.selection.payer else "common_only",
        superseded,
        rules_run=len(judged),
        findings=tuple(sorted(findings, key=_order)),
        shadow=tuple(sorted((found for draft, found in judged if found and draft), key=_order)),
    )


def case_of(claim: Claim, book: Book, received: date | None, history: History = NOT_CONSULTED) -> Case:
    """The claim with its payer, role, history and the lines on trial."""
    return Case(
        claim=claim,
        selection=book.registry.select(claim.payer),
        role=role_of(claim),
        received=claim.received_date or received,
        tables=book.tables,
        procedure=book.procedure,
        lines=tuple(line for line in claim.lines if line.procedure == book.procedure),
        history=history,
    )


def _superseded(history: History) -> str | None:
    """Why the claim must not be billed whatever the rules say, or None."""
    if history.superseded_by is None:
        return None
    return f"superseded: a later version of this claim (inbox entry {history.superseded_by}) was decided before it"


def _uncovered(case: Case, book: Book) -> str | None:
    """Why nothing can be said of the claim, or None."""
    if not case.lines:
        return f"no line carries procedure {book.procedure}"
    start = book.covers_from_of(case.selection.payer)
    for line in case.lines:
        day = date_of(case.claim, line)
        if day is not None and day < start:
            return f"line {line.number} is dated {day}; the book's rules for this payer begin on {start}"
    return None


def _judge(case: Case, book: Book) -> Iterator[tuple[bool, Finding | None]]:
    """Each rule that had a version for the date: whether it is a draft, and what it found."""
    claim_facts = ClaimFacts(case)
    places = {line.number: place for place, line in reversed(list(enumerate(case.claim.lines)))}
    line_facts = [LineFacts(claim_facts, line) for line in case.lines]
    consulted = case.history.state == "consulted"
    for assigned in book.assigned(case.selection, case.role, case.claim.frequency_code == VOID, consulted):
        for facts in [claim_facts] if assigned.rule.scope == "claim" else line_facts:
            try:
                outcome, version = assigned.rule.judge(facts)
                if outcome == "out_of_range":
                    continue
                quiet = outcome in ("pass", "not_applicable")
                yield _draft(assigned), None if quiet else _finding(assigned, version, outcome, facts, places)
            except Exception as error:  # one broken rule must not hide what the others found
                yield _draft(assigned), _broken(assigned, facts, error)


def _draft(assigned: Assigned) -> bool:
    return assigned.rule.status == "draft"


def _finding(
    assigned: Assigned, version: Version, outcome: Outcome, facts: Facts, places: Mapping[int, int]
) -> Finding:
    rule, number = assigned.rule, facts.line.number if isinstance(facts, LineFacts) else None
    message, fix = version.message.fill(facts), version.fix.fill(facts)
    patch: tuple[dict[str, object], ...] = ()
    if outcome == "undetermined":
        labels = missing_labels(version, facts)
        message = f"Cannot check this: missing on the claim: {', '.join(labels)}."
        fix = f"Add {' and '.join(labels)}, then check again."
    elif outcome == "bypassed" and version.bypass:
        message, fix = version.bypass.message.fill(facts), version.bypass.fix.fill(facts)
    elif number is not None:
        patch = tuple(operation.at(places[number]) for operation in version.patch)
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
        citation=version.citation,
        evidence=version.evidence(facts),
        version=version.start.isoformat(),
        rule=rule.file,
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


def _taken_over_twice(findings: list[Finding]) -> list[Finding]:
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


def _order(finding: Finding) -> tuple[int, str, int, str]:
    return (SEVERITIES.index(finding.severity), finding.code, finding.line or 0, finding.rule)


def _report(
    case: Case,
    book: Book,
    disposition: Disposition,
    coverage: Coverage,
    reason: str | None = None,
    rules_run: int = 0,
    findings: tuple[Finding, ...] = (),
    shadow: tuple[Finding, ...] = (),
) -> Report:
    return Report(
        claim_id=case.claim.claim_id,
        disposition=disposition,
        coverage=coverage,
        history=case.history.state,
        book=BookId(book.version, book.digest),
        payer=case.selection.payer,
        plan=case.selection.plan,
        bills_as=case.role,
        reason=reason,
        rules_run=rules_run,
        findings=findings,
        shadow=shadow,
    )
