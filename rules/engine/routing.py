"""Where a verdict sends a claim, and where it would have sent it were nothing only observed."""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import NamedTuple, Protocol

from rules.book.gaproutes import ROUTING_GAPS, GapRoutes
from rules.report import Disposition, Finding, Observed
from rules.terms import GapRoute


class Route(NamedTuple):
    """Where a claim goes."""

    disposition: Disposition
    observed: Observed | None
    """Where it would have gone; None: nothing of it is only observed."""


def routed(
    findings: Iterable[Finding],
    *,
    unchecked: bool,
    gaps: GapRoute = "billing",
    observing: bool,
    left: bool = False,
) -> Route:
    """`findings`: all of them, also those that are shown under another one. `unchecked`: the book has no rules for the
    claim. `gaps`: where its gaps have it go. `observing`: every readable claim of its kind goes to billing. `left`: an
    unchecked one stays so, whatever form found on it.
    """
    blocking = [one for one in findings if one.severity == "block" and one.outcome != "bypassed"]
    would = _disposition(bool(blocking), unchecked, gaps)
    if left and unchecked and not observing and would == "rework":
        return Route("unchecked", Observed(would))
    if not observing and not any(one.observed for one in blocking):
        return Route(would, None)
    held = any(one.observed is None for one in blocking)
    found = _disposition(held, unchecked and not observing, "billing" if observing else gaps)
    return Route(found, Observed(would))


class RuleGap(Protocol):
    """What a rule could not look at."""

    @property
    def kind(self) -> str: ...

    @property
    def rule(self) -> str | None: ...


def gap_route(
    gaps: Iterable[RuleGap], blocking: Container[str], routes: GapRoutes, payer: str | None, plan: str | None
) -> GapRoute:
    """Where its gaps have a claim go. `blocking`: the rules, named as gaps name them, that would have held it."""
    routing = any(gap.kind in ROUTING_GAPS and gap.rule in blocking for gap in gaps)
    return routes.of(payer, plan) if routing else "billing"


def _disposition(blocked: bool, unchecked: bool, gaps: GapRoute) -> Disposition:
    if blocked or gaps == "rework":
        return "rework"
    return "unchecked" if unchecked else gaps
