"""The mutation run itself, and a slice of it. The whole run is `make mutants`."""

from __future__ import annotations

from zlib import crc32

import pytest
import yaml

from rules.book.rulefile import read_document
from rules.loader import LIBRARY
from tests.book import BOOK
from tests.rules.mutants import EXPLAINED, Mutant, all_mutants, borders_of, mutants_of, summary, verdict_on
from tests.rules.small import RULE

ONE_IN = 40
"""A fixed slice, so that a run says the same twice."""
FILE = "procedures/64445/medicare/UNT001-one-unit"
WHOLE = read_document(FILE, (LIBRARY / f"{FILE}.yaml").read_text(encoding="utf-8")).data
PARTS = 4
"""Each reads all rule files, which takes seconds."""


@pytest.mark.parametrize("part", range(PARTS))
def test_no_mutant_of_a_slice_goes_unnoticed(part: int) -> None:
    numbered = [(crc32(f"{one.file} {one.change}".encode()), one) for one in all_mutants(BOOK)]
    chosen = [one for number, one in numbered if number % ONE_IN == 0 and number // ONE_IN % PARTS == part]
    unexplained = [one for one in chosen if (one.file, one.change) not in EXPLAINED]
    assert len(unexplained) > 10
    assert [f"{one.file}: {one.change}" for one in unexplained if verdict_on(one) == "survived"] == []


def test_every_rule_is_changed_and_each_change_once() -> None:
    everyone = [(mutant.file, mutant.change) for mutant in all_mutants(BOOK)]
    assert len(set(everyone)) == len(everyone)
    assert {file for file, _ in everyone} == {rule.file for rule in BOOK.rules}
    assert EXPLAINED.keys() <= set(everyone)


def test_the_changes_of_a_small_rule() -> None:
    changes = [mutant.change for mutant in mutants_of("UNT001-one", read_document("UNT001-one", RULE).data)]
    assert changes == [
        "bills_as with hospital_outpatient",
        "bills_as with asc",
        "payers all",
        "on_void true",
        "versions[0] from 2025-12-31",
        "versions[0] from 2026-01-02",
        "versions[0] severity warn",
        "versions[0] severity note",
        "versions[0] require without units",
        "versions[0] require units le negated",
        "versions[0] require units le becomes lt",
        "versions[0] require units le 0",
        "versions[0] require units le 2",
        "versions[0] without the patch",
        "versions[0] patch[0] to 0",
        "versions[0] patch[0] to 2",
    ]


NESTED = """\
any:
  - {units: {gt: 1}, modifiers: {any_of: [LT, RT]}}
  - {not: {service_date: {before: 2026-01-01}}}
participating: {is: true}
"""


def test_nested_conditions_are_changed_at_every_depth() -> None:
    data = read_document("x", RULE).data
    data["versions"][0]["applies_when"] = read_document("x", NESTED).data
    changes = [mutant.change for mutant in mutants_of("x", data) if "applies_when" in mutant.change]
    assert [change.removeprefix("versions[0] applies_when ") for change in changes] == [
        "without any",
        "any becomes all",
        "any[0] negated",
        "any[0] without units",
        "any[0] units gt negated",
        "any[0] units gt becomes ge",
        "any[0] units gt 0",
        "any[0] units gt 2",
        "any[0] without modifiers",
        "any[0] modifiers any_of negated",
        "any[0] modifiers any_of without LT",
        "any[0] modifiers any_of without RT",
        "without any[0]",
        "any[1] negated",
        "any[1] without not",
        "any[1] without the word not",
        "any[1] not(without service_date)",
        "any[1] not(service_date before negated)",
        "any[1] not(service_date before 2025-12-31)",
        "any[1] not(service_date before 2026-01-02)",
        "without participating",
        "participating is negated",
    ]


def test_every_border_between_versions_has_an_example_on_each_side() -> None:
    book = BOOK
    assert {rule.file: days for rule in book.rules if (days := borders_of(book, rule))} == {}


def test_a_rule_that_is_as_it_was_is_not_noticed() -> None:
    assert verdict_on(Mutant(FILE, "nothing", WHOLE)) == "survived"


def test_an_example_notices() -> None:
    (mutant,) = [mutant for mutant in mutants_of(FILE, WHOLE) if mutant.change == "versions[0] require units le 2"]
    assert verdict_on(mutant) == "example"


def test_a_story_notices_what_no_example_does() -> None:
    (mutant,) = [mutant for mutant in mutants_of(FILE, WHOLE) if mutant.change == "versions[0] severity warn"]
    assert verdict_on(mutant) == "story"


def test_a_border_between_versions_needs_an_example_on_each_side() -> None:
    file = "procedures/64445/common/MOD007-other-payers"
    data = yaml.safe_load(yaml.safe_dump(read_document(file, (LIBRARY / f"{file}.yaml").read_text()).data))
    data["examples"] = [example for example in data["examples"] if example["name"] != "last day of the file of 2025"]
    assert verdict_on(Mutant(file, "an example less", data)) == "example"


def test_the_summary_says_what_needs_a_person() -> None:
    lost, kept = Mutant("procedures/64445/a", "from 2026-01-02", {}), Mutant("64445/a", "from 2025-12-31", {})
    lines, code = summary([(lost, "survived"), (kept, "example")], whole=False)
    assert code == 1
    assert lines[0] == "unexplained: procedures/64445/a: from 2026-01-02"
    assert lines[-1] == "score: 50.00% of 2"
    assert summary([(kept, "example"), (lost, "refused")], whole=False)[1] == 0


def test_an_explanation_of_what_is_noticed_is_stale() -> None:
    assert summary([], whole=True)[1] == 1
