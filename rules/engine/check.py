"""Claim and book in, report out. No clock, no network, no log: the same two give the same report."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import replace
from datetime import date
from functools import partial
from typing import Literal, NamedTuple

from rules.book.assignment import kind_of
from rules.book.book import Book
from rules.case import Case
from rules.claim import Claim
from rules.engine.active import Active, AllFacts, Cases, ScopedRules, ScopePlan
from rules.engine.asked import Asked, asked
from rules.engine.cases import cases_of, judging
from rules.engine.coverage import Looked, fields_not_read, looked_at
from rules.engine.findings import Found, FoundOnce, judged, spoken
from rules.engine.fused import QUIET
from rules.engine.memory import Memory, assigned_to, gaps_on, memory_of, plan_on
from rules.engine.narrowing import LayerHead, Left
from rules.engine.plan import NO_RULES, LayerLeft, LayerPlan, ShapePlan, scoped, shape_plan, undated_plan
from rules.engine.shape import Shape, shape_of
from rules.engine.verdict import report_of
from rules.errors import MISTAKES
from rules.facts import Facts, facts_of
from rules.history import NOT_CONSULTED, History
from rules.report import Report
from rules.terms import EDITS


def check(claim: Claim, book: Book, *, received: date | None = None, history: History = NOT_CONSULTED) -> Report:
    """Judges a claim. `received` is for a claim without a received date of its own; `history` is what was
    billed before for its patient, without which the rules that read it do not run."""
    report = _judge(cases_of(claim, book, received, history), book)
    if history.superseded_by is None or report.disposition == "unchecked":
        return report
    reason = f"superseded: a later version of this claim (inbox entry {history.superseded_by}) was decided before it"
    return replace(report, disposition="rework", reason=reason, observed=None)


def _judge(cases: Cases, book: Book) -> Report:
    whole, memory = cases[0], memory_of(book)
    key = _key(cases, memory)
    if key is None:
        return _judge_alone(cases, book)
    all_facts: AllFacts = ()
    kept = memory.by_shape.get(key)
    if kept is None:
        live, reason = judging(cases, book)
        if len(live) < len(cases):
            return _judge_alone(cases, book)
        all_facts = list(map(facts_of, cases))
        kept = memory.by_shape[key] = _of_shape(key, cases, book, all_facts, reason)
    new = bool(all_facts)
    plan, looked, once = kept
    if plan.by_diagnoses:
        claim = whole.claim
        of_diagnoses = (plan, claim.diagnoses, claim.admitting_diagnosis, claim.reason_diagnoses)
        found = memory.by_diagnoses.get(of_diagnoses)
        if found is None:
            own, all_facts = _own(plan, "by_diagnoses", cases, all_facts, memory, new=new)
            found = FoundOnce(tuple(sorted([*once.found, *own]))) if own else once
            memory.by_diagnoses[of_diagnoses] = found
        once = found
    own, all_facts = _own(plan, "by_claim", cases, all_facts, memory, new=new)
    if own or plan.tabled:
        editions = plan.asked.union(_asked(plan.tabled, all_facts or _facts(plan, cases)))
        return report_of(whole, book, looked, plan.rules_run, editions, sorted([*once.found, *own]))
    if once.report is None:
        # Nothing that is kept names a claim.
        once.report = report_of(whole, book, looked, plan.rules_run, plan.asked, once.found).template()
    return once.report.of(whole.claim.claim_id, whole.history.state)


def _own(
    plan: ShapePlan,
    name: Literal["by_diagnoses", "by_claim"],
    cases: Cases,
    all_facts: AllFacts,
    memory: Memory,
    *,
    new: bool,
) -> tuple[list[Found], AllFacts]:
    """What these rules find, by the claim's own diagnoses, amounts, dates and identifiers, and the facts if any were
    asked. `new`: the plan was made for this claim."""
    rules = plan.by_claim if name == "by_claim" else plan.by_diagnoses
    if new:
        return judged(rules, all_facts, memory.found), all_facts
    try:
        said = one.spoken(cases, plan.known) if (one := plan.fused(name)) else None
    except MISTAKES:
        said = None
    if said is QUIET:
        return [], all_facts
    all_facts = all_facts or _facts(plan, cases)
    if said is None:
        return judged(rules, all_facts, memory.found), all_facts
    for (layer, number), fact, value in said.facts:
        all_facts[layer][number][fact] = value
    return spoken(said.rules, all_facts, memory.found), all_facts


def _facts(plan: ShapePlan, cases: Cases) -> AllFacts:
    """The facts of a claim, with those that the plan knows of its shape."""
    all_facts = list(map(facts_of, cases))
    for own, of_layer in zip(all_facts, plan.known, strict=True):
        for facts, known in zip(own, of_layer, strict=True):
            facts.update(known)
    return all_facts


def _judge_alone(cases: Cases, book: Book) -> Report:
    """By every rule in force: for claims that share a plan with none."""
    live, reason = judging(cases, book)
    all_facts = list(map(facts_of, live))
    plans = [[_scope_plan(book, facts) for facts in own] for own in all_facts]
    active = scoped((plan.active for plan in own) for own in plans)
    to_judge = scoped((plan.judging for plan in own) for own in plans)
    editions = _asked(scoped((plan.tabled for plan in own) for own in plans), all_facts)
    rules_run = sum(len(plan.active) for own in plans for plan in own)
    looked = _looked(cases[0], live, book, reason)
    if (places := cases[0].claim.not_read) and not reason:
        gaps = fields_not_read(places, _asking(active, all_facts))
        looked = looked._replace(gaps=(*looked.gaps, *gaps))
    found = judged(to_judge, all_facts, memory_of(book).found)
    return report_of(cases[0], book, looked, rules_run, frozenset(editions), found)


def _scope_plan(book: Book, facts: Facts) -> ScopePlan:
    case, kind = facts.case, kind_of(facts.case)
    plans = undated_plan(assigned_to(book, kind)) if facts.day is None else plan_on(book, kind, facts.day)
    return plans.get(case.layer, NO_RULES).of(facts)


class _Key(NamedTuple):
    """What claims have in common that meet the same plan: the rest of their kind is in the shape, and the days that the
    book covers are made of whole periods."""

    kind: Hashable
    period: int
    shape: Shape


def _key(cases: Cases, memory: Memory) -> _Key | None:
    """Claims with the same key meet the same plan; None: the claim is to be judged for itself."""
    case = cases[0]
    day = case.first_day
    if day is None or (shape := shape_of(case)) is None:
        return None
    period = memory.period(day)
    for line in case.claim.lines:
        if line.service_date != day and line.service_date and memory.period(line.service_date) != period:
            return None
    return _Key((case.selection, case.history.state, case.provider, case.carried), period, shape)


def _looked(whole: Case, live: Cases, book: Book, reason: str | None) -> Looked:
    gaps = [gap for case in live if case.layer != EDITS for gap in gaps_on(book, case)]
    return looked_at(whole.claim, live, book, gaps, reason, partial(gaps_on, book))


def _of_shape(
    key: _Key, cases: Cases, book: Book, all_facts: AllFacts, reason: str | None
) -> tuple[ShapePlan, Looked, FoundOnce]:
    """The plan for claims of this shape, what of them is looked at, and what the rules find that rest on the shape
    alone. What is derived on the way is written to the facts."""
    case, memory = cases[0], memory_of(book)
    assert case.first_day is not None
    day_plan = plan_on(book, kind_of(case), case.first_day)
    layers = [_left(key, one, day_plan.get(one.layer, NO_RULES), memory) for one in cases]
    plan, known = shape_plan(layers, cases)
    for own, of_layer in zip(all_facts, known, strict=True):
        for facts, derived in zip(own, of_layer, strict=True):
            facts.update(derived)
    looked = _looked(case, cases, book, reason)
    return plan, looked, FoundOnce(tuple(judged(plan.by_shape, all_facts, memory.found)))


def _left(key: _Key, case: Case, plan: LayerPlan, memory: Memory) -> LayerLeft:
    """The rules of a layer that the claim's head and its lines leave."""
    shape, where = key.shape, (case.layer, case.role, key.period, key.shape.setting)
    of_head = (key.kind, shape.payer, where)
    head = memory.heads.get(of_head)
    if head is None:
        head = memory.heads[of_head] = LayerHead(plan.claim, plan.line, case)
    judged, added, scopes = set(map(id, case.lines)), frozenset[str](), list[Left]()
    for line, said in zip(case.claim.lines, shape.lines, strict=True):
        of_line = (head, said[1:])  # whatever its number is
        found = memory.lines.get(of_line)
        if found is None:
            found = memory.lines[of_line] = head.line(case, line, judged=id(line) in judged)
        added |= found.adds
        if id(line) in judged:
            scopes.append(found.left)
    of_lines = (where, shape.lines)
    together = memory.together.get(of_lines)
    if together is None:
        together = memory.together[of_lines] = [{} for _ in range(len(scopes) + 1)]
    run = head.rules_run[0] + head.rules_run[1] * len(scopes)
    return LayerLeft(run, [head.claim(added, case), *scopes], together)


def _asked(tabled: ScopedRules, all_facts: AllFacts) -> Iterable[Asked]:
    """The editions of the tables that the rules which apply looked into."""
    for (layer, number), one in tabled:
        facts = all_facts[layer][number]
        if _applies(one, facts):
            yield asked(one.assigned.rule, one.version, facts)


def _asking(rules: ScopedRules, all_facts: AllFacts) -> Iterator[str]:
    """Codes of the active rules that apply."""
    for (layer, number), one in rules:
        rule = one.assigned.rule
        if rule.status == "active" and not one.assigned.published and _applies(one, all_facts[layer][number]):
            yield rule.code


def _applies(one: Active, facts: Facts) -> bool:
    try:
        return not one.version.is_off(facts)
    except MISTAKES:  # judging it reports that
        return False
