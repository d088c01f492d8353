"""The command line as a user runs it: a process, its output, its exit code, and a state folder for each test."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import standby
from tests.commands import Ended, exit_codes_are_seen
from worker.config.settings import load_settings
from worker.demo.claims import EXAMPLES
from worker.store import opening
from worker.store.connections import Store
from worker.store.embedded import Lease, server_runs

SCRUB = [str(Path(sys.executable).with_name("scrub"))]


def environment(home: Path, **more: str) -> dict[str, str]:
    """As on a user's machine, with a state folder of its own and nothing that forces colors."""
    dropped = ("SCRUB_", "FORCE_", "PY_COLORS", "NO_COLOR", "GITHUB_ACTIONS", "COLUMNS")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    return {**clean, "SCRUB_STATE_DIR": str(home / "state"), **more}


Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder with a short path, since a socket's may have 107 bytes; on the way out no server of it is left."""
    folder = Path(tempfile.mkdtemp(prefix="scrub-cli-", dir="/tmp"))
    yield folder
    try:
        servers = {lock.parent for lock in folder.rglob("server.lock")}
        left = [server for server in servers if server_runs(server)]
        for server in left:
            Lease(server).release()
        assert not left, f"a server was left behind in {left}"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def store(home: Path, unset: None) -> Iterator[Store]:
    """The store of the commands' state folder."""
    with opening.open_store(load_settings(state_dir=home / "state")) as found:
        yield found


@pytest.fixture
def scrub(home: Path) -> Iterator[Run]:
    """Runs `scrub` to its end in `home`. An exit code other than 0 is one that the test looks at."""

    def run(*arguments: str | Path, stdin: bytes = b"", timeout: float = 180, **env: str) -> Any:
        done = standby.scrub(*arguments, input=stdin, timeout=timeout, cwd=home, env=environment(home, **env))
        out, err = done.stdout.decode("utf-8", "surrogateescape"), done.stderr.decode("utf-8", "surrogateescape")
        assert "Traceback" not in err, err
        ended.append(Ended(done.args, done.returncode, out, err))
        return ended[-1]

    with exit_codes_are_seen() as ended:
        yield run


def example(shows: str) -> dict[str, Any]:
    """The first demonstration claim that shows this."""
    return next(entry.claim for entry in EXAMPLES if entry.shows == shows)


CLEAN = example("right side in the office")
FAULTY = example("several faults at once")
UNCHECKED = example("a visit alone")


@pytest.fixture
def write(home: Path) -> Callable[..., Path]:
    """Writes a file of claims, one a line; bytes are written as they are."""

    def write(name: str, *claims: dict[str, Any] | bytes) -> Path:
        lines = [claim if isinstance(claim, bytes) else json.dumps(claim).encode() + b"\n" for claim in claims]
        (home / name).write_bytes(b"".join(lines))
        return home / name

    return write
