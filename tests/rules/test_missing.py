"""Texts that were looked for and not found, and the page that says what stands behind a clean claim."""

from __future__ import annotations

from functools import cache

import pytest

from rules.book.missing import MISSING, read_missing
from rules.book.rulefile import read_document
from rules.errors import BookInvalid
from rules.loader import LIBRARY, read_untried
from tests.book import BOOK, untried
from tests.rules.small import LIBRARY_FILES
from worker.cli import clean

TEXTS = read_missing(read_document(MISSING, (LIBRARY / MISSING).read_text("utf-8")), BOOK.registry)


@cache
def page() -> str:
    return clean.page(untried(), TEXTS)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("humana: []", "humana: unknown payer 'humana'"),
        ("medicare/part_c: []", "medicare/part_c: unknown payer"),
        ("uhc: {about: BND}", "uhc: expected a list of texts"),
        ("[uhc]", "expected payers, each with a list"),
        ("uhc: [{about: bundling, what: w, where: x}]", "uhc[0].about: "),
        ("uhc: [{about: BND, what: w}]", "uhc[0].where: "),
        ("uhc: [{about: BND, what: w, where: x, looked: last week}]", "uhc[0].looked: "),
        ("uhc: [{about: BND, what: w, where: x, on: 2026-11-29}]", "uhc[0].on: "),
    ],
)
def test_a_fault_of_the_file_is_one_of_the_book(text: str, fault: str) -> None:
    with pytest.raises(BookInvalid) as error:
        read_untried({**LIBRARY_FILES, MISSING: text.encode()})
    assert error.value.problems[0].file == MISSING
    assert fault in str(error.value.problems[0])


def test_a_book_needs_no_such_file() -> None:
    assert read_untried(LIBRARY_FILES).book.rules == ()
    assert "Not checked" not in clean.page(untried(), {})


def test_the_page_has_every_payer_plan_active_rule_and_missing_text() -> None:
    registry = BOOK.registry
    for key, payer in registry.payers.items():
        assert f"\n## {payer.name}\n" in page()
        assert all(plan.name in page() for plan in payer.plans.values()), key
    assert {rule.code for rule in BOOK.rules if rule.status == "active" and f"[{rule.code}]" not in page()} == set()
    assert all(one.what in page() for texts in TEXTS.values() for one in texts)


def test_the_page_says_a_rule_s_ground_where_its_payer_is() -> None:
    part = page().partition("\n### Blue Cross and Blue Shield of Nebraska\n")[2].partition("\n### ")[0]
    assert "[MOD004](CATALOGUE.md#mod004) A" in part
    assert "its anesthesia policy RP-X-009. Looked for on 2026-11-29: nebraskablue.com" in part


def test_a_text_that_nobody_looked_for_says_so() -> None:
    assert "the NCCI policy manual of 2027. Nobody has looked yet: " in page()
