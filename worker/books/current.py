"""The book and the overrides by which a process judges, each read once."""

from __future__ import annotations

from functools import cache

from rules.book.book import Book
from rules.errors import first_problem
from rules.payment.claims import Ours
from worker.books.fallback import UNUSABLE, Fallback, find_fallback
from worker.books.overrides import OverridesLayer, added
from worker.books.ownbook import OverridesWatch, OwnBook, read_own
from worker.config.settings import Settings
from worker.store.connections import Store
from worker.tables.contracts import ours_of


@cache
def own(settings: Settings) -> OwnBook:
    """The book by which workers with these settings judge until somebody puts another in force, read once a process.

    Raises:
        FolderUnusable, and what `read_own` raises
    """
    found = _fallbacks.get(settings)
    return found.own if found else read_own(settings)


_fallbacks: dict[Settings, Fallback] = {}
"""What is used instead of book and overrides that this process, or the one that forked it, could not use."""


def take_own(store: Store) -> str:
    """Reads a worker's own book and overrides; where they cannot be used, uses what is in force instead.

    Answers why they cannot be used, in a line; empty: they can.

    Raises:
        what `book_of_today` raises, where nothing that can be used is in force; redis.exceptions.RedisError
    """
    settings = store.settings
    try:
        book_of_today(settings)
    except UNUSABLE as error:
        fault = first_problem(error)
        found = find_fallback(store.redis, store.keys, settings, fault)
        if found is None:
            raise
        forget_own()
        _fallbacks[settings] = found
        return fault
    return ""


def forget_own() -> None:
    """Has book and overrides read anew by who asks next."""
    _fallbacks.clear()
    for read in (own, overrides_layer, watch):
        read.cache_clear()


def own_book(settings: Settings) -> Book:
    """The same, without where it is from. Raises what `own` raises."""
    return own(settings).book


@cache
def watch(settings: Settings) -> OverridesWatch:
    """Watches the overrides file, for the main process of a worker.

    Raises:
        OverridesInvalid, and what `own` raises
    """
    return OverridesWatch(overrides_layer(settings), own_book(settings), settings)


@cache
def overrides_layer(settings: Settings) -> OverridesLayer:
    """The hospital's overrides, read once a process, as the book is: all claims of a day are judged by the same ones.

    Raises:
        OverridesInvalid
    """
    found = _fallbacks.get(settings)
    return found.layer if found else OverridesLayer(settings.overrides, settings.books_path, added=added(settings))


@cache
def payment_terms(settings: Settings) -> Ours:
    """What the hospital says of itself for expected payments, its contracts above all: read once a process, and by a
    worker before it forks, so that a file that is edited meanwhile stops no pool process.

    Raises:
        ContractsInvalid, and what `own` raises
    """
    return ours_of(settings, own_book(settings).registry)


def book_of_today(settings: Settings) -> Book:
    """The workers' own book with the overrides as they stand today.

    Raises:
        OverridesInvalid, and what `own_book` raises
    """
    return overrides_layer(settings).apply(own_book(settings))
