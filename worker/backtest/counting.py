"""Counting: each answered claim once, by what the rules said of it and what the payer did. No claim is named.

A claim is denied where one of its lines is, else paid. A rule foresaw a denial where it fired on a line that was
denied, or on the claim as a whole; or where a line was denied with a CARC that the rule expects: of two codes that do
not go together a rule names one, and the payer may deny the other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Literal, NamedTuple

from rules.terms import SEVERITIES
from worker.backtest.money import Priced, Seen, Stake, allowed_cents
from worker.backtest.result import FOUND, HELD
from worker.outcomes.answers import Answer, Line
from worker.outcomes.matching import AuditedDecision
from worker.outcomes.reasons import denials
from worker.outcomes.tally import Expected, about_lines, reason_of

Outcome = Literal["denied", "paid", "undecided"]
NO_REASON = "none given"


class Atom(NamedTuple):
    """The smallest group that claims are counted in."""

    payer: str
    month: str
    carc: str
    """Of the dearest denial; empty: it was paid."""
    elsewhere: bool = False
    """Whether a rule fired on another line than the one that was denied."""


@dataclass(slots=True)
class Fired:
    """Where one rule fired."""

    atoms: Counter[Atom] = field(default_factory=Counter)
    severity: str = ""
    stake: Stake = field(default_factory=Stake)
    paid_cents: int = 0

    def add(self, other: Fired) -> None:
        """Takes what another part of the claims came to."""
        self.atoms.update(other.atoms)
        self.stake.join(other.stake)
        self.paid_cents += other.paid_cents
        if other.severity:
            self.severity = min(other.severity, self.severity or other.severity, key=SEVERITIES.index)


@dataclass(slots=True)
class Counts:
    """All that is counted."""

    atoms: Counter[Atom] = field(default_factory=Counter)
    stake: Stake = field(default_factory=Stake)
    paid_cents: int = 0
    paid: dict[str, tuple[int, int]] = field(default_factory=dict)
    """By payer what was allowed of the paid claims, and what was charged on them, in cents."""
    fired: list[dict[str, Fired]] = field(default_factory=list)
    """By book, then by code."""
    moved: Counter[tuple[str, Outcome]] = field(default_factory=Counter)
    """Of two books: which of them held a claim that the other did not."""
    seen: Seen = field(default_factory=Seen)

    def add(self, other: Counts) -> None:
        """Takes what the claims behind these came to."""
        self.atoms.update(other.atoms)
        self.moved.update(other.moved)
        self.stake.join(other.stake)
        self.seen.join(other.seen)
        self.paid_cents += other.paid_cents
        for payer, (allowed, charged) in other.paid.items():
            before = self.paid.get(payer, (0, 0))
            self.paid[payer] = before[0] + allowed, before[1] + charged
        self.fired = self.fired or [{} for _ in other.fired]
        for mine, theirs in zip(self.fired, other.fired, strict=False):  # of a part without a counted claim: none
            for code, fired in theirs.items():
                mine.setdefault(code, Fired()).add(fired)


def outcome(answer: Answer) -> Outcome:
    """What the payer did with the claim."""
    said = {line.verdict for line in answer.lines}
    return "denied" if "denied" in said else "paid" if "paid" in said else "undecided"


def placed(lines: Iterable[Line], said: Mapping[str, Any]) -> tuple[Line, ...]:
    """The lines of an answer with the numbers of the claim's own, where its control numbers or codes tell them."""
    by_control = {control: number for number, _, control in said["lines"] if control}
    codes = Counter(code for _, code, _ in said["lines"])
    by_code = {code: number for number, code, _ in said["lines"] if codes[code] == 1}
    numbers = {str(number) for number, _, _ in said["lines"]}

    def number(line: Line) -> str | None:
        if line.number in by_control:
            return str(by_control[line.number])
        if line.number in numbers or not line.code:
            return line.number
        found = by_code.get(line.code[0])
        return str(found) if found else line.number

    numbered = [(line, number(line)) for line in lines]
    return tuple([line if line.number == own else replace(line, number=own) for line, own in numbered])


def count(counts: Counts, answer: Answer, said: Mapping[str, Any], expects: Sequence[Expected]) -> Outcome:
    """Adds a claim: what the payer answered, and what is known of the claim (`judging`). `expects`: by book."""
    decided = outcome(answer)
    if decided == "undecided":
        return decided
    lines = placed(answer.lines, said)
    denied = [line for line in lines if line.verdict == "denied"]
    atom = Atom(said["payer"], said["day"][:7], _carc(denied) if denied else "")
    counts.atoms[atom] += 1
    paid = 0
    for line in lines:
        if line.verdict == "paid":
            paid += (allowed := allowed_cents(line.paid, line.adjustments))
            if len(codes := _codes(line, said)) == 1:
                counts.seen.add(_priced(codes[0], said), allowed)
    if denied:
        _stake(counts.stake, denied, said)
    else:
        counts.paid_cents += paid
        before, charged = counts.paid.get(said["payer"], (0, 0))
        counts.paid[said["payer"]] = before + paid, charged + int(Decimal(said["charge"]) * 100)
    counts.fired = counts.fired or [{} for _ in said["by"]]
    for fired, expected, (verdict, found) in zip(counts.fired, expects, said["by"], strict=True):
        _count_rules(fired, atom, lines, said, verdict, found, paid, expected)
    if len(said["by"]) == 2:
        first, second = (verdict == "rework" for verdict, _ in said["by"])
        if first != second:
            counts.moved["first" if first else "second", decided] += 1
    return decided


def _count_rules(
    by_code: dict[str, Fired], atom: Atom, lines: Sequence[Line], said: Mapping[str, Any], verdict: str,
    found: Iterable[tuple[str, str, int | None]], paid: int, expected: Expected,
) -> None:  # fmt: skip
    places: dict[str, set[int | None]] = {}
    carcs: dict[str, frozenset[str]] = {}
    gravest: dict[str, str] = {}
    for code, severity, line in found:
        names = [code] if severity == "note" or code.endswith("?") else [code, FOUND]
        if verdict == "rework" and severity == "block":
            names.append(HELD)
        for name in names:
            places.setdefault(name, set()).add(line)
            carcs[name] = carcs.get(name, frozenset()) | expected.get(code, frozenset())
        gravest[code] = min(severity, gravest.get(code, severity), key=SEVERITIES.index)
    if verdict == "rework":
        places.setdefault(HELD, {None})  # superseded, or by what is in no finding
    for name, where in places.items():
        fired = by_code.setdefault(name, Fired())
        if name in gravest:
            fired.severity = min(gravest[name], fired.severity or gravest[name], key=SEVERITIES.index)
        if not atom.carc:
            fired.atoms[atom] += 1
            fired.paid_cents += paid
            continue
        about = _about(name, where, lines, said)
        if denied := [one for one in lines if one.verdict == "denied" and _foreseen(one, about, carcs.get(name))]:
            fired.atoms[atom] += 1
            _stake(fired.stake, denied, said)
        else:
            fired.atoms[atom._replace(elsewhere=True)] += 1


def _foreseen(line: Line, about: Sequence[Line], carcs: frozenset[str] | None) -> bool:
    return line in about or any(one.reason in (carcs or ()) for one in denials(line.adjustments))


def _about(code: str, where: Iterable[int | None], lines: Sequence[Line], said: Mapping[str, Any]) -> list[Line]:
    judged = tuple(number for number, _, _ in said["lines"])
    decision = AuditedDecision("", "", judged, frozenset((code, line) for line in where))
    return [lines[index] for index in about_lines(code, decision, lines)]


def _carc(denied: Sequence[Line]) -> str:
    """Group and CARC of the dearest denial."""
    dearest = max(denied, key=lambda line: line.charge - line.paid)
    reason = reason_of(dearest)
    return f"{reason.group}-{reason.carc}" if reason.carc else NO_REASON


def _stake(stake: Stake, denied: Iterable[Line], said: Mapping[str, Any]) -> None:
    for line in denied:
        allowed = allowed_cents(line.paid, line.adjustments)
        for place, code in enumerate(_codes(line, said)):
            stake.add(_priced(code, said), 0 if place else allowed)


def _codes(line: Line, said: Mapping[str, Any]) -> list[str]:
    """The codes of the lines that it is about: one, or where it is of the claim as a whole, those of all its lines."""
    if line.code:
        return [line.code[0]]
    own = [code for number, code, _ in said["lines"] if str(number) == line.number]
    return own or [code for _, code, _ in said["lines"]]


def _priced(code: str, said: Mapping[str, Any]) -> Priced:
    payer = said["payer"] if said["payer"] != "other" else f"other {said['payer_id']}"
    return Priced(payer, code, said["site"])
