"""A generated year whose causes of denial only the generator knows: do the intervals hold the planted values?

Small here; a hundred thousand claims in the slow run, with its time and memory told.
"""

from __future__ import annotations

import resource
import time
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from functools import cache
from pathlib import Path

import pytest

from rules.claim import read_claim
from rules.engine.check import check
from rules.history import NOTHING_BILLED
from tests.book import BOOK
from worker.backtest.result import EVERY, HELD, BacktestResult

from . import year
from .running import backtested, rule, split

SERVED, SENT = date(2025, 5, 5), date(2025, 5, 12)


@cache
def found(payer: str, cause: str) -> frozenset[str]:
    """Codes of what is found on a claim with this slip; empty name: on a clean one."""
    writing = year._Writing(0, 1)
    difference = year.CAUSES[cause].difference if cause else {}
    claim = read_claim(writing.claim(7, payer, SERVED, difference))
    report = check(claim, BOOK, received=SENT, history=NOTHING_BILLED)
    return frozenset(f.code for f in report.every if f.outcome == "fail")


def causes_of_rules() -> Iterator[tuple[str, str, str]]:
    """Payer, rule and cause, for the rules that fire for one of the causes alone."""
    for payer in year.PAYERS:
        causes: dict[str, set[str]] = defaultdict(set)
        for cause in year.CAUSES:
            for code in {"DUP001"} if cause == "again" else found(payer, cause) - found(payer, ""):
                causes[code].add(cause)
        yield from ((payer, code, min(of)) for code, of in causes.items() if len(of) == 1)


def held_values(result: BacktestResult, made: year.Year) -> tuple[int, int, list[str]]:
    """How many intervals hold the planted value, how many there are, and those that do not."""
    holds, misses = 0, []
    for payer, code, cause in causes_of_rules():
        share = rule(result, code).precision[payer]
        planted = made.planted[cause, payer]
        assert share is not None, (code, payer)
        if share.low <= planted <= share.high:
            holds += 1
        else:
            misses.append(f"{code} {payer}: {planted:.3f} is not in {share}")
    return holds, holds + len(misses), misses


def reconciled(result: BacktestResult, made: year.Year) -> None:
    """What the generator wrote is what was read, to the last claim."""
    claims = result.claims
    assert (claims.read, claims.matched, claims.without_answer) == (made.sent, made.answered, made.unanswered)
    assert (claims.again, claims.refused, result.mended.claims) == (made.corrected, {}, made.corrected)
    assert result.remittances.fates == {"matched": made.answered}
    denied = {one.payer: one.denied for one in result.totals if not one.axis and one.payer != EVERY}
    assert denied == made.denied


def test_the_intervals_hold_what_was_planted(tmp_path: Path) -> None:
    made = year.write(tmp_path, 3_000)
    result = backtested(made.claims, made.answers, cores=2)
    reconciled(result, made)
    holds, whole, misses = held_values(result, made)
    assert whole >= 40, "several rules, each for five payers"
    assert holds >= 0.9 * whole, misses
    assert all(not found(payer, "") for payer in year.PAYERS), "clean claims are clean"
    held = split(rule(result, HELD))
    assert held.fired_denied is not None
    fired = sum(made.with_cause[cause, payer] for payer in year.PAYERS for cause in year.CAUSES if cause)
    assert held.fired_denied + (held.fired_paid or 0) <= fired


@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_a_year_of_a_hundred_thousand_claims(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Three minutes of processor time for 112,096 claims, 154 to 167 MB in all processes together."""
    made = year.write(tmp_path, 100_000, seed=7)
    began = time.monotonic()
    result = backtested(made.claims, made.answers, cores=2)
    took = time.monotonic() - began
    # Of this process, which also made the year; each of the others shares its book.
    most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1_024
    with capsys.disabled():
        print(f"\n{made.sent:,} claims in {took:.0f} s, {made.sent / took:,.0f} a second; {most} MB in a process")
    assert most < 500
    reconciled(result, made)
    holds, whole, misses = held_values(result, made)
    assert holds >= 0.9 * whole, misses
