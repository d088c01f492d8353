"""A drop folder into which anybody puts anything: a real watcher, real bytes in names, and no file that stops it.

Public reports of the kind: watchdog#811 (a name that is not UTF-8 ends the thread), pex#2087 and nextcloud/desktop#467
(names too long for eCryptfs once something is put behind them).
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from worker.monitoring.reconciliation import reconcile
from worker.store.connections import Store

from .conftest import CLEAN, SCRUB, environment

pytestmark = pytest.mark.slow

ODD = {
    "latin-1": b"M\xfcller.json",
    "no text at all": b"\xff\xfe.json",
    "245 bytes": b"a" * 240 + b".json",
    "255 bytes": b"b" * 250 + b".json",
    "255 bytes of umlauts": "ü".encode() * 125 + b".json",
    "253 bytes that are not UTF-8": b"\xfc" * 248 + b".json",
    "an emoji cut by the limit": "\U0001f600".encode() * 62 + b".json",
    "escape": b"\x1b[31mEVIL.json",
    "newline": b"a\nFORGED: 1 sent -> done.json",
    "right-to-left": "\u202egpj.json".encode(),
    "C1": "\x9b2J.json".encode(),
    "quotes and percent": b"50%\"' ;$(x).json",
    "blank": b" .json",
}


@pytest.fixture
def drop(home: Path) -> Path:
    (home / "drop").mkdir()
    return home / "drop"


@pytest.fixture
def start(home: Path) -> Iterator[Callable[..., Any]]:
    started: list[subprocess.Popen[bytes]] = []

    def start(drop: Path, *, out: str = "", shim: str = "") -> subprocess.Popen[bytes]:
        (home / "shim").mkdir(exist_ok=True)
        (home / "shim/sitecustomize.py").write_text(shim)
        with (home / f"{len(started)}.log").open("wb") as log:
            started.append(
                subprocess.Popen(
                    [
                        "bash",
                        "-c",
                        f'exec "$@" {out}',
                        "sh",
                        *SCRUB,
                        "submit",
                        "--watch",
                        str(drop),
                        "--settle",
                        "0.2",
                    ],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd=home,
                    env=environment(home, PYTHONPATH=str(home / "shim")),
                    start_new_session=True,
                )
            )
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def until(true: Callable[[], object], seconds: float = 60, told: Callable[[], object] = lambda: "") -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"still not true after {seconds} s: {told()}"
        time.sleep(0.02)


def put(drop: Path, name: bytes, number: int, *, readable: bool = True) -> None:
    path = os.path.join(os.fsencode(drop), name)
    claim = {**CLEAN, "claim_id": f"C-{number}"}
    with open(path, "wb") as file:
        file.write(json.dumps(claim).encode() if readable else b"{\n")


def files(drop: Path, where: str) -> set[bytes]:
    folder = os.path.join(os.fsencode(drop), where.encode())
    return set(os.listdir(folder)) if os.path.isdir(folder) else set()


def reports(drop: Path, where: str) -> list[dict[str, Any]]:
    found = [name for name in files(drop, where) if name.endswith(b".report.json")]
    return [json.loads((drop / where / os.fsdecode(name)).read_bytes()) for name in found]


def log(home: Path, number: int = 0) -> bytes:
    return (home / f"{number}.log").read_bytes()


@pytest.mark.parametrize("where", ["done", "failed"])
def test_a_file_of_any_name_is_sent_once_keeps_its_name_and_has_a_report_that_can_be_looked_at(
    home: Path, drop: Path, store: Store, start: Any, where: str
) -> None:
    for number, name in enumerate(ODD.values()):
        put(drop, name, number, readable=where == "done")
    process = start(drop)
    put(drop, b"plain.json", 99, readable=where == "done")
    until(lambda: set(os.listdir(drop)) == {where}, told=lambda: (os.listdir(drop), log(home)))
    assert process.poll() is None
    found = files(drop, where)
    assert {*ODD.values(), b"plain.json"} < found
    written = [name for name in found if name.endswith(b".report.json")]
    assert len(written) == len(ODD) + 1
    assert all(name.decode().isprintable() and len(name) <= 255 for name in written)
    told = {one["file"]: one for one in reports(drop, where)}
    assert told.keys() == {name.decode("utf-8", "backslashreplace") for name in (*ODD.values(), b"plain.json")}
    assert bytes.fromhex(told["M\\xfcller.json"]["file_hex"]) == b"M\xfcller.json"
    assert {one["sent"] for one in told.values()} == {1 if where == "done" else 0}
    assert (drop / where / "M%FCller.json.report.json").exists()
    assert reconcile(store.redis, store.keys).accepted == (len(ODD) + 1 if where == "done" else 0)
    text = log(home).decode()
    assert "\nFORGED" not in text
    assert "\x1b" not in text
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 143


def test_the_same_long_names_again_overwrite_nothing(home: Path, drop: Path, store: Store, start: Any) -> None:
    start(drop)
    for turn in range(3):
        for number, name in enumerate(
            (ODD["245 bytes"], b"a" * 239 + b"2.json", ODD["255 bytes of umlauts"], ODD["latin-1"], b"M%FCller.json")
        ):
            put(drop, name, 10 * turn + number)
        until(lambda: os.listdir(drop) == ["done"], told=lambda: (os.listdir(drop), log(home)))
    assert len(files(drop, "done")) == 30
    assert len(reports(drop, "done")) == 15
    assert reconcile(store.redis, store.keys).accepted == 15


def test_what_is_no_file_is_said_once_and_left_alone_and_said_again_after_a_restart(
    home: Path, drop: Path, store: Store, start: Any
) -> None:
    (drop / "folder.json").mkdir()
    os.mkfifo(drop / "pipe.json")
    os.symlink("/etc/hostname", drop / "link.json")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(drop / "socket.json"))
    stays = {"folder.json", "pipe.json", "link.json", "socket.json"}
    for number in range(2):
        process = start(drop)
        put(drop, b"a.json", number)
        until(lambda number=number: (drop / f"done/a.json{'.2' * number}").exists(), told=lambda: log(home))
        time.sleep(1.5)
        for name, what in (
            ("folder.json", "folder"),
            ("pipe.json", "named pipe"),
            ("link.json", "link"),
            ("socket.json", "socket"),
        ):
            assert log(home, number).count(f"{name}: this is a {what}, and left alone".encode()) == 1
        process.send_signal(signal.SIGTERM)
        process.wait(30)
    assert set(os.listdir(drop)) == stays | {"done"}


@pytest.mark.parametrize("outcome", ["done", "failed"])
@pytest.mark.parametrize("what", ["link", "file"])
def test_a_place_for_finished_files_that_is_no_folder_is_refused_by_name(
    home: Path, drop: Path, store: Store, start: Any, outcome: str, what: str
) -> None:
    (home / "elsewhere").mkdir()
    os.symlink(home / "elsewhere", drop / outcome) if what == "link" else (drop / outcome).touch()
    put(drop, b"a.json", 1)
    assert start(drop).wait(30) == 2
    assert f"{outcome} in it is a {what}".encode() in log(home)
    assert (os.listdir(home / "elsewhere"), reconcile(store.redis, store.keys).accepted) == ([], 0)


def test_a_link_that_takes_the_place_of_done_stops_the_sending_until_it_is_gone(
    home: Path, drop: Path, store: Store, start: Any
) -> None:
    start(drop)
    until(lambda: b"watching" in log(home))
    (home / "elsewhere").mkdir()
    os.symlink(home / "elsewhere", drop / "done")
    put(drop, b"a.json", 1)
    until(lambda: b"done in it is a link" in log(home))
    time.sleep(2)
    assert log(home).count(b"done in it is a link") == 1
    assert (os.listdir(home / "elsewhere"), reconcile(store.redis, store.keys).accepted) == ([], 0)
    (drop / "done").unlink()
    until((drop / "done/a.json").exists)


def test_standard_output_without_room_does_not_end_the_watcher(
    home: Path, drop: Path, store: Store, start: Any
) -> None:
    process = start(drop, out="> /dev/full")
    for number in range(2):
        put(drop, f"{number}.json".encode(), number)
        until((drop / f"done/{number}.json").exists, told=lambda: log(home))
    assert process.poll() is None
    assert log(home).count(b"cannot write the output: No space left on device; no more is written there") == 1


def test_a_reader_of_its_output_that_goes_away_does_not_end_the_watcher(
    home: Path, drop: Path, store: Store, start: Any
) -> None:
    process = start(drop, out="> >(true)")
    for number in range(2):
        put(drop, f"{number}.json".encode(), number)
        until((drop / f"done/{number}.json").exists, told=lambda: log(home))
    assert process.poll() is None
    assert log(home).count(b"nobody reads the output any more") == 1


BREAKS = """
import errno, time
import worker.pipeline.eventmaker, worker.intake.dropfolder, worker.cli.common.sources, worker.cli.watch
worker.cli.watch._PAUSE = 0.2
made, locked = worker.pipeline.eventmaker.EventMaker._made, worker.intake.dropfolder._locked
def breaking(self, document, now):
    text = document.claim.claim_id
    if text == "C-1": raise MemoryError(text)
    if text == "C-2": raise RuntimeError(text)
    return made(self, document, now)
def unreadable(path):
    if path.name == "io.json": raise OSError(errno.EIO, "Input/output error", path)
    if path.name == "denied.json": raise PermissionError(errno.EACCES, "Permission denied", path)
    return locked(path)
worker.pipeline.eventmaker.EventMaker._made, worker.intake.dropfolder._locked = breaking, unreadable
within = worker.cli.common.sources.Intake.within
def broken(self, name, stream):
    if name == "reader.json": raise RuntimeError("C-5")
    return within(self, name, stream)
worker.cli.common.sources.Intake.within = broken
"""


def test_what_breaks_on_one_file_sends_that_one_to_failed_and_the_others_go_on(
    home: Path, drop: Path, store: Store, start: Any
) -> None:
    bad = [b"memory.json", b"defect.json", b"io.json", b"denied.json", b"reader.json"]
    for number, name in enumerate(bad, 1):
        put(drop, name, number)
    process = start(drop, shim=BREAKS)
    put(drop, b"good.json", 10)
    until(lambda: set(os.listdir(drop)) == {"done", "failed"}, told=lambda: (os.listdir(drop), log(home)))
    assert process.poll() is None
    assert files(drop, "done") == {b"good.json", b"good.json.report.json"}
    assert set(bad) < files(drop, "failed")
    told = {one["file"]: one["refusals"][0]["problems"][0]["sentence"] for one in reports(drop, "failed")}
    assert "MemoryError" in told["memory.json"]
    assert "memory ran out" in told["memory.json"]
    assert "a defect of the scrubber" in told["defect.json"]
    assert told["io.json"] == "it could not be read or moved, 3 times: Input/output error"
    assert told["denied.json"] == "it could not be read or moved, 3 times: Permission denied"
    assert re.match(r"the reader broke off with \S*RuntimeError at ", told["reader.json"])
    assert not re.search("C-[1-5]", json.dumps(told) + log(home).decode())
    assert log(home).count(b"io.json: Input/output error. It stays") == 2
    assert reconcile(store.redis, store.keys).accepted == 1


STUCK = """
import errno, os
import worker.cli.watch
worker.cli.watch._PAUSE = 0.2
rename = os.rename
def renames(source, target, **more):
    if str(source).endswith("stuck.json"): raise PermissionError(errno.EPERM, "Operation not permitted")
    rename(source, target, **more)
os.rename = renames
"""


def test_a_file_that_cannot_be_moved_is_said_once_and_left_alone_until_it_changes_or_a_restart(
    home: Path, drop: Path, store: Store, start: Any
) -> None:
    put(drop, b"stuck.json", 1)
    left = (
        b"stuck.json: it could not be read or moved, 3 times: Operation not permitted; nor could it be moved to failed"
    )
    for number in range(2):
        process = start(drop, shim=STUCK)
        until(lambda number=number: left in log(home, number), told=lambda number=number: log(home, number))
        put(drop, f"{number}.json".encode(), 10 + number)
        until((drop / f"done/{number}.json").exists)
        time.sleep(1.5)
        assert log(home, number).count(left) == 1
        assert log(home, number).count(b"stuck.json: ") == 3
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 143
    start(drop)
    until((drop / "done/stuck.json").exists)
    assert sorted(os.listdir(drop)) == ["done", "failed"]
    assert os.listdir(drop / "failed") == []
    # It was sent at each try: as the same event, which a worker takes once.
    sent = [json.loads(fields[b"event"])["id"] for _, fields in store.redis.xrange(store.keys.inbox)]
    assert len(set(sent)) == 3
