"""As much of systemctl as ops/install.md asks for, where no systemd runs: it starts what a unit's ExecStart names, with the
environment of the unit, waits until that is ready as `Type` says, and stops it as `KillMode=mixed` does. It isolates nothing:
that is systemd's, and `systemd-analyze` verifies and rates it.

Arguments: the prefix, then those of systemctl.
"""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

PREFIX = Path(sys.argv[1])
UNITS, KEPT = PREFIX / "etc/systemd/system", PREFIX / "run/units"


class Unit:
    """One instance of a unit file."""

    def __init__(self, name: str) -> None:
        self.name, _, instance = name.removesuffix(".service").partition("@")
        self.instance = instance
        file = UNITS / (f"{self.name}@.service" if instance else f"{self.name}.service")
        self.lines = [
            tuple(line.split("=", 1)) for line in file.read_text().splitlines() if "=" in line and line[0] != "#"
        ]
        self.pid_file = KEPT / name

    def all(self, key: str) -> list[str]:
        folder = str(PREFIX / self.instance.replace("-", "/"))
        return [value.replace("%i", self.instance).replace("%f", folder) for found, value in self.lines if found == key]

    def environment(self) -> dict[str, str]:
        found = {name: value for name, value in os.environ.items() if not name.startswith("SCRUB_")}
        for assignment in self.all("Environment"):
            found.update([assignment.split("=", 1)])
        for file in self.all("EnvironmentFile"):
            if file[0] == "-" and not Path(file[1:]).exists():
                continue
            lines = Path(file.removeprefix("-")).read_text().splitlines()
            found.update(tuple(line.split("=", 1)) for line in lines if line and line[0] != "#")
        return found

    def start(self) -> None:
        for kind, root in (("State", "var/lib"), ("Runtime", "run")):
            for folder in self.all(f"{kind}Directory"):
                (PREFIX / root / folder).mkdir(mode=0o700, parents=True, exist_ok=True)
        KEPT.mkdir(parents=True, exist_ok=True)
        with (
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager,
            (KEPT / f"{self.pid_file.name}.log").open("ab") as log,
        ):
            address = KEPT / f"{time.monotonic_ns()}"
            manager.bind(str(address))
            manager.settimeout(60)
            notify = {"NOTIFY_SOCKET": str(address)} if self.all("Type") == ["notify"] else {}
            process = subprocess.Popen(
                shlex.split(self.all("ExecStart")[0]), env=self.environment() | notify, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, cwd=PREFIX, start_new_session=True, umask=int(self.all("UMask")[0], 8),
            )  # fmt: skip
            self.pid_file.write_text(str(process.pid))
            if notify:
                said = manager.recv(100)
                assert b"READY=1" in said, said
            address.unlink()

    def stop(self) -> None:
        pid = int(self.pid_file.read_text())
        os.kill(pid, signal.SIGTERM)
        limit = time.monotonic() + float(self.all("TimeoutStopSec")[0])
        while running(pid):
            if time.monotonic() > limit:
                os.killpg(pid, signal.SIGKILL)
                sys.exit(f"{self.name} had to be killed")
            time.sleep(0.05)
        self.pid_file.unlink()


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def main(words: list[str]) -> None:
    verb, *names = [word for word in words if word != "--now"]
    units = [Unit(name) for name in names if not name.endswith(".timer")]
    for unit in units:
        if verb in {"restart", "stop"}:
            unit.stop()
        if verb in {"restart", "enable"}:
            unit.start()
        if verb == "is-active":
            assert running(int(unit.pid_file.read_text())), unit.name
    assert verb in {"restart", "stop", "enable", "is-active", "daemon-reload"}, verb


if __name__ == "__main__":
    main(sys.argv[2:])
