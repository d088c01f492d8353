"""Books that an earlier release packed, copied or kept, in the layout of that release: `64445/<payer>/<rule>.yaml`."""

from __future__ import annotations

import json
import shutil
import zipfile
from datetime import date
from pathlib import Path

import pytest

from rules.book.overridefile import read_overrides
from rules.book.pack import unpacked
from rules.claim import read_claim
from rules.loader import load_book, read_book
from tests.former import DIGEST, FIXTURES, JUDGED, KEPT, LAST_JUDGED, PINS, last_packed, packed
from worker.books.archive import find
from worker.rejudging.replay import replay

DAY = date(2026, 11, 29)
"""On which 0.1.1 judged, where the claim has no received date."""
BOOK = json.loads(KEPT.read_text())["book"]
"""Digest of the packed book, as the release itself reported it."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "rules.book").write_bytes(packed())
    return tmp_path / "rules.book"


def test_a_packed_book_of_0_1_0_has_the_digest_that_it_had(file: Path) -> None:
    book = load_book(file)
    assert book.digest == BOOK
    assert {rule.file for rule in book.rules} == {name for name in PINS if "/" in name}


def test_a_copied_book_of_0_1_0_loads_with_all_of_its_examples(file: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(file) as archive:
        archive.extractall(tmp_path / "copied")
    assert load_book(tmp_path / "copied", examples=True).digest == BOOK


def test_reports_of_0_1_0_are_replayed_by_what_that_release_kept(file: Path, tmp_path: Path) -> None:
    shutil.copy(KEPT, tmp_path)
    file.rename(tmp_path / f"{BOOK}.book")
    book = find(tmp_path, DIGEST)
    assert book.digest == DIGEST
    assert len(JUDGED) == 8
    for one in JUDGED:
        assert replay(one["report"], read_claim(one["claim"]), book, None).differences == ()


def test_the_book_of_0_1_1_judges_what_that_release_judged_as_it_did(tmp_path: Path) -> None:
    (tmp_path / "last.book").write_bytes(last_packed())
    book = load_book(tmp_path / "last.book", examples=True)
    assert book.former
    assert len(LAST_JUDGED) > 150
    found = [replay(one["report"], read_claim(one["claim"]), book, DAY) for one in LAST_JUDGED]
    assert [one for one in found if one.differences] == []


def test_a_finding_of_0_1_1_that_a_person_changed_is_told_though_a_fact_was_missing() -> None:
    book = read_book(unpacked("last.book", last_packed()).library, examples=False)
    missing = next(
        one
        for one in LAST_JUDGED
        if one["report"]["findings"][:1] and one["report"]["findings"][0]["outcome"] == "undetermined"
    )
    finding, *others = missing["report"]["findings"]
    changed = {**missing["report"], "findings": [{**finding, "severity": "note"}, *others]}
    (difference,) = replay(changed, read_claim(missing["claim"]), book, DAY).differences
    assert difference.path.endswith(".severity")


def test_what_0_1_1_judged_under_pins_of_this_release_is_found_though_it_called_them_outdated(
    file: Path, tmp_path: Path
) -> None:
    """A fleet of both releases, or one that went back to 0.1.1 for a while."""
    (kept,) = (FIXTURES / "512aa43").glob("*.overrides.json")
    shutil.copy(kept, tmp_path)
    file.rename(tmp_path / f"{BOOK}.book")
    book = find(tmp_path, kept.name.partition(".")[0])
    states = {entry.state for entry in book.overrides.entries if entry.kind != "payer_ids"}
    assert states == {"outdated"}
    text = json.loads(kept.read_text())["text"]
    assert not any(entry.outdated for entry in read_overrides("o.yaml", text, load_book(tmp_path / f"{BOOK}.book")))
