"""Parameters of a query: what an address does not take is refused, for who wrote `recieved` would not notice."""

from __future__ import annotations

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute


async def known_alone(request: Request) -> None:
    """Names none of what was sent: it may be a claim's.

    Raises:
        RequestValidationError: for a parameter that the route does not take, or one that is there twice.
    """
    route = request.scope["route"]
    given = [name for name, _ in request.query_params.multi_items()]
    if not given or not isinstance(route, APIRoute):
        return
    takes = sorted(one.alias for one in route.dependant.query_params)
    if set(given).issubset(takes) and len(set(given)) == len(given):
        return
    said = f"expected each parameter once, of those that this address takes: {', '.join(takes) or 'none'}"
    raise RequestValidationError([{"type": "unknown_parameter", "loc": ("query",), "msg": said}])
