"""The embedded server: shared by locks, never left behind, never two on one file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from redis import Redis

from worker.errors import FolderUnusable, ServerFailed
from worker.store.embedded import Lease, private_folder, server_runs, socket_path

from .commandlog import CANARY, keeps_no_arguments
from .helpers import until

_USER = """
import sys, time
from pathlib import Path
from worker.store.embedded import Lease, socket_path
from redis import Redis
folder, rounds, pause = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
for _ in range(rounds):
    with Lease(folder):
        with Redis(unix_socket_path=str(socket_path(folder))) as redis:
            redis.incr("uses")
            print(redis.info("server")["process_id"], flush=True)
            time.sleep(pause)
"""


def client(folder: Path) -> Redis:
    return Redis(unix_socket_path=str(socket_path(folder)))


def user(folder: Path, rounds: int, pause: float) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", _USER, str(folder), str(rounds), str(pause)]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def server_pid(folder: Path) -> int:
    with client(folder) as redis:
        return int(redis.info("server")["process_id"])


def test_the_last_one_out_shuts_it_down_and_what_was_written_is_there_again(home: Path) -> None:
    folder = home / "redis"
    first, second = Lease(folder), Lease(folder)
    with client(folder) as redis:
        redis.set("kept", "yes")
    first.release()
    assert server_runs(folder)
    second.release()
    second.release()
    assert not server_runs(folder)
    with Lease(folder), client(folder) as redis:
        assert redis.get("kept") == b"yes"


def test_many_processes_that_come_and_go_share_one_server_and_leave_none(home: Path) -> None:
    folder = home / "redis"
    users = [user(folder, 8, 0.005 * number) for number in range(8)]
    outputs = [process.communicate(timeout=60)[0] for process in users]
    assert [process.returncode for process in users] == [0] * 8
    assert sum(len(output.split()) for output in outputs) == 64
    assert not server_runs(folder)
    with Lease(folder), client(folder) as redis:
        assert redis.get("uses") == b"64"


def test_a_server_whose_users_were_all_killed_is_taken_over(home: Path) -> None:
    folder = home / "redis"
    victim = user(folder, 1, 60)
    assert victim.stdout is not None
    pid = int(victim.stdout.readline())
    victim.kill()
    victim.communicate()
    assert server_runs(folder)
    with Lease(folder):
        assert server_pid(folder) == pid
    assert not server_runs(folder)


def test_a_server_that_was_killed_starts_again_from_its_file(home: Path) -> None:
    folder = home / "redis"
    with Lease(folder) as held:
        with client(folder) as redis:
            redis.set("kept", "yes")
        os.kill(server_pid(folder), signal.SIGKILL)
        until(lambda: not server_runs(folder))
        with Lease(folder), client(folder) as redis:
            assert redis.get("kept") == b"yes"
        assert server_runs(folder)
        os.kill(server_pid(folder), signal.SIGKILL)
        until(lambda: not server_runs(folder))
        held.revive()
        with client(folder) as redis:
            assert redis.get("kept") == b"yes"
    assert not server_runs(folder)


def test_users_killed_at_any_moment_never_make_two_servers(home: Path) -> None:
    folder = home / "redis"
    with Lease(folder), client(folder) as redis:
        redis.set("kept", "yes")
    for delay in range(6):
        victim = user(folder, 50, 0)
        until(lambda: server_runs(folder))
        try:
            victim.wait(0.02 * delay)
        except subprocess.TimeoutExpired:
            victim.kill()
        victim.communicate()
    with Lease(folder), client(folder) as redis:
        assert redis.get("kept") == b"yes"
    assert not server_runs(folder)


def test_a_child_that_outlives_its_parent_does_not_hold_the_server(home: Path) -> None:
    folder = home / "redis"
    lease = Lease(folder)
    child = subprocess.Popen(["sleep", "60"], close_fds=False)
    lease.release()
    assert not server_runs(folder)
    child.kill()
    child.wait()


def test_a_folder_that_lies_too_deep_has_its_socket_elsewhere(home: Path) -> None:
    folder = home / ("x" * 100) / "redis"
    path = socket_path(folder)
    assert len(os.fsencode(path)) <= 103
    with Lease(folder), client(folder) as redis:
        assert redis.ping()
    path.unlink(missing_ok=True)
    path.parent.rmdir()


def test_a_folder_that_others_may_enter_is_refused(home: Path) -> None:
    (home / "open").mkdir()
    (home / "open").chmod(0o755)
    with pytest.raises(FolderUnusable, match="chmod 700"):
        private_folder(home / "open")
    (home / "link").symlink_to(home)
    with pytest.raises(FolderUnusable, match="a link"):
        private_folder(home / "link")


def test_a_server_that_cannot_start_is_reported_with_its_log(home: Path) -> None:
    folder = home / "redis"
    with Lease(folder):
        pass
    broken = next((folder / "appendonlydir").glob("*.manifest"))
    broken.write_text("not a manifest\n")
    with pytest.raises(ServerFailed, match=r"server\.log"):
        Lease(folder)


def test_it_keeps_no_claim_in_a_log_of_slow_or_large_commands(home: Path) -> None:
    with Lease(home / "redis"), client(home / "redis") as redis:
        keeps_no_arguments(redis)
    assert CANARY not in (home / "redis" / "server.log").read_text()
