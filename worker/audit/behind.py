"""Redis behind the audit files: after FLUSHALL, a cut append-only file or an older backup, what it no longer knows.

A line is written before its commit, so a file may end later than Redis says: a process that died had a batch in hand,
and one that lives has it still. Those claims wait on the inbox, or were decided again under the same decision id. What
is neither is lost for Redis: no consumer gets it any more, and its sender may have been told that it was accepted.

One Redis forgets all at once, so the last of its heads says how far it is. Of a cluster each node forgets for itself
(a replica takes over that is a moment behind), so each line is compared with the head that its own partition has.
"""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self, cast

import orjson

from worker.audit import chains
from worker.audit.ends import End, ends, longest
from worker.audit.lines import DECIDES
from worker.audit.log import Head
from worker.store.cluster import is_cluster
from worker.store.connections import Store
from worker.store.keyring import Ring

_DECISION = re.compile(rb'"claim\.decision_id":"([0-9a-f]+)"')
_PARTITION = re.compile(rb'"queue\.entry":"(\d+):')
_Entries = tuple[str, str]
"""Names of the entry that was decided, and of the one that was forwarded to make it; empty: there is none."""
_PAUSE = 1.0
"""Seconds in which a worker that lives has committed the batch that it had in hand."""


class Unknown(NamedTuple):
    """A decision that Redis does not know."""

    moment: str
    claim: str | None
    decision: str
    disposition: str
    file: Path


@dataclass(frozen=True, slots=True)
class _Known:
    """Where the chains stood at their last commits, as Redis says."""

    heads: Mapping[str, Head]
    parts: tuple[Mapping[str, Head], ...] = ()
    """Of each partition of a cluster."""

    @classmethod
    def of(cls, store: Store) -> Self:
        if not is_cluster(store.redis):
            return cls(chains.known(store.redis, store.keys))
        parts = chains.known_apart(store.redis, store.keys)
        last = dict[str, Head]()
        for part in parts:
            last |= {name: head for name, head in part.items() if head.seq >= last.get(name, head).seq}
        return cls(last, parts)

    def least(self, chain: str) -> int:
        """How many lines of a chain are surely committed, whatever they are about."""
        return min(part.get(chain, Head()).seq for part in self.parts or (self.heads,))

    def committed(self, chain: str, number: int, raw: bytes) -> bool:
        """Whether a line was followed by a commit where it belongs."""
        heads = self.heads
        if self.parts:
            match = _PARTITION.search(raw)
            place = int(match[1]) if match else 0
            heads = self.parts[place] if place < len(self.parts) else {}
        return number <= heads.get(chain, Head()).seq


@dataclass(frozen=True, slots=True)
class Behind:
    """What the files of this machine have and Redis has not."""

    lost: tuple[Unknown, ...] = ()
    """Decided, and nowhere decided again, nor waiting."""
    again: int = 0
    """Decided again, under the same decision ids: who had the first result before it was lost gets a second one."""
    waiting: int = 0
    """On their streams again, or still."""
    unknown: tuple[str, ...] = ()
    """Chains with decisions of which Redis knows nothing at all."""
    repeated: tuple[Unknown, ...] = ()
    """Those that were decided again."""

    @property
    def since(self) -> str:
        """When the first of what is lost was decided."""
        return min((one.moment for one in self.lost), default="")

    def __str__(self) -> str:
        """In one sentence; empty: nothing is lost."""
        if not self.lost:
            return ""
        more = f"; {self.again} more were decided again" if self.again else ""
        return (
            f"Redis is behind the audit files: {len(self.lost)} decisions since {self.since[:19]}Z are not in it{more}."
            " It was emptied, its append-only file was cut, or an older copy was restored"
        )


def behind(store: Store, ring: Ring, *, pause: float = _PAUSE) -> Behind:
    """Compares the files of the audit folder with Redis. Reads two lines a file where all is well.

    Raises:
        OSError, redis.exceptions.RedisError
    """
    folder = store.settings.audit_path
    here = longest(ends(folder))
    known = _Known.of(store)
    ahead = _ahead(here.values(), known)
    if any(end.chain not in known.heads for end in ahead):
        gone = chains.retired(folder, ring)
        ahead = [end for end in ahead if end.chain not in gone]
    if not ahead:
        return Behind()
    time.sleep(pause)
    known = _Known.of(store)
    ahead = _ahead(ahead, known)
    found = dict[str, tuple[Unknown, _Entries]]()
    for end in ahead:
        found |= _decided(end, known)
    again = _decided_again(here.values(), known, found.keys())
    left = {decision: pair for decision, pair in found.items() if decision not in again}
    waiting = _waiting(store, {decision: entries for decision, (_, entries) in left.items()})
    lost = sorted((one for decision, (one, _) in left.items() if decision not in waiting), key=_moment)
    files = {one.file for one in lost}
    unknown = sorted(end.chain for end in ahead if end.chain not in known.heads and end.file in files)
    repeated = sorted((one for decision, (one, _) in found.items() if decision in again), key=_moment)
    return Behind(tuple(lost), len(again), len(waiting), tuple(unknown), tuple(repeated))


def _moment(one: Unknown) -> str:
    return one.moment


def _ahead(ends: Iterable[End], known: _Known) -> list[End]:
    return [end for end in ends if end.seq > known.least(end.chain)]


def _lines(file: Path) -> Iterator[tuple[int, bytes]]:
    with file.open("rb") as lines:
        yield from enumerate(lines, 1)


def _decided(end: End, known: _Known) -> dict[str, tuple[Unknown, _Entries]]:
    """The decisions of a file that were not committed nor taken back, each with where it may wait."""
    found, after = dict[str, tuple[Unknown, _Entries]](), known.least(end.chain)
    for number, raw in _lines(end.file):
        if number <= after or b'"claim.decision_id"' not in raw or known.committed(end.chain, number, raw):
            continue
        try:
            line = cast(dict[str, Any], orjson.loads(raw))
        except orjson.JSONDecodeError:  # torn
            continue
        decision = line["claim.decision_id"]
        if line["event.action"] in DECIDES:
            about = (line["@timestamp"], line.get("claim.claim_id"), decision, line.get("claim.disposition", ""))
            entries = (line.get("queue.entry", ""), line.get("queue.forwarded_from", ""))
            found[decision] = (Unknown(*about, end.file), entries)
        elif line["event.action"] == "claim.superseded":
            found.pop(decision, None)
    return found


def _decided_again(ends: Iterable[End], known: _Known, decisions: Collection[str]) -> set[str]:
    """Those of the decisions that stand in a line which was committed."""
    again, wanted = set[str](), {decision.encode() for decision in decisions}
    for end in ends if wanted else ():
        last = known.heads.get(end.chain, Head()).seq
        for number, raw in _lines(end.file):
            if number > last:
                break
            match = _DECISION.search(raw)
            if not match or match[1] not in wanted or b'"claim.superseded"' in raw:
                continue
            if known.committed(end.chain, number, raw):
                again.add(match[1].decode())
    return again


def _waiting(store: Store, entries: Mapping[str, _Entries]) -> set[str]:
    """Those of the decisions whose entries are on the stream on which they came in."""
    waiting = set[str]()
    for decision, names in entries.items():
        places = (place for name in names if name and (place := store.keys.incoming(name)))
        if any(store.redis.xrange(stream, entry, entry) for stream, entry in places):
            waiting.add(decision)
    return waiting
