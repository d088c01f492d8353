"""Certificates that end and passwords that have grown old, for the doctor."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from cryptography import x509

from worker.config.settings import Settings
from worker.doctor.diagnosis import Diagnosis

SOON = timedelta(days=30)
"""Before its end, a certificate is to be renewed: most authorities' programs do so then."""
OLD = timedelta(days=365)
"""A password in a file is changed at least once a year, or the first change is the one after a theft."""
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
_SECONDS = 3.0


def ages(settings: Settings, now: datetime) -> Iterator[Diagnosis]:
    """Of what is set here. Nothing where neither TLS nor a password file is in use."""
    url = settings.redis_url or ""
    for file in _files(url):
        with suppress(OSError):
            for found in _PEM.findall(file.read_bytes()):
                yield from _certificate(x509.load_pem_x509_certificate(found), str(file), now)
    if url.startswith("rediss://") and (served := _served(url)):
        yield from _certificate(x509.load_der_x509_certificate(served), "Redis' own", now)
    if settings.redis_password_file:
        yield from _password(settings.redis_password_file, now)


def _files(url: str) -> Iterator[Path]:
    options = parse_qs(urlsplit(url).query)
    for name in ("ssl_certfile", "ssl_ca_certs"):
        yield from map(Path, options.get(name, ()))


def _served(url: str) -> bytes | None:
    """The certificate that the server shows; whether it is trusted is the connection's to say."""
    parts = urlsplit(url)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with (
            socket.create_connection((parts.hostname or "localhost", parts.port or 6379), _SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=parts.hostname) as secured,
        ):
            return secured.getpeercert(binary_form=True)
    except (OSError, ValueError):
        return None


def _certificate(one: x509.Certificate, where: str, now: datetime) -> Iterator[Diagnosis]:
    left = one.not_valid_after_utc - now
    ends = f"The certificate {where} ends on {one.not_valid_after_utc:%Y-%m-%d}"
    if left < timedelta():
        yield Diagnosis("ill", "certificates", f"{ends}: it is over.", "Renew it; workers take it up as they connect.")
    elif left < SOON:
        yield Diagnosis("poor", "certificates", f"{ends}, in {left.days} days.", "Renew it before.")
    else:
        yield Diagnosis("well", "certificates", f"{ends}.")


def _password(file: Path, now: datetime) -> Iterator[Diagnosis]:
    try:
        age = now - datetime.fromtimestamp(file.stat().st_mtime, UTC)
    except OSError:
        return  # the connection says so
    sentence = f"That of Redis in {file} is {age.days} days old."
    if age > OLD:
        yield Diagnosis("poor", "passwords", sentence, "Change it: Rotating a password, in the runbook.")
    else:
        yield Diagnosis("well", "passwords", sentence)
