"""The audit of the books after a scenario: every accepted event exactly one result, and each the right one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import orjson

from tests.book import BOOK
from tests.integration.helpers import counting
from worker.audit import chains, check
from worker.pipeline.outlets import OutletEntry, tail
from worker.store.connections import Store
from worker.store.keyring import load_ring
from worker.store.outletspecs import OUTLETS

from .claims import OURS, Sent, claim
from .stage import Stage

HISTORY = {rule.code for rule in BOOK.rules if rule.needs_history}
"""Rules that look at what was billed before, which `scrub check` cannot."""
_HISTORICAL = ("history", "disposition", "reason", "rules_run", "findings", "gaps", "coverage")
_SHOWN = 5


@dataclass(slots=True)
class Reckoning:
    """What the audit of the books found."""

    events: int
    lost: list[str] = field(default_factory=list)
    """Accepted, and without a result."""
    twice: list[str] = field(default_factory=list)
    """With more than one."""
    wrong: list[str] = field(default_factory=list)
    """Whatever else is not as it must be, each a sentence."""
    books: Counter[str] = field(default_factory=Counter)
    """Results by the version of the book that judged them."""

    @property
    def sound(self) -> bool:
        return not (self.lost or self.twice or self.wrong)

    def say(self, sentence: str) -> None:
        self.wrong.append(sentence)


def reckon(stage: Stage, books: Iterable[Path | None] = (None,)) -> Reckoning:
    """Audits the books of a scenario that has settled; `books`: the folders of the rule books that were in use.

    Where the producer is registered there may be others, whose claims are their own affair.
    """
    store, found = stage.direct, Reckoning(len(stage.accepted))
    entries = {name: list(_entries(stage, name).values()) for name in OUTLETS}
    results: dict[str, list[tuple[str, OutletEntry]]] = defaultdict(list)
    for outlet, page in entries.items():
        for entry in page:
            if entry.event.get("producer", "") == stage.producer:
                results[_event_of(entry)].append((outlet, entry))
    found.lost = [name for name in stage.accepted if name not in results]
    found.twice = [name for name, ends in results.items() if len(ends) > 1]
    if strangers := results.keys() - stage.accepted.keys():
        found.say(f"results of events that were never accepted: {sorted(strangers)[:_SHOWN]}")
    _balance(stage, entries, found)
    _verdicts(stage, results, list(books), found)
    _ledgers(store, entries["billing"], found)
    _audit(stage, entries, found)
    return found


def _entries(stage: Stage, outlet: str) -> dict[str, OutletEntry]:
    """What an outlet was given: what its readers took and what is there."""
    return stage.taken[outlet] | {entry.id: entry for entry in tail(stage.direct.redis, stage.direct.keys, outlet)}


def _event_of(entry: OutletEntry) -> str:
    """The name of the event; of one that was never read, from what came in."""
    if "eventid" in entry.event:
        return str(entry.event["eventid"])
    return str(orjson.loads(entry.data["event"])["id"])


def _balance(stage: Stage, entries: dict[str, list[OutletEntry]], found: Reckoning) -> None:
    now = stage.now()
    if not now.settled:
        found.say(f"the books are not settled: balance {now.balance}, {now.in_flight} in flight, {now.waiting} wait")
    for name, page in entries.items():
        if len(page) != now.outlet(name).count:
            found.say(f"{name} holds {len(page)} entries, the books say {now.outlet(name).count}")
    decisions = Counter(entry.decision_id for page in entries.values() for entry in page)
    if double := [name for name, count in decisions.items() if count > 1]:
        found.say(f"decisions that are in the outlets twice: {double[:_SHOWN]}")


# Each the right one.


def _verdicts(
    stage: Stage, results: dict[str, list[tuple[str, OutletEntry]]], books: list[Path | None], found: Reckoning
) -> None:
    offline = {}
    for folder in books:
        digest, reports = verdicts(folder, stage.claims)
        offline[digest] = reports
    wrong = 0
    for name, event in stage.accepted.items():
        if len(results.get(name, ())) != 1:
            continue
        ((outlet, entry),) = results[name]
        twin = results.get(f"{name}-copy" if event.kind == "claim" else name.removesuffix("-copy"), ())
        reason = _mistake(event, outlet, entry, offline, twin if len(twin) == 1 and twin[0][1] is not entry else ())
        if "report" in entry.data:
            found.books[entry.data["report"]["book"]["version"]] += 1
        if reason:
            wrong += 1
            if wrong <= _SHOWN:
                found.say(f"{name}: {reason}")
    if wrong > _SHOWN:
        found.say(f"{wrong - _SHOWN} more results that are not the right ones")


def _mistake(
    event: Sent,
    outlet: str,
    entry: OutletEntry,
    offline: dict[str, dict[str, Any]],
    twin: Iterable[tuple[str, OutletEntry]],
) -> str | None:
    """What is wrong with a result; None: it is the right one. `twin`: the result of the other copy."""
    if event.kind in ("broken", "poison"):
        expected = "claim_invalid" if event.kind == "broken" else "attempts_exhausted"
        got = entry.data.get("reason", outlet)
        return None if (outlet, got) == ("quarantine", expected) else f"expected quarantine, {expected}; found {got}"
    if outlet == "quarantine":
        problems = [problem["sentence"] for problem in entry.data["problems"]]
        return f"in quarantine: {entry.data['reason']}: {problems}"
    report = entry.data["report"]
    book = offline.get(report["book"]["digest"])
    if book is None:
        return f"judged by a book that nobody gave out: {report['book']}"
    alone = book[f"F-{event.number:06}"]
    ours, theirs = shown(report), shown({**alone, "claim_id": report["claim_id"]})
    if ours != theirs:
        names = [name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name)]
        return f"not what `scrub check` says: {[(name, ours.get(name), theirs.get(name)) for name in names]}"
    expected = alone["disposition"]
    other = next(iter(twin), None)
    if expected == "billing" and other:
        if {outlet, other[0]} != {"billing", "rework"}:
            return f"of two copies, one must go to billing; found {outlet} and {other[0]}"
        blocks = {finding["code"] for finding in report["findings"] if finding["severity"] == "block"}
        if outlet == "rework" and blocks != {"DUP001"}:
            return f"expected DUP001, found {sorted(blocks)}"
        return None
    return None if outlet == expected == report["disposition"] else f"expected {expected}, found {outlet}"


def shown(report: dict[str, Any]) -> dict[str, Any]:
    """A report without what hangs on the history."""
    kept = {name: value for name, value in report.items() if name not in _HISTORICAL}
    return {
        **kept,
        "findings": [one for one in report["findings"] if one["code"] not in HISTORY],
        "gaps": [gap for gap in report["gaps"] if gap["kind"] != "history_not_consulted"],
    }


@cache
def verdicts(book: Path | None, count: int) -> tuple[str, dict[str, dict[str, Any]]]:
    """Digest of the book, and what `scrub check` says of the first so many claims, by claim id."""
    lines = b"\n".join(orjson.dumps(claim(number)) for number in range(count))
    command = [
        sys.executable,
        "-m",
        "worker",
        "check",
        "-",
        "--format",
        "json",
        *(["--book", str(book)] if book else []),
    ]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SCRUB_")}
    done = subprocess.run(command, input=lines, capture_output=True, check=False, env=clean)
    if done.returncode not in (0, 1):
        raise RuntimeError(done.stderr.decode()[-1500:])
    reports = [orjson.loads(line) for line in done.stdout.splitlines()]
    for report in reports:
        for beside in ("expected", "suggestions"):
            report.pop(beside, None)
    return reports[0]["book"]["digest"], {report["claim_id"]: report for report in reports}


# The ledger and the log.


def _ledgers(store: Store, billed: list[OutletEntry], found: Reckoning) -> None:
    held, sent = (
        [name for name in names if name.startswith(OURS)]
        for names in (counting(store), sorted(entry.data["claim"]["claim_id"] for entry in billed))
    )
    if held != sent:
        odd = Counter(held)
        odd.subtract(sent)
        wrong = [name for name, count in odd.items() if count]
        found.say(f"ledgers and billing differ in {len(wrong)} claims, the first {wrong[:_SHOWN]}")


def _audit(stage: Stage, entries: dict[str, list[OutletEntry]], found: Reckoning) -> None:
    ring = load_ring(stage.direct.settings.secret_path, "audit")
    logged: dict[str, str] = {}
    taken_back, repeats = set(), set()
    for file in sorted(stage.audit.glob("*.jsonl")):
        verdict = check.verify(file, ring)
        if verdict.chain and (head := chains.chain_head(stage.direct, verdict.chain)):
            verdict = check.verify(file, ring, head)
        if verdict.state in ("tampered", "wrong key"):
            found.say(str(verdict))
        for raw in file.read_bytes().splitlines()[: verdict.lines]:
            line = orjson.loads(raw)
            decision, action = line.get("claim.decision_id"), line["event.action"]
            if action in ("claim.scrubbed", "claim.quarantined"):
                logged[decision] = line["queue.entry"]
            elif action == "claim.superseded":
                taken_back.add(decision)
            elif action == "claim.repeated":
                repeats.add(line["queue.entry"])
    there = {entry.decision_id for page in entries.values() for entry in page}
    if silent := there - logged.keys():
        found.say(f"{len(silent)} results of which the audit log knows nothing, the first {sorted(silent)[:_SHOWN]}")
    decided = {entry.event["inboxentry"] for page in entries.values() for entry in page} | repeats
    if undone := [decision for decision, entry in logged.items() if entry not in decided]:
        found.say(f"{len(undone)} decisions in the audit log of entries that have no result: {undone[:_SHOWN]}")
    if len(repeats) < stage.now().repeated:
        found.say(f"{stage.now().repeated} repeats in the books, {len(repeats)} in the audit log")
