"""Whether a server that was spoken to in plain speaks TLS."""

from __future__ import annotations

import socket
import ssl
from urllib.parse import urlsplit


def speaks_tls(url: str, seconds: float) -> bool:
    """Whether what listens there begins a TLS handshake; nothing but that is sent."""
    parts = urlsplit(url)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with socket.create_connection((parts.hostname or "localhost", parts.port or 6379), seconds) as plain:
            context.wrap_socket(plain).close()
    except ssl.SSLError as error:
        # An alert: it speaks TLS, and wants a certificate or another version.
        return "ALERT" in (getattr(error, "reason", None) or "")
    except OSError:
        return False
    return True
