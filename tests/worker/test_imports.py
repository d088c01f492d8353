"""Another package `rules`, as PyPI has one, goes before ours or has overwritten it: a sentence, and no strange error.

Public reports of the kind: two distributions of one import name overwrite each other in silence (pip#4625, uv#10564).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(*command: str, path: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(path)}
    return subprocess.run(
        [sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize(
    "command", [["-m", "worker", "--version"], ["-c", "import worker.app"], ["-c", "from worker.inbox import submit"]]
)
def test_a_package_rules_that_goes_before_ours_is_named(command: list[str], tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules/__init__.py").write_text("def add_rule(name): ...\n")
    done = run(*command, path=tmp_path, folder=tmp_path)
    assert done.returncode == 1
    assert f"the package `rules` that Python finds ({tmp_path}/rules/__init__.py) is not the one" in done.stderr
    assert done.stderr.rstrip().endswith("and unset PYTHONPATH.")


def test_a_package_rules_that_was_installed_over_ours_is_named(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "worker", tmp_path / "worker")
    shutil.copytree(ROOT / "rules", tmp_path / "rules", ignore=shutil.ignore_patterns("library"))
    assert run("-m", "worker", "--version", path=tmp_path, folder=tmp_path).returncode == 0
    (tmp_path / "rules/__init__.py").write_text("def add_rule(name): ...\n")
    done = run("-m", "worker", "--version", path=tmp_path, folder=tmp_path)
    assert done.returncode == 1
    assert "has overwritten it. Install claim-scrubber in an environment of its own" in done.stderr


def test_a_rules_of_another_copy_of_the_project_is_named(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "rules", tmp_path / "rules", ignore=shutil.ignore_patterns("library"))
    assert (
        f"({tmp_path}/rules/__init__.py) is not the one" in run("-m", "worker", path=tmp_path, folder=tmp_path).stderr
    )
