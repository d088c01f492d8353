"""The state folder is its owner's alone whatever the umask: the folder itself and everything in it, 0700 and 0600.

After gunicorn#731, fluentd#483 and circus#661 (a umask of 000, and folders that anybody writes) and gns3-server#264 (a
umask that takes away what the owner needs).
"""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tables.official import units_text
from worker.config.settings import load_settings
from worker.errors import FolderUnusable
from worker.pipeline.inbox import Inbox
from worker.store import opening
from worker.store.private import close_state

from .helpers import Worker, event, settled, until

pytestmark = pytest.mark.slow

UMASKS = (0o000, 0o777, 0o022, 0o077, 0o177)


def scrub(home: Path, umask: int, *arguments: str, stdin: bytes = b"", wanted: int = 0) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SCRUB_")}
    done = subprocess.run(
        [sys.executable, "-m", "worker", *arguments], input=stdin, capture_output=True, timeout=90, check=False,
        env={**clean, "SCRUB_STATE_DIR": str(home / "state")}, umask=umask,
    )  # fmt: skip
    assert done.returncode == wanted, done.stderr.decode()


def open_to_others(folder: Path) -> dict[str, str]:
    """What is neither a folder of mode 0700 nor a file of mode 0600, nor the server's socket of 0700."""
    found = {}
    for path in (folder, *folder.rglob("*")):
        kind = path.lstat().st_mode
        wanted = 0o600 if stat.S_ISREG(kind) else 0o700
        if stat.S_IMODE(kind) != wanted:
            found[str(path.relative_to(folder))] = oct(stat.S_IMODE(kind))
    return found


@pytest.mark.parametrize("umask", UMASKS, ids=oct)
def test_whatever_a_command_makes_is_its_owners_alone(home: Path, umask: int) -> None:
    state = home / "deep" / "state"
    table = home / "MCR_MUE_PractitionerServices_Eff_07-01-2026.csv"
    table.write_bytes(units_text([("64445", "1", "2")]))
    scrub(home / "deep", umask, "status")
    scrub(home / "deep", umask, "tables", "import", str(table))
    scrub(home / "deep", umask, "worker", "--check")
    scrub(home / "deep", umask, "submit", "-", stdin=event(1))
    scrub(home / "deep", umask, "status", "--json")
    made = {path.relative_to(state).parts[0] for path in state.rglob("*")}
    assert made >= {"redis", "secret", "tables", "books", "audit"}
    assert any((state / "redis" / "appendonlydir").iterdir())
    assert any((state / "tables").glob("*.json"))
    assert any((state / "books").iterdir())
    assert open_to_others(state) == {}
    assert stat.S_IMODE((home / "deep").stat().st_mode) == 0o700


@pytest.mark.parametrize("umask", [0o000, 0o777], ids=oct)
def test_so_is_what_a_worker_makes(home: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        worker = Worker(home, env={"SCRUB_STATE_DIR": str(home / "state")})
    finally:
        os.umask(before)
    try:
        worker.wait_ready()
        with opening.open_store(load_settings(state_dir=home / "state")) as store:
            Inbox(store.redis, store.keys, "me").ensure()
            store.redis.xadd(store.keys.inbox, {"event": event(1)})
            settled(store, 1)
            store.redis.bgrewriteaof()
            until(lambda: not store.redis.info("persistence")["aof_rewrite_in_progress"])
            assert any((home / "state" / "audit").glob("*.jsonl"))
            assert open_to_others(home / "state") == {}
        assert worker.stop() == 0
    finally:
        worker.kill()


@pytest.mark.parametrize("mode", [0o777, 0o755, 0o2775, 0o750, 0o1777, 0o500])
def test_a_state_folder_of_before_is_closed_with_all_that_is_in_it(home: Path, mode: int) -> None:
    state = home / "state"
    for name in ("audit", "books", "tables"):
        (state / name).mkdir(parents=True)
        (state / name / "file").write_text("content")
        (state / name / "file").chmod(0o666)
        (state / name).chmod(0o777)
    (state / "audit" / "link").symlink_to(home / "outside")
    (home / "outside").write_text("not ours to close")
    (home / "outside").chmod(0o644)
    state.chmod(mode)
    scrub(home, 0o022, "status")
    (state / "audit" / "link").unlink()
    assert open_to_others(state) == {}
    assert stat.S_IMODE((home / "outside").stat().st_mode) == 0o644


def test_a_folder_that_holds_something_else_is_not_closed_and_not_used_where_others_may_write_in_it(home: Path) -> None:
    (home / "state" / "documents").mkdir(parents=True)
    (home / "state").chmod(0o755)
    (home / "state" / "documents").chmod(0o755)
    scrub(home, 0o022, "status")
    assert stat.S_IMODE((home / "state").stat().st_mode) == 0o755
    assert stat.S_IMODE((home / "state" / "documents").stat().st_mode) == 0o755
    assert stat.S_IMODE((home / "state" / "redis").stat().st_mode) == 0o700
    (home / "state").chmod(0o777)
    with pytest.raises(FolderUnusable, match=r"its mode is 777.*chmod 700"):
        close_state(home / "state")
    scrub(home, 0o022, "status", wanted=2)


def test_a_state_folder_behind_a_link_is_closed_where_it_is(home: Path) -> None:
    (home / "disk").mkdir()
    (home / "disk").chmod(0o777)
    (home / "state").symlink_to(home / "disk")
    scrub(home, 0o000, "status")
    assert open_to_others(home / "disk") == {}
