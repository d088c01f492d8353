"""NCCI pairs of the true size, 2.6 million rows: what an import, a look-up and a process cost."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .truesize import OWN, ROWS, write

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
PROCESSES = 4
MIB = 2**20
ONE_PROCESS = """
import random, sys, time
from datetime import date
from pathlib import Path
from rules.loader import load_book
from tests.tables.truesize import codes

def own():
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    sizes = {line.split(":")[0]: int(line.split()[1]) for line in lines if line.endswith("kB")}
    return sizes["Private_Dirty"] // 1024, sizes["Pss"] // 1024

folder = Path(sys.argv[1])
load_book(examples=False)
before, _ = own()
table = load_book(imported=folder, examples=False).tables["ncci_ptp"]
draw, known, day = random.Random(1), codes(), date(2026, 11, 1)
keys = [("practitioner", draw.choice(known), draw.choice(known)) for _ in range(50_000)]
for key in keys:
    table.find(key, day)
started = time.process_time()
for key in keys:
    table.find(key, day)
took = (time.process_time() - started) / len(keys) * 1e6
print("ready", flush=True)
sys.stdin.readline()
dirty, share = own()
print(len(table), dirty - before, share, round(took, 1), flush=True)
"""


def scrub(state: Path, *arguments: object) -> str:
    environment = {**os.environ, "SCRUB_STATE_DIR": str(state)}
    command = [sys.executable, "-m", "worker", *map(str, arguments)]
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def measured(folder: Path, processes: int) -> list[tuple[int, int, int, float]]:
    """Of each process, while all have the table: rows, growth of its own memory and its share of all (MiB), and
    microseconds of a look-up."""
    command = [sys.executable, "-c", ONE_PROCESS, str(folder)]
    running = [
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(processes)
    ]
    found = []
    for process in running:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in running:
        said, _ = process.communicate("\n")
        rows, dirty, share, took = said.split()
        found.append((int(rows), int(dirty), int(share), float(took)))
    return found


def test_all_rows_are_imported_shared_and_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = write(tmp_path, OWN)
    started = time.perf_counter()
    said = scrub(tmp_path / "state", "tables", "import", *files)
    took = time.perf_counter() - started
    assert f"{ROWS + len(OWN):,} rows kept, the whole table" in said
    (rows,) = (tmp_path / "state" / "tables").glob("*.rows")
    assert rows.stat().st_size < 40 * MIB
    alone, several = measured(rows.parent, 1), measured(rows.parent, PROCESSES)
    with capsys.disabled():
        print(f"\nimport {took:.0f} s, file {rows.stat().st_size / MIB:.1f} MiB")
        for one in (alone, several):
            print(f"{len(one)} processes: rows, own MiB more, share MiB, microseconds of a look-up: {one}")
    assert all(count > ROWS for count, *_ in (*alone, *several))
    assert all(dirty < 25 for _, dirty, *_ in several), "a process holds no copy"
    assert sum(share for _, _, share, _ in several) < PROCESSES * alone[0][2], "the rows are there once for all"
