"""The protocol of what leaves by file, by model: two processes that file, two workers, and people who let claims go.

Files come, the same bytes and the same claims again, and versions of them; the cutoff may pass at any moment, and who
files dies before or after any command to Redis and any name that it gives or takes away. Somebody takes each file out
as soon as it has its name.
"""

from __future__ import annotations

import os
import re
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, ClassVar

import orjson
import pytest
from hypothesis import Phase
from hypothesis import strategies as st
from hypothesis.errors import FlakyStrategyDefinition
from hypothesis.stateful import initialize, precondition, rule

from tests.exits.splitting import cut
from tests.faults.actors import Filer, stopping_on_disk
from tests.faults.interleaving import explore
from tests.faults.words import Words
from tests.filing.filed import GOING, of
from worker.filing.cutoff import Cutoff
from worker.filing.state import Record, waiting
from worker.monitoring.reconciliation import Reconciliation
from worker.store.outletspecs import FILES
from worker.store.registry import Producer

EXAMPLES = int(os.environ.get("SCRUBTEST_EXAMPLES", "20"))
EHR = Producer("ehr", exit="file")
LATER = re.compile(r"\.[2-9]\.837$")
NAMES = ("C-1", "H-2", "H-3", "C-4", "U-5")
"""Clean, held, held, held for how it is written, of no procedure that the book knows."""


class Day(Cutoff):
    """A cutoff that passes when the model says so."""

    over: ClassVar[bool] = False

    def of(self, came: datetime) -> datetime:
        return came if type(self).over else came + timedelta(days=1)


def version(raw: bytes, name: str, number: int, *, mended: bool) -> bytes:
    """The file with another version of this claim, of another charge; `mended`: without what holds it."""
    at = raw.index(b"CLM*%b*" % name.encode())
    before, after = raw[:at], raw[at:].replace(b"*450*", b"*%d*" % (450 + number), 2)
    if mended:
        after = after.replace(b"UN*0", b"UN*1", 1).replace(b"m5431", b"M5431", 1)
    return before + after


def written(raw: bytes) -> bytes:
    """C-4 says its diagnosis in small letters, and is clean otherwise."""
    before, name, after = raw.partition(b"CLM*C-4*")
    return before + name + after.replace(b"ABK:M5431", b"ABK:m5431", 1)


class FileProtocol(Words):
    SETTINGS: ClassVar[dict[str, Any]] = {"producer": "ehr", "send_undecided": "send"}

    @initialize(count=st.sampled_from((1, 1, 2)))
    def begin(self, count: int) -> None:
        self.raws: dict[str, bytes] = {}
        """The files that came, by the ends of their names."""
        self.taken: dict[str, bytes] = {}
        """The files that somebody took out, by their names."""
        self.filers: list[Filer] = []
        self.home = self.store.settings.state_dir / "files"
        shutil.rmtree(self.home, ignore_errors=True)
        for name in ("drop", "out"):
            (self.home / name).mkdir(parents=True)
        self.prepare(count, EHR)
        self.day = type("Today", (Day,), {})
        self.filers = [self.engage(), self.engage()]

    @property
    def began(self) -> bool:
        return bool(self.raws)

    def engage(self) -> Filer:
        out = self.home / "out"
        found = Filer(self.store, self.home / "drop", out, self.day(after=timedelta(1)), EHR, self.notifier.notify)
        found.watched = self.take_out
        return found

    def take_out(self) -> None:
        self.watch()
        for file in sorted((self.home / "out").glob("[!.]*")):
            if not file.name.endswith(".manifest.json"):
                assert file.name not in self.taken, f"{file.name} came out twice"
                self.taken[file.name] = file.read_bytes()
                file.unlink()

    # The hospital.

    @rule(
        names=st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True),
        other=st.integers(0, 2),
        mended=st.booleans(),
    )
    def put(self, names: list[str], other: int, mended: bool) -> None:
        """`other`: which version of the last of the claims it is."""
        raw = written(of(*names, control=101 + len(self.raws)))
        if other:
            raw = version(raw, names[-1], other, mended=mended)
        self.drop(raw)

    @precondition(lambda self: self.raws)
    @rule(which=st.integers(0, 5))
    def put_again(self, which: int) -> None:
        """The same bytes under another name."""
        self.drop([*self.raws.values()][which % len(self.raws)])

    def drop(self, raw: bytes) -> None:
        name = f"f{len(self.raws)}"
        self.raws[name] = raw
        part = self.home / "drop" / f".{name}"
        part.write_bytes(raw)
        part.rename(self.home / "drop" / f"{name}.837")

    @rule()
    def day_ends(self) -> None:
        self.day.over = True

    @rule()
    def day_begins(self) -> None:
        self.day.over = False

    # Who files.

    @rule(which=st.integers(0, 1), commands=st.integers(1, 60))
    def file_on(self, which: int, commands: int) -> None:
        filer = self.filers[which]
        for _ in range(commands):
            if not filer.busy:
                filer.wake()
            if filer.busy:
                filer.go()

    @rule(commands=st.integers(1, 60))
    def file_side_by_side(self, commands: int) -> None:
        for _ in range(commands):
            for which in (0, 1):
                self.file_on(which, 1)

    @rule(which=st.integers(0, 1), commands=st.integers(1, 60), how=st.sampled_from(("kill_before", "kill_after")))
    def filer_dies(self, which: int, commands: int, how: str) -> None:
        self.file_on(which, commands)
        if self.filers[which].busy:
            self.filers[which].go(how)
        self.filers[which].kill()
        self.filers[which] = self.engage()

    @rule(which=st.integers(0, 1), commands=st.integers(1, 60))
    def filer_loses_an_answer(self, which: int, commands: int) -> None:
        self.file_on(which, commands)
        if self.filers[which].busy:
            self.filers[which].go("lose")

    @rule()
    def a_while_passes(self) -> None:
        """What one who files was handed and did not keep is another one's by now."""
        keys, redis = self.store.keys, self.store.redis
        for stream in (part.outlet(FILES) for part in keys.all):
            for item in redis.xpending_range(stream, FILES, "-", "+", 1000):
                redis.xclaim(stream, FILES, item["consumer"], 0, [item["message_id"]], idle=61_000, justid=True)

    @rule()
    def everybody_works(self) -> None:
        for filer in self.filers:
            filer.finish()
            filer.wake()
            filer.finish()
        for _ in range(2):
            self.workers[0].finish()
            self.workers[0].wake()
            self.workers[0].finish()

    # What must be true.

    def teardown(self) -> None:
        if not hasattr(self, "workers") or not self.filers:
            return
        self.day.over = True
        quiet = 0
        for _ in range(40):
            self.a_while_passes()
            self.time_passes()
            self.everybody_works()
            quiet = quiet + 1 if self._over() else 0
            if quiet == 3:  # what workers decided in one round is kept in the next, and leaves in the one after
                break
        for filer in self.filers:
            filer.kill()
        super().teardown()

    def _over(self) -> bool:
        """Whether everything that came is written, and everything that was let go has left."""
        out, drop = self.home / "out", self.home / "drop"
        hidden = [file for file in out.glob(".*") if file.suffix not in (".kept", ".left")]
        return not hidden and not [*drop.glob("*.837")] and not waiting(self.store.redis, self.store.keys)

    def reckon(self, found: Reconciliation) -> None:
        super().reckon(found)
        assert self._over(), [filer.complained for filer in self.filers]
        manifests = {
            file.name.removesuffix(".manifest.json"): orjson.loads(file.read_bytes())
            for file in (self.home / "out").glob("*.manifest.json")
        }
        by_verdict, left = Counter[bytes](), defaultdict[str, Counter[bytes]](Counter)
        first = {stem: found for stem, found in manifests.items() if found["number"] == 1}
        assert first.keys() == self.raws.keys()
        for stem, manifest in first.items():
            raw, everywhere = self.raws[stem], Counter[bytes]()
            for row in manifest["files"]:
                if row["kind"] in GOING:
                    everywhere.update(inside := cut(self.taken[row["file"]]))
                    left[stem].update(inside if row["kind"] == "clean" or row["send"] else ())
                    by_verdict.update(inside if row["kind"] == "clean" else ())
            stay = [row for row in manifest["claims"] if row["kind"] in ("refused", "repeated")]
            everywhere.update(raw[row["offset"] : row["offset"] + row["bytes"]] for row in stay)
            assert everywhere == Counter(cut(raw)), "each claim is in one class"
        later = Counter[bytes]()
        for name, raw in self.taken.items():
            if LATER.search(name):
                later.update(inside := cut(raw))
                left[name.partition(".")[0]].update(inside)
        # What nobody decided is sent as the hospital has it, in each file that it is in. A repair writes a claim
        # otherwise, so that it is the same one in capitals.
        for found_there in (by_verdict + later, *left.values()):
            assert max(Counter(claim.upper() for claim in found_there.elements()).values(), default=0) <= 1
        let_go = [one for one in self.seen if one.word and one.fate == "billing"]
        assert sum(later.values()) == len(let_go)
        verdicts = [one for one in self.seen if one.outlet == FILES and not one.word and one.fate == "billing"]
        assert sum(by_verdict.values()) == len(verdicts)


@contextmanager
def exploring() -> Iterator[None]:
    """With names that are given and taken away as steps of their own."""
    with stopping_on_disk("rename", "unlink"):
        yield


def test_each_claim_of_each_file_leaves_once_whoever_dies_at_whatever_step() -> None:
    with exploring():
        explore(FileProtocol, EXAMPLES)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_exploration_notices_when_redis_does_not_confirm_the_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it would prove nothing."""
    monkeypatch.setattr(Record, "advance", lambda *_: True)
    with exploring(), pytest.raises((AssertionError, ExceptionGroup, FlakyStrategyDefinition)):
        explore(FileProtocol, 500, phases=(Phase.generate,), database=None, report_multiple_bugs=False)
