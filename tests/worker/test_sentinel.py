"""The address of a Redis behind Sentinel."""

from __future__ import annotations

from pathlib import Path

import pytest

from worker.config.sentinel import Sentinels
from worker.config.settings import load_settings
from worker.errors import SettingsInvalid
from worker.store import connections, reachability


def test_an_address_names_sentinels_group_and_login() -> None:
    found = Sentinels.parse("redis+sentinel://app:p%40ss@a:1,b,[::1]:3/claims/2")
    assert found == Sentinels((("a", 1), ("b", 26379), ("::1", 3)), "claims", 2, "app", "p@ss")
    assert found.broker_url == ";".join(
        ("sentinel://app:p%40ss@a:1/2", "sentinel://app:p%40ss@b:26379/2", "sentinel://app:p%40ss@[::1]:3/2")
    )


@pytest.mark.parametrize("hosts", ["[::1]", "[::1],a", "a,[::1]:3", "a:1,[fe80::2]:3,[::1]", "[::1]:1,[::2]:2,[::3]:3"])
def test_addresses_of_ipv6_may_stand_anywhere_in_the_list(hosts: str, tmp_path: Path) -> None:
    """Newer Pythons' urlsplit refuses brackets behind another host (python/cpython#105704)."""
    url = f"redis+sentinel://app@{hosts}/claims"
    settings = load_settings(redis_url=url, redis_password_file=tmp_path / "password")
    found = Sentinels.parse(url)
    assert len(found.nodes) == hosts.count(",") + 1
    assert "::1" in {host for host, _ in found.nodes}
    assert reachability.where(settings) == str(found)
    assert connections.broker_url(settings).count("sentinel://[") == hosts.count("[")


def test_a_password_in_the_address_and_one_in_a_file_are_one_too_many(tmp_path: Path) -> None:
    for hosts in ("a:1,b:2", "a:1,[::1]:2"):
        with pytest.raises(SettingsInvalid, match="SCRUB_REDIS_URL has a password already"):
            load_settings(redis_url=f"redis+sentinel://:p@{hosts}/claims", redis_password_file=tmp_path / "password")


def test_the_password_is_in_no_message() -> None:
    settings = load_settings(redis_url="redis+sentinel://:secret@a:1,b:2/claims")
    assert reachability.where(settings) == "claims of a:1, b:2"


def test_the_broker_is_the_same_group() -> None:
    settings = load_settings(redis_url="redis+sentinel://a:1,b:2/claims")
    assert connections.broker_url(settings) == "sentinel://a:1/0;sentinel://b:2/0"
    assert connections.broker_options(settings)["master_name"] == "claims"
    assert "master_name" not in connections.broker_options(load_settings(redis_url="redis://a"))


@pytest.mark.parametrize(
    "url",
    ["redis+sentinel://a:1", "redis+sentinel://a:1/", "redis+sentinel:///claims", "redis+sentinel://a:x/claims",
     "redis+sentinel://a:1,,b/claims", "redis+sentinel://a:1/claims/x", "redis+sentinel://a:0/claims"],
)  # fmt: skip
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(SettingsInvalid, match=r"redis\+sentinel://host:26379,host:26379/name"):
        load_settings(redis_url=url)
