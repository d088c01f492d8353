"""A claim with changes that somebody thinks of: judged, and nothing else. What is still wrong with it, and what is new.

A claim and its report go in, with the keys of what is to be tried; the same claim is never changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from rules.book.book import Book
from rules.claim import Claim
from rules.engine.check import check
from rules.engine.edits import Contradiction
from rules.engine.suggesting import OF_PERSONS, Suggestion, changes_of, chosen, suggestions_of, with_changes
from rules.errors import ChangesContradict, NothingSuggested, SuggestionUnknown
from rules.report import Finding, Report


@dataclass(frozen=True, slots=True)
class Change:
    """One operation as people read it."""

    path: str
    label: str
    """`line 2 units`, `total charge`."""
    was: str
    becomes: str
    """Empty: it goes."""
    change_class: str

    def __str__(self) -> str:
        if not self.was and not self.becomes:
            return f"{self.label} is written otherwise"
        if not self.becomes:
            return f"{self.label} goes ({self.was})"
        if not self.was:
            return f"{self.label} is added: {self.becomes}"
        return f"{self.label}: {self.was} becomes {self.becomes}"


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of it."""

    suggestions: tuple[Suggestion, ...]
    """Those that were tried."""
    operations: tuple[dict[str, Any], ...]
    """RFC 6902, all of them together."""
    claim: Claim
    """With the changes."""
    report: Report
    """On that."""
    left: tuple[Finding, ...]
    """What blocked before and still does."""
    new: tuple[Finding, ...]
    """What blocks and did not before."""
    unasked: tuple[str, ...]
    """Codes that blocked before and were not asked now: they look at what was billed before."""

    @property
    def mends(self) -> bool:
        """Whether nothing of what was looked at holds it any more."""
        return not self.left and not self.new and not self.unasked


def try_changes(
    claim: Claim, report: Report, book: Book, keys: Iterable[str] = (), *, received: date | None = None
) -> Tried:
    """The claim with the suggestions of these keys, default: the likeliest of each finding, judged without a ledger.

    Raises:
        NothingSuggested: no rule suggests anything for it.
        SuggestionUnknown: there is none of a key.
        ChangesContradict: two of them cannot both be made, or what they make is no claim.
    """
    known = suggestions_of(claim, report, book, received=received)
    if not known:
        raise NothingSuggested(claim=claim.claim_id)
    try:
        wanted = chosen(known, keys)
    except LookupError as error:
        raise SuggestionUnknown(key=error.args[0], known=", ".join(one.key for one in known)) from None
    names = ", ".join(one.key for one in wanted)
    if len({one.key[:-1] for one in wanted}) < len(wanted):
        raise ChangesContradict(keys=names, reason="two of them are ways out of one and the same finding")
    try:
        steps = changes_of(claim, wanted)
    except Contradiction as error:
        raise ChangesContradict(keys=names, reason=f"they want different things of {error}") from None
    after = with_changes(claim, steps)
    if after is None:
        raise ChangesContradict(keys=names, reason="what they make is no claim")
    judged = check(after, book, received=received)
    had = {(one.rule, one.line) for one in _blocks(report)}
    now = _blocks(judged)
    return Tried(
        suggestions=tuple(wanted),
        operations=tuple(steps),
        claim=after,
        report=judged,
        left=tuple(one for one in now if (one.rule, one.line) in had),
        new=tuple(one for one in now if (one.rule, one.line) not in had),
        unasked=_unasked(report, judged, book),
    )


def _blocks(report: Report) -> list[Finding]:
    return [one for one in report.every if one.severity == "block" and one.outcome != "bypassed"]


def _unasked(before: Report, after: Report, book: Book) -> tuple[str, ...]:
    if before.history == after.history:
        return ()
    known = book.files
    return tuple(
        dict.fromkeys(one.code for one in _blocks(before) if one.rule in known and known[one.rule].needs_history)
    )


def changes(claim: Claim, operations: Sequence[dict[str, Any]], *, told: bool = False) -> list[Change]:
    """The operations for people. `told`: with the values that name a person, else these are left out."""
    return [_change(claim, one, told=told) for one in operations]


def _change(claim: Claim, operation: dict[str, Any], *, told: bool) -> Change:
    path, kind = str(operation["path"]), str(operation["class"])
    first, *rest = path.split("/")[1:]
    if not told and first in OF_PERSONS:
        return Change(path, _words(rest), "", "", kind)
    value = operation.get("value")
    if first != "lines":
        place = f" {int(rest[0]) + 1}" if rest and rest[0].isdecimal() else f" {_words(rest)}" if rest else ""
        label, was = _words([first]) + place, _at(claim, [first, *rest])
        return Change(path, label, _shown(was, first), _shown(value, first), kind)
    if rest == ["-"]:
        return Change(path, "a line", "", _line(value), kind)
    line = claim.lines[int(rest[0])]
    label, field = f"line {line.number}", rest[1:]
    if not field:
        return Change(path, label, f"{line.procedure or line.revenue_code or ''} ${line.charge:.2f}".strip(), "", kind)
    was, becomes = _shown(_at(line, field), field[0]), _shown(value, field[0])
    return Change(path, f"{label} {_words(field)}", was, becomes, kind)


def _words(path: Sequence[str]) -> str:
    return " ".join(part.replace("_", " ") for part in path)


def _at(holder: Any, path: Sequence[str]) -> Any:
    for part in path:
        holder = holder[int(part)] if isinstance(holder, tuple) else getattr(holder, part)
    return holder


def _shown(value: Any, name: str) -> str:
    if isinstance(value, tuple | list):
        return " ".join(map(str, value)) or "none"
    if value is None:
        return "none"
    return f"${value}" if "charge" in name else str(value)


def _line(value: Any) -> str:
    parts = [value.get("procedure", ""), *value.get("modifiers", ()), f"{value.get('units', '')} unit"]
    return f"{' '.join(parts)}, ${value['charge']}"
