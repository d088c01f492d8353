"""Rules alone: what a claim costs from bytes to report, by stage and payer, and beside other ways to say rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import orjson

from rules.book.assignment import kind_of
from rules.book.book import Book
from rules.claim import Claim
from rules.engine.cases import cases_of
from rules.engine.check import check
from rules.engine.memory import plan_on
from rules.engine.plan import NO_RULES
from rules.facts import facts_of
from worker.bench import rivals
from worker.bench.claims import PAYERS, claim
from worker.bench.measure import Figure, interleaved
from worker.bench.tables import Cell, Section
from worker.intake.events import claim_of, decode


class RivalsDisagree(Exception):
    """Another engine does not say what ours says, so that its speed means nothing."""


def stages(book: Book, *, number: int, rounds: int) -> Section:
    """Microseconds a claim of each stage on the mix of all payers and forms."""
    raw = [orjson.dumps(claim(index)) for index in range(number)]
    values = [decode(one) for one in raw]
    claims = [claim_of(value) for value in values]
    reports = [check(one, book) for one in claims]
    found = interleaved(
        {
            "JSON": lambda: [decode(one) for one in raw],
            "claim model": lambda: [claim_of(value) for value in values],
            "check": lambda: [check(one, book) for one in claims],
            "all facts and rules": lambda: [_judged(one, book) for one in claims],
            "report to JSON": lambda: [orjson.dumps(report) for report in reports],
            "decode to report": lambda: [check(claim_of(decode(one)), book) for one in raw],
        },
        number,
        rounds=rounds,
    )
    return Section(
        "Rules alone, by stage", ("stage", "us a claim", "lowest", "highest"), [_row(one) for one in found.values()]
    )


def _judged(one: Claim, book: Book) -> int:
    """How many rules in force have something to say, worked out for this claim alone; no findings are made."""
    found = 0
    for case in cases_of(one, book, None):
        for facts in facts_of(case):
            if facts.day is not None:
                scope = plan_on(book, kind_of(case), facts.day).get(case.layer, NO_RULES).of(facts)
                found += sum(not each.is_quiet(facts) for each in scope.active)
    return found


def by_payer(book: Book, *, number: int, rounds: int) -> Section:
    """Microseconds a claim, decode to report, of each payer."""
    cases: dict[str, Callable[[], object]] = {}
    for payer in PAYERS:
        raw = [orjson.dumps(claim(index, payer)) for index in range(number)]
        cases[payer] = lambda raw=raw: [check(claim_of(decode(one)), book) for one in raw]  # type: ignore[misc]
    found = interleaved(cases, number, rounds=rounds)
    return Section(
        "Decode to report, by payer",
        ("payer", "us a claim", "lowest", "highest"),
        [_row(one) for one in found.values()],
    )


def beside(book: Book, *, number: int, rounds: int) -> Section:
    """The same twenty rules by hand, by us, and by other engines, on a claim that is decoded already.

    Raises:
        RivalsDisagree
    """
    files = set(rivals.FILES)
    small = replace(book, rules=tuple(rule for rule in book.rules if rule.file in files))
    claims = medicare_office(number)
    others, missing = rivals.rivals()
    judges: Mapping[str, Callable[[Claim], Any]] = {
        "Python by hand": rivals.by_hand, "claim-scrubber": lambda one: check(one, small), **others,
    }  # fmt: skip
    _agree(claims, small, {name: judge for name, judge in judges.items() if name != "claim-scrubber"})
    found = interleaved(
        {name: lambda judge=judge: [judge(one) for one in claims] for name, judge in judges.items()},  # type: ignore[misc]
        len(claims),
        rounds=rounds,
    )
    hand = found["Python by hand"].median
    rows: list[tuple[Cell, ...]] = [(*_row(one)[:2], round(one.median / hand, 2)) for one in found.values()]
    rows += [(name, "not installed", "") for name in missing]
    return Section("Twenty rules of a Medicare office claim", ("said by", "us a claim", "times by hand"), rows)


def medicare_office(number: int) -> list[Claim]:
    """Claims that all of the twenty rules speak of."""
    claims, index = list[Claim](), 0
    while len(claims) < number:
        one = claim_of(claim(index, "medicare"))
        if one.form == "professional" and one.place_of_service == "11":
            claims.append(one)
        index += 1
    return claims


def _agree(claims: list[Claim], small: Book, judges: Mapping[str, Callable[[Claim], list[str]]]) -> None:
    for one in claims:
        ours = sorted({finding.code for finding in check(one, small).every})
        for name, judge in judges.items():
            if judge(one) != ours:
                raise RivalsDisagree(f"{name} says {judge(one)} of {one.claim_id}, we say {ours}")


def _row(figure: Figure) -> tuple[str, float, float, float]:
    return figure.name, round(figure.micro, 1), round(figure.lowest * 1e6, 1), round(figure.highest * 1e6, 1)
