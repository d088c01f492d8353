"""`scrub submit --watch`: the files of a drop folder onto the queue, each with a report beside it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rules.errors import Problem
from worker.cli.signals import held
from worker.cli.sources import Intake
from worker.cli.terminal import complain, flush, plain, say

if TYPE_CHECKING:
    from worker.door import Door
    from worker.folder import DropFolder, Taken
    from worker.intake.documents import Document, Refusal
    from worker.wiring import Store

MOST = 1_000
"""Refusals that a report lists; it counts them all."""
_PERIOD = 0.5
_PAUSE = 5.0
"""Seconds between two looks into the folder, and before a new try where something failed."""


@dataclass(slots=True)
class Refusals:
    """What a report says of them: places and sentences, never a value or an unknown key of the file."""

    listed: list[dict[str, Any]] = field(default_factory=list)

    def add(self, refusal: Refusal) -> None:
        if len(self.listed) < MOST:
            problems = [{"path": one.safe_path, "sentence": one.sentence} for one in refusal.problems[:20]]
            self.listed.append({"position": refusal.position, "problems": problems})


def watch(store: Store, folder: DropFolder, source: str) -> None:
    """Takes the files of the folder, until a signal ends it. What fails for a time is tried again.

    Raises:
        Stopped: the file in hand stays in the folder, for the next watcher.
    """
    from redis.exceptions import RedisError

    from rules.errors import ScrubError
    from worker import reachability

    complain(f"watching {plain(str(folder.path))}; Ctrl-C ends it")
    resting: dict[Path, float] = {}
    while True:
        now = time.monotonic()
        resting = {path: until for path, until in resting.items() if until > now}
        try:
            settled = folder.ready(now)
        except OSError as error:
            complain(f"{plain(str(error))}; the folder is tried again in {_PAUSE:.0f} s")
            time.sleep(_PAUSE)
            continue
        for path in settled:
            if path in resting:
                continue
            try:
                with folder.take(path) as taken:
                    if taken:
                        _submit(store, taken, source)
            except (RedisError, ScrubError) as error:
                _postpone(path, str(reachability.trouble(error, reachability.claims(store.settings))))
                time.sleep(_PAUSE)
                break
            except OSError as error:
                _postpone(path, f"{error.strerror or type(error).__name__}.")
                resting[path] = time.monotonic() + _PAUSE
        time.sleep(_PERIOD)


def _postpone(path: Path, reason: str) -> None:
    complain(f"{plain(path.name)}: {plain(reason)} It stays, and is tried again in {_PAUSE:.0f} s.")


def _submit(store: Store, taken: Taken, source: str) -> None:
    from worker import inbox, wiring
    from worker.door import Door

    started = datetime.now(UTC)
    refusals, limit = Refusals(), store.settings.max_event_bytes
    intake = Intake([], limit, refusals.add)
    door = Door(source, limit, intake.turn_away)
    documents = _guarded(intake, taken)
    sent = 0

    def count(number: int) -> None:
        nonlocal sent
        sent = number

    try:
        events = door.events(documents, store.redis, store.keys)
        inbox.send(store.redis, store.keys, events, source=source, settings=store.settings, on_progress=count)
    finally:
        if sent:
            wiring.bell(store).ring()
    report = _report(taken.path.name, started, sent, door, intake, refusals)
    with held():
        moved = taken.move("failed" if intake.refused else "done", report)
    where = f"{moved.parent.name}/{moved.name}" if moved else "changed while it was read, and is read again"
    say(f"{plain(taken.path.name)}: {summary(sent, door, intake)} -> {plain(where)}")
    flush()


def _guarded(intake: Intake, taken: Taken) -> Iterator[Document]:
    """The documents of the file. A reader that breaks is a defect of ours: the file fails, and the folder goes on."""
    from worker.intake.documents import Document, Refusal
    from worker.logs import safe_exception

    name = plain(taken.path.name)
    try:
        yield from (found for found in intake.within(name, taken.stream) if isinstance(found, Document))
    except OSError:
        raise
    except Exception as error:
        kind = safe_exception(error)["error.type"]
        sentence = f"the reader stopped here with {kind}, which is a defect of the scrubber; what came before was read"
        intake.turn_away(Refusal(name, "", 0, (Problem("", sentence),)))


def summary(sent: int, door: Door, intake: Intake) -> str:
    """`4 sent; 2 duplicate; 1 refused; 3 passed by (Patient 3)`: what is none is left out."""
    parts = [f"{sent} sent"]
    if door.duplicates:
        parts.append(f"{door.duplicates} duplicate, decided before")
    if intake.refused:
        parts.append(f"{intake.refused} refused")
    if passed := intake.passed_by():
        parts.append(passed)
    return "; ".join(parts)


def _report(name: str, started: datetime, sent: int, door: Door, intake: Intake, refusals: Refusals) -> bytes:
    import orjson

    passed: Counter[str] = intake.passed
    return orjson.dumps(
        {
            "file": name,
            "started": started.isoformat(timespec="seconds"),
            "ended": datetime.now(UTC).isoformat(timespec="seconds"),
            "read": door.read,
            "sent": sent,
            "duplicate": door.duplicates,
            "refused": intake.refused,
            "passed_by": dict(sorted(passed.items())),
            "refusals": refusals.listed,
            "refusals_left_off": intake.refused - len(refusals.listed),
        },
        option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE,
    )
