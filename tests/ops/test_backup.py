"""ops/backup.md: backed up under a running worker, everything lost, restored, sent again, reconciled."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from redis import Redis

from tests.integration.guarded import Guarded, guarded
from tests.integration.helpers import Worker, claim, event, settled
from tests.integration.test_runbook import REDIS_CLI
from worker.pipeline.outlets import tail
from worker.store import opening

PAGE = (Path(__file__).parents[2] / "ops/backup.md").read_text("utf-8")
BLOCKS: dict[str, str] = {}
for _mark, _block in re.findall(r"^```sh ([a-z ]+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL):
    BLOCKS[_mark] = BLOCKS.get(_mark, "") + _block
INBOX = "{claims:0}:inbox"


class Hospital:
    """A server as ops/redis describes it, its state folder, and who does what the page says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state, self.data = folder / "state", folder / "data"
        self.programs = folder / "bin"
        self.programs.mkdir()
        (self.programs / "redis-cli").write_text(REDIS_CLI.replace("print(redis", "print_(redis").replace(
            "words = sys", "print_ = lambda found: print(*(f'{k}:{v}' for k, v in found.items()) if isinstance(found, dict) else [found], sep='\\n')\nwords = sys"
        ))  # fmt: skip
        (self.programs / "redis-cli").chmod(0o755)
        self.backup = ""

    def run(self, server: Guarded, user: str, block: str) -> str:
        admin = server.password("admin").read_text().strip()
        path = os.pathsep.join([str(self.programs), str(Path(sys.executable).parent), os.environ["PATH"]])
        clean = {name: value for name, value in os.environ.items() if not name.startswith("SCRUB_")}
        environment = {
            **clean, **server.environment(user), "PATH": path, "SOCKET": str(server.socket), "REDISCLI_AUTH": admin,
            "REDIS_DATA": str(self.data), "backup": self.backup,
        }  # fmt: skip
        script = "set -euo pipefail\n" + BLOCKS[block].replace("/srv/backup", str(self.folder / "backup"))
        done = subprocess.run(
            ["bash", "-c", script], env=environment, capture_output=True, text=True, timeout=200, check=False
        )
        assert done.returncode == 0, f"{block}: {done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr


def send(redis: Redis, *events: bytes) -> None:
    for one in events:
        redis.xadd(INBOX, {"event": one})


def worked(server: Guarded, folder: Path, accepted: int) -> None:
    """A real worker decides what waits."""
    worker = Worker(folder, env=server.environment("worker")).wait_ready(60)
    try:
        with opening.open_store(server.settings("operator")) as store:
            settled(store, accepted, 90)
    finally:
        assert worker.stop() == 0


def day(number: int) -> bytes:
    return event(number, data=claim(number) if number % 4 else claim(number, total_charge="1.00"))


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kept", [True, False], ids=["with Redis' folder", "from the snapshot alone"])
def test_all_of_it_comes_back_and_the_books_balance(tmp_path_factory: pytest.TempPathFactory, kept: bool) -> None:
    hospital = Hospital(tmp_path_factory.mktemp("b"))
    with guarded(hospital.folder) as server:
        admin = server.client("admin")
        send(admin, *map(day, range(20)))
        worked(server, hospital.folder, 20)
        with opening.open_store(server.settings("operator")):
            hospital.run(server, "operator", "reconcile")
        worker = Worker(hospital.folder, env=server.environment("worker")).wait_ready(60)
        hospital.run(server, "operator", "back up")
        hospital.backup = str(next((hospital.folder / "backup").iterdir()))
        send(admin, *map(day, range(20, 25)))
        with opening.open_store(server.settings("operator")) as store:
            settled(store, 25, 90)
        assert worker.stop() == 0
        lost = sorted((hospital.state / "audit").iterdir())
    assert lost
    shutil.rmtree(hospital.state)
    shutil.rmtree(hospital.data)
    if not kept:
        shutil.rmtree(Path(hospital.backup) / "appendonlydir")
    with guarded_anew(hospital) as server:
        assert "20 " in hospital.run(server, "admin", "bring back") or kept
        assert "sound" in hospital.run(server, "operator", "prove")
        before = 20 if kept else 0
        admin = server.client("admin")
        send(admin, *map(day, range(25)), event(99, data=claim(1, claim_id="COPY-1")))
        worked(server, hospital.folder, before + 26)
        said = hospital.run(server, "operator", "reconcile")
        assert "PCN-00000" in said, "the cases are those of before"
        with opening.open_store(server.settings("operator")) as store:
            found = settled(store, before + 26)
            assert (found.balance, found.repeated) == (0, 20)
            decided = {
                entry.event["eventid"]: (name, entry)
                for name in ("billing", "rework")
                for entry in tail(store.redis, store.keys, name)
            }
        assert {f"evt-{n}" for n in range(20, 25)} <= decided.keys()
        outlet, copy = decided["evt-99"]
        assert outlet == "rework"
        assert "DUP001" in [one["code"] for one in copy.data["report"]["findings"]]
        if kept:
            told = verified(server)
            assert {state for _, state in told} <= {"sound", "unknown"}
            assert sum(state == "unknown" for _, state in told) <= 1, (
                "the file of the restore itself, which changed nothing"
            )


def verified(server: Guarded) -> list[tuple[str, str]]:
    """Each audit file, and how it is by what Redis knows of its end."""
    done = subprocess.run(
        [Path(sys.executable).parent / "scrub", "audit", "verify"], env={**os.environ, **server.environment("operator")},
        capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    found = [line.split(": ")[:2] for line in done.stdout.splitlines()]
    assert done.returncode in (0, 1), done.stderr
    assert len(found) >= 2, done.stderr
    return [(name, state) for name, state in found]


def guarded_anew(hospital: Hospital) -> AbstractContextManager[Guarded]:
    """The restored server: the folder is put back before it starts, with the same passwords."""
    script = "set -euo pipefail\n" + BLOCKS["restore"]
    environment = {
        **os.environ,
        "REDIS_DATA": str(hospital.data),
        "SCRUB_STATE_DIR": str(hospital.state),
        "backup": hospital.backup,
    }
    subprocess.run(["bash", "-c", script], env=environment, check=True)
    return guarded(hospital.folder)


def test_the_page_names_all_that_the_state_folder_holds() -> None:
    from worker.store.private import KNOWN

    table = PAGE.partition("## What")[2].partition("## Back up")[0]
    block = BLOCKS["back up"]
    for name in KNOWN - {"redis", ".tokens.lock"}:  # the embedded server is no hospital's; a lock holds nothing
        assert name in table, name
        assert name in block, name
