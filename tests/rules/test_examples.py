"""Every example of every rule file, one test a file; and the base claims that they differ from."""

from __future__ import annotations

import pytest

from rules.authoring.examples import example_claim
from rules.authoring.trial import ROLES, examples_of, outcome_of
from rules.book.rule import Rule
from rules.book.rulefile import read_document
from rules.loader import LIBRARY
from tests.book import BOOK


@pytest.mark.parametrize("rule", BOOK.rules, ids=lambda rule: rule.file.partition("/")[2])
def test_examples(rule: Rule) -> None:
    file = f"{rule.file}.yaml"
    document = read_document(file, (LIBRARY / file).read_text(encoding="utf-8"))
    found = {
        one.name: outcome_of(one.book(BOOK), rule, one.claim, one.history) for one in examples_of(BOOK, rule, document)
    }
    assert found == {example["name"]: example["expect"] for example in document.data["examples"]}


def test_lines_are_applied_to_the_base_line_and_numbered() -> None:
    claim = example_claim("practitioner", {"lines": [{}, {"procedure": "76942", "charge": "50"}]}, {"id": "1"})
    assert [(line["number"], line["procedure"], line["modifiers"]) for line in claim["lines"]] == [
        (1, "64445", ["RT"]),
        (2, "76942", ["RT"]),
    ]
    assert claim["total_charge"] == "500.00"


@pytest.mark.parametrize("role", ROLES)
def test_the_first_lines_date_takes_the_claims_dates_along(role: str) -> None:
    claim = example_claim(role, {"lines": [{"service_date": "2024-07-01"}]}, {"id": "1"})  # type: ignore[arg-type]
    assert claim["received_date"] == "2024-07-01"
