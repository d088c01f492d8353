"""The composition root: puts together who judges claims, and who acts for a person."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from worker.audit.chains import Archivist
from worker.audit.log import Audit
from worker.books.current import book_of_today, layer, own, own_book
from worker.books.librarian import Librarian
from worker.books.switch import Choice
from worker.config.identity import worker_name
from worker.pipeline.batch import Bench, Interrupts
from worker.pipeline.commit import Committer
from worker.pipeline.consumer import Drain
from worker.pipeline.history import Recorder
from worker.pipeline.inbox import Inbox
from worker.pipeline.notification import Bell
from worker.pipeline.quarantine import Clerk
from worker.pipeline.routing import Crossing
from worker.store.agreement import agreed_secret
from worker.store.connections import Store


def drain(
    store: Store, door: Bell, *, stopping: Callable[[], bool] = lambda: False, interrupts: Interrupts = ()
) -> Drain:
    """A consumer of all inboxes, with its own name and audit file. Make it in the process that uses it.

    Raises:
        SecretUnusable, SecretMismatch, and what `own_book` raises
    """
    settings = store.settings
    secret, rules = agreed_secret(store), book_of_today(settings)
    consumer = f"{worker_name()}-{secrets.token_hex(4)}"
    audit = Audit(settings.audit_path, secret, stdout=settings.audit_stdout, fsync=settings.audit_fsync)
    memory_ms = settings.event_memory * 86_400_000
    choice = Choice(
        store.redis, store.keys, consumer, own_book(settings), settings.books_path, layer(settings), settings.book_key
    )
    drains = []
    for keys in store.keys.all:
        inbox = Inbox(store.redis, keys, consumer)
        inbox.ensure()
        drains.append(
            Drain(
                settings=settings,
                bench=Bench(rules, keys, secret, settings.max_event_bytes, interrupts, settings.history_months),
                inbox=inbox,
                committer=Committer(store.once, keys, consumer, memory_ms=memory_ms),
                crossing=Crossing(store.redis, keys, memory_ms),
                audit=audit,
                bell=door,
                book=choice.book,
                stopping=stopping,
            )
        )
    drains[0].others = drains[1:]
    return drains[0]


def recorder(store: Store) -> Recorder:
    """Who writes into ledgers for a person, with an audit file of its own.

    Raises:
        SecretUnusable, SecretMismatch, and what `own_book` raises
    """
    settings, secret = store.settings, agreed_secret(store)
    audit = Audit(settings.audit_path, secret, stdout=False, fsync=settings.audit_fsync)
    procedure = own_book(settings).procedure
    return Recorder(store.redis, store.keys, secret, audit, procedure, settings.history_months)


def clerk(store: Store) -> Clerk:
    """Who takes entries out of quarantine, with an audit file of its own.

    Raises:
        SecretUnusable, SecretMismatch
    """
    settings = store.settings
    audit = Audit(settings.audit_path, agreed_secret(store), stdout=False, fsync=settings.audit_fsync)
    return Clerk(store.once, store.keys, audit)


def archivist(store: Store) -> Archivist:
    """Who retires audit chains, with an audit file of its own.

    Raises:
        SecretUnusable, SecretMismatch
    """
    settings, secret = store.settings, agreed_secret(store)
    audit = Audit(settings.audit_path, secret, stdout=False, fsync=settings.audit_fsync)
    return Archivist(store.once, store.keys, audit, secret, settings.audit_path)


def librarian(store: Store) -> Librarian:
    """Who puts books in force, with an audit file of its own.

    Raises:
        SecretUnusable, SecretMismatch
    """
    settings = store.settings
    audit = Audit(settings.audit_path, agreed_secret(store), stdout=False, fsync=settings.audit_fsync)
    return Librarian(store.once, store.keys, audit, lambda: own(settings), lambda: layer(settings), settings.books_path)
