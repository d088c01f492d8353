"""How the benchmark shows its tables."""

from __future__ import annotations

import pytest

from worker.bench.tables import Section
from worker.cli.bench import _show


def test_a_title_that_is_wider_than_its_table_stays_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    _show(Section("The pipe, by batch size, one process [1]", ("batch", "claims/s"), [(1, 993)], note="A note."))
    title, head, row, note, *_ = capsys.readouterr().out.splitlines()
    assert title == "The pipe, by batch size, one process [1]"
    assert (head.split(), row.split(), note) == (["batch", "claims/s"], ["1", "993"], "A note.")
