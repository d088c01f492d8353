"""What the audit log tells of decisions: number and version of each claim and where it went, and no services.

So a ledger that is made of it knows that a claim was heard of and billed, and a later version of it is known as one; a
copy under another number is not, until the claim itself is imported into the history.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from rules.claim import VOID
from worker.audit import check
from worker.audit.ends import ends
from worker.audit.lines import DECIDES
from worker.pipeline.ledger import MOST_SEEN, RECOVERED, REPLACEMENT, Ledger, LedgerEntry, State
from worker.store.keyring import Ring
from worker.store.keys import INNER

_RANK: dict[State, int] = {"seen": 0, "billed": 1, "ended": 2, "rejected": 3}


class Told(NamedTuple):
    """A decision, as its line has it."""

    moment: str
    claim_id: str
    patient: str
    """Names the ledger, under the key that was in force."""
    disposition: str
    decision: str
    revision: str
    frequency: str
    bills_as: str
    relevant: bool
    """Whether it has lines of the book's procedure: others that were not billed are in no ledger."""
    producer: str
    entries: tuple[str, ...]
    """Names of the entries that it may wait on again."""

    @property
    def billed(self) -> bool:
        return self.disposition == "billing"

    def entry(self, facility: str) -> LedgerEntry:
        """The claim as a ledger can keep it."""
        if not self.billed:
            return LedgerEntry(self.claim_id, self.revision, "seen", facility=facility)
        if self.frequency == VOID:
            return LedgerEntry(self.claim_id, self.revision, "ended", facility=facility)
        role: Any = self.bills_as or "practitioner"
        return LedgerEntry(
            self.claim_id, self.revision, "billed", self.frequency, RECOVERED, bills_as=role, facility=facility
        )


class Since(NamedTuple):
    """What the audit files tell of the time after a snapshot."""

    decided: list[Told]
    """Of patients, by time."""
    rejected: dict[str, int]
    """Claims that a person recorded as rejected by the payer, and when last, in ms since 1970."""
    events: int = 0
    """Decisions of all kinds."""
    imports: int = 0
    """Claims that a person imported."""
    displaced: int = 0
    """Replacements and voids that went to billing."""
    broken: tuple[Path, ...] = ()
    """Files that were not read to their end, since they are not as they were written."""
    absent: tuple[str, ...] = ()
    """Chains of which the snapshot knew and no file is here."""


def since(folder: Path, besides: Iterable[Path], ring: Ring, heads: Mapping[str, int]) -> Since:
    """Reads the audit files of a folder, and others, from the ends on that a snapshot knew.

    Raises:
        OSError, NoAuditFile
    """
    told, rejected = dict[str, Told](), dict[str, int]()
    events = imports = 0
    broken, here = list[Path](), set[str]()
    for file in dict.fromkeys([*(end.file for end in ends(folder)), *besides]):
        found = check.verify(file, ring)
        if found.chain:
            here.add(found.chain)
        if found.state not in ("sound", "torn"):
            broken.append(file)
        for line in _after(file, heads.get(found.chain or "", 0), found.lines):
            action = line["event.action"]
            if action in DECIDES:
                events += 1
                if decision := _told(line):
                    told[decision.decision] = decision
            elif action == "claim.left":
                if decision := _left(line):
                    told[decision.decision] = decision
            elif action == "claim.superseded":
                events -= 1
                told.pop(line["claim.decision_id"], None)
            elif action == "history.rejected":
                claim_id = line["claim.claim_id"]
                rejected[claim_id] = max(rejected.get(claim_id, 0), _milliseconds(line))
            elif action == "history.imported":
                imports += line["history.claims"]
    decided = sorted(told.values(), key=lambda one: one.moment)
    displaced = sum(one.billed and one.frequency in (REPLACEMENT, VOID) for one in decided)
    absent = tuple(sorted(heads.keys() - here))
    return Since(decided, rejected, events, imports, displaced, tuple(broken), absent)


def _after(file: Path, number: int, sound: int) -> Iterator[dict[str, Any]]:
    with file.open("rb") as lines:
        for at, raw in enumerate(lines, 1):
            if number < at <= sound:
                yield orjson.loads(raw)


def _told(line: Mapping[str, Any]) -> Told | None:
    """None: it is in no ledger."""
    patient, claim_id = line.get("claim.patient_hash"), line.get("claim.claim_id")
    if not patient or not claim_id or line["event.action"] != "claim.scrubbed":
        return None
    entry, origin = line["queue.entry"], line.get("queue.forwarded_from")
    revision = line.get("claim.revision") or _revision(origin or entry, line)
    return Told(
        line["@timestamp"], claim_id, patient, line["claim.disposition"], line["claim.decision_id"],
        revision, line.get("claim.frequency_code", ""), line.get("claim.bills_as", ""),
        bool(line.get("claim.judged")), line.get("queue.producer", ""), tuple(filter(None, (entry, origin))),
    )  # fmt: skip


def _left(line: Mapping[str, Any]) -> Told | None:
    """What left by file without a verdict and was sent, which counts as billed; None: it was kept."""
    patient, claim_id = line.get("claim.patient_hash"), line.get("claim.claim_id")
    if not patient or not claim_id or line["claim.exit"] != "sent":
        return None
    return Told(
        line["@timestamp"], claim_id, patient, "billing", line["claim.decision_id"], f"{_milliseconds(line)}-0",
        line.get("claim.frequency_code", ""), line.get("claim.bills_as", ""), True, line.get("queue.producer", ""), (),
    )  # fmt: skip


def _revision(name: str, line: Mapping[str, Any]) -> str:
    """As `worker.pipeline.inbox.InboxEntry.revision`: of a stream of its own the moment of receipt, as near as the line
    has it."""
    before, _, entry = name.rpartition(":")
    stream = before.rpartition(":")[2]
    if not stream or stream == INNER or stream.isdigit():
        return entry
    return f"{_milliseconds(line) - line.get('queue.latency_ms', 0)}-{entry}:{stream}"


def _milliseconds(line: Mapping[str, Any]) -> int:
    return int(datetime.fromisoformat(line["@timestamp"]).timestamp() * 1000)


def recovered(ledger: Ledger, told: Told, facility: str, version: str) -> Ledger:
    """The ledger with what a line told, where it does not know as much already."""
    new = told.entry(facility)
    known = ledger.entries.get(new.name)
    if known and known.order >= new.order:
        return ledger
    if not told.billed:
        if not known and not told.relevant:
            return ledger
        new = known._replace(revision=new.revision) if known else new
    elif known and known.rows and new.state == "billed":
        new = known._replace(revision=new.revision, state="billed", frequency=new.frequency, digest=RECOVERED)
    entries = {**ledger.entries, new.name: new}
    seen = [one for one in entries.values() if one.state == "seen" and one.facility == facility]
    if len(seen) > MOST_SEEN:
        del entries[min(seen, key=lambda one: one.order).name]
    return Ledger(version, entries)


def place_of(revision: str) -> str:
    """The stream and the id of an entry under which it came in; when it was read differs where it is read again."""
    numbers, colon, stream = revision.partition(":")
    return "-".join(numbers.split("-")[-2:]) + colon + stream


def merged(here: Ledger, kept: Ledger, without: Collection[tuple[str, str]], version: str) -> Ledger:
    """A ledger of Redis with what a snapshot has of it and is later, or is not there; `without`: names and places of
    claims that wait to be decided again."""
    entries = dict(here.entries)
    for name, entry in kept.entries.items():
        known = entries.get(name)
        if (name, place_of(entry.revision)) not in without and (known is None or _weight(entry) > _weight(known)):
            entries[name] = entry
    return here if entries == here.entries else Ledger(version, entries)


def _weight(entry: LedgerEntry) -> tuple[tuple[int, ...], int, bool]:
    return entry.order, _RANK[entry.state], not entry.bare
