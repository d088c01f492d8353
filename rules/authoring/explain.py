"""Why a rule says what it says of a claim: every condition with the values that it saw, or why it does not run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from rules.authoring.words import JOINS, asked, conditions, payers, period
from rules.book.assignment import Assigned, kind_of
from rules.book.book import Book
from rules.book.logic import Condition
from rules.book.rule import Rule, Version
from rules.carried import CARRIED
from rules.case import Case
from rules.claim import VOID, Claim
from rules.engine.asked import asked as edition_asked
from rules.engine.cases import case_of, uncovered
from rules.engine.check import check
from rules.engine.findings import capped
from rules.engine.memory import assigned_to
from rules.errors import MISTAKES
from rules.facts import FACTS, ClaimFacts, Facts, LineFacts, evidence
from rules.history import NOT_CONSULTED, History
from rules.payers import MEDICARE
from rules.report import Evidence, Finding, Outcome
from rules.terms import FORM, Severity


@dataclass(frozen=True, slots=True)
class ConditionPart:
    """A condition, or a part of one, with what it came to."""

    says: str
    value: bool | None
    """None: a missing fact would decide."""
    seen: dict[str, Evidence]
    """The facts of a test with their values; null: missing."""
    parts: tuple[ConditionPart, ...] = ()


@dataclass(frozen=True, slots=True)
class Asking:
    """One version of a rule, asked."""

    start: date
    end: date
    outcome: Outcome
    conditions: dict[str, ConditionPart]
    """By what they are for: `applies when`, `requires` or `forbids`, `lifted when`."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the rule says of the claim as a whole, or of one line."""

    line: int | None
    day: date | None
    """The date of service by which the version is chosen."""
    outcome: Outcome
    severity: Severity | None
    """Of the finding; None: there is none."""
    told: str
    """Which version was asked and why, and what became of the outcome."""
    asked: tuple[Asking, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """One rule on one claim."""

    code: str
    title: str
    rule: str
    """The rule file in the library, without its ending."""
    status: str
    not_run: tuple[str, ...]
    """Why it does not run at all for this claim; empty: it runs."""
    judgements: tuple[Judgement, ...]
    fault: str | None = None
    """What is wrong where it fails."""
    cause: str | None = None
    """The slip that brings it, of rules/causes.py."""


def explain(
    claim: Claim,
    book: Book,
    rules: Iterable[Rule],
    *,
    received: date | None = None,
    history: History = NOT_CONSULTED,
) -> tuple[Explanation, ...]:
    """Each of the rules on the claim, those that run first.

    `received` and `history` are as in `rules.engine.check.check`.
    """
    report = check(claim, book, received=received, history=history)
    found = [*report.findings, *report.shadow, *report.overridden]
    whole = case_of(claim, book, received, history, FORM)
    explained = [
        _explained(rule, case_of(claim, book, received, history, rule.layer), book, found)
        for rule in _with_contracts(list(rules), whole, book)
    ]
    return tuple(sorted(explained, key=lambda one: (bool(one.not_run), one.rule)))


def _with_contracts(rules: list[Rule], case: Case, book: Book) -> list[Rule]:
    """The rules, and those of their codes that are in no rule file: filing limits of the hospital's overrides."""
    own, codes = {rule.file for rule in book.rules}, {rule.code for rule in rules}
    added = (
        one.rule for one in assigned_to(book, kind_of(case)) if one.rule.file not in own and one.rule.code in codes
    )
    return [*rules, *added]


def _explained(rule: Rule, case: Case, book: Book, found: list[Finding]) -> Explanation:
    # An override may part a rule by its dates, or by the claims that it is about.
    assigned = [one for one in assigned_to(book, kind_of(case)) if one.rule.file == rule.file and one.rule.versions]
    reason = _unasked(case, book)
    not_run = [reason] if reason else []
    if not assigned:
        not_run += _why_not(rule, case, book)
    judgements: tuple[Judgement, ...] = ()
    if assigned and not reason:
        claim = ClaimFacts(case)
        every: list[Facts] = [claim] if rule.scope == "claim" else [LineFacts(claim, line) for line in case.lines]
        judgements = tuple(one for facts in every for one in _judgements(assigned, facts, found))
    return Explanation(
        rule.code, rule.title, rule.file, rule.status, tuple(not_run), judgements, rule.fault, rule.cause
    )


def _unasked(case: Case, book: Book) -> str | None:
    """Why no rule of the layer is asked."""
    if case.package is None:
        return None
    if not case.lines:
        return f"no line carries procedure {', '.join(case.codes)}"
    reason = uncovered(case, book)
    return f"the claim is unchecked: {reason}" if reason else None


def _why_not(rule: Rule, case: Case, book: Book) -> Iterator[str]:
    chosen, void = case.selection, case.claim.frequency_code == VOID
    if rule.status == "retired":
        yield "it is retired"
    if not rule.serves(chosen.payer, chosen.plan):
        yield f"it is for {payers(rule)}; {_payer_of(case, book)}"
        if chosen.line_of_business == "medicare_advantage" and rule.serves(MEDICARE, None):
            advantage = book.registry.advantage()
            if advantage and rule.code not in advantage.codes:
                yield "it is none of the Medicare rules that are taken over for Medicare Advantage plans"
    if case.role not in rule.bills_as:
        roles = ", ".join(sorted(rule.bills_as))
        yield f"it is for claims that are billed as {roles}; this one is billed as {case.role}"
    if left_out := [CARRIED[name].label for name in rule.needs if name not in case.carried]:
        yield f"it asks {'; '.join(left_out)}: an 837 carries them, and this claim brings nothing of them"
    if rule.needs_history and case.history.state != "consulted":
        yield "it asks what was billed before, which only a worker with a ledger knows"
    if void and not rule.on_void:
        yield "the claim is a void (frequency code 8), which repeats a faulty original on purpose"


def _payer_of(case: Case, book: Book) -> str:
    chosen = case.selection
    if chosen.payer is None:
        return f"this claim's payer id {case.claim.payer.id} is in no payer file"
    unknown = ", no plan known" if book.registry.payers[chosen.payer].plans else ""
    return f"this claim is for {chosen.payer}" + (f"/{chosen.plan}" if chosen.plan else unknown)


def _judgements(assigned: list[Assigned], facts: Facts, found: list[Finding]) -> list[Judgement]:
    """What the parts of a rule say; without those that are for other dates or claims, unless all are."""
    every = [_judgement(one, facts, found) for one in assigned]
    return [one for one in every if one.outcome not in ("out_of_range", "not_applicable")] or every[-1:]


def _judgement(assigned: Assigned, facts: Facts, found: list[Finding]) -> Judgement:
    rule, number = assigned.rule, facts.line_number
    try:
        outcome, version = rule.judge(facts)
    except MISTAKES as error:  # as in rules.engine.check: the claim is held
        told = f"the rule stopped with {type(error).__name__}: the report has ENG001, and the claim is held"
        return Judgement(number, facts.day, "undetermined", "block", told, ())
    if facts.day is None:
        versions = rule.versions
        told = "there is no date of service: every version is asked, and it matters only where they disagree"
    elif outcome == "out_of_range":
        versions = ()
        told = f"no version covers the date of service {facts.day}; versions: {', '.join(map(period, rule.versions))}"
    else:
        versions = (version,)
        since = "" if version.start == date.min else f" of {version.start}"
        told = f"date of service {facts.day}: the version{since} is in force"
        if version.edition:
            edition = edition_asked(rule, version, facts).edition
            told += f"; the table {edition.table} judges by its edition {edition.edition}"
    severity = None
    if outcome not in ("pass", "not_applicable", "out_of_range"):
        severity = "note" if outcome == "bypassed" else capped(version.severity, assigned.at_most)
        told += _became(assigned, number, found)
    if assigned.override and versions:
        told += f"; by override {assigned.override}"
    return Judgement(number, facts.day, outcome, severity, told, tuple(_asking(one, facts) for one in versions))


def _became(assigned: Assigned, number: int | None, found: list[Finding]) -> str:
    if assigned.rule.status == "draft":
        return "; a draft: logged in the shadow, never shown and never routing"
    if assigned.published:
        return "; kept for the record, never shown and never routing"
    ceiling = f"; at most {assigned.at_most} {assigned.whose}".rstrip() if assigned.at_most else ""
    mine = (assigned.rule.file, number)
    if any((one.rule, one.line) == mine for one in found):
        return ceiling
    leader = next((one for one in found for with_it in one.because if (with_it.rule, with_it.line) == mine), None)
    if leader:
        where = "the claim" if leader.line is None else f"line {leader.line}"
        return f"{ceiling}; shown with {leader.code} of {where}, since the same slip brings both"
    return ceiling + "; not reported, since the payer's own rule of this code spoke"


def _asking(version: Version, facts: Facts) -> Asking:
    parts = {name: _part(condition, facts) for name, condition in conditions(version)}
    return Asking(version.start, version.end, version.judge(facts), parts)


def _part(condition: Condition, facts: Facts) -> ConditionPart:
    says = asked(condition.asks) if condition.asks else JOINS[condition.join] if condition.join else "always"
    parts = tuple(_part(part, facts) for part in condition.parts)
    names = condition.facts if condition.asks else ()
    try:
        seen = {name: evidence(FACTS[name].kind, facts[name]) for name in names}
        return ConditionPart(says, condition.test(facts), seen, parts)
    except MISTAKES as error:  # a part that the verdict did not need must not hide the others
        return ConditionPart(f"{says}: stopped with {type(error).__name__}", None, {}, parts)
