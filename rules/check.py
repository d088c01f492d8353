"""Claim and book in, report out. No clock, no network, no log: the same two give the same report."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import date
from operator import attrgetter
from typing import TypeVar

from rules.book import Book
from rules.case import Case, date_of, role_of
from rules.claim import Claim
from rules.facts import ClaimFacts, Facts, LineFacts
from rules.facts.parts import edition_of
from rules.history import NOT_CONSULTED, History
from rules.plan import Active, Assigned, Scope, ShapedPlan, Suspects, edition_id, in_order, kind_of, shaped, undated
from rules.report import (
    SEVERITIES,
    Citation,
    Coverage,
    Disposition,
    EditionId,
    Finding,
    Outcome,
    OverrideId,
    Report,
    Severity,
)
from rules.rule import Version, enumerated, missing_labels
from rules.shape import shape_of

T = TypeVar("T")
ENGINE_CODE = "ENG001"
OF_MEDICARE = "(This is Medicare's own rule; whether this Medicare Advantage plan follows it was not read.)"
"""What a finding adds where a plan takes the rule over: CMS's text is not the plan's."""


def check(claim: Claim, book: Book, *, received: date | None = None, history: History = NOT_CONSULTED) -> Report:
    """Judges a claim. `received` stands in where the claim has no received date of its own; `history` is what was
    billed before for its patient, without which the rules that read it do not run."""
    case = case_of(claim, book, received, history)
    reason = uncovered(case, book)
    if reason:
        return _report(case, book, "unchecked", "none", reason)
    verdict = _judge(case, book)
    findings = _taken_over_twice(verdict.found)
    routed = any(finding.severity == "block" and finding.outcome != "bypassed" for finding in findings)
    superseded = _superseded(history)
    return _report(
        case,
        book,
        "rework" if routed or superseded else "billing",
        "full" if case.selection.payer else "common_only",
        superseded,
        rules_run=verdict.run,
        editions=verdict.editions,
        findings=_sorted(findings),
        shadow=_sorted(verdict.shadow),
        overridden=_sorted(verdict.overridden),
    )


def case_of(claim: Claim, book: Book, received: date | None, history: History = NOT_CONSULTED) -> Case:
    """The claim with its payer, role, history and the lines on trial."""
    lines = tuple([line for line in claim.lines if line.procedure == book.procedure])
    days = [date_of(claim, line) for line in lines]
    dated = [day for day in days if day]
    return Case(
        claim=claim,
        selection=book.registry.select(claim.payer),
        role=role_of(claim),
        received=claim.received_date or received,
        tables=book.tables,
        procedure=book.procedure,
        lines=lines,
        history=history,
        first_day=min(dated) if dated and len(dated) == len(days) else None,
        provider=_named_provider(claim, book) if book.overrides.providers else None,
    )


def _named_provider(claim: Claim, book: Book) -> str | None:
    number = claim.billing_provider.npi if claim.billing_provider else None
    return number if number in book.overrides.providers else None


def _superseded(history: History) -> str | None:
    """Why the claim must not be billed whatever the rules say, or None."""
    if history.superseded_by is None:
        return None
    return f"superseded: a later version of this claim (inbox entry {history.superseded_by}) was decided before it"


def uncovered(case: Case, book: Book) -> str | None:
    """Why nothing can be said of the claim, or None."""
    if not case.lines:
        return f"no line carries procedure {book.procedure}"
    start = book.covers_from_of(case.selection.payer)
    for line in case.lines:
        day = date_of(case.claim, line)
        if day is not None and day < start:
            return f"line {line.number} is dated {day}; the book's rules for this payer begin on {start}"
    return None


@dataclass(slots=True)
class Verdict:
    """What the rules said of a claim."""

    run: int = 0
    """How many had a version for the date."""
    found: list[Finding] = field(default_factory=list)
    shadow: list[Finding] = field(default_factory=list)
    """By drafts."""
    overridden: list[Finding] = field(default_factory=list)
    """By rules that an override put out of force."""
    editions: tuple[EditionId, ...] = ()
    """Of the tables that they looked into."""

    def of(self, assigned: Assigned) -> list[Finding]:
        """Where the rule's findings belong."""
        if assigned.rule.status == "draft":
            return self.shadow
        return self.overridden if assigned.published else self.found


def _judge(case: Case, book: Book) -> Verdict:
    claim = ClaimFacts(case)
    lines = [LineFacts(claim, line) for line in case.lines]
    plan = _shaped_plan(case, book, claim, lines)
    everything: list[Facts] = [claim, *lines]
    scopes = plan.scopes if plan else [_scope(case, book, facts) for facts in everything]
    for facts, scope in zip(everything, scopes, strict=True):
        facts.update(scope.known)
    coded = _of_diagnoses(plan, book, case.claim, everything) if plan else ((),) * len(scopes)
    verdict = Verdict()
    for facts, scope, of_diagnoses in zip(everything, scopes, coded, strict=True):
        verdict.run += scope.run
        suspects = _suspects(scope.active, facts)
        if of_diagnoses:
            suspects = sorted((*suspects, *of_diagnoses), key=attrgetter("place"))
        for suspect in suspects:
            finding = _judged(suspect, facts, case)
            if finding:
                verdict.of(suspect.assigned).append(finding)
    settled = plan.editions if plan else None
    verdict.editions = _editions(scopes, everything) if settled is None else settled
    return verdict


def _shaped_plan(case: Case, book: Book, claim: ClaimFacts, lines: list[LineFacts]) -> ShapedPlan | None:
    """The plan for claims of this shape, made at the first of them."""
    shape = shape_of(case)
    if shape is None or claim.day is None:
        return None
    period = book.period(claim.day)
    for line in case.claim.lines:
        if line.service_date != claim.day and line.service_date and book.period(line.service_date) != period:
            return None
    key = (kind_of(case), period, shape)
    plan = book.shaped.get(key)
    if plan is None:
        plan = book.shaped[key] = shaped(book.plan(key[0], claim.day), claim, lines)
    return plan


def _scope(case: Case, book: Book, facts: Facts) -> Scope:
    of_line = isinstance(facts, LineFacts)
    if facts.day is None:
        return undated(book.assigned(kind_of(case)), "line" if of_line else "claim")
    plan = book.plan(kind_of(case), facts.day)
    return plan.line if of_line else plan.claim


def _of_diagnoses(plan: ShapedPlan, book: Book, claim: Claim, everything: Iterable[Facts]) -> Suspects:
    """The rules on diagnoses that are not quiet, of claim and lines: found once for claims with these diagnoses."""
    key = (plan, claim.diagnoses, claim.admitting_diagnosis, claim.reason_diagnoses)
    found = book.coded.get(key)
    if found is None:
        pairs = zip(plan.scopes, everything, strict=True)
        found = book.coded[key] = tuple(tuple(_suspects(scope.coded, facts)) for scope, facts in pairs)
    return found


def _suspects(rules: tuple[Active, ...], facts: Facts) -> list[Active]:
    """The rules that are not quiet."""
    try:
        return [one for one in rules if not one.is_quiet(facts)]
    except Exception:  # judged one by one, the rule that raises is found
        return list(rules)


def _editions(scopes: Iterable[Scope], everything: Iterable[Facts]) -> tuple[EditionId, ...]:
    """Of the tables that the rules which apply looked into, in order."""
    found: set[EditionId] = set()
    for scope, facts in zip(scopes, everything, strict=True):
        found.update(scope.editions, _of_tables(scope, facts))
    return in_order(found)


def _of_tables(scope: Scope, facts: Facts) -> Iterable[EditionId]:
    for one in scope.tabled:
        try:
            applies = not one.version.is_off(facts)
        except Exception:  # judging it tells
            applies = False
        if applies and one.version.edition:
            yield edition_id(one.version, facts)


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
    except Exception as error:  # one broken rule must not hide what the others found
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
        place = next(place for place, line in enumerate(case.claim.lines) if line.number == number)
        patch = tuple(operation.at(place) for operation in version.patch)
    if assigned.at_most and outcome != "undetermined":
        message = f"{message} {OF_MEDICARE}"
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


def _sorted(found: Collection[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(found, key=_order)) if found else ()


def _order(finding: Finding) -> tuple[int, str, int, str]:
    return (SEVERITIES.index(finding.severity), finding.code, finding.line or 0, finding.rule)


def _report(
    case: Case,
    book: Book,
    disposition: Disposition,
    coverage: Coverage,
    reason: str | None = None,
    rules_run: int = 0,
    editions: tuple[EditionId, ...] = (),
    findings: tuple[Finding, ...] = (),
    shadow: tuple[Finding, ...] = (),
    overridden: tuple[Finding, ...] = (),
) -> Report:
    return Report(
        claim_id=case.claim.claim_id,
        disposition=disposition,
        coverage=coverage,
        history=case.history.state,
        book=book.named,
        payer=case.selection.payer,
        plan=case.selection.plan,
        bills_as=case.role,
        reason=reason,
        rules_run=rules_run,
        editions=editions,
        findings=findings,
        shadow=shadow,
        overridden=overridden,
        overrides=_overrides(case, book, (*findings, *overridden)) if book.overrides.entries else (),
    )


def _overrides(case: Case, book: Book, findings: Iterable[Finding]) -> tuple[OverrideId, ...]:
    """Those that touched the claim, each once."""
    of_payer = book.overrides.ids.get(case.claim.payer.id)
    found = {finding.override: None for finding in findings if finding.override}
    return tuple(dict.fromkeys([*([of_payer.named()] if of_payer else []), *found]))
