"""A hospital's contracts with payers other than Medicare: what each pays for a code, a table of the hospital's own.

A row speaks for a line of one unit that carries its modifier, or none that changes a payment, and stands alone among
the procedures of its day. What no row says is not known: nothing is worked out from another row.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from difflib import get_close_matches
from typing import Literal, get_args

from rules.errors import RuleProblem
from rules.payment.medicare import medicare_payment
from rules.payment.money import cents_of, share_of
from rules.payment.question import SITES, Expected, Question, between, unknown
from rules.tables.table import FOREVER, Tables

Basis = Literal["dollars", "percent_of_charge", "percent_of_medicare"]
COLUMNS = ("payer", "line_of_business", "code", "site", "modifier", "basis", "amount", "from", "to")
SCHEDULE = "contract"
_BASES: tuple[Basis, ...] = get_args(Basis)
_MONEY = re.compile(r"\$?(\d{1,3}(?:,\d{3})+|\d{1,7})(\.\d{1,2})?")
_PERCENT = re.compile(r"(\d{1,4}(?:\.\d{1,3})?)%?")
_CODE, _MODIFIER = re.compile(r"[0-9A-Z]{5}"), re.compile(r"[0-9A-Z]{2}")
_LEAVE_IT = frozenset({"LT", "RT", "59", "XE", "XP", "XS", "XU", "58", "79"})
_LARGEST_PERCENT = Decimal(1000)


@dataclass(frozen=True, slots=True)
class Term:
    """What a contract pays for a code, on dates of service from the first to the last."""

    basis: Basis
    amount: Decimal
    """US dollars, or a percentage."""
    starts: date
    ends: date


Key = tuple[str, str, str, str, str]
"""Payer, line of business or nothing, code, site, modifier or nothing."""


@dataclass(frozen=True, slots=True)
class Contracts:
    """The table."""

    terms: dict[Key, tuple[Term, ...]] = field(default_factory=dict)

    def __len__(self) -> int:
        return sum(map(len, self.terms.values()))

    def find(self, payers: Collection[str], business: str | None, question: Question) -> Term | None:
        """The term for a line; `payers`: names by which a row may call the payer, the closest first."""
        changing = [one for one in question.modifiers if one not in _LEAVE_IT]
        if question.sides == "both" and "50" not in changing:
            changing.append("50")
        if len(changing) > 1:
            return None
        modifier = changing[0] if changing else ""
        for payer in payers:
            for line in dict.fromkeys((business or "", "")):
                for term in self.terms.get((payer, line, question.procedure, question.site, modifier), ()):
                    if term.starts <= question.day <= term.ends:
                        return term
        return None


NO_CONTRACTS = Contracts()


def contract_payment(
    question: Question,
    tables: Tables,
    contracts: Contracts,
    payers: Collection[str],
    business: str | None,
    charge: int | None,
) -> Expected:
    """What a payer other than Medicare is expected to allow. `charge`: of the line, US cents."""
    who = next((one for one in payers if not any(map(str.isdigit, one))), next(iter(payers), "this payer"))
    said = f"{question.procedure}, {question.site}, {question.day}"
    if not len(contracts):
        return unknown(f"a contract with {who}: set SCRUB_CONTRACTS to a table of what it pays")
    term = contracts.find(payers, business, question)
    if term is None:
        modifiers = f" with {' '.join(question.modifiers)}" if question.modifiers else ""
        return unknown(f"a row of the contract table for {who}, {said}{modifiers}")
    if question.units != 1 or question.rank != "only" or question.second_side:
        return unknown(f"how {who} pays several units or procedures of a day: the contract table has one line alone")
    share = term.amount / 100
    if term.basis == "dollars":
        cents = cents_of(term.amount)
        return replace(between(cents, cents, SCHEDULE), steps=(f"contract with {who}: {term.amount}",))
    if term.basis == "percent_of_charge":
        if charge is None:
            return unknown(f"the charge: the contract with {who} pays {term.amount} % of it")
        cents = share_of(charge, share)
        return replace(between(cents, cents, SCHEDULE), steps=(f"contract with {who}: {term.amount} % of the charge",))
    medicare = medicare_payment(question, tables)
    if medicare.low is None or medicare.high is None:
        return medicare
    steps = (*medicare.steps, f"contract with {who}: {term.amount} % of Medicare")
    found = between(share_of(medicare.low, share), share_of(medicare.high, share), SCHEDULE)
    return replace(found, steps=steps, notes=medicare.notes, missing=medicare.missing, editions=medicare.editions)


def read_contracts(
    file: str, text: str, payers: Collection[str], businesses: Collection[str]
) -> tuple[Contracts, list[RuleProblem]]:
    """The table in a CSV text, and all that is wrong with it. `payers`: those that the book knows, payers and plans
    (`bcbs/ibx`); another name is taken for an EDI payer id as claims have it."""
    problems: list[RuleProblem] = []
    terms: dict[Key, list[Term]] = {}
    for line, row in _rows(file, text, problems):
        faults: list[str] = []
        key, term = _key(row, payers, businesses, faults), _term(row, faults)
        if key and term and any(one.starts <= term.ends and term.starts <= one.ends for one in terms.get(key, ())):
            faults.append("its dates overlap those of an earlier row for the same")
        problems += [RuleProblem(file, line, 1, "", sentence) for sentence in faults]
        if key and term and not faults:
            terms.setdefault(key, []).append(term)
    return Contracts({key: tuple(found) for key, found in terms.items()}), problems


def _rows(file: str, text: str, problems: list[RuleProblem]) -> Iterator[tuple[int, dict[str, str]]]:
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff")), strict=True)
    header: list[str] | None = None
    try:
        for cells in reader:
            row = [cell.strip() for cell in cells]
            if not any(row):
                continue
            if header is None:
                header = row
                if tuple(header) != COLUMNS:
                    problems.append(RuleProblem(file, 1, 1, "", f"expected the header {','.join(COLUMNS)}"))
                    return
            elif len(row) != len(COLUMNS):
                sentence = f"expected {len(COLUMNS)} fields, found {len(row)}"
                problems.append(RuleProblem(file, reader.line_num, 1, "", sentence))
            else:
                yield reader.line_num, dict(zip(COLUMNS, row, strict=True))
    except csv.Error as error:
        problems.append(RuleProblem(file, reader.line_num, 1, "", f"is no CSV ({error})"))
    if header is None:
        problems.append(RuleProblem(file, 1, 1, "", f"is empty; expected the header {','.join(COLUMNS)}"))


def _key(row: dict[str, str], payers: Collection[str], businesses: Collection[str], faults: list[str]) -> Key | None:
    payer, business, code, modifier = (
        row["payer"],
        row["line_of_business"],
        row["code"].upper(),
        row["modifier"].upper(),
    )
    before = len(faults)
    if not payer:
        faults.append("payer: expected one")
    elif payer.partition("/")[0] == "medicare":
        faults.append("payer: Medicare is paid by its own schedules (scrub tables import); a plan is another payer")
    elif payer not in payers and not any(map(str.isdigit, payer)):
        near = get_close_matches(payer, payers, n=1)
        hint = f"did you mean {near[0]}?" if near else "expected a payer of the rule book, or an EDI payer id"
        faults.append(f"payer: {payer!r} is none that the rule book knows; {hint}")
    if business and business not in businesses:
        faults.append(f"line_of_business: expected one of {', '.join(businesses)}, or nothing")
    if not _CODE.fullmatch(code):
        faults.append("code: expected five characters, such as 64445")
    if row["site"] not in SITES:
        faults.append(f"site: expected one of {', '.join(SITES)}")
    if modifier and not _MODIFIER.fullmatch(modifier):
        faults.append("modifier: expected one of two characters, such as 50, or nothing")
    elif modifier in _LEAVE_IT:
        faults.append(f"modifier: {modifier} changes no payment; leave it out")
    named = payer if payer in payers else payer.upper()
    return (named, business, code, row["site"], modifier) if len(faults) == before else None


def _term(row: dict[str, str], faults: list[str]) -> Term | None:
    starts, ends = _day(row["from"]), _day(row["to"]) if row["to"] else FOREVER
    before, amount, basis = len(faults), None, next((one for one in _BASES if one == row["basis"]), None)
    if basis is None:
        faults.append(f"basis: expected one of {', '.join(_BASES)}")
    elif (amount := _amount(row["amount"], basis)) is None:
        faults.append(
            f"amount: expected {'US dollars such as 412.50' if basis == 'dollars' else 'a percentage such as 62.5'}"
        )
    if starts is None or ends is None:
        faults.append("from, to: expected dates as YYYY-MM-DD; an empty `to` is without end")
    elif ends < starts:
        faults.append("to: is before `from`")
    if len(faults) > before or not (basis and starts and ends) or amount is None:
        return None
    return Term(basis, amount, starts, ends)


def _amount(text: str, basis: Basis) -> Decimal | None:
    match = (_MONEY if basis == "dollars" else _PERCENT).fullmatch(text)
    if match is None:
        return None
    amount = Decimal("".join(part or "" for part in match.groups()).replace(",", ""))
    return amount if basis == "dollars" or amount <= _LARGEST_PERCENT else None


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if len(text) == len("2026-01-01") else None
    except ValueError:
        return None
