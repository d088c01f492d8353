"""What a service manager hears of a real worker: systemd's protocol (sd_notify(3)), over a real socket."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.server import Server
from worker.process import servicemanager

from .helpers import Worker, until

TURN = servicemanager.TURNS.encode()


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "n"))
        listening.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "n"))
        yield listening


def heard(manager: socket.socket) -> list[bytes]:
    found = []
    while True:
        try:
            found.append(manager.recv(4096))
        except BlockingIOError:
            return found


def test_a_state_is_one_datagram(manager: socket.socket) -> None:
    servicemanager.tell(servicemanager.TURNS)
    assert heard(manager) == [b"READY=1\nWATCHDOG=1"]


def test_an_address_without_a_file_is_spoken_to_as_well(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    name = f"claim-scrubber-{tmp_path.name}-{time.monotonic_ns()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(f"\0{name}")
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
        servicemanager.tell(servicemanager.STOPS)
        assert listening.recv(100) == b"STOPPING=1"


@pytest.mark.parametrize("address", ["", "nowhere", "/there/is/none", "vsock:2:1234"])
def test_nobody_who_listens_is_no_fault(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    servicemanager.tell(servicemanager.TURNS)


def test_a_manager_that_reads_nothing_is_not_waited_for(manager: socket.socket) -> None:
    for _ in range(5_000):  # more than a queue of datagrams takes
        servicemanager.tell(servicemanager.TURNS)
    assert 0 < len(heard(manager)) < 5_000


@pytest.mark.slow
def test_a_worker_is_ready_turns_also_without_redis_and_says_that_it_stops(
    manager: socket.socket, home: Path, start_worker: Callable[..., Worker], tmp_path: Path
) -> None:
    server = Server(home / "redis").start()
    try:
        worker = start_worker(env={"SCRUB_REDIS_URL": server.url, "NOTIFY_SOCKET": str(tmp_path / "n")}, concurrency=1)
        worker.wait_ready()
        until(lambda: TURN in heard(manager), output=worker.text)
        server.kill()
        heard(manager)
        for _ in range(3):
            until(lambda: TURN in heard(manager), output=worker.text)
        worker.process.send_signal(signal.SIGSTOP)  # its main loop hangs
        heard(manager)
        time.sleep(3)
        assert heard(manager) == []
        worker.process.send_signal(signal.SIGCONT)
        until(lambda: TURN in heard(manager), output=worker.text)
        server.start()
        worker.process.send_signal(signal.SIGTERM)
        until(lambda: servicemanager.STOPS.encode() in heard(manager), output=worker.text)
        assert worker.process.wait(20) == 0
    finally:
        server.kill()
