"""Repairs: each patch takes its finding away and brings no other, and no two on one claim contradict each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

from rules.authoring.proof.audience import Documents
from rules.authoring.proof.trials import TrialClaim
from rules.book.book import Book
from rules.engine.patch import patched
from rules.report import Finding, Report

Operation = Mapping[str, Any]


def check_repairs(book: Book, documents: Documents, claims: Sequence[TrialClaim]) -> int:
    """Notes every patch that does not repair, makes another rule fail, or contradicts another; how many were tried.

    A fault is noted once for each rule and kind of fault, with the first claim that shows it.
    """
    told: set[tuple[str, str]] = set()
    tried = 0
    patching = tuple(rule for rule in book.rules if any(version.patch for version in rule.versions))
    if not patching:
        return 0
    alone = replace(book, rules=patching)  # few of the claims have a patch, and few rules say which
    for claim in claims:
        if not ((first := claim.report(alone)) and _repairs(first)):
            continue
        report = claim.report(book)
        repairs = _repairs(report) if report else []
        tried += len(repairs)
        for finding, kind, sentence in _faults(book, claim, report, repairs) if report else ():
            if (finding.rule, kind) not in told:
                told.add((finding.rule, kind))
                _complain(book, documents, finding, f"{sentence} (claim {claim.name!r})")
    return tried


def _repairs(report: Report) -> list[Finding]:
    return [one for one in (*report.every, *report.shadow) if one.patch]


def _complain(book: Book, documents: Documents, finding: Finding, sentence: str) -> None:
    starts = [version.start.isoformat() for version in book.files[finding.rule].versions]
    documents[finding.rule].complain(("versions", starts.index(finding.version), "patch"), sentence)


def _faults(
    book: Book, claim: TrialClaim, before: Report, repairs: Sequence[Finding]
) -> Iterator[tuple[Finding, str, str]]:
    for one in repairs:
        after, lost = _after(book, claim, [one.patch])
        if after is None:
            yield one, "lost", lost
            continue
        if _same(one, after):
            yield one, "left", "does not take its finding away"
        if worse := _new(before, after):
            yield one, f"worse {worse}", f"makes {worse} fail"
    for one, other in combinations(repairs, 2):
        if sentence := _contradiction(claim, one, other):
            yield other, f"against {one.rule}", sentence
    if len(repairs) > 1:
        after, lost = _after(book, claim, _each_once([one.patch for one in repairs]))
        if after is None:
            yield repairs[-1], "lost together", f"with the patches of the other findings before it, {lost}"
        elif worse := _new(before, after):
            yield repairs[-1], f"worse {worse} together", f"with the patches of the other findings, makes {worse} fail"


def _after(book: Book, claim: TrialClaim, patches: Sequence[Sequence[Operation]]) -> tuple[Report | None, str]:
    """The report on the claim with the patches, or why there is none."""
    data: Any = claim.data
    try:
        for operations in patches:
            data = patched(data, operations)
    except LookupError:
        return None, "a path of it leads nowhere"
    report = replace(claim, data=data).report(book)
    return report, "" if report else "what it makes is no claim"


def _each_once(patches: Sequence[Sequence[Operation]]) -> list[Sequence[Operation]]:
    return [patch for place, patch in enumerate(patches) if patch not in patches[:place]]


def _same(finding: Finding, report: Report) -> bool:
    return any((one.rule, one.line) == (finding.rule, finding.line) for one in (*report.every, *report.shadow))


def _new(before: Report, after: Report) -> str:
    """The codes that block or warn after the patch, of rules that did not on that line before."""
    had = {(one.rule, one.line) for one in before.every}
    new = [one for one in after.every if (one.rule, one.line) not in had and one.severity != "note"]
    return ", ".join(dict.fromkeys(one.code for one in new if one.outcome != "bypassed"))


def _contradiction(claim: TrialClaim, one: Finding, other: Finding) -> str | None:
    """Two patches agree if they come to the same in either order."""
    if list(one.patch) == list(other.patch):
        return None
    ways = []
    for first, second in ((one, other), (other, one)):
        try:
            ways.append(patched(patched(claim.data, first.patch), second.patch))
        except LookupError:
            ways.append(None)
    if None not in ways and ways[0] == ways[1]:
        return None
    paths = _paths(one) & _paths(other)
    where = f" of {', '.join(sorted(paths))}" if paths else ""
    return f"contradicts the patch of {one.rule}.yaml{where}: they come to different claims by their order"


def _paths(finding: Finding) -> set[str]:
    return {str(operation["path"]) for operation in finding.patch}
