"""The payer registry: which rule set judges a claim, found by EDI payer id, else by claim filing indicator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from rules.claim import LineOfBusiness
from rules.claim import Payer as ClaimPayer
from rules.memberids import Form, MemberIdShape
from rules.terms import Severity
from rules.values import iso_date

MEDICARE = "medicare"
PREFIX = 3
"""Characters of a member id that name the member's plan."""
UNLISTED = ""
"""As a member's home: a plan that the book does not have."""
RESERVED = ("all", "common")
"""What rule files and their folders mean by other things than a payer or a group."""
LINES_OF_BUSINESS: Mapping[str, str] = {
    "16": "medicare_advantage",
    "MC": "medicaid",
    "FI": "fep",
    **dict.fromkeys(("CI", "BL", "HM", "12", "13", "14", "15"), "commercial"),
}
"""What SBR09 says of the line of business where the claim does not say it itself."""
_UNSPECIFIC = (None, "commercial")
"""What SBR09 says where nobody looked closer: CI, BL and HM stand on claims to every kind of plan."""


class PayersModel(BaseModel):
    """Frozen; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class PayerId(PayersModel):
    """One EDI payer id, which may name a plan at once."""

    id: str
    plan: str | None = None
    line_of_business: LineOfBusiness | None = None
    """Where the id is for one alone; an id that several share says nothing of it."""
    source: str
    grade: Literal["A", "B", "C"]


class PayerPlan(PayersModel):
    """One plan of a payer."""

    name: str
    at_most: Severity | None = None
    """A ceiling on the payer's own rules where it was not read, or not for sure, that they bind this plan. Rules that
    name the plan, and those for several payers, are as they are."""


class Advantage(PayersModel):
    """Which of this payer's rules a Medicare Advantage plan of another payer takes over, and how far."""

    codes: tuple[str, ...]
    at_most: Severity


class Appeal(PayersModel):
    """How long a provider may ask the payer to look at its decision again."""

    within: Annotated[str, Field(min_length=1)]
    """A time and from when it counts, to be read after `within`, such as `180 days of the decision`."""
    except_lines_of_business: tuple[LineOfBusiness, ...] = ()
    """Lines of business for which it was not read."""
    source: str
    grade: Literal["A", "B", "C"]


class Home(PayersModel):
    """Which rules are the member's own plan's to make, where another plan of this payer takes the claim (BlueCard)."""

    subjects: Annotated[tuple[Annotated[str, Field(pattern=r"^[A-Z]{3}$")], ...], Field(min_length=1)]
    """First letters of rule codes, such as COV."""
    at_most: Severity
    """A ceiling on those of the plan that takes the claim."""
    own_at_most: Severity = "warn"
    """A ceiling on those of the member's plan, whose texts are written for the providers of its own area."""


GroupName = Annotated[str, Field(pattern=r"^[a-z][a-z_]*$")]


class PayerShape(PayersModel):
    """One file of payers/."""

    payer: Annotated[str, Field(pattern=r"^[a-z]+$")]
    name: str
    groups: Annotated[tuple[GroupName, ...], Field(min_length=1)] | None = None
    """Names by which rules for several payers mean this one too, such as `commercial`."""
    covers_from: Annotated[date, BeforeValidator(iso_date)]
    """First date of service for which this payer's rule set is meant; earlier claims are unchecked."""
    filing_indicators: tuple[str, ...] = ()
    """SBR09 values that name this payer where the payer id is in no file."""
    ids: tuple[PayerId, ...] = ()
    plans: dict[str, PayerPlan] = Field(default_factory=dict)
    advantage: Advantage | None = None
    home: Home | None = None
    """Which of its plans' rules go by the member's plan and not by the plan that is billed."""
    appeal: Appeal | None = None
    """Of the payer, not of plans that have a ceiling: theirs was not read."""
    member_ids: dict[str, MemberIdShape] = Field(default_factory=dict)
    """The forms that this payer's member ids have, by name."""


class Selection(NamedTuple):
    """Who judges the claim."""

    payer: str | None
    plan: str | None
    plan_known: bool
    line_of_business: str | None
    home: str | None = None
    """The plan of this payer that the member is of, where it is not the one that takes the claim; UNLISTED: one that
    the book does not have; None: it is that one, or nothing says which."""


class Owner(NamedTuple):
    """Whose a payer id is, and what it implies."""

    payer: str
    plan: str | None = None
    line_of_business: str | None = None


def plain_id(text: str) -> str:
    """A payer id as it is looked up: blanks around it and small letters make no other payer."""
    return text.strip().upper()


@dataclass(frozen=True)
class Registry:
    """All payers of a book."""

    payers: Mapping[str, PayerShape]
    ids: Mapping[str, Owner]
    """By payer id, as `plain_id` writes it."""
    indicators: Mapping[str, str]
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The payers of each group, in the order of their files."""
    forms: Mapping[str, Form] = field(default_factory=dict, compare=False)
    """Every form of a member id, by name; functions, which are equal where the payers are."""
    prefixes: Mapping[str, Owner] = field(default_factory=dict)
    """Whose members' ids begin so, as the hospital's overrides say."""

    @classmethod
    def of(cls, payers: Mapping[str, PayerShape]) -> Registry:
        ids = {
            plain_id(entry.id): Owner(key, entry.plan, entry.line_of_business)
            for key, payer in payers.items()
            for entry in payer.ids
        }
        indicators = {code: key for key, payer in payers.items() for code in payer.filing_indicators}
        groups: dict[str, tuple[str, ...]] = {}
        for key, payer in payers.items():
            for group in payer.groups or ():
                groups[group] = (*groups.get(group, ()), key)
        forms = {name: shape.form() for payer in payers.values() for name, shape in payer.member_ids.items()}
        return cls(payers, ids, indicators, groups, forms)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """What a rule may be for besides `all`: payers, plans as payer/plan, and groups."""
        plans = (f"{key}/{plan}" for key, payer in self.payers.items() for plan in payer.plans)
        return (*self.payers, *plans, *self.groups)

    def members(self, name: str) -> tuple[str, ...]:
        """The payers of a group; the name itself where it is that of no group."""
        return self.groups.get(name, (name,))

    def select(self, payer: ClaimPayer) -> Selection:
        """The rule set for a claim's payer: by its id, else by what the claim says of the kind of cover.

        A Medicare Advantage plan is not Medicare, though some claims to one carry Medicare's filing indicator. The line
        of business is the claim's own, else what SBR09 says closely (16, MC, FI), else what the id implies, else what
        SBR09 says at large.
        """
        indicator, business = payer.filing_indicator, payer.line_of_business
        by_indicator = self.indicators.get(indicator or "")
        if by_indicator == MEDICARE and business == "medicare_advantage":
            by_indicator = None
        key, plan, implied = self.ids.get(plain_id(payer.id), (by_indicator, None, None))
        known = True
        if payer.plan is not None:
            known = key is not None and payer.plan in self.payers[key].plans
            plan = payer.plan if known else plan
        return Selection(key, plan, known, business or _business(key, indicator, implied))

    def seen_from_home(self, selection: Selection, member_id: str | None) -> Selection:
        """The same, with the member's own plan where the prefix of the member id says that it is another one."""
        owner = self.prefixes.get((member_id or "").strip().upper()[:PREFIX]) if self.prefixes else None
        if owner is None or owner.payer != selection.payer or self.payers[owner.payer].home is None:
            return selection
        if owner.plan and owner.plan == selection.plan:
            return selection
        return selection._replace(home=owner.plan or UNLISTED)

    def ceiling(self, selection: Selection) -> Severity | None:
        """How far the payer's own rules go for the plan of a claim; None: as they are."""
        plans = self.payers[selection.payer].plans if selection.payer else {}
        plan = plans.get(selection.plan or "")
        return plan.at_most if plan else None

    def appeal(self, selection: Selection) -> Appeal | None:
        """How long a denial of this claim may be appealed, where it was read."""
        found = self.payers[selection.payer].appeal if selection.payer else None
        said = found and selection.line_of_business not in found.except_lines_of_business
        return found if said and self.ceiling(selection) is None else None

    def home(self, selection: Selection) -> Home | None:
        """What is the member's own plan's to decide on this claim, where that is another one."""
        if selection.payer is None or selection.home is None:
            return None
        return self.payers[selection.payer].home

    def advantage(self) -> Advantage | None:
        """What Medicare's file says of Medicare Advantage plans."""
        medicare = self.payers.get(MEDICARE)
        return medicare.advantage if medicare else None


def _business(key: str | None, indicator: str | None, implied: str | None) -> str | None:
    if key == MEDICARE:
        return MEDICARE
    said = LINES_OF_BUSINESS.get(indicator or "")
    return implied if implied and said in _UNSPECIFIC else said
