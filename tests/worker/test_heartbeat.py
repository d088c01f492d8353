"""The heartbeat file: who it belongs to, where it may be, and what is said where it cannot be written."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from worker.process.heartbeat import UNANSWERED, Heartbeat, beats, folders, hung, unready


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's runtime folder, and one for temporary files, of this test alone."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    for name in ("run", "tmp"):
        (tmp_path / name).mkdir()
    return tmp_path / "run" / "claim-scrubber"


@pytest.fixture
def complaints() -> list[str]:
    return []


@pytest.fixture
def heart(runtime: Path, complaints: list[str], tmp_path: Path) -> Iterator[Heartbeat]:
    heart = Heartbeat(tmp_path, complaints.append)
    yield heart
    heart.end()


def test_it_says_when_the_loop_ticked_and_when_redis_answered(heart: Heartbeat, runtime: Path) -> None:
    assert beats() == []
    heart.tick()
    (beat,) = beats()
    assert (beat.pid, beat.answered) == (os.getpid(), None)
    assert hung(beat) is None
    assert unready(beat) == f"Redis has not answered worker {os.getpid()} yet"
    heart.answer()
    (beat,) = beats()
    assert (hung(beat), unready(beat)) == (None, None)
    (file,) = runtime.iterdir()
    assert (runtime.stat().st_mode & 0o777, file.stat().st_mode & 0o777) == (0o700, 0o600)
    heart.end()
    assert beats() == []
    assert not list(runtime.iterdir())


def rewritten(runtime: Path, **says: object) -> None:
    (file,) = runtime.iterdir()
    file.write_text(json.dumps(json.loads(file.read_text()) | says))


def test_a_loop_that_has_not_turned_for_long_hangs_and_an_old_answer_is_none(heart: Heartbeat, runtime: Path) -> None:
    heart.tick()
    rewritten(runtime, turned=time.monotonic() - 61)
    (beat,) = beats()
    assert hung(beat) == f"the main loop of worker {os.getpid()} has not turned for 61 s"
    assert hung(beat, stale=120) is None
    rewritten(runtime, answered=time.monotonic() - UNANSWERED - 1)
    (beat,) = beats()
    assert unready(beat) == f"Redis has not answered worker {os.getpid()} for 21 s"


def test_setting_the_clock_makes_no_loop_look_hung_nor_a_hung_one_alive(
    heart: Heartbeat, runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heart.tick()
    now = time.time()
    for jump in (86_400 * 2, -86_400 * 2):
        monkeypatch.setattr("time.time", lambda jump=jump: now + jump)
        (beat,) = beats()
        assert hung(beat) is None
    (file,) = runtime.iterdir()
    rewritten(runtime, turned=time.monotonic() - 61)
    os.utime(file, (now + 86_400, now + 86_400))
    (beat,) = beats()
    assert hung(beat) is not None


def test_the_one_before_with_the_same_process_id_does_not_answer_for_it(heart: Heartbeat, runtime: Path) -> None:
    """A container that was restarted, or another one with the same host name, has process 1 as well."""
    heart.tick()
    rewritten(runtime, born="1")
    assert beats() == []


def test_a_process_that_is_dead_and_not_yet_reaped_is_gone(runtime: Path, tmp_path: Path) -> None:
    code = "import sys; from worker.process.heartbeat import Heartbeat; Heartbeat(sys.argv[1], print).tick()"
    child = subprocess.Popen([sys.executable, "-c", code, tmp_path])
    deadline = time.monotonic() + 20
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    while not (runtime.is_dir() and list(runtime.iterdir())):
        assert time.monotonic() < deadline
    assert beats() == []
    assert child.wait() == 0


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"pid": 1}', "\x00" * 300])
def test_a_file_that_is_none_is_passed_over(heart: Heartbeat, runtime: Path, content: str) -> None:
    heart.tick()
    (runtime / "worker-1-x").write_text(content)
    assert [beat.pid for beat in beats()] == [os.getpid()]


def test_a_shorter_line_leaves_nothing_of_a_longer_one(heart: Heartbeat, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.monotonic()
    looked = 0
    for moment in (now + 0.123456789, 0.0, 1e15 + 0.123456, 5.0, now):
        monkeypatch.setattr("time.monotonic", lambda moment=moment: moment)
        heart.tick()
        heart.answer()
        (beat,) = beats()
        assert (beat.ticked, beat.answered) == (0, 0)
        looked += 1
    assert looked == 5


def test_where_others_may_write_it_goes_to_the_other_folder_and_reads_nothing_of_theirs(
    heart: Heartbeat, runtime: Path, complaints: list[str]
) -> None:
    runtime.mkdir()
    runtime.chmod(0o777)
    heart.tick()
    assert not list(runtime.iterdir())
    (file,) = folders()[1].iterdir()
    shutil.copy(file, runtime / "worker-1-forged")
    file.unlink()
    assert beats() == []
    assert complaints == []


def test_a_runtime_folder_that_cannot_be_made_is_no_reason_to_have_no_heartbeat(
    heart: Heartbeat, complaints: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container whose root file system is read-only; a file in its place is refused to root as well."""
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "file"))
    heart.tick()
    assert complaints == []
    assert [beat.pid for beat in beats()] == [os.getpid()]


@pytest.mark.parametrize("whole", [False, True], ids=["file", "folder"])
def test_a_heartbeat_that_is_removed_under_a_worker_is_written_anew(
    heart: Heartbeat, runtime: Path, complaints: list[str], whole: bool
) -> None:
    """A clean-up of the folder for temporary files is no reason to restart the worker."""
    heart.tick()
    heart.answer()
    shutil.rmtree(runtime) if whole else next(runtime.iterdir()).unlink()
    assert beats() == []
    heart.tick()
    (beat,) = beats()
    assert (hung(beat), unready(beat), complaints) == (None, None, [])
    heart.end()
    assert not list(runtime.iterdir())


def test_a_link_in_place_of_the_folder_is_not_followed(heart: Heartbeat, runtime: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    runtime.symlink_to(tmp_path / "elsewhere")
    heart.tick()
    assert not list((tmp_path / "elsewhere").iterdir())
    assert [beat.pid for beat in beats()] == [os.getpid()]


def test_where_it_cannot_be_written_the_worker_says_so_once_and_goes_on(
    heart: Heartbeat, complaints: list[str], tmp_path: Path
) -> None:
    for folder in folders():
        folder.parent.rmdir()
    for _ in range(3):
        heart.tick()
    assert len(complaints) == 1
    assert complaints[0].startswith("No heartbeat can be written (")
    assert complaints[0].endswith("so liveness probes will fail.")
    for folder in folders():
        folder.parent.mkdir()
    heart.tick()
    assert [beat.pid for beat in beats()] == [os.getpid()]


def test_what_was_left_long_ago_is_removed_and_a_namesakes_file_is_not(
    heart: Heartbeat, runtime: Path, tmp_path: Path
) -> None:
    runtime.mkdir(mode=0o700)
    for name, age in (("worker-1-old", 86_401), ("worker-1-new", 60)):
        (runtime / name).write_text("{}")
        os.utime(runtime / name, (time.time() - age, time.time() - age))
    heart.tick()
    left = {file.name for file in runtime.iterdir()}
    assert "worker-1-old" not in left
    assert "worker-1-new" in left


def test_without_an_audit_folder_to_write_in_it_is_not_ready(runtime: Path, tmp_path: Path) -> None:
    heart = Heartbeat(tmp_path / "audit", print)
    heart.tick()
    heart.answer()
    (beat,) = beats()
    assert (
        unready(beat) == f"no audit file can be made in {tmp_path / 'audit'}, and no claim is decided without its line"
    )
    heart.end()
