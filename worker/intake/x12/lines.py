"""The numbers of a claim's lines: LX01 counts up from 1, and where it does not, the lines are a claim's all the same or
another claim's have come in."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from worker.intake.x12.loops import Record

FOREIGN_LINES = (
    "LX01 does not go up, and the lines' charges are not the claim's total: another claim's lines may have come in"
)


def not_going_up(lines: Sequence[Record]) -> int:
    """The place of the first line whose number is missing, or no higher than that before it; 0: there is none."""
    before = 0
    for place, line in enumerate(lines, 1):
        number = line.fields.get("number", 0)
        if number <= before:
            return place
        before = number
    return 0


def sums_up(claim: Record, lines: Sequence[Record]) -> bool:
    """Whether the charges of the lines are the claim's total, as of no claim that lines of another came into."""
    total, amounts = claim.fields.get("total_charge"), [line.fields.get("charge") for line in lines]
    if total is None or None in amounts:
        return False
    return sum(map(Decimal, filter(None, amounts))) == Decimal(total)


def renumber(lines: Sequence[Record]) -> None:
    """Lines whose numbers do not go up have those of their places."""
    if not_going_up(lines) and not any(line.problems for line in lines):
        for place, line in enumerate(lines, 1):
            line.fields["number"] = place
        lines[0].odd.add("2400 LX renumbered")
