"""A waiver: a person lets one decision's claim go in spite of what blocks it. Report and waiver in, report out.

It names every blocking finding of that decision, so that what it does not name holds the claim all the same: a rule
that came with another book, or what was billed meanwhile. What the payer's front end refuses cannot be waived, since
nobody would look at the claim, nor can an exact duplicate.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date

from rules.report import Disposition, Finding, Report, Waived, place_of

EXACT_DUPLICATE = "18"
"""CARC of what a payer has already, to the letter or as the same service."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """What a person decided on one decision."""

    decision: str
    findings: tuple[str, ...]
    """Every blocking finding of it, by `name_of`."""
    owner: str
    until: date
    """The last day on which it holds."""
    digest: str
    """Of the waiver as a whole, hexadecimal."""


def name_of(finding: Finding) -> str:
    """`CODE@LINE`, with `?` where it could not be determined: what is missing may turn out to be another fault."""
    return place_of(finding.code, finding.line) + "?" * (finding.outcome == "undetermined")


def names_of(report: Report) -> tuple[str, ...]:
    """The blocking findings of a report by name, each once."""
    return tuple(dict.fromkeys(map(name_of, report.blocking)))


def obstacle(report: Report) -> str | None:
    """Why what blocks this claim cannot be waived, whoever wants it; None: it can."""
    if report.disposition != "rework":
        return f"it went to {report.disposition}"
    if report.reason and report.reason.startswith("superseded"):
        return report.reason
    blocking = report.blocking
    if not blocking:
        return "no finding holds it, but what could not be looked at (SCRUB_GAPS)"
    if refused := _codes(one for one in blocking if one.expected_denial and one.expected_denial.kind == "rejection"):
        return f"the payer's front end refuses it before anybody looks at it ({refused}): mend that first"
    if twice := _codes(one for one in blocking if one.expected_denial and one.expected_denial.carc == EXACT_DUPLICATE):
        return f"it is an exact duplicate of what went to billing before ({twice})"
    return None


def waived(report: Report, waiver: Waiver, today: date, also: str | None = None) -> Report:
    """The report with the waiver: the claim goes, or the report says why it stays held.

    `also`: what else is in the way, which no report knows of.
    """
    said = Waived(waiver.decision, waiver.findings, waiver.owner, waiver.until.isoformat(), waiver.digest)
    if refused := also or _refused(report, waiver, today):
        return replace(report, disposition="rework", observed=None, waived=replace(said, refused=refused))
    return replace(report, disposition=without_blocks(report), waived=said)


def without_blocks(report: Report) -> Disposition:
    """Where a claim goes whose findings hold it no longer."""
    if report.disposition != "rework":
        return report.disposition
    return "unchecked" if report.coverage == "none" else "billing"


def _refused(report: Report, waiver: Waiver, today: date) -> str | None:
    if report.disposition != "rework":
        return None
    if today > waiver.until:
        return f"the last day of the waiver was {waiver.until}"
    if new := [name for name in names_of(report) if name not in waiver.findings]:
        return f"the waiver does not name {', '.join(new)}, which {'was' if len(new) == 1 else 'were'} found since"
    return obstacle(report)


def _codes(findings: Iterable[Finding]) -> str:
    return ", ".join(dict.fromkeys(one.code for one in findings))
