"""History: which rules need it, what it changes and what it does not, and the edges of days and sides."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.authoring.examples import example_claim
from rules.claim import Claim, read_claim
from rules.engine.cases import case_of
from rules.engine.check import check
from rules.facts import ClaimFacts, LineFacts
from rules.history import NO_MEMBER_ID, NOTHING_BILLED, Billed, History
from rules.report import Finding, Report
from tests.book import BOOK

DAY = date(2026, 7, 13)
NEEDING = {"BND009", "DUP001", "DUP002", "FRQ001"}


def claim(*lines: dict[str, Any], **difference: Any) -> Claim:
    role = difference.pop("role", "practitioner")
    payer = difference.pop("payer", {"id": "60054"})
    return read_claim(example_claim(role, {"lines": list(lines) or [{}], **difference}, payer))


def billed(**changes: Any) -> Billed:
    known: dict[str, Any] = {
        "claim_id": "EARLIER", "relation": "other", "procedure": "64445", "day": DAY, "last_day": DAY, "side": "RT",
        "lifts": (), "units": None, "npi": "1234567893", "bills_as": "practitioner", "certain": True,
    }  # fmt: skip
    if "day" in changes and "last_day" not in changes:
        changes["last_day"] = changes["day"]
    return Billed(**{**known, **changes})


def history(*found: Billed) -> History:
    return History("consulted", found)


def each(name: str, of: Claim, before: History) -> list[Any]:
    case = case_of(of, BOOK, None, before)
    return [LineFacts(ClaimFacts(case), line)[name] for line in case.lines]


def codes(report: Report) -> set[str]:
    return {finding.code for finding in report.every}


def test_the_rules_that_need_history_run_only_where_it_was_consulted() -> None:
    assert {rule.code for rule in BOOK.rules if rule.needs_history} == NEEDING
    offline, nobody, online = (
        check(claim(), BOOK, history=given) for given in (History(), NO_MEMBER_ID, NOTHING_BILLED)
    )
    assert [report.history for report in (offline, nobody, online)] == ["not_consulted", "no_member_id", "consulted"]
    assert offline.rules_run == nobody.rules_run < online.rules_run
    assert not codes(online) & NEEDING


def test_a_duplicate_goes_to_rework_and_says_which_claim_it_met() -> None:
    report = check(claim(), BOOK, history=history(billed(claim_id="PCN-7")))
    (finding,) = [finding for finding in report.every if finding.code == "DUP001"]
    assert (report.disposition, finding.severity, finding.line) == ("rework", "block", 1)
    assert finding.evidence["billed_before"] == ("PCN-7 of 2026-07-13",)
    assert "PCN-7 of 2026-07-13" in finding.message
    assert finding.expected_denial is not None
    assert (finding.expected_denial.group, finding.expected_denial.carc) == ("OA", "18")


def test_a_superseded_version_goes_to_rework_however_clean_it_is() -> None:
    report = check(claim(), BOOK, history=History("consulted", (), "9-0"))
    assert (report.disposition, report.codes("block")) == ("rework", [])
    assert report.reason == "superseded: a later version of this claim (inbox entry 9-0) was decided before it"


@pytest.mark.parametrize(
    ("first", "last", "met"),
    [("2026-07-10", "2026-07-13", True), ("2026-07-13", "2026-07-15", True), ("2026-07-14", "2026-07-15", False)],
)
def test_a_range_meets_every_day_in_it(first: str, last: str, met: bool) -> None:
    ranged = claim({"service_date": first, "service_date_end": last})
    assert [bool(found) for found in each("billed_before", ranged, history(billed()))] == [met]
    before = history(billed(day=date.fromisoformat(first), last_day=date.fromisoformat(last)))
    assert [bool(found) for found in each("billed_before", claim(), before)] == [met]


def test_each_line_meets_its_own_side() -> None:
    two = claim({"modifiers": ["LT"]}, {"modifiers": ["RT"]})
    assert [bool(found) for found in each("billed_before", two, history(billed()))] == [False, True]


def test_the_frequency_counts_days_not_claims_nor_months() -> None:
    days = [date(2026, 1, 13), date(2026, 1, 14), date(2026, 7, 12), date(2026, 12, 31), date(2027, 1, 13)]
    assert each("injections_of_site", claim(), history(*(billed(day=day) for day in days))) == [3]
    assert each("injections_of_site", claim(), history(billed(day=DAY), billed(day=DAY, npi="1245319599"))) == [1]
    assert each("injections_of_site", claim(), history(billed(day=date(2026, 7, 1), procedure="64447"))) == [1]
    assert each("injections_of_site", claim(), history(billed(day=date(2026, 7, 1), relation="version"))) == [1]


MEANT = st.builds(
    billed,
    claim_id=st.sampled_from(["A", "B"]), relation=st.sampled_from(["other", "copy", "version"]),
    day=st.dates(date(2026, 7, 11), date(2026, 7, 14)), side=st.sampled_from(["LT", "RT", "50", ""]),
    npi=st.sampled_from(["1234567893", "1245319599", None]),
    bills_as=st.sampled_from(["practitioner", "hospital_outpatient", "asc"]), certain=st.booleans(),
)  # fmt: skip
LINES = st.lists(
    st.fixed_dictionaries(
        {
            "modifiers": st.sampled_from([["LT"], ["RT"], ["50"], [], ["RT", "76"]]),
            "service_date": st.sampled_from(["2026-07-13", "2026-07-12", None]),
        }
    ),
    min_size=1, max_size=3,
)  # fmt: skip


def _itself(finding: Finding) -> Finding:
    """Without what it says for others: the first of those that want something names what all of them want."""
    texts = ("", "") if finding.outcome == "undetermined" else (finding.message, finding.fix)
    return replace(finding, because=(), message=texts[0], fix=texts[1])


@settings(max_examples=150, deadline=None)
@given(
    LINES, st.lists(MEANT, max_size=4), st.sampled_from(["1", "7", "8"]),
    st.sampled_from(["practitioner", "hospital_outpatient", "asc"]), st.sampled_from(["60054", "87726"]),
)  # fmt: skip
def test_what_was_billed_before_changes_no_finding_of_another_rule(
    lines: list[dict[str, Any]], before: list[Billed], frequency: str, role: str, payer: str
) -> None:
    of = claim(*lines, frequency_code=frequency, role=role, payer={"id": payer})
    offline, online = check(of, BOOK), check(of, BOOK, history=history(*before))
    kept = [finding for finding in online.every if not BOOK.files[finding.rule].needs_history]
    assert [_itself(one) for one in kept] == [_itself(one) for one in offline.every]
    if frequency == "8":
        assert codes(online) == codes(offline)
    sure, unsure = (each(name, of, history(*before)) for name in ("billed_before", "maybe_billed_before"))
    if {one.claim_id for one in before} <= {"A"} and len(before) < 2:
        assert not any(one and other for one, other in zip(sure, unsure, strict=True))
