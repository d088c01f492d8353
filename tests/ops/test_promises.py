"""ops/security.md and the runbook against the tests: a promise without a test is none, and a test that is gone is noticed."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.integration import attacks, test_producers
from tests.ops.promises import ATTACKS, PROMISES, RUNBOOK

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "ops/security.md").read_text(encoding="utf-8")


def units(text: str) -> list[str]:
    """Rows of tables, items of lists and paragraphs, each on one line; neither headings nor what is indented as code."""
    found, open_ = list[str](), False
    for line in text.splitlines():
        if not line.strip() or line.startswith(("#", "    ")):
            open_ = False
        elif re.fullmatch(r"\|[-|]+\|", line):
            found.pop()  # it was the heads of the columns
        elif line.startswith(("|", "- ")) or not open_:
            found.append(line.strip("| ").removeprefix("- "))
            open_ = not line.startswith("|")
        else:
            found[-1] += f" {line.strip()}"
    return found


UNITS = units(PAGE)


@cache
def functions_of(path: str) -> set[str]:
    tree = ast.parse((ROOT / "tests" / path).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def test_the_page_is_read_in_rows_items_and_paragraphs() -> None:
    assert units("# a\n\none\ntwo\n\n| x | y |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |\n- i\n  j\n- k\n\n    code\n") == [
        "one two", "1 | 2", "3 | 4", "i j", "k",
    ]  # fmt: skip
    assert len(UNITS) > 70


def test_every_row_item_and_paragraph_is_on_the_list_once_and_nothing_else_is() -> None:
    starts = {unit: [start for start in PROMISES if unit.startswith(start)] for unit in UNITS}
    assert {unit[:60]: found for unit, found in starts.items() if len(found) != 1} == {}
    assert PROMISES.keys() == {start for found in starts.values() for start in found}


@pytest.mark.parametrize("start", PROMISES)
def test_its_promises_stand_there_word_for_word_and_have_tests_that_there_are(start: str) -> None:
    (unit,) = (unit for unit in UNITS if unit.startswith(start))
    for words, test in PROMISES[start].items():
        assert words in f"{unit} |", words
        assert there_is(test), test


def there_is(test: str) -> bool:
    """Whether there is such a test, and the attack that it is tried with; of a file alone, whether it has any."""
    path, _, name = test.partition("::")
    name, _, case = name.partition("[")
    if case and case.removesuffix("]") not in {attack.__name__ for attack in attacks.ATTACKS}:
        return False
    return name in functions_of(path) if name else bool(functions_of(path))


def test_a_test_that_is_gone_is_noticed() -> None:
    assert there_is("ops/test_promises.py::test_a_test_that_is_gone_is_noticed")
    assert not there_is("ops/test_promises.py::test_a_test_that_was_here")
    assert not there_is("integration/test_producers.py::test_the_honest_ones_claims_all_come_out_once[sleeps]")


SECTIONS = {
    found[0]: " ".join(found[1].split())
    for found in re.findall(
        r"^#{2,3} (.+)$\n((?:(?!^#{2,3} ).*\n?)*)", (ROOT / "ops/runbook.md").read_text("utf-8"), re.MULTILINE
    )
}


@pytest.mark.parametrize("section", RUNBOOK)
def test_what_the_runbook_says_of_what_turns_and_comes_back_has_tests(section: str) -> None:
    assert len(RUNBOOK[section]) >= 3
    for words, test in RUNBOOK[section].items():
        assert words in SECTIONS[section], words
        assert there_is(test), test


def test_who_promises_nothing_only_says_what_is_there_or_what_is_left() -> None:
    """Few, so that nobody hides a promise among them."""
    silent = [start for start, found in PROMISES.items() if not found]
    assert len(silent) <= 12
    rows = PAGE.partition("## What could go wrong")[2].partition("### ")[0]
    assert not [start for start in silent if f"| {start}" in rows], "each threat has something that stands against it"


def test_each_of_the_six_attacks_is_tried_beside_an_honest_sender_by_the_users_that_are_shipped() -> None:
    assert {attack.__name__ for attack in attacks.ATTACKS} == {name for names in ATTACKS.values() for name in names}
    assert len(ATTACKS) == 6
    source = Path(test_producers.__file__).read_text(encoding="utf-8")
    assert 'parametrize("attack", ATTACKS, ids=' in source
    assert "with guarded(folder) as found" in source, "the server of ops/redis/start.sh, with users.acl"
