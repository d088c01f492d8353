"""ops/controls.md: no safeguard and no criterion is left out, and every test that it names is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "ops/controls.md").read_text("utf-8")
SAFEGUARDS = [
    f"164.312({one}"
    for one in (
        "a)(1)", "a)(2)(i) R", "a)(2)(ii) R", "a)(2)(iii) A", "a)(2)(iv) A", "b) R", "c)(1)", "c)(2) A", "d) R", "e)(1)",
        "e)(2)(i) A", "e)(2)(ii) A",
    )
]  # fmt: skip
CRITERIA = [f"PI1.{number}" for number in range(1, 6)]
ROWS = {
    cells[0].strip(): cells[1:]
    for line in PAGE.splitlines()
    if len(cells := line.strip("|").split("|")) == 5 and not cells[0].startswith("-")
}
TESTS = sorted(set(re.findall(r"`(tests/[\w/]+\.py(?:::\w+)?)`", PAGE)))


@pytest.mark.parametrize("one", [*SAFEGUARDS, *CRITERIA])
def test_each_has_what_answers_it_a_test_and_what_is_the_hospitals(one: str) -> None:
    asks, answer, shown, yours = ROWS[one]
    assert asks.strip()
    assert answer.strip()
    assert yours.strip()
    assert "`tests/" in shown


@pytest.mark.parametrize("test", TESTS)
def test_a_test_that_it_names_is_there(test: str) -> None:
    path, _, name = test.partition("::")
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    found = {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}
    assert name in found if name else found


def test_nothing_else_is_in_the_tables_and_enough_is() -> None:
    assert ROWS.keys() - {"45 CFR", "criterion"} == {*SAFEGUARDS, *CRITERIA}
    assert len(TESTS) > 30


def test_it_says_that_the_audit_log_is_phi_and_tells_of_accounting() -> None:
    assert "**The audit log is PHI.**" in PAGE
    assert "## Accounting of disclosures (45 CFR 164.528)" in PAGE
