"""A real PostgreSQL server of our own, with an empty database for whoever asks."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

_FASTER = ["-c", "fsync=off", "-c", "listen_addresses=", "-c", "max_connections=40"]
_number = count()


def programs() -> Path | None:
    """The folder of its programs: Debian keeps them away from PATH."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    return max(Path("/usr/lib/postgresql").glob("*/bin"), default=None, key=lambda one: float(one.parent.name))


def _as_its_user() -> list[str]:
    """It refuses to run as root."""
    return ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []


class PostgreSQL:
    """One server, on a socket in a folder of its own."""

    def __init__(self, folder: Path, programs: Path, password: str = "") -> None:
        self._folder, self._programs = folder, programs
        self._environment = {**os.environ, "PGPASSWORD": password}
        (folder / "password").write_text(password or "none")
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres")
            shutil.chown(folder / "password", "postgres")
        data = folder / "data"
        self._run(
            "initdb", "-D", str(data), "-U", "scrub", "-A", "scram-sha-256" if password else "trust", "-E", "UTF8",
            "--no-sync", "--locale=C.UTF-8", "--pwfile", str(folder / "password"),
        )  # fmt: skip
        self.start()

    def start(self) -> None:
        """Returns once it takes connections; after `stop` with all that was committed."""
        data, program = self._folder / "data", self._programs / "postgres"
        self._process = subprocess.Popen(
            [*_as_its_user(), str(program), "-D", str(data), "-k", str(self._folder), *_FASTER],
            cwd=self._folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        self._run("pg_isready", "-h", str(self._folder), "-t", "20", again=100)

    def _run(self, program: str, *arguments: str, again: int = 0) -> None:
        command = [*_as_its_user(), str(self._programs / program), *arguments]
        for left in range(again, -1, -1):
            done = subprocess.run(
                command, cwd=self._folder, env=self._environment, capture_output=True, text=True, check=False
            )
            if not done.returncode:
                return
            if not left:
                raise RuntimeError(done.stderr)
            subprocess.run(["sleep", "0.1"], check=True)

    def empty(self) -> str:
        """The URL of a new database."""
        name = f"cases{next(_number)}"
        self._run("createdb", "-h", str(self._folder), "-U", "scrub", name)
        return f"postgresql+psycopg://scrub@/{name}?host={self._folder}"

    def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """Ends it at once, with its clients: after SIGQUIT and SIGKILL it recovers when it starts."""
        server = int((self._folder / "data" / "postmaster.pid").read_text().split()[0])
        os.kill(server, how)
        self._process.wait(20)


@contextmanager
def server(programs: Path, password: str = "") -> Iterator[PostgreSQL]:
    """`password`: of its user; empty: it asks for none."""
    folder = Path(tempfile.mkdtemp(prefix="scrub-pg-", dir="/tmp"))
    folder.chmod(0o755)
    found = PostgreSQL(folder, programs, password)
    yield found
    found.stop()
    shutil.rmtree(folder, ignore_errors=True)
