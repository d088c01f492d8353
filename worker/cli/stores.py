"""Opening Redis for a command, so that no signal leaves a server behind and no error of Redis shows a traceback."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from worker.cli.signals import held

if TYPE_CHECKING:
    from worker.settings import Settings
    from worker.wiring import Store

_REFUSED = re.compile("ACL failure in script|user executing the script can't")
"""How Redis says that a command within a script is not for this user; the words changed between versions."""


@contextmanager
def opened(settings: Settings | None = None, *, check: bool = True) -> Iterator[Store]:
    """A store that is closed whatever happens; without `check` it may be unfit, or not answer.

    Raises:
        RedisForbids: this user may not do that.
        RedisUnreachable: also where Redis is lost on the way; and the other errors of `worker.wiring.open_store`.
    """
    from redis.exceptions import NoPermissionError, RedisError, ResponseError

    from worker import wiring
    from worker.errors import RedisForbids, RedisUnreachable
    from worker.fitness import why_silent
    from worker.settings import load_settings

    settings = settings or load_settings()
    with _whole(settings, check) as store:
        try:
            yield store
        except NoPermissionError as error:
            raise RedisForbids(wiring.where(settings), error) from None
        except RedisError as error:
            if isinstance(error, ResponseError) and _REFUSED.search(str(error)):
                raise RedisForbids(wiring.where(settings), error) from None
            raise RedisUnreachable(where=wiring.where(settings), reason=why_silent(error)) from None


@contextmanager
def _whole(settings: Settings, check: bool) -> Iterator[Store]:
    from worker import wiring

    store = None
    try:
        with held():
            store = wiring.open_store(settings, check=check)
        yield store
    finally:
        if store:
            with held():
                store.close()
