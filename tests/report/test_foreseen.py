"""Foreseen denials in the payers' money, by what a backtest says of held claims."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.backtest import year
from tests.backtest.running import backtested, rule
from worker.backtest.result import HELD, BacktestResult
from worker.cli.backtest_views import rendered
from worker.errors import BacktestInvalid
from worker.reporting.foreseen import read_backtest, weigh


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> BacktestResult:
    made = year.write(tmp_path_factory.mktemp("year"), 400)
    return backtested(made.claims, made.answers)


def test_a_backtest_is_read_back_as_it_was_written(tmp_path: Path, result: BacktestResult) -> None:
    (tmp_path / "result.json").write_bytes(rendered(result, "json"))
    assert read_backtest(tmp_path / "result.json") == result


def test_held_claims_are_worth_what_the_payer_allows_times_what_it_denied(result: BacktestResult) -> None:
    share, allowed = rule(result, HELD).precision["aetna"], result.allowed_share["aetna"]
    assert share is not None
    assert allowed is not None
    assert 0.2 < allowed < 0.6, "a block of $450, of which the payer allows about $154"
    found = weigh(
        [{"payer": "aetna", "claims": 3, "cents": 135_000}, {"payer": "", "claims": 2, "cents": 90_000}], result
    )
    assert (found.claims, found.without) == (3, 2), "nothing is said of a payer that the backtest does not show"
    assert found.cents == round(135_000 * allowed * share.share)
    assert found.low_cents < found.cents < found.high_cents


def test_what_the_backtest_suppresses_is_not_weighed(result: BacktestResult) -> None:
    few = replace(result, allowed_share={**result.allowed_share, "aetna": None})
    found = weigh([{"payer": "aetna", "claims": 3, "cents": 135_000}], few)
    assert (found.cents, found.without) == (0, 3)


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"format": 2}'])
def test_another_file_is_refused_by_name(tmp_path: Path, content: str) -> None:
    (tmp_path / "other.json").write_text(content)
    with pytest.raises(BacktestInvalid, match=r"other.json is no backtest of this version"):
        read_backtest(tmp_path / "other.json")
