"""The composition root: puts together what judges claims, and what acts for a person."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path

from worker.audit.chains import ChainRetirement
from worker.audit.log import AuditLog
from worker.books.asked import FILE, OlderGuard
from worker.books.bookswitcher import BookSwitcher
from worker.books.current import book_of_today, overrides_layer, own, own_book, payment_terms
from worker.books.switch import ProcessBook
from worker.config import routing
from worker.config.identity import worker_name
from worker.config.settings import Settings
from worker.filing.claims import Claims
from worker.filing.collecting import Collector
from worker.filing.cutoff import Cutoff
from worker.filing.folders import Filing
from worker.filing.leaving import Rests
from worker.filing.onefile import Surroundings
from worker.intake.dropfolder import DropFolder
from worker.pipeline.commit import Committer
from worker.pipeline.consumer import InboxConsumer, PartitionConsumer
from worker.pipeline.context import BatchContext, Interrupts
from worker.pipeline.inbox import Inbox
from worker.pipeline.ledgerrecorder import LedgerRecorder
from worker.pipeline.notification import Notifier
from worker.pipeline.quarantine import QuarantineDesk
from worker.pipeline.repeats import RepeatDropper
from worker.pipeline.restoring import Restorer
from worker.pipeline.rotation import Rotation
from worker.pipeline.routing import Router
from worker.store.agreement import RingsInForce, agreed_rings
from worker.store.connections import Store
from worker.store.keyring import Ring
from worker.store.registry import Producer, Registry, producers_of


def inbox_consumer(
    store: Store, notifier: Notifier, *, stopping: Callable[[], bool] = lambda: False, interrupts: Interrupts = ()
) -> InboxConsumer:
    """A consumer of all inboxes, with its own name and audit file. Make it in the process that uses it.

    Raises:
        SecretUnusable, SecretMismatch, RingUnusable, KeyNotHere, ContractsInvalid, and what `own_book` raises
    """
    settings = store.settings
    rings, rules = agreed_rings(store), book_of_today(settings)
    ours = payment_terms(settings)
    consumer = f"{worker_name()}-{secrets.token_hex(4)}"
    audit = AuditLog.of(settings, rings.audit, stdout=True)
    memory_ms = settings.event_memory * 86_400_000
    in_force = process_book(store, consumer)
    partitions = []
    streams = Registry(store.redis, store.keys)
    for keys in store.keys.all:
        inbox = Inbox(store.redis, keys, consumer, streams)
        inbox.ensure()
        committer = Committer(store.once, keys, consumer, memory_ms=memory_ms)
        committer.rings = rings.mark
        partitions.append(
            PartitionConsumer(
                settings=settings,
                context=BatchContext(
                    rules, keys, rings, settings.max_event_bytes, interrupts, settings.history_months, memory_ms, ours
                ),
                inbox=inbox,
                router=Router(store.redis, keys, committer, memory_ms),
                audit=audit,
                committer=committer,
                notifier=notifier,
                book=in_force.book,
                repeats=RepeatDropper(inbox, keys, audit),
                rings=RingsInForce(store.once, keys, settings.secret_path, rings),
                stopping=stopping,
            )
        )
    return InboxConsumer(settings, partitions, audit, notifier, stopping)


def filing(
    store: Store, folder: DropFolder, out: Path, cutoff: Cutoff | None, producer: Producer, source: str,
    notify: Callable[[], object], say: Callable[[str], None], complain: Callable[[str], None],
) -> Filing:  # fmt: skip
    """What writes files of the claims of a drop folder, with an audit file of its own.

    Raises:
        SecretUnusable, SecretMismatch, RingUnusable, KeyNotHere, and what `own_book` raises
    """
    settings, keys = store.settings, store.keys
    audit, memory_ms = _audit_of(settings, agreed_rings(store).audit), settings.event_memory * 86_400_000

    def rests() -> Rests:
        rings = agreed_rings(store)
        audit.turn(rings.audit)
        return Rests(
            store.once, keys, rings, book_of_today(settings), audit, producer, settings.history_months, memory_ms,
            routing.sends(settings.send_unchecked), routing.sends(settings.send_undecided),
        )  # fmt: skip

    claims = Claims(producer, source, settings.max_event_bytes, book_of_today(settings).codes)
    shared = Surroundings(store.redis, keys, settings, claims, rests, memory_ms, notify)
    consumer = f"{worker_name()}-{secrets.token_hex(4)}"
    collector = Collector(store.redis, keys, consumer, lambda: producers_of(store.redis, keys), memory_ms, complain)
    return Filing(shared, folder, out, cutoff, collector, say, complain)


def process_book(store: Store, consumer: str = "") -> ProcessBook:
    """What one process judges by; `consumer`: under which name it reports that, empty: it is no worker's.

    Raises:
        what `own_book` raises
    """
    settings, guard = store.settings, None
    if settings.trusted:
        guard = OlderGuard(store.redis, store.keys, settings.secret_path, settings.books_path / FILE)
    return ProcessBook(
        store.redis, store.keys, consumer, own_book(settings), settings.books_path, overrides_layer(settings),
        settings.trusted, guard,
    )  # fmt: skip


def ledger_recorder(store: Store) -> LedgerRecorder:
    """What writes into ledgers for a person, with an audit file of its own.

    Raises:
        SecretUnusable, SecretMismatch, RingUnusable, KeyNotHere, and what `own_book` raises
    """
    settings, rings = store.settings, agreed_rings(store)
    audit = _audit_of(settings, rings.audit)
    codes = own_book(settings).codes
    return LedgerRecorder(store.redis, store.keys, rings, audit, codes, settings.history_months)


def restorer(store: Store) -> Restorer:
    """What puts ledgers and event memory back, with an audit file of its own.

    Raises:
        SecretUnusable, SecretMismatch, RingUnusable, KeyNotHere, and what `own_book` raises
    """
    settings, rings = store.settings, agreed_rings(store)
    months = settings.history_months
    context = BatchContext(own_book(settings), store.keys, rings, settings.max_event_bytes, (), months)
    return Restorer(store, context, _audit_of(settings, rings.audit), months)


def quarantine_desk(store: Store) -> QuarantineDesk:
    """What takes entries out of quarantine, with an audit file of its own.

    Raises:
        SecretUnusable, SecretMismatch, RingUnusable, KeyNotHere
    """
    return QuarantineDesk(store.once, store.keys, _audit_of(store.settings, agreed_rings(store).audit))


def chain_retirement(store: Store) -> ChainRetirement:
    """What retires audit chains, with an audit file of its own.

    Raises:
        SecretUnusable, SecretMismatch, RingUnusable, KeyNotHere
    """
    settings, ring = store.settings, agreed_rings(store).audit
    audit = _audit_of(settings, ring)
    return ChainRetirement(store.once, store.keys, audit, ring, settings.audit_path)


def rotation(store: Store) -> Rotation:
    """What puts another key in force, with an audit file of its own, which begins under the key of before.

    Raises:
        SecretUnusable, SecretMismatch, RingUnusable, KeyNotHere
    """
    return Rotation(store, _audit_of(store.settings, agreed_rings(store).audit))


def book_switcher(store: Store) -> BookSwitcher:
    """What puts books in force, with an audit file of its own.

    Raises:
        SecretUnusable, SecretMismatch, RingUnusable, KeyNotHere
    """
    settings = store.settings
    audit = _audit_of(settings, agreed_rings(store).audit)
    return BookSwitcher(
        store.once, store.keys, audit, lambda: own(settings), lambda: overrides_layer(settings), settings.books_path,
        lambda: agreed_rings(store).audit,
    )  # fmt: skip


def _audit_of(settings: Settings, ring: Ring) -> AuditLog:
    """An audit file for what a person does: never copied to standard output, where the command answers."""
    return AuditLog.of(settings, ring)
