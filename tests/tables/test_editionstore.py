"""The folder of imported editions: whole or not there, one import at a time, and back to what was before."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rules.errors import BookInvalid
from rules.tables.edition import Edition
from worker.errors import EditionUnknown, FolderUnusable, TableRefused
from worker.tables import editionstore


def edition(units: str, starts: str = "2026-07-01", digit: str = "0", part: str = "practitioner") -> Edition:
    return Edition.model_validate(
        {
            "table": "mue", "title": "Official", "release": starts, "files": [{"name": "f.csv", "sha256": digit * 64}],
            "speaks": {part: {"from": starts}}, "rows": [[part, "64445", units, "3", "", ""]],
        }
    )  # fmt: skip


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != ".lock"}


def test_what_is_added_is_there_and_only_for_its_owner(tmp_path: Path) -> None:
    folder, one = tmp_path / "state" / "tables", edition("2")
    assert editionstore.add(folder, [one]) == [one]
    assert editionstore.stored(folder) == [one]
    assert [path.stat().st_mode & 0o077 for path in (folder, *folder.iterdir())] == [0] * 3


def test_the_same_again_changes_nothing_also_from_another_file(tmp_path: Path) -> None:
    editionstore.add(tmp_path, [edition("2")])
    before = content(tmp_path)
    assert editionstore.add(tmp_path, [edition("2"), edition("2", digit="1")]) == []
    assert content(tmp_path) == before


def test_another_table_from_the_same_day_is_refused_and_nothing_of_the_import_stays(tmp_path: Path) -> None:
    editionstore.add(tmp_path, [edition("2")])
    before = content(tmp_path)
    with pytest.raises(TableRefused) as caught:
        editionstore.add(tmp_path, [edition("2", part="outpatient_hospital"), edition("3", digit="1")])
    assert caught.value.problems == (
        "f.csv: practitioner from 2026-07-01 on is imported already, as mue-practitioner-2026-07-01-00000000, and says "
        "something else; `scrub tables undo mue-practitioner-2026-07-01-00000000` first",
    )
    assert content(tmp_path) == before


def test_undo_takes_one_edition_away_and_leaves_the_others(tmp_path: Path) -> None:
    one, two = edition("2"), edition("3", "2026-10-01")
    editionstore.add(tmp_path, [one, two])
    editionstore.remove(tmp_path, [two.id])
    assert editionstore.stored(tmp_path) == [one]


def test_undo_of_what_is_not_there_takes_nothing_away(tmp_path: Path) -> None:
    one = edition("2")
    editionstore.add(tmp_path, [one])
    with pytest.raises(EditionUnknown, match=r"did you mean mue-practitioner-2026-07-01-00000000\? Imported: "):
        editionstore.remove(tmp_path, [one.id, one.id.replace("07", "08")])
    assert editionstore.stored(tmp_path) == [one]


def test_a_broken_file_is_named_and_can_be_undone(tmp_path: Path) -> None:
    one = edition("2")
    editionstore.add(tmp_path, [one])
    (tmp_path / f"{one.id}.json").write_bytes(one.text()[:50])
    with pytest.raises(BookInvalid, match=f"imported/{one.id}.json:1:1: is no imported edition"):
        editionstore.stored(tmp_path)
    editionstore.remove(tmp_path, [one.id])
    assert editionstore.stored(tmp_path) == []


@pytest.mark.parametrize("broken", ["open", "fsync", "replace"])
def test_a_disk_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    editionstore.add(tmp_path, [edition("2")])
    before = content(tmp_path)
    real: Callable[..., object] = getattr(os, broken)
    calls: list[object] = []

    def fails(*arguments: object, **options: object) -> object:
        """At its second call, not counting the lock."""
        calls.extend([] if str(arguments[0]).endswith(".lock") else arguments[:1])
        if len(calls) > 1:
            raise OSError(28, "No space left on device")
        return real(*arguments, **options)

    monkeypatch.setattr(os, broken, fails)
    with pytest.raises(FolderUnusable, match="No space left on device"):
        editionstore.add(tmp_path, [edition("3", "2026-10-01"), edition("4", "2027-01-01")])
    monkeypatch.undo()
    assert content(tmp_path) == before


def test_what_a_killed_import_left_is_not_read_and_goes_with_the_next(tmp_path: Path) -> None:
    (tmp_path / ".0a1b.aside").write_bytes(edition("2").text()[:40])
    assert editionstore.stored(tmp_path) == []
    editionstore.add(tmp_path, [edition("2")])
    assert [path.name for path in tmp_path.iterdir() if path.name != ".lock"] == [f"{edition('2').id}.json"]


def test_imports_at_once_leave_all_editions_or_a_refusal(tmp_path: Path) -> None:
    def add(units: int) -> bool:
        try:
            return bool(editionstore.add(tmp_path, [edition(str(units), digit=str(units))]))
        except TableRefused:
            return False

    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(add, range(1, 9)))
    assert sum(done) == 1
    assert len(editionstore.stored(tmp_path)) == 1
