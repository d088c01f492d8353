"""A line of a client, on which nobody waits without an end: uvicorn gives up on one between two requests alone."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD = 10.0
"""Seconds that the head of a request may take, and as much again: it is looked at so often."""


class Line(H11Protocol):
    """Closes where nothing was asked since the last look."""

    _look_task: asyncio.TimerHandle | None = None
    _seen: Any = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._seen = self.cycle
        self._look_task = self.loop.call_later(HEAD, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._look_task:
            self._look_task.cancel()
        super().connection_lost(exc)

    def _look(self) -> None:
        waits = self.cycle is None or self.cycle.response_complete
        if waits and self._seen is self.cycle:
            self.transport.close()
            return
        self._seen = self.cycle if waits else self
        self._look_task = self.loop.call_later(HEAD, self._look)
