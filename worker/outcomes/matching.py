"""From answers to decisions: which verdict of ours a payer's answer is held to. Pure, as `answers` is.

An answer belongs to the newest decision up to its day; where a claim was sent again with another charge, to the newest
one with the charge that the answer is about. What was said later replaces what was said before, unless it is about
other lines of a claim that the payer split.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from worker.outcomes.answers import Answer, Line

MATCHED = "matched"
PART = "parts of a split claim"
REPLACED = "replaced by a later one"
SECOND = "of a second payer"
PENDED = "pending"
UNEXPLAINED = "paid nothing and said no reason"
LATER = "decided later"
ABSENT = "not in the audit log"
_MOST_PARTS = 1_000
"""Of one claim on different checks; a claim has 999 lines."""


@dataclass(frozen=True, slots=True)
class AuditedDecision:
    """What the log says of one decision."""

    moment: str
    """RFC 3339; the day is in UTC."""
    payer: str
    judged: tuple[int, ...] | None
    """Numbers of the lines that carry the procedure; None: an older log does not say."""
    found: frozenset[tuple[str, int | None]]
    """Failed rules with their lines; None: the whole claim, or not said."""
    charge: Decimal | None = None
    """CLM02; None: not said."""
    id: str = ""
    """Of the decision."""


@dataclass(frozen=True, slots=True)
class Match:
    """An answer that counts, and what it is held to."""

    answer: Answer
    decision: int
    """The index of the decision."""


def match(answers: Sequence[Answer], decisions: Sequence[AuditedDecision]) -> tuple[list[Match], dict[int, str]]:
    """The answers that count, at most one a decision, and the fate of every payment that they are made of.

    `answers`: by day; `decisions`: by moment.
    """
    fates: dict[int, str] = {}
    last: dict[int, Answer] = {}
    for answer, newer in _singly(answers, decisions):
        index = _decision(answer, newer, decisions)
        if index is None:
            fates |= dict.fromkeys(answer.parts, LATER if decisions else ABSENT)
        elif (silent := _silent(answer)) and index not in last:
            fates |= dict.fromkeys(answer.parts, silent)
        elif (before := last.get(index)) is None:
            last[index] = answer
        elif _of_a_later_payer(answer, before):
            fates |= dict.fromkeys(answer.parts, SECOND)
        elif _of_other_lines(answer, before, decisions[index]):
            last[index] = _together(before, answer)
        elif silent:
            fates |= dict.fromkeys(answer.parts, silent)
        else:
            fates |= dict.fromkeys(before.parts, SECOND if _of_a_later_payer(before, answer) else REPLACED)
            last[index] = answer
    for answer in last.values():
        fates |= {answer.parts[0]: MATCHED} | dict.fromkeys(answer.parts[1:], PART)
    return [Match(answer, index) for index, answer in last.items()], fates


def _singly(answers: Sequence[Answer], decisions: Sequence[AuditedDecision]) -> Iterator[tuple[Answer, int]]:
    """The answers, each with how many of the same charge the same remittance has behind it.

    Parts of which each has the charge of a whole claim, for the same lines, are no parts: a claim and its correction,
    or several claims of one number, were answered on one day.
    """
    charges = {one.charge for one in decisions} - {None}
    for answer in answers:
        pieces = answer.pieces
        lines = [{(line.number, line.code) for line in piece.lines} for piece in pieces]
        if pieces and all(one.charge in charges for one in pieces) and all(each & lines[0] for each in lines):
            left = Counter(one.charge for one in pieces)
            for one in pieces:
                left[one.charge] -= 1
                yield one, left[one.charge]
        else:
            yield answer, 0


def _decision(answer: Answer, newer: int, decisions: Sequence[AuditedDecision]) -> int | None:
    day = answer.day.isoformat()
    before = [index for index, one in enumerate(decisions) if one.moment[:10] <= day]
    about = [index for index in before if decisions[index].charge == answer.charge]
    found = about or before
    return found[max(len(found) - 1 - newer, 0)] if found else None


def _of_a_later_payer(answer: Answer, first: Answer) -> bool:
    """Whether it says nothing about the verdict on the claim to the first payer: by its status, or by what it is about
    where every payer calls itself the first one."""
    return answer.rank > max(first.rank, 1) or (first.rank == answer.rank and answer.behind and not first.behind)


def _silent(answer: Answer) -> str:
    """Why an answer that came says nothing yet, of none of its lines."""
    said = {line.verdict for line in answer.lines}
    if said == {"pending"}:
        return PENDED
    return UNEXPLAINED if said <= {"pending", "unexplained"} else ""


def _of_other_lines(later: Answer, before: Answer, decision: AuditedDecision) -> bool:
    """Whether both are parts of one claim that the payer split and answered on different days or checks."""
    if later.controls & before.controls or len(before.parts) > _MOST_PARTS:
        return False
    numbers = [_numbers(one.lines) for one in (later, before)]
    if all(numbers):
        return not numbers[0] & numbers[1]
    if decision.charge is not None and min(later.charge, before.charge) > 0:
        # The charge of a part is a part of the charge.
        return later.charge + before.charge <= decision.charge
    codes = [{line.code for line in one.lines} for one in (later, before)]
    return (later.split or before.split) and () not in codes[0] | codes[1] and not codes[0] & codes[1]


def _numbers(lines: Sequence[Line]) -> set[str]:
    """The line item control numbers; empty where one has none."""
    numbers = {line.number for line in lines if line.number}
    return numbers if len(numbers) == len(lines) else set()


def _together(before: Answer, later: Answer) -> Answer:
    return replace(
        before,
        charge=before.charge + later.charge,
        lines=before.lines + later.lines,
        parts=before.parts + later.parts,
        controls=before.controls | later.controls,
        split=True,
    )
