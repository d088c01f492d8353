"""The author's commands as a user runs them: new, test, explain, docs."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import time
from collections.abc import Callable
from datetime import date
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from rules.authoring.trial import ROLES
from rules.book.rulefile import read_document
from rules.claim import Role
from rules.loader import LIBRARY, book_files, read_book
from tests.book import BOOK
from tests.book import shelf as shelf_of
from worker.cli.author import RuleDraft

from .conftest import CLEAN, FAULTY, SCRUB, Run, environment

NEW = (
    "rules",
    "new",
    "--book",
    "book",
    "--title",
    "A title: with signs",
    "--source",
    "coding-document",
    "--locator",
    "p. 1",
)
NEXT = f"UNT{1 + max(int(rule.code[3:]) for rule in BOOK.rules if rule.code.startswith('UNT')):03}"


@pytest.fixture
def shelf(home: Path) -> Path:
    return shelf_of(home / "book", "UNT")


def unboxed(text: str) -> str:
    """A message without the box that it is shown in."""
    return re.sub(r"[\s│]+", " ", text)


@pytest.mark.slow
def test_a_new_rule_lints_and_takes_the_next_free_number(scrub: Run, shelf: Path) -> None:
    done = scrub(*NEW, "--code", "unt", "--payer", "aetna")
    assert (done.returncode, done.stderr) == (0, "")
    path = shelf / f"procedures/64445/aetna/{NEXT}-a-title-with-signs.yaml"
    written = read_document("x", path.read_text()).data
    assert (written["code"], written["status"], written["title"]) == (NEXT, "draft", "A title: with signs")
    assert [example["expect"] for example in written["examples"]] == ["pass", "fail", "out_of_range"]
    assert scrub("rules", "lint", "--book", "book").returncode == 0
    following = [line for line in done.stdout.splitlines() if line.startswith("  scrub ")]
    assert following
    for line in following:
        assert scrub(*line.split()[1:]).returncode == 0, line
    again = scrub(*NEW, "--code", NEXT, "--payer", "aetna")
    assert (again.returncode, "is there already" in unboxed(again.stderr)) == (2, True)


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (("--payer", "aetna"), "--code is missing"),
        (("--code", "UNT"), "--payer is missing"),
        (("--code", "units", "--payer", "all"), "expected three letters and three digits"),
        (("--code", "UNT", "--payer", "cinga"), "did you mean 'cigna'?"),
        (("--code", "UNT", "--payer", "all", "--bills-as", "hospital"), "unknown billing role 'hospital'"),
        (("--code", "UNT", "--payer", "all", "--source", "nothing"), "is not in sources.yaml"),
        (
            ("--code", "UNT", "--payer", "all", "--source", "cms-ncci-pm"),
            "add the document there first; did you mean 'cms-ncci-pm-2026'?",
        ),
        (("--code", "UNT", "--payer", "all", "--from", "soon"), "expected YYYY-MM-DD"),
    ],
)
def test_what_is_missing_or_unknown_is_reported_and_nothing_is_written(
    scrub: Run, shelf: Path, more: tuple[str, ...], sentence: str
) -> None:
    before = sorted(shelf.rglob("*"))
    done = scrub(*NEW, *more)
    assert done.returncode == 2
    assert sentence in unboxed(done.stderr)
    assert sorted(shelf.rglob("*")) == before


def test_a_severity_that_its_grade_does_not_carry_is_refused_and_nothing_is_written(scrub: Run, shelf: Path) -> None:
    done = scrub(*NEW, "--code", "UNT", "--payer", "all", "--severity", "block")
    assert done.returncode == 1
    assert "grade B may carry warn or note, not block" in done.stderr
    assert not list(shelf.rglob(f"{NEXT}*"))


def test_on_a_terminal_it_asks_for_what_is_not_given(home: Path, shelf: Path) -> None:
    parent, child = pty.openpty()
    answers = ["UNT", "One unit", "medicare, uhc", "coding-document", "page 2", "2026-02-01"]
    with subprocess.Popen(
        [*SCRUB, "rules", "new", "--book", "book"], stdin=child, stdout=child, stderr=child, cwd=home,
        env=environment(home), start_new_session=True,
    ) as process:  # fmt: skip
        os.close(child)
        seen = b""
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            try:
                seen += os.read(parent, 4096)
            except OSError:
                break
            if answers and seen.rstrip().endswith((b":", b"]:")):
                os.write(parent, answers.pop(0).encode() + b"\n")
                seen += b"\n."
        process.wait(10)
    os.close(parent)
    assert process.returncode == 0, seen
    (written,) = shelf.glob("procedures/64445/common/UNT*-one-unit.yaml")
    assert "{from: 2026-02-01}" in written.read_text()


@pytest.mark.parametrize(("scope", "status"), list(product(("line", "claim"), ("draft", "active"))))
def test_every_kind_of_new_rule_is_sound(scope: Any, status: Any) -> None:
    files = book_files()
    grades: list[tuple[Any, str, Any]] = [
        ("A", "registry", "block"),
        ("B", "coding-document", "warn"),
        ("S", "claim", "block"),
    ]
    payers = [("all",), ("medicare",), ("bcbs/ibx",), ("aetna", "cigna")]
    roles: list[tuple[Role, ...]] = [ROLES, *((role,) for role in ROLES)]
    more = {}
    for number, (chosen, who, (grade, source, severity)) in enumerate(product(payers, roles, grades), 100):
        plan = RuleDraft(
            f"UNT{number}",
            'A "title"',
            chosen,
            who,
            scope,
            status,
            date(2027, 3, 1),
            severity,
            source,
            "x: y",
            grade,
            "procedures/64445/",
        )
        more[plan.file] = plan.text().encode()
    assert len(read_book({**files, **more}).rules) == len(BOOK.rules) + len(more)


def test_examples_of_a_code_are_listed_one_by_one(scrub: Run) -> None:
    done = scrub("rules", "test", "UNT001-one-unit")
    assert done.returncode == 0
    assert "right  two units: fail" in done.stdout
    assert "11 examples: all as expected" in done.stdout


def test_an_example_that_is_not_as_expected_is_reported_with_its_place(scrub: Run, shelf: Path) -> None:
    path = shelf / "procedures/64445/medicare/UNT001-one-unit.yaml"
    path.write_text(path.read_text().replace("units: 2}]}, expect: fail", "units: 2}]}, expect: pass", 1))
    done = scrub("rules", "test", "--book", "book", "UNT001")
    assert done.returncode == 1
    assert re.search(
        r"wrong  procedures/64445/medicare/UNT001-one-unit.yaml:\d+:\d+: example 'two units' expects pass", done.stdout
    )


def test_a_corpus_is_judged_by_the_whole_book(scrub: Run, home: Path) -> None:
    for folder, story in (
        ("good", "{name: clean}"),
        ("denied", "{name: two, claim: {lines: [{units: 2}]}, code: UNT001}"),
    ):
        (home / "ours" / folder).mkdir(parents=True)
        (home / "ours" / folder / "a.yaml").write_text(f"payer: medicare\nstories:\n  - {story}\n")
    done = scrub("rules", "test", "UNT001", "--corpus", "ours")
    assert "2 claims of ours: 1 not as expected" in done.stdout
    assert "'two': block ['UNT001', 'UNT002'] instead of ['UNT001']" in done.stdout
    assert done.returncode == 1
    (home / "ours/good/a.yaml").write_text("stories: [{nmae: x}]\n")
    broken = scrub("rules", "test", "UNT001", "--corpus", "ours")
    assert (broken.returncode, "good/a.yaml:1:" in broken.stderr) == (2, True)
    assert scrub("rules", "test", "--corpus", "nowhere").returncode == 2


def test_explain_shows_each_condition_with_the_value_that_it_saw(scrub: Run, write: Callable[..., Path]) -> None:
    claims = write("claims.ndjson", CLEAN, FAULTY)
    done = scrub("rules", "explain", claims, "UNT003-whole-professional")
    assert done.returncode == 0
    assert re.search(r"requires +true +all of\n.*units is more than 0  \[units = 1\]", done.stdout)
    told = scrub("rules", "explain", claims, "UNT003", "--claim-id", FAULTY["claim_id"], "--format", "json")
    (line,) = told.stdout.splitlines()
    rules = json.loads(line)["rules"]
    assert json.loads(line)["claim_id"] == FAULTY["claim_id"]
    assert {bool(rule["not_run"]) for rule in rules} == {True, False}


def test_explain_refuses_what_it_cannot_read_or_find(scrub: Run, write: Callable[..., Path]) -> None:
    claims = write("claims.ndjson", CLEAN)
    assert scrub("rules", "explain", claims, "UNT999").returncode == 2
    assert scrub("rules", "explain", claims, "UNT001", "--claim-id", "X").returncode == 2
    assert scrub("rules", "explain", "nowhere.json", "UNT001").returncode == 2


def test_no_patient_is_in_an_explanation(scrub: Run, write: Callable[..., Path]) -> None:
    claim = CLEAN | {
        "subscriber": {"member_id": "CANARY123"},
        "patient": {"birth_date": "1961-02-03", "sex": "F", "first_name": "CANARIA"},
    }
    of_uhc = claim | {"payer": {"id": "87726"}}
    for code, data, asked in (
        ("IDN004", claim, "member id is mbi"),
        ("IDN006", of_uhc, "member id"),
        ("CLM006", claim, "serves before birth"),
    ):
        done = scrub("rules", "explain", write("c.json", data), code)
        assert (done.returncode, done.stderr) == (0, "")
        assert re.search(rf"(requires|forbids|applies when)  .*{asked}", done.stdout), "it says what it looked at"
        assert not re.search("CANARY|CANARIA|1961", done.stdout)


def test_the_page_needs_no_network_and_has_every_rule(scrub: Run, home: Path) -> None:
    assert scrub("rules", "docs", "-o", "c.html").returncode == 0
    text = (home / "c.html").read_text(encoding="utf-8")
    assert text.count('<details class="rule"') == len(BOOK.rules)
    assert not re.search(r"<(script|link|img|iframe)[^>]*(src|href)=(?!\"data:)", text)
    assert "<!--" not in text
    assert 'Content-Security-Policy" content="default-src' in text


def test_a_title_cannot_put_a_script_on_the_page(scrub: Run, home: Path, shelf: Path) -> None:
    path = shelf / "procedures/64445/medicare/UNT001-one-unit.yaml"
    path.write_text(re.sub("title: .*", 'title: "<script>alert(1)</script>"', path.read_text()))
    assert scrub("rules", "docs", "--book", "book", "-o", "c.html").returncode == 0
    assert "<script>alert" not in (home / "c.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_stale_catalogue_is_reported(scrub: Run, home: Path, shelf: Path) -> None:
    docs = ("rules", "docs", "--book", "book", "-o", "CATALOGUE.md")
    assert scrub(*docs, "--check").returncode == 1
    assert scrub(*docs).returncode == 0
    assert scrub(*docs, "--check").returncode == 0
    path = shelf / "procedures/64445/medicare/UNT001-one-unit.yaml"
    path.write_text(path.read_text().replace("Set units to 1.", "Bill one unit."))
    stale = scrub(*docs, "--check")
    assert (stale.returncode, "is not up to date" in stale.stderr) == (1, True)
    assert scrub("rules", "docs", "-o", "x.txt").returncode == 2


def test_the_catalogue_in_the_repository_names_every_code_and_links_to_files_that_are_there() -> None:
    file = LIBRARY.parent / "CATALOGUE.md"
    text = file.read_text(encoding="utf-8")
    assert {rule.code for rule in BOOK.rules} == set(re.findall(r"^### (\w+)$", text, re.MULTILINE))
    links = re.findall(r"\]\((library/[^)]+)\)", text)
    assert links
    assert all((file.parent / link).is_file() for link in links)
