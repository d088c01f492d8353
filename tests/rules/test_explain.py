"""Explanations agree with the verdict, and say why a rule does not run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rules.authoring.examples import example_claim
from rules.authoring.explain import ConditionPart, Explanation, explain
from rules.authoring.trial import examples_of, outcome_of
from rules.book.book import Book
from rules.book.logic import Condition
from rules.claim import Claim, read_claim
from rules.engine.check import check
from tests.book import BOOK
from tests.book import untried as shipped
from tests.rules.small import RULE
from tests.rules.test_check import ADVANTAGE, ONE, TWO, UHC, book, rule
from tests.rules.test_overrides import book as overridden
from tests.rules.test_overrides import entry

MEDICARE = {"id": "1", "filing_indicator": "MB"}


def claim(role: Any = "practitioner", payer: Any = MEDICARE, **difference: Any) -> Claim:
    return read_claim(example_claim(role, difference, payer))


def one(shelf: Book, data: Claim) -> Explanation:
    (found,) = explain(data, shelf, shelf.rules)
    return found


def test_a_failed_rule_shows_the_condition_and_the_value_that_it_saw() -> None:
    found = one(book(ONE), claim(lines=TWO))
    (judgement,) = found.judgements
    assert (found.not_run, judgement.line, judgement.outcome, judgement.severity) == ((), 1, "fail", "block")
    assert "the version of 2026-01-01 is in force" in judgement.told
    (asking,) = judgement.asked
    assert asking.conditions == {"requires": ConditionPart("units is at most 1", False, {"units": "2"})}


def test_a_rule_on_fields_that_the_claim_leaves_out_says_which() -> None:
    asking = [rule for rule in BOOK.rules if rule.code == "ADR001"]
    (found,) = explain(claim(), BOOK, asking)
    assert found.not_run == (
        "it asks streets, cities and ZIP codes: an 837 carries them, and this claim brings nothing of them",
    )
    (found,) = explain(claim(source_format="x12"), BOOK, asking)
    assert (found.not_run, [one.outcome for one in found.judgements]) == ((), ["fail"])


def test_a_missing_fact_is_unknown() -> None:
    (judgement,) = one(book(ONE), claim(lines=[{"units": None}])).judgements
    assert judgement.outcome == "undetermined"
    assert judgement.asked[0].conditions["requires"] == ConditionPart("units is at most 1", None, {"units": None})


def test_each_target_line_is_explained() -> None:
    found = one(book(ONE), claim(lines=[{}, {"units": "2"}, {"procedure": "99213"}]))
    assert [(j.line, j.outcome) for j in found.judgements] == [(1, "pass"), (2, "fail")]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (claim(payer={"id": "87726"}), "it is for medicare; this claim is for uhc"),
        (claim(payer={"id": "nobody"}), "this claim's payer id nobody is in no payer file"),
        (claim("hospital_outpatient"), "billed as practitioner; this one is billed as hospital_outpatient"),
        (claim(frequency_code="8"), "the claim is a void"),
        (claim(lines=[{"procedure": "64450"}]), "no line carries procedure 64445"),
        (claim(lines=[{"service_date": "2020-01-01"}]), "the claim is unchecked: line 1 is dated 2020-01-01"),
    ],
)
def test_a_rule_that_does_not_run_says_why(data: Claim, reason: str) -> None:
    found = one(book(ONE), data)
    assert found.judgements == ()
    assert any(reason in text for text in found.not_run), found.not_run


def test_all_reasons_are_reported() -> None:
    retired = (ONE[0], rule(status="status: retired"))
    found = one(book(retired), claim("hospital_outpatient", UHC, frequency_code="8"))
    assert len(found.not_run) == 4
    assert found.not_run[0] == "it is retired"


def test_a_date_that_no_version_covers_is_named_with_the_versions() -> None:
    (judgement,) = one(book(ONE), claim(lines=[{"units": "2", "service_date": "2025-12-31"}])).judgements
    assert (judgement.outcome, judgement.severity, judgement.asked) == ("out_of_range", None, ())
    assert "no version covers the date of service 2025-12-31; versions: since 2026-01-01" in judgement.told


def test_without_a_date_every_version_is_asked() -> None:
    (judgement,) = one(book(ONE), claim(lines=[{"units": "2", "service_date": None}])).judgements
    assert (judgement.outcome, judgement.day) == ("undetermined", None)
    assert [asking.outcome for asking in judgement.asked] == ["fail"]


def test_a_draft_is_said_to_run_in_the_shadow() -> None:
    found = one(book((ONE[0], rule(status="status: draft"))), claim(lines=TWO))
    assert found.status == "draft"
    assert "never routing" in found.judgements[0].told


def test_a_rule_that_a_medicare_advantage_plan_takes_over_is_reported_with_its_ceiling() -> None:
    shelf = book(ONE, **{"payers/medicare.yaml": ADVANTAGE})
    (judgement,) = one(shelf, claim(payer=UHC, lines=TWO)).judgements
    assert judgement.severity == "warn"
    assert "at most warn" in judgement.told


def test_where_the_payers_own_rule_speaks_medicares_is_shown_as_not_reported() -> None:
    own = ("procedures/64445/uhc/UNT001-own.yaml", rule(payers="payers: [uhc]", severity="severity: note"))
    shelf = book(ONE, own, **{"payers/medicare.yaml": ADVANTAGE})
    told = {one.rule: one.judgements[0].told for one in explain(claim(payer=UHC, lines=TWO), shelf, shelf.rules)}
    assert "not reported" in told["procedures/64445/medicare/UNT001-one"]
    assert "not reported" not in told["procedures/64445/uhc/UNT001-own"]


def raising(text: str) -> Book:
    """A book whose one rule has a demand that raises."""

    def explode(_: object) -> bool:
        raise RuntimeError("CANARY")

    shelf = book((ONE[0], text))
    demand = Condition("explode(f)", "explode(f)", (), {"explode": explode})
    broken = replace(shelf.rules[0], versions=(replace(shelf.rules[0].versions[0], demand=demand),))
    return replace(shelf, rules=(broken,))


def test_a_rule_that_raises_is_reported_as_the_report_has_it() -> None:
    (judgement,) = one(raising(RULE), claim()).judgements
    assert (judgement.severity, judgement.asked) == ("block", ())
    assert "stopped with RuntimeError: the report has ENG001" in judgement.told


def test_a_part_that_raises_and_was_not_needed_is_reported_beside_the_others() -> None:
    examples = 'claim: {lines: [{units: 7, modifiers: ["50"]}]}'
    text = RULE.replace("    require:", '    applies_when: {modifiers: {any_of: ["50"]}}\n    require:')
    text = text.replace("claim: {lines: [{units: 1}]}", examples.replace("7", "1")).replace(
        "claim: {lines: [{units: 2}]}", examples
    )
    (judgement,) = one(raising(text), claim()).judgements
    assert judgement.outcome == "not_applicable"
    told = judgement.asked[0].conditions
    assert (told["applies when"].value, told["requires"].value) == (False, None)
    assert told["requires"].says.endswith("stopped with RuntimeError")
    assert "CANARY" not in str(judgement)


def test_what_runs_comes_first() -> None:
    other = ("procedures/64445/uhc/UNT001-a.yaml", rule(payers="payers: [uhc]"))
    shelf = book(ONE, other)
    assert [bool(one.not_run) for one in explain(claim(), shelf, shelf.rules)] == [False, True]


def judgements(shelf: Book, data: Claim, file: str) -> list[tuple[str, str, str | None, bool, bool]]:
    """Rule file, outcome, severity, whether an override is named, whether it is for the record alone."""
    named = [rule for rule in shelf.rules if rule.file.endswith(file)]
    return [
        (one.rule, each.outcome, each.severity, "override ours: " in each.told, "for the record" in each.told)
        for one in explain(data, shelf, named)
        for each in one.judgements
    ]


def test_a_finding_that_is_shown_with_another_one_says_with_which() -> None:
    two = claim(payer={"id": "1", "filing_indicator": "MB"}, lines=TWO)
    rules = [rule for rule in BOOK.rules if rule.file.endswith(("UNT001-one-unit", "UNT002-mue"))]
    told = {one.code: one.judgements[0].told for one in explain(two, BOOK, rules)}
    assert "shown with" not in told["UNT001"]
    assert told["UNT002"].endswith("; shown with UNT001 of line 1, since the same slip brings both")


def test_a_severity_that_an_override_sets_is_reported_with_its_name() -> None:
    shelf = overridden(entry(rule="UNT001", severity="note", payers="[uhc]"))
    found = judgements(shelf, claim(payer={"id": "87726"}, lines=TWO), "UNT001-other-payers")
    assert found == [("procedures/64445/common/UNT001-other-payers", "fail", "note", True, False)]


def test_a_rule_that_an_override_switched_off_is_said_to_be_for_the_record() -> None:
    shelf = overridden(entry(rule="UNT001", severity='"off"', payers="[uhc]"))
    found = judgements(shelf, claim(payer={"id": "87726"}, lines=TWO), "UNT001-other-payers")
    assert found == [("procedures/64445/common/UNT001-other-payers", "fail", "warn", True, True)]


def test_an_override_for_other_dates_leaves_the_judgement_alone() -> None:
    dates = "{from: 2026-06-01, to: 2026-06-30}"
    shelf = overridden(entry(rule="UNT001", severity="note", payers="[uhc]", effective=dates))
    found = judgements(shelf, claim(payer={"id": "87726"}, lines=TWO), "UNT001-other-payers")
    assert found == [("procedures/64445/common/UNT001-other-payers", "fail", "warn", False, False)]


def test_a_contracts_filing_limit_is_shown_beside_the_rule_that_it_replaces() -> None:
    shelf = overridden(entry(filing_limit="100", severity="block", payers="[uhc]"))
    late = claim(payer={"id": "87726"}, received_date="2026-07-01", lines=[{"service_date": "2026-01-05"}])
    found = judgements(shelf, late, "uhc/TIM001-primary")
    assert ("form/uhc/TIM001-primary", "fail", "warn", True, True) in found
    assert ("overrides/ours/TIM001", "fail", "block", True, False) in found


def test_explanations_agree_with_the_verdict_on_the_librarys_examples() -> None:
    untried = shipped()
    order = ["fail", "undetermined", "bypassed", "pass", "not_applicable", "out_of_range"]
    compared, conditional = set(), set()
    for each in untried.book.rules:
        alone = untried.book.narrowed([each])
        for place, example in enumerate(examples_of(untried.book, each, untried.documents[each.file])):
            if place % 5 and each.file in compared:
                continue
            shelf = example.book(alone)
            (told,) = explain(example.claim, shelf, [each], history=example.history)
            outcomes = {judgement.outcome for judgement in told.judgements}
            if told.not_run:
                assert not [
                    f for f in check(example.claim, shelf, history=example.history).every if f.rule == each.file
                ], each.file
                continue
            assert min(outcomes, key=order.index) == outcome_of(shelf, each, example.claim, example.history), (
                each.file,
                example.name,
            )
            compared.add(each.file)
            for judgement in told.judgements:
                for asking in judgement.asked:
                    applies = asking.conditions.get("applies when")
                    if applies:
                        conditional.add(asking.outcome)
                        assert (applies.value is False) is (asking.outcome == "not_applicable")
    assert compared == {each.file for each in untried.book.rules}
    assert conditional > {"not_applicable"}
