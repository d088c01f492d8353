"""An act breaks off at one of its steps, as a kill would leave it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from worker.desk.acting import Desk
from worker.store.connections import Store

STEPS = ("pending", "line", "head", "xadd")
"""The last step that was done: its row, its audit line, that line's head, what is sent."""


class Broken(RuntimeError):
    pass


def broken(*_: object, **__: object) -> None:
    raise Broken


@contextmanager
def broken_off_after(step: str, store: Store, desk: Desk) -> Iterator[None]:
    real = store.once.xadd

    def sent_and_broken(*given: Any) -> None:
        real(*given)
        raise Broken

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(*{
            "pending": (desk.audit, "write", broken), "line": (store.redis, "hset", broken),
            "head": (store.once, "xadd", broken), "xadd": (store.once, "xadd", sent_and_broken),
        }[step])  # fmt: skip
        with pytest.raises(Broken):
            yield
