"""Files read by several processes give what one process makes of them: claims, refusals, places and ends."""

from __future__ import annotations

import gzip
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from multiprocessing import parent_process
from typing import Any

import pytest

from tests.x12.writer import file_of
from worker.bench.claims import claim
from worker.errors import WorkEnded
from worker.intake.document import Document
from worker.intake.documents import read_documents
from worker.intake.sidebyside import Job, SideBySide

CLAIMS = [{"frequency_code": "1", **claim(number)} for number in range(120)]
LINES = b"".join(json.dumps(one).encode() + b"\n" for one in CLAIMS)
X12 = file_of([one for one in CLAIMS if one["form"] == "professional"]).encode()
FHIR = b'{"resourceType":"Patient","id":"p"}\n'
FILES = {
    "lines": LINES,
    "lines with faults and blanks": b"\n\n" + LINES + b"\n{bad\n\n[1]\n" + LINES,
    "more lines than a piece has": LINES + b'{"form":1}\n' * 4_500 + LINES,
    "a line that is too long": LINES + b'{"x":"' + b"y" * 3_000_000 + b'"}\n' + LINES,
    "a line that is too long at the end": LINES + b"z" * 3_000_000,
    "resources between the lines": LINES
    + FHIR * 3
    + LINES
    + FHIR.replace(b"resourceType", b"resource\\u0054ype")
    + LINES,
    "packed": gzip.compress(LINES),
    "packed and cut off": gzip.compress(LINES)[:9_000],
    "an array": b"[" + b",".join(LINES.splitlines()) + b"]",
    "a byte order mark": b"\xef\xbb\xbf" + LINES,
    "something before the lines": b"hello\n" + LINES,
    "x12": X12,
    "x12 behind a header": b"JOB 1\n" + X12,
    "x12 cut off": X12[:30_000],
    "x12 with a small letter": X12.replace(b"CLM*", b"clm*", 1),
    "nothing": b"",
    "blanks": b" " * 70_000,
}


def one_line(document: Document) -> str:
    return f"{document.position} {document.number} {document.origin} {document.value}"


def at_once(raw: bytes) -> list[Any]:
    found: list[Any] = []
    every = read_documents("f", io.BytesIO(raw), ended=found.append)
    found.extend(one_line(one) if isinstance(one, Document) else one for one in every)
    return found


def side_by_side(raw: bytes, cores: int = 2) -> list[Any]:
    found: list[Any] = []
    side = SideBySide(Job(one_line, 2**20, None), cores, piece=9_000)
    found.extend(side.read("f", io.BytesIO(raw), ended=found.append))
    return found


@pytest.mark.parametrize("name", FILES)
def test_several_processes_find_what_one_finds_in_its_order(name: str) -> None:
    assert side_by_side(FILES[name]) == at_once(FILES[name])


def test_one_reader_reads_one_file_after_the_other() -> None:
    side = SideBySide(Job(one_line, 2**20, None), 2, piece=9_000)
    first, second = (list(side.read(name, io.BytesIO(LINES))) for name in "ff")
    assert first == second == at_once(LINES)


def test_on_one_core_it_is_the_same() -> None:
    assert side_by_side(X12, cores=1) == at_once(X12)


def test_several_files_keep_their_order_and_one_that_cannot_be_opened_raises_where_its_turn_is() -> None:
    def gone() -> io.BytesIO:
        raise FileNotFoundError

    files = [("a", lambda: io.BytesIO(LINES)), ("b", gone), ("c", lambda: io.BytesIO(X12))]
    side, said = SideBySide(Job(one_line, 2**20, None), 2, piece=9_000), list[str]()
    for name, found in side.every(files):
        try:
            said += [f"{name} {one}" for one in found]
        except OSError:
            said.append(f"{name} gone")
    assert said == [
        *(f"a {one}" for one in at_once(LINES)),
        "b gone",
        *(f"c {one}" for one in at_once(X12) if isinstance(one, str)),
    ]


def killed(document: Document) -> str:
    if parent_process():
        os.kill(os.getpid(), signal.SIGKILL)
    return ""


def test_a_process_that_is_killed_is_said_and_nothing_hangs() -> None:
    with pytest.raises(WorkEnded):
        list(SideBySide(Job(killed, 2**20, None), 2, piece=9_000).read("f", io.BytesIO(LINES * 4)))


def pid_of(document: Document) -> int:
    return os.getpid()


def test_who_stops_in_the_middle_leaves_no_process_behind() -> None:
    every: Iterator[Any] = SideBySide(Job(pid_of, 2**20, None), 2, piece=9_000).read("f", io.BytesIO(LINES * 20))
    others = {pid for pid, _ in zip(every, range(300), strict=False)} - {os.getpid()}
    assert others
    every.close()  # type: ignore[attr-defined]
    deadline = time.monotonic() + 30
    while any(map(alive, others)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(alive, others))


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_small_input_is_read_by_this_process_alone() -> None:
    found = list(SideBySide(Job(pid_of, 2**20, None), 2).read("f", io.BytesIO(LINES)))
    assert set(found) == {os.getpid()}
    code = (
        "import sys; from worker.intake.sidebyside import Job, SideBySide;"
        "found = list(SideBySide(Job(id, 2**20, None), 2).read('f', sys.stdin.buffer));"
        "sys.exit(not found or 'multiprocessing' in sys.modules or 'worker.intake.x12' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], input=LINES, check=False).returncode == 0
