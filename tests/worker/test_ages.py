"""The doctor on what ends and what grows old: real certificates, in files and shown by a server; the age of a password."""

from __future__ import annotations

import os
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from worker.config.settings import Settings, load_settings
from worker.doctor.ages import ages

pytestmark = pytest.mark.usefixtures("unset")
NOW = datetime.now(UTC)


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


def levels(settings: Settings, now: datetime = NOW) -> list[tuple[str, str]]:
    return [(one.level, one.about) for one in ages(settings, now)]


def issued(authority: trustme.CA, folder: Path, ends: datetime) -> Path:
    made = authority.issue_cert("127.0.0.1", not_before=NOW - timedelta(days=400), not_after=ends)
    file = folder / "client.pem"
    made.private_key_and_cert_chain_pem.write_to_path(str(file))
    return file


@pytest.mark.parametrize(("days", "level"), [(90, "well"), (29, "poor"), (-1, "ill")])
def test_a_certificate_in_a_file_is_told_of_before_it_ends(
    days: int, level: str, authority: trustme.CA, tmp_path: Path
) -> None:
    file = issued(authority, tmp_path, NOW + timedelta(days=days, hours=1))
    settings = load_settings(state_dir=tmp_path, redis_url=f"rediss://127.0.0.1:1/0?ssl_certfile={file}")
    assert levels(settings) == [(level, "certificates")]
    (found,) = ages(settings, NOW)
    assert str(file) in found.sentence
    assert f"{NOW + timedelta(days=days, hours=1):%Y-%m-%d}" in found.sentence


def test_a_file_that_is_no_certificate_or_not_there_is_the_connections_to_tell_of(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("none")
    for name in ("empty.pem", "missing.pem"):
        assert (
            levels(
                load_settings(state_dir=tmp_path, redis_url=f"rediss://127.0.0.1:1/0?ssl_ca_certs={tmp_path / name}")
            )
            == []
        )


@pytest.fixture
def served(authority: trustme.CA) -> Iterator[int]:
    """The port of a server with a certificate that ends in 20 days."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ends = NOW + timedelta(days=20)
    authority.issue_cert("127.0.0.1", not_before=NOW - timedelta(days=1), not_after=ends).configure_cert(context)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def once() -> None:
            taken, _ = listening.accept()
            with context.wrap_socket(taken, server_side=True) as secured:
                secured.recv(1)

        thread = threading.Thread(target=once, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        thread.join(5)


def test_the_certificate_that_the_server_shows_is_looked_at(served: int, tmp_path: Path) -> None:
    settings = load_settings(state_dir=tmp_path, redis_url=f"rediss://127.0.0.1:{served}/0")
    (found,) = ages(settings, NOW)
    assert (found.level, found.about) == ("poor", "certificates")
    assert "Redis' own" in found.sentence


@pytest.mark.parametrize(("days", "level"), [(10, "well"), (366, "poor")])
def test_a_password_is_told_of_once_it_is_a_year_old(days: int, level: str, tmp_path: Path) -> None:
    file = tmp_path / "redis-worker"
    file.write_text("secret\n")
    then = (NOW - timedelta(days=days)).timestamp()
    os.utime(file, (then, then))
    settings = load_settings(state_dir=tmp_path, redis_url="redis://worker@127.0.0.1:1/0", redis_password_file=file)
    assert levels(settings) == [(level, "passwords")]
    assert "secret" not in " ".join(one.sentence for one in ages(settings, NOW)).replace(str(file), "")


def test_where_neither_is_in_use_nothing_is_said(tmp_path: Path) -> None:
    assert levels(load_settings(state_dir=tmp_path)) == []
