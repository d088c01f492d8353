"""The audit chains that Redis knows beside the files of this host's audit folder: none may be missing or cut short.

An entry of `chains` in Redis stays until a person retires the chain, with a reason: the act is a line of the audit log,
with where the chain ended, so that its file verifies wherever it is kept.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, cast

import orjson
from redis import Redis

from worker.audit import check, sequence
from worker.audit import log as audit
from worker.audit.check import FileCheck
from worker.audit.ends import End, end_of, ends
from worker.audit.lines import AuditLine, Retired, who
from worker.audit.log import AuditLog, Head
from worker.errors import ChainInUse, ChainUnknown
from worker.monitoring.workers import Worker
from worker.store.connections import Store
from worker.store.keyring import Ring
from worker.store.keys import Keys
from worker.store.scripts import script

_RETIRED = b'"event.action":"audit.retired"'
_STATES: tuple[Retired, ...] = ("sound", "torn", "wrong key", "tampered")


def known(redis: Redis, keys: Keys) -> dict[str, Head]:
    """Every chain that Redis knows, and where it stood at its last commit.

    Raises:
        redis.exceptions.RedisError
    """
    return _heads(_stored(redis, part) for part in keys.all)


def known_apart(redis: Redis, keys: Keys) -> tuple[dict[str, Head], ...]:
    """As `known`, of each partition for itself.

    Raises:
        redis.exceptions.RedisError
    """
    return tuple(_heads([_stored(redis, part)]) for part in keys.all)


def stored_head(redis: Redis, keys: Keys, chain: str) -> Head | None:
    """Where a chain stands on one partition; None: it has no commit there.

    Raises:
        redis.exceptions.RedisError
    """
    value = cast(bytes | None, redis.hget(keys.chains, chain))
    return None if value is None else _heads([{chain: value}])[chain]


def _stored(redis: Redis, keys: Keys) -> dict[str, bytes]:
    found = cast(dict[bytes, bytes], redis.hgetall(keys.chains))
    return {name.decode("utf-8", "replace"): value for name, value in found.items()}


def _heads(parts: Iterable[Mapping[str, bytes]]) -> dict[str, Head]:
    """Each partition has that of the last commit on it; the last of all is the chain's."""
    found = dict[str, Head]()
    for part in parts:
        for chain, value in part.items():
            seq, _, stored = value.decode("utf-8", "replace").partition(" ")
            head = Head.read(chain, int(seq) if seq.isdecimal() else 0, stored)
            if head.seq >= found.get(chain, head).seq:
                found[chain] = head
    return found


def host_of(chain: str) -> str:
    """Name of the host of a chain `<host>-<pid>-<random>`."""
    return chain.rsplit("-", 2)[0]


@dataclass(frozen=True, slots=True)
class Compared:
    """What Redis knows beside what is in the folder."""

    missing: tuple[Head, ...]
    """Chains of this host without a file."""
    cut: tuple[tuple[End, Head], ...]
    """Files whose last line is before the one that was committed, or is another."""
    unknown: tuple[End, ...]
    """Files of chains that Redis does not know."""
    parts: tuple[End, ...]
    """Files of chains of which another file holds more."""
    agree: tuple[End, ...]
    elsewhere: tuple[Head, ...]
    """Chains without a file here, of hosts of which no file is here either."""

    @property
    def hosts(self) -> list[str]:
        return sorted({host_of(head.chain) for head in self.elsewhere})


def compared(
    redis: Redis, keys: Keys, folder: Path, ring: Ring | None = None, *, everywhere: bool = False
) -> tuple[Compared, dict[str, Head]]:
    """Compares the ends of a folder's files with what Redis knows, and answers that as well. No line is verified.

    `ring`: with which sealed heads are compared; None: by their numbers alone. `everywhere`: whether the folder is that
    of all hosts, so that no chain may be without a file.

    Raises:
        OSError, redis.exceptions.RedisError
    """
    heads = known(redis, keys)  # before the files, which may only grow meanwhile
    first = compare(ends(folder), heads, ring, everywhere=everywhere)
    if not first.unknown:
        return first, heads
    # A chain that has just begun has its first commit in a moment.
    heads = known(redis, keys)
    again = compare(ends(folder), heads, ring, everywhere=everywhere)
    names = {end.chain for end in first.unknown}
    return replace(again, unknown=tuple(end for end in again.unknown if end.chain in names)), heads


def compare(
    found: Iterable[End], heads: Mapping[str, Head], ring: Ring | None = None, *, everywhere: bool = False
) -> Compared:
    """The comparison, of these files and heads."""
    longest, parts = dict[str, End](), list[End]()
    for end in found:  # copytruncate leaves the lines in a copy, and an empty file of the old name
        more, less = sorted((end, longest.get(end.chain, end)), key=lambda one: -one.seq)
        longest[end.chain] = more
        parts += [less] if less is not more else []
    here = {audit.host_name(), *map(host_of, longest)}
    without = [head for name, head in sorted(heads.items()) if name not in longest]
    pairs = [(end, heads.get(end.chain)) for end in longest.values()]
    cut = tuple((end, head) for end, head in pairs if head and _cut(end, head, ring))
    return Compared(
        missing=tuple(head for head in without if everywhere or host_of(head.chain) in here),
        cut=cut,
        unknown=tuple(end for end, head in pairs if head is None),
        parts=tuple(parts),
        agree=tuple(end for end, head in pairs if head and not _cut(end, head, ring)),
        elsewhere=tuple(head for head in without if not everywhere and host_of(head.chain) not in here),
    )


def _cut(end: End, head: Head, ring: Ring | None) -> bool:
    if end.seq != head.seq or (head.seal and ring is None):
        return end.seq < head.seq
    same = end.mac == head.mac if ring is None else check.agrees(head, end.chain, end.seq, end.mac, ring)
    return same is False


class Retirement(NamedTuple):
    """That a chain was retired: where it ended, when, by whom and why."""

    head: Head
    moment: str
    user: str
    reason: str


def retired(folder: Path, ring: Ring, besides: Iterable[Path] = ()) -> dict[str, Retirement]:
    """The chains that were retired, by the sound lines of the files of a folder, and of others besides.

    Of a chain that was retired several times, the one that knew most of it: what was cut meanwhile is not forgotten.

    Raises:
        OSError
    """
    found = dict[str, Retirement]()
    for file in dict.fromkeys([*(end.file for end in ends(folder)), *besides]):
        with file.open("rb") as lines:
            if not any(_RETIRED in raw for raw in lines):
                continue
        sound = check.verify(file, ring).lines
        with file.open("rb") as lines:
            for number, raw in enumerate(lines):
                if number < sound and _RETIRED in raw:
                    line = orjson.loads(raw)
                    head = Head.read(line["audit.retired_chain"], line["audit.retired_seq"], line["audit.retired_mac"])
                    retired_by = (line["@timestamp"][:10], line["user.name"], line["event.reason"])
                    if head.chain not in found or found[head.chain].head.seq < head.seq:
                        found[head.chain] = Retirement(head, *retired_by)
    return found


def verify(file: Path, ring: Ring, heads: Mapping[str, Head], gone: Mapping[str, Retirement]) -> FileCheck:
    """Whether a file is as it was written and ends where Redis, or the line that retired it, says.

    `heads`: what Redis knew before the file was read.

    Raises:
        OSError: the file cannot be read.
        NoAuditFile: it is something else.
    """
    end = end_of(file)
    if end and end.chain in heads:
        return check.verify(file, ring, heads[end.chain])
    if end and end.chain in gone:
        past = gone[end.chain]
        found = check.verify(file, ring, past.head if past.head.seq else None, told=True)
        return replace(found, sentence=f"{found.sentence}; retired on {past.moment} by {past.user}: {past.reason}")
    found = check.verify(file, ring)
    if found.state in ("tampered", "wrong key") or not found.lines:
        return found
    sentence = (
        f"no head known: Redis has nothing of this chain, so {found.lines} lines are sound and others may be cut off"
    )
    return replace(found, state="unknown", sentence=sentence)


def statements(found: Compared, gone: Collection[str]) -> Iterator[tuple[bool, str, str]]:
    """What the comparison found: whether all is well, a sentence, and what to do. `gone`: chains that were retired."""
    unknown = [end.chain for end in found.unknown if end.chain not in gone]
    if found.missing:
        sentence = f"{_some(head.chain for head in found.missing)}: lines were committed, and no such file is there."
        mend = "Restore the files. Where they were archived or are lost for good: scrub audit retire CHAIN --reason ..."
        yield False, sentence, mend
    if found.cut:
        sentence = f"{_some(end.chain for end, _ in found.cut)}: the file does not end as it was committed."
        yield False, sentence, "scrub audit verify says from where on. Restore it from a backup."
    if unknown:
        sentence = f"{_some(unknown)}: Redis does not know the chain of the file, so a cut tail would not show."
        mend = "Where Redis was set up anew or restored, or no commit came: scrub audit retire CHAIN --reason ..."
        yield False, sentence, mend
    if found.elsewhere:
        number, hosts = len(found.elsewhere), _some(found.hosts)
        yield True, f"Chains of other hosts, to be examined there: {number} ({hosts}).", ""
    if not (found.missing or found.cut or unknown):
        yield True, f"{len(found.agree)} files end as Redis knows it; scrub audit verify reads each line.", ""


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join(listed[:3]) + (f" and {len(listed) - 3} more" if len(listed) > 3 else "")


@dataclass(frozen=True, slots=True)
class ChainRetirement:
    """Retires chains for a person who says why. `redis` must not try again by itself."""

    redis: Redis
    keys: Keys
    audit: AuditLog
    ring: Ring
    folder: Path

    def retire(self, chains: Collection[str], why: str, alive: Iterable[Worker]) -> list[str]:
        """Retires the chains; answers those that a process wrote meanwhile, which stay.

        Raises:
            ChainUnknown, ChainInUse: nothing was retired.
            AuditUnwritable, redis.exceptions.RedisError
        """
        written = tuple(
            f"{audit.host_name(worker.host)}-{pid}-" for worker in alive for pid in (worker.pid, *worker.processes)
        )
        stored = [_stored(self.redis, part) for part in self.keys.all]
        heads, found = _heads(stored), ends(self.folder)
        ended = sequence.links(found)
        if used := [chain for chain in chains if chain.startswith(written) and chain not in ended]:
            raise ChainInUse(chains=", ".join(used))
        said = self.audit.write([self._line(*self._state(chain, heads, found), why) for chain in chains])
        moved = set[str]()
        for part, before in zip(self.keys.all, stored, strict=True):
            pairs = [one for chain in chains for one in (chain, before.get(chain, b""))]
            names: list[Any] = [said.chain, str(said.seq), said.stored, *pairs]
            answer = cast(list[bytes], self.redis.eval(script("retire"), 1, part.chains, *names))
            moved |= {name.decode() for name in answer}
        return sorted(moved)

    def _state(self, chain: str, heads: Mapping[str, Head], found: Collection[End]) -> tuple[Head, Retired]:
        """Where the chain ended, and how its file is."""
        files = [end for end in found if end.chain == chain]
        head = heads.get(chain)
        if head is None:
            if not files:
                raise ChainUnknown(chain=chain)
            last = max(files, key=lambda end: end.seq)
            return Head(chain, last.seq, last.mac), "unknown"
        states = [check.verify(end.file, self.ring, head).state for end in files]
        return head, next((state for state in _STATES if state in states), "missing")

    def _line(self, head: Head, state: Retired, why: str) -> AuditLine:
        return {
            "log.level": "warning", "event.action": "audit.retired", "event.outcome": "success", "event.reason": why,
            "user.name": who(), "audit.retired_chain": head.chain, "audit.retired_seq": head.seq,
            "audit.retired_mac": head.stored, "audit.retired_state": state,
        }  # fmt: skip


def chain_head(store: Store, chain: str) -> Head | None:
    """Where Redis says that an audit chain stood at its last commit; None: it has no commit."""
    return known(store.redis, store.keys).get(chain)
