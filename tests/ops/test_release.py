"""The bill of materials names what is locked; pip-audit's verdict names what it could not look up."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ops.advisories import LOCK, verdict


def package(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "version": "1.0", "vulns": [], **more}


HOLE = {"id": "PYSEC-1", "fix_versions": ["1.1"], "aliases": [], "description": ""}


@pytest.mark.parametrize(
    ("packages", "code", "sentence"),
    [
        ([package("a"), package("b")], 0, "2 packages, none with a known vulnerability."),
        ([package("a", vulns=[HOLE]), package("b")], 1, "a 1.0: PYSEC-1, fixed in 1.1"),
        ([package("a", vulns=[{**HOLE, "fix_versions": []}])], 1, "a 1.0: PYSEC-1, not fixed yet"),
        ([package("a"), {"name": "b", "skip_reason": "not found"}], 2, "1 of 2 packages could not be looked up"),
        ([package("a", vulns=[HOLE]), {"name": "b", "skip_reason": "x"}], 1, "1 of 2 packages could not be looked up"),
    ],
)
def test_the_verdict_on_advisories(packages: list[dict[str, Any]], code: int, sentence: str) -> None:
    found, sentences = verdict({"dependencies": packages})
    assert found == code
    assert any(sentence in one for one in sentences)


@pytest.mark.slow
def test_the_bill_of_materials_has_every_locked_package_with_its_hashes(tmp_path: Path) -> None:
    bill = tmp_path / "bill.json"
    subprocess.run(
        [sys.executable, "-m", "cyclonedx_py", "requirements", "--pyproject", LOCK.with_name("pyproject.toml"),
         "--output-reproducible", "--output-file", bill, LOCK],
        check=True, capture_output=True,
    )  # fmt: skip
    found = json.loads(bill.read_text())
    assert found["bomFormat"] == "CycloneDX"
    assert found["metadata"]["component"]["name"] == "claim-scrubber"
    locked = dict(re.findall(r"^([\w.-]+)==([^\s;]+)", LOCK.read_text(), re.MULTILINE))
    assert {part["name"]: part["version"] for part in found["components"]} == locked
    assert all(part["externalReferences"][0]["hashes"] for part in found["components"])
