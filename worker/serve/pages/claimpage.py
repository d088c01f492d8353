"""The page of a claim: the facts, what was found on the whole claim and on each line, what to do, and what happened."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rules.authoring.words import GRADES, expected
from rules.report import Evidence, Finding, Gap, LookedAt, Report
from rules.terms import SEVERITIES
from worker.audit.claimlines import ClaimLine
from worker.desk.cases import HELD, Case
from worker.desk.casestore import WrittenAct, WrittenDecision, content_shown
from worker.desk.tabled import expected_text
from worker.pipeline.expected import ToldLine, together
from worker.serve.pages import trying
from worker.serve.pages.frame import CLOSED, Fact, Pill, state_pill
from worker.serve.pages.history import Audited, Happened, audited, happened, history
from worker.serve.pages.trying import Way, Ways
from worker.serve.pages.words import Words, counted, dollars, money, not_known, without_commands
from worker.serve.pages.worklist import payer_name

SEVERITY: Mapping[str, Pill] = {
    "block": Pill("Must fix", "open"), "warn": Pill("Warning", "warn"), "note": Pill("Note", "plain"),
}  # fmt: skip
_LIFTED = Pill("Lifted by a modifier", "fixed")
_LOOKS: Mapping[LookedAt, str] = {
    "deep": "Nothing found.",
    "companion": "Nothing found, beside the line that it goes with.",
    "edits": "Code pairs and unit limits were checked, and its form; no rule of the book is for this code.",
    "form": "Only its form was checked; no rule of the book is for this code.",
    "nothing": "Nothing was checked.",
}
_JUDGED: tuple[LookedAt, ...] = ("deep", "companion")
_OTHER_GAPS = ("line_not_judged",)
"""Kinds that stand beside their line."""
_MARKS: Mapping[str, tuple[str, ...]] = {
    "Units": ("units", "units_of_day"), "Modifiers": ("modifiers", "sides_of_day"), "Diagnosis": ("diagnosis_sides",),
    "NDC": ("ndc",),
}  # fmt: skip
"""By what of a line a rule's evidence is marked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingView:
    """One finding."""

    code: str
    anchor: str
    """Of the payer, on the page of the rule."""
    pill: Pill
    said: str
    todo: str
    source: str
    url: str
    grade: str
    grade_says: str
    denial: str
    override: str
    evidence: tuple[Fact, ...]
    also: tuple[str, ...]
    """What other rules say of the same slip."""
    ways: tuple[Way, ...] = ()
    """Ways out, where a rule suggests one; made in the billing system."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """The whole claim, or a line of it, with what was found there."""

    title: str
    code: str
    facts: tuple[Fact, ...]
    findings: tuple[FindingView, ...]
    looked: str
    """What is to be said where nothing was found."""
    judged: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimPage:
    """All of it."""

    handle: str
    version: int
    number: str
    state: Pill
    facts: tuple[Fact, ...]
    blocks: tuple[Block, ...]
    about: str
    gaps: tuple[str, ...]
    gone: bool
    """Its content is gone: `audited` is all there is."""
    audited: tuple[Audited, ...]
    history: tuple[Happened, ...]
    notes: tuple[Happened, ...]
    todo: str
    held: bool
    """Somebody has something to do with it."""
    reopens: bool
    tries: bool
    """A way out is suggested."""
    past: bool


def claim_page(
    case: Case, decisions: Sequence[WrittenDecision], acts: Sequence[WrittenAct], report: Report | None,
    priced: Sequence[ToldLine], words: Words, payers: Mapping[str, str], lines: Sequence[ClaimLine] = (),
    ways: Ways | None = None,
) -> ClaimPage:  # fmt: skip
    """`report`: of the newest decision that has one; None: its content is gone, and `lines` of the audit log stand in.
    `priced`: what its lines are expected to bring. `ways`: what is suggested."""
    ways = ways or {}
    content = content_shown(case, decisions)
    claim: Mapping[str, Any] = content.claim if content else {}
    state = case.state_on(words.today)
    return ClaimPage(
        handle=case.handle,
        version=case.version,
        number=case.claim_id,
        state=state_pill(case, words),
        facts=tuple(_facts(case, claim, priced, words, payers)),
        blocks=tuple(_blocks(claim, report, ways, priced)) if report else (),
        about=_about(report) if report else "",
        gaps=tuple(_gaps(report)) if report else (),
        gone=report is None,
        audited=tuple(audited(one, words) for one in reversed(lines)),
        history=tuple(sorted(history(decisions, acts, words), key=lambda one: one.machine, reverse=True)),
        notes=tuple(happened(one, words) for one in reversed(acts) if one.text and one.state == "done"),
        todo=_todo(case, words),
        held=state in HELD,
        reopens=case.state in ("pended", "closed"),
        tries=bool(ways) and state in HELD,
        past=case.urgency(words.today) == "past",
    )


def _facts(
    case: Case, claim: Mapping[str, Any], priced: Sequence[ToldLine], words: Words, payers: Mapping[str, str]
) -> Iterator[Fact]:
    last = case.last_day
    limit = f"{words.days(last.day)}; {_rule(last.rule)}, grade {last.grade}" if last else "no rule of the book says it"
    yield Fact(label="Last day to file", value=words.full_day(last.day if last else None), more=limit)
    form = {"professional": "professional claim", "institutional": "institutional claim"}.get(claim.get("form", ""), "")
    rank = {"P": "primary", "S": "secondary", "T": "tertiary"}.get(_of(claim, "payer", "responsibility"), "")
    yield Fact(label="Payer", value=payer_name(case, payers), more="; ".join(filter(None, (rank, form))))
    where = claim.get("place_of_service") or claim.get("type_of_bill")
    kind = "POS" if claim.get("place_of_service") else "type of bill"
    yield Fact(label="Service", value=words.full_day(case.service_from), more=f"{kind} {where}" if where else "")
    yield Fact(label="Charge", value=money(case.charge_cents), more=f"expected payment: {_expected(case, priced)}")
    yield Fact(label="Owner", value=case.owner or "Nobody")
    if case.state in HELD:
        held = words.since(case.held_since)
        yield Fact(label="Held since", value=words.full_day(words.day_of(case.held_since)), more=held)
    if case.scope:
        yield Fact(label="Facility", value=case.scope)


def _expected(case: Case, priced: Sequence[ToldLine]) -> str:
    """As lists and the audit log have it, with what would have to be known."""
    found = case.expected or together(priced)
    text, why = expected_text(found, money), _missing(priced)
    return f"{text} ({'' if found.kind == 'unknown' else 'open: '}{why})" if why else text


def _missing(priced: Sequence[ToldLine]) -> str:
    return "; ".join(dict.fromkeys(not_known(text) for one in priced for text in one["expected"]["missing"]))


def _of(claim: Mapping[str, Any], *path: str) -> Any:
    found: Any = claim
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found or ""


def _rule(file: str) -> str:
    """The code of a rule file."""
    return file.rpartition("/")[2].partition("-")[0]


def _about(report: Report) -> str:
    holding = sum(one.severity == "block" and one.outcome != "bypassed" for one in report.findings)
    unjudged = sum(one.looked_at not in _JUDGED for one in report.lines)
    held = f"{counted(holding, 'reason holds', 'reasons hold')} this claim. " if holding else ""
    ran = f"{counted(report.rules_run, 'rule')} of book {report.book.version} ran"
    some = (
        f"; {unjudged} of {counted(len(report.lines), 'line')} not judged by rules of a procedure" if unjudged else ""
    )
    return f"{held}{ran}{some}."


def _blocks(claim: Mapping[str, Any], report: Report, ways: Ways, priced: Sequence[ToldLine]) -> Iterator[Block]:
    expected = {one["line"]: one for one in priced}
    found = in_order(report.findings)
    yield Block(
        title="Whole claim",
        code="",
        facts=tuple(_of_claim(claim)),
        findings=tuple(finding_view(one, ways) for one in found if one.line is None),
        looked="Nothing found on payer, providers, dates, total or earlier claims.",
    )
    looks = {one.number: one.looked_at for one in report.lines}
    numbers = [int(line.get("number", place)) for place, line in enumerate(claim.get("lines", ()), 1)]
    by_number = dict(zip(numbers, claim.get("lines", ()), strict=True))
    for number in dict.fromkeys([*numbers, *(one.line for one in found if one.line is not None)]):
        mine = [one for one in found if one.line == number]
        line: Mapping[str, Any] = by_number.get(number, {})
        look = looks.get(number, "nothing")
        yield Block(
            title=f"Line {number}",
            code=str(line.get("procedure") or line.get("revenue_code") or ""),
            facts=(*_of_line(line, claim, mine), *_expected_of(expected.get(number))),
            findings=tuple(finding_view(one, ways) for one in mine),
            looked=_LOOKS[look],
            judged=look in _JUDGED,
        )


def _of_claim(claim: Mapping[str, Any]) -> Iterator[Fact]:
    if claim.get("total_charge") is not None:
        yield Fact(label="Total", value=dollars(claim["total_charge"]))
    codes = ", ".join(
        f"{letter}: {code}" for letter, code in zip("ABCDEFGHIJKL", claim.get("diagnoses", ()), strict=False)
    )
    if codes:
        yield Fact(label="Diagnoses", value=codes)
    frequency = str(claim.get("frequency_code") or "1")
    if frequency != "1":
        yield Fact(label="Frequency", value={"7": "7, replacement", "8": "8, void"}.get(frequency, frequency))
    if claim.get("prior_authorization"):
        yield Fact(label="Authorization", value="there is one")


def _of_line(line: Mapping[str, Any], claim: Mapping[str, Any], found: Sequence[Finding]) -> Iterator[Fact]:
    asked = {name for one in found for name in one.evidence}

    def fact(label: str, value: object) -> Fact:
        return Fact(label=label, value=str(value), marked=bool(asked.intersection(_MARKS.get(label, ()))))

    units = line.get("units")
    if units is not None:
        basis = {"MJ": " minutes", "DA": " days"}.get(str(line.get("unit_basis")), "")
        yield fact("Units", f"{units}{basis}")
    yield fact("Modifiers", ", ".join(line.get("modifiers", ())) or "none")
    codes = claim.get("diagnoses", ())
    named = [codes[at - 1] for at in line.get("diagnosis_pointers", ()) if isinstance(at, int) and 0 < at <= len(codes)]
    if named:
        yield fact("Diagnosis", ", ".join(named))
    if ndc := _of(line, "drug", "ndc"):
        yield fact("NDC", ndc)
    if line.get("charge") is not None:
        yield fact("Charge", dollars(line["charge"]))


def _expected_of(line: ToldLine | None) -> Iterator[Fact]:
    if line:
        yield Fact(label="Expected", value=expected_text(together([line]), money))


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Worst first; what a modifier lifted comes last."""
    return sorted(findings, key=lambda f: (f.outcome == "bypassed", SEVERITIES.index(f.severity), f.code, f.rule))


def finding_view(finding: Finding, ways: Ways) -> FindingView:
    """One finding as the page shows it."""
    cited = finding.citation
    return FindingView(
        code=finding.code,
        anchor=anchor(finding.rule),
        pill=_LIFTED if finding.outcome == "bypassed" else SEVERITY[finding.severity],
        said=finding.message,
        todo=without_commands(finding.fix),
        source=", ".join(part for part in (cited.source, cited.edition, cited.locator) if part),
        url=cited.url if cited.url and cited.url.startswith("https://") else "",
        grade=cited.grade,
        grade_says=GRADES[cited.grade],
        denial=sentence(expected(finding.expected_denial)) if finding.expected_denial else "",
        override=str(finding.override) if finding.override else "",
        evidence=tuple(
            Fact(label=_spaced(name), value=_value(value)) for name, value in finding.evidence.items() if value != ()
        ),
        also=tuple(_also(one, finding) for one in finding.because),
        ways=trying.of(ways, finding),
    )


def anchor(file: str) -> str:
    """Of a rule file, on the page of its code."""
    return "-".join(file.split("/")[-2:])


def _also(one: Finding, shown: Finding) -> str:
    place = "" if one.line == shown.line else f" on line {one.line}" if one.line else " on the claim"
    if one.outcome == "undetermined":
        return f"{one.code}{place} cannot be checked for the same reason"
    return f"{one.code}{place}: {one.fault or one.title}"


def _value(value: Evidence) -> str:
    if value is None:
        return "missing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return (", ".join(map(str, value)) or "none") if isinstance(value, tuple) else str(value)


def _spaced(name: str) -> str:
    return sentence(name.replace("_", " "))


def sentence(text: str) -> str:
    """Begins with a capital letter."""
    return text[:1].upper() + text[1:]


def _gaps(report: Report) -> Iterator[str]:
    """What was not looked at, each sentence once; lines of which no rule speaks stand beside them."""
    gaps: list[Gap] = [one for one in report.gaps if one.kind not in _OTHER_GAPS]
    yield from dict.fromkeys(one.sentence for one in gaps)


def _todo(case: Case, words: Words) -> str:
    """What is next."""
    state = case.state_on(words.today)
    if state == "pended":
        back = words.day(case.pended_until)
        return (
            f"{case.pended_by} put it off: it comes back on {back}, or as soon as a new version of the claim comes in."
        )
    if state == "open":
        return (
            "Correct it in your billing system and send the claim again: this case then closes by itself, or says "
            "what is still wrong."
        )
    if state == "mended":
        return (
            "Nothing: a later version of the claim passed and went to billing. It opens again if the fault comes back."
        )
    if state == "waived":
        return "Nothing: it was let go as it is, once. A new version of the claim that is held opens it again."
    reason = CLOSED.get(case.closed_reason, "Done") if case.closed_reason else "Done"
    return f"Nothing: {reason[:1].lower()}{reason[1:]}. A new version of the claim that is held opens it again."
