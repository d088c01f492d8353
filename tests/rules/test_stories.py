"""A corpus of paid and denied claims: what contradicts the book is reported, and so is what cannot be read."""

from __future__ import annotations

import pytest

from rules.authoring.stories import read_stories
from rules.errors import CorpusInvalid
from tests.rules.test_check import ONE, book

BOOK = book(ONE)
HEAD = "payer: medicare\nbills_as: practitioner\nstories:\n"


def faults(**files: str) -> list[str | None]:
    stories = read_stories(BOOK, {f"{name}/x.yaml": HEAD + text for name, text in files.items()})
    return [story.fault(BOOK) for story in stories]


def test_a_paid_claim_without_a_finding_and_a_denied_one_with_its_code_are_as_expected() -> None:
    denied = "  - {name: two, claim: {lines: [{units: 2}]}, code: UNT001, repair: 'true'}\n"
    assert faults(good="  - {name: one}\n", denied=denied) == [None, None]


def test_a_paid_claim_that_is_held_and_a_denied_one_that_passes_are_reported() -> None:
    held = faults(good="  - {name: two, claim: {lines: [{units: 2}]}}\n")
    assert held == ["rework: ['UNT001']"]
    missed = faults(denied="  - {name: one, code: UNT001}\n")
    assert missed == ["no block UNT001; block [], warn [], note []"]


def test_a_story_is_told_for_each_of_its_values() -> None:
    text = "  - {name: units, claim: {lines: [{units: <each>}]}, code: UNT001, each: ['2', '3']}\n"
    assert faults(denied=text) == [None, None]


@pytest.mark.parametrize(
    ("folder", "text", "sentence"),
    [
        ("good", "  - {name: one, code: UNT001}\n", "a denied claim has a `code`, a good one none"),
        ("denied", "  - {name: one}\n", "a denied claim has a `code`, a good one none"),
        ("good", "  - {nmae: one}\n", "did you mean 'name'?"),
        ("good", "  - {name: one, claim: {form: dental}}\n", "is no claim"),
        ("good", "  - {name: one, claim: [1]}\n", "expected a mapping laid out like a claim"),
        ("good", "  - {name: one\n", "is not YAML"),
    ],
)
def test_what_cannot_be_read_is_reported_with_its_place(folder: str, text: str, sentence: str) -> None:
    with pytest.raises(CorpusInvalid) as caught:
        faults(**{folder: text})
    problem = caught.value.problems[0]
    assert problem.file == f"{folder}/x.yaml"
    assert problem.line >= 4
    assert sentence in str(problem)
