"""Where a pool process spends its time, by py-spy from outside while it works: a table and a flame graph."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

from worker.bench.growth import children
from worker.bench.pipe import Say, decided, fill
from worker.bench.tables import Section
from worker.bench.testbed import fresh_testbed
from worker.process.command import command

_CLAIMS = 200_000
_SECONDS = 8
_RATE = 250
_STAGES = {
    "take (inbox.py)": "read the batch from the inbox",
    "given (inbox.py)": "read the batch from the inbox",
    "read_event (events.py)": "JSON, CloudEvent and claim model",
    "remembered (inbox.py)": "event memory and ledgers: one round trip",
    "check (check.py)": "facts, rules, report",
    "scrubbed (outlets.py)": "the outlet's event as JSON",
    "rendered (rendering.py)": "the outlet's event as JSON",
    "commit (commit.py)": "commit script: one round trip",
    "write (audit.py)": "audit log: JSON, chain, disk",
    "decide (batch.py)": "the rest of deciding: ledgers, audit fields",
    "read (batch.py)": "the rest of reading: identities, patients",
}
"""By the function that py-spy names; the innermost of a stack counts."""


def stages(folder: Path, *, say: Say) -> Section:
    """CPU and waiting of one pool process by stage; writes `flame.svg` and `stacks.txt` to the folder."""
    spy = shutil.which("py-spy") or shutil.which("py-spy", path=str(Path(sys.executable).parent))
    columns = ("stage", "us a claim", "share")
    if spy is None:
        return Section("A pool process, by stage", columns, [], "py-spy is not installed: pip install --group bench")
    folder.mkdir(parents=True, exist_ok=True)
    say("profile: one process under py-spy")
    with fresh_testbed("everysec") as testbed:
        fill(testbed, _CLAIMS)
        worker = testbed.start(command(1))
        testbed.await_moving(lambda: decided(testbed))
        (child,) = children(worker.pid)
        before = decided(testbed)
        _record(spy, child, "raw", folder / "stacks.txt")
        done = decided(testbed) - before
        _record(spy, child, "flamegraph", folder / "flame.svg")
    samples = _by_stage((folder / "stacks.txt").read_text("utf-8"))
    total = sum(samples.values())
    each = _SECONDS * 1e6 / max(1, done)
    rows = [(name, round(each * count / total, 1), f"{count / total:.0%}") for name, count in samples.most_common()]
    note = f"{done / _SECONDS:.0f} claims/s under py-spy. Flame graph: {folder / 'flame.svg'}"
    return Section("A pool process, by stage", columns, rows, note)


def _record(spy: str, pid: int, format: str, file: Path) -> None:
    words = [spy, "record", "--pid", str(pid), "--format", format, "--output", str(file)]
    words += ["--duration", str(_SECONDS), "--rate", str(_RATE), "--idle", "--function"]
    subprocess.run(words, check=True, capture_output=True)


def _by_stage(stacks: str) -> Counter[str]:
    """Samples by stage, of py-spy's lines `frame;frame;... count`."""
    found: Counter[str] = Counter()
    for line in stacks.splitlines():
        stack, _, count = line.rpartition(" ")
        frames = reversed([_named(frame) for frame in stack.split(";")])
        found[next((_STAGES[frame] for frame in frames if frame in _STAGES), "elsewhere: Celery, idle")] += int(count)
    return found


def _named(frame: str) -> str:
    """`Inbox.take (worker/pipeline/inbox.py:262)` as `take (inbox.py)`."""
    name, _, where = frame.partition(" (")
    file = where.rpartition("/")[2].partition(":")[0].rstrip(")")
    return f"{name.rpartition('.')[2]} ({file})"
