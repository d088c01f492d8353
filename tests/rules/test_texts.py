"""What a biller reads: how facts are shown in sentences, and that every sentence of the library is whole."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from rules.authoring.trial import examples_of
from rules.book.rule import Rule, Text, enumerated, shown
from rules.book.rulefile import read_document
from rules.engine.cases import case_of
from rules.engine.check import check
from rules.facts import ClaimFacts, LineFacts
from rules.loader import LIBRARY
from tests.book import BOOK


@pytest.mark.parametrize(
    ("fact", "value", "text"),
    [
        ("lines_without_pointers", (), "none"),
        ("lines_without_pointers", (2,), "line 2"),
        ("lines_without_pointers", (1, 3), "lines 1 and 3"),
        ("lines_without_pointers", (1, 2, 3), "lines 1, 2 and 3"),
        ("modifiers", ("RT",), "RT"),
        ("modifiers", ("RT", "59"), "RT and 59"),
        ("modifiers", (), "none"),
        ("total_charge", Decimal("450"), "$450.00"),
        ("total_charge", Decimal("-1.5"), "-$1.50"),
        ("units", Decimal("2.50"), "2.5"),
        ("received_date", date(2026, 7, 13), "2026-07-13"),
        ("has_record", True, "yes"),
        ("form", "professional", "professional"),
        ("units", None, "(missing)"),
    ],
)
def test_a_fact_is_shown_as_a_biller_reads_it(fact: str, value: Any, text: str) -> None:
    assert shown(fact, value) == text


def test_parts_that_hold_a_comma_are_set_apart() -> None:
    assert enumerated(("J1010: 161 units, limit 160", "J3301: 17 units, limit 16")) == (
        "J1010: 161 units, limit 160; J3301: 17 units, limit 16"
    )


def test_a_sentence_that_begins_with_lines_begins_with_a_capital() -> None:
    facts: Any = {"lines_of_day": (1, 2)}
    assert Text.parse("{lines_of_day} bill 64445.").fill(facts) == "Lines 1 and 2 bill 64445."


def sentences(rule: Rule) -> Iterator[str]:
    """What the rule says on those of its examples that do not pass."""
    document = read_document(f"{rule.file}.yaml", (LIBRARY / f"{rule.file}.yaml").read_text(encoding="utf-8"))
    alone = BOOK.narrowed([rule])
    for example in examples_of(BOOK, rule, document):
        if example.expect in ("fail", "undetermined", "bypassed"):
            report = check(example.claim, example.book(alone), history=example.history)
            for found in (*report.every, *report.shadow):
                if found.rule == rule.file:
                    yield from (found.message, found.fix)
            if rule.versions[-1].gap:
                case = case_of(example.claim, example.book(alone), None, example.history, rule.layer)
                facts = LineFacts(ClaimFacts(case), case.lines[0])
                if rule.judge(facts)[0] == "fail":
                    yield from (rule.versions[-1].message.fill(facts), rule.versions[-1].fix.fill(facts))


@pytest.mark.parametrize("rule", BOOK.rules, ids=lambda rule: rule.file.partition("/")[2])
def test_every_sentence_of_a_rule_is_whole(rule: Rule) -> None:
    said = list(sentences(rule))
    assert said
    for text in said:
        assert text[:1] == text[:1].upper()
        assert text.endswith((".", ")"))
        for flaw in ("(missing)", "{", "  ", "line line", "lines line", "claim: .", "Remove none"):
            assert flaw not in text
