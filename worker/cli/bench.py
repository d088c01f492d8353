"""`scrub bench`: what a claim costs on this machine."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.common.terminal import complain, on_terminal, plain, say

if TYPE_CHECKING:
    from worker.bench.tables import Section

PARTS = (
    "rules",
    "rivals",
    "books",
    "pipe",
    "everysec",
    "latency",
    "profile",
    "batches",
    "backlogs",
    "ledgers",
    "memory",
)
_QUICK = ("rules", "rivals", "pipe", "latency")


def bench(
    parts: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PART]...", help=f"{', '.join(PARTS)}; default: {', '.join(_QUICK)}."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All parts. Takes a quarter of an hour or more.")] = False,
    rounds: Annotated[int, typer.Option(min=1, max=99, help="Runs of each case; the median counts.")] = 5,
    claims: Annotated[int, typer.Option(min=1_000, help="Claims of the part `memory`.")] = 1_000_000,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Writes the figures as JSON.")
    ] = None,
) -> None:
    """Measures what a claim costs on this machine: the rules alone, and the pipe with a real server and real workers.

    Cases take turns and the median counts. Compare figures of one run with one another, not with those of another
    machine, hour, server or build of Python; the first line says which these are. It uses a server of its own and
    touches no queue of yours.

    Exit codes: 0 measured, 2 bad usage.
    """
    chosen = list(PARTS) if every else parts or list(_QUICK)
    if unknown := [part for part in chosen if part not in PARTS]:
        complain(f"there is no part {unknown[0]!r}; the parts are {', '.join(PARTS)}")
        raise typer.Exit(2)
    from worker.bench.measure import machine, sentence

    about = machine()
    say(plain(sentence(about)))
    say("")
    found = []
    for section in _measured(chosen, rounds, claims):
        _show(section)
        found.append(section.as_json())
    if output:
        from rules.loader import load_book
        from worker.audit.log import service_version
        from worker.logs.printable import json_bytes

        book = load_book()
        about |= {"version": service_version(), "book": book.version, "digest": book.digest}
        output.write_bytes(json_bytes({"about": about, "sections": found}, indent=True) + b"\n")


def _measured(chosen: list[str], rounds: int, claims: int) -> Iterator[Section]:
    from rules.loader import load_book
    from worker.bench import growth, latency, ledgers, pipe, profile, rules
    from worker.process import gctuning as collector

    book = load_book()
    collector.spare()  # as workers do
    cores = (1, 2, 4)
    parts: dict[str, list[Callable[[], Section]]] = {
        "rules": [
            lambda: rules.stages(book, number=1_000, rounds=rounds),
            lambda: rules.by_payer(book, number=400, rounds=rounds),
        ],
        "rivals": [lambda: rules.beside(book, number=2_000, rounds=rounds)],
        "books": [lambda: growth.books(book, (100, 1_000, 10_000), number=200, rounds=rounds)],
        "pipe": [lambda: pipe.throughput(cores, claims=40_000, tasks=3_000, fsync="always", rounds=rounds, say=_say)],
        "everysec": [
            lambda: pipe.throughput(cores, claims=40_000, tasks=3_000, fsync="everysec", rounds=rounds, say=_say)
        ],
        "latency": [lambda: latency.latencies(idle=400, loaded=20_000, processes=2, say=_say)],
        "batches": [lambda: pipe.batches((1, 10, 50, 200, 1_000), claims=20_000, say=_say)],
        "backlogs": [lambda: pipe.backlogs((1_000, 10_000, 100_000, 1_000_000), say=_say)],
        "profile": [lambda: profile.stages(Path("bench"), say=_say)],
        "ledgers": [lambda: ledgers.ledgers(book.codes, (1_000, 10_000, 100_000, 1_000_000), say=_say)],
        "memory": [lambda: growth.memory(claims, say=_say)],
    }
    for part in PARTS:
        if part in chosen:
            _say(part)
            for measure in parts[part]:
                yield measure()


def _say(what: str) -> None:
    if on_terminal(sys.stderr):
        complain(f"... {what}")


def _show(section: Section) -> None:
    from rich.table import Table

    from worker.cli.common.terminal import console

    # Not as the table's own title, which is broken to the table's width.
    console().print(section.title, style="bold", highlight=False, markup=False, soft_wrap=True)
    table = Table(box=None, header_style="dim")
    for place, column in enumerate(section.columns):
        table.add_column(column, justify="right" if place else "left")
    for row in section.rows:
        table.add_row(*map(str, row))
    console().print(table)
    if section.note:
        say(section.note)
    say("")
