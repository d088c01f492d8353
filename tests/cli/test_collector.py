"""How often a command looks for cycles: reading claims makes and drops objects, and hardly a cycle."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from .conftest import CLEAN, environment

_ROUNDS = """
import gc, sys
rounds = []
gc.callbacks.append(lambda phase, info: rounds.append(phase) if phase == "start" else None)
from worker.cli import main
sys.argv = ["scrub", "check", *sys.argv[1:]]
try:
    main()
finally:
    print(len(rounds), file=sys.stderr)
"""


def test_a_check_hardly_looks_for_cycles_whatever_the_number_of_claims(tmp_path: Path, home: Path) -> None:
    def rounds(count: int) -> int:
        file = tmp_path / f"{count}.ndjson"
        file.write_text("".join(json.dumps({**CLEAN, "claim_id": f"C-{number}"}) + "\n" for number in range(count)))
        done = subprocess.run(
            [sys.executable, "-c", _ROUNDS, "--cores", "1", file],
            capture_output=True, text=True, env=environment(home), check=True,
        )  # fmt: skip
        return int(done.stderr.splitlines()[-1])

    few, many = rounds(1), rounds(300)
    assert few < 60, few  # a round each 700 new objects: 200
    assert many - few < 5, (few, many)
