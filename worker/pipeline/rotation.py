"""Rotation: makes another key of a ring, and puts it in force once every worker that is alive has it.

A key comes in force on a partition in one step, from one commit to the next: `commit.lua` refuses what was judged
under others. So a ledger is never written under two keys, and no worker judges without the history that stands under
a key of before. Breaking off half way and doing it again is safe.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from worker.audit.lines import AuditLine, who
from worker.audit.log import AuditLog
from worker.errors import RotationRefused
from worker.monitoring.reconciliation import reconcile
from worker.monitoring.workers import Worker
from worker.store import agreement, keyring
from worker.store.agreement import TURNED
from worker.store.connections import Store
from worker.store.keyring import WAITS, Key, RingName, Rings
from worker.store.secret import fingerprint

_PATIENCE = 20.0
"""Seconds for which the workers' next beats are waited for; they beat every 5."""


class Rotated(NamedTuple):
    """What a rotation did."""

    key: Key
    made: bool
    """Whether the key was made now; else it waited."""
    lacking: tuple[Worker, ...] = ()
    """Workers that do not have it, so that it is not in force."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """Rotates keys for a person who says why."""

    store: Store
    audit: AuditLog
    patience: float = _PATIENCE

    def rotate(self, name: RingName, why: str, on_wait: Callable[[], object] = lambda: None) -> Rotated:
        """Puts a new key of the ring in force, or the one that waits; `on_wait` is called while workers read it.

        Raises:
            RotationRefused: nothing was changed.
            SecretUnusable, RingUnusable, FolderUnusable, KeyNotHere, AuditUnwritable, redis.exceptions.RedisError
        """
        settings = self.store.settings
        rings = agreement.agreed_rings(self.store)
        self._assert_fit(name)
        now = datetime.now(UTC)
        waiting = [key for key in rings.ring(name).waiting if key.made and now - key.made <= WAITS]
        key = waiting[-1] if waiting else keyring.add_key(settings.secret_path, name, now)
        lacking = self._lacking(name, key, on_wait)
        if lacking:
            return Rotated(key, not waiting, lacking)
        rings = keyring.load_rings(settings.secret_path, rings.mark)
        self._put_in_force(name, key, rings, why)
        keyring.note_in_force(settings.secret_path, name, key.id, now)
        return Rotated(key, not waiting)

    def _assert_fit(self, name: RingName) -> None:
        _assert_new(self._alive())
        count = self.store.keys.count
        if name == "patient" and count & (count - 1):
            more = 1 << count.bit_length()
            raise RotationRefused(
                reason=f"with {count} partitions a patient's ledger could not be found under another key; their number "
                f"has to be a power of two first (scrub partitions {more})."
            )

    def _alive(self) -> tuple[Worker, ...]:
        return reconcile(self.store.redis, self.store.keys).alive

    def _lacking(self, name: RingName, key: Key, on_wait: Callable[[], object]) -> tuple[Worker, ...]:
        """Workers that are alive and do not say that they have the key."""
        deadline = time.monotonic() + self.patience
        while found := tuple(worker for worker in self._alive() if key.id not in keys_of(worker, name)):
            if time.monotonic() > deadline:
                return found
            on_wait()
            time.sleep(0.2)
        return ()

    def _put_in_force(self, name: RingName, key: Key, rings: Rings, why: str) -> None:
        redis, keys = self.store.once, self.store.keys
        mark = fingerprint(rings.patient.first.secret)
        redis.hset(keys.meta, "fingerprint", f"{TURNED}{mark}")
        try:
            _assert_new(self._alive())  # one of an older release may have started until this moment, and no later
        except RotationRefused:
            if not rings.mark:
                redis.hset(keys.meta, "fingerprint", mark)
            raise
        turned = rings.turned(name, key.id)
        head = self.audit.write([_line(name, key, rings.ring(name).active, why)])
        agreement.settle_rings(self.store, turned.mark, rings.mark)
        redis.hset(keys.chains, head.chain, f"{head.seq} {head.stored}")


def keys_of(worker: Worker, name: RingName) -> Sequence[str]:
    """Ids of the keys of a ring that a worker has."""
    return (worker.audit_keys if name == "audit" else worker.patient_keys).split()


def _assert_new(alive: Iterable[Worker]) -> None:
    old = sorted({worker.version or worker.name for worker in alive if not worker.audit_keys})
    if old:
        releases = ", ".join(old)
        raise RotationRefused(
            reason=f"workers of a release that knows one key alone are alive ({releases}); finish the upgrade first."
        )


def _line(name: RingName, key: Key, before: Key, why: str) -> AuditLine:
    return {
        "log.level": "warning", "event.action": "secret.rotated", "event.outcome": "success", "event.reason": why,
        "user.name": who(), "secret.ring": name, "secret.key": key.id, "secret.previous_key": before.id,
    }  # fmt: skip
