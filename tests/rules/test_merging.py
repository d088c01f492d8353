"""One slip, one finding: which findings are shown as one, which leads, and that all of them are counted.

The books are small ones of our own, but for the last tests, which hold the shipped library to it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings

from rules.authoring.examples import example_claim
from rules.authoring.impact import Comparison
from rules.authoring.wording import unworded
from rules.book.book import Book
from rules.book.overridden import overridden
from rules.book.overridefile import read_overrides
from rules.book.overrides import pin_of
from rules.causes import CAUSES, OF_A_LINE
from rules.claim import read_claim
from rules.engine.check import check
from rules.engine.merging import merged
from rules.engine.recent import Recent
from rules.errors import BookInvalid
from rules.facts import FACTS
from rules.loader import read_book
from rules.report import Finding, Report
from tests.book import BOOK
from tests.rules.claims import CLAIMS
from tests.rules.small import LIBRARY_FILES

MEDICARE = {"id": "1", "filing_indicator": "MB"}
DAY = date(2026, 11, 29)


def rule(
    code: str,
    *,
    cause: str | None = "units_of_block",
    severity: str = "block",
    demand: str = "{units: {le: 1}}",
    when: str = "",
    scope: str = "line",
    status: str = "active",
    more: str = "",
) -> tuple[str, bytes]:
    """A rule that is fine with the ordinary claim and not with two units."""
    text = f"""\
code: {code}
title: {code} is right
fault: {code} is wrong
payers: [medicare]
bills_as: [practitioner]
scope: {scope}
status: {status}
{f"cause: {cause}" if cause else ""}
{more}
versions:
  - effective: {{from: 2026-01-01}}
    severity: {severity}
    {when and f"applies_when: {when}"}
    require: {demand}
    message: "{code} failed."
    fix: "Mend {code}."
    citation: {{source: manual, locator: "page 1", grade: A}}
examples:
  - {{name: one, claim: {{lines: [{{units: 1}}]}}, expect: pass}}
"""
    return f"procedures/64445/medicare/{code}-rule.yaml", text.encode()


def book(*rules: tuple[str, bytes]) -> Book:
    return read_book({**LIBRARY_FILES, **dict(rules)}, examples=False)


def judged(shelf: Book, *lines: dict[str, Any], **difference: Any) -> Report:
    claim = {"lines": list(lines or ({"units": "2"},)), **difference}
    return check(read_claim(example_claim("practitioner", claim, MEDICARE)), shelf, received=DAY)


def with_severity(shelf: Book, code: str, severity: str) -> Book:
    """The book under an override of the hospital."""
    pin = pin_of(one for one in shelf.rules if one.code == code)
    text = (
        f"overrides:\n  - {{name: ours, rule: {code}, severity: {severity}, reason: r, owner: o, expires: 2027-06-30, "
        f'written_for: "{pin}"}}\n'
    )
    return overridden(shelf, read_overrides("o.yaml", text, shelf), DAY)


def shown(report: Report) -> list[tuple[str, int | None, list[str]]]:
    return [(one.code, one.line, [with_it.code for with_it in one.because]) for one in report.findings]


ON_CLAIM = {"scope": "claim", "demand": "{lines_with_wrong_ndc_unit: {empty: true}}"}


def test_findings_of_one_cause_and_line_are_one_and_the_most_severe_leads() -> None:
    report = judged(book(rule("AAA001", severity="note"), rule("BBB001", severity="warn"), rule("CCC001")))
    assert shown(report) == [("CCC001", 1, ["BBB001", "AAA001"])]
    leader = report.findings[0]
    assert (leader.severity, leader.fault, leader.title) == ("block", "CCC001 is wrong", "CCC001 is right")
    assert [(one.severity, one.message, one.fix, one.citation.grade) for one in leader.because] == [
        ("warn", "BBB001 failed.", "Mend BBB001.", "A"),
        ("note", "AAA001 failed.", "Mend AAA001.", "A"),
    ]


def test_another_cause_another_line_and_a_rule_without_a_cause_stand_alone() -> None:
    rules = (rule("AAA001"), rule("BBB001", cause="charges"), rule("CCC001", cause=None), rule("DDD001", cause=None))
    report = judged(book(*rules), {"units": "2"}, {"units": "3"})
    assert Counter(shown(report)[place][:2] for place in range(8)) == Counter(
        (code, line) for code in ("AAA001", "BBB001", "CCC001", "DDD001") for line in (1, 2)
    )
    assert not any(one.because for one in report.findings)


def test_what_is_counted_is_every_finding_as_if_none_were_merged() -> None:
    rules = [rule("AAA001", severity="warn"), rule("BBB001"), rule("CCC001", cause="charges")]
    apart = [(name, text.replace(b"cause: ", b"# cause: ")) for name, text in rules]
    one, other = judged(book(*rules)), judged(book(*apart))
    assert len(one.findings) == 2
    assert (one.disposition, one.codes("block"), one.codes("warn")) == (
        other.disposition, other.codes("block"), other.codes("warn"),
    )  # fmt: skip
    assert [replace(each, cause=None, because=()) for each in one.every] == list(other.every)


def test_a_finding_on_the_claim_is_one_with_those_of_the_only_line_that_has_its_cause() -> None:
    wrong = {"units": "2", "drug": {"ndc": "00009307303", "quantity": "1", "unit": "XX"}}
    shelf = book(rule("AAA001", severity="warn"), rule("BBB001", **ON_CLAIM))
    assert shown(judged(shelf, wrong)) == [("BBB001", None, ["AAA001"])]
    assert shown(judged(shelf, wrong, {"units": "3"})) == [
        ("BBB001", None, []), ("AAA001", 1, []), ("AAA001", 2, []),
    ]  # fmt: skip


def test_of_equal_ones_that_on_the_claim_as_a_whole_leads() -> None:
    wrong = {"units": "2", "drug": {"ndc": "00009307303", "quantity": "1", "unit": "XX"}}
    assert shown(judged(book(rule("AAA001"), rule("BBB001", **ON_CLAIM)), wrong)) == [("BBB001", None, ["AAA001"])]


def test_drafts_merge_with_nothing() -> None:
    report = judged(book(rule("AAA001"), rule("BBB001", status="draft"), rule("CCC001", status="draft")))
    assert shown(report) == [("AAA001", 1, [])]
    assert [(one.code, one.because) for one in report.shadow] == [("BBB001", ()), ("CCC001", ())]


def test_where_an_override_switches_the_leading_rule_off_the_next_leads() -> None:
    shelf = book(rule("AAA001"), rule("BBB001", severity="warn"), rule("CCC001", severity="note"))
    assert shown(judged(shelf)) == [("AAA001", 1, ["BBB001", "CCC001"])]
    report = judged(with_severity(shelf, "AAA001", "off"))
    assert shown(report) == [("BBB001", 1, ["CCC001"])]
    assert [(one.code, one.because) for one in report.overridden] == [("AAA001", ())]


def test_an_override_of_a_rule_that_does_not_lead_is_named_in_the_report() -> None:
    shelf = book(rule("AAA001"), rule("BBB001"))
    report = judged(with_severity(shelf, "BBB001", "note"))
    assert shown(report) == [("AAA001", 1, ["BBB001"])]
    assert [one.name for one in report.overrides] == ["ours"]


def test_the_fix_of_a_rule_that_is_another_way_out_is_named_beside_the_leading_one() -> None:
    other = rule("BBB001", severity="warn", more="another_fix: true")
    report = judged(book(rule("AAA001"), other, rule("CCC001", severity="note")))
    assert report.findings[0].fix == "Mend AAA001. Or else: Mend BBB001."
    assert judged(book(other)).findings[0].fix == "Mend BBB001."


def test_one_missing_fact_is_one_finding_whatever_the_number_of_rules_that_ask_for_it() -> None:
    rules = (rule("AAA001", severity="warn"), rule("BBB001", cause="charges"), rule("CCC001", cause="side_missing"))
    report = judged(book(*rules), {"units": None})
    assert shown(report) == [("BBB001", 1, ["CCC001", "AAA001"])]
    assert report.findings[0].message == "Cannot check this: missing on the claim: the units."


def test_what_each_line_says_for_itself_is_missing_on_each() -> None:
    rules = (rule("AAA001"), rule("BBB001", cause="charges"))
    report = judged(book(*rules), {"units": None}, {"units": None})
    assert shown(report) == [("AAA001", 1, ["BBB001"]), ("AAA001", 2, ["BBB001"])]


def test_a_missing_date_is_one_finding_for_all_lines_and_names_all_that_is_missing_with_it() -> None:
    birth = rule("BBB001", cause="dates_of_claim", scope="claim", demand="{serves_before_birth: {is: false}}")
    rules = (rule("AAA001", demand="{ncci_covers_date: {is: true}}"), birth)
    undated = {"service_date": None}
    report = judged(book(*rules), undated, undated, patient=None)
    (finding,) = report.findings
    assert (finding.code, Counter((one.code, one.line) for one in finding.because)) == (
        "BBB001", Counter([("AAA001", 1), ("AAA001", 2)]),
    )  # fmt: skip
    assert (
        finding.message == "Cannot check this: missing on the claim: the date of service and the patient's birth date."
    )


def test_what_cannot_be_judged_is_one_with_the_finding_that_says_what_is_missing() -> None:
    place = rule(
        "AAA001", cause="place_of_service", scope="claim", demand="{lines_without_place_of_service: {empty: true}}"
    )
    asks = rule("BBB001", cause="service_beside_block", demand='{place_of_service: {not_in: ["99"]}}')
    also = rule("CCC001", cause="service_beside_block", severity="warn")
    report = judged(book(place, asks, also), place_of_service=None)
    assert shown(report) == [("AAA001", None, ["BBB001"]), ("CCC001", 1, [])]
    milder = (place[0], place[1].replace(b"severity: block", b"severity: warn"))
    assert shown(judged(book(milder, asks), place_of_service=None)) == [("BBB001", 1, []), ("AAA001", None, [])]


def test_without_a_cause_nothing_merges_for_want_of_a_fact_either() -> None:
    report = judged(book(rule("AAA001", cause=None), rule("BBB001", cause=None)), {"units": None})
    assert shown(report) == [("AAA001", 1, []), ("BBB001", 1, [])]


def test_a_cause_that_is_on_no_list_is_a_fault_of_the_file() -> None:
    with pytest.raises(BookInvalid, match="unknown cause 'unit_of_block'; did you mean 'units_of_block'"):
        book(rule("AAA001", cause="unit_of_block"))


def test_how_findings_are_shown_changes_no_pin() -> None:
    name, text = rule("AAA001", cause=None)
    (plain,) = book((name, text.replace(b"fault: AAA001 is wrong\n", b""))).rules
    (worded,) = book(rule("AAA001", more="another_fix: true")).rules
    assert (plain.fault, worded.fault) == (None, "AAA001 is wrong")
    assert plain.digest == worded.digest


def test_impact_sees_a_finding_that_is_shown_with_another() -> None:
    old, new = book(rule("AAA001")), book(rule("AAA001"), rule("BBB001", severity="warn"))
    claim = read_claim(example_claim("practitioner", {"lines": [{"units": "2"}]}, MEDICARE))
    shift = Comparison(old, new).shift(claim, DAY)
    assert shift is not None
    assert [(one.change, one.code) for one in shift.finds] == [("new", "BBB001")]


# the shipped library


def places(report: Report) -> list[tuple[int | None, str]]:
    return [(one.line, one.cause) for one in report.findings if one.cause]


@settings(max_examples=200, deadline=None)
@given(CLAIMS)
def test_no_two_findings_of_one_cause_and_line_are_shown_and_none_is_lost(data: dict[str, Any]) -> None:
    report = check(read_claim(data), BOOK)
    assert len(set(places(report))) == len(places(report))
    names = Counter((one.rule, one.line) for one in report.every)
    assert max(names.values(), default=1) == 1
    for leader in report.findings:
        assert all(not one.because for one in leader.because)
        assert leader in sorted([leader, *leader.because], key=by_severity)[:1]
    blocks = any(one.severity == "block" and one.outcome != "bypassed" for one in report.every)
    assert (report.disposition == "rework") is blocks or report.disposition == "unchecked"


def by_severity(finding: Finding) -> int:
    return ("block", "warn", "note").index(finding.severity)


def test_nothing_merges_into_one_finding() -> None:
    assert merged([], Recent(1)) == ()


def test_every_shipped_rule_says_its_cause_and_its_fault() -> None:
    assert list(unworded(BOOK.rules)) == []
    bare = replace(BOOK.rules[0], cause=None, fault=None)
    assert [problem.path for problem in unworded([bare])] == ["cause", "fault"]


def test_a_fault_is_not_the_title_and_names_no_code_of_a_procedure() -> None:
    """Titles say what is right; those that already say what is wrong may stay as they are."""
    for one in BOOK.rules:
        assert one.fault is not None
        assert BOOK.procedure not in one.fault, one.file
        assert len(one.fault) < 80, one.file
        assert one.fault[-1] not in ".:", one.file


def test_labels_of_causes_are_those_of_facts() -> None:
    known = {fact.label for fact in FACTS.values()}
    assert {label for cause in CAUSES.values() for label in cause.lacks} | OF_A_LINE <= known


FIFTY_TWICE = {
    "lines": [{"modifiers": ["50"], "units": "2", "diagnosis_pointers": [1, 2]}],
    "diagnoses": ["M54.31", "M54.32"],
}


@pytest.mark.parametrize(
    ("difference", "payer", "leader", "others"),
    [
        ({"lines": [{"units": "2"}]}, MEDICARE, "UNT001", ["UNT002"]),
        (FIFTY_TWICE, MEDICARE, "MOD003", ["UNT001", "UNT002"]),
        (FIFTY_TWICE, {"id": "60054"}, "MOD003", ["UNT001", "UNT002"]),
        ({"diagnoses": ["E11.42"], "billing_provider": {"npi": "1234567893", "taxonomy": "208VP0000X", "state": "GA"}},
         MEDICARE, "COV002", []),
        ({"diagnoses": ["G60.3"]}, {"id": "00000", "filing_indicator": "BL", "plan": "anthem"}, "COV003", []),
        ({"lines": [{"modifiers": ["RT", "GA", "GZ"]}]}, MEDICARE, "MOD010", ["MOD015"]),
    ],
)  # fmt: skip
def test_one_slip_of_a_biller_is_one_finding(
    difference: dict[str, Any], payer: dict[str, Any], leader: str, others: list[str]
) -> None:
    report = check(read_claim(example_claim("practitioner", difference, payer)), BOOK)
    found = {one.code: [with_it.code for with_it in one.because] for one in report.findings}
    assert found[leader] == others


def test_fifty_with_two_units_names_both_ways_out() -> None:
    report = check(
        read_claim(example_claim("practitioner", {"lines": [{"modifiers": ["50"], "units": "2"}]}, MEDICARE)), BOOK
    )
    (finding,) = (one for one in report.findings if one.code == "MOD003")
    assert "If both sides were injected, set units to 1 and keep modifier 50." in finding.fix
    assert "If one side was, set units to 1 and replace 50 with LT or RT." in finding.fix
    assert "Or else: Look in the procedure note." in finding.fix, "the diagnosis names one side: DXN004"
