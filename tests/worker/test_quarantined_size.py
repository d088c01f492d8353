"""What quarantine keeps of hostile input: all of it, in at most twice its bytes and 64 KB, in either mode of CloudEvents."""

from __future__ import annotations

import base64
import json

import pytest

from tests.book import BOOK
from worker.intake.events import structured
from worker.pipeline import batch
from worker.pipeline.context import BatchContext
from worker.pipeline.inbox import InboxEntry
from worker.store.keyring import Rings
from worker.store.keys import Keys

ODD = [b"\x01", b'"', b"\\", b"\n", b"\x7f", "\u2028".encode(), b"\xff", bytes(range(256)), b"\xc3"]
WHERE = [b"event", b"ce_id", b"ce_source", b"ce_extension", b"content-type", b"data", b"other"]


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("odd", ODD)
def test_no_bytes_grow_to_more_than_twice_and_all_are_kept(where: bytes, odd: bytes) -> None:
    value = odd * (300_000 // len(odd))
    fields = {b"event": value} if where == b"event" else {b"ce_specversion": b"1.0", b"ce_id": b"1", where: value}
    entry = InboxEntry("1790000000000-0", fields.get(b"event") or structured(fields), fields)
    context = BatchContext(BOOK, Keys(), Rings.of(b"k" * 32), 2**20)
    (decision,) = batch.judge(batch.read([entry], context), {}, context)
    assert decision.item.route == "quarantine"
    size = sum(len(name) + len(value) for name, value in fields.items())
    assert len(decision.item.payload) <= 2 * size + 2**16
    data = json.loads(decision.item.payload)["data"]
    if "fields_base64" in data:
        assert base64.b64decode(data["fields_base64"][base64.b64encode(where).decode()]) == value
    elif "fields" in data:
        assert data["fields"][where.decode()].encode() == value
    else:
        kept = data["event"].encode() if "event" in data else base64.b64decode(data["event_base64"])
        assert kept == entry.event
