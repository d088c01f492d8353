"""What holds for any claim under the shipped book."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from rules.check import ENGINE_CODE, check
from rules.claim import read_claim
from rules.examples import example_claim
from rules.loader import load_book
from rules.report import Report
from rules.trial import ROLES

BOOK = load_book()
PAYERS: list[dict[str, Any]] = [
    {"id": "x", "filing_indicator": "MB"},
    {"id": "60054", "filing_indicator": "CI"},
    {"id": "87726", "filing_indicator": "16"},
    {"id": "62308", "responsibility": "S"},
    {"id": "x", "filing_indicator": "BL", "plan": "bcbsok"},
    {"id": "x", "plan": "none such"},
    {"id": "x"},
]
maybe = st.none
NPIS = st.sampled_from(["1234567893", "1245319599", "12345", ""])
PROVIDER = maybe() | st.fixed_dictionaries(
    {"npi": maybe() | NPIS, "taxonomy": st.sampled_from([None, "208VP0000X", "207L00000X"])}
)
DAYS = st.sampled_from([None, "2021-05-05", "2024-06-30", "2024-07-01", "2025-12-31", "2026-07-13", "2026-07-14"])
LINE = st.fixed_dictionaries(
    {
        "procedure": st.sampled_from(["64445", "64445", "64450", "76942", "99213", "20552", "27447", "01400", "J3301", "6444", None]),
        "modifiers": st.lists(st.sampled_from(["50", "LT", "RT", "59", "XS", "25", "26", "TC", "76", "rt"]), max_size=5),
        "units": st.sampled_from([None, "0", "1", "2", "0.5", "3"]),
        "charge": st.sampled_from(["450.00", "0", "-1"]),
        "service_date": DAYS,
        "service_date_end": DAYS,
        "place_of_service": st.sampled_from([None, "11", "24", "02", "98"]),
        "diagnosis_pointers": st.lists(st.integers(-1, 4), max_size=5),
        "rendering_provider": PROVIDER,
        "revenue_code": st.sampled_from([None, "0361"]),
    }
)  # fmt: skip
CLAIM = st.fixed_dictionaries(
    {
        "lines": st.lists(LINE, min_size=1, max_size=5),
        "diagnoses": st.lists(st.sampled_from(["M54.31", "M5432", "G57.03", "M54.30", "G89.29", "724.3", "?"]), max_size=4),
        "rendering_provider": PROVIDER,
        "received_date": DAYS,
        "total_charge": st.sampled_from([None, "450.00"]),
        "frequency_code": st.sampled_from(["1", "7", "8"]),
        "delay_reason_code": st.sampled_from([None, "1"]),
        "patient": st.sampled_from([None, {"birth_date": "1970-01-01"}, {"birth_date": "2026-07-14"}]),
        "statement_from_date": DAYS,
        "statement_through_date": DAYS,
        "other_payers": st.sampled_from([[], [{"payer_id": "1"}], [{"adjudication_date": "2026-07-01"}]]),
    }
)  # fmt: skip
ANY = st.tuples(st.sampled_from(ROLES), CLAIM, st.sampled_from(PAYERS))


def judged(role: Any, difference: Mapping[str, Any], payer: Mapping[str, Any], turn: bool = False) -> Report:
    data = example_claim(role, difference, payer)
    if turn:
        data["lines"] = data["lines"][::-1]
    return check(read_claim(data), BOOK)


@settings(max_examples=300, deadline=None)
@given(ANY)
def test_no_readable_claim_breaks_a_rule(claim: tuple[Any, Any, Any]) -> None:
    report = judged(*claim)
    assert ENGINE_CODE not in {finding.code for finding in report.findings}
    assert (report.disposition == "rework") is any(
        finding.severity == "block" and finding.outcome != "bypassed" for finding in report.findings
    )
    assert (report.reason is not None) is (report.disposition == "unchecked")


def _dated(line: Mapping[str, Any]) -> dict[str, Any]:
    """A line whose day and provider are certain, so that "the same day and provider" has no shades."""
    return {
        **line,
        "service_date": line["service_date"] or "2026-07-13",
        "service_date_end": None,
        "rendering_provider": None,
    }


@settings(max_examples=200, deadline=None)
@given(ANY)
def test_the_order_of_lines_changes_no_finding(claim: tuple[Any, Any, Any]) -> None:
    role, difference, payer = claim
    difference = {**difference, "lines": [_dated(line) for line in difference["lines"]]}
    one, other = judged(role, difference, payer), judged(role, difference, payer, turn=True)
    assert one.disposition == other.disposition
    assert sorted((f.rule, f.outcome) for f in one.findings) == sorted((f.rule, f.outcome) for f in other.findings)


@settings(max_examples=200, deadline=None)
@given(ANY)
def test_the_order_of_lines_never_changes_the_way_out(claim: tuple[Any, Any, Any]) -> None:
    assert judged(*claim).disposition == judged(*claim, turn=True).disposition


@settings(max_examples=100, deadline=None)
@given(ANY)
def test_every_finding_can_be_acted_on(claim: tuple[Any, Any, Any]) -> None:
    for finding in judged(*claim).findings:
        assert finding.message
        assert finding.fix
        assert "{" not in finding.message + finding.fix
        assert finding.citation.source
        assert finding.citation.locator
