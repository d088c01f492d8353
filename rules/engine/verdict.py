"""What all rules together say of a claim: their findings in order, each where it belongs, and the report."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from rules.book.book import Book
from rules.case import Case
from rules.engine.asked import Asked
from rules.engine.coverage import Looked, coverage_of, editions_of, in_order, past_editions
from rules.engine.findings import Found
from rules.engine.merging import Member, merged
from rules.report import Finding, Gap, OverrideId, Report, each_of, order


class FoundOnce(NamedTuple):
    """What rules found on claims that are alike, and the report where they found no more: of no claim yet."""

    found: tuple[Found, ...]
    report: Report


class Verdict(NamedTuple):
    """Findings where they belong, each kind in the order of a report."""

    findings: tuple[Finding, ...]
    shadow: tuple[Finding, ...]
    """By drafts."""
    overridden: tuple[Finding, ...]
    """By rules that an override put out of force."""
    gaps: tuple[Gap, ...]
    """What active rules could not look at."""

    @property
    def blocks(self) -> bool:
        """Whether a finding sends the claim to rework."""
        return any(finding.severity == "block" and finding.outcome != "bypassed" for finding in self.findings)


def verdict_of(found: Iterable[Found]) -> Verdict:
    """The verdict that these findings make, which come in the order of judging."""
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
    return Verdict(_sorted(merged(_taken_over_once(active))), _sorted(shadow), _sorted(overridden), tuple(gaps))


def _taken_over_once(found: Iterable[Member]) -> list[Member]:
    """Without the findings of Medicare's rules where the payer's own rule of that code spoke on that line.

    Rules that a Medicare Advantage plan takes over come after the payer's own.
    """
    seen: dict[tuple[str, int | None], str] = {}
    kept = []
    for one in found:
        finding = one.finding
        owner = seen.setdefault((finding.code, finding.line), finding.rule)
        if owner == finding.rule or "/medicare/" not in finding.rule or "/medicare/" in owner:
            kept.append(one)
    return kept


def _sorted(found: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(found, key=order))


def report_of(
    case: Case, book: Book, looked: Looked, rules_run: int, asked: frozenset[Asked], found: Iterable[Found]
) -> Report:
    """The report on these findings. `case`: the claim as a whole."""
    verdict, reason = verdict_of(found), looked.reason
    gaps = () if reason else in_order([*looked.gaps, *past_editions(asked), *verdict.gaps])
    return Report(
        claim_id=case.claim.claim_id,
        disposition="rework" if verdict.blocks else "unchecked" if reason else "billing",
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
        overrides=_overrides(case, book, verdict) if book.overrides.entries else (),
        lines=looked.lines,
        gaps=gaps,
    )


def _overrides(case: Case, book: Book, verdict: Verdict) -> tuple[OverrideId, ...]:
    """Those that touched the claim, each once."""
    of_payer = book.overrides.ids.get(case.claim.payer.id)
    findings = (*each_of(verdict.findings), *verdict.overridden)
    found = {finding.override: None for finding in findings if finding.override}
    return tuple(dict.fromkeys([*([of_payer.named()] if of_payer else []), *found]))
