"""What `scrub check` loads before it works: a person waits for each module that the file does not need."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.worker.fhirbundle import contained
from tests.worker.fhirclaims import PROFESSIONAL

from .conftest import CLEAN, environment

LOADED = """
import sys
from worker.cli.commands import run
sys.argv = ["scrub", "check", sys.argv[1]]
code = run()
names = ("yaml", "pydantic_settings", "redis", "celery", "worker.intake.fhir", "worker.intake.x12")
print(code, *[name for name in names if name in sys.modules], file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("claim", "readers"),
    [(CLEAN, []), (contained(PROFESSIONAL), ["worker.intake.fhir"])],
    ids=["a claim of our own", "a FHIR claim"],
)
def test_a_check_by_the_shipped_book_loads_no_reader_that_the_file_does_not_need(
    tmp_path: Path, home: Path, claim: dict[str, object], readers: list[str]
) -> None:
    file = tmp_path / "claim.json"
    file.write_text(json.dumps(claim))
    done = subprocess.run(
        [sys.executable, "-c", LOADED, file], capture_output=True, text=True, env=environment(home), check=True
    )
    assert done.stderr.splitlines()[-1].split() == ["0", *readers]
