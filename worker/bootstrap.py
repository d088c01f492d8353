"""The composition root: puts together what judges claims, and what acts for a person."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from worker.audit.chains import ChainRetirement
from worker.audit.log import AuditLog
from worker.books.bookswitcher import BookSwitcher
from worker.books.current import book_of_today, overrides_layer, own, own_book
from worker.books.switch import ProcessBook
from worker.config.identity import worker_name
from worker.config.settings import Settings
from worker.pipeline.commit import Committer
from worker.pipeline.consumer import InboxConsumer, PartitionConsumer
from worker.pipeline.context import BatchContext, Interrupts
from worker.pipeline.inbox import Inbox
from worker.pipeline.ledgerrecorder import LedgerRecorder
from worker.pipeline.notification import Notifier
from worker.pipeline.quarantine import QuarantineDesk
from worker.pipeline.routing import Router
from worker.store.agreement import agreed_secret
from worker.store.connections import Store


def inbox_consumer(
    store: Store, notifier: Notifier, *, stopping: Callable[[], bool] = lambda: False, interrupts: Interrupts = ()
) -> InboxConsumer:
    """A consumer of all inboxes, with its own name and audit file. Make it in the process that uses it.

    Raises:
        SecretUnusable, SecretMismatch, and what `own_book` raises
    """
    settings = store.settings
    secret, rules = agreed_secret(store), book_of_today(settings)
    consumer = f"{worker_name()}-{secrets.token_hex(4)}"
    audit = AuditLog(settings.audit_path, secret, stdout=settings.audit_stdout, fsync=settings.audit_fsync)
    memory_ms = settings.event_memory * 86_400_000
    process_book = ProcessBook(
        store.redis,
        store.keys,
        consumer,
        own_book(settings),
        settings.books_path,
        overrides_layer(settings),
        settings.book_key,
    )
    partitions = []
    for keys in store.keys.all:
        inbox = Inbox(store.redis, keys, consumer)
        inbox.ensure()
        committer = Committer(store.once, keys, consumer, memory_ms=memory_ms)
        partitions.append(
            PartitionConsumer(
                settings=settings,
                context=BatchContext(
                    rules, keys, secret, settings.max_event_bytes, interrupts, settings.history_months
                ),
                inbox=inbox,
                router=Router(store.redis, keys, committer, memory_ms),
                audit=audit,
                committer=committer,
                notifier=notifier,
                book=process_book.book,
                stopping=stopping,
            )
        )
    return InboxConsumer(settings, partitions, audit, notifier, stopping)


def ledger_recorder(store: Store) -> LedgerRecorder:
    """What writes into ledgers for a person, with an audit file of its own.

    Raises:
        SecretUnusable, SecretMismatch, and what `own_book` raises
    """
    settings, secret = store.settings, agreed_secret(store)
    audit = _audit_of(settings, secret)
    codes = own_book(settings).codes
    return LedgerRecorder(store.redis, store.keys, secret, audit, codes, settings.history_months)


def quarantine_desk(store: Store) -> QuarantineDesk:
    """What takes entries out of quarantine, with an audit file of its own.

    Raises:
        SecretUnusable, SecretMismatch
    """
    return QuarantineDesk(store.once, store.keys, _audit_of(store.settings, agreed_secret(store)))


def chain_retirement(store: Store) -> ChainRetirement:
    """What retires audit chains, with an audit file of its own.

    Raises:
        SecretUnusable, SecretMismatch
    """
    settings, secret = store.settings, agreed_secret(store)
    audit = _audit_of(settings, secret)
    return ChainRetirement(store.once, store.keys, audit, secret, settings.audit_path)


def book_switcher(store: Store) -> BookSwitcher:
    """What puts books in force, with an audit file of its own.

    Raises:
        SecretUnusable, SecretMismatch
    """
    settings = store.settings
    audit = _audit_of(settings, agreed_secret(store))
    return BookSwitcher(
        store.once, store.keys, audit, lambda: own(settings), lambda: overrides_layer(settings), settings.books_path
    )


def _audit_of(settings: Settings, secret: bytes) -> AuditLog:
    """An audit file for what a person does: never copied to standard output, where the command answers."""
    return AuditLog(settings.audit_path, secret, fsync=settings.audit_fsync)
