"""How `scrub bench` shows its tables."""

from __future__ import annotations

from pathlib import Path

from .conftest import Run

MEASURES_NOTHING = """
import worker.bench.rules
from worker.bench.tables import Section
section = Section("The pipe, by batch size, one process [1]", ("batch", "claims/s"), [(1, 993)], note="A note.")
worker.bench.rules.beside = lambda *rest, **more: section
"""


def test_a_title_that_is_wider_than_its_table_stays_on_one_line(scrub: Run, home: Path) -> None:
    (home / "shim").mkdir()
    (home / "shim/sitecustomize.py").write_text(MEASURES_NOTHING)
    done = scrub("bench", "rivals", PYTHONPATH=str(home / "shim"))
    assert (done.returncode, done.stderr) == (0, "")
    title, head, row, note, *_ = done.stdout.splitlines()
    assert title == "The pipe, by batch size, one process [1]"
    assert (head.split(), row.split(), note) == (["batch", "claims/s"], ["1", "993"], "A note.")
