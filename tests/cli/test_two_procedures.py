"""The author's commands on a book with a second procedure."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rules.authoring.examples import example_claim
from tests.rules.another import FIRST, SECOND, book_of_two

from .conftest import Run


@pytest.mark.slow
def test_the_commands_work_on_a_book_of_two_procedures(scrub: Run, home: Path) -> None:
    folder = book_of_two(home)
    lines = {"lines": [{"procedure": FIRST}, {"procedure": SECOND, "units": "3"}]}
    claim = example_claim("practitioner", lines, {"id": "04412", "filing_indicator": "MB"})
    (folder.parent / "claim.json").write_text(json.dumps(claim), "utf-8")
    done = scrub("check", "--book", "two", "--format", "json", "claim.json")
    report = json.loads(done.stdout)
    assert (done.returncode, [line["looked_at"] for line in report["lines"]]) == (1, ["deep", "deep"])
    new = ("--code", "UNT", "--payer", "medicare", "--title", "One", "--source", "coding-document", "--locator", "p")
    assert scrub("rules", "new", "--book", "two", *new, "--layer", SECOND).returncode == 0
    (written,) = (folder / "procedures" / SECOND / "medicare").glob("UNT*-one.yaml")
    assert scrub("rules", "lint", "--book", "two").returncode == 0
    assert scrub("rules", "test", "--book", "two", written.stem).returncode == 0
    assert scrub("rules", "docs", "--book", "two", "-o", "two.md").returncode == 0
    assert f"procedures/{SECOND}/" in (folder.parent / "two.md").read_text("utf-8")
