"""Whom a rule is for: the payers, plans and billing roles that a claim may have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple, get_args

from rules.book.rule import Rule
from rules.book.rulefile import YamlDocument
from rules.claim import Role
from rules.payers import Registry

ROLES: tuple[Role, ...] = get_args(Role)
Documents = Mapping[str, YamlDocument]
"""The rule files by path without the ending."""


class Cell(NamedTuple):
    """One kind of claim; no payer: one that is not in the registry."""

    payer: str | None
    plan: str | None
    role: Role

    @property
    def name(self) -> str:
        """`bcbs/ibx`; `any other payer`."""
        return f"{self.payer}/{self.plan}" if self.plan else self.payer or "any other payer"


def cells_of(rule: Rule, registry: Registry) -> frozenset[Cell]:
    """The kinds of claims that the rule is for."""
    whom: list[tuple[str | None, str | None]] = [(None, None)]
    for key, payer in registry.payers.items():
        whom += [(key, None), *((key, plan) for plan in payer.plans)]
    served = [one for one in whom if rule.serves(*one)]
    return frozenset(Cell(*one, role) for one in served for role in rule.bills_as)


def named(cells: Iterable[Cell]) -> str:
    """`medicare (asc, practitioner)`; a plan is named where not all of its payer is meant."""
    roles: dict[str, set[str]] = {}
    found = set(cells)
    for cell in found:
        if cell.plan is None or Cell(cell.payer, None, cell.role) not in found:
            roles.setdefault(cell.name, set()).add(cell.role)
    by_roles: dict[str, list[str]] = {}
    for name, several in sorted(roles.items()):
        said = "all who bill" if len(several) == len(ROLES) else ", ".join(sorted(several))
        by_roles.setdefault(said, []).append(name)
    return "; ".join(f"{', '.join(names)} ({said})" for said, names in by_roles.items())
