"""A drop folder whose `done` is another file system, full, or one with short names: real mounts, in a namespace of its own.

Public reports of the kind: pex#2087 and nextcloud/desktop#467 (eCryptfs takes 143 bytes and says 255 or 143).
"""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from worker.intake.dropfolder import DropFolder

MOUNT = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
MAY = subprocess.run([*MOUNT, "mount -t tmpfs none /mnt"], capture_output=True, check=False).returncode == 0
mounts = pytest.mark.skipif(not MAY, reason="no namespace of mounts may be made here")


def inside(drop: Path, options: str, code: str) -> None:
    """Runs the code where `done` is a file system of its own."""
    (drop / "done").mkdir()
    program = textwrap.dedent(code)
    before = "import os, sys\nfrom pathlib import Path\nfrom worker.intake.dropfolder import DropFolder\ndrop = Path(sys.argv[1])\n"
    subprocess.run(
        [*MOUNT, f'mount -t tmpfs -o {options} none "$1/done" && exec "$2" -c "$3" "$1"', "sh", str(drop), sys.executable,
         before + program],
        check=True, timeout=60,
    )  # fmt: skip


@mounts
def test_a_file_is_copied_to_another_file_system_and_goes_only_then(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b"x" * 3_000_000)
    inside(
        tmp_path, "size=64m",
        """
        folder = DropFolder(drop, 0)
        before = (drop / "a.json").stat()
        with folder.take(drop / "a.json") as taken:
            taken.stream.read(10)
            assert taken.move("done", b"{}") == drop / "done/a.json"
        assert os.listdir(drop) == ["done"], os.listdir(drop)
        assert sorted(os.listdir(drop / "done")) == ["a.json", "a.json.report.json"]
        assert (drop / "done/a.json").read_bytes() == b"x" * 3_000_000
        assert (drop / "done/a.json").stat().st_mtime_ns == before.st_mtime_ns
        """,
    )  # fmt: skip


@mounts
def test_a_file_that_is_replaced_while_it_is_copied_stays_and_is_read_again(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b"old")
    inside(
        tmp_path, "size=64m",
        """
        folder = DropFolder(drop, 0)
        with folder.take(drop / "a.json") as taken:
            sync = os.fsync
            def late(number):
                (drop / "new.part").write_bytes(b"new")
                if len(os.listdir(drop / "done")) > 1:
                    (drop / "new.part").replace(drop / "a.json")
                sync(number)
            os.fsync = late
            assert taken.move("done", b"{}") is None
        assert (drop / "a.json").read_bytes() == b"new"
        assert os.listdir(drop / "done") == []
        assert sorted(os.listdir(drop)) == ["a.json", "done"]
        """,
    )  # fmt: skip


@mounts
@pytest.mark.parametrize(("size", "report"), [(10, 200_000), (200_000, 10)])
def test_a_full_disk_leaves_the_file_where_it_is_and_nothing_half_written(
    tmp_path: Path, size: int, report: int
) -> None:
    (tmp_path / "a.json").write_bytes(b"x" * size)
    inside(
        tmp_path, "size=64k",
        f"""
        import errno
        folder = DropFolder(drop, 0)
        for _ in range(2):
            with folder.take(drop / "a.json") as taken:
                try:
                    taken.move("done", b"r" * {report})
                except OSError as error:
                    assert error.errno == errno.ENOSPC, error
                else:
                    raise AssertionError("there is no room for it")
            assert os.listdir(drop / "done") == []
            assert sorted(os.listdir(drop)) == ["a.json", "done"]
            assert (drop / "a.json").stat().st_size == {size}
        """,
    )  # fmt: skip


def test_a_file_system_that_takes_less_than_it_says_gets_shorter_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # eCryptfs cannot be mounted without its kernel module: its answer is put into the calls that make and rename.
    name = "ü" * 65 + ".json"
    (tmp_path / name).write_text("x")
    real_open, real_rename = os.open, os.rename

    def short(path: object) -> None:
        if isinstance(path, str) and len(os.fsencode(path)) > 143:
            raise OSError(errno.ENAMETOOLONG, "File name too long")

    def opens(path: object, *rest: object, **more: object) -> int:
        short(path)
        return real_open(path, *rest, **more)  # type: ignore[arg-type]

    def renames(source: object, target: object, **more: object) -> None:
        short(target)
        real_rename(source, target, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", opens)
    monkeypatch.setattr(os, "rename", renames)
    with DropFolder(tmp_path, 0).take(tmp_path / name) as taken:
        assert taken is not None
        assert taken.move("done", json.dumps({"file": name}).encode()) == tmp_path / "done" / name
    report = next(one for one in os.listdir(tmp_path / "done") if one.endswith(".report.json"))
    assert len(os.fsencode(report)) <= 143
    assert len(os.listdir(tmp_path / "done")) == 2


def test_what_cannot_be_opened_goes_to_failed_unread(tmp_path: Path) -> None:
    (tmp_path / "secret.json").write_text("x")
    taken = DropFolder(tmp_path, 0).unread(tmp_path / "secret.json")
    assert taken is not None
    assert taken.move("failed", b"{}") == tmp_path / "failed/secret.json"
    assert DropFolder(tmp_path, 0).unread(tmp_path / "secret.json") is None


def test_a_named_pipe_that_takes_the_place_of_a_file_does_not_hold_the_watcher(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.json")
    with DropFolder(tmp_path, 0).take(tmp_path / "a.json") as taken:
        assert taken is None


def test_both_names_of_a_file_are_moved_each_with_a_report(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    os.link(tmp_path / "a", tmp_path / "b")
    folder = DropFolder(tmp_path, 0)
    folder.ready(0)
    for path in folder.ready(1):
        with folder.take(path) as taken:
            assert taken is not None
            assert taken.move("done", b"{}")
    assert sorted(os.listdir(tmp_path / "done")) == ["a", "a.report.json", "b", "b.report.json"]


def test_a_folder_that_has_the_name_of_a_report_is_passed_by(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    (tmp_path / "done/a.report.json").mkdir(parents=True)
    with DropFolder(tmp_path, 0).take(tmp_path / "a") as taken:
        assert taken is not None
        assert taken.move("done", b"{}") == tmp_path / "done/a.2"


def test_what_is_left_alone_is_ready_again_once_it_has_changed(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    folder = DropFolder(tmp_path, 0)
    folder.ready(0)
    assert folder.ready(1) == [tmp_path / "a"]
    folder.leave(tmp_path / "a")
    assert folder.ready(2) == []
    (tmp_path / "a").write_text("longer")
    folder.ready(3)
    assert folder.ready(4) == [tmp_path / "a"]
    assert DropFolder(tmp_path, 0).ready(5) == [tmp_path / "a"], "a new watcher tries it"


@pytest.mark.parametrize("text", [b'{"claim_id": "C"}', b'{"a": 1}\n{"b": 2}\n'])
def test_a_file_of_claims_that_is_called_like_a_report_is_not_taken_for_one(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "a.report.json").write_bytes(text)
    (tmp_path / "a").write_text("x")
    for name in ("a.report.json", "a"):
        with DropFolder(tmp_path, 0).take(tmp_path / name) as taken:
            assert taken is not None
            assert taken.move("done", json.dumps({"file": name}).encode())
    assert (tmp_path / "done/a.report.json").read_bytes() == text
    assert len(os.listdir(tmp_path / "done")) == 4
