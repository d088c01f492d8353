"""The page on which a person lets a claim go: what would go, by name, and what is asked of him. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from rules.report import Finding
from worker.desk.cases import Case
from worker.desk.waiving import MOST_DAYS, MOST_OWNER, first_day, names
from worker.serve.pages import acts
from worker.serve.pages.acts import Entered, Fault, Read
from worker.serve.pages.claimpage import FindingView, finding_view, in_order
from worker.serve.pages.words import Words, counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """On the page of a claim, of who may waive."""

    says: str = ""
    """The act, by its name; empty: it is not possible."""
    refused: str = ""
    """Why not."""

    @classmethod
    def of(cls, findings: Sequence[Finding]) -> Waiver:
        return cls(says=act_of(findings))


@dataclass(frozen=True, slots=True, kw_only=True)
class Goes:
    """A finding that would be let go."""

    place: str
    view: FindingView


@dataclass(frozen=True, slots=True, kw_only=True)
class WaivePage:
    """All of it."""

    title: str
    button: str
    goes: tuple[Goes, ...]
    content: str
    findings: str
    """Their names, by blanks: given back with the form, so that nobody waives what he has not seen."""
    entered: Entered
    faults: tuple[Fault, ...]
    first: str
    """The first and the last day that may be its last one, ISO 8601."""
    last: str
    hint: str
    owners: tuple[str, ...]

    def fault(self, name: str) -> str:
        return next((one.said for one in self.faults if one.field == name), "")


def waive_page(
    case: Case, findings: Sequence[Finding], content: str, entered: Entered, words: Words, moment: str,
    owners: tuple[str, ...] = (), faults: tuple[Fault, ...] = (),
) -> WaivePage:  # fmt: skip
    """`moment`: now, in UTC."""
    first, last = _days(words, moment)
    return WaivePage(
        title=f"{act_of(findings)} on {case.claim_id}",
        button=act_of(findings),
        goes=tuple(Goes(place=_place(one), view=finding_view(one, {})) for one in in_order(findings)),
        content=content,
        findings=" ".join(names(findings)),
        entered=entered,
        faults=faults,
        first=first.isoformat(),
        last=last.isoformat(),
        hint=f"From {words.day(first)} to {words.day(last)}. A worker decides at once; after this day none lets it go.",
        owners=owners,
    )


def act_of(findings: Sequence[Finding]) -> str:
    """`Waive 2 findings`."""
    return f"Waive {counted(len(findings), 'finding')}"


def read(entered: Entered, words: Words, moment: str) -> Read:
    """What the form asks for, or what is wrong with it. Whether the claim can be waived is another thing."""
    text, owner = entered.text.strip(), entered.owner.strip()
    first, last = _days(words, moment)
    faults = list(acts.text_faults(entered, text))
    if not text:
        faults.append(Fault("text", "Say why this claim goes as it is."))
    if not 0 < len(owner) <= MOST_OWNER or not owner.isprintable():
        faults.append(Fault("owner", f"Say who answers for it, in at most {MOST_OWNER} letters on one line."))
    until = acts.day_of(entered.until)
    if until is None or not first <= until <= last:
        faults.append(Fault("until", f"Give a last day from {words.day(first)} to {words.day(last)}."))
    return Read(faults=tuple(faults), text=text, about={} if faults else {"owner": owner, "until": until})


def _days(words: Words, moment: str) -> tuple[date, date]:
    return first_day(words.today, moment), words.today + timedelta(days=MOST_DAYS)


def _place(finding: Finding) -> str:
    place = f"Line {finding.line}" if finding.line is not None else "Whole claim"
    return f"{place}, could not be determined" if finding.outcome == "undetermined" else place
