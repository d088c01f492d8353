"""Where a claim goes of which a blocking rule could not ask its table: `SCRUB_GAPS`, or entries of the overrides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from rules.book.override import Override
from rules.terms import GapRoute

ROUTING_GAPS = ("edition_past", "table_extract")
"""Kinds of gaps that may decide on the way of a claim; of no other does the hospital say where it goes."""


@dataclass(frozen=True, slots=True)
class GapRoutes:
    """A hospital's choice by payer and plan."""

    general: Override | None = None
    """For all payers; None: billing."""
    by_payer: Mapping[str, Override] = field(default_factory=dict)
    """By payer, or payer/plan."""

    @classmethod
    def of_entries(cls, entries: Iterable[Override]) -> GapRoutes:
        """Those that the overrides of this kind name."""
        mine = [entry for entry in entries if entry.kind == "gaps"]
        general = next((entry for entry in mine if not entry.payers), None)
        return cls(general, {payer: entry for entry in mine for payer in entry.payers})

    def entry(self, payer: str | None, plan: str | None = None) -> Override | None:
        """The override that decides for a plan; None: none does."""
        return self.by_payer.get(f"{payer}/{plan}") or self.by_payer.get(payer or "") or self.general

    def of(self, payer: str | None, plan: str | None = None) -> GapRoute:
        """Where a claim with such a gap goes; payer None: not in the registry."""
        found = self.entry(payer, plan)
        return found.route if found and found.route else "billing"
