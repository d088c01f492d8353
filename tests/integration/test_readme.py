"""The README's claim and Python lines do what they say, as they stand there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

from tests.integration.helpers import Worker, settled
from worker.store.connections import Store

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    return str(found)


def test_the_readmes_claim_is_clean(tmp_path: Path) -> None:
    (tmp_path / "claim.json").write_text(block("json"))
    command = [sys.executable, "-m", "worker", "check", "claim.json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 claim: 1 billing" in done.stdout


def test_the_readmes_report_is_what_the_program_prints(tmp_path: Path) -> None:
    claim = json.loads(block("json"))
    claim["payer"] = {"id": "09102", "name": "Medicare", "filing_indicator": "MB", "responsibility": "P"}
    claim["subscriber"]["member_id"] = "1EG4TE5MK73"
    claim["lines"][0]["units"] = 2
    (tmp_path / "claims.ndjson").write_text(json.dumps(claim))
    command = [sys.executable, "-m", "worker", "check", "claims.ndjson"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    shown = (
        README.partition("A report reads like this")[2].partition("\n\n")[2].partition("\nWhat was not looked at")[0]
    )
    assert textwrap.dedent(shown) == done.stdout


def test_the_readmes_override_is_one(tmp_path: Path) -> None:
    (tmp_path / "o.yaml").write_text(block("yaml"))
    command = [sys.executable, "-m", "worker", "rules", "overrides", "o.yaml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "filing limit of 180 days, primary claims" in done.stdout


def test_the_readmes_python_sends_a_claim_and_reads_its_verdict(
    tmp_path: Path, home: Path, store: Store, start_worker: Callable[..., Worker]
) -> None:
    start_worker().wait_ready()
    (tmp_path / "claim.json").write_text(block("json"))
    send, _, read = block("python").partition("\nfor entry")
    imports = "from worker.outlets import consume\n"
    environment = {**os.environ, "SCRUB_STATE_DIR": str(home)}

    def run(code: str) -> str:
        command = [sys.executable, "-W", "ignore::ResourceWarning", "-c", code]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=True
        )
        return done.stdout

    run(send)
    settled(store, 1)
    assert "PCN-0001 billing" in run(f"{imports}for entry{read}")
