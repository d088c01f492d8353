"""What is on the notifications' queue, or on Celery's control channel, and is no message: no worker ends of it.

One that is put back at the end of a worker would end each worker that comes after it: celery#2963, celery#4465,
celery#6222, kombu#1200.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from worker.pipeline.producer import send
from worker.store.connections import Store

from .helpers import Worker, event, settled, until

pytestmark = pytest.mark.slow

Start = Callable[..., Worker]
QUEUE, CONTROL = "scrub:scrub-bells", "scrub:/0.celery.pidbox"
CANARY = "MEMBER-4711"
_PROPERTIES = {"delivery_info": {"exchange": "", "routing_key": "scrub-bells"}, "delivery_tag": "t-1"}


def message(**changes: object) -> bytes:
    """A message of Celery's, of which something is not as it should be."""
    whole = {
        "body": "W10=", "content-type": "application/json", "content-encoding": "utf-8",
        "headers": {"task": "scrub", "id": "b-1", "canary": CANARY}, "properties": {**_PROPERTIES, "body_encoding": "base64"},
    }  # fmt: skip
    return json.dumps({**whole, **changes}).encode()


STRAY = {
    "no JSON": CANARY.encode(),
    "no UTF-8": b"\xff\xfe\x00",
    "a number": b"1",
    "a text": json.dumps(CANARY).encode(),
    "null": b"null",
    "a list": b"[]",
    "deep": b"[" * 200_000,
    "long number": b"9" * 10_000,
    "empty": b"{}",
    "unknown type": b'{"__type__": "x", "__value__": 1}',
    "no properties": b'{"body": "x"}',
    "no tag": message(properties={}),
    "properties are a list": message(properties=[]),
    "headers are a list": message(headers=[CANARY]),
    "headers are none": message(headers=None),
    "body is no base64": message(body="!"),
    "body is a number": message(body=7),
    "body is an object": message(body="e30="),
    "body is a number in JSON": message(body="MQ=="),
    "body is an empty list": message(),
    "body is of another encoding": message(**{"content-encoding": "nonsense"}),
    "a pickle": message(**{"content-type": "application/x-python-serialize"}),
    "unknown compression": message(headers={"task": "scrub", "id": "b-1", "compression": "nonsense"}),
    "another task": message(headers={"task": CANARY, "id": "b-1"}),
    "the task is a list": message(headers={"task": [CANARY], "id": "b-1"}),
    "no id": message(headers={"task": "scrub"}),
    "an odd date": message(headers={"task": "scrub", "id": "b-1", "expires": CANARY, "eta": {}}),
    "of the first protocol": message(headers={}, body="eyJ0YXNrIjogInNjcnViIn0="),
}


def put(store: Store, first: int) -> None:
    events = (event(number) for number in range(first, first + 5))
    send(store.redis, store.keys, events, source="t", settings=store.settings)


@pytest.mark.parametrize("pool", ["prefork", "solo"])
def test_no_stray_message_ends_a_worker_or_keeps_it_from_claims(store: Store, start_worker: Start, pool: str) -> None:
    worker = start_worker("-P", pool, concurrency=1, env={"SCRUB_LOG_LEVEL": "debug"}).wait_ready()
    for number, (name, message) in enumerate(STRAY.items()):
        store.redis.lpush(QUEUE, message)
        put(store, 5 * number)
        settled(store, 5 * (number + 1))
        assert worker.process.poll() is None, (name, worker.text())
        # A worker that was sent one of these opens its control channel anew: for a moment nobody listens.
        until(
            lambda stray=message: store.redis.publish(CONTROL, stray) == 1,
            output=lambda stray=name: (stray, worker.text()),
        )
    put(store, 5 * len(STRAY))
    settled(store, 5 * (len(STRAY) + 1))
    until(lambda: not store.redis.llen(QUEUE) and not store.redis.hlen("scrub:unacked"), output=worker.text)
    assert worker.stop() == 0, worker.text()
    assert "it is thrown away" in worker.text()
    assert CANARY not in worker.text()
    assert not store.redis.llen(QUEUE), "none of them is put back for the next worker"
