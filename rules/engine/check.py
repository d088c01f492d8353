"""Claim and book in, report out. No clock, no network, no log: the same two give the same report."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import replace
from datetime import date

from rules.book.assignment import Assigned, kind_of
from rules.book.book import Book
from rules.book.rule import Version, enumerated, missing_labels
from rules.case import Case, date_of, dates_of, role_of
from rules.claim import Claim
from rules.engine.active import Active, Spread
from rules.engine.memory import assigned_to, memory_of, plan_on, selection_of
from rules.engine.plan import Scope, ShapedPlan, edition_id, in_order, shaped, spread, undated
from rules.engine.shape import shape_of
from rules.engine.verdict import Kept, Said, Spoken, Verdict, verdict_of
from rules.errors import MISTAKES
from rules.facts import ClaimFacts, Facts, LineFacts
from rules.facts.parts import edition_of
from rules.facts.together import place_of_number
from rules.history import NOT_CONSULTED, History
from rules.report import (
    SEVERITIES,
    Citation,
    EditionId,
    Finding,
    Outcome,
    OverrideId,
    Report,
    Severity,
)

ENGINE_CODE = "ENG001"
OF_MEDICARE = "(This is Medicare's own rule; whether this Medicare Advantage plan follows it was not read.)"
"""What a finding adds where a plan takes the rule over: CMS's text is not the plan's."""


def check(claim: Claim, book: Book, *, received: date | None = None, history: History = NOT_CONSULTED) -> Report:
    """Judges a claim. `received` stands in where the claim has no received date of its own; `history` is what was
    billed before for its patient, without which the rules that read it do not run."""
    case = case_of(claim, book, received, history)
    report = _judge(case, book)
    if history.superseded_by is None or report.disposition == "unchecked":
        return report
    reason = f"superseded: a later version of this claim (inbox entry {history.superseded_by}) was decided before it"
    return replace(report, disposition="rework", reason=reason)


def case_of(claim: Claim, book: Book, received: date | None, history: History = NOT_CONSULTED) -> Case:
    """The claim with its payer, role, history and the lines on trial."""
    lines = tuple([line for line in claim.lines if line.procedure == book.procedure])
    days = dates_of(claim, lines)
    selection = selection_of(book, claim.payer)
    return Case(
        claim, selection, role_of(claim), claim.received_date or received, book.tables,
        book.procedure, lines, history, min(days) if days and len(days) == len(lines) else None,
        {}, _named_provider(claim, book) if book.overrides.providers else None, selection.payer in book.ruled,
        book.registry.forms,
    )  # fmt: skip


def _named_provider(claim: Claim, book: Book) -> str | None:
    number = claim.billing_provider.npi if claim.billing_provider else None
    return number if number in book.overrides.providers else None


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


def _judge(case: Case, book: Book) -> Report:
    key = _key(case, book)
    if key is None:
        return _judged_for_itself(case, book)
    everything: Sequence[Facts] = ()
    memory = memory_of(book)
    kept = memory.shaped.get(key)
    if kept is None:
        if uncovered(case, book):
            return _judged_for_itself(case, book)
        everything = _facts(case)
        kept = memory.shaped[key] = _keep(case, book, everything)
    plan, said = kept.plan, _of_diagnoses(kept, case, book, everything)
    if not plan.tabled and _is_quiet(plan, case):
        return said.report.of(case.claim.claim_id, case.history.state)
    everything = everything or _facts(case)
    for facts, known in zip(everything, plan.known, strict=True):
        facts.update(known)
    own = _spoken(plan.active, everything, case)
    editions = _editions(plan.tabled, everything, plan.editions)
    return _report(case, book, plan.run, editions, sorted([*said.spoken, *own]))


def _is_quiet(plan: ShapedPlan, case: Case) -> bool:
    """Whether the rules on its own amounts, dates and identifiers are; False as well where only asking each tells."""
    try:
        return plan.quiet is not None and plan.quiet(case, plan.known)
    except MISTAKES:
        return False


def _facts(case: Case) -> list[Facts]:
    """The facts of the claim, and of each line on trial."""
    claim = ClaimFacts(case)
    return [claim, *[LineFacts(claim, line) for line in case.lines]]


def _judged_for_itself(case: Case, book: Book) -> Report:
    if reason := uncovered(case, book):
        return _report(case, book, reason=reason)
    everything = _facts(case)
    scopes = [_scope(case, book, facts) for facts in everything]
    spoken = _spoken(spread(scope.active for scope in scopes), everything, case)
    editions = _editions(spread(scope.tabled for scope in scopes), everything)
    return _report(case, book, sum(len(scope.active) for scope in scopes), editions, spoken)


def _key(case: Case, book: Book) -> Hashable | None:
    """Claims with the same key meet the same plan; None: the claim is to be judged for itself."""
    day = case.first_day
    if day is None or (shape := shape_of(case)) is None:
        return None
    period_of = memory_of(book).period
    period = period_of(day)
    for line in case.claim.lines:
        if line.service_date != day and line.service_date and period_of(line.service_date) != period:
            return None
    # The rest of its kind is in the shape, and the days that the book covers are made of whole periods.
    return (case.selection, case.history.state == "consulted", case.provider, period, shape)


def _keep(case: Case, book: Book, everything: Sequence[Facts]) -> Kept:
    """What is to be known of claims of this shape, worked out at the first."""
    assert case.first_day is not None
    plan = shaped(plan_on(book, kind_of(case), case.first_day), everything)
    return Kept(plan, _said(_spoken(plan.settled, everything, case), plan, case, book))


def _scope(case: Case, book: Book, facts: Facts) -> Scope:
    of_line = isinstance(facts, LineFacts)
    if facts.day is None:
        return undated(assigned_to(book, kind_of(case)), "line" if of_line else "claim")
    plan = plan_on(book, kind_of(case), facts.day)
    return plan.line if of_line else plan.claim


def _of_diagnoses(kept: Kept, case: Case, book: Book, everything: Sequence[Facts]) -> Said:
    """What the rules say that rest on shape and diagnoses: found once for claims with these diagnoses."""
    plan, claim = kept.plan, case.claim
    if not plan.coded:
        return kept.said
    key = (plan, claim.diagnoses, claim.admitting_diagnosis, claim.reason_diagnoses)
    memory = memory_of(book).coded
    said = memory.get(key)
    if said is None:
        spoken = _spoken(plan.coded, everything or _facts(case), case)
        said = _said(sorted([*kept.said.spoken, *spoken]), plan, case, book) if spoken else kept.said
        memory[key] = said
    return said


def _said(spoken: Iterable[Spoken], plan: ShapedPlan, case: Case, book: Book) -> Said:
    found = tuple(spoken)
    # Nothing that is kept names a claim.
    return Said(found, _report(case, book, plan.run, plan.editions, found).kept())


def _spoken(rules: Spread, everything: Sequence[Facts], case: Case) -> list[Spoken]:
    """What these rules find, in the order of judging."""
    found = []
    for number, one in _suspects(rules, everything):
        finding = _judged(one, everything[number], case)
        if finding:
            found.append(Spoken(number, one.place, one.assigned, finding))
    return found


def _suspects(rules: Spread, everything: Sequence[Facts]) -> Iterable[tuple[int, Active]]:
    """The rules that are not quiet."""
    try:
        return [(number, one) for number, one in rules if not one.is_quiet(everything[number])]
    except MISTAKES:  # judged one by one, the rule that raises is found
        return rules


def _editions(
    tabled: Spread, everything: Sequence[Facts], settled: tuple[EditionId, ...] = ()
) -> tuple[EditionId, ...]:
    """Of the tables that the rules which apply looked into, in order; `settled`: those that are known."""
    found = {edition_id(one.version, everything[number]) for number, one in tabled if _applies(one, everything[number])}
    return in_order(found.union(settled))


def _applies(one: Active, facts: Facts) -> bool:
    try:
        return not one.version.is_off(facts)
    except MISTAKES:  # judging it tells
        return False


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
        patch = tuple(operation.at(place_of_number(case, number)) for operation in version.patch)
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


def _report(
    case: Case,
    book: Book,
    run: int = 0,
    editions: tuple[EditionId, ...] = (),
    spoken: Iterable[Spoken] = (),
    reason: str | None = None,
) -> Report:
    """The report on these findings; `reason`: why nothing was judged."""
    verdict = verdict_of(spoken)
    return Report(
        claim_id=case.claim.claim_id,
        disposition="unchecked" if reason else "rework" if verdict.blocks else "billing",
        coverage="none" if reason else "full" if case.selection.payer in book.ruled else "common_only",
        history=case.history.state,
        book=book.named,
        payer=case.selection.payer,
        plan=case.selection.plan,
        bills_as=case.role,
        reason=reason,
        rules_run=run,
        editions=editions,
        findings=verdict.findings,
        shadow=verdict.shadow,
        overridden=verdict.overridden,
        overrides=_overrides(case, book, verdict) if book.overrides.entries else (),
    )


def _overrides(case: Case, book: Book, verdict: Verdict) -> tuple[OverrideId, ...]:
    """Those that touched the claim, each once."""
    of_payer = book.overrides.ids.get(case.claim.payer.id)
    findings = (*verdict.findings, *verdict.overridden)
    found = {finding.override: None for finding in findings if finding.override}
    return tuple(dict.fromkeys([*([of_payer.named()] if of_payer else []), *found]))
