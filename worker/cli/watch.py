"""`scrub submit --watch`: the files of a drop folder onto the queue, each with a report beside it."""

from __future__ import annotations

import errno
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from signal import SIGPIPE
from typing import TYPE_CHECKING, Any

from rules.errors import Problem
from worker.cli.common.books import codes_of
from worker.cli.common.sources import Intake
from worker.cli.common.terminal import Unwritten, complain, flush, give_up, plain, say
from worker.intake.filenames import name_fields
from worker.logs.frames import kind, places
from worker.process.signals import Stopped, held

if TYPE_CHECKING:
    from worker.cli.answering import Answering
    from worker.intake.document import Document, Refusal
    from worker.intake.dropfolder import DropFolder, Taken
    from worker.store.connections import Store

MOST = 1_000
"""Refusals that a report lists; it counts them all."""
_PERIOD = 0.5
_PAUSE = 5.0
"""Seconds between two looks into the folder, and before a new try where something failed."""
_LONGEST = 300.0
_TRIES = 3
"""How often a file is tried that cannot be read or moved."""
_OF_THE_MACHINE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.ENFILE, errno.ENOMEM)
"""What is no fault of the file: it waits until there is room again."""


@dataclass(slots=True)
class Refusals:
    """What a report says of them: places and sentences, never a value or an unknown key of the file."""

    listed: list[dict[str, Any]] = field(default_factory=list)

    def add(self, refusal: Refusal) -> None:
        if len(self.listed) < MOST:
            problems = [{"path": one.safe_path, "sentence": one.sentence} for one in refusal.problems[:20]]
            self.listed.append({"position": refusal.position, "problems": problems})


@dataclass(slots=True)
class _Faults:
    """What went wrong with each file, so that none is tried forever, and none keeps the others from their turn."""

    counts: Counter[str] = field(default_factory=Counter)
    resting: dict[str, float] = field(default_factory=dict)

    def due(self, path: Path, now: float) -> bool:
        """Whether the file may be tried."""
        return self.resting.get(path.name, now) <= now

    def add(self, path: Path, reason: str) -> None:
        """The file rests, longer each time."""
        self.counts[path.name] += 1
        rest = min(_PAUSE * 2 ** (self.counts[path.name] - 1), _LONGEST)
        self.resting[path.name] = time.monotonic() + rest
        complain(f"{path.name}: {reason} It stays, and is tried again in {rest:.0f} s.")

    def forget(self, there: Iterable[str]) -> None:
        """Of all files but those that are there."""
        known = set(there)
        self.counts = Counter({name: count for name, count in self.counts.items() if name in known})
        self.resting = {name: until for name, until in self.resting.items() if name in known}


def watch(store: Store, folder: DropFolder, source: str) -> None:
    """Takes the files of the folder, until a signal ends it. What fails for a time is tried again.

    Raises:
        Stopped: the file in hand stays in the folder, for the next watcher.
    """
    complain(f"watching {folder.path}; Ctrl-C ends it")
    faults, announced = _Faults(), _Announced()
    while True:
        now = time.monotonic()
        try:
            settled = folder.ready(now)
        except OSError as error:
            complain(f"{error}; the folder is tried again in {_PAUSE:.0f} s")
            time.sleep(_PAUSE)
            continue
        faults.forget(folder.names())
        announced.not_files(folder)
        if not announced.closed(folder):
            for path in settled:
                if faults.due(path, now) and not _take(store, folder, path, source, faults):
                    time.sleep(_PAUSE)
                    break
        time.sleep(_PERIOD)


@dataclass(slots=True)
class _Announced:
    """What is said once, and again when it has changed."""

    odd: dict[str, str] = field(default_factory=dict)
    reason: str | None = None

    def not_files(self, folder: DropFolder) -> None:
        """What looks like a file and is none."""
        for name in sorted(folder.not_files.keys() - self.odd.keys()):
            complain(f"{name}: this is a {folder.not_files[name]}, and left alone; expected a file")
        self.odd = folder.not_files

    def closed(self, folder: DropFolder) -> bool:
        """Whether nothing can be moved away now, so that nothing is sent."""
        reason = folder.closed()
        if reason != self.reason:
            complain(f"the folder is no use: {reason}. Its files wait." if reason else "the folder is of use again")
        self.reason = reason
        return reason is not None


def _take(store: Store, folder: DropFolder, path: Path, source: str, faults: _Faults) -> bool:
    """Sends one file and moves it away; False: the next one would fare no better for the moment."""
    from redis.exceptions import RedisError

    from rules.errors import ScrubError
    from worker.store import reachability

    try:
        with folder.take(path) as taken:
            if taken:
                _submit(store, taken, source)
    except (RedisError, ScrubError) as error:
        faults.add(path, str(reachability.trouble(error, reachability.claims(store.settings))))
        return False
    except OSError as error:
        reason = error.strerror or type(error).__name__
        if error.errno in _OF_THE_MACHINE or faults.counts[path.name] < _TRIES - 1:
            faults.add(path, f"{reason}.")
        else:
            _set_aside(folder, path, f"it could not be read or moved, {_TRIES} times: {reason}")
    except Exception as error:
        _set_aside(folder, path, _defect(path.name, error, "work on it").sentence)
    return True


def _set_aside(folder: DropFolder, path: Path, reason: str) -> None:
    """Into failed/, unread; a file that cannot be moved either is left alone."""
    from worker.intake.document import Refusal

    refusals = Refusals()
    refusals.add(Refusal(path.name, "", 0, (Problem("", reason),)))
    intake = Intake([], 0)
    intake.refused = 1
    report = _report(path.name, datetime.now(UTC), 0, 0, intake, refusals)
    try:
        with held():
            taken = folder.unread(path)
            moved = taken.move("failed", report) if taken else None
        if moved:
            _say(f"{path.name}: {reason} -> failed/{moved.name}")
    except OSError as error:
        folder.leave(path)
        why = error.strerror or type(error).__name__
        complain(f"{path.name}: {reason}; nor could it be moved to failed ({why}). It is left alone until it changes.")


def _submit(store: Store, taken: Taken, source: str) -> None:
    from redis.exceptions import RedisError

    from rules.errors import ScrubError
    from worker.cli.answering import Answering
    from worker.pipeline import producer
    from worker.pipeline.eventmaker import EventMaker
    from worker.process import celeryapp

    started = datetime.now(UTC)
    refusals, limit = Refusals(), store.settings.max_event_bytes
    intake = Intake([], limit, refusals.add, codes_of(store.settings))
    answering = Answering(intake, taken)
    maker = EventMaker(source, limit, intake.turn_away)
    sent = 0

    def count(number: int) -> None:
        nonlocal sent
        sent = number

    try:
        events = maker.events(_guarded(intake, taken, answering))
        producer.send(store.redis, store.keys, events, source=source, settings=store.settings, on_progress=count)
    except (RedisError, ScrubError, OSError):
        raise
    except Exception as error:
        intake.turn_away(_defect(taken.path.name, error, "sending"))
    finally:
        if sent:
            celeryapp.notifier(store).notify()
    report = _report(taken.path.name, started, sent, maker.read, intake, refusals)
    with answering.answer(refusals.listed) as answer, held():
        moved = taken.move("failed" if intake.refused else "done", report, answer)
    where = f"{moved.parent.name}/{moved.name}" if moved else "changed while it was read, and is read again"
    _say(f"{taken.path.name}: {summary(sent, intake)} -> {where}")


def _guarded(intake: Intake, taken: Taken, answering: Answering) -> Iterator[Document]:
    """The documents of the file. A reader that breaks is a defect of ours: the file fails, and the folder goes on."""
    name = plain(taken.path.name)
    try:
        yield from answering.documents(name)
    except OSError:
        raise
    except Exception as error:
        intake.turn_away(_defect(name, error, "the reader"))


def _defect(name: str, error: Exception, what: str) -> Refusal:
    from worker.intake.document import Refusal

    why = "memory ran out" if isinstance(error, MemoryError) else "this is a defect of the scrubber"
    where = " ".join(places(error.__traceback__)[-3:])
    sentence = (
        f"{what} broke off with {kind(type(error))} at {where}: {why}; what came before may have been sent, and to"
        " send the file again is safe"
    )
    return Refusal(name, "", 0, (Problem("", sentence),))


def _say(line: str) -> None:
    """What became of a file is in its report too: the folder goes on without a standard output."""
    try:
        say(line)
        flush()
    except Unwritten as lost:
        complain(f"cannot write the output: {lost.reason}; no more is written there")
        give_up()
    except Stopped as stopped:
        if stopped.number != SIGPIPE:
            raise
        complain("nobody reads the output any more; no more is written there")


def summary(sent: int, intake: Intake) -> str:
    """`4 sent; 1 refused; 3 passed by (Patient 3)`: what is none is left out."""
    parts = [f"{sent} sent"]
    if intake.refused:
        parts.append(f"{intake.refused} refused")
    if passed := intake.passed_by():
        parts.append(passed)
    return "; ".join(parts)


def _report(name: str, started: datetime, sent: int, read: int, intake: Intake, refusals: Refusals) -> bytes:
    from worker.logs.printable import json_bytes

    report = {
        **name_fields(name),
        "started": started.isoformat(timespec="seconds"),
        "ended": datetime.now(UTC).isoformat(timespec="seconds"),
        "read": read,
        "sent": sent,
        "duplicate": 0,  # until the next version: what was sent before is sent again
        "refused": intake.refused,
        "passed_by": dict(sorted(intake.passed.items())),
        "refusals": refusals.listed,
        "refusals_left_off": intake.refused - len(refusals.listed),
    }
    return json_bytes(report, indent=True) + b"\n"
