"""Acts as forms have them: what a form asks, what of it is wrong, and what the act then is. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, cast

from worker.desk.cases import HELD, LEAST_DAYS, ActKind, Case, CloseReason
from worker.serve.pages.frame import CLOSED, Said
from worker.serve.pages.words import Words

KINDS: tuple[ActKind, ...] = ("pend", "assign", "note", "close", "reopen")
"""Of people: what a payer's answer does is none of their forms."""
LONGEST_TEXT = 4_000
LONGEST_NAME = 64
REASONS: tuple[CloseReason, ...] = ("without_billing", "billed_elsewhere", "paid", "denied")
WAITING = ("Clinic or doctor (record, signature)", "Coding", "Registration or authorization", "Payer", "Somebody else")
"""For whom a claim waits that is put off: begins the note."""
TITLES: Mapping[ActKind, str] = {
    "pend": "Pend", "assign": "Assign", "note": "Add a note to", "close": "Close", "reopen": "Open again",
    "waive": "Waive", "repair": "Repair",
}  # fmt: skip
KEPT = Said("warn", "Nothing was saved: your session had ended", "This is what you wrote. Look, and save it again.")
"""Over a form with what was written before."""
_PENDED_DAYS = 3
"""Business days for which a claim is put off, or a waiver holds, where nobody says otherwise."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong in a field."""

    field: str
    said: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entered:
    """What somebody wrote into the form of an act, as it was written, to be shown again where it is refused."""

    kind: ActKind
    text: str = ""
    until: str = ""
    owner: str = ""
    reason: str = ""
    waiting: str = ""

    @classmethod
    def of(cls, kind: ActKind, form: Mapping[str, str]) -> Entered:
        names = ("text", "until", "owner", "reason", "waiting")
        return cls(kind=kind, **{name: form.get(name, "").replace("\r\n", "\n") for name in names})

    def said(self) -> str:
        """The text of the act."""
        begin = f"Waiting for: {self.waiting}." if self.kind == "pend" and self.waiting in WAITING else ""
        return " ".join(filter(None, (begin, self.text.strip())))


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """A form, read."""

    faults: tuple[Fault, ...] = ()
    text: str = ""
    about: dict[str, Any] = field(default_factory=dict)
    """What else the act is made with."""


def read(entered: Entered, today: date) -> Read:
    """What a form asks for, or what is wrong with it. What a case says of it, the case is asked later."""
    text = entered.said()
    faults = [*text_faults(entered, text)]
    about: dict[str, Any] = {}
    if entered.kind == "pend":
        try:
            about["until"] = date.fromisoformat(entered.until)
        except ValueError:
            faults.append(Fault("until", "Give a day on which it comes back."))
        else:
            if about["until"] <= today:
                faults.append(Fault("until", "Give a day after today."))
    if entered.kind == "assign":
        about["owner"] = entered.owner.strip()
        if len(about["owner"]) > LONGEST_NAME or not _is_line(about["owner"]):
            faults.append(Fault("owner", f"Give a name of at most {LONGEST_NAME} letters on one line."))
    if entered.kind == "close":
        if entered.reason not in REASONS:
            faults.append(Fault("reason", "Choose why nothing more is to be done."))
        about["reason"] = cast(CloseReason, entered.reason)
    return Read(faults=tuple(faults), text=text, about={} if faults else about)


def text_faults(entered: Entered, text: str) -> list[Fault]:
    """What is wrong with the text of an act."""
    if entered.kind == "note" and not text:
        return [Fault("text", "Write a note.")]
    if len(text) > LONGEST_TEXT:
        return [Fault("text", f"It has {len(text):,} letters; at most {LONGEST_TEXT:,} are kept.")]
    if not _is_text(text):
        return [Fault("text", "It holds signs that cannot be shown. Take them out.")]
    return []


def _is_line(text: str) -> bool:
    return text.isprintable()


def _is_text(text: str) -> bool:
    return all(line.replace("\t", " ").isprintable() for line in text.split("\n"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """The page of an act."""

    kind: ActKind
    title: str
    hint: str
    button: str
    entered: Entered
    faults: tuple[Fault, ...]
    latest: str = ""
    """Of a claim that is put off: the last day that is possible, ISO 8601."""
    owners: tuple[str, ...] = ()
    refused: str = ""
    """Why the act is not possible as the case is; empty: it is."""

    def fault(self, name: str) -> str:
        return next((one.said for one in self.faults if one.field == name), "")


def act_form(
    case: Case, entered: Entered, faults: tuple[Fault, ...], words: Words, owners: tuple[str, ...] = ()
) -> Form:
    """`entered`: what was written before, or `fresh`."""
    kind = entered.kind
    latest = _latest(case)
    until = day_of(entered.until)
    buttons = {
        "pend": f"Pend until {words.day(until)}" if until else "Pend", "assign": "Assign", "note": "Save note",
        "close": "Close this case", "reopen": "Open it again",
    }  # fmt: skip
    return Form(
        kind=kind,
        title=f"{TITLES[kind]} {case.claim_id}",
        hint=_hint(case, kind, words),
        button=buttons[kind],
        entered=entered,
        faults=faults,
        latest=latest.isoformat() if latest and latest > words.today else "",
        owners=owners,
        refused=_refused(case, kind, words),
    )


def fresh(kind: ActKind, case: Case | None, today: date, account: str) -> Entered:
    """As a form opens."""
    if kind == "pend":
        until = _business_day(today)
        latest = _latest(case) if case else None
        if latest and today < latest < until:
            until = latest
        return Entered(kind=kind, until=until.isoformat())
    if kind == "waive":
        return Entered(kind=kind, until=_business_day(today).isoformat(), owner=account)
    return Entered(kind=kind, owner=account if kind == "assign" else "")


def _business_day(day: date) -> date:
    left = _PENDED_DAYS
    while left:
        day += timedelta(days=1)
        left -= day.weekday() < 5
    return day


def _latest(case: Case) -> date | None:
    """The last day until which it may be put off; None: any."""
    return case.last_day.day - timedelta(days=LEAST_DAYS) if case.last_day else None


def day_of(text: str) -> date | None:
    """What a form has of a day; None: it is none."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _hint(case: Case, kind: ActKind, words: Words) -> str:
    latest = _latest(case)
    if kind == "pend" and latest and case.last_day and case.last_day.day >= words.today:
        return (
            f"Not later than {words.day(latest)}: the last day to file is {words.day(case.last_day.day)}, and "
            f"{LEAST_DAYS} days are left for the work."
        )
    if kind == "pend":
        return "The last day to file is past." if case.last_day else "The last day to file is not known."
    return ""


def _refused(case: Case, kind: ActKind, words: Words) -> str:
    state = case.state_on(words.today)
    if kind in ("pend", "close") and state not in HELD:
        said = CLOSED.get(case.closed_reason, "closed").lower() if case.closed_reason else state
        return f"It is not held any more: {said}."
    if kind == "reopen" and case.state not in ("pended", "closed"):
        return "It is neither pended nor closed."
    if kind == "pend":
        latest = _latest(case)
        if latest and case.last_day and case.last_day.day >= words.today and latest <= words.today:
            return f"Its last day to file is {words.day(case.last_day.day)}: nothing can be put off any more."
    return ""


def done(kind: ActKind, case: Case, words: Words) -> str:
    """What is said of an act that was done; `case`: as it is then."""
    if kind == "pend":
        return f"{case.claim_id} is pended until {words.day(case.pended_until)}."
    if kind == "assign":
        return f"{case.claim_id} is assigned to {case.owner or 'nobody'}."
    if kind == "close":
        said = CLOSED[case.closed_reason].lower() if case.closed_reason else "closed"
        return f"{case.claim_id} is closed: {said}."
    if kind == "waive":
        return f"{case.claim_id} is waived: it goes as it is, where nothing else holds it."
    if kind == "repair":
        return f"{case.claim_id} is repaired: a worker judges it as it is now."
    return f"{case.claim_id} is open again." if kind == "reopen" else f"Your note on {case.claim_id} is saved."
