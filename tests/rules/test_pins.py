"""What an override pins is the rule, wherever its file lies; what hospitals pinned before is judged as it was.

Elsewhere: baselines by path, which call all that was accepted new once a file is moved (fallow-rs/fallow#2066,
macanderson/stella#2972, peteromallet/desloppify#565); checksums made otherwise by the next release, which then says
"mismatch" of what nobody changed (flyway/flyway#2027, marianozunino/morpheus#48); nodes of two releases that disagree on
a hash while both run (opensearch-project/security#5089, redpanda-data/redpanda#6837).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import orjson
import pytest

from rules.book.book import Book
from rules.book.overridden import overridden
from rules.book.override import Override
from rules.book.overridefile import PIN, read_overrides
from rules.book.overrides import former_file
from rules.book.rule import Rule
from rules.claim import read_claim
from rules.engine.check import check
from rules.loader import read_book
from tests.former import CHANGED, DIGEST, JUDGED, OVERRIDES, PINS, deeper_book, files, old_book
from worker.rejudging.replay import without

DAY = date(2026, 11, 29)
FILES = [name for name in PINS if "/" in name]
CODES = [name for name in PINS if "/" not in name]
BOOKS = pytest.mark.parametrize("book", [old_book, deeper_book])
MUE = "64445/medicare/UNT002-mue"


def text_of(pins: dict[str, str]) -> str:
    """A file of overrides with one for each rule or code."""
    lines = (
        f'  - {{name: o-{number}, rule: {rule}, severity: note, reason: r, owner: o, expires: 2030-06-30, written_for: "{pin}"}}\n'
        for number, (rule, pin) in enumerate(pins.items())
    )
    return "overrides:\n" + "".join(lines)


def read(pins: dict[str, str], book: Book) -> dict[str, Override]:
    return dict(zip(pins, read_overrides("o.yaml", text_of(pins), book), strict=True))


def told(rules: list[str], book: Book) -> dict[str, str]:
    """The pins as the command tells them."""
    return {name: entry.pin[:PIN] for name, entry in read(dict.fromkeys(rules, "0" * PIN), book).items()}


def pin_of_0_1_1(rules: list[Rule]) -> str:
    """As that release made it, and 0.1.0."""
    text = "".join(f"{rule.file} {rule.digest} {rule.status}\n" for rule in sorted(rules, key=lambda rule: rule.file))
    return hashlib.sha256(text.encode()).hexdigest()


def edited(name: str, old: bytes, new: bytes) -> Book:
    library = dict(files().library)
    assert library[name].count(old) == 1
    return read_book({**library, name: library[name].replace(old, new)}, examples=False)


@BOOKS
@pytest.mark.parametrize(("rules", "count"), [(FILES, 202), (CODES, 86)])
def test_a_pin_of_0_1_0_is_up_to_date_on_the_rules_of_that_release_wherever_they_lie(
    rules: list[str], count: int, book: Callable[[], Book]
) -> None:
    found = read({name: PINS[name] for name in rules}, book())
    assert len(found) == count
    assert [name for name, entry in found.items() if entry.outdated] == []


@pytest.mark.parametrize("rules", [FILES, CODES])
def test_a_pin_of_this_release_is_the_same_wherever_the_rules_lie(rules: list[str]) -> None:
    pins = told(rules, old_book())
    assert told(rules, deeper_book()) == pins
    assert len(set(pins.values())) > 80
    assert not any(entry.outdated for book in (old_book(), deeper_book()) for entry in read(pins, book).values())


def test_a_rule_file_is_found_by_its_path_of_0_1_0_and_by_the_one_it_has() -> None:
    there = MUE.replace("64445/", "64445/nerve-blocks/")
    (by_old,), (by_new,) = (read({name: PINS[MUE]}, deeper_book()).values() for name in (MUE, there))
    assert by_old.files == by_new.files == {there}


@pytest.mark.parametrize(
    ("old", "new", "outdated"),
    [
        (b"severity: block", b"severity: warn", True),
        (b"status: active", b"status: draft", True),
        (b"code: UNT002", b"code: UNT002  # looked at", False),
    ],
)
@pytest.mark.parametrize("rule", ["UNT002", MUE])
def test_a_pin_of_either_form_is_outdated_once_the_rule_says_something_else(
    rule: str, old: bytes, new: bytes, outdated: bool
) -> None:
    book = edited(f"{MUE}.yaml", old, new)
    for pin in (PINS[rule], told([rule], old_book())[rule]):
        (entry,) = read({rule: pin}, book).values()
        assert entry.outdated is outdated


def test_a_pin_of_a_code_is_outdated_once_another_rule_has_the_code() -> None:
    twin = files().library[f"{MUE}.yaml"]
    more = {**files().library, "64445/nerve-blocks/medicare/UNT002-mue.yaml": twin}
    book = read_book(more, examples=False)
    for pin in (PINS["UNT002"], told(["UNT002"], old_book())["UNT002"]):
        assert read({"UNT002": pin}, book)["UNT002"].outdated


@BOOKS
def test_overrides_of_every_kind_of_0_1_0_are_judged_as_that_release_did(book: Callable[[], Book]) -> None:
    entries = read_overrides("o.yaml", OVERRIDES, book())
    assert {entry.kind for entry in entries} == {"rule", "filing_limit", "authorization", "payer_ids"}
    assert [entry.name for entry in entries if entry.outdated] == [CHANGED]
    renewed = re.sub(r'(written_for: )"\w+"', r'\1"{}"', OVERRIDES).format(*(entry.pin[:PIN] for entry in entries))
    assert renewed != OVERRIDES
    assert [entry.name for entry in read_overrides("o.yaml", renewed, book()) if entry.outdated] == []


def in_words_of_0_1_0(report: dict[str, Any]) -> dict[str, Any]:
    """The report without the keys that findings have since; by a book of that time they say nothing."""
    for finding in (*report["findings"], *report["shadow"], *report["overridden"]):
        assert finding.pop("because") == []
        assert finding.pop("fault") is None
        assert finding.pop("cause") in (None, "filing_limit")  # of the hospital's contract
    return without(report)


@BOOKS
def test_reports_are_those_of_0_1_0_but_for_the_folders_of_moved_rules(book: Callable[[], Book]) -> None:
    found = overridden(book(), read_overrides("o.yaml", OVERRIDES, book()), DAY)
    assert (found.digest == DIGEST) is (book is old_book)
    assert len(JUDGED) == 8
    for one in JUDGED:
        now = orjson.dumps(check(read_claim(one["claim"]), found), default=str)
        now = now.replace(b"64445/nerve-blocks/", b"64445/").replace(found.digest.encode(), DIGEST.encode())
        assert in_words_of_0_1_0(orjson.loads(now)) == one["report"]


def test_a_worker_of_0_1_1_reads_a_pin_of_this_release_as_outdated_and_judges_no_claim_otherwise() -> None:
    """So nobody renews pins while both releases run; the pins of before are up to date for both."""
    book = old_book()
    pins = told(CODES, book)
    rules = {code: [rule for rule in book.rules if rule.code == code] for code in CODES}
    before = {code: pin_of_0_1_1(found) for code, found in rules.items()}
    assert {code: pin[:PIN] for code, pin in before.items()} == {code: PINS[code] for code in CODES}
    assert all(re.fullmatch("[0-9a-f]{12,64}", pin) for pin in pins.values()), "or it would refuse the file"
    assert not any(before[code].startswith(pin) for code, pin in pins.items())
    outdated = OVERRIDES.replace('written_for: "', f'written_for: "{"0" * PIN}')
    here, there = (overridden(book, read_overrides("o.yaml", text, book), DAY) for text in (OVERRIDES, outdated))
    assert {entry.state for entry in there.overrides.entries} == {"outdated"}
    for one in JUDGED:
        claim = read_claim(one["claim"])
        mine, theirs = check(claim, here), check(claim, there)
        assert mine.disposition == theirs.disposition
        assert [(f.code, f.severity) for f in mine.every] == [(f.code, f.severity) for f in theirs.every]


@pytest.mark.parametrize("layout", ["64445/deeper/{folder}/{name}", "procedures/64445/{folder}/{name}", "form/{name}"])
def test_where_a_rule_lay_in_0_1_0_follows_from_its_payers_and_its_name(layout: str) -> None:
    rules = [rule for rule in old_book().rules if "{folder}" in layout or "/common/" in rule.file]
    assert len(rules) > 90
    for rule in rules:
        _, folder, name = rule.file.split("/")
        assert former_file(replace(rule, file=layout.format(folder=folder, name=name)), "64445") == rule.file
