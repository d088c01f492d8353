"""`scrub rules`, `scrub --help` and `scrub --version`."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from functools import cache
from pathlib import Path
from zlib import crc32

import pytest
from typer.testing import CliRunner

from tests.book import BOOK, shelf
from worker.cli import app, rules

from .conftest import SCRUB, Run, environment
from .test_check import _on_terminal as on_terminal


def test_list_has_every_rule_and_its_filters_leave_some(scrub: Run) -> None:
    every = scrub("rules", "list")
    assert every.returncode == 0
    assert len(every.stdout.splitlines()) == len(BOOK.rules), "in a pipe, a line is a rule"
    some = scrub("rules", "list", "--payer", "medicare", "--severity", "block", "--grade", "A", "--format", "json")
    found = [json.loads(line) for line in some.stdout.splitlines()]
    assert found
    assert all(rule["versions"][-1]["severity"] == "block" for rule in found)
    assert all({"all", "medicare"} & set(rule["payers"]) for rule in found)
    assert "UNT001" in {rule["code"] for rule in found}


def test_on_a_terminal_the_list_has_heads_and_a_sum_and_fits(home: Path) -> None:
    lines = on_terminal(home, ["rules", "list", "--subject", "POS"], NO_COLOR="1").splitlines()
    assert lines[0].split() == ["code", "severity", "grade", "status", "dates", "of", "service", "payers", "title"]
    assert lines[-1].startswith("7 rules under 4 codes.")
    assert max(map(len, lines)) <= 80


def codes(scrub: Run, *filters: str) -> set[str]:
    return {line.split()[0] for line in scrub("rules", "list", *filters).stdout.splitlines()}


def test_list_finds_a_subject_by_letters_and_by_words(scrub: Run) -> None:
    assert {code[:3] for code in codes(scrub, "--subject", "UNT")} == {"UNT"}
    assert codes(scrub, "--subject", "MOD004") == {"MOD004"}
    assert {"TIM001", "TIM002"} <= codes(scrub, "--subject", "timely")


def test_list_on_a_date_shows_the_versions_in_force_then(scrub: Run) -> None:
    shown = scrub("rules", "list", "--subject", "MOD006", "--payer", "uhc").stdout.splitlines()
    assert any("since 2026-02-01" in line for line in shown)
    assert "UNT001" not in codes(scrub, "--payer", "medicare", "--subject", "UNT001", "--on", "2023-06-01")
    assert "UNT001" in codes(scrub, "--payer", "medicare", "--subject", "UNT001", "--on", "2026-06-01")
    assert scrub("rules", "list", "--on", "yesterday").returncode == 2


def test_list_shows_drafts(scrub: Run, home: Path) -> None:
    assert codes(scrub, "--status", "draft") == {"COV010"}
    path = _library(home) / "procedures/64445/medicare/UNT001-one-unit.yaml"
    path.write_text(path.read_text().replace("status: active", "status: draft"))
    assert codes(scrub, "--status", "draft", "--book", "book") == {"COV010", "UNT001"}


def test_a_list_without_rules_says_so_beside_the_output(scrub: Run) -> None:
    done = scrub("rules", "list", "--subject", "XYZ")
    assert (done.returncode, done.stdout) == (0, "")
    assert "no rule" in done.stderr


def _library(home: Path) -> Path:
    return shelf(home / "book", "COV010", "UNT")


def test_facts_are_listed_with_what_they_say(scrub: Run) -> None:
    done = scrub("rules", "facts", "units_of")
    assert done.stdout.splitlines()[0].split()[:3] == ["possible_units_of_day", "line", "number"]
    (units, *_) = [
        json.loads(line) for line in scrub("rules", "facts", "units_are", "--format", "json").stdout.splitlines()
    ]
    assert units["tests"] == ["is", "missing"]


@pytest.mark.parametrize("payer", ["nobody", "bcbs/nowhere"])
def test_an_unknown_payer_or_plan_is_bad_usage(scrub: Run, payer: str) -> None:
    done = scrub("rules", "list", "--payer", payer)
    assert done.returncode == 2
    assert payer.split("/")[-1] in done.stderr


def test_show_tells_what_a_rule_says_to_whom_and_who_says_so(scrub: Run) -> None:
    done = scrub("rules", "show", "unt001")
    assert done.returncode == 0
    for text in ("payers", "medicare", "requires", "units is at most 1", "CO-151 N362", "[grade A]", "examples"):
        assert text in done.stdout
    shown = scrub("rules", "show", "UNT001", "--format", "json").stdout.splitlines()
    assert len(shown) == sum(rule.code == "UNT001" for rule in BOOK.rules)
    assert all(json.loads(line)["document"]["examples"] for line in shown)


@pytest.mark.parametrize("one_in", [6, pytest.param(1, marks=pytest.mark.slow)])
def test_rules_of_the_library_can_be_shown(one_in: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # In this process, and the library is read once: as processes they would take minutes.
    monkeypatch.setattr(rules, "read_untried", cache(rules.read_untried))
    codes = {rule.code for rule in BOOK.rules if crc32(rule.code.encode()) % one_in == 0}
    shown = set()
    for code in codes:
        done = CliRunner().invoke(app, ["rules", "show", code])
        assert (done.exit_code, done.stderr) == (0, ""), code
        assert "  examples\n" in done.stdout
        shown |= {line for line in done.stdout.splitlines() if line.startswith(code)}
    drafts = {True: "  (draft)", False: ""}
    assert shown == {
        f"{rule.code}  {rule.title}{drafts[rule.status == 'draft']}" for rule in BOOK.rules if rule.code in codes
    }


def test_show_suggests_the_code_that_was_meant(scrub: Run) -> None:
    done = scrub("rules", "show", "UNT01")
    assert done.returncode == 2
    assert "UNT001" in done.stderr


def test_lint_of_a_library_is_clean(scrub: Run, home: Path) -> None:
    """Of all of it, `make lint` says so."""
    done = scrub("rules", "lint", "--book", _library(home))
    assert done.returncode == 0
    assert done.stdout.startswith("No fault in ")


def test_lint_lists_all_faults_with_their_places_and_ends_with_1(scrub: Run, home: Path) -> None:
    _library(home)
    for file, old, new in (
        ("procedures/64445/medicare/UNT001-one-unit.yaml", "severity: block", "severity: loud"),
        ("payers/uhc.yaml", "name:", "nmae:"),
    ):
        path = home / "book" / file
        path.write_text(path.read_text().replace(old, new, 1))
    done = scrub("rules", "lint", "--book", "book")
    assert done.returncode == 1
    assert any(
        line.startswith("book/procedures/64445/medicare/UNT001-one-unit.yaml:") for line in done.stdout.splitlines()
    )
    assert any(line.startswith("book/payers/uhc.yaml:") for line in done.stdout.splitlines())


def test_lint_of_a_folder_without_a_book_ends_with_2(scrub: Run) -> None:
    done = scrub("rules", "lint", "--book", "nowhere")
    assert done.returncode == 2
    assert "no rule book" in done.stderr


@pytest.mark.parametrize(
    "command",
    [
        "",
        "check",
        "submit",
        "worker",
        "status",
        "tail",
        "demo",
        "rules",
        "rules list",
        "rules show",
        "rules facts",
        "rules explain",
        "rules lint",
        "rules test",
        "rules new",
        "rules docs",
        "audit verify",
        "audit retire",
        "audit lost",
        "secret rotate",
        "secret list",
        "producer add",
        "producer list",
        "producer remove",
        "migrate",
        "snapshot",
        "restore",
    ],
)
def test_every_command_explains_itself(scrub: Run, command: str) -> None:
    done = scrub(*command.split(), "--help")
    assert done.returncode == 0
    assert "Usage" in done.stdout
    if command and command != "rules":
        assert "Example" in done.stdout


def test_python_m_worker_is_the_same(home: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "worker", "--version"], capture_output=True, cwd=home, env=environment(home), check=True
    )
    assert done.stdout.startswith(b"claim-scrubber ")


def test_version_and_help_are_quick(home: Path) -> None:
    """The program itself, which imports no more than it needs."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    done = subprocess.run([*SCRUB, "--help"], capture_output=True, cwd=home, env=environment(home), check=True)
    assert b"Usage" in done.stdout
    took = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
    assert took < 1, "about 0.3 s of processor time; heavy imports take 1 s more"


def test_settings_that_are_wrong_are_reported(scrub: Run) -> None:
    done = scrub("status", SCRUB_BATCH="many")
    assert done.returncode == 2
    assert "SCRUB_BATCH" in done.stderr
