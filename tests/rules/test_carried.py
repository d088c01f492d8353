"""A form rule asks only for what the claim's format carries or the claim brings; the rest is a gap, once a group."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from rules.authoring.examples import example_claim
from rules.carried import CARRIED, EVERY, carried
from rules.claim import Claim, read_claim
from rules.engine.check import check
from rules.errors import ClaimInvalid
from rules.report import Report
from tests.book import BOOK
from tests.x12.examples import INSTITUTIONAL, PROFESSIONAL

MEDICARE = {"id": "04412"}
ASKING = {(rule.code, group) for rule in BOOK.rules for group in rule.needs}


def claim(**difference: Any) -> Claim:
    return read_claim(example_claim("practitioner", difference, MEDICARE))


def left_out(report: Report) -> set[str]:
    """The groups that the report says were not asked."""
    sentences = [gap.sentence for gap in report.gaps if gap.kind == "field_not_read"]
    return {name for name, group in CARRIED.items() if any(group.label in text for text in sentences)}


def needing(report: Report, group: str) -> set[str]:
    return {found.code for found in report.every if (found.code, group) in ASKING}


def test_a_claim_in_json_that_leaves_the_fields_out_is_not_held_for_them() -> None:
    report = check(claim(), BOOK)
    assert not {found.code for found in report.every} & {code for code, _ in ASKING}


def test_what_was_not_asked_is_named_by_group_with_the_rules_in_one_gap() -> None:
    report = check(claim(), BOOK)
    assert {"names", "addresses", "tax_id", "claim_details", "line_details"} <= left_out(report)
    (gap,) = [gap for gap in report.gaps if gap.kind == "field_not_read"]
    assert (gap.rule, gap.line) == ("ADR001", None)
    assert "Not asked by ADR001 to ADR" in gap.sentence
    assert report.coverage == "partial"


def test_the_same_claim_from_an_837_is_asked_for_all_of_them() -> None:
    report = check(claim(source_format="x12"), BOOK)
    assert left_out(report) == set()
    assert {"ADR001", "ADR002"} & needing(report, "addresses")


def test_a_claim_in_json_that_brings_one_field_of_a_group_is_asked_for_the_group() -> None:
    report = check(claim(patient={"address": {"city": "AUSTIN"}}), BOOK)
    assert "addresses" not in left_out(report)
    assert "ADR001" in needing(report, "addresses")
    assert "names" in left_out(report)


@pytest.mark.parametrize("place", ["S", "T", "A"])
def test_a_claim_to_a_later_payer_that_names_no_other_is_held_in_any_format(place: str) -> None:
    """Its place in the order is said by the claim itself, so that the one that came before is missing, not left out."""
    report = check(claim(payer={"responsibility": place}, other_payers=[]), BOOK)
    assert ("COB001", "block") in {(found.code, found.severity) for found in report.every}
    assert "payer_order" not in left_out(report)
    assert report.disposition == "rework"


@pytest.mark.parametrize("place", [None, "P", "U"])
def test_a_claim_that_does_not_say_that_it_comes_later_is_not_asked_for_another_payer(place: str | None) -> None:
    report = check(claim(payer={"responsibility": place}, other_payers=[]), BOOK)
    assert "COB001" not in {found.code for found in report.every}
    assert ("payer_order" in left_out(report)) == (place is None)
    assert report.disposition == "billing"


def test_where_other_payers_come_without_their_places_it_is_not_known_who_is_the_first() -> None:
    """Claims in JSON name another payer with what it paid and when, which is enough for a limit of time."""
    report = check(claim(payer={"responsibility": "S"}, other_payers=[{"payer_id": "60054", "paid": "10.00"}]), BOOK)
    assert "COB001" not in {found.code for found in report.every}
    assert "payer_order" in left_out(report)


def test_an_837_carries_every_group_and_a_bare_claim_few() -> None:
    assert carried(claim(source_format="x12")) == EVERY
    assert carried(claim(frequency_code="1")) < EVERY


@pytest.mark.parametrize("group", CARRIED)
def test_every_group_is_asked_by_a_rule(group: str) -> None:
    assert group in {asked for _, asked in ASKING}


def _leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of each part of a claim."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield (*path, key)
        yield from _leaves(inner, (*path, key))


def _without(value: dict[str, Any], path: tuple[Any, ...]) -> dict[str, Any]:
    less = copy.deepcopy(value)
    at: Any = less
    for step in path[:-1]:
        at = at[step]
    del at[path[-1]]
    return less


OF_THE_READER = ("source_format", "not_read", "oddities", "form_faults")
WHOLE = {
    **{f"{role} to {payer}": example_claim(role, {}, {"id": payer})
       for role in ("practitioner", "hospital_outpatient", "asc") for payer in ("04412", "60054")},
    **{name: {key: value for key, value in claim.items() if key not in OF_THE_READER}
       for name, claim in (("all of an 837P", PROFESSIONAL), ("all of an 837I", INSTITUTIONAL))},
}  # fmt: skip


@pytest.mark.parametrize("name", WHOLE)
def test_whatever_a_claim_in_json_leaves_out_no_rule_of_these_groups_holds_it_for_that(name: str) -> None:
    """A claim with few fields and one with all, less each of its parts in turn."""
    held = {}
    for path in _leaves(WHOLE[name]):
        try:
            less = read_claim(_without(WHOLE[name], path))
        except ClaimInvalid:
            continue
        for found in check(less, BOOK).every:
            if found.code in {code for code, _ in ASKING} and found.message.startswith("Cannot check"):
                held[path] = (found.code, found.message)
    assert held == {}
