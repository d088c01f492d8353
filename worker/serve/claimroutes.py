"""`POST /claims`: claims onto the queue, for senders that should hold no password of Redis."""

from __future__ import annotations

from typing import Any

import orjson
from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from worker.errors import NothingReadable, ProducerGone, TooManyClaims
from worker.pipeline import producer
from worker.serve.bodies import body_of
from worker.serve.identity import Asking, Caller
from worker.serve.making import MOST, Made, ToMake
from worker.serve.media import TAKEN, kind_of
from worker.serve.serving import Serving
from worker.store.registry import producers_of

router = APIRouter()
_BODY = {"required": True, "content": {media: {"schema": {"type": "string"}} for media in TAKEN}}


@router.post(
    "/claims",
    status_code=202,
    summary="Put claims on the queue, at most 1,000",
    openapi_extra={"requestBody": _BODY},
    response_class=Response,
)
async def claims(request: Request, asking: Asking) -> Response:
    """All of them, or none where one cannot be read. Which facility and which source they are of, the token says; what
    the body says of its source is passed over. To send the same again is safe: it has the same event ids, and makes no
    second result. 503 with Retry-After: there is no room for now; send the same again.
    """
    asking.may("submit")
    serving: Serving = request.app.state.serving
    body = await body_of(request, serving.settings.serve_max_body)
    kind_of(request.headers.get("content-type", ""), body)
    made = await serving.judges.make(ToMake(body, asking.source))
    if made.too_many:
        raise TooManyClaims(limit=MOST)
    if made.unread:
        raise NothingReadable(made.unread)
    entries = await run_in_threadpool(_send, serving, asking, made)
    told: dict[str, Any] = {"source": asking.source, "events": made.ids, "accepted": entries}
    return Response(orjson.dumps(told), 202, media_type="application/json")


def _send(serving: Serving, asking: Caller, made: Made) -> int:
    store = serving.store
    if asking.producer:
        known = producers_of(store.redis, store.keys).get(asking.producer)
        if known is None or known.removed or not known.has(asking.source):
            raise ProducerGone(name=asking.producer)
    settings = serving.settings.model_copy(update={"producer": asking.producer})
    receipt = producer.send(store.redis, store.keys, made.events, source=asking.source, settings=settings)
    serving.notifier.notify()
    return len(receipt)
