"""Settings: refused at start with a sentence that names the variable."""

from __future__ import annotations

from pathlib import Path

import pytest
from redis.backoff import NoBackoff
from redis.retry import Retry

from worker.config.settings import load_settings
from worker.errors import SettingsInvalid
from worker.store import connections, reachability

pytestmark = pytest.mark.usefixtures("unset")


def test_the_state_folder_follows_xdg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    settings = load_settings()
    assert settings.state_dir == tmp_path / "claim-scrubber"
    assert settings.secret_path == settings.state_dir / "secret"
    assert settings.embedded


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("SCRUB_BATCH", "many", "SCRUB_BATCH: expected a whole number"),
        ("SCRUB_BATCH", "1.5", "SCRUB_BATCH: expected a whole number"),
        ("SCRUB_BATCH", "0", "SCRUB_BATCH: expected at least 1"),
        ("SCRUB_MODE", "look", "SCRUB_MODE: expected observe or enforce, each alone or as payer:observe"),
        ("SCRUB_MODE", "observe:", "SCRUB_MODE: expected observe or enforce"),
        ("SCRUB_MODE", "observe:medicare:uhc", "SCRUB_MODE: expected observe or enforce"),
        ("SCRUB_MODE", "observe,enforce", "SCRUB_MODE: says twice what holds for all payers"),
        ("SCRUB_MODE", "uhc:observe,enforce:uhc", "SCRUB_MODE: says twice what holds for uhc"),
        ("SCRUB_GAPS", "hold", "SCRUB_GAPS: expected billing, unchecked or rework"),
        ("SCRUB_GAPS", "billing,MOD004:rework", "SCRUB_GAPS: expected billing, unchecked or rework"),
        ("SCRUB_BATCH", "5001", "SCRUB_BATCH: expected at most 5000"),
        ("SCRUB_TEND", "0", "SCRUB_TEND: expected more than 0"),
        ("SCRUB_TEND", "nan", "SCRUB_TEND: expected"),
        ("SCRUB_AUDIT_FSYNC", "perhaps", "SCRUB_AUDIT_FSYNC: expected true or false"),
        ("SCRUB_REDIS_URL", "redis://[::1", "expected a URL that starts with redis://"),
        ("SCRUB_REDIS_URL", "redis://h:port/0", "expected a URL that starts with redis://"),
        ("SCRUB_MEMORY_CEILING", "95", "SCRUB_MEMORY_CEILING: expected at most SCRUB_WORKER_CEILING"),
        ("SCRUB_REDIS_URL", "http://x", "expected a URL that starts with redis://"),
        ("SCRUB_PARTITIONS", "0", "at least 1"),
        ("SCRUB_DRAIN_BUDGET", "25", "expected less than SCRUB_SOFT_TIME_LIMIT"),
        ("SCRUB_RECLAIM", "10", "expected less than SCRUB_RECLAIM"),
        ("SCRUB_VISIBILITY_TIMEOUT", "10", "expected more than SCRUB_HARD_TIME_LIMIT"),
        ("SCRUB_REDIS_ULR", "redis://x", "did you mean SCRUB_REDIS_URL?"),
        ("scrub_redis_url", "redis://x", "did you mean SCRUB_REDIS_URL?"),
        ("SCRUB_LOG_LEVEL", "loud", "SCRUB_LOG_LEVEL: expected one of 'debug', 'info', 'warning' or 'error'"),
    ],
)
def test_a_wrong_value_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str, sentence: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsInvalid) as caught:
        load_settings()
    assert sentence in str(caught.value)
    for word in ("pydantic", "Value error", "Input should", "input should"):
        assert word not in str(caught.value)


def test_every_problem_is_reported_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SCRUB_BATCH", "SCRUB_TEND", "SCRUB_GATEE"):
        monkeypatch.setenv(name, "x")
    with pytest.raises(SettingsInvalid) as caught:
        load_settings()
    assert len(caught.value.problems) == 3


def test_a_variable_of_somebody_else_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("SCRUB_XYZZY_PLUGH", "1")
    load_settings()
    assert "SCRUB_XYZZY_PLUGH" in caplog.text


@pytest.mark.parametrize(
    ("redis", "broker"),
    [
        ("redis://u:p@h:1/2", "redis://u:p@h:1/2"),
        ("unix:///run/r.sock?db=3", "redis+socket:///run/r.sock?virtual_host=3"),
        (None, "redis+socket:///state/redis/s.sock"),
    ],
)
def test_the_broker_is_the_redis_of_the_claims(redis: str | None, broker: str) -> None:
    assert connections.broker_url(load_settings(redis_url=redis, state_dir=Path("/state"))) == broker


def test_a_broker_of_its_own_is_used_and_not_sent_the_password_of_the_claims(tmp_path: Path) -> None:
    settings = load_settings(broker_url="amqp://h", redis_url="redis://w@h", redis_password_file=tmp_path / "password")
    assert connections.broker_url(settings) == "amqp://h"
    assert connections.broker_options(settings) == {"credential_provider": None}


@pytest.mark.parametrize(
    ("url", "broker"),
    [
        ("rediss://h:1", "rediss://h:1/0?ssl_cert_reqs=required"),
        ("redis://h:1?password=p%40&username=u", "redis://u:p%40@h:1/0"),
        ("redis://h:1?db=3&socket_timeout=9", "redis://h:1/3"),
        ("unix:///r.sock?password=p&socket_timeout=9", "redis+socket://:p@/r.sock"),
    ],
)
def test_the_notifications_go_to_the_same_server_database_and_user_and_their_certificate_is_checked(
    url: str, broker: str
) -> None:
    assert connections.broker_url(load_settings(redis_url=url)) == broker
    assert connections.broker_url(load_settings(broker_url=url)) == broker


@pytest.mark.parametrize(
    ("redis", "broker"),
    [
        ("redis://worker@h:1/2", "redis://worker@h:1/2"),
        ("redis://h:1?username=worker&db=2", "redis://worker@h:1/2"),
        ("rediss://h/2?ssl_ca_certs=/ca.pem", "rediss://h/2?ssl_ca_certs=/ca.pem&ssl_cert_reqs=required"),
        ("redis://worker@[::1]:1/2", "redis://worker@[::1]:1/2"),
        ("unix://worker@/run/r.sock?db=3", "redis+socket:///run/r.sock?virtual_host=3"),
        ("redis+sentinel://worker@a:1,b:2/claims/2", "sentinel://a:1/2;sentinel://b:2/2"),
    ],
)
def test_the_password_is_read_from_its_file_at_each_connection_and_stands_nowhere_else(
    tmp_path: Path, redis: str, broker: str
) -> None:
    (tmp_path / "password").write_text("p@/ss\n")
    settings = load_settings(redis_url=redis, redis_password_file=tmp_path / "password")
    options = connections.broker_options(settings)
    claims = connections.connect(settings, Retry(NoBackoff(), 0)).get_connection_kwargs()
    assert connections.broker_url(settings) == broker
    assert "p@/ss" not in repr((settings, options, claims))
    for secret in ("p@/ss", "another"):
        (tmp_path / "password").write_text(secret)
        expected = ("worker", secret) if "worker" in redis else (secret,)
        for provider in (options["credential_provider"], claims["credential_provider"]):
            assert provider.get_credentials() == expected


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        (None, "expected SCRUB_REDIS_URL as well"),
        ("redis://u:p@h", "has a password already"),
        ("unix:///r.sock?password=p", "has a password already"),
    ],
)
def test_a_password_file_that_makes_no_sense_is_refused(tmp_path: Path, url: str | None, sentence: str) -> None:
    with pytest.raises(SettingsInvalid, match=sentence):
        load_settings(redis_url=url, redis_password_file=tmp_path / "password")


def test_no_password_is_in_the_address_that_messages_show() -> None:
    assert reachability.where(load_settings(redis_url="rediss://u:secret@h:1/2")) == "h:1"
