"""What the lines of a claim are expected to bring, beside their charges.

A claim says less than a price needs: no locality, no wage index, nothing of other claims of the day. What it leaves
open is a range, and what cannot be bounded is unknown. No address, number or name of the claim is in an answer.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from rules.case import date_of, filled, role_is_certain, role_of
from rules.claim import VOID, Claim, Line, Role, ServiceFacility
from rules.claim.persons import BillingProvider
from rules.payers import MEDICARE, Selection, plain_id
from rules.payment.contracts import NO_CONTRACTS, Contracts, contract_payment
from rules.payment.medicare import medicare_payment
from rules.payment.money import cents_of
from rules.payment.places import by_state, by_zip
from rules.payment.question import Expected, Kind, Looked, Places, Question, Rank, Site, unknown
from rules.tables.table import Tables

_OPPS_BILLS, _COST_BILLS = "013", "085"
_NURSES_AND_ASSISTANTS = ("363A", "363L", "364S")
"""Taxonomies of physician assistants, nurse practitioners and clinical nurse specialists."""
_SURGERY = ("10004", "69990")
_OWN_RATES = "MD"
"""The state whose hospitals Medicare pays by rates of the state."""
AT_MOST = "at most the charge, which is below the schedule"


@dataclass(frozen=True, slots=True)
class Ours:
    """What a hospital says of itself, since no claim does."""

    contracts: Contracts = NO_CONTRACTS
    qualifying: bool = False
    wage_index: Decimal | None = None


NOTHING_OF_OURS = Ours()


@dataclass(frozen=True, slots=True)
class LineExpected:
    """A line with its charge, and what it is expected to bring."""

    number: int
    procedure: str
    charge: int
    """US cents."""
    expected: Expected


def expected_of(
    claim: Claim, selection: Selection, tables: Tables, codes: Collection[str], ours: Ours
) -> tuple[LineExpected, ...]:
    """What each line of the book's procedures is expected to bring. `codes`: those procedures."""
    return tuple(
        LineExpected(
            line.number, line.procedure or "", cents_of(line.charge), _line(claim, line, selection, tables, ours)
        )
        for line in claim.lines
        if line.procedure in codes
    )


def _line(claim: Claim, line: Line, selection: Selection, tables: Tables, ours: Ours) -> Expected:
    day, role = date_of(claim, line), role_of(claim)
    if claim.frequency_code == VOID:
        return unknown("a void: nothing is paid")
    if day is None:
        return unknown("the date of service")
    site = _site(claim, line, role, tables, day)
    if site is None:
        return unknown(_no_site(claim, role))
    if line.units is None:
        return unknown("the units")
    if line.charge < 0:
        return unknown("a charge of 0 or more")
    question = Question(
        procedure=line.procedure or "",
        day=day,
        site=site,
        places=_places(claim, line, tables, day) if site in ("office", "facility") else Places((), ""),
        modifiers=line.modifiers,
        units=line.units,
        qualifying=ours.qualifying,
        participating=claim.billing_provider is None or claim.billing_provider.participating is not False,
        nurse_or_assistant=_taxonomy(claim, line).startswith(_NURSES_AND_ASSISTANTS),
        wage_index=ours.wage_index,
        rank=_rank(claim, line, day),
        second_side=_is_second_side(claim, line, day),
        beside=tuple(one.procedure for one in claim.lines if one is not line and one.procedure),
    )
    charge = cents_of(line.charge)
    if selection.payer != MEDICARE or selection.line_of_business == "medicare_advantage":
        return contract_payment(
            question, tables, ours.contracts, _names(claim, selection), selection.line_of_business, charge
        )
    if barred := _barred(claim, role, line):
        return unknown(barred)
    found = medicare_payment(question, tables)
    return found if site == "hospital" else at_most(found, charge)


def at_most(found: Expected, charge: int) -> Expected:
    """Of the schedules that pay the lower of amount and charge."""
    if found.low is None or found.high is None or charge >= found.high:
        return found
    low, high = min(found.low, charge), min(found.high, charge)
    kind: Kind = "amount" if low == high else "range"
    return replace(found, kind=kind, low=low, high=high, notes=(*found.notes, AT_MOST))


def _names(claim: Claim, selection: Selection) -> tuple[str, ...]:
    """By which a contract may call the payer, the closest first."""
    found = [plain_id(claim.payer.id)]
    if selection.payer and selection.plan:
        found.append(f"{selection.payer}/{selection.plan}")
    return (*found, selection.payer) if selection.payer else tuple(found)


def _site(claim: Claim, line: Line, role: Role, tables: Tables, day: date) -> Site | None:
    if not role_is_certain(claim):
        return None
    if role == "asc":
        return "asc"
    if role == "hospital_outpatient":
        return "hospital"
    place = line.place_of_service or claim.place_of_service
    row = Looked(tables, day, {}).find("payment_sites", (place or "",))
    return ("office" if row[0] == "office" else "facility") if row else None


def _no_site(claim: Claim, role: Role) -> str:
    if role == "practitioner" and role_is_certain(claim):
        return "a place of service that is known to pay as an office or as a facility"
    return "who bills from place 24: the taxonomy of the billing provider, or the rendering provider"


def _barred(claim: Claim, role: Role, line: Line) -> str | None:
    """Why Medicare's schedules do not say what it pays."""
    if claim.payer.responsibility not in (None, "P"):
        return "what the payers before Medicare allow: Medicare is not the first"
    if role != "hospital_outpatient":
        return None
    bill = claim.type_of_bill or ""
    if bill.startswith(_COST_BILLS):
        return "the costs of the hospital: a critical access hospital is paid by them"
    if not bill.startswith(_OPPS_BILLS):
        return "a type of bill of a hospital's outpatient department (013x)"
    if _state(claim, line) == _OWN_RATES:
        return "the state's rates: Maryland's hospitals are paid by them"
    return None


def _location(claim: Claim, line: Line) -> ServiceFacility | BillingProvider | None:
    """Where the line was given: its own facility, the claim's, or the billing provider."""
    for place in (line.service_facility, claim.service_facility):
        if place and (filled(place.state) or (place.address and filled(place.address.zip))):
            return place
    return claim.billing_provider


def _state(claim: Claim, line: Line) -> str | None:
    place = _location(claim, line)
    return place.state.upper() if place and place.state else None


def _places(claim: Claim, line: Line, tables: Tables, day: date) -> Places:
    place = _location(claim, line)
    code = place.address.zip if place and place.address else None
    if code and (found := by_zip(tables, code, day)).areas:
        return found
    return by_state(tables, place.state if place else None, day)


def _taxonomy(claim: Claim, line: Line) -> str:
    provider = line.rendering_provider or claim.rendering_provider or claim.billing_provider
    return (provider.taxonomy if provider else None) or ""


def _of_day(claim: Claim, line: Line, day: date) -> Iterable[Line]:
    return (one for one in claim.lines if one is not line and one.procedure and date_of(claim, one) in (day, None))


def _rank(claim: Claim, line: Line, day: date) -> Rank:
    """Whether another surgical code of the day may be paid before this one, or this one before it."""
    first, last = _SURGERY
    others = (one for one in _of_day(claim, line, day) if one.procedure != line.procedure)
    found = any(len(code) == len(first) and first <= code <= last for one in others if (code := one.procedure))
    return "uncertain" if found else "only"


def _is_second_side(claim: Claim, line: Line, day: date) -> bool:
    side = {"LT", "RT"}.intersection(line.modifiers)
    if len(side) != 1:
        return False
    (other,) = {"LT", "RT"} - side
    alike = (one for one in _of_day(claim, line, day) if one.procedure == line.procedure and other in one.modifiers)
    return any(one.number < line.number for one in alike)
