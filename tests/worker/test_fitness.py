"""Which servers are new enough, by what real ones answer to INFO."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from worker.errors import RedisTooOld
from worker.store.fitness import unfit
from worker.store.reachability import Address

ADDRESS = Address("Redis", "here", "SCRUB_REDIS_URL", None)
README = Path(__file__).parents[2] / "README.md"


def info(redis: str, valkey: str | None) -> dict[str, object]:
    """A Valkey also names the Redis that it is compatible with (valkey#232)."""
    named = {"valkey_version": valkey, "server_name": "valkey"} if valkey else {}
    return {"redis_version": redis, "redis_mode": "standalone", "aof_enabled": 1, **named}


@pytest.mark.parametrize(
    ("redis", "valkey"), [("7.0.0", None), ("7.0.15", None), ("8.6.3", None), ("10.0.0", None), ("7.2.4", "7.2.5"),
                          ("7.2.4", "9.1.2"), ("7.2.4", "10.0.0")],
)  # fmt: skip
def test_a_server_from_the_lowest_version_on_is_taken(redis: str, valkey: str | None) -> None:
    assert unfit(info(redis, valkey), ADDRESS) == []


@pytest.mark.parametrize(
    ("redis", "valkey", "named"), [("6.2.21", None, "Redis 6.2.21"), ("5.0.14", None, "Redis 5.0.14"),
                                   ("7.2.4", "7.1.9", "Valkey 7.1.9")],
)  # fmt: skip
def test_an_older_server_is_refused_with_what_it_is_and_what_was_expected(
    redis: str, valkey: str | None, named: str
) -> None:
    (found,) = unfit(info(redis, valkey), ADDRESS)
    assert isinstance(found, RedisTooOld)
    assert f"is {named}; expected Redis 7.0 or Valkey 7.2 or later" in str(found)


def test_the_readme_promises_the_versions_that_are_taken() -> None:
    assert re.search(r"`SCRUB_REDIS_URL`.*Redis 7\.0 or Valkey 7\.2 and later", README.read_text("utf-8"))
