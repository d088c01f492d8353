"""The closed list of causes, and what it keeps together."""

from __future__ import annotations

import re
from collections import Counter

from rules.causes import CAUSES
from rules.engine.check import check
from rules.loader import LIBRARY
from tests.book import BOOK
from tests.corpus.stories import STORIES


def test_every_cause_is_that_of_a_rule() -> None:
    assert {rule.cause for rule in BOOK.rules} == set(CAUSES)


def test_no_two_findings_of_a_claim_have_one_cause_and_line() -> None:
    for story in STORIES:
        shown = check(story.claim, BOOK, history=story.history).findings
        slips = Counter((finding.cause, finding.line) for finding in shown)
        assert [slip for slip, times in slips.items() if times > 1] == [], str(story)


def test_no_sentence_of_the_package_names_its_code() -> None:
    for file in (LIBRARY / "procedures/64445").rglob("[A-Z]*.yaml"):
        words = re.findall(r"^\s*(?:title|fault|message|fix): .*64445.*$", file.read_text("utf-8"), re.MULTILINE)
        assert words == [], file.name
