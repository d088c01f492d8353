"""Opening Redis for a command, so that no signal leaves a server behind and no error of Redis shows a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from worker.process.signals import held

if TYPE_CHECKING:
    from worker.config.settings import Settings
    from worker.store.connections import Store


@contextmanager
def opened(settings: Settings | None = None, *, check: bool = True) -> Iterator[Store]:
    """A store that is closed whatever happens; without `check` it may be unfit, or not answer.

    Raises:
        RedisUnusable: also where Redis is lost on the way; and the other errors of `worker.store.opening.open_store`.
    """
    from redis.exceptions import RedisError

    from worker.config.settings import load_settings
    from worker.store import reachability

    settings = settings or load_settings()
    with _whole(settings, check) as store:
        try:
            yield store
        except RedisError as error:
            raise reachability.trouble(error, reachability.claims(settings)) from None


@contextmanager
def _whole(settings: Settings, check: bool) -> Iterator[Store]:
    from worker.store import opening

    store = None
    try:
        with held():
            store = opening.open_store(settings, check=check)
        yield store
    finally:
        if store:
            with held():
                store.close()
