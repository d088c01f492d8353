"""What happened to a claim: decisions and acts of the case store, and lines of the audit log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from worker.audit.claimlines import ClaimLine
from worker.desk.cases import Act
from worker.desk.casestore import ActState, WrittenAct, WrittenDecision
from worker.serve.pages.frame import CLOSED, Fact
from worker.serve.pages.words import Words
from worker.store.outletspecs import SPECS


@dataclass(frozen=True, slots=True)
class Happened:
    """A line of the history."""

    moment: str
    machine: str
    """The same as ISO 8601."""
    who: str
    what: str
    text: str = ""
    tone: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """A decision as the audit log has it."""

    when: str
    where: str
    place: str
    """File and line."""
    state: str
    sound: bool
    found: tuple[Fact, ...]
    by: str


def history(decisions: Sequence[WrittenDecision], acts: Sequence[WrittenAct], words: Words) -> Iterator[Happened]:
    """What is told of all of it, in no order."""
    for version, one in enumerate(decisions, 1):
        yield _decided(one, version, words)
    for act in acts:
        yield happened(act, words)


_BEGUN: Mapping[ActState, str] = {
    "pending": " (begun, and not yet ended)",
    "gone": " (that broke off, and nothing happened: do it again, if it is still meant)",
}


def _decided(one: WrittenDecision, version: int, words: Words) -> Happened:
    codes = f": {', '.join(one.codes)}" if one.codes else ""
    late = "; a later version had been decided" if one.superseded else ""
    tone = {"rework": "open", "billing": "fixed"}.get(one.disposition, "plain")
    spec = SPECS.get(one.disposition)
    title = spec.happened if spec and spec.happened else one.disposition
    whose = "another patient's claim under this number" if one.stranger else f"version {version}"
    what = f"{title}, {whose}{codes}{late}"
    return Happened(words.moment(one.moment), one.moment, "", what, tone=tone)


def happened(one: WrittenAct, words: Words) -> Happened:
    """An act with its text."""
    begun = _BEGUN.get(one.state, "")
    return Happened(
        words.moment(one.act.moment), one.act.moment, one.act.account, f"{did(one.act, words)}{begun}", one.text
    )


def did(act: Act, words: Words) -> str:
    """What somebody did, after that person's name."""
    if act.kind == "pend":
        return f"pended it until {words.day(act.until)}"
    if act.kind == "assign":
        whom = act.owner or "nobody"
        return "took it" if act.owner == act.account else f"assigned it to {whom}"
    if act.kind == "close":
        said = CLOSED.get(act.reason, "Done") if act.reason else "Done"
        return f"closed it: {said[:1].lower()}{said[1:]}"
    others = {
        "reopen": "opened it again", "note": "wrote",
        "settle": f"entered the payer's answer: {CLOSED.get(act.reason or '', 'settled').lower()}",
        "repair": "repaired what is only written otherwise",
        "waive": "waived what blocks it, this once",
        "preserve": "had it kept from purging",
        "release": "let it be purged again, in its time",
        "reverse": "entered that the payer took its answer back",
    }  # fmt: skip
    return others.get(act.kind, str(act.kind))


def _kept(value: str) -> str:
    """`units_of_day=2` of an audit line in words."""
    name, _, seen = value.partition("=")
    return f"{name.replace('_', ' ')}: {'not kept' if seen == '...' else seen or 'none'}"


def audited(one: ClaimLine, words: Words) -> Audited:
    """A line of the audit log that decided the claim."""
    line = one.line
    values: dict[str, list[str]] = {}
    for said in line.get("rule.evidence", ()):
        at, _, value = said.partition(" ")
        values.setdefault(at, []).append(_kept(value))
    found = []
    for each in line.get("rule.found", ()):
        at = each.rstrip("?")
        code, _, number = at.partition("@")
        place = f"{code}, line {number}" if number else f"{code}, whole claim"
        undetermined = ["could not be determined"] if each.endswith("?") else []
        found.append(Fact(label=place, value=code, more="; ".join([*undetermined, *values.get(at, ())])))
    book = f"Book {line['book.version']}, digest {line['book.digest'][:12]}" if "book.version" in line else ""
    return Audited(
        when=words.moment(one.moment),
        where={"rework": "Held", "billing": "Sent to billing"}.get(
            str(line.get("claim.disposition")), str(line.get("claim.disposition", "")).capitalize()
        ),
        place=f"{one.file.name}, line {one.number:,}",
        state="verified" if one.state == "sound" else f"not as it was written: {one.state}",
        sound=one.state == "sound",
        found=tuple(found),
        by=book,
    )
