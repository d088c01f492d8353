"""kill -9 of the process that files, at moments of chance, while its worker works, somebody takes each file away, and
a person lets claims go that were held.

`KILLS=100 pytest -m slow tests/filing/test_kills.py` has a hundred of them.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests import standby
from tests.integration.helpers import Worker, counting
from worker.desk.acting import Desk as CaseDesk
from worker.pipeline import producers
from worker.store.connections import Store

from .conftest import EHR
from .filed import assert_each_claim_once, later, manifests, of
from .test_broken import Picker
from .test_later import cases, let_go, person

__all__ = ["cases", "person"]

KILLS = int(os.environ.get("KILLS", "20")) // 2
"""While files come, and again while claims of them are let go."""


def started(home: Path, cutoff: str) -> standby.Forked:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SCRUB_")}
    settings = {"SCRUB_STATE_DIR": str(home), "SCRUB_PRODUCER": "ehr", "SCRUB_SEND_UNDECIDED": "send"}
    command = ["submit", "--watch", "drop", "--out", "out", "--settle", "0", "--cutoff", cutoff]
    with (home / "filing.log").open("ab") as log, Path(os.devnull).open("rb") as nothing:
        streams = [nothing.fileno(), log.fileno(), log.fileno()]
        return standby.scrub_started(command, streams, home, {**clean, **settings})


def span(chance: random.Random) -> float:
    """Seconds until the next kill, on a machine that is not as busy as this one."""
    busy = os.getloadavg()[0] / (os.cpu_count() or 1)
    return chance.uniform(0.05, 1.6) * min(3.0, max(1.0, busy))


def watching(home: Path, before: int) -> bool:
    """Whether one more has said that it began."""
    return (home / "filing.log").read_bytes().count(b"watching drop") > before


def past(moment: float) -> bool:
    return time.monotonic() > moment


def look_until(picker: Picker, over: Callable[[], bool], seconds: float) -> None:
    limit = time.monotonic() + seconds
    while not over():
        assert time.monotonic() < limit
        picker.look()
        time.sleep(0.005)


def left_later(out: Path) -> list[str]:
    """The numbers of the claims that left after the others."""
    found = manifests(out)
    return [row["claim_id"] for stem in found for row in found[stem]["claims"] if found[stem]["number"] > 1]


def let_some_go(
    person: CaseDesk, out: Path, raws: dict[str, bytes], going: dict[str, str], chance: random.Random
) -> None:
    """Waives a held claim of each of two files that are written."""
    found = manifests(out)
    written = sorted(found.keys() & raws.keys())
    for stem in chance.sample(written, min(2, len(written))):
        held = [row["claim_id"] for row in found[stem]["claims"] if row["kind"] == "held"]
        if name := next((one for one in held if one not in going), None):
            let_go(person, name)
            going[name] = stem


@pytest.mark.slow
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("cutoff", ["1h", "2s"], ids=["decided", "cutoff"])
def test_every_claim_is_in_one_file_however_often_it_is_killed(
    home: Path, store: Store, person: CaseDesk, cutoff: str
) -> None:
    """`cutoff`: with the short one, what the worker has not done by then leaves undecided, and is sent."""
    chance = random.Random(23)
    for name in ("drop", "out"):
        (home / name).mkdir()
    producers.add(store.redis, store.keys, EHR)
    worker = Worker(home, concurrency=1).wait_ready()
    picker, raws, going = Picker(home / "out"), dict[str, bytes](), dict[str, str]()
    filing = started(home, cutoff)
    try:
        for kill in range(2 * KILLS):
            # Of the second half there are no new files, and what was written is let go of.
            if kill < KILLS and len(raws.keys() - manifests(home / "out").keys()) < 3:
                number = len(raws) + 1
                names = [f"{kind}-{number}{place:02}" for place, kind in enumerate("CCHUCHCC" * 4)]
                raws[f"f{number}"] = of(*names, control=1000 + number)
                part = home / "drop" / f".f{number}"
                part.write_bytes(raws[f"f{number}"])
                part.rename(home / "drop" / f"f{number}.837")
            let_some_go(person, home / "out", raws, going, chance)
            # Else it would be killed before it begins, where the machine is slow.
            look_until(picker, partial(watching, home, kill), 60)
            look_until(picker, partial(past, time.monotonic() + span(chance)), 60)
            filing.send_signal(signal.SIGKILL)
            filing.wait(10)
            filing = started(home, cutoff)
        deadline = time.monotonic() + 300
        while not raws.keys() <= manifests(home / "out").keys() or len(left_later(home / "out")) < len(going):
            assert time.monotonic() < deadline, (home / "filing.log").read_text()
            picker.look()
            time.sleep(0.05)
    finally:
        filing.send_signal(signal.SIGTERM)
        filing.wait(60)
        worker.kill()
    picker.look()
    assert {stem for stem in manifests(home / "out") if stem.rpartition(".")[0] not in raws} == raws.keys()
    for name, content in picker.taken.items():
        (home / "out" / name).write_bytes(content)
    sent: Counter[bytes] = Counter()
    for stem, raw in raws.items():
        manifest = assert_each_claim_once(raw, home / "out", stem)
        for row in manifest["claims"]:
            sent[raw[row["offset"] : row["offset"] + row["bytes"]]] += row["send"]
    assert sorted(left_later(home / "out")) == sorted(going), "each that was let go left later, once"
    sent.update(later(home / "out"))
    assert sum(later(home / "out").values()) == len(going) > 0
    assert max(sent.values()) == 1
    assert sum(sent.values()) == len(counting(store)), "the ledger says billed of what was sent, and of nothing else"
