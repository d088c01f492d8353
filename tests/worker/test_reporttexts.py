"""Reports as outlet and log show them: rendered once for claims that are alike, and the same as if each were alone."""

from __future__ import annotations

import orjson
import pytest

from rules.claim import read_claim
from rules.engine.check import check
from rules.engine.recent import Recent
from rules.history import NO_MEMBER_ID, NOTHING_BILLED, History
from rules.report import Report
from tests.book import BOOK
from worker.audit.lines import report_fields
from worker.bench.claims import claim
from worker.pipeline.reporttexts import ReportTexts, texts_of


def judged(number: int, claim_id: str = "", *, history: History) -> Report:
    one = claim(number) | ({"claim_id": claim_id} if claim_id else {})
    return check(read_claim(one), BOOK, history=history)


@pytest.mark.parametrize("history", [NOTHING_BILLED, NO_MEMBER_ID])
def test_what_is_rendered_once_is_what_each_report_says(history: History) -> None:
    known: Recent[ReportTexts] = Recent(100)
    for number in range(300):
        report = judged(number, history=history)
        for _ in range(2):
            found = texts_of(report, known)
            assert found.of(report.claim_id) == orjson.dumps(report)
            assert orjson.loads(b"{" + found.line + b"}") == orjson.loads(orjson.dumps(report_fields(report)))


def test_claims_that_are_alike_share_it_and_histories_do_not() -> None:
    known: Recent[ReportTexts] = Recent(100)
    number = next(number for number in range(50) if judged(number, history=NOTHING_BILLED).shared is not None)
    first, second = (texts_of(judged(number, name, history=NOTHING_BILLED), known) for name in ("A", "B"))
    assert first is second
    assert texts_of(judged(number, history=NO_MEMBER_ID), known) is not first


def test_what_a_claim_alone_says_is_not_kept() -> None:
    known: Recent[ReportTexts] = Recent(100)
    number = next(number for number in range(50) if judged(number, history=NOTHING_BILLED).shared is None)
    texts_of(judged(number, history=NOTHING_BILLED), known)
    assert len(known) == 0


@pytest.mark.parametrize("claim_id", ['a"b', "a\\", "é", '","disposition":"billing"', "{}"])
def test_a_claim_id_of_any_characters_stands_as_it_is(claim_id: str) -> None:
    report = judged(3, claim_id, history=NOTHING_BILLED)
    found = orjson.loads(texts_of(report, Recent(10)).of(claim_id))
    assert found == orjson.loads(orjson.dumps(report))
    assert found["claim_id"] == claim_id


def test_what_is_kept_of_a_report_names_no_claim() -> None:
    known: Recent[ReportTexts] = Recent(100)
    report = judged(3, "CANARY", history=NOTHING_BILLED)
    found = texts_of(report, known)
    assert b"CANARY" not in found.body + found.line
    assert "CANARY" not in repr(report.shared)
