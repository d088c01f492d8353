"""The units, by systemd's own tools: they are verified, and rated for what they leave open."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from .test_container import understood

FOLDER = Path(__file__).parents[2] / "ops/systemd"
UNITS = sorted([*FOLDER.glob("*.service"), *FOLDER.glob("*.timer")])
SERVICES = [unit for unit in UNITS if unit.suffix == ".service"]
LONG = [unit for unit in SERVICES if "Type=oneshot" not in unit.read_text()]
needs_systemd = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze on PATH")


def value(unit: Path, key: str) -> str:
    (found,) = re.findall(rf"^{key}=(.*)$", unit.read_text(), re.MULTILINE)
    return str(found)


@needs_systemd
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_finds_nothing_wrong_with_a_unit_whose_program_is_there(unit: Path, tmp_path: Path) -> None:
    for one in UNITS:
        text = re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", one.read_text(), flags=re.MULTILINE)
        (tmp_path / one.name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(tmp_path / unit.name)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@needs_systemd
@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_systemd_rates_what_a_unit_leaves_open_as_the_page_says(unit: Path) -> None:
    assert "rates each unit 1.5 or less, of 10" in " ".join((FOLDER.parent / "install.md").read_text().split())
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=15", "--no-pager", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-200:]


@needs_systemd
def test_a_unit_that_leaves_more_open_would_fail(tmp_path: Path) -> None:
    loose = tmp_path / "x.service"
    loose.write_text("[Service]\nExecStart=/bin/true\nNoNewPrivileges=yes\n")
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=15", "--no-pager", str(loose)]
    assert subprocess.run(command, capture_output=True, check=False).returncode != 0


@pytest.mark.parametrize("unit", LONG, ids=lambda unit: unit.name)
def test_a_service_is_started_again_however_long_redis_is_away(unit: Path) -> None:
    assert value(unit, "Restart") == "always"
    if "redis" not in unit.name:
        assert value(unit, "StartLimitIntervalSec") == "0"
        assert (value(unit, "KillMode"), value(unit, "TimeoutStopSec")) == ("mixed", "45")


@pytest.mark.parametrize("unit", sorted(FOLDER.glob("*.timer")), ids=lambda unit: unit.name)
def test_what_a_timer_starts_is_a_command_that_there_is(unit: Path) -> None:
    program, *words = shlex.split(value(unit.with_suffix(".service"), "ExecStart"))
    if program.endswith("/bin/scrub"):
        assert understood(words)
    else:
        assert (FOLDER / Path(words[0]).name).exists()


def test_the_watchdog_waits_longer_than_the_probe() -> None:
    from worker.process.heartbeat import STALE

    (worker,) = FOLDER.glob("claim-scrubber-worker@.service")
    assert float(value(worker, "WatchdogSec")) > STALE
    assert value(worker, "Type") == "notify"


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_no_unit_carries_a_password(unit: Path) -> None:
    """An environment is shown by `systemctl show` to every user of the machine."""
    assert "password" not in unit.read_text().lower().replace("password file", "")


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.env")), ids=lambda file: file.name)
def test_a_settings_file_is_read_alike_by_systemd_and_by_a_shell(file: Path, tmp_path: Path) -> None:
    plain = dict(line.split("=", 1) for line in file.read_text().splitlines() if line and line[0] != "#")
    said = subprocess.run(
        ["sh", "-c", 'set -a; . "$0"; env', str(file)],
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert plain.items() <= dict(line.split("=", 1) for line in said.splitlines()).items()
