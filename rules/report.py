"""The verdict on one claim: what was found, on which line, on whose authority, and where the claim goes.

No slots here: orjson writes a dataclass that has a `__dict__` in half the time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from rules.claim import Role
from rules.history import State as HistoryState
from rules.terms import SEVERITIES, Grade, Severity

Outcome = Literal["pass", "fail", "bypassed", "not_applicable", "undetermined", "out_of_range"]
Disposition = Literal["billing", "rework", "unchecked", "quarantine"]
Coverage = Literal["full", "partial", "common_only", "none"]
LookedAt = Literal["deep", "companion", "edits", "form", "nothing"]
GapKind = Literal[
    "line_not_judged", "table_extract", "table_not_imported", "edition_past", "payer_without_rules", "plan_unknown",
    "rule_out_of_range", "history_not_consulted", "field_not_read",
]  # fmt: skip
DenialKind = Literal["rejection", "denial"]
OverrideState = Literal["in_force", "outdated", "expired"]
Evidence = str | int | bool | tuple[str, ...] | tuple[int, ...] | None


@dataclass(frozen=True)
class Denial:
    """What the payer is expected to answer if the claim is sent as it is.

    Codes: X12 claim adjustment group, claim adjustment reason (CARC) and remittance advice remark (RARC) codes
    for a denial; claim status category and claim status codes of the 277CA for a rejection before adjudication.
    """

    kind: DenialKind
    group: str | None = None
    carc: str | None = None
    rarc: str | None = None
    category: str | None = None
    status: str | None = None


@dataclass(frozen=True)
class Citation:
    """On whose authority, and where to read it. Grade A: the rule-maker's own text, read; B: a named secondary source;
    C: weak or from memory; S: the claim contradicts itself."""

    source: str
    """Title of the document."""
    edition: str | None
    locator: str | None
    url: str | None
    grade: Grade


@dataclass(frozen=True)
class OverrideId:
    """A decision of the hospital that stands over the book."""

    name: str
    effect: str
    """`severity warn`, `switched off`, `filing limit of 120 days, primary claims`."""
    reason: str
    owner: str
    expires: str
    """The last day on which it holds, ISO 8601."""
    state: OverrideState
    """outdated: it holds, though the rule was changed since it was written; expired: the book's own rule holds."""

    def __str__(self) -> str:
        known = {"in_force": f"until {self.expires}", "expired": f"expired on {self.expires}, not applied"}
        until = known.get(self.state, f"until {self.expires}; the rule was changed since")
        return f"{self.name}: {self.effect}: {self.reason} ({self.owner}, {until})"


@dataclass(frozen=True)
class Finding:
    """One rule that failed, could not be determined, or was lifted by a modifier."""

    # Reports of claims that are alike share it: nothing in it is ever changed.

    code: str
    outcome: Outcome
    severity: Severity
    line: int | None
    """LX01 of the service line; null: the whole claim."""
    title: str
    message: str
    fix: str
    patch: tuple[dict[str, object], ...]
    """RFC 6902 operations on the claim that repair it; empty where the repair is not certain."""
    expected_denial: Denial | None
    citation: Citation
    evidence: dict[str, Evidence]
    """The facts that the rule read, with their values; null: missing."""
    version: str
    """First date of service of the rule version that judged, ISO 8601."""
    rule: str
    """The rule file in the library, without its ending."""
    override: OverrideId | None = None
    """The override of the hospital that touches the rule on this claim."""
    cause: str | None = None
    """Which slip brings it (rules/causes.py): findings of one cause at one place are shown as one. Null: it stands
    alone."""
    fault: str | None = None
    """What is wrong, in a few words, as `title` says what is right; null: the rule's file does not say."""
    observed: str | None = None
    """Name of the override by which this is on record alone; null: it routes the claim as its severity says."""
    because: tuple[Finding, ...] = ()
    """Findings of other rules that are shown with this one, since the same slip brings them. Nothing is in theirs."""


def order(finding: Finding) -> tuple[int, str, int, str]:
    """By which findings of one report are sorted."""
    return (SEVERITIES.index(finding.severity), finding.code, finding.line or 0, finding.rule)


def each_of(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """The findings and those that are shown with them, in order."""
    if not any(finding.because for finding in findings):
        return findings
    return tuple(sorted((one for finding in findings for one in (finding, *finding.because)), key=order))


def place_of(code: str, line: int | None) -> str:
    """`CODE@LINE`, or `CODE@` for the claim."""
    return f"{code}@{line or ''}"


@dataclass(frozen=True)
class Observed:
    """What is only observed: rules were asked as ever, and did not decide on the way of the claim."""

    disposition: Disposition
    """Where the claim would have gone."""


@dataclass(frozen=True)
class Waived:
    """A person let this claim go once, in spite of what blocks it."""

    decision: str
    """The decision that was waived."""
    findings: tuple[str, ...]
    """Its blocking findings, each as `place_of` says."""
    owner: str
    until: str
    """The last day on which it holds, ISO 8601."""
    digest: str
    """Of the waiver, hexadecimal; its reason is with those who keep the case."""
    refused: str | None = None
    """Why it does not hold, so that the claim stays held; null: it holds."""


@dataclass(frozen=True)
class Repaired:
    """Values of this claim were written otherwise here, by a person's word, and it was judged as any other."""

    decision: str
    """The decision on the claim as it was."""
    changes: tuple[str, ...]
    """What is written otherwise, as JSON pointers on the claim."""
    account: str
    """Of who confirmed it."""
    digest: str
    """Of the repair, hexadecimal."""
    refused: str | None = None
    """Why it stays held, whatever the book says; null: it went where its verdict sends it."""


@dataclass(frozen=True)
class BookId:
    """Which rule book judged."""

    version: str
    digest: str
    """SHA-256 over the canonical text of every file of the book, hexadecimal."""


@dataclass(frozen=True)
class EditionId:
    """Which edition of a dated table judged the claim."""

    table: str
    title: str
    edition: str | None
    sha256: str | None = None
    """Of the official file that the hospital imported, or over the digests of its files one after the other,
    hexadecimal; null: the rows that ship with the book."""


@dataclass(frozen=True)
class LineLook:
    """How one line was looked at."""

    number: int
    looked_at: LookedAt
    """deep: by the rules of its procedure; companion: beside a line of another, by the rules of that; edits: code pairs
    and unit limits of complete tables; form: what every claim form must have; nothing."""


@dataclass(frozen=True)
class Gap:
    """Something that a rule would have asked and that nobody looked at: no finding, and not the same as clean."""

    kind: GapKind
    rule: str | None
    """Code of the rule that would have asked; null: no rule is for it."""
    line: int | None
    """LX01 of the service line; null: the whole claim."""
    table: str | None
    """The table that does not say."""
    sentence: str


@dataclass(frozen=True)
class Report:
    """The verdict on one claim."""

    claim_id: str
    disposition: Disposition
    coverage: Coverage
    """full: the payer's rules ran, and every line and every table that they ask was looked at; partial: see `gaps`;
    common_only: payer unknown, `gaps` as well; none: no rules of a procedure ran (see `reason`)."""
    history: HistoryState
    """Whether what was billed before was looked at: consulted; not_consulted: there is no ledger here (offline);
    no_member_id: the claim does not say whose it is, so rules on duplicates and frequency did not run."""
    book: BookId
    payer: str | None
    """Key of the payer's rule set; null: not in the registry."""
    plan: str | None
    bills_as: Role
    reason: str | None = None
    """Why the claim is unchecked, or superseded by a later version of itself; null otherwise."""
    rules_run: int = 0
    """How many rules had a version for the claim's dates and were judged."""
    editions: tuple[EditionId, ...] = ()
    """The editions of the dated tables that the rules looked into: NCCI pairs, MUE, diagnosis headers and others."""
    findings: tuple[Finding, ...] = field(default=())
    """As they are shown: one for each slip of the biller; see `Finding.because` and `every`."""
    shadow: tuple[Finding, ...] = field(default=())
    """What draft rules found: for the record, never shown to a biller as a finding, never routing."""
    overridden: tuple[Finding, ...] = field(default=())
    """What rules of the book found that an override of the hospital switched off or replaced: for the record."""
    overrides: tuple[OverrideId, ...] = field(default=())
    """The overrides that touched this claim: what was found, what was not, whose rules judged it, or that it was only
    observed."""
    observed: Observed | None = None
    """Of a claim that is observed, where it would have gone; null: it went where its verdict sends it."""

    waived: Waived | None = None
    """Of a claim that a person let go in spite of its findings, which are all here still; null: nobody did."""
    repaired: Repaired | None = None
    """Of a claim whose values were written otherwise here; null: it is as it came."""
    lines: tuple[LineLook, ...] = ()
    """How each line was looked at, in the order of the claim."""
    gaps: tuple[Gap, ...] = ()
    """What was not looked at."""

    _shared: ClassVar[dict[str, Any] | None] = None

    def template(self) -> Report:
        """The same of no claim, for others to be made of by `of`."""
        report = self.of("", "not_consulted")
        vars(report)["_shared"] = {}
        return report

    def of(self, claim_id: str, history: HistoryState) -> Report:
        """The same of another claim, in a quarter of the time that a new one takes."""
        report = object.__new__(Report)
        vars(report).update(vars(self), claim_id=claim_id, history=history)
        return report

    @property
    def shared(self) -> dict[str, Any] | None:
        """Room for what is worked out of a report and is the same for all that were made of one template; None: it was
        made of none."""
        return self._shared

    @property
    def every(self) -> tuple[Finding, ...]:
        """All findings in order, also those that are shown with another: what is counted, waived and compared."""
        return each_of(self.findings)

    def codes(self, severity: Severity) -> list[str]:
        """Codes of this severity that failed or could not be determined, each once, in order."""
        found = [f.code for f in self.every if f.severity == severity and f.outcome != "bypassed"]
        return list(dict.fromkeys(found))

    @property
    def blocking(self) -> tuple[Finding, ...]:
        """The findings that hold the claim, or would, had a person not waived them."""
        every = (one for one in self.every if one.severity == "block")
        return tuple(one for one in every if one.outcome != "bypassed" and one.observed is None)

    @property
    def verdict(self) -> Disposition:
        """Where the rules would have the claim, also while they are only observed."""
        return self.observed.disposition if self.observed else self.disposition

    def shadow_codes(self, severity: Severity | None = None) -> list[str]:
        """The same of draft rules; without a severity, of all."""
        found = [f.code for f in self.shadow if severity in (None, f.severity) and f.outcome != "bypassed"]
        return list(dict.fromkeys(found))
