"""What may be in the URL of a Redis: refused when the settings are read, without a part of a password.

celery#7864, celery#3132, redis-py#1171 (`#`, `/`, `?`, `@` in a password), redis-py#728 (a database that is no number),
redis-py#545 (an option of another type), weave#6907 (an option that is none: TypeError at the first command).
"""

from __future__ import annotations

import pytest
from redis.backoff import NoBackoff
from redis.retry import Retry

from worker.config.settings import load_settings
from worker.errors import SettingsInvalid
from worker.store import connections

CANARY = "ZQcanaryXW"


def refused(name: str, url: str) -> str:
    with pytest.raises(SettingsInvalid) as caught:
        load_settings(**{name: url})
    assert len(caught.value.problems) == 1
    sentence = caught.value.problems[0]
    assert sentence.startswith(f"SCRUB_{name.upper()}: ")
    assert CANARY not in sentence
    return sentence


@pytest.mark.parametrize("name", ["redis_url", "broker_url"])
@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("redis://h?socket_timeout=abc", "option socket_timeout of the query: expected seconds, from more than 0 to 3600"),
        ("redis://h?socket_timeout=-1", "option socket_timeout of the query: expected seconds"),
        ("redis://h?socket_timeout=nan", "option socket_timeout of the query: expected seconds"),
        ("redis://h?max_connections=0", "option max_connections of the query: expected a whole number of at least 1"),
        ("redis://h?health_check_interval=x", "option health_check_interval of the query: expected a whole number"),
        ("redis://h?db=abc", "option db of the query: expected a whole number"),
        ("redis://h?db=-1", "option db of the query: expected a whole number"),
        ("redis://h?db=", "option db of the query: expected a whole number"),
        ("redis://h?db=1&db=2", "option db of the query stands there twice"),
        ("redis://h?nonsense=1", "option nonsense of the query is not known; expected none but db, username"),
        ("redis://h?socket_timout=1", "option socket_timout of the query is not known; did you mean socket_timeout?"),
        ("rediss://h?ssl_ca_cert=/ca", "option ssl_ca_cert of the query is not known; did you mean ssl_ca_certs?"),
        ("rediss://h?ssl_cert_reqs=CERT_NONE", "option ssl_cert_reqs of the query: expected required or optional or none"),
        ("rediss://h?ssl_check_hostname=maybe", "option ssl_check_hostname of the query: expected true or false"),
        ("redis://h?ssl_ca_certs=/ca", "option ssl_ca_certs of the query is for TLS; expected rediss://"),
        ("redis://h/abc", "expected the number of a database after the host"),
        ("redis://h/1/2", "expected the number of a database after the host"),
        ("redis://h/-1", "expected the number of a database after the host"),
        ("redis://h:0", "expected a URL"),
        ("redis://h:65536", "with a port from 1 to 65535"),
        ("redis://h:port", "with a port from 1 to 65535"),
        ("redis://a..b", "expected the name of a host"),
        ("redis://" + "a" * 64 + ".example", "expected the name of a host"),
        ("rediss://h?ssl_keyfile=/k.pem", "option ssl_keyfile of the query: expected ssl_certfile beside it"),
        ("redis://h?client_name=a%20b", "option client_name of the query: expected one word"),
        ("unix://run/r.sock", "expected the path of a socket, of at most"),
        ("unix://", "expected the path of a socket"),
        ("unix:///" + "x" * 200, "expected the path of a socket, of at most"),
        ("unix:///r.sock?ssl_ca_certs=/ca", "is for TLS"),
        ("redis+sentinel://a:1/claims?x=1", "redis+sentinel://host:26379,host:26379/name"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_reported_with_what_was_expected(name: str, url: str, sentence: str) -> None:
    assert sentence in refused(name, url)


@pytest.mark.parametrize(
    "url", ["REDIS://h", " redis://h", "redis:h", "redis:/h", "unix:/r.sock", "redis+sentinel://a..b/claims"]
)
def test_a_url_that_only_looks_like_one_is_reported(url: str) -> None:
    assert "expected a URL that starts with redis://" in refused("redis_url", url)


@pytest.mark.parametrize("sign", ["/", "?", "#", "?db=", "#@", "/@", "?@", "%/", ":/", "?a=1&"])
@pytest.mark.parametrize("scheme", ["redis", "rediss", "unix"])
def test_of_a_password_that_breaks_the_url_is_said_how_to_write_it_and_it_is_not_shown(scheme: str, sign: str) -> None:
    host = "/r.sock" if scheme == "unix" else "h:6379/0"
    sentence = refused("redis_url", f"{scheme}://worker:{CANARY}{sign}{CANARY}@{host}")
    assert "%2F" in sentence or "expected the path of a socket" in sentence


def test_a_password_is_read_where_it_is_written_as_advised() -> None:
    settings = load_settings(redis_url="redis://u:a%2Fb%3Fc%23d%40e%3Af@h:1/2")
    assert connections.connect(settings, Retry(NoBackoff(), 0)).get_connection_kwargs()["password"] == "a/b?c#d@e:f"
    assert connections.broker_url(settings) == settings.redis_url


@pytest.mark.parametrize(
    "url",
    [
        "redis://h", "redis://h/", "redis://h/0/", "redis://h:1/0", "redis://[::1]:1/15", "redis://u:p@h", "redis://:p@h", "redis://u@h",
        "rediss://h?ssl_ca_certs=/ca.pem&ssl_certfile=/c.pem&ssl_keyfile=/k.pem&ssl_cert_reqs=required",
        "rediss://h?ssl_check_hostname=false&ssl_ciphers=HIGH", "unix:///r.sock", "unix://u@/r.sock?db=3",
        "redis://h?db=1&client_name=me&socket_timeout=2.5&socket_keepalive=yes&health_check_interval=0&protocol=2",
    ],
)  # fmt: skip
def test_what_a_url_may_hold_is_taken_by_the_client(url: str) -> None:
    client = connections.connect(load_settings(redis_url=url), Retry(NoBackoff(), 0))
    client.connection_pool.make_connection()  # takes every option, and connects to nothing
    assert load_settings(broker_url=url).broker_url == url


@pytest.mark.parametrize("ciphers", ["FOO", "high%00", "%0A", "%C3%A9"])
def test_ciphers_that_openssl_does_not_know_are_reported(ciphers: str) -> None:
    sentence = refused("redis_url", f"rediss://h?ssl_ciphers={ciphers}")
    assert "option ssl_ciphers of the query: expected ciphers that OpenSSL knows" in sentence


@pytest.mark.parametrize(
    "url", ["amqp://guest@h:5672//", "sqs://", "sentinel://a:1/0;sentinel://b:2/0", "redis+socket:///r"]
)
def test_brokers_of_other_kinds_are_kombus_to_read(url: str) -> None:
    assert connections.broker_url(load_settings(broker_url=url)) == url


@pytest.mark.parametrize("url", ["nothing", "://h", "amqp://a..b//", "amqp://h:port//", "amqp://h:0//"])
def test_a_broker_that_is_no_url_is_reported(url: str) -> None:
    assert "expected the URL of a broker, as redis://host:6379/0 or amqp://" in refused("broker_url", url)
