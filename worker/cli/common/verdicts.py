"""A report as a biller reads it: the claim, then what was found, worst first, with fix, source and expected denial.

What other rules found of the same slip is a line each below.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from rules.engine.gaps import PASSED, unread
from rules.terms import SEVERITIES
from worker.cli.common.payments import beside_charge
from worker.cli.common.terminal import Style, hung, paint, plain
from worker.store.outletspecs import DISPOSED

if TYPE_CHECKING:
    from rules.claim import Claim
    from rules.payers import Appeal
    from rules.report import Finding, Report
    from worker.pipeline.expected import ToldLine

STYLES: dict[str, Style] = {
    "block": "bold red", "warn": "yellow", "note": "blue",
    **{name: spec.style for name, spec in DISPOSED.items()},
}  # fmt: skip
_LABELS = 10
"""Columns before a label such as `fix:`."""
_TEXTS = _LABELS + 8


def verdict(
    report: Report,
    payer: str,
    where: str = "",
    appeal: Appeal | None = None,
    claim: Claim | None = None,
    expected: Sequence[ToldLine] = (),
) -> Iterator[str]:
    """The claim's header, its findings, and a line for all that was not looked at. `payer`: its name; `where`: file
    and position, or an outlet entry; `appeal`: how long the payer takes one, told once where a denial is expected;
    `claim`: None where it cannot be read any more; `expected`: of a held claim, what its lines are to bring."""
    header = [
        paint(plain(report.claim_id), "bold"),
        plain(payer),
        paint(report.disposition, STYLES[report.disposition]),
    ]
    if report.observed:
        header.append(paint(f"observed: would go to {report.observed.disposition}", "yellow"))
    if where:
        header.append(paint(f"({where})", "dim"))
    yield "  ".join(header)
    if report.reason:
        yield "  " + hung(plain(f"{report.reason}{_nevertheless(report)}."), 2)
    yield from waiver(report)
    if claim:
        yield from beside_charge(claim, expected)
    for finding in in_order(report.findings):
        yield from explained(finding)
    if appeal and any(one.expected_denial and one.expected_denial.kind == "denial" for one in report.findings):
        yield _labeled("appeal:", f"a denial may be appealed within {appeal.within}")
    # What the claim's format leaves out stands at the end of a file, once for all its claims.
    left_out = [one for one in unread(report, claim) if one.kind == "field_not_read" and not one.what.endswith(PASSED)]
    if things := [one for one in unread(report, claim) if one not in left_out]:
        yield "  " + paint("not looked at: ", "dim") + hung(plain("; ".join(map(str, things))), 17, "dim")


def waiver(report: Report) -> Iterator[str]:
    """What a person waived or repaired of it, or why that does not hold; nothing where nobody did."""
    if (mended := report.repaired) and mended.refused:
        yield "  " + paint("not repaired: ", "yellow") + hung(plain(f"{mended.refused}."), 2)
    elif mended:
        what = f"{', '.join(mended.changes)} ({mended.account}; decision {mended.decision})"
        yield "  " + paint("repaired: ", "magenta") + hung(plain(what), 12)
    if (found := report.waived) is None:
        return
    if found.refused:
        yield "  " + paint("not waived: ", "yellow") + hung(plain(f"{found.refused}."), 2)
        return
    what = f"{', '.join(found.findings)} ({found.owner}, until {found.until}; decision {found.decision})"
    yield "  " + paint("waived: ", "magenta") + hung(plain(what), 10)


def _nevertheless(report: Report) -> str:
    """What was looked at of a claim that no rules of a procedure judge."""
    if report.coverage != "none":
        return ""
    looks = {look.looked_at for look in report.lines}
    if "edits" in looks:
        return "; only its form, code pairs and units were checked"
    return "; only its form was checked" if "form" in looks else "; nothing was checked"


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Worst first, then by line and code; what a modifier lifted comes last."""
    return sorted(
        findings, key=lambda f: (f.outcome == "bypassed", SEVERITIES.index(f.severity), f.line or 0, f.code, f.rule)
    )


def explained(finding: Finding) -> Iterator[str]:
    """One finding in full."""
    from rules.authoring.words import cited, expected

    place = _place(finding)
    severity = "lifted" if finding.outcome == "bypassed" else finding.severity
    head = f"  {place:<8}{paint(f'{severity:<6}', STYLES[finding.severity])}  {paint(finding.code, 'bold')}  "
    yield head + hung(plain(finding.message), 2 + 8 + 6 + 2 + len(finding.code) + 2)
    yield _labeled("fix:", finding.fix)
    yield _labeled("source:", cited(finding.citation), "dim")
    if finding.citation.url:
        yield " " * _TEXTS + paint(finding.citation.url, "dim")
    if finding.override:
        yield _labeled("by:", f"override {finding.override}", "magenta")
    if finding.expected_denial:
        yield _labeled("expect:", expected(finding.expected_denial))
    yield from (_labeled("also:", text) for text in beside(finding))


def beside(finding: Finding) -> Iterator[str]:
    """A line for each finding that is shown with this one; those that want the same missing thing share one."""
    from worker.audit.lines import denial_code

    unjudged: dict[str, None] = {}
    for one in finding.because:
        name = f"{one.code} ({_place(one)})" if one.line != finding.line else one.code
        if one.outcome == finding.outcome == "undetermined":
            unjudged[name] = None
            continue
        what = one.message if one.outcome == "undetermined" else one.fault or one.title
        severity = "lifted" if one.outcome == "bypassed" else one.severity
        denial = f", expect {denial_code(one.expected_denial)}" if one.expected_denial else ""
        override = f", by override {one.override.name}" if one.override else ""
        yield f"{name} {severity}: {what} (grade {one.citation.grade}{denial}{override})"
    if unjudged:
        yield f"{', '.join(unjudged)}: cannot be checked for the same reason"


def _place(finding: Finding) -> str:
    return f"line {finding.line}" if finding.line is not None else "claim"


def _labeled(label: str, text: str, style: Style | None = None) -> str:
    return " " * _LABELS + paint(f"{label:<8}", "dim") + hung(plain(text), _TEXTS, style)
