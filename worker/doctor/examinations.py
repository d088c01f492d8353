"""The doctor: what is wrong with this installation, and how to mend it. It reads, and changes nothing.

Each examination answers diagnoses; what needs a person is `ill` (claims may be lost or do not flow) or `poor` (it
works, and should be seen to).
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any, cast

from packaging.requirements import Requirement
from redis.exceptions import RedisError

from rules.errors import ScrubError
from worker.audit import chains
from worker.audit.behind import behind
from worker.books import current
from worker.books.overrides import with_overrides
from worker.books.switch import in_force
from worker.config.settings import Settings
from worker.doctor import judging
from worker.doctor.ages import ages
from worker.doctor.books import contracts, overrides, rule_book
from worker.doctor.cases import case_store, file_of
from worker.doctor.diagnosis import Diagnosis, Level
from worker.doctor.gaps import gaps
from worker.doctor.servers import server
from worker.doctor.snapshots import snapshots
from worker.monitoring.health import stuck
from worker.monitoring.reconciliation import Reconciliation, reconcile
from worker.pipeline.rotation import keys_of
from worker.store import reachability
from worker.store.agreement import TURNED, standing
from worker.store.agreement import in_force as in_force_keys
from worker.store.connections import Store
from worker.store.keyring import RINGS, load_ring, load_rings
from worker.store.layout import FAMILIES, NEWEST
from worker.store.outletspecs import CONSUMED
from worker.store.secret import fingerprint, load_secret

_FREE = (10, 2)
"""Per cent of a disk that are free: less is poor, and ill."""


def packages() -> Iterator[Diagnosis]:
    """Whether the installed packages are those that this version was tested with; celery 5.7.0 is not."""
    wrong, seen = [], []
    for text in requires("claim-scrubber") or ():
        wanted = Requirement(text)
        if wanted.marker and not wanted.marker.evaluate():
            continue
        try:
            found = version(wanted.name)
        except PackageNotFoundError:
            wrong.append(f"{wanted.name} is missing, expected {wanted.specifier}")
            continue
        if not wanted.specifier.contains(found, prereleases=True):
            wrong.append(f"{wanted.name} is {found}, expected {wanted.specifier}")
        elif wanted.name in ("celery", "kombu", "redis"):
            seen.append(f"{wanted.name} {found}")
    for sentence in wrong:
        yield Diagnosis("ill", "packages", sentence + ".", "Install from the lock file: make .venv/run.stamp")
    if not wrong:
        yield Diagnosis("well", "packages", f"{', '.join(seen)}, and all others are as this version wants them.")


def folders(settings: Settings) -> Iterator[Diagnosis]:
    """State folder, secret, audit folder, and the room on their disks."""
    yield _state(settings.state_dir)
    yield _secret(settings)
    folder, made = _existing(settings.audit_path)
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        sentence = f"No audit file can be made in {settings.audit_path}, and no claim is decided without its line."
        yield Diagnosis("ill", "audit folder", sentence, "Mend its owner and mode, or set SCRUB_AUDIT_DIR.")
    else:
        yield Diagnosis("well", "audit folder", f"{settings.audit_path}{'' if made else ' (made at first use)'}")
    stored = file_of(settings)
    disks = {
        os.stat(found).st_dev: found
        for path in (settings.audit_path, settings.state_dir, *([stored] if stored else []))
        for found, _ in [_existing(path)]
    }
    for path in disks.values():
        yield _room(path)


def _existing(path: Path) -> tuple[Path, bool]:
    """The path, or the nearest folder above it that is there; and whether the path itself is."""
    found = next(one for one in (path, *path.parents) if one.exists())
    return found, found == path


def _state(folder: Path) -> Diagnosis:
    if not folder.exists():
        return Diagnosis("well", "state folder", f"{folder} (made at first use)")
    found = folder.stat()
    if found.st_uid != os.getuid():
        return Diagnosis("poor", "state folder", f"{folder} belongs to another user.", "Mend its owner (chown).")
    if stat.S_IMODE(found.st_mode) & 0o022:
        return Diagnosis("ill", "state folder", f"Others may write in {folder}.", f"chmod 700 {folder}")
    return Diagnosis("well", "state folder", str(folder))


def _secret(settings: Settings) -> Diagnosis:
    if not settings.secret_path.exists():
        sentence = f"{settings.secret_path} (made at first use; with several machines, copy that of the first one)"
        return Diagnosis("well", "secret", sentence)
    try:
        load_secret(settings.secret_path)
    except ScrubError as error:
        return Diagnosis("ill", "secret", str(error))
    return Diagnosis("well", "secret", str(settings.secret_path))


def _room(path: Path) -> Diagnosis:
    room = shutil.disk_usage(path)
    free = 100 * room.free / room.total
    level: Level = "ill" if free < _FREE[1] else "poor" if free < _FREE[0] else "well"
    mend = "" if level == "well" else "Free some: a full disk stops the audit log and Redis, and with them all claims."
    return Diagnosis(level, "disk", f"{room.free / 2**30:.1f} GiB ({free:.0f} %) are free under {path}.", mend)


def queue(store: Store, now: Reconciliation) -> Iterator[Diagnosis]:
    """Whether what is in Redis is ours, and flows.

    Raises:
        redis.exceptions.RedisError
    """
    yield from _agreement(store)
    if now.balance:
        sentence = f"The books do not balance: {now.accepted} accepted, {now.accounted} accounted for."
        mend = "Somebody deleted from the streams, or counted by hand. Compare the audit log with the outlets."
        yield Diagnosis("ill", "books", sentence, mend)
    else:
        yield Diagnosis("well", "books", f"They balance at {now.accepted} accepted.")
    for one in now.short:
        sentence = f"{one.gone} entries of the producer {one.name} went away before a worker had them."
        mend = f"It deleted them itself: ACL DELUSER producer-{one.name}, then find out who has its password."
        yield Diagnosis("ill", "producers", sentence, mend)
    if now.hold:
        yield Diagnosis("ill", "flow", f"The workers take no claims: {now.hold.reason}.", "See to what is named.")
    for sentence in stuck(now, store.settings):
        mend = "Read the workers' log; restart those that do not go on: no claim is lost, and none is decided twice."
        yield Diagnosis("ill", "flow", f"{sentence[:1].upper()}{sentence[1:]}.", mend)
    yield from _workers(store, now)
    yield from _audit_files(store)
    for outlet in now.outlets:
        if outlet.name in CONSUMED and not outlet.groups and outlet.length:
            sentence = f"Nobody reads {outlet.name}: {outlet.length} entries are kept, and never trimmed."
            mend = f"Read it: worker.outlets.consume({outlet.name!r}), or XREADGROUP and XACK with a group of your own."
            yield Diagnosis("poor", "outlets", sentence, mend)
        for group in outlet.groups:
            if group.pending and group.lag == 0 and outlet.unread > 10_000:
                sentence = (
                    f"Group {group.name} of {outlet.name} reads and does not acknowledge: {group.pending} entries."
                )
                yield Diagnosis("poor", "outlets", sentence, "XACK what is done; nothing is trimmed before that.")
    if held := now.outlet("quarantine").length:
        yield Diagnosis("poor", "quarantine", f"{held} claims wait for a person.", "scrub quarantine list")


def _layout(layout: int, migrating: bool) -> Iterator[Diagnosis]:
    if migrating:
        sentence = f"A change from layout {layout} to {layout + 1} is under way, or broke off."
        yield Diagnosis("ill", "layout", sentence, "scrub migrate")
    elif layout < NEWEST:
        sentence = f"The keys are of layout {layout}; this release can have them in layout {NEWEST}."
        mend = "Once every worker and sender is of this release: scrub migrate. Nothing is wrong until then."
        yield Diagnosis("well", "layout", sentence, mend)


def _agreement(store: Store) -> Iterator[Diagnosis]:
    settings, keys = store.settings, store.keys
    kinds: dict[str, str] = {}
    for part in keys.all:
        kinds |= {part.of(one.name): one.kind for one in FAMILIES.values() if one.fixed}
    for key, kind in kinds.items():
        found = cast(bytes, store.redis.type(key)).decode()
        if found not in (kind, "none"):
            sentence = f"{key} is a {found}, expected a {kind}; claims wait until it is."
            yield Diagnosis("ill", "keys", sentence, f"Look at it, then: redis-cli rename {key} aside")
    meta = {name.decode(): value.decode() for name, value in cast(Any, store.redis.hgetall(keys.meta)).items()}
    if "partitions" in meta:
        number, wanted, layout, migrating = standing(store.redis)
        yield from _layout(layout, migrating)
        if number != wanted:
            sentence = f"A change from {number} to {wanted} partitions is under way, or broke off; no worker starts."
            yield Diagnosis("ill", "partitions", sentence, f"scrub partitions {wanted}")
        elif number != settings.partitions:
            sentence = f"This Redis holds {number} partitions, SCRUB_PARTITIONS says {settings.partitions}."
            yield Diagnosis("ill", "settings", sentence, f"Set SCRUB_PARTITIONS={number}.")
    if "fingerprint" in meta and not settings.secret_path.exists():
        sentence = (
            f"{settings.secret_path} is not there, and the claims on this Redis were hashed with another machine's."
        )
        yield Diagnosis("ill", "secret", sentence, "Copy the secret of the first worker to this machine.")
    elif "fingerprint" in meta:
        try:
            ours = fingerprint(load_secret(settings.secret_path))
        except ScrubError:
            return  # the secret's diagnosis says so already
        if ours != meta["fingerprint"].removeprefix(TURNED):
            sentence = f"{settings.secret_path} is not the secret that the claims on this Redis were hashed with."
            yield Diagnosis("ill", "secret", sentence, "Copy the secret of the first worker to this machine.")
        else:
            yield from _rings(store)


def _rings(store: Store) -> Iterator[Diagnosis]:
    """Whether the keys in force are here, and on every worker; and whether one was made and waits."""
    path = store.settings.secret_path
    try:
        rings = load_rings(path, in_force_keys(store.redis, store.keys) or "")
    except ScrubError as error:
        yield Diagnosis("ill", "keys", str(error).replace("\n", " "), "scrub secret list")
        return
    alive = [worker for worker in reconcile(store.redis, store.keys).alive if worker.audit_keys]
    for name in RINGS:
        ring = rings.ring(name)
        if lacking := [worker.name for worker in alive if ring.active.id not in keys_of(worker, name)]:
            sentence = f"Workers do not have the {name} key in force, and decide nothing: {', '.join(lacking)}."
            yield Diagnosis("ill", "keys", sentence, f"Copy {ring.file} to their machines (mode 0600).")
        if ring.waiting:
            sentence = f"The {name} key {ring.waiting[-1].id} was made and is not in force."
            mend = f"Copy {ring.file} to every worker, then: scrub secret rotate {name} --reason TEXT"
            yield Diagnosis("poor", "keys", sentence, mend)


def _audit_files(store: Store) -> Iterator[Diagnosis]:
    """Whether the files of the audit folder are those that Redis knows, and as long."""
    settings = store.settings
    try:
        ring = load_ring(settings.secret_path, "audit") if settings.secret_path.exists() else None
        found, _ = chains.compared(store.redis, store.keys, settings.audit_path, ring)
        gone = chains.retired(settings.audit_path, ring) if ring and found.unknown else {}
    except OSError as error:
        yield Diagnosis(
            "ill", "audit files", f"{settings.audit_path} cannot be read ({error.strerror}).", "Mend its owner."
        )
        return
    except ScrubError:
        return  # the secret's diagnosis says so already
    for well, sentence, mend in chains.statements(found, gone):
        yield Diagnosis("well" if well else "ill", "audit files", sentence, mend)
    if ring and (sentence := str(behind(store, ring))):
        yield Diagnosis(
            "ill", "audit files", f"{sentence}.", "scrub audit lost lists them; see the runbook, RedisBehind."
        )


def _workers(store: Store, now: Reconciliation) -> Iterator[Diagnosis]:
    alive = now.alive
    if not alive:
        waits = now.waiting + now.in_flight
        sentence = f"No worker is alive, and {waits} claims wait." if waits else "No worker is alive."
        yield Diagnosis("ill" if waits else "poor", "workers", sentence, "scrub worker")
        return
    yield Diagnosis("well", "workers", f"{len(alive)} alive.")
    for worker in alive:
        if worker.outputs:
            sentence = f"{worker.name}: {worker.outputs}; {worker.left_out} lines were left out there."
            mend = "Claims are decided all the same. See to what reads its output; else restart the worker."
            yield Diagnosis("poor", "outputs", sentence, mend)
    standing = in_force(store.redis, store.keys)
    yield from judging.workers(store.settings, now, standing)


def examine(settings: Settings, today: date, store: Store | None) -> Iterator[Diagnosis]:
    """Everything; `store` is open and unchecked, or None where it could not be opened."""
    yield from packages()
    yield from folders(settings)
    yield from snapshots(settings.snapshot_path, datetime.now(UTC))
    yield from case_store(settings, store, datetime.now(UTC))
    yield from ages(settings, datetime.now(UTC))
    try:
        book = current.own_book(settings)
        yield from rule_book(book, today)
        if settings.book_key and settings.book and settings.book.is_dir():
            sentence = f"SCRUB_BOOK_KEY is set, and {settings.book} is a folder, which nobody can sign."
            yield Diagnosis(
                "poor", "rule book", sentence, "scrub rules pack, scrub rules sign; then name the packed file."
            )
        yield from overrides(with_overrides(book, settings, today), today)
        with suppress(OSError):  # the audit folder's diagnosis says so already
            yield from gaps(settings.audit_path, datetime.now(UTC), book)
    except ScrubError as error:
        yield Diagnosis("ill", "rule book", str(error).replace("\n", " "))
    else:
        yield from contracts(settings, book)
    if store is None:
        return
    ill = False
    for diagnosis in server(store):
        ill |= diagnosis.level == "ill"
        yield diagnosis
    try:
        yield from queue(store, reconcile(store.redis, store.keys))
        if book_in_force := judging.judged_with(store, in_force(store.redis, store.keys), today):
            yield from overrides(book_in_force, today)
    except ScrubError as error:
        yield Diagnosis("ill", "rule book", str(error).replace("\n", " "))
    except (RedisError, *reachability.MISREAD) as error:
        if not ill:
            yield Diagnosis("ill", "Redis", str(reachability.trouble(error, reachability.claims(settings))))
