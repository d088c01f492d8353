"""`scrub rules prove` as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.book import shelf as shelf_of

from .conftest import Run


@pytest.fixture
def shelf(home: Path) -> Path:
    return shelf_of(home / "book", "POS", "UNT")


def twin(shelf: Path) -> Path:
    (path,) = shelf.rglob("POS002-unusual*.yaml")
    copy = path.with_name("POS009-copy.yaml")
    copy.write_text(path.read_text("utf-8").replace("code: POS002", "code: POS009"), "utf-8")
    return copy


def test_a_proven_book_is_summed_up(scrub: Run, shelf: Path) -> None:
    done = scrub("rules", "prove", "--book", "book")
    assert (done.returncode, done.stderr) == (0, "")
    proven, coverage = done.stdout.splitlines()
    assert "pairs compared" in proven
    assert coverage.startswith("Examples reach ")


def test_faults_are_listed_by_file_line_and_column(scrub: Run, shelf: Path) -> None:
    copy = twin(shelf)
    done = scrub("rules", "prove", "--book", "book")
    assert (done.returncode, done.stderr) == (1, "1 fault\n")
    line = 1 + next(n for n, text in enumerate(copy.read_text().splitlines()) if text.startswith("  - effective"))
    first = done.stdout.splitlines()[0]
    assert first.startswith(f"{copy.relative_to(shelf.parent)}:{line}:5: versions[0]: says what versions[0] of ")


def test_json_has_the_faults_and_what_the_examples_of_each_rule_reach(scrub: Run, shelf: Path) -> None:
    twin(shelf)
    done = scrub("rules", "prove", "--book", "book", "--format", "json")
    fault, *coverage = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.returncode, fault["kind"], fault["path"]) == (1, "fault", "versions[0]")
    assert {one["kind"] for one in coverage} == {"coverage"}
    assert all(one["wanted"] - one["reached"] == len(one["missing"]) for one in coverage)


def test_a_corpus_that_is_none_is_bad_usage(scrub: Run, shelf: Path) -> None:
    (shelf.parent / "none").mkdir()
    assert scrub("rules", "prove", "--book", "book", "--corpus", "none").returncode == 2


def test_the_examples_of_a_rule_are_listed_with_what_none_of_them_shows(scrub: Run, shelf: Path) -> None:
    (path,) = shelf.rglob("POS002-unusual*.yaml")
    kept = [line for line in path.read_text("utf-8").splitlines() if '"the home"' in line or '"place 11"' in line]
    text = path.read_text("utf-8").partition("examples:\n")[0]
    path.write_text(text + "examples:\n" + "\n".join(kept) + "\n", "utf-8")
    done = scrub("rules", "test", "--book", "book", path.stem)
    assert "of 10 outcomes and answers of its tests are shown by an example" in done.stdout
    assert (
        'missing  applies when: "place of service is none of 01, 02, 10, 41, 42, 60, 81" is false in no example'
        in done.stdout
    )
