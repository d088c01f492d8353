"""A line of a client, on which nobody waits without an end: uvicorn gives up on one between two requests alone."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from worker.serve.app import HEADERS
from worker.serve.problems import Problem

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

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn says what is wrong, in its words
        """What is no HTTP comes to no application: its answer is as all others, without the words of who asked."""
        answer = Problem(400, "", "This is no request of HTTP.", headers={**HEADERS, "Connection": "close"}).response()
        event = h11.Response(status_code=400, headers=answer.raw_headers, reason=b"Bad Request")
        for part in (event, h11.Data(data=bytes(answer.body)), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event=part) or b"")
        self.transport.close()

    def _look(self) -> None:
        waits = self.cycle is None or self.cycle.response_complete
        if waits and self._seen is self.cycle:
            self.transport.close()
            return
        self._seen = self.cycle if waits else self
        self._look_task = self.loop.call_later(HEAD, self._look)
