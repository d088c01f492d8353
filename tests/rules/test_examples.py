"""Every example of every rule file, one test each; and the base claims that they differ from."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rules.examples import example_claim
from rules.loader import LIBRARY, load_book
from rules.rulefile import read_document
from rules.trial import ROLES, Example, examples_of, outcome_of

BOOK = load_book()


def examples() -> Iterator[object]:
    for rule in BOOK.rules:
        file = f"{rule.file}.yaml"
        document = read_document(file, (LIBRARY / file).read_text(encoding="utf-8"))
        for example in examples_of(BOOK, rule, document):
            yield pytest.param(rule.file, example, id=f"{rule.file.partition('/')[2]}: {example.name}")


@pytest.mark.parametrize(("file", "example"), list(examples()))
def test_example(file: str, example: Example) -> None:
    assert outcome_of(example.book(BOOK), BOOK.files[file], example.claim, example.history) == example.expect


def test_lines_are_laid_over_the_base_line_and_numbered() -> None:
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
