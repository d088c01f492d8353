"""View models of claim, forms, rules and figures, from real reports of the demonstration's claims."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime
from importlib.resources import files
from typing import Any

import pytest

from rules.authoring.words import template
from rules.claim import read_claim
from rules.engine.check import check
from rules.engine.suggesting import suggestions_of
from rules.engine.trying import try_changes
from rules.payment.claims import NOTHING_OF_OURS
from rules.report import Report
from tests.book import BOOK
from worker.demo.claims import EXAMPLES
from worker.desk.cases import Act, ActKind, Case, LastDay
from worker.desk.casestore import Content, WrittenAct, WrittenDecision
from worker.desk.lists import Share
from worker.desk.pricing import asked
from worker.desk.wanted import Listed
from worker.serve.pages import acts, figures, rulepage, trying
from worker.serve.pages.claimpage import ClaimPage, claim_page
from worker.serve.pages.history import did
from worker.serve.pages.rendering import html
from worker.serve.pages.words import Words, without_commands

WORDS = Words(datetime(2026, 11, 30, 15, tzinfo=UTC))
TODAY = date(2026, 11, 30)
PAYERS = {key: one.name for key, one in BOOK.registry.payers.items()}
CASE = Case(
    handle="k7m2q9x4bd", scope="", claim_id="DEMO-1", decision_id="d1", moment="2026-11-27T10:00:00.000Z",
    held_since="2026-11-27T10:00:00.000Z", payer="medicare", payer_name="MEDICARE", charge_cents=45_000,
    last_day=LastDay(day=date(2026, 12, 4), rule="form/medicare/TIM001-one-year", grade="A"),
)  # fmt: skip


def decided(claim: dict[str, Any]) -> tuple[WrittenDecision, Report]:
    report = check(read_claim(claim), BOOK)
    one = WrittenDecision(
        decision_id="d1", moment=CASE.moment, disposition="rework", superseded=False, codes=(),
        content=Content(claim, {}),
    )  # fmt: skip
    return one, report


def page_of(claim: dict[str, Any], case: Case = CASE, *written: WrittenAct) -> ClaimPage:
    one, report = decided(claim)
    return claim_page(case, [one], written, report, (), WORDS, PAYERS)


HELD = [one for one in EXAMPLES if one.expect == "rework"]


@pytest.mark.parametrize("example", HELD, ids=lambda one: f"{one.number}")
def test_every_finding_has_a_place_with_what_to_do_source_and_grade(example: Any) -> None:
    """Findings beside lines alone would leave two of five without a home: they are of the whole claim."""
    page = page_of(example.claim)
    report = check(read_claim(example.claim), BOOK)
    assert page.blocks[0].title == "Whole claim"
    shown = [(block.title, one.code) for block in page.blocks for one in block.findings]
    wanted = [(f"Line {one.line}" if one.line else "Whole claim", one.code) for one in report.findings]
    assert sorted(shown) == sorted(wanted)
    for block in page.blocks:
        for one in block.findings:
            assert one.said
            assert one.todo
            assert one.source
            assert one.grade in "ABCS"
    assert len([block for block in page.blocks if block.title != "Whole claim"]) == len(example.claim["lines"])


def test_a_line_that_no_rule_is_for_is_said_not_to_be_judged() -> None:
    claim = next(one.claim for one in EXAMPLES if "visit with modifier 25" in one.shows)
    line = {**claim["lines"][1], "procedure": "12001", "number": 3, "modifiers": []}
    page = page_of({**claim, "lines": [*claim["lines"], line]})
    last = page.blocks[-1]
    assert last.code == "12001"
    assert not last.judged
    assert "not judged by rules of a procedure" in page.about


def act(kind: ActKind, **about: Any) -> WrittenAct:
    text = about.pop("text", "")
    one = Act(kind=kind, moment="2026-11-29T10:00:00+00:00", account="dana", **about)
    return WrittenAct(id="a1", handle=CASE.handle, state="done", act=one, text=text)


def test_what_is_next_is_said_in_every_state() -> None:
    claim = HELD[0].claim
    pended = replace(CASE, state="pended", pended_until=date(2026, 12, 2), pended_by="dana")
    for case, said in (
        (CASE, "Correct it in your billing system"),
        (pended, "comes back on Dec 2"),
        (replace(CASE, state="mended"), "went to billing"),
        (replace(CASE, state="closed", closed_reason="paid"), "Nothing: paid."),
        (replace(CASE, state="waived"), "let go as it is"),
        (replace(pended, pended_until=TODAY), "Correct it in your billing system"),
    ):
        assert said in page_of(claim, case).todo


def test_the_history_has_decisions_and_acts_and_says_which_broke_off() -> None:
    acts_ = (
        act("assign", owner="marcus"), act("assign", owner="dana"), act("pend", until=date(2026, 12, 2), text="asked"),
        replace(act("close", reason="paid"), state="gone"),
        replace(act("note", text="lost"), state="pending"),
    )  # fmt: skip
    page = page_of(HELD[0].claim, CASE, *acts_)
    said = [f"{one.who} {one.what}".strip() for one in page.history]
    assert set(said) == {
        "dana assigned it to marcus", "dana took it", "dana pended it until Dec 2", "Held, version 1",
        "dana wrote (begun, and not yet ended)",
        "dana closed it: paid (that broke off, and nothing happened: do it again, if it is still meant)",
    }  # fmt: skip
    assert [one.text for one in page.notes] == ["asked"]
    assert did(Act(kind="close", moment="", account="x", reason="paid"), WORDS) == "closed it: paid"


def test_without_its_content_a_claim_is_said_to_be_gone_and_has_no_blocks() -> None:
    gone = claim_page(CASE, [], [], None, (), WORDS, PAYERS)
    assert gone.gone
    assert gone.blocks == ()
    assert [fact.label for fact in gone.facts][:2] == ["Last day to file", "Payer"]


def test_a_finding_shows_what_is_suggested_and_the_page_that_tries_it_what_comes_of_it() -> None:
    claim = read_claim(next(one.claim for one in HELD if one.claim["claim_id"] == "DEMO-0037"))
    report = check(claim, BOOK)
    suggestions = suggestions_of(claim, report, BOOK)
    ways = trying.ways_of(claim, suggestions)
    one, _ = decided(next(one.claim for one in HELD if one.claim["claim_id"] == "DEMO-0037"))
    page = claim_page(CASE, [one], (), report, (), WORDS, PAYERS, ways=ways)
    assert page.tries
    (finding,) = page.blocks[1].findings
    assert finding.ways[0].what == "line 1 units: 2 becomes 1"
    assert finding.ways[0].confirm
    tried = trying.try_page(claim, suggestions, try_changes(claim, report, BOOK), "")
    assert tried.verdict is not None
    assert "billing" in tried.verdict.title
    assert tried.text.startswith("line 1 units: 2 becomes 1\nConfirm: ")
    assert [each.key for each in tried.ways if each.chosen] == [suggestions[0].key]
    refused = trying.try_page(claim, suggestions, None, "two of them are ways out of one")
    assert refused.verdict is not None
    assert refused.verdict.text == "two of them are ways out of one"
    assert refused.changes == ()


def test_what_is_not_suggested_is_not_tried() -> None:
    assert not page_of(HELD[0].claim).tries
    closed = replace(CASE, state="closed", closed_reason="paid")
    one, report = decided(HELD[0].claim)
    assert not claim_page(closed, [one], (), report, (), WORDS, PAYERS, ways={("x", 1): ()}).tries


def test_a_form_opens_with_three_business_days_and_never_later_than_the_case_allows() -> None:
    assert acts.fresh("pend", None, date(2026, 11, 25), "dana").until == "2026-11-30"
    assert acts.fresh("pend", CASE, TODAY, "dana").until == "2026-12-02"
    form = acts.act_form(CASE, acts.fresh("pend", CASE, TODAY, "dana"), (), WORDS)
    assert form.latest == "2026-12-02"
    assert form.button == "Pend until Dec 2"
    assert "Not later than Dec 2: the last day to file is Dec 4" in form.hint
    late = replace(CASE, last_day=replace(CASE.last_day, day=date(2026, 12, 1)))  # type: ignore[type-var]
    assert "nothing can be put off" in acts.act_form(late, acts.fresh("pend", late, TODAY, "d"), (), WORDS).refused
    past = replace(CASE, last_day=replace(CASE.last_day, day=date(2026, 11, 1)))  # type: ignore[type-var]
    assert not acts.act_form(past, acts.fresh("pend", past, TODAY, "d"), (), WORDS).refused


@pytest.mark.parametrize(
    ("kind", "form", "field"),
    [
        ("pend", {"until": "soon"}, "until"),
        ("pend", {"until": "2026-11-30"}, "until"),
        ("pend", {"until": "2026-12-02", "text": "x" * 4_001}, "text"),
        ("note", {"text": " \r\n "}, "text"),
        ("note", {"text": "a\x00b"}, "text"),
        ("assign", {"owner": "a\nb"}, "owner"),
        ("assign", {"owner": "a" * 65}, "owner"),
        ("close", {}, "reason"),
        ("close", {"reason": "unchecked"}, "reason"),
    ],
)
def test_what_is_wrong_in_a_form_is_told_at_its_field(kind: ActKind, form: dict[str, str], field: str) -> None:
    assert [one.field for one in acts.read(acts.Entered.of(kind, form), TODAY).faults] == [field]


def test_a_form_becomes_an_act() -> None:
    pend = acts.read(
        acts.Entered.of("pend", {"until": "2026-12-02", "waiting": "Coding", "text": "asked\r\nAnn"}), TODAY
    )
    assert pend.about == {"until": date(2026, 12, 2)}
    assert pend.text == "Waiting for: Coding. asked\nAnn"
    assert acts.read(acts.Entered.of("pend", {"until": "2026-12-02", "waiting": "forged"}), TODAY).text == ""
    assert acts.read(acts.Entered.of("assign", {"owner": " dana "}), TODAY).about == {"owner": "dana"}
    assert acts.read(acts.Entered.of("assign", {"owner": ""}), TODAY).about == {"owner": ""}


def test_every_code_of_the_book_has_a_page_of_which_each_anchor_is_one() -> None:
    codes = [one.code for one in rulepage.index(BOOK)]
    assert len(codes) > 100
    for code in codes:
        page = rulepage.rule_page(rulepage.rules_of(BOOK, code), BOOK, WORDS)
        anchors = [one.anchor for one in page.versions]
        assert len(set(anchors)) == len(anchors), code
        assert all(one.source and one.said and one.payers for one in page.versions), code


def test_the_nearest_codes_are_offered() -> None:
    assert rulepage.near(BOOK, "UNT01")[0] in ("UNT001", "UNT011")
    assert "UNT001" in rulepage.near(BOOK, "unt999")
    assert rulepage.near(BOOK, "") == ()


def test_figures_are_counted_by_days_of_the_place() -> None:
    found = figures.Counted(
        held=[Listed("a", 109_800, "week", None), Listed("b", 90_000, "past", None), Listed("c", 100, "unknown", None)], pended=1,
        codes=[Share("UNT001", 2, 199_800), Share("BND001", 1, 0)], payers=[Share("medicare", 3, 199_900)],
        decided=[("2026-11-30T10:00:00Z", "a"), ("2026-11-30T11:00:00Z", "a"), ("2026-11-20T10:00:00Z", "b")],
        done=[("2026-11-30T10:00:00Z", "mended", 500), ("2026-11-30T12:00:00Z", "paid", 700)],
        outlets={"billing": 59, "rework": 15}, quarantine=0,
    )  # fmt: skip
    page = figures.figures_page(found, {"UNT001": "Too many units"}, PAYERS, WORDS)
    assert [(one.label, one.value) for one in page.tiles] == [
        ("Held now", "$1,999.00"), ("Last day within 7 days", "$1,098.00"), ("Held today", "1"), ("Mended today", "1"),
        ("Closed today", "1"), ("Went to billing", "79.7%"),
    ]  # fmt: skip
    assert [(one.label, one.width) for one in page.reasons] == [("Too many units", 100), ("BND001", 0)]
    assert (page.days[-1].held, page.days[-1].done, page.days[-11].held) == (1, 2, 1)
    assert page.done == (("Mended, and sent to billing", "1", "$5.00"), ("Paid", "1", "$7.00"))
    empty = figures.Counted(held=[], pended=0, codes=[], payers=[], decided=[], done=[], outlets={}, quarantine=0)
    assert figures.figures_page(empty, {}, {}, WORDS).tiles[-1].value == "none yet"
    for outlets, value, more in (
        (
            {"billing": 1, "rework": 1, "files": 40},
            "50.0%",
            "1 of 2 decisions ever made here; 40 more left or are held by file",
        ),
        ({"billing": 0, "files": 40}, "none yet", "40 left or are held by file"),
    ):
        tile = figures.figures_page(replace(empty, outlets=outlets), {}, {}, WORDS).tiles[-1]
        assert (tile.value, tile.more) == (value, more)


def test_a_template_escapes_and_shows_what_turns_the_writing_around_by_its_number() -> None:
    from worker.serve.pages.frame import Frame, Said

    page = html("error.html", frame=Frame(title="x", said=Said("late", "<b>", "a\u202eb\nc")), text="", away=False)
    assert "&lt;b&gt;" in page
    assert "a\\u202eb\nc" in page


COMMAND = re.compile(r"SCRUB_[A-Z]|\bscrub [a-z]+ [a-z]|`scrub ")


@pytest.mark.parametrize("example", HELD, ids=lambda one: f"{one.number}")
def test_a_claim_tells_a_biller_no_command_and_no_setting(example: Any) -> None:
    """What is not set up here is said as such: neither contracts nor the official files are imported."""
    one, report = decided(example.claim)
    priced = asked(example.claim, BOOK, NOTHING_OF_OURS)
    page = claim_page(CASE, [one], [], report, priced, WORDS, PAYERS)
    assert not COMMAND.search(repr(page))


def test_no_rule_tells_a_biller_a_command_or_a_setting() -> None:
    texts = [
        without_commands(template(text))
        for rule in BOOK.rules for version in rule.versions for text in (version.message, version.fix)
    ]  # fmt: skip
    assert len(texts) > 400
    assert [text for text in texts if COMMAND.search(text)] == []


def test_the_pages_themselves_tell_commands_only_as_those_of_who_runs_the_service() -> None:
    found = {one.name: one.read_text() for one in files("worker.serve.pages").joinpath("templates").iterdir()}
    telling = {name for name, text in found.items() if COMMAND.search(text)}
    assert telling == {"outage.html", "quarantine.html", "sign-in.html"}
    for name in telling - {"sign-in.html"}:
        assert re.search("[Ww]ho(ever)? runs th(e|is) service", found[name])
