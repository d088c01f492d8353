"""How `scrub bench` shows its tables."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from pathlib import Path

from worker.store import serverbinary

from .conftest import Run

MEASURES_NOTHING = """
import worker.bench.rules
from worker.bench.tables import Section
section = Section("The pipe, by batch size, one process [1]", ("batch", "claims/s"), [(1, 993)], note="A note.")
worker.bench.rules.beside = lambda *rest, **more: section
"""


def test_a_title_that_is_wider_than_its_table_stays_on_one_line(scrub: Run, home: Path) -> None:
    (home / "shim").mkdir()
    (home / "shim/sitecustomize.py").write_text(MEASURES_NOTHING)
    done = scrub("bench", "rivals", PYTHONPATH=str(home / "shim"))
    assert (done.returncode, done.stderr) == (0, "")
    _, _, title, head, row, note, *_ = done.stdout.splitlines()
    assert title == "The pipe, by batch size, one process [1]"
    assert (head.split(), row.split(), note) == (["batch", "claims/s"], ["1", "993"], "A note.")


def test_it_says_first_by_what_server_build_and_machine_it_measures(scrub: Run, home: Path) -> None:
    (home / "shim").mkdir()
    (home / "shim/sitecustomize.py").write_text(MEASURES_NOTHING)
    done = scrub("bench", "rivals", "-o", str(home / "figures.json"), PYTHONPATH=str(home / "shim"))
    first = done.stdout.splitlines()[0]
    about = json.loads((home / "figures.json").read_text())["about"]
    assert platform.python_version() == about["python"]
    assert about["python_build"].startswith(f"{platform.python_implementation()}, {platform.python_compiler()}")
    assert about["cores"] == len(os.sched_getaffinity(0))
    assert all(str(about[name]) in first for name in ("python", "python_build", "server", "malloc", "cores", "cpu"))
    binary = serverbinary.choose(None).binary
    said = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout
    assert f"malloc={about['malloc']} " in said


def test_a_redis_on_path_that_goes_before_the_package_is_named(scrub: Run, home: Path) -> None:
    (home / "shim").mkdir()
    (home / "shim/sitecustomize.py").write_text(MEASURES_NOTHING)
    other = home / "bin/redis-server"
    other.parent.mkdir()
    other.write_text("#!/bin/sh\necho 'Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.2.1 bits=64'\n")
    other.chmod(0o755)
    path = f"{other.parent}{os.pathsep}{os.environ['PATH']}"
    first = scrub("bench", "rivals", PYTHONPATH=str(home / "shim"), PATH=path).stdout.splitlines()[0]
    assert f"server: Redis 7.0.15 ({other}), malloc jemalloc-5.2.1;" in first
