"""What the tests may not do, since it lets them pass when what they are for is gone, or fail when it is not.

Public reports of the kind: pytest#2527 and pandas#48924 (tests that were skipped since a list came out empty),
pylint's W1510 (`subprocess.run` without `check`).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
OURS = ("rules", "worker", "ops")
OPEN = {
    "tests/rules/test_fused.py: takes rules.engine.check._facts",
    "tests/integration/test_ahead.py: replaces _put",
    "tests/integration/test_consumer.py: replaces worker.pipeline.consumer._ROUNDS",
}
"""What is still to be mended."""
ENDS = {"subprocess.run": "returncode", "CliRunner().invoke": "exit_code"}
"""What tells how it ended."""


def private(name: str) -> bool:
    return any(part.startswith("_") and not part.startswith("__") for part in name.split("."))


def imported(nodes: list[ast.AST]) -> Iterator[str]:
    """Private names of ours that a module takes."""
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        yield from (f"takes {name}" for name in names if name.split(".")[0] in OURS and private(name))


def replaced(nodes: list[ast.AST]) -> Iterator[str]:
    """Private names that are replaced: `monkeypatch.setattr("worker.x._y", ...)` or `setattr(thing, "_y", ...)`."""
    for node in nodes:
        if isinstance(node, ast.Call) and called(node).endswith(("setattr", "delattr")):
            names = [one.value for one in node.args[:2] if isinstance(one, ast.Constant) and isinstance(one.value, str)]
            yield from (f"replaces {name}" for name in names[:1] if private(name))


def called(node: ast.Call) -> str:
    """What is called, where its last name is one that matters; to write out all would take seconds."""
    func = node.func
    last = func.attr if isinstance(func, ast.Attribute) else func.id if isinstance(func, ast.Name) else ""
    return ast.unparse(func) if last in ("setattr", "delattr", "run", "invoke") else ""


def without_a_reason(nodes: list[ast.AST]) -> Iterator[str]:
    """Tests that are skipped, or expected to fail, and nobody knows why."""
    calls = {node.func: node for node in nodes if isinstance(node, ast.Call)}
    for node in nodes:
        marks = isinstance(node, ast.Attribute) and node.attr in ("skip", "skipif", "xfail")
        name = ast.unparse(node) if marks else ""
        if name in ("pytest.skip", "pytest.xfail", "pytest.mark.skip", "pytest.mark.skipif", "pytest.mark.xfail"):
            call = calls.get(node)
            given = [word.value for word in call.keywords if word.arg == "reason"] if call else []
            if call and name != "pytest.mark.skipif":
                given += call.args[:1] if name != "pytest.mark.xfail" else []
            if not any(ast.unparse(one) not in ("''", "None") for one in given):
                yield f"line {node.lineno}: {name} without a reason"


def in_a_cleanup(node: ast.AST, above: dict[ast.AST, ast.AST]) -> bool:
    while node in above:
        node, below = above[node], node
        if isinstance(node, ast.Try) and below in node.finalbody:
            return True
    return False


def of_unknown_end(nodes: list[ast.AST]) -> Iterator[str]:
    """Programs that are run, and nobody asks how they ended."""
    calls = [node for node in nodes if isinstance(node, ast.Call) and called(node) in ENDS]
    above = {below: node for node in nodes for below in ast.iter_child_nodes(node)} if calls else {}
    for node in calls:
        name, asked = called(node), ENDS[called(node)]
        checked = any(word.arg == "check" and ast.unparse(word.value) == "True" for word in node.keywords)
        if not checked and not in_a_cleanup(node, above) and not is_asked(node, asked, above):
            yield f"line {node.lineno}: {name} whose {asked} nobody reads"


def is_asked(call: ast.Call, asked: str, above: dict[ast.AST, ast.AST]) -> bool:
    """Whether the attribute is read where the call stands, or in its function, or the result is handed on."""
    user = above[call]
    if isinstance(user, ast.Attribute):
        return user.attr == asked
    if not isinstance(user, ast.Assign) or not isinstance(user.targets[0], ast.Name):
        return not isinstance(user, ast.Expr)
    scope: ast.AST = user
    while not isinstance(scope, ast.FunctionDef | ast.Module):
        scope = above[scope]
    uses = [one for one in ast.walk(scope) if isinstance(one, ast.Name) and one.id == user.targets[0].id]
    loads = [above[one] for one in uses if isinstance(one.ctx, ast.Load)]
    return any(not isinstance(use, ast.Attribute) or use.attr == asked for use in loads)


def faults(text: str) -> list[str]:
    nodes = list(ast.walk(ast.parse(text)))
    return [fault for look in (imported, replaced, without_a_reason, of_unknown_end) for fault in look(nodes)]


def test_no_test_takes_a_private_name_skips_without_a_reason_or_ignores_how_a_program_ended() -> None:
    files = sorted((ROOT / "tests").rglob("*.py"))
    assert len(files) > 150
    found = {f"{file.relative_to(ROOT)}: {fault}" for file in files for fault in faults(file.read_text("utf-8"))}
    assert found - OPEN == set()


WRONG = """
from rules.engine.check import _facts, check
import worker._x
monkeypatch.setattr("worker.pipeline.consumer._ROUNDS", 1)
patch.setattr(drain.audit, "_put", full)
pytest.skip()
@pytest.mark.skip
def test_a(): ...
@pytest.mark.skipif(True)
def test_b(): ...
@pytest.mark.xfail(strict=True)
def test_c(): ...
def test_d():
    subprocess.run(["a"])
    subprocess.run(["a"], check=False)
    assert subprocess.run(["a"]).stdout == ""
    done = subprocess.run(["a"])
    assert done.stdout == ""
    assert CliRunner().invoke(app, []).stdout == ""
"""
RIGHT = """
from rules.engine.check import check
from tests.x import _here
import worker.app
monkeypatch.setattr("worker.pipeline.batch.check", slow)
patch.setattr(os, "write", full)
pytest.skip("there is no openssl")
@pytest.mark.skip(reason="why")
def test_a(): ...
@pytest.mark.skipif(True, reason="why")
def test_b(): ...
@pytest.mark.xfail(strict=True, reason="why")
def test_c(): ...
def run():
    return subprocess.run(["a"])
def test_d():
    subprocess.run(["a"], check=True)
    assert subprocess.run(["a"]).returncode == 0
    done = subprocess.run(["a"])
    assert done.stdout == ""
    assert done.returncode == 1
    other = CliRunner().invoke(app, [])
    expect(other)
    try:
        one = 1
    finally:
        subprocess.run(["umount"], check=False)
"""


def test_the_look_for_such_tests_finds_them_and_no_others() -> None:
    assert len(faults(WRONG)) == 13
    assert faults(RIGHT) == []
