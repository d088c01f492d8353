"""The loader: what is reported of a faulty library, as file:line:col, and that all of it is reported at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from rules.errors import BookInvalid, BookMissing
from rules.loader import LIBRARY, book_files, load_book, read_book
from tests.rules.small import FILE, LIBRARY_FILES, RULE


def test_the_examples_of_sound_rules_run_beside_a_faulty_one() -> None:
    wrong = RULE.replace("units: 2}]}, expect: fail", "units: 2}]}, expect: undetermined")
    assert wrong != RULE
    files = {
        **LIBRARY_FILES,
        FILE: (wrong + "  - {name: three, claim: {lines: [{units: 3}]}, expect: fail}\n").encode(),
        FILE.replace("one", "two"): RULE.replace("severity: block", "severity: loud").encode(),
    }
    with pytest.raises(BookInvalid) as caught:
        read_book(files)
    assert [(problem.file, problem.path) for problem in caught.value.problems] == [
        (FILE, "examples[1].expect"),
        (FILE.replace("one", "two"), "versions[0].severity"),
    ]


def test_a_wrong_entry_does_not_make_its_list_too_short_nor_a_misspelled_key_missing() -> None:
    text = RULE.replace("severity:", "severty:").replace("name: one", "nmae: one")
    with pytest.raises(BookInvalid) as caught:
        read_book({**LIBRARY_FILES, FILE: text.encode()})
    assert [problem.path for problem in caught.value.problems] == ["versions[0].severty", "examples[0].nmae"]


def faults(rule: str = RULE, **files: bytes | str) -> list[str]:
    content = {
        name.replace("__", "/"): text.encode() if isinstance(text, str) else text for name, text in files.items()
    }
    with pytest.raises(BookInvalid) as caught:
        read_book({**LIBRARY_FILES, FILE: rule.encode(), **content})
    return [str(problem).removeprefix(f"{FILE}:") for problem in caught.value.problems]


def test_a_sound_library_loads() -> None:
    book = read_book({**LIBRARY_FILES, FILE: RULE.encode()})
    assert [rule.code for rule in book.rules] == ["UNT001"]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("severity: block", "severty: block", "9:5: versions[0].severty: unknown key; did you mean 'severity'?"),
        ("{units: {le: 1}}", "{unitz: {le: 1}}", "10:15: versions[0].require.unitz: unknown fact 'unitz'; did you mean 'units'?"),
        ("{units: {le: 1}}", "{units: {any_of: [1]}}", "10:23: versions[0].require.units.any_of: 'any_of' does not work on 'units' (number); use one of eq, ne, lt, le, gt, ge, eq_fact, ne_fact, lt_fact, le_fact, gt_fact, ge_fact, missing"),
        ("from: 2026-01-01", "from: 2025-12-31", "8:17: versions[0].effective.from: starts before its source does (2026-01-01); cite the older edition in a version of its own"),
        ("from: 2026-01-01", "from: 2026-02-30", "8:17: versions[0].effective.from: expected a calendar date as YYYY-MM-DD"),
        ("from: 2026-01-01", "from: 2026-01-01, to: 2025-01-01", "8:35: versions[0].effective.to: is before `from`"),
        ("source: manual", "source: manul", "14:16: versions[0].citation.source: source 'manul' is not in sources.yaml; did you mean 'manual'?"),
        ("source: manual", "source: hearsay", "14:52: versions[0].citation.grade: the source's grade is B"),
        ("grade: A}", "grade: B}", "9:5: versions[0].severity: grade B may carry warn or note, not block"),
        ("grade: A}", "grade: C}", "9:5: versions[0].severity: grade C may carry note, not block"),
        ("payers: [medicare]", "payers: [medicair]", "3:10: payers[0]: unknown payer 'medicair'; did you mean 'medicare'?"),
        ("payers: [medicare]", "payers: [medicare, uhc]", "3:1: payers: a file in medicare/ is for medicare alone; rules for several are in common/"),
        ("code: UNT001", "code: UNT002", "1:1: code: the file of UNT002 must be named UNT002-<slug>.yaml"),
        ("code: UNT001", "code: U1", "1:1: code: string should match pattern '^[A-Z]{3}[0-9]{3}$'"),
        ("{units} units", "{unit} units", "11:5: versions[0].message: unknown fact 'unit'; did you mean 'units'?"),
        ("{units} units", "{units units", "11:5: versions[0].message: braces do not match: expected '}' before end of string"),
        ("scope: line", "scope: claim", "10:15: versions[0].require.units: 'units' is a fact of a line; a rule with `scope: claim` cannot read it"),
        ("require: {units: {le: 1}}", "forbid: {units: {gt: 1}}\n    require: {units: {le: 1}}", "8:5: versions[0]: needs exactly one of `require` and `forbid`"),
        ("expect: fail", "expect: pass", "15:1: examples: needs at least one example that expects fail"),
        ("{units: 2}", "{units: 1}", "17:47: examples[1].expect: example 'two' expects fail; the rule says pass"),
        ("name: two", "name: one", "17:6: examples[1].name: there is an example 'one' already"),
        ("{units: 2}", "{unitz: 2}", "17:17: examples[1].claim: is no claim: lines[0].unitz: unknown key; did you mean 'units'?"),
        ("expect: fail", "tables: {muee: [a]}, expect: fail", "17:56: examples[1].tables.muee: unknown table 'muee'; did you mean 'mue'?"),
        ("expect: fail", "tables: {laterality: [M5431]}, expect: fail", "17:56: examples[1].tables.laterality: expected 4 fields a row: code,side,from,to"),
        ('value: "1"', 'value: "3"', "17:5: examples[1]: example 'two' is not repaired: after the patch the rule says fail"),
        ("title: One unit", "title: One unit\ntitle: Two", "3:1: title: duplicate key; the first is at line 2"),
        ("    fix: \"Set units to 1.\"", "    fix: &x Set units\n    title: *x", "13:5: versions[0].title: aliases are not allowed; write the value out"),
        ("title: One unit", "title: [One", "3:7: is not YAML: did not find expected ',' or ']'"),
    ],
)  # fmt: skip
def test_a_fault_is_named_with_its_place(old: str, new: str, expected: str) -> None:
    assert expected in faults(RULE.replace(old, new, 1))


def test_all_faults_of_all_files_come_at_once() -> None:
    found = faults(
        RULE.replace("severity: block", "severity: hard").replace("scope: line", "scope: lin"),
        **{
            "book.yaml": "version: 1\nprocedure: 64445\n",
            "tables/mue.csv": "x\n",
            "payers/uhc.yaml": "payer: uhc\nname: U\ncovers_from: 2023-01-01\nids: [{id: '1', source: no, grade: B}]\n",
        },
    )
    assert len(found) >= 5
    assert {fault.split(":")[0] for fault in found} >= {"tables/mue.csv", "payers/uhc.yaml"}


def test_versions_must_not_overlap() -> None:
    second = RULE.split("versions:\n")[1].split("examples:")[0].replace("2026-01-01", "2026-06-01")
    assert any(
        "overlaps the version before it" in fault
        for fault in faults(RULE.replace("examples:", second + "examples:", 1))
    )


def test_scalars_stay_text_where_yaml_would_guess() -> None:
    rule = RULE.replace("{units: {le: 1}}", "{place_of_service: {in: [011, NO, 1e3]}}").replace(
        "{units}", "{place_of_service}"
    )
    rule = rule.replace('    patch: [{op: replace, path: "/lines/{line}/units", value: "1"}]\n', "")
    rule = rule.replace("lines: [{units: 1}]", "place_of_service: 011").replace(
        "lines: [{units: 2}]", "place_of_service: 9"
    )
    assert read_book({**LIBRARY_FILES, FILE: rule.encode()}).rules[0].code == "UNT001"


def test_a_payer_id_has_one_owner() -> None:
    aetna = "payer: aetna\nname: A\ncovers_from: 2023-01-01\nids: [{id: '87726', source: hearsay, grade: B}]\n"
    assert any("id '87726' belongs to" in fault for fault in faults(**{"payers/aetna.yaml": aetna}))


def test_the_digest_follows_content_and_not_line_ends() -> None:
    files = {**LIBRARY_FILES, FILE: RULE.encode()}
    windows = {name: content.replace(b"\n", b"\r\n") for name, content in files.items()}
    other = {**files, FILE: RULE.replace("Set units to 1.", "Set units to one.").encode()}
    assert read_book(files).digest == read_book(windows).digest != read_book(other).digest


def test_a_folder_without_a_book_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(BookMissing, match="expected a folder with book.yaml"):
        load_book(tmp_path)


def test_an_imported_edition_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "edition.json").mkdir()
    with pytest.raises(BookInvalid, match="edition.json:1:1: cannot be read: Is a directory"):
        load_book(LIBRARY, tmp_path)


def test_files_that_are_not_utf8_are_named() -> None:
    assert any("is not UTF-8 at byte" in fault for fault in faults(**{"sources.yaml": b"manual: {title: \xff}"}))


def test_the_shipped_library_loads() -> None:
    book = load_book(LIBRARY)
    assert {"UNT001", "CLM001"} <= {rule.code for rule in book.rules}


def test_a_book_whose_examples_are_known_to_pass_is_the_same_without_reading_them() -> None:
    files = book_files()
    tried, untried = read_book(files, examples=False), read_book(files, examples=True)
    assert tried.rules
    assert [repr(rule).split(" at 0x")[0] for rule in tried.rules] == [
        repr(rule).split(" at 0x")[0] for rule in untried.rules
    ]
    assert [rule.digest for rule in tried.rules] == [rule.digest for rule in untried.rules]


SHIPPED = book_files()
UNITS = "procedures/64445/medicare/UNT001-one-unit.yaml"


@pytest.mark.parametrize(
    ("changed", "tried"),
    [
        ({}, []),
        ({UNITS: SHIPPED[UNITS] + b"# as Medicare says\n"}, [UNITS]),
        ({UNITS.replace("UNT001", "UNT901"): SHIPPED[UNITS].replace(b"UNT001", b"UNT901")}, [UNITS.replace("UNT001", "UNT901")]),
        ({"book.yaml": SHIPPED["book.yaml"].replace(b"version: ", b"version: ours-")}, []),
        ({"sources.yaml": SHIPPED["sources.yaml"] + b"ours: {title: Ours, publisher: We, starts: 2015-10-01, grade: A}\n"}, []),
        ({"book.yaml": SHIPPED["book.yaml"].replace(b"covers_from: 2023", b"covers_from: 2022")}, None),
        ({"tables/laterality.csv": SHIPPED["tables/laterality.csv"].rstrip().rpartition(b"\n")[0] + b"\n"}, None),
        ({"payers/cigna.yaml": SHIPPED["payers/cigna.yaml"] + b"# looked up\n"}, None),
    ],
)  # fmt: skip
def test_of_a_changed_book_the_examples_run_that_the_change_can_reach(
    changed: dict[str, bytes], tried: list[str] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    monkeypatch.setattr("rules.loader.try_examples", lambda book, rule, document: seen.append(document.file))
    book = read_book({**SHIPPED, **changed})
    assert seen == ([f"{rule.file}.yaml" for rule in book.rules] if tried is None else tried)


def test_a_changed_rule_of_a_copied_book_that_breaks_its_example_is_refused() -> None:
    broken = SHIPPED[UNITS].replace(b"expect: pass", b"expect: fail", 1)
    assert broken != SHIPPED[UNITS]
    with pytest.raises(BookInvalid, match="expects fail; the rule says pass"):
        read_book({**SHIPPED, UNITS: broken})


@pytest.mark.parametrize("text", [RULE, RULE.replace("status: active\n", "") + "status: active\n"])
def test_examples_may_stand_anywhere_in_a_file(text: str) -> None:
    files = {**LIBRARY_FILES, FILE: text.encode()}
    assert [rule.code for rule in read_book(files, examples=False).rules] == ["UNT001"]
