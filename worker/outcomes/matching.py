"""From answers to decisions: which verdict of ours a payer's answer is held to. Pure, as `answers` is.

An answer belongs to the newest decision up to its day; where a claim was sent again with another charge, to the newest
one with the charge that the answer is about. What was said later replaces what was said before, unless it is about
other lines of a claim that the payer split.
"""

from __future__ import annotations

from collections.abc import Sequence
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
    for answer in answers:
        index = _decision(answer, decisions)
        if index is None:
            fates |= dict.fromkeys(answer.parts, LATER if decisions else ABSENT)
        elif (silent := _silent(answer)) and index not in last:
            fates |= dict.fromkeys(answer.parts, silent)
        elif (before := last.get(index)) is None:
            last[index] = answer
        elif answer.rank > max(before.rank, 1):
            fates |= dict.fromkeys(answer.parts, SECOND)
        elif _of_other_lines(answer, before):
            last[index] = _together(before, answer)
        elif silent:
            fates |= dict.fromkeys(answer.parts, silent)
        else:
            fates |= dict.fromkeys(before.parts, SECOND if before.rank > max(answer.rank, 1) else REPLACED)
            last[index] = answer
    for answer in last.values():
        fates |= {answer.parts[0]: MATCHED} | dict.fromkeys(answer.parts[1:], PART)
    return [Match(answer, index) for index, answer in last.items()], fates


def _decision(answer: Answer, decisions: Sequence[AuditedDecision]) -> int | None:
    day = answer.day.isoformat()
    before = [index for index, one in enumerate(decisions) if one.moment[:10] <= day]
    about = [index for index in before if decisions[index].charge == answer.charge]
    found = about or before
    return found[-1] if found else None


def _silent(answer: Answer) -> str:
    """Why an answer that came says nothing yet, of none of its lines."""
    said = {line.verdict for line in answer.lines}
    if said == {"pending"}:
        return PENDED
    return UNEXPLAINED if said <= {"pending", "unexplained"} else ""


def _of_other_lines(later: Answer, before: Answer) -> bool:
    """Whether both are parts of one claim that the payer split and answered on different days or checks."""
    if later.controls & before.controls or not (later.lines and before.lines):
        return False
    numbers = [_numbers(one.lines) for one in (later, before)]
    if all(numbers):
        return not numbers[0] & numbers[1]
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
