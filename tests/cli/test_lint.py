"""`scrub rules lint` in the formats that tools read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft4Validator

from rules.loader import LIBRARY
from tests.book import shelf

from .conftest import Run

SCHEMA = json.loads((Path(__file__).parent / "schema/sarif-2.1.0.json").read_text(encoding="utf-8"))
"""OASIS, SARIF 2.1.0 with errata 01: https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/"""
FILE = "procedures/64445/medicare/UNT001-one-unit.yaml"


@pytest.fixture
def faulty(home: Path) -> Path:
    """A library with a fault, and with a source that wanted a review long ago."""
    shelf(home / "our book", "UNT")
    path = home / "our book" / FILE
    path.write_text(path.read_text().replace("severity: block", "severity: loud, 100% of it"))
    sources = home / "our book/sources.yaml"
    sources.write_text(sources.read_text().replace("review_by: 2027-01-31", "review_by: 2020-01-31", 1))
    return home / "our book"


def test_sarif_holds_to_its_schema_and_names_file_line_and_column(scrub: Run, faulty: Path) -> None:
    done = scrub("rules", "lint", "--book", faulty, "--format", "sarif")
    log: dict[str, Any] = json.loads(done.stdout)
    Draft4Validator(SCHEMA).validate(log)
    fault, review = log["runs"][0]["results"]
    place = fault["locations"][0]["physicalLocation"]
    assert (done.returncode, fault["level"], fault["ruleId"]) == (1, "error", "fault")
    assert place["artifactLocation"]["uri"] == f"our%20book/{FILE}"
    assert place["region"]["startLine"] > 1
    assert (review["level"], review["ruleId"]) == ("warning", "review")
    assert {rule["id"] for rule in log["runs"][0]["tool"]["driver"]["rules"]} == {"fault", "review"}


def test_what_is_to_be_looked_up_is_a_warning_at_its_place(scrub: Run, home: Path) -> None:
    shelf(home / "our book", "UNT")
    sources = home / "our book/sources.yaml"
    item = "a: {title: T, publisher: P, starts: 2023-01-01, grade: A, watch: [{due: 2020-02-01, what: W, rules: [UNT001]}]}"
    sources.write_text(f"{sources.read_text()}{item}\n")
    done = scrub("rules", "lint", "--book", "our book", "--format", "json")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    (one,) = [one for one in found if one["path"] == "a.watch[0]"]
    assert (done.returncode, one["level"]) == (0, "warning")
    assert one["line"] == len(sources.read_text().splitlines())
    assert "2020-02-01: W (rules UNT001)" in one["sentence"]


def test_a_sound_book_is_a_sarif_log_without_results(scrub: Run, home: Path) -> None:
    done = scrub("rules", "lint", "--book", shelf(home / "our book", "UNT"), "--format", "sarif")
    log = json.loads(done.stdout)
    Draft4Validator(SCHEMA).validate(log)
    assert (done.returncode, [one for one in log["runs"][0]["results"] if one["level"] == "error"]) == (0, [])


def test_github_annotations_are_escaped(scrub: Run, faulty: Path) -> None:
    done = scrub("rules", "lint", "--book", "our book", "--format", "github")
    fault, review = done.stdout.splitlines()
    assert fault.startswith(f"::error file=our book/{FILE},line=")
    assert ",title=rule book::versions[0].severity: expected" in fault
    assert review.startswith("::warning file=our book/sources.yaml,line=")
    assert done.returncode == 1


def test_what_could_break_an_annotation_is_escaped() -> None:
    from rules.errors import RuleProblem
    from worker.cli.lint import Remark, github

    text = github(Remark("fault", "a,b:c.yaml", RuleProblem("", 1, 2, "", "100%\nof")))
    assert text == "::error file=a%2Cb%3Ac.yaml,line=1,col=2,title=rule book::100%25%0Aof"


def test_json_has_one_object_a_line(scrub: Run, faulty: Path) -> None:
    done = scrub("rules", "lint", "--book", faulty, "--format", "json")
    assert done.returncode == 1
    fault, review = map(json.loads, done.stdout.splitlines())
    assert (fault["level"], fault["path"], review["level"]) == ("error", "versions[0].severity", "warning")
    assert fault["file"] == f"our book/{FILE}"


def test_a_source_that_is_due_is_reported_and_is_no_fault(scrub: Run, home: Path, faulty: Path) -> None:
    (faulty / FILE).write_bytes((LIBRARY / FILE).read_bytes())
    done = scrub("rules", "lint", "--book", faulty)
    assert done.returncode == 0
    assert "wants a review since 2020-01-31" in done.stdout
    assert "No fault in" in done.stdout


def test_a_book_without_sources_is_reported_as_such(scrub: Run, faulty: Path) -> None:
    (faulty / "sources.yaml").unlink()
    done = scrub("rules", "lint", "--book", faulty)
    assert done.returncode == 1
    assert "our book/sources.yaml:1:1: the file is empty" in done.stdout
