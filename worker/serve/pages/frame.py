"""What every page has around its content, and small things that several pages show alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from worker.desk.cases import Case
from worker.serve.pages.words import Words

Tone = Literal["open", "fixed", "pend", "waived", "warn", "late", "odd", "plain"]
Mood = Literal["good", "late", "warn"]

CLOSED: Mapping[str, str] = {
    "without_billing": "Closed without billing",
    "billed_elsewhere": "Billed elsewhere",
    "paid": "Paid",
    "denied": "Denied",
    "denied_foreseen": "Denied, as was foreseen",
    "denied_otherwise": "Denied, for another reason than was foreseen",
    "unchecked": "Not checked here any more",
}


@dataclass(frozen=True, slots=True)
class Pill:
    """A word in color; the word alone says it."""

    text: str
    tone: Tone


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A label with its value, and what is to be known beside it."""

    label: str
    value: str
    more: str = ""
    marked: bool = False
    """A rule found something by it."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a page says first: what was done, or what is in the way."""

    mood: Mood
    title: str
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Around the content of a page."""

    title: str
    page: str = ""
    """Which link of the head it is under."""
    account: str = ""
    """Who is signed in; empty: nobody."""
    csrf: str = ""
    works: bool = False
    """Whether this person may act on cases now."""
    may: frozenset[str] = frozenset()
    keys: bool = True
    """Whether single letters act."""
    said: Said | None = None
    read_only: Said | None = None
    """Why nothing can be saved now."""
    printed: str = ""
    zone: str = ""
    book: str = ""


def state_pill(case: Case, words: Words) -> Pill:
    """How a case is today."""
    state = case.state_on(words.today)
    if state == "pended":
        return Pill(f"Pended until {words.day(case.pended_until)}", "pend")
    if state == "closed":
        return Pill(CLOSED.get(case.closed_reason, "Closed") if case.closed_reason else "Closed", "plain")
    known: dict[str, Pill] = {
        "open": Pill("Open", "open"), "mended": Pill("Mended, billed", "fixed"), "waived": Pill("Waived", "waived"),
    }  # fmt: skip
    return known.get(state, Pill(state.capitalize(), "plain"))
