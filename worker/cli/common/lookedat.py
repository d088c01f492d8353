"""What was looked at of the claims of a file, all together: how many in full, and what to do for the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Literal, NamedTuple

from rules.engine.gaps import PASSED, Unread, unread
from worker.cli.common.terminal import hung, paint, plain

if TYPE_CHECKING:
    from rules.claim import Claim
    from rules.report import GapKind, Report

_SAID: dict[GapKind, str] = {
    "line_not_judged": "with lines of codes that the book has no rules for: their form alone was checked",
    "history_not_consulted": "without a member id: what was billed before cannot be looked at",
    "payer_without_rules": "of payers without rules of their own: rules for all payers ran",
    "plan_unknown": "of plans that the book does not know: scrub rules overrides",
    "rule_out_of_range": "of dates of service after the last version of a rule",
    "field_not_read": "without fields that an 837 carries, such as addresses: what rules ask of them was not asked",
}
_OFFLINE = "What was billed before was not looked at (duplicates, frequency): only a worker does that."


class LookedAtOne(NamedTuple):
    """How much of one claim was looked at."""

    how: Literal["full", "part", "none"]
    things: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """What was not, each once, with the codes that it is about."""
    offline: bool = False


def looked_at(report: Report, claim: Claim) -> LookedAtOne:
    """The same of a claim that was judged."""
    things = unread(report, claim)
    if report.coverage == "none":
        return LookedAtOne("none", _things(thing for thing in things if thing.official))
    offline = any(gap.kind == "history_not_consulted" and report.history == "not_consulted" for gap in report.gaps)
    if not things and report.coverage != "common_only":
        return LookedAtOne("full", (), offline)
    return LookedAtOne("part", _things(things), offline)


def _things(things: Iterable[Unread]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return tuple(dict.fromkeys((_said(thing), thing.codes) for thing in things))


class LookedAt:
    """Counts claims by how much of them was looked at."""

    def __init__(self) -> None:
        self._in_full = self._in_part = self._not_at_all = 0
        self._offline = False
        self._claims: dict[str, int] = {}
        self._codes: dict[str, dict[str, None]] = {}

    def add(self, one: LookedAtOne) -> None:
        """One claim more."""
        self._in_full += one.how == "full"
        self._in_part += one.how == "part"
        self._not_at_all += one.how == "none"
        self._offline |= one.offline
        for said, codes in one.things:
            self._claims[said] = self._claims.get(said, 0) + 1
            self._codes.setdefault(said, {}).update(dict.fromkeys(codes))

    def summary(self) -> Iterator[str]:
        """How many, then a line for each thing to do, that of most claims first; nothing where there was no claim."""
        none = "by no rules of a procedure"
        counts = ((self._in_full, "in full"), (self._in_part, "in part"), (self._not_at_all, none))
        found = ", ".join(f"{count} {how}" for count, how in counts if count)
        if not found:
            return
        if self._in_part or self._not_at_all or self._offline:
            yield f"Looked at: {found}."
        for said, count in sorted(self._claims.items(), key=lambda one: -one[1]):
            codes = sorted(self._codes[said])
            text = said + (f" [{', '.join(codes)}]" if codes else "")
            yield "  " + paint(f"{count:>6}", "bold") + "  " + hung(plain(text), 10)
        if self._offline:
            yield f"  {hung(_OFFLINE, 2)}"


def _said(thing: Unread) -> str:
    if thing.kind == "edition_past":
        return f"import {thing.what}" if thing.official else f"asked {thing.what} after its last day"
    return f"with {thing.what}" if thing.what.endswith(PASSED) else _SAID[thing.kind]
