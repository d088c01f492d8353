"""`scrub submit --watch DIR --out DIR`: the claims of a drop folder's 837s, checked, out as files again."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from worker.cli.common.terminal import complain, flush, plain, say

if TYPE_CHECKING:
    from worker.filing.cutoff import Cutoff
    from worker.filing.folders import Filing
    from worker.intake.dropfolder import DropFolder
    from worker.store.connections import Store
    from worker.store.registry import Producer

_PERIOD = 0.5
_PAUSE = 5.0


def one_exit(store: Store, *, by_file: bool) -> Producer | None:
    """Holds a sender to the exit that its producer is registered with; None: it shares the inbox, or may not ask.

    Raises:
        ExitMismatch
    """
    from redis.exceptions import NoPermissionError

    from worker.errors import ExitMismatch
    from worker.store.registry import producers_of

    name = store.settings.producer
    try:
        known = producers_of(store.redis, store.keys).get(name) if name else None
    except NoPermissionError:
        return None
    exit = known.exit if known else "stream"
    if by_file and exit != "file":
        reason = f"register it with `scrub producer add {name or 'NAME'} --exit file`, and set SCRUB_PRODUCER"
        raise ExitMismatch(name=name or "the shared inbox", exit="the outlets", reason=reason)
    if not by_file and exit == "file":
        raise ExitMismatch(name=name, exit="file", reason="send its files with `scrub submit --watch DIR --out DIR`")
    return known


def out_folder(folder: Path, drop: Path) -> None:
    """Refuses a folder out that cannot be used."""
    if not folder.is_dir() or not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise typer.BadParameter("expected a folder that exists and that you may write", param_hint="'--out'")
    if folder.resolve() == drop.resolve() or drop.resolve() in folder.resolve().parents:
        raise typer.BadParameter("expected another folder than the one that is watched", param_hint="'--out'")


def file_out(store: Store, drop: DropFolder, out: Path, cutoff: Cutoff | None, source: str) -> None:
    """Works until a signal ends it.

    Raises:
        Stopped: what is on its way is taken up by the next one.
    """
    from redis.exceptions import RedisError

    from rules.errors import ScrubError
    from worker.store import reachability

    filing = _filing(store, drop, out, cutoff, source)
    complain(f"watching {drop.path}, writing to {out}; Ctrl-C ends it")
    said = ""
    try:
        filing.collector.ensure()
        while True:
            try:
                filing.step()
                said, pause = "", _PERIOD
            except (RedisError, ScrubError) as error:
                said, pause = _once(str(reachability.trouble(error, reachability.claims(store.settings))), said), _PAUSE
            except OSError as error:
                said, pause = _once(f"{out}: {error.strerror or type(error).__name__}", said), _PAUSE
            time.sleep(pause)
    finally:
        filing.close()


def _once(sentence: str, before: str) -> str:
    if sentence != before:
        complain(f"{sentence} It is tried again, and what is on its way waits.")
    return sentence


def _filing(store: Store, drop: DropFolder, out: Path, cutoff: Cutoff | None, source: str) -> Filing:
    from worker.books.current import book_of_today
    from worker.bootstrap import filing
    from worker.config import routing

    producer = one_exit(store, by_file=True)
    assert producer is not None
    if not producer.has(source):
        sentence = f"expected {producer.source}, with which {producer.name} is registered"
        raise typer.BadParameter(sentence, param_hint="'--source'")
    from worker.process import celeryapp

    known = book_of_today(store.settings).registry.names
    for name, text in (("UNCHECKED", store.settings.send_unchecked), ("UNDECIDED", store.settings.send_undecided)):
        for payer in filter(None, routing.sends(text)):
            if payer not in known:
                raise typer.BadParameter(f"SCRUB_SEND_{name}: the book knows no payer {payer}; expected a key as uhc")
    notify = celeryapp.notifier(store).notify
    return filing(store, drop, out, cutoff, producer, source, notify, _say, complain)


def _say(line: str) -> None:
    say(plain(line))
    flush()
