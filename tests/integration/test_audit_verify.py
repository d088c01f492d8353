"""`scrub audit verify` on the file of a real run: each kind of meddling is found, with its place."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import pytest

from worker.config.settings import load_settings
from worker.store import opening

from .conftest import left
from .helpers import Worker, event, settled, until

Lines = list[bytes]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    """A state folder and the audit file of ten claims in it."""
    home = tmp_path_factory.mktemp("v")
    settings = load_settings(state_dir=home)
    with opening.open_store(settings) as store:
        worker = Worker(home, concurrency=1).wait_ready()
        for number in range(10):
            store.redis.xadd(store.keys.inbox, {"event": event(number)})
        settled(store, 10)
        worker.stop()
        (file,) = (home / "audit").iterdir()
        yield home, file
    until(lambda: not left(home / "redis"))


def verify(home: Path, file: Path) -> tuple[int, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SCRUB_")}
    done = subprocess.run(
        [sys.executable, "-m", "worker", "audit", "verify", str(file)], capture_output=True, text=True, timeout=60,
        env={**clean, "SCRUB_STATE_DIR": str(home)}, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout.removeprefix(f"{file}: ")


def forged(lines: Lines) -> Lines:
    """A line of the right number and form, whose writer has everything but the key."""
    line = orjson.loads(lines[4])
    line |= {"claim.disposition": "billing", "audit.mac": "0" * 64}
    return [*lines[:4], orjson.dumps(line) + b"\n", *lines[5:]]


def test_as_it_was_written_it_is_sound(run: tuple[Path, Path]) -> None:
    code, said = verify(*run)
    assert code == 0
    assert said.startswith("sound")


@pytest.mark.parametrize(
    ("meddle", "place"),
    [
        pytest.param(lambda lines: [*lines[:4], *lines[5:]], "line 5", id="removed"),
        pytest.param(lambda lines: [*lines[:4], lines[4].replace(b"PCN", b"PCX"), *lines[5:]], "line 5", id="changed"),
        pytest.param(lambda lines: [*lines[:4], lines[5], lines[4], *lines[6:]], "line 5", id="reordered"),
        pytest.param(forged, "line 5", id="forged"),
        pytest.param(lambda lines: lines[:-2], "cut off", id="cut tail"),
    ],
)
def test_meddling_is_found(
    run: tuple[Path, Path], tmp_path: Path, meddle: Callable[[Lines], Lines], place: str
) -> None:
    home, file = run
    copy = tmp_path / file.name
    copy.write_bytes(b"".join(meddle(file.read_bytes().splitlines(keepends=True))))
    code, said = verify(home, copy)
    assert code == 1
    assert said.startswith("tampered")
    assert place in said
