"""What is suggested where a claim is held: always for a person to confirm, tried and never applied.

Payers want both sides in different ways, one line with 50, two lines, or two units (AAPC Part B Insider on modifier 50;
BCBSOK's ClaimsXten notice of 2020-02-06 denies the line beside 50): so each payer's own rule has its own way out.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.authoring.examples import example_claim
from rules.authoring.proof.trials import trial_claims
from rules.authoring.proof.ways import check_ways
from rules.book.suggested import CHANGE_CLASSES
from rules.claim import read_claim
from rules.engine.cases import case_of
from rules.engine.check import check
from rules.engine.edits import as_data
from rules.engine.suggesting import Suggestion, facts_at, resolved, suggestions_of
from rules.engine.trying import changes, try_changes
from rules.errors import ChangesContradict, NothingSuggested, SuggestionUnknown
from rules.facts import ClaimFacts
from rules.history import NOTHING_BILLED
from rules.report import Report
from tests.book import BOOK, untried
from tests.corpus.stories import STORIES
from tests.rules.claims import CLAIMS
from tests.rules.small import RULE
from tests.rules.test_loader import faults
from tests.rules.test_proof import book, rule, said, version
from worker.demo.claims import EXAMPLES

Data = dict[str, Any]
MEDICARE = {"id": "x", "filing_indicator": "MB", "responsibility": "P"}
UNITS = {"class": "decision", "change": [{"units": "1"}], "confirm": "one unit was given"}


def of(difference: Data, role: Any = "practitioner", payer: Data = MEDICARE) -> tuple[Any, Report]:
    claim = read_claim(example_claim(role, difference, payer))
    return claim, check(claim, BOOK)


def ways(difference: Data, role: Any = "practitioner", payer: Data = MEDICARE) -> dict[str, Suggestion]:
    claim, report = of(difference, role, payer)
    return {one.key: one for one in suggestions_of(claim, report, BOOK)}


def leaves(node: Any, path: str = "") -> dict[str, Any]:
    if isinstance(node, dict):
        return {at: value for key, part in node.items() for at, value in leaves(part, f"{path}/{key}").items()}
    if isinstance(node, list):
        return {at: value for place, part in enumerate(node) for at, value in leaves(part, f"{path}/{place}").items()}
    return {path: node}


def without_paths(data: Data, operations: Any) -> Data:
    """The claim without all that operations name, lines by their numbers."""
    left = deepcopy(data)
    for line in left["lines"]:
        line["_"] = None
    for operation in sorted(operations, key=lambda one: -len(one["path"])):
        first, *rest = operation["path"].split("/")[1:]
        if first != "lines":
            left.pop(first, None)
        elif rest[0] != "-" and len(rest) > 1:
            left["lines"][int(rest[0])].pop(rest[1], None)
        elif rest[0] != "-":
            left["lines"][int(rest[0])]["gone"] = True
    left["lines"] = [line for line in left["lines"] if "gone" not in line]
    return left


def holds(claim: Any, report: Report) -> None:
    """What each suggestion promises."""
    before = as_data(claim)
    for one in suggestions_of(claim, report, BOOK):
        tried = try_changes(claim, report, BOOK, [one.key])
        assert one.confirm
        assert all(sentence.strip() and "{" not in sentence for sentence in one.confirm)
        assert {operation["class"] for operation in tried.operations} <= set(CHANGE_CLASSES)
        assert as_data(claim) == before
        after = {**as_data(tried.claim)}
        kept = without_paths(before, tried.operations)
        added = sum(operation["path"] == "/lines/-" for operation in tried.operations)
        rest = [*after["lines"][: len(after["lines"]) - added]]
        assert len(rest) == len(kept["lines"])
        for line, changed in zip(kept["lines"], rest, strict=True):
            assert {key: changed[key] for key in line if key != "_"} == {k: v for k, v in line.items() if k != "_"}
        assert all(after[key] == value for key, value in kept.items() if key != "lines")
        assert (one.rule, one.line) not in {(found.rule, found.line) for found in tried.report.every}
        blocks = [found for found in tried.report.every if found.severity == "block" and found.outcome != "bypassed"]
        assert sorted(map(id, blocks)) == sorted(map(id, (*tried.left, *tried.new)))


@settings(max_examples=80, deadline=None)
@given(CLAIMS)
def test_a_suggestion_changes_its_paths_alone_and_takes_its_finding_away(data: Data) -> None:
    claim = read_claim(data)
    holds(claim, check(claim, BOOK))


@pytest.mark.parametrize("place", range(8))
def test_so_it_is_with_every_claim_that_payers_deny(place: int) -> None:
    found = 0
    for story in STORIES[place::8]:
        report = check(story.claim, BOOK, history=story.history)
        found += len(suggestions_of(story.claim, report, BOOK))
        holds(story.claim, report)
    assert found


def test_half_of_the_held_claims_of_the_demonstration_have_a_way_out_that_mends_them() -> None:
    held = [(claim, report) for one in EXAMPLES if (report := check(claim := read_claim(one.claim), BOOK))
            if report.disposition == "rework"]  # fmt: skip
    with_ways = [(claim, report) for claim, report in held if suggestions_of(claim, report, BOOK)]
    assert (len(held), len(with_ways)) == (39, 20)
    assert all(try_changes(claim, report, BOOK).mends for claim, report in with_ways)


def test_units_do_not_leave_their_charge_behind_unsaid() -> None:
    """$900 for one unit is asked about, and its half is another way out, with a total that follows."""
    found = ways({"lines": [{"units": "2", "charge": "900.00"}]})
    first, second = found["1a"], found["1b"]
    assert "The charge of line 1, $900.00, is that of 1 unit and not of 2." in first.confirm[1]
    assert [(one["path"], one["value"], one["class"]) for one in second.operations] == [
        ("/lines/0/units", "1", "decision"),
        ("/lines/0/charge", "450.00", "decision"),
        ("/total_charge", "450.00", "follows"),
    ]
    assert len(second.confirm) == 1


def test_both_sides_are_suggested_where_the_diagnoses_say_so() -> None:
    both = {"diagnoses": ["M54.31", "M54.32"], "lines": [{"units": "2", "diagnosis_pointers": [1, 2]}]}
    assert [one["value"] for one in ways(both)["1c"].operations] == ["1", ["50"]]
    assert set(ways({"lines": [{"units": "2"}]})) == {"1a", "1b"}


def test_fifty_with_two_units_keeps_fifty_or_names_the_side_of_the_diagnoses() -> None:
    fifty = {"lines": [{"units": "2", "modifiers": ["50"]}]}
    found = ways(fifty)
    assert [[one["path"] for one in way.operations] for way in found.values()] == [
        ["/lines/0/units"],
        ["/lines/0/units", "/lines/0/modifiers"],
    ]
    assert found["1b"].operations[1]["value"] == ["RT"]


def test_a_total_that_was_wrong_before_a_line_went_is_still_wrong() -> None:
    """Else the line that is missing from the claim would never be looked for."""
    lines = [{}, {"procedure": "76942", "charge": "210.00", "modifiers": []}]
    claim, report = of({"lines": lines, "total_charge": "600.00"})
    tried = try_changes(claim, report, BOOK, ["2a"])
    assert [one.code for one in tried.left] == ["CLM001"]
    assert str(tried.claim.total_charge) == "390.00"
    both = try_changes(claim, report, BOOK, ["1", "2"])
    assert (both.mends, str(both.claim.total_charge)) == (True, "450.00")


def test_a_line_that_another_payer_decided_on_is_not_taken_away() -> None:
    decided = {"payer_id": "60054", "paid": "50.00", "adjudication_date": "2026-07-16"}
    line = {"procedure": "76942", "charge": "210.00", "modifiers": [], "decisions": [decided]}
    other = {"payer_id": "60054", "responsibility": "P"}
    assert not [one for one in ways({"lines": [{}, line], "other_payers": [other]}).values() if one.code == "BND001"]


@pytest.mark.parametrize(
    ("difference", "path", "value"),
    [
        ({"diagnoses": ["m54.31"]}, "/diagnoses/0", "M54.31"),
        ({"diagnoses": ["M5.431"]}, "/diagnoses/0", "M54.31"),
        ({"diagnoses": [" M54 31"]}, "/diagnoses/0", "M5431"),
        ({"subscriber": {"member_id": "1EG4-TE5-MK73"}}, "/subscriber/member_id", "1EG4TE5MK73"),
        ({"subscriber": {"member_id": "1eg4 te5 mk73"}}, "/subscriber/member_id", "1EG4TE5MK73"),
        ({"rendering_provider": {"npi": "1234-567-893"}}, "/rendering_provider/npi", "1234567893"),
        ({"lines": [{"modifiers": ["rt"]}]}, "/lines/0/modifiers", ["RT"]),
    ],
)
def test_what_is_only_written_otherwise_is_of_class_format(difference: Data, path: str, value: Any) -> None:
    found = [one for one in ways(difference).values() if one.change_class == "format"]
    assert [(one["path"], one["value"], one["class"]) for way in found for one in way.operations] == [
        (path, value, "format")
    ]


@pytest.mark.parametrize(
    "difference",
    [
        {"diagnoses": ["724.3"]},
        {"diagnoses": ["M5431X99"]},
        {"subscriber": {"member_id": "123-45-6789A"}},
        {"subscriber": {"member_id": "1SG4-TE5-MK73"}},
        {"rendering_provider": {"npi": "1234567890"}},
    ],
)
def test_what_would_still_be_wrong_is_not_suggested(difference: Data) -> None:
    """An old Medicare number without its dashes is no MBI; ICD-9 is another code and not another way to write one."""
    assert not [one for one in ways(difference).values() if one.change_class == "format"]


@given(st.text(alphabet="aA0.- 9zM", max_size=12))
def test_a_format_repair_keeps_every_letter_and_digit(text: str) -> None:
    from rules.engine.steps import as_diagnosis, as_ndc, as_plain

    def bare(value: str) -> str:
        return "".join(sign for sign in value.upper() if sign.isalnum())

    assert {bare(tidy(text)) for tidy in (as_plain, as_diagnosis, as_ndc)} == {bare(text)}


def test_a_patients_value_is_told_to_nobody_but_who_asks_for_the_change() -> None:
    difference = {"subscriber": {"member_id": "1EG4-TE5-MK73"}}
    claim, report = of(difference)
    (way,) = suggestions_of(claim, report, BOOK)
    assert way.data()["patch"] == []
    assert "MK73" not in str(way.data())
    assert "MK73" not in " ".join(map(str, changes(claim, way.operations)))
    assert "1EG4TE5MK73" in " ".join(map(str, changes(claim, way.operations, told=True)))


def test_nothing_suggested_unknown_and_contradictory_are_said() -> None:
    claim, report = of({"lines": [{"units": None}]})
    with pytest.raises(NothingSuggested, match="Nothing is suggested for claim EXAMPLE"):
        try_changes(claim, report, BOOK)
    claim, report = of({"lines": [{"units": "2", "modifiers": ["26", "RT"]}]})
    with pytest.raises(SuggestionUnknown, match="no suggestion 9a for this claim. Expected one of 1a, 2a, 2b"):
        try_changes(claim, report, BOOK, ["9"])
    claim, report = of({"diagnoses": ["M54.31", "M54.32"],
                        "lines": [{"modifiers": ["50", "RT"], "diagnosis_pointers": [1, 2]}]},
                       payer={"id": "87726", "filing_indicator": "CI"})  # fmt: skip
    with pytest.raises(
        ChangesContradict,
        match="The suggestions 1a, 1b cannot all be made: two of them are ways out of one and the same finding",
    ):
        try_changes(claim, report, BOOK, ["1a", "1b"])


def test_what_still_holds_the_claim_is_named() -> None:
    lines = [{"modifiers": ["26", "RT"]}, {"procedure": "76942", "charge": "210.00", "modifiers": []}]
    claim, report = of({"lines": lines})
    tried = try_changes(claim, report, BOOK, ["2"])
    assert ([one.code for one in tried.left], tried.mends) == (["BND001"], False)


def test_a_suggestion_changes_no_overrides_pin() -> None:
    from rules.loader import LIBRARY

    file = "procedures/64445/medicare/UNT001-one-unit"
    text = (LIBRARY / f"{file}.yaml").read_text()
    head, _, rest = text.partition("    suggest:\n")
    assert rest
    from dataclasses import replace

    from rules.book.compile import rule_digest
    from rules.book.rulefile import read_document

    data = read_document(f"{file}.yaml", text).data
    bare = read_document(f"{file}.yaml", head + rest[rest.index("    expected_denial") :]).data
    assert rule_digest(data, ("medicare",), ()) == rule_digest(bare, ("medicare",), ())
    assert replace(BOOK.files[file]).digest


SUGGEST = '    suggest: [{class: decision, confirm: "one unit", change: [{units: "1"}]}]\n'


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('change: [{units: "1"}]', 'change: [{units: "3"}]', "examples[1]: example 'two': the suggestion 'One unit' leaves its finding"),
        ("class: decision", "class: format", "`tidy` is of class format, and no other change is"),
        ("class: decision", "class: repair", "suggest[0].class: expected 'format', 'decision' or 'follows'"),
        ('{units: "1"}', '{remove_lines: imaging_line}', "unknown fact 'imaging_line'; did you mean 'imaging_lines'?"),
        ('{units: "1"}', '{remove_lines: modifiers}', "'modifiers' is no fact of lines"),
        ('{units: "1"}', '{units: "1", charge: per_unit}', "expected exactly one change"),
        ('confirm: "one unit"', 'confirm: "{unitz}"', "unknown fact 'unitz'; did you mean 'units'?"),
        ("scope: line", "scope: claim", "a rule with `scope: claim` has no line to change"),
    ],
)  # fmt: skip
def test_a_faulty_suggestion_is_named_with_its_place(old: str, new: str, expected: str) -> None:
    sound = RULE.replace("    citation", f"{SUGGEST}    citation", 1)
    found = faults(sound.replace(old, new, 1))
    assert any(expected in fault for fault in found), found


def proven(*rules: Data) -> list[str]:
    untried = book(*rules)
    check_ways(untried.book, untried.documents, trial_claims(untried.book, untried.documents))
    return said(untried)


def test_suggestions_of_two_findings_that_do_not_go_together_are_named() -> None:
    more = rule("UNT002", version(require={"units": {"ge": "3"}}, suggest=[UNITS | {"change": [{"units": "3"}]}]))
    found = proven(rule("UNT001", version(suggest=[UNITS])), more)
    assert any("no two of them mend both findings" in fault for fault in found), found


def test_a_suggestion_that_makes_another_rule_block_is_named() -> None:
    strict = rule("UNT002", version(require={"units": {"ne": "1"}}))
    (fault,) = proven(rule("UNT001", version(suggest=[UNITS])), strict)
    assert "the suggestion 'One unit was given' makes UNT002 block" in fault


def test_suggestions_that_mend_are_no_fault() -> None:
    assert proven(rule("UNT001", version(suggest=[UNITS]))) == []


def test_an_example_of_its_own_rule_shows_each_suggestion_of_the_book() -> None:
    """Else nobody knows what it comes to."""
    wanted, seen = set(), set()
    for one in BOOK.rules:
        for place, each in enumerate(one.versions):
            wanted |= {(one.file, place, number) for number, _ in enumerate(each.suggest)}
    for example in trial_claims(untried().book, untried().documents):
        found = BOOK.files[example.rule or ""]
        if not any(one.suggest for one in found.versions):
            continue
        claim = read_claim(dict(example.data))
        whole = ClaimFacts(case_of(claim, BOOK, None, NOTHING_BILLED, found.layer))
        for line in [None] if found.scope == "claim" else [line.number for line in whole.case.lines]:
            facts = facts_at(whole, line)
            outcome, judged = found.judge(facts)
            made = [way.confirm[0] for way in resolved(claim, found, judged, facts) if outcome == "fail"]
            texts = [one.confirm.fill(facts) for one in judged.suggest] if made else []
            seen |= {
                (found.file, found.versions.index(judged), place) for place, text in enumerate(texts) if text in made
            }
    missing = sorted(wanted - seen)
    assert missing == [], missing
