"""What all rules together say of a claim: their findings in order, each where it belongs, and the report."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from rules.book.assignment import kind_of
from rules.book.book import Book
from rules.book.override import Override
from rules.case import Case
from rules.engine.asked import Asked
from rules.engine.coverage import Looked, coverage_of, editions_of, in_order, past_editions
from rules.engine.findings import Found
from rules.engine.memory import memory_of
from rules.engine.merging import Member, Shown, merged
from rules.engine.routing import gap_route, routed
from rules.payers import plain_id
from rules.report import Finding, Gap, OverrideId, Report, each_of, order
from rules.terms import GapRoute


class Verdict(NamedTuple):
    """Findings where they belong, each kind in the order of a report."""

    findings: tuple[Finding, ...]
    shadow: tuple[Finding, ...]
    """By drafts."""
    overridden: tuple[Finding, ...]
    """By rules that an override put out of force."""
    gaps: tuple[Gap, ...]
    """What active rules could not look at."""


def verdict_of(found: Iterable[Found], shown: Shown) -> Verdict:
    """The verdict that these findings make, which come in the order of judging. `shown`: as of `merged`."""
    active: list[Member] = []
    shadow: list[Finding] = []
    overridden: list[Finding] = []
    gaps: list[Gap] = []
    for one in found:
        rule, finding = one.assigned.rule, one.finding
        if isinstance(finding, Gap):
            if rule.status != "draft" and not one.assigned.published:
                gaps.append(finding)
        elif rule.status == "draft":
            shadow.append(finding)
        elif one.assigned.published:
            overridden.append(finding)
        else:
            active.append(Member(finding, rule, one.missing))
    return Verdict(merged(active, shown), _sorted(shadow), _sorted(overridden), tuple(gaps))


def _sorted(found: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(found, key=order))


def report_of(
    case: Case, book: Book, looked: Looked, rules_run: int, asked: frozenset[Asked], found: Iterable[Found]
) -> Report:
    """The report on these findings. `case`: the claim as a whole."""
    verdict, reason = verdict_of(found, memory_of(book).shown), looked.reason
    gaps = in_order(looked.gaps if reason else [*looked.gaps, *past_editions(asked), *verdict.gaps])
    observing, of_gaps = _from_overrides(case, book, gaps) if book.overrides.entries else (None, "billing")
    left = book.overrides.leaving_unchecked(kind_of(case)) if reason and book.overrides.entries else None
    route = routed(
        each_of(verdict.findings),
        unchecked=reason is not None,
        gaps=of_gaps,
        observing=observing is not None,
        left=left is not None,
    )
    return Report(
        claim_id=case.claim.claim_id,
        disposition=route.disposition,
        coverage=coverage_of(case.selection, book, gaps, reason),
        history=case.history.state,
        book=book.named,
        payer=case.selection.payer,
        plan=case.selection.plan,
        bills_as=case.role,
        reason=reason,
        rules_run=rules_run,
        editions=editions_of(asked),
        findings=verdict.findings,
        shadow=verdict.shadow,
        overridden=verdict.overridden,
        overrides=_overrides(case, book, verdict, observing or (left if route.observed else None), of_gaps)
        if book.overrides.entries
        else (),
        lines=looked.lines,
        gaps=gaps,
        observed=route.observed,
    )


def _from_overrides(case: Case, book: Book, gaps: tuple[Gap, ...]) -> tuple[Override | None, GapRoute]:
    """By what the claim is only observed, and where its gaps have it go."""
    kind, chosen, routes = kind_of(case), case.selection, book.overrides.gap_routes
    observing = book.overrides.observing(kind)
    if not gaps or routes.of(chosen.payer, chosen.plan) == "billing":
        return observing, "billing"
    return observing, gap_route(gaps, book.blocking(kind), routes, chosen.payer, chosen.plan)


def _overrides(
    case: Case, book: Book, verdict: Verdict, observing: Override | None, of_gaps: GapRoute
) -> tuple[OverrideId, ...]:
    """Those that touched the claim, each once."""
    of_payer = book.overrides.ids.get(plain_id(case.claim.payer.id))
    findings = (*each_of(verdict.findings), *verdict.overridden)
    found = {finding.override: None for finding in findings if finding.override}
    observed = {finding.observed for finding in findings}
    routing = (
        book.overrides.gap_routes.entry(case.selection.payer, case.selection.plan) if of_gaps != "billing" else None
    )
    modes = [
        entry.named()
        for entry in book.overrides.entries
        if entry is observing or entry is routing or entry.name in observed
    ]
    return tuple(dict.fromkeys([*([of_payer.named()] if of_payer else []), *found, *modes]))
