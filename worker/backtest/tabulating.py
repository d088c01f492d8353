"""From counts to what may be shown: splits by payer, month and CARC, shares, money. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from worker.backtest.counting import Atom, Counts, Fired
from worker.backtest.money import estimate
from worker.backtest.result import EVERY, FOUND, HELD, Axis, Estimate, RuleRecord, Share, Split, Total
from worker.backtest.shares import share
from worker.backtest.suppression import Sum, suppressed

DENIED, PAID = "denied", "paid"
_FIRED = {DENIED: ("fd", "fe"), PAID: ("fp",)}
"""Fired and denied, elsewhere; fired and paid."""
_SILENT = {DENIED: "sd", PAID: "sp"}
_COUNTED = "counted"


class Group(NamedTuple):
    """Whose claims a count is of."""

    payer: str = EVERY
    axis: Axis = ""
    value: str = ""


class Cell(NamedTuple):
    """A count that may be shown."""

    group: Group
    measure: str


def groups_of(atom: Atom) -> Iterator[Group]:
    """Every group that the atom is in."""
    for payer in (EVERY, atom.payer):
        yield Group(payer)
        yield Group(payer, "month", atom.month)
        if atom.carc:
            yield Group(payer, "carc", atom.carc)


@dataclass(frozen=True)
class Tables:
    """All counted claims, and what of them may be shown; then each rule by itself."""

    counts: Counts
    least: int

    @cached_property
    def population(self) -> Mapping[Cell, int]:
        found: Counter[Cell] = Counter()
        for atom, number in self.counts.atoms.items():
            for group in groups_of(atom):
                found[Cell(group, DENIED if atom.carc else PAID)] += number
        return found

    @cached_property
    def groups(self) -> list[Group]:
        return sorted({Group(), *(cell.group for cell in self.population)})

    @cached_property
    def hidden(self) -> frozenset[Cell]:
        """Of all claims."""
        whole = Sum(Cell(Group(), _COUNTED), (Cell(Group(), DENIED), Cell(Group(), PAID)))
        sums = [whole] + [
            Sum(Cell(one.total, measure), tuple(Cell(part, measure) for part in one.parts))
            for measure, of in self._by_measure.items()
            for one in of
        ]
        return suppressed(self.population, sums, self.least)

    def _group_sums(self, measure: str) -> list[Sum[Group]]:
        """How the groups add up; what is paid has no CARC."""
        children: dict[tuple[Group, str], list[Group]] = defaultdict(list)
        for group in self.groups:
            if measure == PAID and group.axis == "carc":
                continue
            if group.axis:
                children[Group(group.payer), group.axis].append(group)
            if group.payer != EVERY:
                children[group._replace(payer=EVERY), "payer"].append(group)
        return [Sum(parent, tuple(parts)) for (parent, _), parts in children.items()]

    @cached_property
    def _by_measure(self) -> Mapping[str, list[Sum[Group]]]:
        return {measure: self._group_sums(measure) for measure in (DENIED, PAID)}

    def totals(self) -> tuple[Total, ...]:
        return tuple(Total(*group, self._total(group, DENIED), self._total(group, PAID)) for group in self.groups)

    def _total(self, group: Group, measure: str) -> int | None:
        cell = Cell(group, measure)
        return None if cell in self.hidden else self.population.get(cell, 0)

    def money(self) -> tuple[int | None, Estimate | None]:
        """What was allowed of all that was paid, and what was denied."""
        paid = None if self._total(Group(), PAID) is None else self.counts.paid_cents
        denied = None if self._total(Group(), DENIED) is None else estimate(self.counts.stake, self.counts.seen)
        return paid, denied

    def allowed_share(self) -> dict[str, float | None]:
        """By payer, of the charges of what was paid."""
        shown = {payer: self._total(Group(payer), PAID) for payer in self.counts.paid}
        return {
            payer: round(allowed / charged, 4) if charged and shown[payer] is not None else None
            for payer, (allowed, charged) in sorted(self.counts.paid.items())
        }

    def rule(self, code: str, fired: Fired, expects: Iterable[str]) -> RuleRecord:
        """What may be shown of one rule."""
        counts = self._of_rule(fired)
        hidden = self._hidden_of(counts)

        def shown(group: Group, measure: str) -> int | None:
            cell = Cell(group, measure)
            return None if cell in hidden else counts.get(cell, 0)

        splits = {
            group: Split(*group, *(shown(group, measure) for measure in ("fd", "fp", "sd", "sp", "fe")))
            for group in self.groups
            if not group.axis or any(counts.get(Cell(group, one)) for one in ("fd", "fp", "fe"))
        }
        fires = {group.payer for group in splits if any(counts.get(Cell(group, one)) for one in ("fd", "fp", "fe"))}
        carcs = frozenset(expects)
        kept = {group: split for group, split in splits.items() if group.payer in fires or code in (HELD, FOUND)}
        payers = sorted({group.payer for group in kept})
        every = Group()
        return RuleRecord(
            code, fired.severity, tuple(sorted(carcs)), tuple(kept.values()),
            {payer: _precision(kept[Group(payer)]) for payer in payers},
            {payer: self._recall(code, payer, kept, carcs) for payer in payers},
            None if shown(every, "fd") is None else estimate(fired.stake, self.counts.seen),
            None if shown(every, "fp") is None else fired.paid_cents,
        )  # fmt: skip

    def _of_rule(self, fired: Fired) -> Counter[Cell]:
        counts: Counter[Cell] = Counter()
        for atom, number in fired.atoms.items():
            measure = "fe" if atom.elsewhere else "fd" if atom.carc else "fp"
            for group in groups_of(atom):
                counts[Cell(group, measure)] += number
        for (group, whole), number in self.population.items():
            parts = sum(counts.get(Cell(group, one), 0) for one in _FIRED[whole])
            counts[Cell(group, _SILENT[whole])] = number - parts
        return counts

    def _hidden_of(self, counts: Mapping[Cell, int]) -> frozenset[Cell]:
        """What of a rule is not shown. Where it fired and where it was silent are parts of a whole that is: so the
        latter is shown where all of the former is, and tells no more."""
        hidden: set[Cell] = set()
        for whole, fired in _FIRED.items():
            unknown = {cell.group for cell in self.hidden if cell.measure == whole}
            hidden |= {Cell(group, _SILENT[whole]) for group in unknown}
            for measure in fired:
                own = {group: number for (group, of), number in counts.items() if of == measure and number}
                rest = {group: counts.get(Cell(group, _SILENT[whole]), 0) for group in own}
                sums, given = self._by_measure[whole], unknown & own.keys()
                found = suppressed(own, sums, self.least, given, _worth, rest)
                hidden |= {Cell(group, one) for group in found for one in (measure, _SILENT[whole])}
        return frozenset(hidden)

    def _recall(self, code: str, payer: str, splits: Mapping[Group, Split], carcs: frozenset[str]) -> Share | None:
        """From what is shown alone, so that it tells no more."""
        if code in (HELD, FOUND):
            return share(splits[Group(payer)].fired_denied, self._total(Group(payer), DENIED))
        found = whole = 0
        for group in self.groups:
            if (group.payer, group.axis) != (payer, "carc") or group.value.rpartition("-")[2] not in carcs:
                continue
            fired = splits[group].fired_denied if group in splits else 0
            total = self._total(group, DENIED)
            if fired is None or total is None:
                return None
            found, whole = found + fired, whole + total
        return share(found, whole)


def _worth(group: Group) -> int:
    """Parts go before what they are parts of."""
    return 2 * (not group.axis) + (group.payer == EVERY)


def _precision(split: Split) -> Share | None:
    if split.fired_denied is None or split.fired_paid is None:
        return None
    return share(split.fired_denied, split.fired_denied + split.fired_paid)
