"""One decision of a hospital over the book: whom it meets, what it does, until when."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

from rules.book.assignment import ClaimKind
from rules.book.rule import Rule
from rules.case import Location
from rules.report import OverrideId, OverrideState
from rules.terms import GapRoute, Mode, Severity

Order = Literal["primary", "secondary"]
Effect = Literal[
    "rule",
    "filing_limit",
    "authorization",
    "payer_ids",
    "member_prefixes",
    "mode",
    "gaps",
    "draft",
    "unchecked",
    "locations",
]
"""What it changes; the keys of an override in its file."""
UNPINNED: tuple[Effect, ...] = ("mode", "gaps", "unchecked", "locations")
"""Effects that rest on no wording of a rule, so that nobody need look at them where one was changed."""


@dataclass(frozen=True, slots=True)
class Override:
    """One decision of the hospital."""

    name: str
    kind: Effect
    files: frozenset[str]
    """Rule files that it touches, without the ending."""
    payers: tuple[str, ...]
    """Payer keys, or payer/plan; empty: all."""
    providers: frozenset[str]
    """NPIs of billing providers; empty: all."""
    start: date
    end: date
    """Dates of service, inclusive."""
    reason: str
    owner: str
    expires: date
    """The last day on which it holds, by the calendar."""
    written_for: str
    """Start of the pin of what it touches, as it was when the override was written."""
    pin: str
    """The pin as it is."""
    former_pins: tuple[str, ...]
    """The same as releases 0.1.0 and 0.1.1 made it; see `former_pins_of`."""
    severity: Severity | None = None
    """Of the rule, or of the filing limit; None for a rule: switched off."""
    days: int = 0
    order: Order = "primary"
    required: bool = False
    ids: tuple[str, ...] = ()
    """Payer ids, or prefixes of member ids."""
    state: OverrideState = "in_force"
    mode: Mode | None = None
    """Of these rules, or of all where it names none."""
    route: GapRoute | None = None
    locations: tuple[Location, ...] = ()
    """Addresses as a payer has enrolled them. In no finding, no log and no sentence."""
    meanwhile: Rule | None = None
    """The rule as it was, which holds claims while the draft does not."""

    @property
    def waits(self) -> bool:
        """Whether it holds back what an upgrade brought, until a person switches that on; its last day ends nothing."""
        return self.kind == "unchecked" or (self.kind == "draft" and bool(self.files))

    @property
    def outdated(self) -> bool:
        """Whether what it touches was changed since it was written; a draft touches a rule as it was then alone."""
        if self.kind in (*UNPINNED, "draft"):
            return False
        return not any(pin.startswith(self.written_for) for pin in (self.pin, *self.former_pins))

    @property
    def effect(self) -> str:
        """What it does, in words."""
        if self.kind == "filing_limit":
            return f"filing limit of {self.days} days, {self.order} claims"
        if self.kind == "authorization":
            return f"authorization {'required' if self.required else 'not required'}"
        if self.kind == "payer_ids":
            return f"payer ids {', '.join(self.ids)} of {self.payers[0]}"
        if self.kind == "member_prefixes":
            return f"members of {self.payers[0]} by {len(self.ids)} prefixes"
        if self.kind == "mode":
            return f"{self.mode}"
        if self.kind == "gaps":
            return f"gaps to {self.route}"
        if self.kind == "draft":
            return "draft"
        if self.kind == "locations":
            return f"{len(self.locations)} enrolled locations"
        if self.kind == "unchecked":
            return "unchecked claims only observed"
        return f"severity {self.severity}" if self.severity else "switched off"

    def named(self) -> OverrideId:
        """As a finding names it."""
        return OverrideId(self.name, self.effect, self.reason, self.owner, self.expires.isoformat(), self.state)

    def by_former_pin(self) -> Override:
        """As releases 0.1.0 and 0.1.1 read it, which know their own pin alone."""
        return replace(self, pin=self.former_pins[0], former_pins=self.former_pins[:1])

    def meets(self, kind: ClaimKind) -> bool:
        """Whether it is for claims of this kind: one on authorization by the member's own plan, the others by the plan
        that takes the claim."""
        payer, plan, home = kind.selection.payer, kind.selection.plan, kind.selection.home
        if self.kind == "authorization" and home is not None:
            plan = home
        return (not self.payers or bool({payer, f"{payer}/{plan}"} & set(self.payers))) and (
            not self.providers or kind.provider in self.providers
        )

    @property
    def nearness(self) -> tuple[bool, int]:
        """The greater, the nearer to the claim: provider before plan before payer before all."""
        plans = bool(self.payers) and all("/" in payer for payer in self.payers)
        return bool(self.providers), 2 if plans else 1 if self.payers else 0
