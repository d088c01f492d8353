"""A command whose answer is read later: whatever becomes of it, the next command gets its own answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from worker.store.connections import Store
from worker.store.pipelined import PipelinedCommand


def test_the_answer_is_there_when_it_is_asked_for(store: Store) -> None:
    sent = PipelinedCommand(store.redis, "ECHO", "later")
    assert store.redis.ping()
    assert sent.answer() == b"later"


def test_who_drops_an_answer_leaves_none_to_the_next_command(store: Store) -> None:
    for _ in range(20):
        PipelinedCommand(store.redis, "ECHO", "dropped").drop()
        assert store.redis.echo("mine") == b"mine"


def test_a_refusal_is_an_answer_and_the_connection_goes_on(store: Store) -> None:
    store.redis.set("text", "a")
    before = store.redis.client_id()
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        PipelinedCommand(store.redis, "LLEN", "text").answer()
    assert store.redis.client_id() == before


@pytest.mark.parametrize("error", [TimeoutError, KeyboardInterrupt])
def test_one_that_is_interrupted_while_it_waits_leaves_no_answer_behind(
    store: Store, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    def interrupted(*_: Any, **__: Any) -> Any:
        raise error

    sent = PipelinedCommand(store.redis, "ECHO", "late")
    with monkeypatch.context() as patch:
        patch.setattr(store.redis, "parse_response", interrupted)
        with pytest.raises(error):
            sent.answer()
    assert store.redis.echo("mine") == b"mine"


def test_a_connection_that_is_cut_is_reported_and_not_used_again(store: Store) -> None:
    sent = PipelinedCommand(store.once, "BLPOP", "nothing", 0)
    kill: Callable[..., Any] = store.redis.client_kill_filter
    assert kill(_type="normal", skipme=True) >= 1
    with pytest.raises(RedisConnectionError):
        sent.answer()
    assert store.once.echo("mine") == b"mine"
