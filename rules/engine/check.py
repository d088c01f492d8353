"""Claim and book in, report out. No clock, no network, no log: the same two give the same report."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import replace
from datetime import date

from rules.book.assignment import kind_of
from rules.book.book import Book
from rules.case import Case, date_of, dates_of, role_of
from rules.claim import Claim
from rules.engine.active import Active, ScopedRules
from rules.engine.findings import Found, judged
from rules.engine.memory import Memory, assigned_to, memory_of, plan_on, selection_of
from rules.engine.plan import ScopePlan, ShapePlan, edition_id, in_order, scoped, shape_plan, undated_plan
from rules.engine.shape import shape_of
from rules.engine.verdict import FoundOnce, report_of
from rules.errors import MISTAKES
from rules.facts import Facts, LineFacts, facts_of
from rules.history import NOT_CONSULTED, History
from rules.report import EditionId, Report


def check(claim: Claim, book: Book, *, received: date | None = None, history: History = NOT_CONSULTED) -> Report:
    """Judges a claim. `received` is for a claim without a received date of its own; `history` is what was
    billed before for its patient, without which the rules that read it do not run."""
    case = case_of(claim, book, received, history)
    report = _judge(case, book)
    if history.superseded_by is None or report.disposition == "unchecked":
        return report
    reason = f"superseded: a later version of this claim (inbox entry {history.superseded_by}) was decided before it"
    return replace(report, disposition="rework", reason=reason)


def case_of(claim: Claim, book: Book, received: date | None, history: History = NOT_CONSULTED) -> Case:
    """The claim with its payer, role, history and the lines of the procedure."""
    lines = tuple([line for line in claim.lines if line.procedure == book.procedure])
    days = dates_of(claim, lines)
    selection = selection_of(book, claim.payer)
    if book.registry.prefixes:
        selection = book.registry.seen_from_home(selection, claim.subscriber.member_id if claim.subscriber else None)
    return Case(
        claim, selection, role_of(claim), claim.received_date or received, book.own.get(book.procedure, book.tables),
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
    memory = memory_of(book)
    key = _key(case, memory)
    if key is None:
        return _judge_alone(case, book)
    all_facts: Sequence[Facts] = ()
    kept = memory.by_shape.get(key)
    if kept is None:
        if uncovered(case, book):
            return _judge_alone(case, book)
        all_facts = facts_of(case)
        kept = memory.by_shape[key] = _of_shape(case, book, all_facts)
    plan, once = kept
    if plan.by_diagnoses:
        once = _of_diagnoses(plan, once, case, book, all_facts)
    if not plan.tabled and _all_quiet(plan, case):
        return once.report.of(case.claim.claim_id, case.history.state)
    all_facts = all_facts or facts_of(case)
    for facts, known in zip(all_facts, plan.known, strict=True):
        facts.update(known)
    own = judged(plan.by_claim, all_facts, case)
    editions = _editions(plan.tabled, all_facts, plan.editions)
    return report_of(case, book, plan.rules_run, editions, sorted([*once.found, *own]))


def _judge_alone(case: Case, book: Book) -> Report:
    """By every rule in force: for claims that share a plan with none."""
    if reason := uncovered(case, book):
        return report_of(case, book, reason=reason)
    all_facts = facts_of(case)
    plans = [_scope_plan(case, book, facts) for facts in all_facts]
    found = judged(scoped(plan.active for plan in plans), all_facts, case)
    editions = _editions(scoped(plan.tabled for plan in plans), all_facts)
    return report_of(case, book, sum(len(plan.active) for plan in plans), editions, found)


def _scope_plan(case: Case, book: Book, facts: Facts) -> ScopePlan:
    of_line = isinstance(facts, LineFacts)
    if facts.day is None:
        return undated_plan(assigned_to(book, kind_of(case)), "line" if of_line else "claim")
    plan = plan_on(book, kind_of(case), facts.day)
    return plan.line if of_line else plan.claim


def _key(case: Case, memory: Memory) -> Hashable | None:
    """Claims with the same key meet the same plan; None: the claim is to be judged for itself."""
    day = case.first_day
    if day is None or (shape := shape_of(case)) is None:
        return None
    period = memory.period(day)
    for line in case.claim.lines:
        if line.service_date != day and line.service_date and memory.period(line.service_date) != period:
            return None
    # The rest of its kind is in the shape, and the days that the book covers are made of whole periods.
    return (case.selection, case.history.state == "consulted", case.provider, period, shape)


def _of_shape(case: Case, book: Book, all_facts: Sequence[Facts]) -> tuple[ShapePlan, FoundOnce]:
    """The plan for claims of this shape, and what the rules find that rest on the shape alone."""
    assert case.first_day is not None
    plan = shape_plan(plan_on(book, kind_of(case), case.first_day), all_facts)
    return plan, _found_once(judged(plan.by_shape, all_facts, case), plan, case, book)


def _of_diagnoses(
    plan: ShapePlan, of_shape: FoundOnce, case: Case, book: Book, all_facts: Sequence[Facts]
) -> FoundOnce:
    """With what the rules find that rest on shape and diagnoses."""
    memory, claim = memory_of(book).by_diagnoses, case.claim
    key = (plan, claim.diagnoses, claim.admitting_diagnosis, claim.reason_diagnoses)
    once = memory.get(key)
    if once is None:
        found = judged(plan.by_diagnoses, all_facts or facts_of(case), case)
        once = _found_once(sorted([*of_shape.found, *found]), plan, case, book) if found else of_shape
        memory[key] = once
    return once


def _found_once(found: Iterable[Found], plan: ShapePlan, case: Case, book: Book) -> FoundOnce:
    known = tuple(found)
    # Nothing that is kept names a claim.
    return FoundOnce(known, report_of(case, book, plan.rules_run, plan.editions, known).template())


def _all_quiet(plan: ShapePlan, case: Case) -> bool:
    """Whether the rules on its own amounts, dates and identifiers are; False as well where each has to be asked."""
    try:
        return plan.all_quiet is not None and plan.all_quiet(case, plan.known)
    except MISTAKES:
        return False


def _editions(
    tabled: ScopedRules, all_facts: Sequence[Facts], known: tuple[EditionId, ...] = ()
) -> tuple[EditionId, ...]:
    """Of the tables that the rules which apply looked into, in order; `known`: those that the shape gives."""
    found = {edition_id(one.version, all_facts[scope]) for scope, one in tabled if _applies(one, all_facts[scope])}
    return in_order(found.union(known))


def _applies(one: Active, facts: Facts) -> bool:
    try:
        return not one.version.is_off(facts)
    except MISTAKES:  # judging it reports that
        return False
