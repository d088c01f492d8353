"""The drop folder in, the other folder out: takes files, goes on with each, and writes it when its time has come.

A file is copied into the folder out, under a hidden name, before anything of it is sent; then the original goes to
`done`. From there on nothing that happens to the original matters. Whoever has the lock of the copy works on it: what a
process left that was killed is taken up by the next one, or by another that runs.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import IO, cast

import orjson

from rules.errors import ScrubError
from worker.errors import KeyNotHere
from worker.exits.folder import there
from worker.exits.staged import ABOUT, KEPT, ORIGINAL, PLAN, STAYS, drop, hidden, of_token, plan_of, read, write_whole
from worker.filing.claims import is_837
from worker.filing.collecting import Collector, in_quarantine
from worker.filing.cutoff import Cutoff
from worker.filing.later import PLANS, KeptFile
from worker.filing.onefile import OutgoingFile, Surroundings
from worker.filing.state import Record, waiting
from worker.intake.dropfolder import DropFolder, Taken
from worker.intake.filenames import name_fields
from worker.logs.printable import json_bytes
from worker.monitoring.workers import worker_of
from worker.store.keys import INNER

_CHUNK = 2**20
_PART = re.compile(r"\.[0-9a-f]{16}\.part")
_REST = 5.0
_LONGEST = 300.0
_DAY = 86_400.0
MISSED = 10.0
"""Seconds for which claims wait before it is said that their original is not here."""
_IDLE = 10.0
"""Seconds for which nothing may be on the queue before what is missing is taken for what will not come."""
_NO_837 = (
    "there is no X12 837 in it, or its bytes do not hold together, and only an 837 leaves by file; its source has no "
    "other exit"
)


@dataclass(slots=True)
class Filing:
    """One process at work on a folder in and a folder out."""

    shared: Surroundings
    folder: DropFolder
    out: Path
    cutoff: Cutoff | None
    collector: Collector
    say: Callable[[str], None]
    complain: Callable[[str], None]
    _files: dict[str, OutgoingFile] = field(default_factory=dict)
    _resting: dict[str, tuple[float, float]] = field(default_factory=dict)
    """By file, until when and for how long."""
    _missed: dict[str, float] = field(default_factory=dict)
    """Since when claims wait whose original is not here; 0: it was said."""
    _idle_since: float = 0.0
    _last: str = ""

    def step(self) -> None:
        """Does what there is to do now. What fails for a time is said, and tried again.

        Raises:
            redis.exceptions.RedisError, OSError: of what all files need.
        """
        with _opened(self.out) as out:
            _tidy(out)
            self._forget(out)
            for path in self.folder.ready(time.monotonic()):
                self._guarded(f"in {path.name}", path.name, partial(self._take, out, path))
            for token in self._tokens(out):
                self._board(out, token)
            kept = _named(out, KEPT)
            if not (self._files or kept) or self._older():
                return
            self.collector.collect()
            for short, token in self._later(out, kept).items():
                self._guarded(f"later {short}", f"what leaves later of {short}", partial(self._go_later, out, token))
            for token, one in [*self._files.items()]:
                one.folder = out
                self._guarded(token, one.name, partial(self._go_on, one))

    def close(self) -> None:
        """Lets go of every file."""
        for one in self._files.values():
            one.close()
        self._files.clear()

    def _older(self) -> bool:
        """Whether a worker runs that would send the claims to billing."""
        shared = self.shared
        seconds, micros = shared.redis.time()
        now = seconds + micros / 1e6
        found = cast(dict[bytes, bytes], shared.redis.hgetall(shared.keys.first.workers))
        alive = (one for one in (worker_of(name.decode(), said, now) for name, said in found.items()) if one.alive)
        older = [one for one in alive if not one.exits]
        said = f"a worker of an older release runs on {older[0].host}, which knows of no files" if older else ""
        if said and said != self._last:
            self.complain(f"{said}: nothing is sent until it is replaced")
        self._last = said
        return bool(older)

    def _guarded(self, key: str, name: str, act: Callable[[], object]) -> None:
        now = time.monotonic()
        until, rest = self._resting.get(key, (0.0, _REST / 2))
        if now < until:
            return
        try:
            act()
        except (ScrubError, OSError) as error:
            if isinstance(error, KeyNotHere):
                raise
            rest = min(rest * 2, _LONGEST)
            self._resting[key] = now + rest, rest
            why = (error.strerror or type(error).__name__) if isinstance(error, OSError) else str(error)
            self.complain(f"{name}: {why} It is tried again in {rest:.0f} s.")
        else:
            self._resting.pop(key, None)

    def _take(self, out: int, path: Path) -> None:
        with self.folder.take(path) as taken:
            if taken is None or taken.stream is None:
                return
            part = f".{secrets.token_hex(8)}.part"
            try:
                self._spool(out, taken, part)
            finally:
                drop(out, part)

    def _spool(self, out: int, taken: Taken, part: str) -> None:
        assert taken.stream is not None
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(part, flags, 0o600, dir_fd=out), "w+b") as copy:
            fcntl.flock(copy, fcntl.LOCK_EX | fcntl.LOCK_NB)
            token = _copied(taken.stream, copy)
            name = taken.path.name
            if there(out, hidden(token, ORIGINAL)):
                if self._about(out, token).get("shape") == [*taken.shape]:
                    # It broke off between the two.
                    self.move(taken, token)
                return  # else the same bytes, which wait until those of before are written
            if there(out, hidden(token, PLAN)):
                return
            with os.fdopen(os.dup(copy.fileno()), "rb") as content:
                readable = is_837(content)
            if not readable:
                self._refuse(taken)
                return
            about = {"name": os.fsencode(name).hex(), "shape": [*taken.shape], "came": time.time()}
            write_whole(out, hidden(token, ABOUT), orjson.dumps(about))
            os.rename(part, hidden(token, ORIGINAL), src_dir_fd=out, dst_dir_fd=out)
            os.fsync(out)
            if not self.move(taken, token):
                # Its sender wrote on: those bytes are not the file.
                drop(out, hidden(token, ORIGINAL))
                drop(out, hidden(token, ABOUT))

    def move(self, taken: Taken, token: str) -> bool:
        """Puts a file that is in hand away, with a note of what it was; False: somebody took it meanwhile."""
        name = taken.path.name
        report = {**name_fields(name), "taken": datetime.now().astimezone().isoformat(timespec="seconds"),
                  "sha256": token, "out": str(self.out), "refused": 0}  # fmt: skip
        return taken.move("done", json_bytes(report, indent=True) + b"\n") is not None

    def _refuse(self, taken: Taken) -> None:
        refusals = [{"position": "", "problems": [{"path": "", "sentence": _NO_837}]}]
        report = {**name_fields(taken.path.name), "refused": 1, "refusals": refusals}
        if moved := taken.move("failed", json_bytes(report, indent=True) + b"\n"):
            self.say(f"{taken.path.name}: {_NO_837} -> failed/{moved.name}")

    def _forget(self, out: int) -> None:
        """Takes originals away whose claims nobody can let go any more."""
        since = time.time() - self.shared.memory_ms / 1000 - _DAY
        for token in _named(out, KEPT):
            with suppress(FileNotFoundError):
                if os.stat(hidden(token, KEPT), dir_fd=out, follow_symlinks=False).st_mtime < since:
                    for end in STAYS:
                        drop(out, hidden(token, end))

    def _tokens(self, out: int) -> list[str]:
        return _named(out, ORIGINAL)

    def _about(self, out: int, token: str) -> dict[str, object]:
        try:
            found: dict[str, object] = orjson.loads(read(out, hidden(token, ABOUT)))
        except (FileNotFoundError, ValueError):
            return {}
        return found

    def _later(self, out: int, kept: list[str]) -> dict[str, str]:
        """The originals here of which claims wait to leave later, or did when a process was killed; by what is hidden
        of them, their digests, or as much as is known of those."""
        wait = {token[:32]: token for token in waiting(self.shared.redis, self.shared.keys)}
        begun = {match[1] for name in _hidden(out) if (match := PLANS.fullmatch(name))}
        for short in wait.keys() - {*kept} - self._missed.keys():
            self._missed[short] = time.monotonic()
        for short, since in [*self._missed.items()]:
            self._miss(short, since, here=short in kept or short not in wait, token=wait.get(short, ""))
        return {short: wait.get(short, short) for short in kept if short in wait or short[:24] in begun}

    def _miss(self, short: str, since: float, *, here: bool, token: str) -> None:
        """Says once of claims that wait that their original is not here."""
        if here:
            del self._missed[short]
        elif since and time.monotonic() - since > MISSED:
            record = Record(self.shared.redis, self.shared.keys, token, self.shared.memory_ms)
            if record.state() == "written":
                self._missed[short] = 0.0
                self.complain(
                    f"claims of {record.name()} were let go, and its original is not in {self.out}: they leave from "
                    "the folder that it was written in"
                )

    def _go_later(self, out: int, token: str) -> None:
        name = hidden(token, KEPT)
        with os.fdopen(os.open(name, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=out), "rb") as file:
            if _locked(file) and there(out, name):
                KeptFile(self.shared, out, self.out, file, _digest(file), self.say, self.complain).go_on()

    def _board(self, out: int, short: str) -> None:
        """Takes up a file that nobody works on."""
        if any(token.startswith(short) for token in self._files):
            return
        try:
            file = os.fdopen(os.open(f".{short}{ORIGINAL}", os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=out), "rb")
        except FileNotFoundError:
            return
        if not _locked(file) or not there(out, f".{short}{ORIGINAL}"):
            file.close()
            return
        about = self._about(out, short)
        token = _digest(file)
        name = os.fsdecode(bytes.fromhex(str(about.get("name", "")))) or f"{short}.837"
        came = datetime.fromtimestamp(float(str(about.get("came", 0))) or os.fstat(file.fileno()).st_mtime).astimezone()
        self._files[token] = OutgoingFile(self.shared, out, self.out, file, token, name, came)

    def _go_on(self, one: OutgoingFile) -> None:
        if one.go_on() or (self._due(one) and one.write(self._quarantined())):
            counts = ", ".join(f"{count} {kind}" for kind, count in one.totals.items())
            self.say(f"{one.name}: {counts or 'written'} -> {self.out}")
            one.close()
            del self._files[one.token]

    def _due(self, one: OutgoingFile) -> bool:
        missing = one.waits_for()
        if not missing:
            return True
        if self.cutoff and datetime.now().astimezone() >= self.cutoff.of(one.came):
            return True
        if not self._idle():
            return False
        quarantined = self._quarantined()
        return not (self.cutoff and missing & quarantined)

    def _idle(self) -> bool:
        """Whether nothing is on the queue that could still be decided."""
        shared = self.shared
        streams = [part.stream(name) for part in shared.keys.all for name in (shared.claims.producer.name, INNER)]
        if any(shared.redis.xlen(stream) for stream in streams):
            self._idle_since = 0.0
            return False
        now = time.monotonic()
        self._idle_since = self._idle_since or now
        quarantined_alone = all(one.waits_for() <= self._quarantined() for one in self._files.values())
        return quarantined_alone or now - self._idle_since > _IDLE

    def _quarantined(self) -> set[str]:
        shared = self.shared
        name = shared.claims.producer.name
        return in_quarantine(shared.redis, shared.keys, self.collector.producers(), name)


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    """The folder out, open for as long as one look takes: it may be unmounted between two."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield folder
    finally:
        os.close(folder)


def _tidy(out: int) -> None:
    """Takes away what was left by who was killed: of a file that is written, and copies that were not whole."""
    names = _hidden(out)
    for name in names:
        token = name.removeprefix(".").removesuffix(PLAN)
        if name.endswith(PLAN) and not PLANS.fullmatch(name) and hidden(token, ORIGINAL) not in names:
            plan = plan_of(out, token)
            if plan and not any(there(out, part) for part in plan.names):
                for left in [*of_token(out, token)]:
                    drop(out, left)
        elif _PART.fullmatch(name):
            with suppress(FileNotFoundError), os.fdopen(os.open(name, os.O_RDWR, dir_fd=out), "rb") as file:
                if _locked(file):
                    drop(out, name)


def _hidden(out: int) -> list[str]:
    with os.scandir(out) as entries:
        return sorted(entry.name for entry in entries if entry.name.startswith("."))


def _named(out: int, end: str) -> list[str]:
    """Of which files there is what ends so; each as it is hidden."""
    return [name.removeprefix(".").removesuffix(end) for name in _hidden(out) if name.endswith(end)]


def _locked(file: IO[bytes]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        raise
    return True


def _copied(stream: IO[bytes], copy: IO[bytes]) -> str:
    """Copies it, onto the disk; answers the digest."""
    digest = hashlib.sha256()
    stream.seek(0)
    while chunk := stream.read(_CHUNK):
        digest.update(chunk)
        copy.write(chunk)
    copy.flush()
    os.fsync(copy.fileno())
    return digest.hexdigest()


def _digest(file: IO[bytes]) -> str:
    digest = hashlib.sha256()
    file.seek(0)
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
    file.seek(0)
    return digest.hexdigest()
