"""The outlets are written down once; everything else that names them all derives from there."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from ops.access import USERS
from rules.report import Disposition
from rules.terms import GapRoute
from worker.errors import Reason
from worker.monitoring.line import reconciliation_fields, reconciliation_line
from worker.monitoring.reconciliation import Outlet, Reconciliation
from worker.pipeline.outlets import REASONS
from worker.store import outletspecs
from worker.store.outletspecs import DISPOSITIONS, FILES, OUTLETS, listed

ROOT = Path(__file__).parents[2]
LIST = 3
"""So many outlets side by side are a list of them."""
FIRST = {ROOT / "rules" / "report.py", ROOT / "rules" / "terms.py", ROOT / "worker" / "store" / "outletspecs.py"}
"""The names as types, which mypy wants word for word; the test below holds them to the table."""


def sources(pattern: str) -> list[Path]:
    return [file for folder in ("rules", "worker", "ops") for file in sorted((ROOT / folder).rglob(pattern))]


def lists(tree: ast.AST) -> Iterator[int]:
    """Lines at which outlets stand side by side: in a tuple, list, set, dict, Literal or call."""
    for node in ast.walk(tree):
        parts: list[ast.expr | None] = []
        if isinstance(node, ast.Tuple | ast.List | ast.Set):
            parts = [*node.elts]
        elif isinstance(node, ast.Dict):
            parts = [*node.keys]
        elif isinstance(node, ast.Call):
            parts = [*node.args]
        if len({part.value for part in parts if isinstance(part, ast.Constant)} & set(OUTLETS)) >= LIST:
            assert isinstance(node, ast.expr)
            yield node.lineno


def test_what_a_report_may_say_and_where_a_claim_may_go_are_the_same() -> None:
    assert get_args(Disposition) == DISPOSITIONS
    assert set(get_args(GapRoute)) == set(DISPOSITIONS) - {"quarantine"}
    assert get_args(outletspecs.Outlet) == OUTLETS == (*DISPOSITIONS, FILES)


def test_no_module_writes_the_outlets_out_a_second_time() -> None:
    files = [file for file in sources("*.py") if file not in FIRST]
    assert len(files) > 200
    assert [f"{file}:{line}" for file in files for line in lists(ast.parse(file.read_text("utf-8")))] == []


@pytest.mark.parametrize(
    "text",
    [
        "x = ('billing', 'rework', 'unchecked')",
        "x = {'billing': 1, 'rework': 2, 'quarantine': 3}",
        "x: Literal['quarantine', 'rework', 'unchecked']",
        "f('billing', 'rework', 'unchecked', 'quarantine')",
    ],
)
def test_a_second_list_would_be_seen(text: str) -> None:
    assert list(lists(ast.parse(text))) == [1]


def test_the_scripts_are_given_the_outlets_and_name_only_the_one_that_they_are_about() -> None:
    scripts = sources("*.lua")
    assert len(scripts) > 10
    words = {name: f"'{name}'" if name == FILES else name for name in OUTLETS}  # files is a word for much else
    named = {file.name: {name for name in OUTLETS if words[name] in file.read_text("utf-8")} for file in scripts}
    assert {name: found for name, found in named.items() if found} == {"quarantine.lua": {"quarantine"}}


def test_the_log_of_the_queue_has_the_fields_that_boards_and_alerts_are_made_from() -> None:
    outlets = tuple(Outlet(name, 7, 0, ()) for name in OUTLETS)
    found = Reconciliation(0.0, 0, 0, 0, 0, 0, 0, 0, 0, None, None, outlets, (), (), None, None)
    line = reconciliation_line(found, "2026.11", [])
    assert list(line) == list(reconciliation_fields())
    assert [line[f"queue.{name}"] for name in OUTLETS] == [7] * len(OUTLETS)


def test_the_texts_for_people_name_every_outlet_and_every_user_of_redis() -> None:
    assert f"accepted = {' + '.join(OUTLETS)} + repeated" in (ROOT / "README.md").read_text("utf-8")
    security = (ROOT / "ops" / "security.md").read_text("utf-8")
    assert f"worker --> {' | '.join(OUTLETS)} --> consumers" in security
    named = {name for line in security.splitlines() if line.startswith("| `") for name in line.split("|")[1].split("`")}
    assert {user.name for user in USERS} <= named


def test_every_reason_for_quarantine_has_its_meaning() -> None:
    assert tuple(REASONS) == get_args(Reason)


def test_names_are_listed_as_in_a_sentence() -> None:
    assert [listed(names) for names in (["a"], ["a", "b"], ["a", "b", "c"])] == ["a", "a or b", "a, b or c"]
    assert listed(["a", "b", "c"], "and") == "a, b and c"
