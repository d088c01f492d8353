"""Every story of the corpus against the whole shipped book."""

from __future__ import annotations

from collections import Counter

import pytest

from rules.authoring.examples import example_claim
from rules.authoring.trial import ROLES
from rules.claim import read_claim
from rules.engine.check import check
from tests.book import BOOK
from tests.corpus.stories import STORIES, Story

PAYERS = set(BOOK.registry.payers)


@pytest.mark.parametrize("story", STORIES, ids=lambda story: f"{story.file}: {story.name}")
def test_story(story: Story) -> None:
    fault = story.fault(BOOK)
    assert fault is None, fault


def test_each_story_is_told_once() -> None:
    assert [name for name, times in Counter((s.file, s.name) for s in STORIES).items() if times > 1] == []
    claims = Counter(repr(story.data | {"claim_id": ""}) for story in STORIES if not story.code)
    assert max(claims.values()) == 1


@pytest.mark.parametrize(("folder", "least"), [("good", 60), ("denied", 120)])
def test_the_corpus_covers_every_payer_form_and_year(folder: str, least: int) -> None:
    stories = [story for story in STORIES if story.file.startswith(folder)]
    assert len(stories) >= least
    assert {story.payer.partition("/")[0] for story in stories} >= PAYERS
    assert {story.bills_as for story in stories} == set(ROLES)
    assert {str(story.claim.lines[0].service_date)[:4] for story in stories} >= {"2023", "2024", "2025", "2026"}


def test_a_payer_that_the_book_does_not_know_is_asked_nothing_that_payers_of_the_book_want() -> None:
    data = example_claim("practitioner", {"lines": [{"modifiers": []}]}, {"id": "99999", "responsibility": "P"})
    report = check(read_claim(data), BOOK)
    assert report.payer is None
    assert [finding.code for finding in report.findings] == ["PAY001"]
