"""A waiver lets go what it names and nothing else, whatever a report has. Report and waiver in, report out."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.engine.waiving import Waiver, name_of, names_of, obstacle, waived, without_blocks
from rules.report import BookId, Citation, Denial, Finding, Report

TODAY = date(2026, 11, 30)
DENIAL = Denial("denial", "CO", "151", "N362")


def found(code: str, line: int | None = 1, **more: Any) -> Finding:
    about: dict[str, Any] = {
        "outcome": "fail", "severity": "block", "title": "t", "message": "m", "fix": "f", "patch": (),
        "expected_denial": DENIAL, "citation": Citation("s", None, None, None, "A"), "evidence": {},
        "version": "2026-01-01", "rule": code,
    }  # fmt: skip
    return Finding(code=code, line=line, **about | more)


def report(*findings: Finding, **more: Any) -> Report:
    about: dict[str, Any] = {
        "claim_id": "PCN-1", "disposition": "rework", "coverage": "full", "history": "consulted",
        "book": BookId("1", "d"), "payer": "medicare", "plan": None, "bills_as": "practitioner",
    }  # fmt: skip
    return Report(findings=findings, **about | more)


def waiver(*names: str, until: date = TODAY) -> Waiver:
    return Waiver(decision="d1", findings=names, owner="dana", until=until, digest="w")


def test_it_lets_the_claim_go_and_every_finding_stays_in_the_report() -> None:
    held = report(found("UNT001"), found("DXN001", None, outcome="undetermined"), found("AAA001", severity="warn"))
    after = waived(held, waiver("UNT001@1", "DXN001@?"), TODAY)
    assert (after.disposition, after.findings) == ("billing", held.findings)
    assert after.waived is not None
    assert after.waived.refused is None


def test_what_it_does_not_name_holds_it_and_is_named() -> None:
    held = report(found("UNT001"), found("DXN001"), found("DXN001", 2))
    after = waived(held, waiver("UNT001@1", "DXN001@1"), TODAY)
    assert after.disposition == "rework"
    assert after.waived is not None
    assert after.waived.refused == "the waiver does not name DXN001@2, which was found since"


def test_what_was_missing_and_now_fails_is_another_finding() -> None:
    after = waived(report(found("UNT001")), waiver("UNT001@1?"), TODAY)
    assert after.disposition == "rework"


def test_findings_that_are_shown_with_another_one_are_named_too() -> None:
    held = report(found("UNT001", because=(found("DXN001", 2),)))
    assert names_of(held) == ("DXN001@2", "UNT001@1")
    assert waived(held, waiver("UNT001@1"), TODAY).disposition == "rework"


@pytest.mark.parametrize(
    ("held", "said"),
    [
        (report(found("UNT001"), found("NPI001", expected_denial=Denial("rejection"))), r"front end .*\(NPI001\)"),
        (report(found("DUP001", expected_denial=Denial("denial", "OA", "18"))), "exact duplicate"),
        (report(found("UNT001"), reason="superseded: a later version"), "superseded"),
        (report(), "SCRUB_GAPS"),
        (report(found("UNT001"), disposition="billing"), "went to billing"),
        (report(found("UNT001", observed="o")), "SCRUB_GAPS"),
    ],
)
def test_what_nobody_can_waive(held: Report, said: str) -> None:

    assert re.search(said, obstacle(held) or "")
    if held.disposition == "rework":
        assert waived(held, waiver(*names_of(held)), TODAY).disposition == "rework"


def test_after_its_last_day_it_holds_no_longer_and_on_it_it_does() -> None:
    held = report(found("UNT001"))
    assert waived(held, waiver("UNT001@1"), TODAY).disposition == "billing"
    assert waived(held, waiver("UNT001@1"), TODAY + timedelta(days=1)).disposition == "rework"


def test_a_claim_that_nothing_holds_any_more_goes_without_it_but_not_past_what_no_report_knows() -> None:
    clean = report(disposition="billing")
    assert waived(clean, waiver("UNT001@1"), TODAY + timedelta(days=9)).disposition == "billing"
    late = waived(clean, waiver("UNT001@1"), TODAY, "a later version of it came in since")
    assert late.disposition == "rework"


def test_an_unchecked_claim_that_form_held_goes_to_unchecked() -> None:
    assert without_blocks(report(found("CLM001"), coverage="none")) == "unchecked"


@given(
    st.lists(st.tuples(st.sampled_from("ABC"), st.sampled_from([None, 1, 2]), st.booleans()), min_size=1, max_size=6),
    st.sets(st.sampled_from([f"{code}@{line}{mark}" for code in "ABC" for line in ("", 1, 2) for mark in ("", "?")])),
)
def test_it_goes_only_where_every_blocking_finding_is_named(
    blocks: list[tuple[str, int | None, bool]], named: set[str]
) -> None:
    held = report(*(found(code, line, outcome="undetermined" if open_ else "fail") for code, line, open_ in blocks))
    after = waived(held, waiver(*named), TODAY)
    assert (after.disposition == "billing") == ({*map(name_of, held.blocking)} <= named)
    assert replace(after, waived=None, disposition="rework") == held
