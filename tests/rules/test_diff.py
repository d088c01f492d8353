"""The difference of two books, in words, by rule, payer and date."""

from __future__ import annotations

import pytest

from rules.authoring.diff import Change, difference
from rules.loader import book_files
from rules.tables.table import SPECS
from tests.rules.small import FILE, LIBRARY_FILES, RULE


def changes(new: str | None, old: str | None = RULE, file: str = FILE) -> list[Change]:
    before, after = (
        dict(LIBRARY_FILES) if text is None else {**LIBRARY_FILES, file: text.encode()} for text in (old, new)
    )
    return difference(before, after)


@pytest.mark.parametrize(
    ("old", "new", "what", "sentence"),
    [
        ("severity: block", "severity: warn", "severity", "severity warn (was block)"),
        ("{units: {le: 1}}", "{units: {le: 2}}", "condition", "requires units <= 2 (was 1)"),
        ("{units: {le: 1}}", "{units: {le: 1, ge: 1}}", "condition", "now requires units >= 1"),
        ("{units: {le: 1}}", "{any: [{units: {le: 1}}]}", "condition", "no longer requires units <= 1"),
        ("    require", "    applies_when: {modifiers: {none_of: ['50']}}\n    require", "condition", "now applies where modifiers none of [50]"),
        ("from: 2026-01-01", "from: 2026-02-01", "dates", "dates of service from 2026-02-01 (was from 2026-01-01)"),
        ("from: 2026-01-01", "from: 2026-01-01, to: 2026-06-30", "dates", "dates of service 2026-01-01 to 2026-06-30 (was from 2026-01-01)"),
        ("source: manual", "source: hearsay", "source", "citation source hearsay (was manual)"),
        ("grade: A", "grade: B", "source", "citation grade B (was A)"),
        ("Set units to 1.", "Bill one unit.", "message", "fix Bill one unit. (was Set units to 1.)"),
        ("status: active", "status: retired", "retired", "status retired (was active)"),
        ("status: active", "status: draft", "status", "status draft (was active)"),
        ("payers: [medicare]", "payers: [medicare, uhc]", "payers", "payers [medicare, uhc] (was [medicare])"),
        ("name: two", "name: several", "text", "examples are changed"),
        ("code: UNT001", "# why\ncode: UNT001", "text", "layout or comments alone"),
    ],
)  # fmt: skip
def test_a_change_of_a_rule_is_reported_with_its_old_and_new_value(
    old: str, new: str, what: str, sentence: str
) -> None:
    found = changes(RULE.replace(old, new, 1))
    assert (found[0].what, found[0].sentence) == (what, sentence)
    assert found[0].code == "UNT001"


def test_a_list_of_codes_tells_what_came_and_went() -> None:
    old = RULE.replace("    require", "    applies_when: {modifiers: {none_of: ['50', '51']}}\n    require")
    found = changes(old.replace("'51'", "'52', '53'"), old)
    assert [change.sentence for change in found] == [
        "applies where modifiers none of now also [52, 53], no longer [51]"
    ]


def test_a_rule_that_came_and_one_that_went_are_reported_once() -> None:
    assert [(c.what, c.since, c.sentence) for c in changes(RULE, None)] == [
        ("added", "2026-01-01", "added: One unit (block, active)")
    ]
    assert [(c.what, c.code) for c in changes(None)] == [("removed", "UNT001")]


def test_a_new_version_is_compared_with_the_one_before_it() -> None:
    second = (
        RULE[RULE.index("  - effective") : RULE.index("examples")]
        .replace("2026-01-01", "2027-01-01")
        .replace("le: 1", "le: 3")
    )
    new = RULE.replace("from: 2026-01-01}", "from: 2026-01-01, to: 2026-12-31}").replace(
        "examples:", f"{second}examples:"
    )
    assert [(c.since, c.sentence) for c in changes(new)] == [
        ("2026-01-01", "dates of service 2026-01-01 to 2026-12-31 (was from 2026-01-01)"),
        ("2027-01-01", "a new version, severity block"),
        ("2027-01-01", "requires units <= 3 (was 1)"),
    ]


def test_rows_of_tables_are_known_by_key_and_first_day() -> None:
    head = ",".join(SPECS["mue"].columns)
    old = f"{head}\npractitioner,64445,1,2,2025-01-01,2025-12-31,manual\npractitioner,76942,1,3,2026-01-01,,manual\n"
    new = f"{head}\npractitioner,64445,2,2,2025-01-01,2025-12-31,manual\npractitioner,64445,1,2,2026-01-01,,manual\n"
    found = changes(new, old, "tables/mue.csv")
    assert [(c.since, c.sentence) for c in found] == [
        ("2025-01-01", "row practitioner/64445: units 2 (was 1)"),
        ("2026-01-01", "row practitioner/76942 removed: units 1, adjudication 3, source manual"),
        ("2026-01-01", "row practitioner/64445 added: units 1, adjudication 2, source manual"),
    ]


def test_payer_ids_and_sources_are_reported() -> None:
    old = LIBRARY_FILES["payers/uhc.yaml"].decode()
    found = changes(old.replace("id: '87726'", "id: '87726', plan: x"), old, "payers/uhc.yaml")
    assert [(c.what, c.payers) for c in found] == [("payer", ("uhc",))]
    old = LIBRARY_FILES["sources.yaml"].decode()
    found = changes(old + "new: {title: Bulletin, publisher: CMS, starts: 2026-01-01, grade: A}\n", old, "sources.yaml")
    assert [c.sentence for c in found] == ["new added: Bulletin"]


def test_a_file_that_cannot_be_read_is_reported_and_hides_no_other() -> None:
    found = difference(
        {**LIBRARY_FILES, FILE: RULE.encode()}, {**LIBRARY_FILES, FILE: b"a: [", "book.yaml": b'version: "2"\n'}
    )
    assert {"unreadable", "book"} <= {change.what for change in found}


def test_a_book_does_not_differ_from_itself() -> None:
    files = book_files()
    assert difference(files, files) == []
