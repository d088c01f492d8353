"""`scrub status`: the reconciliation and the workers, on one screen."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from worker.cli.common.stores import opened
from worker.cli.common.terminal import CLEAR, columns, complain, flush, on_terminal, paint, plain, say, say_json

if TYPE_CHECKING:
    from pathlib import Path

    from worker.books.switch import InForce
    from worker.monitoring.reconciliation import Outlet, Reconciliation
    from worker.monitoring.workers import Worker
    from worker.store.connections import Store

_EVERY = 2.0
_PART = ("accepted", "waiting", "in_flight", "repeated", "requeued", "forwarded", "received", "dropped", "balance")


def status(
    json: Annotated[bool, typer.Option("--json", help="One JSON object; as --format json.")] = False,
    format: Annotated[
        Literal["text", "json", "prometheus"],
        typer.Option(
            help="text for people; json: one object; prometheus: figures, also for node_exporter's textfiles."
        ),
    ] = "text",
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Again every 2 seconds, until Ctrl-C.")] = False,
    healthcheck: Annotated[
        bool,
        typer.Option(
            "--healthcheck", help="One line, for monitoring; exit code 0 or 1. Probes of containers: scrub probe."
        ),
    ] = False,
    oldest: Annotated[
        float,
        typer.Option(metavar="SECONDS", min=0, help="With --healthcheck: age of a claim without decision that is ill."),
    ] = 900,
) -> None:
    """Shows what waits, what is in flight, what went where, who works, and whether the books balance.

    Exit codes: 0 the books balance, 1 they do not, 2 Redis cannot be used. With --healthcheck: 0 Redis answers, the
    books balance, a worker of this host is alive, its audit log has room, claims that wait are being decided, and none
    of them waits for too long; else 1.

    Examples:

    * `scrub status`
    * `scrub status --json | jq .waiting`
    * `scrub status --healthcheck` (for monitoring)
    * `scrub status --format prometheus`
    """
    if healthcheck:
        raise typer.Exit(_health(oldest))
    from worker.books.switch import in_force
    from worker.monitoring.figures import exposition, figures
    from worker.monitoring.reconciliation import reconcile
    from worker.store.agreement import standing

    with opened() as store:
        while True:
            found, book = reconcile(store.redis, store.keys), in_force(store.redis, store.keys)
            if format == "prometheus":
                say(*exposition(figures(found)))
            elif json or format == "json":
                _json(found, book, standing(store.redis).layout)
            else:
                first, *rest = _screen(found, book, store)
                say((CLEAR if watch and on_terminal(sys.stdout) else "") + first, *rest, *([""] if watch else []))
            if not watch:
                break
            flush()
            time.sleep(_EVERY)
    raise typer.Exit(1 if found.balance else 0)


def _json(found: Reconciliation, book: InForce, layout: int) -> None:
    from worker.books import fleet

    derived = ("accounted", "balance", "settled", "abandoned", "oldest")
    more: dict[str, object] = {name: getattr(found, name) for name in derived}
    more["workers"] = [asdict(worker) | {"alive": worker.alive} for worker in found.workers]
    more["partitions"] = [
        {name: getattr(part, name) for name in _PART} | {one.name: one.count for one in part.outlets}
        for part in found.parts or (found,)
    ]
    more["outlets"] = [asdict(outlet) | {"unread": outlet.unread} for outlet in found.outlets]
    more["incoming"] = [asdict(one) | {"gone": one.gone} for one in found.incoming]
    more["layout"] = layout
    more["book"] = asdict(book)
    more["differences"] = [asdict(one) for one in fleet.differences(found, book)]
    more["not_in_force"] = list(fleet.unused_overrides_files(found, book))
    shown = asdict(found) | more
    del shown["parts"]
    say_json(shown)


def _health(oldest: float) -> int:
    import socket

    from rules.errors import ScrubError
    from worker.monitoring.health import unwell
    from worker.monitoring.reconciliation import reconcile
    from worker.process.heartbeat import LEAST_ROOM

    try:
        with opened() as store:
            found, room = reconcile(store.redis, store.keys), _room(store.settings.audit_path)
    except ScrubError as error:
        complain(str(error))
        return 1
    ill = []
    if room is not None and room < LEAST_ROOM:
        ill.append(f"no room for the audit log on this host ({room // 1024} KiB), and no claim is decided without it")
    if not any(worker.host == socket.gethostname() for worker in found.alive):
        ill.append("no worker of this host is alive")
    if found.balance:
        ill.append(_balance(found).rstrip("."))
    late = (found.oldest or 0) > oldest
    ill += unwell(found, store.settings, late=late)
    if late:
        ill.append(f"the oldest claim is without decision for {_span(found.oldest or 0)}")
    say("; ".join(ill) if ill else f"healthy: {found.waiting} waiting, {found.in_flight} in flight")
    return 1 if ill else 0


def _room(folder: Path) -> int | None:
    """Bytes that are free on the disk of a folder; None: there is no such folder on this host."""
    import shutil

    return shutil.disk_usage(folder).free if folder.is_dir() else None


def _balance(found: Reconciliation) -> str:
    if found.parts and found.balance == found.forwarded - found.received > 0:
        return f"The books do NOT balance: {found.balance} claims were forwarded and received nowhere."
    if found.balance:
        side = "unaccounted for" if found.balance > 0 else "more than were accepted"
        return f"The books do NOT balance: {abs(found.balance)} claims {side}."
    return f"The books balance: {found.accepted} accepted, {found.accounted} accounted for."


def _layout(layout: int) -> str:
    from worker.store.layout import NEWEST

    return "" if layout == NEWEST else f"of the keys; `scrub migrate` makes it {NEWEST} once every worker is new"


def _screen(found: Reconciliation, book: InForce, store: Store) -> Iterator[str]:
    from worker.monitoring.health import stuck
    from worker.store.agreement import standing
    from worker.store.memory import memory
    from worker.store.reachability import where

    used, layout = memory(store.redis), standing(store.redis).layout
    address = where(store.settings) + (" (embedded)" if store.settings.embedded else "")
    share = f", {used.per_cent:.0f} % of its memory in use" if used.limit else ""
    oldest = f"the oldest for {_span(found.oldest_waiting)}" if found.oldest_waiting is not None else ""
    gone = found.abandoned
    lost = f"{gone} with processes that are gone; taken over after {store.settings.reclaim:g} s" if gone else ""
    rows = [
        ("Redis", "", address + share),
        ("layout", str(layout), _layout(layout)),
        ("accepted", str(found.accepted), ""),
        ("waiting", str(found.waiting), oldest),
        ("in flight", str(found.in_flight), lost),
    ]
    if rate := found.rate:
        speeds = f"{rate.accepted:.1f} accepted, {rate.decided:.1f} decided a second"
        rows.append(("rate", "", f"{speeds}, in the mean of the last {rate.seconds:.0f} s"))
    rows += [(outlet.name, str(outlet.count), _readers(outlet, found)) for outlet in found.outlets]
    rows += [("repeated", str(found.repeated), "events that were sent again; no second result")]
    if found.requeued:
        rows += [("requeued", str(found.requeued), "put back from quarantine")]
    if found.forwarded:
        rows += [
            ("forwarded", str(found.forwarded), "handed on to their patient's partition, and accepted there again")
        ]
    size = max(len(row[1]) for row in rows)
    yield from columns([(name, number.rjust(size), text) for name, number, text in rows], ("bold", None, "dim"))
    yield ""
    if found.parts:
        yield from _partitions(found)
        yield ""
    if any(one.taken is not None for one in found.incoming):
        yield from _producers(found)
        yield ""
    yield from _workers(found, book)
    yield ""
    yield from _in_force(book)
    if found.hold:
        since = time.strftime("%H:%M:%S", time.localtime(found.hold.since))
        yield paint(f"The workers take no more claims since {since}: {found.hold.reason}.", "bold red")
    yield from (paint(f"Look at this: {sentence}.", "bold red") for sentence in stuck(found, store.settings))
    yield paint(_balance(found), "bold red" if found.balance else "bold green")


def _producers(found: Reconciliation) -> Iterator[str]:
    yield paint("Producers", "bold")
    rows = [("", "accepted", "waiting", "in flight")]
    rows += [
        (one.name or "the inbox", str(one.accepted), str(one.waiting), str(one.in_flight))
        for one in found.incoming
        if one.name != "inner"
    ]
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    for name, *cells in rows:
        numbers = "  ".join(cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True))
        yield f"  {name.ljust(widths[0])}  {numbers}"
    for one in found.short:
        sentence = f"{one.gone} entries of {one.name} went away before a worker had them: it deleted them itself."
        yield paint(f"  {sentence} ACL DELUSER producer-{one.name} shuts it out.", "bold red")


def _partitions(found: Reconciliation) -> Iterator[str]:
    yield paint("Partitions", "bold")
    names = ("", "accepted", "waiting", "in flight", "decided", "forwarded", "off")
    rows = [
        (
            part.accepted, part.waiting, part.in_flight, sum(outlet.count for outlet in part.outlets), part.forwarded,
            part.balance,
        )
        for part in found.parts
    ]  # fmt: skip
    table = [names, *((str(number), *map(str, row)) for number, row in enumerate(rows))]
    widths = [max(len(row[place]) for row in table) for place in range(len(names))]
    for row in table:
        line = "  " + "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        yield paint(line, "bold red") if row is not names and row[-1] != "0" else line


def _readers(outlet: Outlet, found: Reconciliation) -> str:
    if outlet.name == "quarantine":
        dropped = [f"{found.dropped} dropped"] if found.dropped else []
        look = [f"{outlet.length} to look at: `scrub quarantine list`"] if outlet.length else []
        return "; ".join(look + dropped)
    if not outlet.groups:
        return f"nobody reads it; {outlet.length} kept" if outlet.length else ""
    return "; ".join(
        f"group {group.name}: {'?' if group.lag is None else group.lag} unread, {group.pending} in hand"
        for group in outlet.groups
    )


def _workers(found: Reconciliation, book: InForce) -> Iterator[str]:
    from worker.books import fleet

    if found.workers:
        yield paint("Workers", "bold")
        yield from columns([_worker(worker, found, book) for worker in found.workers])
        for worker in found.workers:
            if worker.outputs or worker.left_out:
                shown = f"{worker.outputs}; " * bool(worker.outputs) + f"{worker.left_out} lines were left out there"
                yield paint(plain(f"  {worker.name}: {shown}"), "yellow")
        for one in (
            *fleet.differences(found, book),
            *fleet.unused_overrides_files(found, book),
            *fleet.unusable(found),
        ):
            yield paint(f"{plain(str(one))}.", "yellow")
    if not found.alive:
        unfinished = found.waiting + found.in_flight
        ones = "one" if not found.workers else "another one"
        said = f"{unfinished} claims wait and no worker is alive" if unfinished else "No worker is alive"
        yield paint(f"{said}; start {ones} with `scrub worker`.", "yellow" if unfinished else None)


def _worker(worker: Worker, found: Reconciliation, book: InForce) -> tuple[str, ...]:
    from worker.books import fleet

    state = paint("alive", "green") if worker.alive else paint("gone", "yellow")
    in_hand = sum(one.pending for one in found.consumers if worker.runs(one.name))
    number = len(worker.processes)
    by = " and ".join(str(basis) for basis in fleet.bases(worker, book))
    late = fleet.late(worker, book)
    soon = f" ({late} take{'s' * (late == 1)} it up with the next claims)" if late and worker.alive else ""
    seen = "" if worker.alive else f"; last seen {_span(worker.seen)} ago"
    processes = f"{number} process{'es' * (number != 1)}, {in_hand} in hand"
    return f"  {worker.name}", state, f"{processes}; {by}{soon}, scrub {worker.version}{_revision(worker)}{seen}"


def _revision(worker: Worker) -> str:
    """What its version does not say: two of one version may be of two revisions."""
    return (f" ({plain(worker.revision)})" if worker.revision else "") + f", layout {worker.layout}"


def _in_force(book: InForce) -> Iterator[str]:
    """What a person put in force, and who refused it."""
    if book.last is None:
        return
    from worker.books.switch import Basis

    last = book.last
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(last.moment))
    what = str(book.basis or "each worker's own book")
    before = str(Basis(last.before, book.before_overrides)).removeprefix("book ")
    what = what[:1].upper() + what[1:]
    yield f"{what} is in force since {when}, by {last.who}: {plain(last.reason)}. Before: {before}."
    refused = {one.refused for one in book.judging.values() if one.refused}
    for reason in sorted(refused):
        number = sum(one.refused == reason for one in book.judging.values())
        yield paint(f"{number} process{'es' * (number != 1)} did not take it up: {reason}", "bold red")


def _span(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.1f} s"
