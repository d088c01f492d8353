"""What is said of the anesthesia on the day of the block, whatever pairs the book ships."""

from __future__ import annotations

from typing import Any

import pytest

from rules.authoring.examples import example_claim
from rules.claim import read_claim
from rules.engine.cases import case_of
from rules.facts import ClaimFacts, LineFacts
from rules.facts.ncci import for_operation
from tests.book import BOOK

OTHER = {"npi": "1245319599", "taxonomy": "207L00000X"}


def facts(*others: dict[str, Any], claim: dict[str, Any] | None = None, **line: Any) -> LineFacts:
    lines = [line, *({"modifiers": [], **other} for other in others)]
    one = case_of(
        read_claim(example_claim("practitioner", {**(claim or {}), "lines": lines}, {"id": "04412"})), BOOK, None
    )
    return LineFacts(ClaimFacts(one), one.lines[0])


@pytest.mark.parametrize("code", ["00100", "00400", "01400", "01470", "01480", "01960", "01990"])
def test_every_code_of_the_section_is_the_anesthesia_of_an_operation(code: str) -> None:
    assert for_operation(code)
    assert facts({"procedure": code})["anesthesia_of_day"] == (code,)


@pytest.mark.parametrize("code", ["01953", "01991", "01992", "01995", "01996", "01999", "1400", "27447", "", None])
def test_add_ons_injections_management_and_the_unlisted_code_are_not(code: str | None) -> None:
    assert not for_operation(code)


@pytest.mark.parametrize("modifier", ["59", "XE", "XP", "XS", "XU"])
def test_either_line_may_set_the_block_apart(modifier: str) -> None:
    assert facts({"procedure": "01470"}, modifiers=["RT", modifier])["anesthesia_without_59"] == ()
    assert facts({"procedure": "01470", "modifiers": ["AA", modifier]})["anesthesia_without_59"] == ()


def test_a_side_lets_the_pair_through_and_does_not_set_the_block_apart() -> None:
    found = facts({"procedure": "01470"}, modifiers=["RT"])
    assert (found["anesthesia_without_59"], found["anesthesia_with_side_alone"]) == (("01470",), ("01470",))
    bare = facts({"procedure": "01470"}, modifiers=["76"])
    assert (bare["anesthesia_without_59"], bare["anesthesia_with_side_alone"]) == (("01470",), ())


def test_monitored_care_is_named_by_line_and_modifier() -> None:
    found = facts({"procedure": "01470", "modifiers": ["QZ", "QS"]}, {"procedure": "01480", "modifiers": ["AA"]})
    assert found["monitored_anesthesia"] == ("01470",)
    assert (found["monitored_lines"], found["monitored_modifiers"]) == ((2,), ("QS",))


def test_another_specialtys_anesthesia_is_not_the_providers_and_an_unknown_ones_may_be() -> None:
    assert facts({"procedure": "01470", "rendering_provider": OTHER})["anesthesia_of_day"] == ()
    unknown = facts({"procedure": "01470", "rendering_provider": {"npi": OTHER["npi"]}})
    assert (unknown["anesthesia_of_day"], unknown["possible_anesthesia_without_59"]) == ((), ("01470",))


def test_without_a_date_anesthesia_is_unknown_where_there_is_some() -> None:
    assert facts({"procedure": "01470"}, service_date=None)["anesthesia_of_day"] is None
    assert facts({"procedure": "99213"}, service_date=None)["anesthesia_of_day"] == ()


def test_a_visit_beside_anesthesia_is_its_providers_with_or_without_25() -> None:
    anesthesia = {"procedure": "01470"}
    assert facts(anesthesia, {"procedure": "99213", "modifiers": ["25"]})["visits_beside_anesthesia"] == ("99213",)
    assert facts(anesthesia, {"procedure": "99291"})["visits_beside_anesthesia"] == ()
    assert facts({"procedure": "99213"})["visits_beside_anesthesia"] == ()


@pytest.mark.parametrize(
    ("taxonomy", "expected"),
    [
        ("207L00000X", True), ("207LP2900X", True), ("367500000X", True), ("367H00000X", True),
        ("208VP0014X", False), ("207X00000X", False), ("163WP0000X", False), (None, None),
    ],
)  # fmt: skip
def test_who_is_of_anesthesia_is_known_by_the_taxonomy(taxonomy: str | None, expected: bool | None) -> None:
    claim = {"rendering_provider": {"taxonomy": taxonomy}}
    assert facts(claim=claim)["anesthesia_specialty"] is expected
