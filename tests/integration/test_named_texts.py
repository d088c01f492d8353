"""What many reports say alike goes by name to the outlets, once to Redis, and whole to whoever reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from rules.book.book import Book
from rules.claim import read_claim
from rules.engine.check import check
from rules.history import NOTHING_BILLED
from worker.books import archive
from worker.errors import TextsMissing
from worker.outlets import consume
from worker.pipeline import textsweep
from worker.pipeline.consumer import InboxConsumer
from worker.pipeline.migration import migrate
from worker.pipeline.namedtexts import name_of
from worker.pipeline.outlets import tail
from worker.pipeline.textsweep import TextSweep
from worker.pipeline.whereabouts import in_outlets
from worker.rejudging.replay import replay, whole_by_book
from worker.store.connections import Store
from worker.store.keys import FIELD
from worker.store.outletspecs import OUTLETS

from .helpers import claim, event

_BESIDE = 1_300
"""Bytes that a clean result has beside its claim, at most."""


@pytest.fixture
def consumer(consumers: Callable[..., InboxConsumer]) -> InboxConsumer:
    return consumers()


def put(store: Store, *numbers: int) -> None:
    for number in numbers:
        store.redis.xadd(store.keys.inbox, {FIELD: event(number)})


def raw(store: Store, outlet: str = "billing") -> list[dict[str, Any]]:
    """As a reader in another language has them."""
    return [orjson.loads(fields[b"event"]) for _, fields in store.redis.xrange(store.keys.outlet(outlet))]


def report_of(number: int, book: Book) -> dict[str, Any]:
    """What the rules say of the claim."""
    found: dict[str, Any] = orjson.loads(orjson.dumps(check(read_claim(claim(number)), book, history=NOTHING_BILLED)))
    return found


def by_hand(store: Store, report: dict[str, Any]) -> dict[str, Any]:
    """The report, read as the AsyncAPI document says."""

    def told(said: Any) -> Any:
        return orjson.loads(store.redis.hget(store.keys.texts, said)) if isinstance(said, str) else said

    return {**report, "editions": told(report["editions"]), "gaps": [told(gap) for gap in report["gaps"]]}


def test_a_clean_result_is_short_and_every_reader_has_it_whole(store: Store, consumer: InboxConsumer) -> None:
    put(store, 1, 2, 3)
    consumer.run()
    short = raw(store)
    book = consumer.partitions[0].context.book
    wanted = [report_of(number, book) for number in (1, 2, 3)]
    assert wanted[0]["editions"]
    assert wanted[0]["gaps"]
    beside = [len(orjson.dumps(one)) - len(orjson.dumps(one["data"]["claim"])) for one in short]
    assert max(beside) <= _BESIDE
    for one in short:
        assert isinstance(one["data"]["report"]["editions"], str)
        assert all(isinstance(gap, str) for gap in one["data"]["report"]["gaps"])
    assert [by_hand(store, one["data"]["report"]) for one in short] == wanted
    read = [entry.data["report"] for entry in tail(store.redis, store.keys, "billing")]
    assert [orjson.dumps(one) for one in read] == [orjson.dumps(one) for one in wanted]
    assert [one.entry.data["report"] for one in in_outlets(store, claim(2)["claim_id"])] == [wanted[1]]
    taken = consume("billing", follow=False, settings=store.settings)
    assert [one.data["report"] for one in taken] == wanted


def test_a_text_is_written_once_and_its_name_is_its_digest(store: Store, consumer: InboxConsumer) -> None:
    put(store, 1)
    consumer.run()
    before = store.redis.hgetall(store.keys.texts)
    assert before
    assert all(name_of(text) == name.decode() for name, text in before.items())
    put(store, 2, 3)
    consumer.run()
    assert store.redis.hgetall(store.keys.texts) == before
    store.redis.delete(store.keys.texts)  # and is there again with the next that names it
    put(store, 4)
    consumer.run()
    assert store.redis.hgetall(store.keys.texts) == before


def test_under_layout_1_a_result_is_whole_until_the_store_is_migrated(
    store: Store, consumers: Callable[..., InboxConsumer]
) -> None:
    store.redis.hset(store.keys.meta, "partitions", "1")
    store.redis.hdel(store.keys.meta, "layout")
    consumer = consumers()
    put(store, 1, 2)
    consumer.run()
    assert [by_hand(store, one["data"]["report"]) for one in raw(store)] == [
        one["data"]["report"] for one in raw(store)
    ]
    assert not store.redis.exists(store.keys.texts)
    migrate(store.redis)
    put(store, 3)
    consumer.run()
    assert isinstance(raw(store)[-1]["data"]["report"]["editions"], str)
    editions = [entry.data["report"]["editions"] for entry in tail(store.redis, store.keys, "billing")]
    assert len(editions) == 3
    assert editions[0] == editions[2]


def test_years_later_the_archived_book_tells_what_a_kept_result_names(store: Store, consumer: InboxConsumer) -> None:
    put(store, 1)
    consumer.run()
    (kept,), (entry,) = raw(store), tail(store.redis, store.keys, "billing")
    store.redis.flushall()
    book = archive.find(store.settings.books_path, kept["data"]["report"]["book"]["digest"])
    assert whole_by_book(kept, book) == entry.event
    assert replay(kept["data"]["report"], read_claim(kept["data"]["claim"]), book, None).identical
    wrong = orjson.loads(orjson.dumps(kept))
    wrong["data"]["report"]["gaps"][0] = "0" * 24
    with pytest.raises(TextsMissing, match="000000"):
        whole_by_book(wrong, book)
    (difference,) = replay(wrong["data"]["report"], read_claim(kept["data"]["claim"]), book, None).differences
    assert difference.path == "gaps"


@pytest.mark.parametrize("text", [None, b'{"sentence":"other"}'], ids=["gone", "changed"])
def test_a_text_that_is_gone_or_changed_is_said_and_the_entry_stays(
    store: Store, consumer: InboxConsumer, text: bytes | None
) -> None:
    put(store, 1)
    consumer.run()
    (one,) = raw(store)
    strange = name_of(b"a text of another store")
    one["data"]["report"]["gaps"] = [strange]
    store.redis.xadd(store.keys.outlet("billing"), {FIELD: orjson.dumps({**one, "id": "other"})})
    if text:
        store.redis.hset(store.keys.texts, strange, text)
    with pytest.raises(TextsMissing, match=f"other gives a text by the name {strange}"):
        list(tail(store.redis, store.keys, "billing"))
    with pytest.raises(TextsMissing):
        list(consume("billing", follow=False, settings=store.settings))
    assert store.redis.xpending(store.keys.outlet("billing"), "billing")["pending"] == 1


def of_lines(number: int) -> dict[str, Any]:
    """A claim of which no rule judges the second line, whose number is the sender's."""
    line = claim(number)["lines"][0]
    return claim(number, lines=[line, {**line, "number": 1000 + number, "procedure": "85025", "modifiers": []}])


def test_texts_of_false_claims_end_with_their_results_and_what_an_unread_result_names_stays(
    store: Store, consumer: InboxConsumer
) -> None:
    sweep = TextSweep(most=4_000)
    for number in range(60):
        store.redis.xadd(store.keys.inbox, {FIELD: event(number, data=of_lines(number))})
    consumer.run()
    before = store.redis.hgetall(store.keys.texts)
    assert len(before) > 60
    assert sweep.sweep(store.redis, store.keys) == 0  # every text is named by a result
    for outlet in OUTLETS:
        entries = store.redis.xrange(store.keys.outlet(outlet))
        store.redis.xdel(store.keys.outlet(outlet), *[entry for entry, _ in entries[:-1]] or ["0-1"])
    deleted = TextSweep(most=4_000).sweep(store.redis, store.keys)
    after = store.redis.hgetall(store.keys.texts)
    assert deleted > 50
    assert len(after) == len(before) - deleted
    assert after.items() <= before.items()
    left = [entry.data["report"] for outlet in OUTLETS for entry in tail(store.redis, store.keys, outlet)]
    assert left
    assert all(isinstance(gap, dict) for report in left for gap in report["gaps"])


def test_what_is_committed_while_the_outlets_are_looked_through_keeps_its_texts(
    store: Store, consumer: InboxConsumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, 1, 2)
    consumer.run()
    before = store.redis.hgetall(store.keys.texts)
    for outlet in OUTLETS:
        store.redis.delete(store.keys.outlet(outlet))
    script = textsweep.named

    def meanwhile(name: str) -> str:
        put(store, 3)
        consumer.run()
        return script(name)

    monkeypatch.setattr(textsweep, "named", meanwhile)
    assert TextSweep(most=0).sweep(store.redis, store.keys) == 0
    assert store.redis.hgetall(store.keys.texts) == before
    assert [entry.data["report"]["claim_id"] for entry in tail(store.redis, store.keys, "billing")] == ["PCN-00003"]


def test_texts_that_honest_books_come_to_are_left_alone(store: Store, consumer: InboxConsumer) -> None:
    put(store, 1)
    consumer.run()
    store.redis.delete(store.keys.outlet("billing"))
    before = store.redis.hgetall(store.keys.texts)
    assert TextSweep().sweep(store.redis, store.keys) == 0
    assert store.redis.hgetall(store.keys.texts) == before
