"""Which rules of a new book may hold a claim that the old one let pass."""

from __future__ import annotations

import pytest

from rules.authoring.stricter import stricter
from rules.loader import read_book
from tests.rules.small import FILE, LIBRARY_FILES, RULE

BLOCK = "severity: block\n    require"
COMMON = FILE.replace("/medicare/", "/common/")
WARNS = RULE.replace("grade: A}", "grade: A}").replace(BLOCK, "severity: warn\n    require")


def files(*rules: tuple[str, str]) -> dict[str, bytes]:
    return {**LIBRARY_FILES, **{name: text.encode() for name, text in rules}}


def found(old: str | None, new: str, name: str = FILE, before: str = FILE, drafts: tuple[str, ...] = ()) -> list[str]:
    """Why, for whom and on which dates a rule is stricter than it was."""
    late = files((name, new))
    book = read_book(late, examples=False)
    then = files() if old is None else files((before, old))
    return [
        " ".join([one.why, *one.payers, *([f"{one.period.start} {one.period.end}"] if one.period else [])])
        for one in stricter(then, late, book, drafts)
    ]


def test_a_rule_that_was_not_there_is_new_and_one_that_is_the_same_is_not() -> None:
    assert found(None, RULE) == ["new"]
    assert found(RULE, RULE) == []
    assert found(RULE, RULE.replace("One unit", "A unit").replace("has {units}", "carries {units}")) == []


def test_a_rule_that_holds_no_claim_is_no_draft() -> None:
    assert found(None, WARNS) == []
    assert found(None, RULE.replace("status: active", "status: draft")) == []
    assert found(None, RULE.replace("status: active", "status: retired")) == []


def test_a_rule_is_known_by_its_code_and_payer_wherever_its_file_lies() -> None:
    assert found(RULE, RULE, before="form/medicare/UNT001-one.yaml") == []
    assert found(RULE, RULE, before="64445/medicare/UNT001-units.yaml") == [], "its file was renamed"
    assert found(RULE.replace("UNT001", "UNT009"), RULE, before=FILE.replace("UNT001", "UNT009")) == ["new"]


def test_a_rule_of_another_procedure_is_another_rule() -> None:
    assert found(RULE, RULE, before="procedures/64447/medicare/UNT001-one.yaml") == ["new"]
    assert found(RULE, RULE, before="procedures/64445/medicare/UNT001-one.yaml") == []


def test_a_rule_that_held_nothing_before_is_stricter_or_new() -> None:
    assert found(WARNS, RULE) == ["stricter"]
    assert found(RULE.replace("status: active", "status: draft"), RULE) == ["new"]
    assert found(RULE, RULE, drafts=("procedures/64445/medicare/UNT001-one",)) == ["new"], "nobody had switched it on"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("require: {units: {le: 1}}", "require: {units: {le: 2}}", ["stricter"]),
        ("require: {units: {le: 1}}", "applies_when: {modifiers: {any_of: ['50']}}\n    require: {units: {le: 1}}", []),
        ("applies_when: {modifiers: {any_of: ['50']}}\n    require: {units: {le: 1}}", "require: {units: {le: 1}}",
         ["stricter"]),
        ("require: {units: {le: 1}}", "require: {units: {le: 1}}\n    bypass: {when: {modifiers: {any_of: ['59']}}, "
         "message: m, fix: f}", []),
        ("require: {units: {le: 1}}\n    bypass: {when: {modifiers: {any_of: ['59']}}, message: m, fix: f}",
         "require: {units: {le: 1}}", ["stricter"]),
        ("bills_as: [practitioner]", "bills_as: [practitioner, asc]", ["stricter"]),
        ("bills_as: [practitioner, asc]", "bills_as: [practitioner]", []),
        ("scope: line", "scope: line\non_void: 'true'", ["stricter"]),
    ],
)  # fmt: skip
def test_what_applies_to_more_claims_is_stricter_and_what_applies_to_fewer_is_not(
    old: str, new: str, expected: list[str]
) -> None:
    text = RULE if old in RULE else RULE.replace(new, old, 1)
    assert old in text
    assert found(text, text.replace(old, new, 1)) == expected


def test_what_the_old_rule_held_is_kept_with_it() -> None:
    changed = RULE.replace("le: 1", "le: 0")
    late = files((FILE, changed))
    (one,) = stricter(files((FILE, RULE)), late, read_book(late, examples=False))
    assert one.before == RULE.partition("examples:")[0]
    (one,) = stricter(files((FILE, WARNS)), late, read_book(late, examples=False))
    assert one.before == "", "it held nothing"


def test_a_rule_for_more_payers_is_stricter_for_those_alone() -> None:
    both = RULE.replace("[medicare]", "[medicare, uhc]")
    assert found(RULE, both, name=COMMON, before=COMMON) == ["stricter uhc"]
    assert found(both, RULE, name=COMMON, before=COMMON) == []
    every = RULE.replace("[medicare]", "[all]")
    assert found(RULE, every, name=COMMON, before=COMMON) == ["stricter"], "claims of unknown payers too"
    but = every.replace("bills_as", "except_payers: [uhc]\nbills_as")
    assert found(but, every, name=COMMON, before=COMMON) == ["stricter uhc"]
    assert found(every, but, name=COMMON, before=COMMON) == []


def test_a_rule_of_more_dates_is_stricter_on_those_alone() -> None:
    ended = RULE.replace("{from: 2026-01-01}", "{from: 2026-01-01, to: 2026-06-30}")
    assert found(ended, RULE) == ["stricter 2026-07-01 9999-12-31"]
    assert found(RULE, ended) == []
    raised = RULE.partition("examples:")[0].replace("2026-01-01}", "2027-01-01}").partition("versions:\n")[2]
    later = ended.replace("2026-06-30", "2026-12-31").replace("examples:", f"{raised}examples:")
    assert found(RULE, later) == []
    assert found(RULE, later.replace("2027-01-01}\n    severity: block\n    require: {units: {le: 1}}",
                                     "2027-01-01}\n    severity: block\n    require: {units: {le: 2}}")) == [
        "stricter 2027-01-01 9999-12-31"
    ]  # fmt: skip
