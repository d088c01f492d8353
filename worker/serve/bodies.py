"""Bodies of requests: read whole, up to a limit, and never packed, since what is packed has no limit of its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive

from worker.errors import BodyTooLarge, TypeNotTaken

SMALL = 2**18
"""Bytes of a form of the desk, and of what is asked or done of cases."""


_PATIENCE = 20.0
"""Seconds that a body may take, and more of one that may be large, by what came of it."""
_RATE = 50_000
"""Bytes of a large body that come in a second at least, once patience is over."""


class SmallBody(APIRoute):
    """Takes no large body: that of a model is read before it is known who asks."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def limited(request: Request) -> Response:
            return await handler(Request(request.scope, _at_most(SMALL, request.receive)))

        return limited


def _at_most(most: int, receive: Receive) -> Receive:
    """What comes in, until it is too much, or takes too long."""
    count, in_time = 0, _in_time(receive, most)

    async def counted() -> Message:
        nonlocal count
        message = await in_time()
        count += len(message.get("body", b""))
        if count > most:
            raise HTTPException(413, f"This body is larger than any that is taken here: {most:,} bytes.")
        return message

    return counted


def _in_time(receive: Receive, most: int) -> Receive:
    """What comes in, until it takes too long: who sends a byte now and then holds a connection for ever otherwise."""
    since, size, rate = time.monotonic(), 0, _RATE if most > SMALL else None

    async def timed() -> Message:
        nonlocal size
        until = since + _PATIENCE + (size / rate if rate else 0)
        try:
            async with asyncio.timeout(max(0, until - time.monotonic())):
                message = await receive()
        except TimeoutError:
            more = f", and one second more for each {rate:,} bytes" if rate else ""
            raise HTTPException(408, f"The body took longer than {_PATIENCE:.0f} seconds{more}.") from None
        size += len(message.get("body", b""))
        return message

    return timed


async def body_of(request: Request, limit: int) -> bytes:
    """The body.

    Raises:
        BodyTooLarge: as soon as that is known. TypeNotTaken: it is packed.
        HTTPException: it comes too slowly (408).
    """
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise TypeNotTaken(taken="bodies that are not packed (no Content-Encoding)")
    said = request.headers.get("content-length", "0")
    if not said.isdigit() or int(said) > limit:
        raise BodyTooLarge(limit=limit)
    parts, size = list[bytes](), 0
    async for part in Request(request.scope, _in_time(request.receive, limit)).stream():
        size += len(part)
        if size > limit:
            raise BodyTooLarge(limit=limit)
        parts.append(part)
    body = b"".join(parts)
    if body.startswith(b"\x1f\x8b"):
        raise TypeNotTaken(taken="bodies that are not packed (this begins as gzip)")
    return body
