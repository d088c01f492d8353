"""Facts of what other payers paid and adjusted: whether it adds up, at the line and at the claim.

As in otherpayers.py a payer is named by its place in the order, and none of these facts is the claim's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

from rules.case import Case
from rules.claim import Adjustment, Line, LineDecision, OtherPayer
from rules.facts.otherpayers import NOTHING, decisions, earlier, named
from rules.facts.registry import fact


@fact("lines", "the other payers' amounts", reach="head")
def lines_out_of_balance(case: Case) -> tuple[int, ...]:
    """Lines whose charge is not what another payer paid for them and adjusted on them (SVD02 and CAS of 2430), payer by
    payer; lines that the payer bundled (SVD06), and payers that the claim has twice, are left out."""
    return tuple(line.number for line in case.claim.lines if line.decisions and _line_differs(case, line))


@fact("codes", "the other payers' amounts", reach="head")
def payers_out_of_balance(case: Case) -> tuple[str, ...]:
    """The payers before the one that the claim goes to whose amount paid (2320 AMT*D) and adjustments (CAS of 2320 and
    2430) do not add up to the total charge; those that bundled lines (SVD06) are left out."""
    return named(case, lambda other: earlier(case, other) and _differs(case, other))


@fact("codes", "the other payers' adjustments", reach="head")
def payers_without_adjustments(case: Case) -> tuple[str, ...]:
    """The payers before the one that the claim goes to that paid something, less than the total charge, and have no
    adjustment (CAS) at the claim or at a line."""
    return named(
        case,
        lambda other: (
            earlier(case, other)
            and case.claim.total_charge is not None
            and other.paid is not None
            and NOTHING < other.paid < case.claim.total_charge
            and not other.adjustments
            and not any(decision.adjustments for _, decision in decisions(case, other))
        ),
    )


@fact("codes", "the other payers' adjustments", reach="head")
def payers_adjusted_twice(case: Case) -> tuple[str, ...]:
    """The payers before the one that the claim goes to whose amounts do not add up, and of which one adjustment (group
    and reason) stands with one amount at the claim and, in sum, at its lines."""

    def repeated(other: OtherPayer) -> bool:
        lines = _sums(one for _, decision in decisions(case, other) for one in decision.adjustments)
        return any(lines.get(key) == amount != NOTHING for key, amount in _sums(other.adjustments).items())

    return named(case, lambda other: earlier(case, other) and _differs(case, other) and repeated(other))


def _alone(case: Case, payer_id: str | None) -> bool:
    """Whether one other payer of the claim, and no second, has that id."""
    return sum(other.payer_id == payer_id for other in case.claim.other_payers) == 1


def _sums(adjustments: Iterable[Adjustment]) -> dict[tuple[str | None, str | None], Decimal]:
    found: dict[tuple[str | None, str | None], Decimal] = {}
    for one in adjustments:
        key = one.group, one.reason
        found[key] = found.get(key, NOTHING) + (one.amount or NOTHING)
    return found


def _adjusted(adjustments: Iterable[Adjustment]) -> Decimal:
    return sum((one.amount or NOTHING for one in adjustments), NOTHING)


def _line_differs(case: Case, line: Line) -> bool:
    """Whether a payer's amounts for the line are not its charge."""
    for payer_id in {decision.payer_id for decision in line.decisions}:
        own = [decision for decision in line.decisions if decision.payer_id == payer_id]
        if not payer_id or not _alone(case, payer_id) or any(one.paid is None or one.bundled_into for one in own):
            continue
        if any(_is_number(one.bundled_into, line.number) for one in _of_payer(case, payer_id)):
            continue
        if sum((one.paid or NOTHING) + _adjusted(one.adjustments) for one in own) != line.charge:
            return True
    return False


def _of_payer(case: Case, payer_id: str | None) -> Iterator[LineDecision]:
    return (one for line in case.claim.lines for one in line.decisions if one.payer_id == payer_id)


def _is_number(text: str | None, number: int) -> bool:
    return text is not None and text.isdecimal() and int(text) == number


def _differs(case: Case, other: OtherPayer) -> bool:
    """Whether what the payer paid and adjusted is not the total charge; False where it cannot be said."""
    total = case.claim.total_charge
    if total is None or other.paid is None:
        return False
    own = [decision for _, decision in decisions(case, other)]
    if own and (not _alone(case, other.payer_id) or any(one.bundled_into for one in own)):
        return False
    lines = sum((_adjusted(decision.adjustments) for decision in own), NOTHING)
    return other.paid + _adjusted(other.adjustments) + lines != total
