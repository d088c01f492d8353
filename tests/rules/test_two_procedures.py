"""A second procedure is a folder of data: its package is laid beside the shipped one, without a line of Python."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import rules
from rules.authoring.diff import difference
from rules.authoring.examples import example_claim
from rules.authoring.trial import payer_part, try_examples, with_rows
from rules.book.book import Book
from rules.case import Case
from rules.claim import Claim, read_claim
from rules.engine.cases import case_of
from rules.engine.check import check
from rules.errors import BookInvalid
from rules.facts.beside import block_only, complexity_add_on, drug_administration, operations_of_day
from rules.facts.diagnoses import has_surgery
from rules.facts.operations import own_operations
from rules.facts.pairs import is_anesthesia
from rules.loader import book_files, load_book, read_book, read_untried
from rules.procedures import Procedure
from rules.report import Finding, Report
from tests.book import BOOK
from tests.corpus.stories import STORIES
from tests.corpus.test_coders_claims import CLAIMS
from tests.rules.another import FIRST, SECOND, book_of_two
from tests.sliced import sliced
from worker.pipeline.ledger import EMPTY, NOBODY, entry_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return book_of_two(tmp_path_factory.mktemp("book"))


@pytest.fixture(scope="module")
def two(folder: Path) -> Book:
    return load_book(folder, examples=False)


def claim(*procedures: str, **of_each_line: str) -> Claim:
    lines = [{"procedure": code, **of_each_line} for code in procedures]
    return read_claim(example_claim("practitioner", {"lines": lines}, payer_part(BOOK, "medicare")))


def looks(report: Report) -> list[str]:
    return [line.looked_at for line in report.lines]


def without_book(report: Report) -> Report:
    """What is said, whichever book says it."""
    return replace(report, book=BOOK_ID)


BOOK_ID = check(claim(FIRST), BOOK).book


def faults(report: Report, code: str) -> Iterator[Finding]:
    return (finding for finding in report.every if finding.rule.startswith(f"procedures/{code}/"))


def test_its_examples_pass(folder: Path) -> None:
    whole = read_untried(book_files(folder))
    assert list(whole.book.procedures) == [FIRST, SECOND]
    assert len(whole.book.rules) > len(BOOK.rules)
    for rule in whole.book.rules:
        if rule.layer == SECOND:
            try_examples(whole.book, rule, whole.documents[rule.file])
            assert whole.documents[rule.file].problems == []


@pytest.mark.slow
def test_the_examples_of_all_pass_beside_it(folder: Path) -> None:
    assert read_book(book_files(folder), examples=True).rules


ALONE = [story for story in STORIES if {FIRST} == {FIRST, SECOND} & {line.procedure for line in story.claim.lines}]


def told(story: Any) -> str:
    return f"{story.file}: {story.name}"


@pytest.mark.parametrize("story", sliced(ALONE, 6, told), ids=told)
def test_claims_without_it_are_judged_as_before(story: Any, two: Book) -> None:
    one, other = (
        check(story.claim, with_rows(book, story.tables), history=story.history) for book in (BOOK, two)
    )  # fmt: skip
    assert without_book(other) == without_book(one)


@pytest.mark.parametrize("name", CLAIMS)
def test_a_coders_claim_without_it_is_judged_as_before(name: str, two: Book) -> None:
    found = read_claim(CLAIMS[name])
    if any(line.procedure == SECOND for line in found.lines):
        pytest.skip("it has both")
    assert without_book(check(found, two)) == without_book(check(found, BOOK))


def test_a_claim_with_it_is_judged_in_depth(two: Book) -> None:
    assert looks(check(claim(SECOND), BOOK)) != ["deep"]
    report = check(claim(SECOND), two)
    assert (looks(report), report.disposition) == (["deep"], "billing")


def test_what_is_found_on_it_names_its_code(two: Book) -> None:
    report = check(claim(SECOND, units="3"), two)
    assert report.disposition == "rework"
    said = [f"{finding.title} {finding.message} {finding.fix}" for finding in faults(report, SECOND)]
    assert any(SECOND in text for text in said)
    assert not any(FIRST in text or "{" in text for text in said)


def test_a_claim_with_both_has_both_judged(two: Book) -> None:
    report = check(claim(FIRST, SECOND, units="3"), two)
    assert looks(report) == ["deep", "deep"]
    for number, code in enumerate((FIRST, SECOND), 1):
        assert {finding.line for finding in faults(report, code) if finding.code == "UNT001"} == {number}


def test_the_ledger_keeps_both(two: Book) -> None:
    entry = entry_of(claim(FIRST, SECOND, "99213"), "1790000000000-0", "digest", two.codes, NOBODY)
    assert [row.procedure for row in entry.rows] == [FIRST, SECOND]
    assert EMPTY.after(entry, billed=True, version="1790000000000-0", since=entry.day).entries


def test_what_it_adds_is_told_as_a_package_and_its_rules(folder: Path) -> None:
    changes = difference(book_files(), book_files(folder))
    about = [change for change in changes if change.file.endswith("/procedure.yaml")]
    assert [change.what for change in about] == ["procedure"]
    assert "femoral" in about[0].sentence
    assert not [change for change in changes if change.code is None and change.what == "added"]


def test_a_title_names_its_procedure_only_in_a_package(folder: Path) -> None:
    files = dict(book_files(folder))
    name = "form/common/CLM007-missing.yaml"
    files[name] = re.sub(rb"title: .*", b'title: "A code for {procedure}"', files[name], count=1)
    with pytest.raises(BookInvalid, match="stands for the code of a package"):
        read_book(files, examples=False)


def package_of(code: str, **more: Any) -> Procedure:
    return Procedure.model_validate({"procedure": code, "name": "of a joint", "codes": [code], **more})


def seen_as(package: Procedure, *codes: str) -> Case:
    """A claim of these codes, as a package outside the shipped one's neighborhood sees it."""
    case = case_of(claim(*codes), BOOK, None)
    lines = tuple(line for line in case.claim.lines if line.procedure in package.codes)
    return case._replace(layer=package.procedure, package=package, lines=lines)


JOINT = package_of("20610", akin=["20600", "20611"])


def test_a_procedure_far_from_the_nerves_is_no_operation_beside_itself() -> None:
    case = seen_as(JOINT, "20610", "20610", "J3301")
    assert not has_surgery(case)
    assert block_only(case)
    assert operations_of_day(case, case.lines[0]) == own_operations(case, case.lines[0]) == ()
    former = case._replace(former=True, cache={})
    assert own_operations(former, former.lines[0]) == ()


def test_what_is_akin_to_a_procedure_is_said_by_its_package() -> None:
    assert block_only(seen_as(JOINT, "20610", "20605"))
    assert not block_only(seen_as(JOINT, "20610", "64450")), "a nerve block is nothing like it"
    assert not block_only(seen_as(package_of("20610"), "20610", "20605"))
    block = seen_as(next(iter(BOOK.procedures.values())), FIRST, "64450", "64530")
    assert block_only(block)
    assert not has_surgery(block)
    # A package for an operation: another like it is none beside it, a third is.
    scope = package_of("29881", akin=["29880", "29881"])
    assert not has_surgery(seen_as(scope, "29881", "29880"))
    assert has_surgery(seen_as(scope, "29881", "29888"))


def test_companions_of_a_kind_are_said_by_the_package() -> None:
    codes = ("20610", "96372", "G2211")
    bare, named = seen_as(JOINT, *codes), seen_as(
        package_of("20610", companions=[
            {"from": "96360", "to": "96379", "why": "infusions", "kind": "administration"},
            {"from": "G2211", "to": "G2211", "why": "the add-on", "kind": "visit_add_on"}]), *codes)  # fmt: skip
    for fact, found in ((drug_administration, ("96372",)), (complexity_add_on, ("G2211",))):
        assert fact(bare, bare.lines[0]) == ()
        assert fact(named, named.lines[0]) == found


def test_no_number_of_the_first_package_stands_in_the_code() -> None:
    package = BOOK.procedures[FIRST]
    numbers = {*package.codes, *package.catheters, *(package.akin or ()), *(package.family or ())}
    numbers |= {one for each in package.companions if each.kind for one in (each.from_, each.to)}
    # Which anesthesia is no operation's is told by the section of anesthesia, whatever the procedure.
    numbers = {number for number in numbers if not is_anesthesia(number)}
    root = Path(rules.__file__).parent
    for file in root.rglob("*.py"):
        text = file.read_text("utf-8")
        assert not [number for number in numbers if f'"{number}"' in text], file
