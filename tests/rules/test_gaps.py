"""Gaps in few words: what was not looked at, and which editions to import, by the claim's own dates."""

from __future__ import annotations

import copy
from dataclasses import replace
from datetime import date, timedelta
from functools import cache
from typing import Any

import pytest

from rules.authoring.examples import example_claim
from rules.authoring.trial import with_rows
from rules.book.assignment import kind_of
from rules.book.book import Book
from rules.claim import Claim, Role, read_claim
from rules.engine.cases import case_of
from rules.engine.check import check
from rules.engine.gaps import editions_wanted, numbered, unread
from rules.engine.memory import memory_of
from rules.errors import BookInvalid
from rules.facts.edits import TABLE_OF
from rules.loader import book_files, read_book
from rules.report import Gap, Report
from rules.tables.cadence import release_on
from rules.terms import EDITS, Cadence
from tests.book import BOOK
from worker.demo.claims import EXAMPLES


def judged(**changes: Any) -> tuple[Report, Claim]:
    claim = read_claim(copy.deepcopy(EXAMPLES[0].claim) | changes)
    return check(claim, BOOK, received=date(2026, 11, 2)), claim


def with_gaps(*gaps: Gap, **changes: Any) -> tuple[Report, Claim]:
    report, claim = judged()
    return replace(report, gaps=gaps, **changes), claim


@pytest.mark.parametrize(
    ("cadence", "day", "name"),
    [
        ("quarterly", "2026-09-30", "2026 Q3"),
        ("quarterly", "2026-10-01", "2026 Q4"),
        ("yearly", "2026-12-31", "2026"),
        ("fiscal_yearly", "2026-09-30", "FY 2026"),
        ("fiscal_yearly", "2026-10-01", "FY 2027"),
        ("fiscal_yearly", "2027-01-01", "FY 2027"),
    ],
)
def test_an_edition_is_named_as_its_publisher_names_it(cadence: Cadence, day: str, name: str) -> None:
    assert release_on(cadence, date.fromisoformat(day)) == name


def test_a_file_is_named_once_with_the_rules_that_asked_it_and_the_edition_of_the_lines_date() -> None:
    past = [Gap("edition_past", code, 1, "ncci_ptp", "x") for code in ("BND003", "BND002")]
    report, claim = with_gaps(*past, Gap("table_extract", "BND002", 1, "ncci_ptp", "y"))
    assert [str(one) for one in unread(report, claim)] == ["NCCI pairs (practitioner) 2026 Q3 [BND002, BND003]"]
    assert editions_wanted(report, claim) == ["NCCI pairs (practitioner) 2026 Q3"]
    hospital = replace(report, bills_as="hospital_outpatient")
    assert editions_wanted(hospital, claim) == ["NCCI pairs (hospital) 2026 Q3"]
    assert [one.what for one in unread(report, None)] == ["NCCI pairs (practitioner)"]


def test_claims_that_share_a_report_want_the_editions_of_their_own_dates() -> None:
    line = copy.deepcopy(EXAMPLES[0].claim["lines"][0])
    found = {}
    for day in ("2026-10-02", "2027-01-04", "2026-10-02"):
        found[day] = editions_wanted(*judged(lines=[line | {"service_date": day}]))
    assert "MUE (practitioner) 2026 Q4" in found["2026-10-02"]
    assert "MUE (practitioner) 2027 Q1" in found["2027-01-04"]


def test_a_table_that_is_no_official_file_is_named_and_not_to_be_imported() -> None:
    report, claim = with_gaps(Gap("edition_past", "DXN009", 1, "excludes1", "x"))
    (one,) = unread(report, claim)
    assert (one.what, one.official, editions_wanted(report, claim)) == ("excludes1", False, [])


def edits_gaps(*codes: str, payer: dict[str, Any] | None = None, book: Book = BOOK, **line: Any) -> list[Gap]:
    """What is said of the edits of all lines, on a claim of these codes."""
    lines = [{"procedure": code, "modifiers": [], **line} for code in codes]
    report = check(read_claim(example_claim("practitioner", {"lines": lines}, payer or MEDICARE)), book)
    gaps = [gap for gap in report.gaps if (gap.rule or "").startswith("EDT")]
    assert {gap.kind for gap in gaps} <= {"table_not_imported"}
    return gaps


def edits_tables(*codes: str, **more: Any) -> list[tuple[str | None, str | None, int | None]]:
    return [(gap.rule, gap.table, gap.line) for gap in edits_gaps(*codes, **more)]


PAIRS_UNREAD = [("EDT001", "ncci_ptp", None), ("EDT002", "ncci_ptp", None)]
UNITS_UNREAD = [("EDT003", "mue", None)]


def test_a_line_of_another_procedure_wants_the_tables_of_all_lines() -> None:
    # 99213 is no companion without 64445, and one code alone is no pair.
    assert edits_tables("99213") == UNITS_UNREAD
    assert edits_tables("29881", "29875", "20610") == PAIRS_UNREAD + UNITS_UNREAD
    assert edits_tables("64445", "29881") == UNITS_UNREAD, "BND002 and BND003 ask the pair of the block"
    assert edits_tables("64445", "29881", "01400") == PAIRS_UNREAD + UNITS_UNREAD
    assert edits_tables("64445", "29881", unit_basis="MJ") == []


def test_it_is_not_said_of_lines_that_are_looked_at_nor_where_no_rule_would_ask() -> None:
    assert edits_tables("64445") == []
    assert edits_tables("64445", "01400", "76942", "99213", "J3301") == [], "the package judges them beside its own"
    assert edits_tables("29881", "29875", payer={"id": "60054", "filing_indicator": "CI"}) == [], "Aetna has no such"
    assert edits_tables("29881", "29875", payer={"id": "87726", "filing_indicator": "CI"}) == PAIRS_UNREAD
    assert edits_tables("29881", "29875", service_date="2022-12-30") == [], "before the first version"
    assert edits_tables("29881", "29875", service_date=None) == []


def test_every_rule_on_all_lines_has_a_table_that_can_be_named() -> None:
    rules = [rule for rule in BOOK.rules if rule.layer == EDITS]
    assert rules
    for rule in rules:
        for version in rule.versions:
            assert TABLE_OF.keys() & set(version.read), rule.file


def test_an_imported_table_is_no_longer_wanted() -> None:
    pairs, limits = ("practitioner,29881,29875,0,2026-01-01,",), ("practitioner,20610,2,3,2026-01-01,",)
    assert edits_tables("29881", "29875", book=with_rows(BOOK, {"ncci_ptp": pairs})) == UNITS_UNREAD
    assert edits_tables("29881", "29875", book=with_rows(BOOK, {"mue": limits})) == PAIRS_UNREAD
    both = with_rows(BOOK, {"ncci_ptp": pairs, "mue": limits})
    assert edits_tables("29881", "29875", book=both) == []
    assert edits_tables("29881", "29875", book=both, service_date="2025-12-31") == PAIRS_UNREAD + UNITS_UNREAD


def test_each_line_is_held_against_the_tables_of_its_own_day() -> None:
    book = with_rows(BOOK, {"mue": ("practitioner,20610,2,3,2026-07-14,",)})
    lines = [{"procedure": "29881", "service_date": day} for day in ("2026-07-13", "2026-07-20")]
    for order in (lines, lines[::-1]):
        report = check(read_claim(example_claim("practitioner", {"lines": order}, MEDICARE)), book)
        assert [gap.rule for gap in report.gaps] == ["EDT003"]


def test_what_is_to_be_imported_for_all_lines_is_said_once_and_holds_nothing() -> None:
    # In 2027 the pairs of the block are past as well: one file, with the rules of both.
    lines = [{"procedure": code, "service_date": "2027-01-04"} for code in ("64445", "29881", "29875")]
    claim = read_claim(example_claim("practitioner", {"lines": lines}, MEDICARE))
    report = check(claim, BOOK)
    (pairs,) = [one for one in unread(report, claim) if one.what.startswith("NCCI pairs")]
    assert pairs.what == "NCCI pairs (practitioner) 2027 Q1"
    assert {"BND002", "EDT001", "EDT002"} <= set(pairs.codes)
    assert editions_wanted(report, claim).count(pairs.what) == 1


def test_a_claim_without_a_known_procedure_stays_unchecked_and_says_what_to_import() -> None:
    claim = read_claim(example_claim("practitioner", {"lines": [{"procedure": "99213"}]}, MEDICARE))
    report = check(claim, BOOK)
    assert (report.disposition, report.coverage) == ("unchecked", "none")
    assert editions_wanted(report, claim) == ["MUE (practitioner) 2026 Q3"]


def test_gaps_of_the_edits_are_kept_by_kind_of_claim() -> None:
    book = replace(BOOK)
    for code in ("99213", "29881", "20610"):
        assert edits_tables(code, book=book) == UNITS_UNREAD
    assert len([key for key in memory_of(book).gaps if key[2] == "edits"]) == 1


def test_history_that_no_file_check_has_is_no_gap_of_a_claim_and_a_missing_member_id_is() -> None:
    gaps = [Gap("history_not_consulted", code, None, None, "x") for code in ("DUP001", "DUP002")]
    assert unread(*with_gaps(*gaps, history="not_consulted")) == ()
    assert [str(one) for one in unread(*with_gaps(*gaps, history="no_member_id"))] == ["history (no member id)"]


def test_what_a_finding_says_already_is_not_said_again() -> None:
    report, claim = judged(payer={"id": "NOBODY", "filing_indicator": "CI", "responsibility": "P"})
    assert "PAY001" in {one.code for one in report.every}
    assert "payer_without_rules" in {one.kind for one in report.gaps}
    assert "payer_without_rules" not in {one.kind for one in unread(report, claim)}


@pytest.mark.parametrize(
    ("role", "place", "last", "tables"),
    [
        ("practitioner", "11", "2026-12-31", ["localities", "relative_values"]),
        ("practitioner", "22", "2026-12-31", ["localities", "relative_values"]),
        ("hospital_outpatient", None, "2026-12-31", ["fee_schedule"]),
        ("asc", "24", "2026-09-30", ["fee_schedule"]),
    ],
)
def test_a_charge_that_no_amount_of_its_date_was_held_against_is_named(
    role: Role, place: str | None, last: str, tables: list[str]
) -> None:
    # The addendum for October 2026 was not found; amounts of 2027 come with the final rules of that year.
    day_after = (date.fromisoformat(last) + timedelta(days=1)).isoformat()
    for day, named in ((last, []), (day_after, tables)):
        parts: dict[str, Any] = {"lines": [{"service_date": day, "charge": "1.00"}]}
        claim = read_claim(example_claim(role, parts | ({"place_of_service": place} if place else {}), MEDICARE))
        report = check(claim, BOOK)
        gaps = [gap for gap in report.gaps if gap.rule == "COV007"]
        assert [(gap.kind, gap.table) for gap in gaps] == [("edition_past", table) for table in named]
        assert ("COV007" in report.codes("note")) is (not named)
        assert "COV007" not in BOOK.blocking(kind_of(case_of(claim, BOOK, None))), "an amount never holds a claim"


def test_the_files_that_bring_the_amounts_are_wanted() -> None:
    line = copy.deepcopy(EXAMPLES[0].claim["lines"][0])
    found = editions_wanted(*judged(lines=[line | {"service_date": "2027-01-04"}]))
    assert {"GPCI 2027", "PPRRVU 2027"} <= set(found)


MEDICARE = {"id": "04412", "filing_indicator": "MB"}
ENDED = "procedures/64445/medicare/COV009-proposed-lcd.yaml"
FOR_PAIN = {"diagnoses": ["G57.01"], "lines": [{"modifiers": ["RT"], "service_date": "2027-04-01"}]}
"""A block for neuralgia, without an operation, on the day after that rule's last."""


@cache
def book_where_it_only_ended() -> Book:
    """The shipped book, but for the reason that rule gives for its end."""
    files = dict(book_files())
    head, _, rest = files[ENDED].partition(b", ends_because:")
    assert rest
    files[ENDED] = head + b"}" + rest.partition(b"}")[2]
    return read_book(files, examples=False)


def in_state(state: str, book: Book, **changes: Any) -> tuple[str | None, ...]:
    """The rules that are named as ended, of a Medicare claim from that state."""
    claim = read_claim(
        example_claim("practitioner", FOR_PAIN | {"billing_provider": {"state": state}} | changes, MEDICARE)
    )
    gaps = [gap for gap in check(claim, book).gaps if gap.kind == "rule_out_of_range"]
    assert all(gap.line is None for gap in gaps)
    return tuple(gap.rule for gap in gaps)


def test_a_rule_that_ended_is_named_where_it_would_have_asked() -> None:
    # Kentucky is a state of CGS, which the rule names; Texas is one of Novitas.
    book = book_where_it_only_ended()
    assert in_state("KY", book) == ("COV009",)
    assert in_state("TX", book) == ()
    lines = [{"modifiers": ["RT", "59"], "service_date": "2027-04-01"}]
    assert in_state("KY", book, lines=lines) == (), "the rule asks of no block that is told apart"
    last = [{"modifiers": ["RT"], "service_date": "2027-03-31"}]
    assert in_state("KY", book, lines=last) == (), "its last day"


def test_it_is_named_once_a_claim_and_the_same_to_a_claim_that_shares_no_plan() -> None:
    book = book_where_it_only_ended()
    alike = {"modifiers": ["RT"], "service_date": "2027-04-01"}
    assert in_state("KY", book, lines=[alike, alike | {"service_date": "2027-04-08"}]) == ("COV009",)
    undated = alike | {"service_date_end": "2027-04-01"}
    assert in_state("KY", book, lines=[undated]) == ("COV009",)


def test_a_rule_that_ends_on_purpose_is_never_named() -> None:
    assert in_state("KY", BOOK) == ()


def test_each_rule_that_ends_says_why_or_one_of_its_code_and_payers_takes_over_the_day_after() -> None:
    for rule in BOOK.rules:
        last = rule.versions[-1]
        if rule.status != "active" or last.end == date.max or last.meant_to_end:
            continue
        heirs = [one for one in BOOK.rules if one.code == rule.code and set(one.payers) >= set(rule.payers)]
        assert any(one.version_on(last.end + timedelta(1)) for one in heirs), f"{rule.file} ends on {last.end}"


@pytest.mark.parametrize(("day", "said"), [("2026-12-31", "one amount"), ("2027-01-04", "is not known here")])
def test_whether_an_operation_of_next_year_is_packaged_is_not_known(day: str, said: str) -> None:
    lines = [{"service_date": day}, {"procedure": "27447", "modifiers": ["RT"], "service_date": day}]
    report = check(read_claim(example_claim("hospital_outpatient", {"lines": lines}, MEDICARE)), BOOK)
    (found,) = [one for one in report.every if one.code == "BND020"]
    assert said in found.message
    assert "BND020" not in {gap.rule for gap in report.gaps if gap.kind == "rule_out_of_range"}


@pytest.mark.parametrize(("before", "after"), [(b"to: 2027-03-31, ", b""), (b"", b"")])
def test_a_meant_end_is_of_a_last_version_that_has_a_last_day(before: bytes, after: bytes) -> None:
    files = dict(book_files())
    text = files[ENDED]
    if before:
        text = text.replace(before, after)
    else:
        first = text.index(b"  - effective")
        version = text[first : text.index(b"examples:")]
        later = version.partition(b"effective: {")[0] + b"effective: {from: 2027-04-01}" + version.partition(b"}")[2]
        text = text[:first] + version + later + text[text.index(b"examples:") :]
    files[ENDED] = text
    with pytest.raises(BookInvalid, match="effective.ends_because: is for the last version of a rule"):
        read_book(files, examples=False)


def test_a_meant_end_does_not_change_what_an_override_is_pinned_to() -> None:
    digests = [next(rule.digest for rule in book.rules if rule.file == ENDED.removesuffix(".yaml"))
               for book in (BOOK, book_where_it_only_ended())]  # fmt: skip
    assert digests[0] == digests[1]


def test_a_plan_that_the_payer_file_does_not_know_is_named() -> None:
    # Of Blue Cross the plan decides; without one that is known, rules of single plans cannot run.
    unknown, _ = judged(payer={"id": "NOBODY", "filing_indicator": "BL", "plan": "none such", "responsibility": "P"})
    known, _ = judged(payer={"id": "NOBODY", "filing_indicator": "BL", "plan": "nebraska", "responsibility": "P"})
    assert [gap.rule for gap in unknown.gaps if gap.kind == "plan_unknown"] == ["PAY001"]
    assert [gap.rule for gap in known.gaps if gap.kind == "plan_unknown"] == []
    assert "plan_unknown" not in {one.kind for one in unread(unknown, None)}, "PAY001 is a finding already"


@pytest.mark.parametrize(
    ("lines", "text"), [([2], "line 2"), ([2, 4], "lines 2 and 4"), ([1, 2, 4], "lines 1, 2 and 4"), ([], "lines")]
)
def test_lines_are_numbered_as_one_says_them(lines: list[int], text: str) -> None:
    assert numbered(lines) == text


def test_a_field_that_stands_on_the_claim_and_one_that_it_leaves_out_are_not_said_in_the_same_words() -> None:
    report, claim = judged(not_read=["2310A NM1*P3"])
    said = {one.what: one.codes for one in unread(report, claim) if one.kind == "field_not_read"}
    assert said["2310A NM1*P3, which is on the claim and is not read"] == ("IDN002",)
    assert "ADR001" in said["fields that the claim leaves out"]
    assert "IDN002" not in said["fields that the claim leaves out"]
