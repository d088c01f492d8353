"""Growth: what a larger book and a longer run cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rules.book.book import Book
from rules.engine.check import check
from worker.bench.claims import claim
from worker.bench.measure import interleaved
from worker.bench.pipe import Say, decided
from worker.bench.tables import Section
from worker.bench.testbed import fresh_testbed
from worker.intake.events import claim_of
from worker.process.command import command
from worker.store.outletspecs import OUTLETS


def books(book: Book, sizes: Sequence[int], *, number: int, rounds: int) -> Section:
    """Microseconds a check with books of these sizes: more payers, or more rules for every payer."""
    claims = [claim_of(claim(one)) for one in range(number)]
    cases = {}
    for size in sizes:
        for name, grown in (("for other payers", _others(book, size)), ("for every payer", _all(book, size))):
            cases[f"{size} rules, more {name}"] = lambda grown=grown: [check(one, grown) for one in claims]
    found = interleaved(cases, number, rounds=rounds)
    rows = [
        (name, round(one.micro, 1), sum(check(item, _book(book, name)).rules_run for item in claims) // number)
        for name, one in found.items()
    ]
    note = "A rule for another payer costs nothing; a rule for every payer costs its own expression."
    return Section("Checking, by size of the book", ("book", "us a claim", "rules judged a claim"), rows, note)


def _book(book: Book, name: str) -> Book:
    size = int(name.split(maxsplit=1)[0])
    return _others(book, size) if name.endswith("other payers") else _all(book, size)


def _others(book: Book, size: int) -> Book:
    """The book cut or grown to a size by copies of its rules for payers that no claim here is for."""
    rules = list(book.rules)
    copies = [replace(rule, payers=("nobody",), file=f"{rule.file}-copy") for rule in rules]
    while len(rules) < size:
        rules += copies[: size - len(rules)]
    return replace(book, rules=tuple(rules[:size]))


def _all(book: Book, size: int) -> Book:
    """The book cut or grown to a size by copies of its rules, each for whom the rule is for."""
    rules = list(book.rules)
    copies = [replace(rule, file=f"{rule.file}-copy") for rule in rules]
    while len(rules) < size:
        rules += copies[: size - len(rules)]
    return replace(book, rules=tuple(rules[:size]))


def memory(claims: int, *, say: Say) -> Section:
    """Resident memory of a pool process while it works through so many claims; outlets are emptied on the way."""
    from worker.bench.claims import event

    rows: list[tuple[str, float]] = []
    with fresh_testbed("everysec") as testbed:
        redis, keys = testbed.store.redis, testbed.store.keys
        worker = testbed.start(command(1))
        sent = 0
        marks = [claims * part // 10 for part in range(1, 11)]
        while marks:
            done = decided(testbed)
            if done >= marks[0]:
                rows.append((f"after {done} claims", round(_resident(worker.pid), 1)))
                say(f"memory: {done} of {claims} claims, {rows[-1][1]} MiB")
                marks.pop(0)
            if sent < claims and sent - done < 20_000:
                with redis.pipeline(transaction=False) as pipeline:
                    for number in range(sent, min(sent + 2_000, claims)):
                        pipeline.xadd(keys.inbox, {"event": event(number)})
                    pipeline.execute()
                sent = min(sent + 2_000, claims)
                for name in OUTLETS:
                    redis.xtrim(keys.outlet(name), maxlen=1_000)
        growth = rows[-1][1] / rows[0][1] - 1
    note = f"From the first tenth to the end: {growth:+.1%}."
    return Section("Memory of a pool process", ("when", "MiB resident"), rows, note)


def _resident(worker: int) -> float:
    """MiB of the largest child of the worker."""
    return max(children(worker).values()) / 1024


def children(worker: int) -> dict[int, int]:
    """The pool processes of a worker, with the KiB that each has resident."""
    found = {}
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            fields = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        except OSError:
            continue
        if int(fields["PPid"]) == worker and "VmRSS" in fields:
            found[int(fields["Pid"])] = int(fields["VmRSS"].split()[0])
    return found
