"""Outputs are copies: one that breaks, stalls or is closed holds nothing up, and what it missed is counted.

As the world breaks them: systemd/systemd#6620 (EPIPE after a restart of journald), moby/moby#31540 and
hashicorp/nomad#11278 (nobody reads, write blocks), celery/celery#2291 (safe_say and its broken pipe), php/php-src#7769
and circus-tent/circus#417 (closed descriptors whose numbers a socket gets).
"""

from __future__ import annotations

import json
import os
import pty
import resource
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from worker.logs.outputs import Output

LINE = b'{"line":"' + b"x" * 989 + b'"}\n'


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:
            continue


def until(true: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def read_all(descriptor: int, seconds: float = 1.5) -> bytes:
    """What comes until nothing has come for so long."""
    found = b""
    while select.select([descriptor], [], [], seconds)[0]:
        data = os.read(descriptor, 1 << 20)
        if not data:
            break
        found += data
    return found


def wrong(output: Output) -> str:
    return output.trouble([os.getpid()])[0]


def left_out(output: Output) -> int:
    return output.trouble([os.getpid()])[1]


def test_what_is_put_is_written_in_order(pipe: tuple[int, int]) -> None:
    output = Output(pipe[1])
    for number in range(100):
        output.put(b"%d\n" % number)
    assert output.flush(20)
    assert os.read(pipe[0], 10_000).split() == [b"%d" % number for number in range(100)]
    assert (wrong(output), left_out(output)) == ("", 0)


def test_a_reader_that_stops_reading_holds_nobody_and_costs_bounded_memory(pipe: tuple[int, int]) -> None:
    output = Output(pipe[1])
    block = LINE * 200
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(1_000):  # 200 MB
        output.put(block)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert grown < 32 * 2**20, grown
    assert "stopped" in wrong(output)
    assert left_out(output) > 190_000
    assert not output.flush(0.1)


def test_a_stalled_reader_that_reads_on_gets_whole_lines_and_the_number_of_those_it_missed(
    pipe: tuple[int, int],
) -> None:
    output, others = Output(pipe[1], room=300_000), os.pipe()
    output.other = Output(others[1])
    sent = 2_000
    for _ in range(sent):
        output.put(LINE)
    line = os.read(others[0], 10_000)
    assert json.loads(line)["event.action"] == "output.lost"
    got = read_all(pipe[0])
    assert got == LINE * (len(got) // len(LINE))
    until(lambda: not wrong(output))
    assert len(got) // len(LINE) + left_out(output) == sent
    back = json.loads(os.read(others[0], 10_000).splitlines()[-1])
    assert (back["event.action"], back["output.left_out"]) == ("output.back", left_out(output))
    output.put(b"again\n")
    assert output.flush(20)
    assert os.read(pipe[0], 100) == b"again\n"


def test_a_pipe_whose_reader_is_gone_is_reported_and_written_to_again_when_another_reads(tmp_path: Path) -> None:
    fifo = tmp_path / "out"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    writer = os.open(fifo, os.O_WRONLY)
    output = Output(writer)
    os.close(reader)
    output.put(LINE)
    until(lambda: "Broken pipe" in wrong(output))
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    until(lambda: not wrong(output))
    assert os.read(reader, 10_000) == LINE
    assert left_out(output) == 0
    os.close(reader)
    os.close(writer)


def test_a_full_disk_under_the_output_is_reported() -> None:
    writer = os.open("/dev/full", os.O_WRONLY)
    output = Output(writer)
    output.put(LINE)
    until(lambda: "No space left" in wrong(output))
    os.close(writer)


def test_a_terminal_that_hangs_up_is_reported() -> None:
    master, slave = pty.openpty()
    output = Output(slave)
    os.close(master)
    output.put(LINE)
    until(lambda: "Input/output error" in wrong(output))
    os.close(slave)


def test_a_descriptor_that_was_closed_takes_nothing_even_when_a_socket_has_its_number() -> None:
    ours, theirs = socket.socketpair()
    output = Output(ours.fileno(), closed=True)
    output.put(LINE)
    assert output.flush(5)
    theirs.setblocking(False)
    with ours, theirs, pytest.raises(BlockingIOError):
        theirs.recv(10)
    assert wrong(output).endswith("(closed)")
    assert left_out(output) == 1


def test_one_that_another_process_made_non_blocking_is_waited_for(pipe: tuple[int, int]) -> None:
    os.set_blocking(pipe[1], False)
    output = Output(pipe[1])
    output.put(LINE * 300)
    assert read_all(pipe[0]) == LINE * 300
    assert not os.get_blocking(pipe[1]), "how it is set is not ours to change"
    assert wrong(output) == ""


def test_a_descriptor_that_others_share_stays_blocking(pipe: tuple[int, int]) -> None:
    output = Output(pipe[1])
    output.put(LINE)
    assert output.flush(20)
    assert os.get_blocking(pipe[1])


def test_lines_of_several_processes_stay_whole_also_long_ones(pipe: tuple[int, int]) -> None:
    output, number, times = Output(pipe[1], room=2**30), 4, 150
    children = []
    for child in range(number):
        process = os.fork()
        if not process:
            for position in range(times):
                output.put(
                    json.dumps({"child": child, "position": position, "fill": "y" * (position * 97)}).encode() + b"\n"
                )
            os._exit(0 if output.flush(60) else 1)
        children.append(process)
    os.close(pipe[1])
    lines = [json.loads(line) for line in read_all(pipe[0], 5).splitlines()]
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * number
    for child in range(number):
        assert [line["position"] for line in lines if line["child"] == child] == list(range(times))


def test_a_line_that_its_process_could_not_end_does_not_spoil_the_next_one(pipe: tuple[int, int]) -> None:
    output = Output(pipe[1])
    process = os.fork()
    if not process:
        output.put(b"z" * 300_000 + b"\n")
        time.sleep(60)
        os._exit(0)
    os.read(pipe[0], 1)
    until(lambda: len(select.select([pipe[0]], [], [], 0)[0]))
    os.kill(process, 9)
    os.waitpid(process, 0)
    got = read_all(pipe[0], 0.5)
    assert set(got) == {ord("z")}
    output.put(LINE)
    assert output.flush(20)
    assert os.read(pipe[0], 10_000) in (b"\n" + LINE, LINE)


PROGRAM = """
import sys
from worker.logs import outputs
outputs.install()
print("begun")
{body}
sys.exit({code})
"""


def program(body: str, code: int, **streams: Any) -> int:
    text = PROGRAM.format(body=body, code=code)
    with subprocess.Popen([sys.executable, "-c", text], stdin=subprocess.DEVNULL, **streams) as process:
        return process.wait(30)


FLOOD = "for _ in range(3_000): print('x' * 1_000); print('y' * 1_000, file=sys.stderr)"


@pytest.mark.parametrize("code", [0, 3])
def test_a_program_whose_outputs_are_not_read_ends_by_itself_with_its_own_code(
    code: int, pipe: tuple[int, int]
) -> None:
    assert program(FLOOD, code, stdout=pipe[1], stderr=pipe[1]) == code


@pytest.mark.parametrize("code", [0, 3])
def test_a_program_whose_reader_is_gone_ends_by_itself_with_its_own_code(code: int, pipe: tuple[int, int]) -> None:
    os.close(pipe[0])
    assert program(FLOOD, code, stdout=pipe[1], stderr=pipe[1]) == code


@pytest.mark.parametrize("code", [0, 3])
def test_a_program_that_starts_without_outputs_opens_no_file_under_their_numbers(code: int) -> None:
    body = "import os, socket; s = socket.socket(); assert s.fileno() > 2; os.fstat(1); os.fstat(2)\n" + FLOOD
    text = PROGRAM.format(body=body, code=code)
    command = f'exec {sys.executable} -c "$TEXT" <&- >&- 2>&-'
    done = subprocess.run(["sh", "-c", command], env={**os.environ, "TEXT": text}, timeout=30, check=False)
    assert done.returncode == code


def test_what_a_program_prints_arrives_and_unprintable_text_does_not_stop_it() -> None:
    text = PROGRAM.format(body=r"print('one', end=' '); print('tw\udc80'); sys.stdout.buffer.write(b'three\n')", code=0)
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (0, b"begun\none tw\\udc80\nthree\n"), done.stderr
