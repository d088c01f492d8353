"""ops/install.md on a clean prefix: its blocks in their order, with the wheel, the lock, a real Redis and real workers.

Only what needs a machine of one's own is stood in for: accounts, and systemd's starting and stopping (tests/ops/systemctl.py).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.helpers import claim, until
from worker.store.embedded import server_binary

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "ops/install.md").read_text("utf-8")
BLOCKS = {
    part.splitlines()[0]: re.findall(r"^```sh\n(.*?)^```$", part, re.MULTILINE | re.DOTALL)
    for part in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]
}
HERE = re.compile(r"(?<![\w.])/(?=(?:opt/claim-scrubber|etc/|var/lib/|run/claim-scrubber|usr/local/bin|srv/))")
TOPS = ("rules", "worker", "ops", "README.md", "pyproject.toml", "requirements.lock")


@dataclass
class Machine:
    prefix: Path
    release: Path

    def run(self, section: str) -> str:
        """Runs the blocks of a section, in the folder of the release; answers what they said."""
        assert BLOCKS[section], section
        path = os.pathsep.join([str(self.prefix / "bin"), str(self.prefix / "usr/local/bin"), os.environ["PATH"]])
        keep = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("SCRUB_", "PYTHON", "VIRTUAL_ENV"))
        }
        current = self.prefix / "opt/claim-scrubber/current"
        share = f"share={current}/share/claim-scrubber\n" if current.exists() else ""
        script = "set -euo pipefail\n" + share + self.here("\n".join(BLOCKS[section]))
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self.release,
            env=keep | {"PATH": path},
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        logs = "".join(one.read_text()[-1500:] for one in self.prefix.glob("run/units/*.log"))
        assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-3000:]}\n{logs}"
        return done.stdout

    def here(self, text: str) -> str:
        """With the machine's folders under the prefix, and without its accounts."""
        return re.sub(r" -[og] claim-scrubber\b", "", HERE.sub(f"{self.prefix}/", text))

    def scrub(self, *words: str) -> str:
        command = [str(self.prefix / "usr/local/bin/claim-scrubber"), *words]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=60, check=True, env={"PATH": "/usr/bin:/bin"}
        ).stdout


INSTALL = """#!/bin/sh
set -eu
/usr/bin/install "$@"
for file in {prefix}/etc/claim-scrubber/*.env {prefix}/etc/systemd/system/*.* {prefix}/usr/local/bin/*; do
    if [ -f "$file" ] && ! grep -q {prefix} "$file"; then
        sed -E -i -e 's#(^|[^[:alnum:]_.])/(opt/claim-|etc/claim-|var/lib/|run/claim-)#\\1{prefix}/\\2#g' \\
            -e 's#127.0.0.1:6379/0#127.0.0.1:{port}/0#' -e 's#bind 127.0.0.1#& --port {port}#' "$file"
    fi
done
"""
"""What it installs names folders of the machine; here they are under the prefix."""


def free_port() -> int:
    """Of Redis; a machine of one's own has 6379 free."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def released(folder: Path, version: str) -> Path:
    """A release as `make release` puts it down: wheel, lock, checksums."""
    source = folder / f"source-{version}"
    source.mkdir(parents=True)
    for name in TOPS:
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, source / name)
    project = source / "pyproject.toml"
    project.write_text(
        re.sub(r'^version = ".*"$', f'version = "{version}"', project.read_text(), count=1, flags=re.MULTILINE)
    )
    out = folder / version
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(out)]
    subprocess.run(command, cwd=source, check=True, capture_output=True, timeout=120)
    shutil.copy(ROOT / "requirements.lock", out)
    sums = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in sorted(out.iterdir())]
    (out / "SHA256SUMS").write_text("".join(sums))
    return out


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    prefix = tmp_path / "m"
    for folder in ("bin", "opt/claim-scrubber", "etc/systemd/system", "usr/local/bin", "var/lib", "run", "srv/claims"):
        (prefix / folder).mkdir(parents=True)
    programs = {
        "systemctl": f'#!/bin/sh\nexec {sys.executable} {ROOT}/tests/ops/systemctl.py {prefix} "$@"\n',
        "sudo": '#!/bin/sh\nshift 2\nexec "$@"\n',
        "chown": "#!/bin/sh\nexit 0\n",
        "install": INSTALL.format(prefix=prefix, port=free_port()),
    }
    for name, text in programs.items():
        (prefix / "bin" / name).write_text(text)
        (prefix / "bin" / name).chmod(0o755)
    (prefix / "bin/redis-server").symlink_to(server_binary())
    yield Machine(prefix, released(tmp_path, "9.0.0"))
    for file in (prefix / "run/units").glob("claim-scrubber*"):
        if file.suffix != ".log":
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(int(file.read_text()), signal.SIGKILL)


def decided(machine: Machine, count: int) -> bool:
    found = json.loads(machine.scrub("status", "--json"))
    return found["accepted"] == count and found["settled"] is True


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_page_installs_starts_upgrades_and_goes_back_on_a_clean_prefix(machine: Machine, tmp_path: Path) -> None:
    assert "claim-scrubber 9.0.0" in machine.run("Install")
    site = next((machine.prefix / "opt/claim-scrubber/9.0.0/lib").glob("python3*/site-packages"))
    assert {"rules", "worker", "claim_scrubber-9.0.0.dist-info"} <= {one.name for one in site.iterdir()}
    check = subprocess.run(
        [machine.prefix / "opt/claim-scrubber/9.0.0/bin/pip", "check"], capture_output=True, text=True, check=False
    )
    assert check.returncode == 0, check.stdout
    configure(machine)
    machine.run("Start")
    drop = machine.prefix / "srv/claims/out"
    put(drop, "one", 0)
    until(lambda: decided(machine, 20), 60, lambda: machine.scrub("status"))
    assert len(list((drop / "done").iterdir())) >= 1
    until(lambda: "ready:" in machine.scrub("probe", "ready"), 30)
    well = machine.run("Is it well?")
    assert "healthy: 0 waiting, 0 in flight" in well
    assert "tampered" not in well
    assert (machine.prefix / "var/lib/claim-scrubber").stat().st_mode & 0o777 == 0o700
    machine.scrub("snapshot")
    figures = machine.prefix / "var/lib/claim-scrubber-figures"
    script = machine.prefix / "opt/claim-scrubber/current/share/claim-scrubber/systemd/figures"
    program = {"PATH": "/usr/bin:/bin", "SCRUB": str(machine.prefix / "usr/local/bin/claim-scrubber")}
    subprocess.run(["sh", script, figures], env=program, check=True, timeout=60)
    assert "scrub_accepted_total 20.0" in (figures / "claim-scrubber.prom").read_text()
    assert 'scrub_doctor_ill{about="audit folder"} 0.0' in (figures / "claim-scrubber-doctor.prom").read_text()

    machine.release = released(tmp_path, "9.1.0")
    assert "claim-scrubber 9.1.0" in machine.run("Install")
    assert "scrub 9.1.0" in machine.run("Upgrade")
    put(drop, "two", 100)
    until(lambda: decided(machine, 40), 60, lambda: machine.scrub("status"))

    assert "scrub 9.0.0" in machine.run("Way back")
    assert "claim-scrubber 9.0.0" in machine.scrub("--version")
    put(drop, "three", 200)
    put(drop, "again", 0)
    until(lambda: decided(machine, 80), 60, lambda: machine.scrub("status"))
    found = json.loads(machine.scrub("status", "--json"))
    assert (found["balance"], found["repeated"]) == (0, 20)
    machine.run("Stop")
    left = sorted(one.name for one in (machine.prefix / "run/units").iterdir() if one.suffix != ".log")
    assert left == ["claim-scrubber-redis"]


def configure(machine: Machine) -> None:
    """Files first, as a person edits them, then Redis."""
    files, redis = BLOCKS["Configure"]
    BLOCKS["files"], BLOCKS["redis"] = [files], [redis]
    machine.run("files")
    machine.run("redis")


def put(folder: Path, name: str, first: int) -> None:
    claims = "".join(json.dumps(claim(first + n)) + "\n" for n in range(20))
    aside = folder.parent / f"{name}.ndjson"
    aside.write_text(claims)
    aside.rename(folder / aside.name)


def test_the_page_names_every_unit_and_settings_file_that_there_is() -> None:
    for file in (ROOT / "ops/systemd").iterdir():
        named = file.name.removesuffix(".service")
        assert named in PAGE, named
