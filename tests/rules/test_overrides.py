"""Overrides: what a hospital decided otherwise, for whom, until when, and what a report says of it."""

from __future__ import annotations

from datetime import date
from functools import cache
from typing import Any

import pytest

from rules.authoring.examples import example_claim
from rules.book.book import Book
from rules.book.overridden import overridden
from rules.book.override import Override
from rules.book.overridefile import read_overrides
from rules.claim import read_claim
from rules.engine.check import check
from rules.errors import OverridesInvalid
from rules.report import Report
from tests.book import unused

TODAY = date(2026, 11, 23)
UHC = {"id": "87726", "filing_indicator": "CI", "responsibility": "P"}
MEDICARE = {"id": "04412", "filing_indicator": "MB", "responsibility": "P"}
NPI, OTHER_NPI = "1234567893", "1003000126"
HEAD = "overrides:\n"


@cache
def library() -> Book:
    return unused()


def entry(name: str = "ours", reason: str = "our contract", pin: str = "", **keys: str) -> str:
    """One override as YAML; the pin is the right one where none is given."""
    keys = {"expires": "2027-06-30", "owner": "J. Miller", **keys}
    text = f"  - name: {name}\n    reason: {reason}\n" + "".join(f"    {key}: {value}\n" for key, value in keys.items())
    return text + f"    written_for: {pin or pin_of(text)}\n"


def pin_of(text: str) -> str:
    with pytest.raises(OverridesInvalid) as caught:
        read_overrides("o.yaml", HEAD + text, library())
    return str(caught.value.problems[0]).rpartition("which is ")[2].removesuffix(" now")


def read(*entries: str) -> tuple[Override, ...]:
    return read_overrides("o.yaml", HEAD + "".join(entries), library())


def book(*entries: str, today: date = TODAY) -> Book:
    return overridden(library(), read(*entries), today)


def judged(found: Book, payer: dict[str, Any], **difference: Any) -> Report:
    return check(read_claim(example_claim("practitioner", difference, payer)), found)


def said(report: Report, code: str) -> list[tuple[str, str]]:
    return [(f.severity, f.override.name if f.override else "") for f in report.every if f.code == code]


TWO_UNITS = {"lines": [{"units": 2}]}
LATE = {"received_date": "2026-03-01", "lines": [{"service_date": "2026-01-05"}]}  # 55 days
UNTS = {"rule": "UNT001", "payers": "[medicare]"}


def test_a_severity_is_lowered_and_the_finding_names_who_did_it() -> None:
    report = judged(book(entry(severity="warn", **UNTS)), MEDICARE, **TWO_UNITS)
    assert said(report, "UNT001") == [("warn", "ours")]
    named = report.overrides[0]
    assert (named.effect, named.reason, named.owner, named.expires, named.state) == (
        "severity warn",
        "our contract",
        "J. Miller",
        "2027-06-30",
        "in_force",
    )


def test_a_severity_may_exceed_what_the_grade_allows() -> None:
    plain = judged(library(), UHC, **{**LATE, "received_date": "2026-04-20"})
    assert said(plain, "TIM001") == [("warn", "")]
    assert plain.disposition == "billing"
    raised = judged(
        book(entry(rule="TIM001", payers="[uhc]", severity="block")), UHC, **{**LATE, "received_date": "2026-04-20"}
    )
    assert said(raised, "TIM001") == [("block", "ours")]
    assert raised.disposition == "rework"


def test_a_rule_that_is_switched_off_routes_no_claim_and_what_it_found_is_kept() -> None:
    found = book(entry("one", severity="off", **UNTS), entry("two", rule="UNT002", payers="[medicare]", severity="off"))
    report = judged(found, MEDICARE, **TWO_UNITS)
    assert not said(report, "UNT001")
    assert {"UNT001"} <= {finding.code for finding in report.overridden}
    assert "one" in {named.name for named in report.overrides}
    assert report.disposition == "billing"
    assert judged(library(), MEDICARE, **TWO_UNITS).disposition == "rework"


def test_an_override_touches_no_other_payer_and_no_other_provider() -> None:
    found = book(entry(severity="note", providers=f'["{OTHER_NPI}"]', **UNTS))
    assert said(judged(found, MEDICARE, billing_provider={"npi": NPI}, **TWO_UNITS), "UNT001") == [("block", "")]
    assert said(judged(found, MEDICARE, billing_provider={"npi": OTHER_NPI}, **TWO_UNITS), "UNT001") == [
        ("note", "ours")
    ]
    assert judged(found, UHC, **TWO_UNITS).every == judged(library(), UHC, **TWO_UNITS).every


def test_the_nearest_override_wins() -> None:
    found = book(
        entry("all", rule="UNT001", severity="note"),
        entry("provider", rule="UNT001", severity="off", providers=f'["{OTHER_NPI}"]'),
        entry("payer", severity="warn", **UNTS),
    )
    assert said(judged(found, MEDICARE, billing_provider={"npi": NPI}, **TWO_UNITS), "UNT001") == [("warn", "payer")]
    assert not said(judged(found, MEDICARE, billing_provider={"npi": OTHER_NPI}, **TWO_UNITS), "UNT001")


def test_an_override_holds_on_its_dates_of_service_alone() -> None:
    found = book(entry(severity="note", effective="{from: 2026-03-01, to: 2026-03-31}", **UNTS))

    def on(day: str) -> list[tuple[str, str]]:
        return said(
            judged(found, MEDICARE, received_date="2026-05-01", lines=[{"units": 2, "service_date": day}]), "UNT001"
        )

    for _ in range(3):  # also when the claims' shape is known
        assert [on(day)[0][0] for day in ("2026-02-28", "2026-03-01", "2026-03-31", "2026-04-01")] == [
            "block",
            "note",
            "note",
            "block",
        ]


def test_after_its_last_day_the_book_holds_again_and_the_finding_says_so() -> None:
    one = entry(severity="note", expires="2026-11-22", **UNTS)
    report = judged(book(one), MEDICARE, **TWO_UNITS)
    assert said(report, "UNT001") == [("block", "ours")]
    assert [named.state for named in report.overrides] == ["expired"]
    assert "expired on 2026-11-22" in str(report.overrides[0])
    assert said(judged(book(one, today=date(2026, 11, 22)), MEDICARE, **TWO_UNITS), "UNT001") == [("note", "ours")]


def test_one_that_has_expired_stands_back_behind_one_that_holds() -> None:
    found = book(
        entry("old", severity="note", expires="2026-01-01", **UNTS),
        entry("new", rule="UNT001", severity="warn"),
    )
    assert said(judged(found, MEDICARE, **TWO_UNITS), "UNT001") == [("warn", "new")]


def test_the_digest_is_the_books_own_only_without_overrides_and_changes_when_one_expires() -> None:
    one = entry(severity="note", **UNTS)
    digests = {library().digest, book(one).digest, book(one, today=date(2028, 1, 1)).digest}
    assert len(digests) == 3
    assert book(one).digest == book(one).digest
    assert book().digest == library().digest


def test_an_override_of_another_version_of_the_rule_holds_and_is_outdated() -> None:
    report = judged(book(entry(severity="warn", pin="0" * 12, **UNTS)), MEDICARE, **TWO_UNITS)
    assert said(report, "UNT001") == [("warn", "ours")]
    assert report.overrides[0].state == "outdated"


@pytest.mark.parametrize(
    ("received", "code"),
    [("2026-02-01", ""), ("2026-02-10", "TIM002"), ("2026-02-14", "TIM002"), ("2026-02-15", "TIM001")],
)
def test_a_contract_sets_its_filing_limit(received: str, code: str) -> None:
    found = book(entry(filing_limit="40", severity="block", payers="[uhc]"))  # 85 % are 34 days
    report = judged(found, UHC, **{**LATE, "received_date": received})
    timely = [finding.code for finding in report.every if finding.code.startswith("TIM")]
    assert timely == ([code] if code else [])
    assert (report.disposition == "rework") is (code == "TIM001")


def test_a_longer_contract_keeps_what_the_book_would_have_found() -> None:
    report = judged(
        book(entry(filing_limit="365", severity="block", payers="[uhc]")),
        UHC,
        **{**LATE, "received_date": "2026-04-20"},
    )
    assert not said(report, "TIM001")
    assert [(f.code, f.severity) for f in report.overridden if f.code == "TIM001"] == [("TIM001", "warn")]
    assert [named.name for named in report.overrides] == ["ours"]


def test_a_filing_limit_of_primary_claims_leaves_secondary_ones_to_the_book() -> None:
    found = book(entry(filing_limit="1", severity="block", payers="[uhc]"))
    secondary = {**UHC, "responsibility": "S"}
    other = {"other_payers": [{"payer_id": "60054", "adjudication_date": "2026-02-01", "paid": "0"}]}
    assert not said(judged(found, secondary, **LATE, **other), "TIM001")
    found = book(entry(filing_limit="10", order="secondary", severity="block", payers="[uhc]"))
    assert said(judged(found, secondary, **LATE, **other), "TIM001") == [("block", "ours")]
    assert not said(judged(found, UHC, **LATE), "TIM001")


def test_contracts_of_two_years_follow_each_other() -> None:
    found = book(
        entry(
            "y25", filing_limit="500", severity="block", payers="[uhc]", effective="{from: 2025-01-01, to: 2025-12-31}"
        ),
        entry("y26", filing_limit="30", severity="block", payers="[uhc]", effective="{from: 2026-01-01}"),
    )
    assert said(judged(found, UHC, **LATE), "TIM001") == [("block", "y26")]
    early = {"received_date": "2026-04-20", "lines": [{"service_date": "2025-12-01"}]}
    assert not said(judged(found, UHC, **early), "TIM001")


@pytest.mark.parametrize(("says", "expected"), [("required", [("block", "ours")]), ("not_required", [])])
def test_the_hospital_says_where_an_authorization_is_wanted(says: str, expected: list[tuple[str, str]]) -> None:
    found = book(entry(authorization=says, payers="[uhc]"))
    assert said(judged(found, UHC), "AUT001") == expected
    assert not said(judged(found, UHC, prior_authorization="A1"), "AUT001")
    assert not said(judged(found, MEDICARE), "AUT001")


def test_what_the_hospital_says_of_a_payer_id_goes_before_the_book() -> None:
    """An override of 0.1.1 for an id that the book has by now goes on holding, and one id may be another payer's at
    the hospital's clearinghouse."""
    assert judged(library(), {"id": "39026"}).plan == "umr"
    found = book(entry(payer_ids='[" 39026"]', payers="[bcbs/ibx]"))
    report = judged(found, {"id": "39026 "})
    assert (report.payer, report.plan, [named.name for named in report.overrides]) == ("bcbs", "ibx", ["ours"])


def test_a_payer_id_of_the_hospitals_own_finds_its_rules() -> None:
    found = book(entry(payer_ids='["ZZ999"]', payers="[bcbs/ibx]"))
    report = judged(found, {"id": "ZZ999"})
    assert (report.payer, report.plan) == ("bcbs", "ibx")
    assert {gap.kind for gap in report.gaps} <= {"history_not_consulted", "edition_past", "field_not_read"}
    assert [named.name for named in report.overrides] == ["ours"]
    late = overridden(library(), read(entry(payer_ids='["ZZ999"]', payers="[bcbs/ibx]", expires="2026-01-01")), TODAY)
    gone = judged(late, {"id": "ZZ999"})
    assert (gone.payer, [named.state for named in gone.overrides]) == (None, ["expired"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("overides: []\n", "o.yaml:1:1: expected one key `overrides` with a list of overrides"),
        (HEAD + entry(severity="loud", pin="0" * 12, **UNTS), "o.yaml:6:5: overrides[0].severity: expected 'block', 'warn', 'note' or 'off'"),
        (HEAD + entry(severity="warn", pin="0" * 12, rule="UNT01"), "o.yaml:7:5: overrides[0].rule: there is no rule 'UNT01'; did you mean 'UNT001'?"),
        (HEAD + entry(severity="warn", pin="0" * 12, rule="UNT001", payers="[uhcc]"), "o.yaml:8:14: overrides[0].payers[0]: unknown payer 'uhcc'; did you mean 'uhc'?"),
        (HEAD + entry(severity="warn", pin="0" * 12, rule="UNT001", providers='["1234567890"]'), "o.yaml:8:17: overrides[0].providers[0]: is no NPI: its check digit is wrong, or it has not ten digits"),
        (HEAD + entry(pin="0" * 12, rule="UNT001"), "o.yaml:2:5: overrides[0]: `severity` is required with `rule`"),
        (HEAD + entry(pin="0" * 12, rule="UNT001", filing_limit="9", severity="warn"), "o.yaml:2:5: overrides[0]: needs exactly one of rule, filing_limit, authorization, payer_ids, member_prefixes, mode, gaps, draft, unchecked, locations"),
        (HEAD + entry(pin="0" * 12, filing_limit="9", severity="warn", payers="[medicare]"), "o.yaml:8:5: overrides[0].payers: Medicare's limit is law (42 CFR 424.44); no contract changes it"),
        (HEAD + entry(pin="0" * 12, payer_ids='["Q1"]', payers="[bcbs]") + entry("twin", pin="0" * 12, payer_ids='[" q1"]', payers="[bcbs]"), "o.yaml:13:5: overrides[1].payer_ids: 'Q1' is in override 'ours' already"),
        (HEAD + entry(pin="0" * 12, member_prefixes="[XYZ]", payers="[uhc]"), "o.yaml:7:14: overrides[0].payers[0]: a prefix names a plan; expected payer/plan"),
        (HEAD + entry(pin="0" * 12, member_prefixes="[xyz]", payers="[bcbs/ibx]"), "o.yaml:6:23: overrides[0].member_prefixes[0]: string should match pattern '^[A-Z0-9]{3}$'"),
        (HEAD + entry(severity="warn", **UNTS) + entry("twin", severity="note", **UNTS), "o.yaml:10:5: overrides[1]: is for the same rule and claims as 'ours'; leave one of them out"),
    ],
)  # fmt: skip
def test_faults_are_reported_with_their_places(text: str, expected: str) -> None:
    with pytest.raises(OverridesInvalid) as caught:
        read_overrides("o.yaml", text, library())
    assert str(caught.value.problems[0]) == expected


def test_all_faults_are_reported_at_once() -> None:
    text = (
        HEAD
        + entry("a", severity="loud", pin="0" * 12, **UNTS)
        + entry("b", pin="0" * 12, rule="UNT999", severity="off")
    )
    with pytest.raises(OverridesInvalid) as caught:
        read_overrides("o.yaml", text, library())
    assert len(caught.value.problems) == 2
