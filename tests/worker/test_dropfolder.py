"""A drop folder on a real file system: settled files alone, one watcher each, nothing moved that was not read."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from worker.intake.dropfolder import DropFolder


@pytest.fixture
def folder(tmp_path: Path) -> DropFolder:
    return DropFolder(tmp_path, settle=5)


def drop(folder: DropFolder, name: str, text: str = "a\n") -> Path:
    path = folder.path / name
    path.write_text(text)
    return path


def names(found: list[Path]) -> list[str]:
    return [path.name for path in found]


def test_a_file_is_ready_once_it_stood_still_for_the_settle_time(folder: DropFolder) -> None:
    drop(folder, "a")
    assert folder.ready(100) == []
    assert folder.ready(104.9) == []
    drop(folder, "a", "longer\n")
    assert folder.ready(105) == []
    assert folder.ready(109.9) == []
    assert names(folder.ready(110)) == ["a"]


def test_a_file_that_was_replaced_by_one_of_the_same_size_settles_anew(folder: DropFolder) -> None:
    drop(folder, "a")
    folder.ready(100)
    drop(folder, "new.tmp", "b\n").replace(folder.path / "a")
    assert folder.ready(105) == []
    assert names(folder.ready(110)) == ["a"]


def test_files_come_oldest_first_and_what_is_no_finished_file_is_passed_over(folder: DropFolder) -> None:
    for age, name in enumerate(["late", "early", ".hidden", "x.tmp", "x.PART", "x.filepart", "x~"]):
        os.utime(drop(folder, name), (1_000 - age, 1_000 - age))
    (folder.path / "done").mkdir()
    (folder.path / "link").symlink_to(folder.path / "late")
    os.mkfifo(folder.path / "pipe")
    folder.ready(0)
    assert names(folder.ready(5)) == ["early", "late"]


def test_one_watcher_has_a_file_and_the_next_gets_it_when_that_one_lets_go(folder: DropFolder) -> None:
    path, other = drop(folder, "a"), DropFolder(folder.path, settle=0)
    with folder.take(path) as mine, other.take(path) as theirs:
        assert mine is not None
        assert theirs is None
    with other.take(path) as theirs:
        assert theirs is not None
    path.unlink()
    with other.take(path) as theirs:
        assert theirs is None


def test_a_file_that_was_moved_while_another_waited_for_it_is_not_taken_again(folder: DropFolder) -> None:
    path = drop(folder, "a")
    with folder.take(path) as taken:
        assert taken is not None
        moved = taken.move("done", b"{}")
    assert moved == folder.path / "done" / "a"
    with folder.take(path) as again:
        assert again is None


def test_the_report_lies_beside_the_file_and_no_name_is_used_twice(folder: DropFolder) -> None:
    for number in range(3):
        path = drop(folder, "a", f"{number}\n")
        with folder.take(path) as taken:
            assert taken is not None
            taken.move("failed", json.dumps({"number": number}).encode())
    for number, name in enumerate(["a", "a.2", "a.3"]):
        assert (folder.path / "failed" / name).read_text() == f"{number}\n"
        assert json.loads((folder.path / "failed" / f"{name}.report.json").read_text()) == {"number": number}
    assert sorted(os.listdir(folder.path)) == ["failed"]
    assert len(os.listdir(folder.path / "failed")) == 6


def test_what_a_watcher_left_that_died_between_report_and_move_is_written_anew(folder: DropFolder) -> None:
    path = drop(folder, "a")
    (folder.path / "done").mkdir()
    for name in ("a.report.json", ".a.report.json.99.part"):
        (folder.path / "done" / name).write_text("old")
    with folder.take(path) as taken:
        assert taken is not None
        assert taken.move("done", b"new") == folder.path / "done" / "a"
    assert (folder.path / "done/a.report.json").read_text() == "new"


@pytest.mark.parametrize("how", ["grown", "replaced"])
def test_a_file_that_changed_while_it_was_read_stays(folder: DropFolder, how: str) -> None:
    path = drop(folder, "a")
    with folder.take(path) as taken:
        assert taken is not None
        if how == "grown":
            with path.open("a") as file:
                file.write("more\n")
        else:
            drop(folder, "b.tmp", "b\n").replace(path)
        assert taken.move("done", b"{}") is None
    assert os.listdir(folder.path) == ["a"]


def test_a_file_that_is_replaced_at_the_moment_of_the_move_comes_back_unread(
    folder: DropFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = drop(folder, "a", "old\n")
    rename = os.rename

    def late(source: Path, target: str, **folders: int) -> None:
        if source == path and path.read_text() == "old\n":
            drop(folder, "b.tmp", "new\n").replace(path)
        rename(source, target, **folders)

    monkeypatch.setattr(os, "rename", late)
    with folder.take(path) as taken:
        assert taken is not None
        assert taken.move("done", b"{}") is None
    assert path.read_text() == "new\n"
    assert os.listdir(folder.path / "done") == []
