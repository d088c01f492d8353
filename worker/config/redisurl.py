"""The URL of a Redis: what may be in it, looked at before anything is opened.

redis-py takes each option of the query as it comes and fails with a TypeError at the first command (weave#6907), passes
over a database that is no number and uses 0 (redis-py#728), and a password with `/` or `#` in it moves what follows to
another part of the URL (celery#7864, celery#3132). No sentence here shows a part of the URL but the name of an option,
and that only where it cannot be a piece of a password.
"""

from __future__ import annotations

import os
import re
import ssl
import sys
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

SCHEMES = ("redis", "rediss", "unix")
SHAPE = (
    "expected a URL that starts with redis://, rediss:// or unix://, as redis://host:6379/0, or"
    " redis+sentinel://host:26379,host:26379/name, or redis+cluster://host:6379,host:6379"
)
_SOCKET_LIMIT = 103 if sys.platform == "darwin" else 107
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


def _one_of(*words: str) -> tuple[Callable[[str], bool], str]:
    return (lambda text: text in words), "expected " + " or ".join(words)


def _seconds(text: str) -> bool:
    try:
        return 0 < float(text) <= 3_600
    except ValueError:
        return False


def _number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 10


def _ciphers(text: str) -> bool:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).set_ciphers(text)
    except (ssl.SSLError, ValueError):
        return False
    return True


_NUMBER = (_number, "expected a whole number")
_SECONDS = (_seconds, "expected seconds, from more than 0 to 3600")
_TEXT = (bool, "expected a text")
_BOOL = _one_of("true", "True", "false", "False", "yes", "no", "1", "0")
_OPTIONS: Mapping[str, tuple[Callable[[str], bool], str]] = {
    "db": _NUMBER,
    "username": _TEXT,
    "password": _TEXT,
    "client_name": (lambda text: text.isascii() and text.isprintable() and " " not in text, "expected one word"),
    "socket_timeout": _SECONDS,
    "socket_connect_timeout": _SECONDS,
    "socket_keepalive": _BOOL,
    "health_check_interval": _NUMBER,
    "protocol": _one_of("2", "3"),
    "max_connections": (lambda text: _number(text) and int(text) > 0, "expected a whole number of at least 1"),
}
_TLS_OPTIONS: Mapping[str, tuple[Callable[[str], bool], str]] = {
    "ssl_ca_certs": _TEXT,
    "ssl_ca_path": _TEXT,
    "ssl_certfile": _TEXT,
    "ssl_keyfile": _TEXT,
    "ssl_password": _TEXT,
    "ssl_ciphers": (_ciphers, "expected ciphers that OpenSSL knows, as HIGH or ECDHE+AESGCM"),
    "ssl_cert_reqs": _one_of("required", "optional", "none"),
    "ssl_check_hostname": _one_of("true", "false"),
}
_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")


def problem(url: str) -> str | None:
    """What is wrong with the URL of one Redis server, a sentence that shows no value of it; None: nothing."""
    try:
        parts = urlsplit(url)
        # redis-py looks at the very letters, urlsplit passes over case and white space.
        fit = url.startswith(tuple(f"{scheme}://" for scheme in SCHEMES)) and parts.port != 0
    except ValueError:  # brackets that do not close, a port that is no number
        return f"{SHAPE}, with a port from 1 to 65535{_encoding(url)}"
    if not fit:
        return SHAPE
    if parts.fragment or "#" in url:
        return f"expected nothing after a #{_encoding(url)}"
    if parts.scheme == "unix":
        length = len(os.fsencode(unquote(parts.path)))
        if parts.netloc.rpartition("@")[2] or length not in range(2, _SOCKET_LIMIT + 1):
            return f"expected the path of a socket, of at most {_SOCKET_LIMIT} bytes, as unix:///run/redis.sock?db=0"
    elif not parts.hostname and "@" in url:
        return f"expected a host after the @{_encoding(url)}"
    elif not named(parts.hostname):
        return "expected the name of a host or its number, of letters, digits, dots and hyphens"
    elif not _number(parts.path.strip("/") or "0"):
        return f"expected the number of a database after the host, as redis://host:6379/0{_encoding(url)}"
    return _wrong_option(url)


def named(host: str | None) -> bool:
    """Whether that can be looked up at all; Python raises a ValueError at what cannot."""
    try:
        (host or "").encode("idna")
    except UnicodeError:
        return False
    return True


def _wrong_option(url: str) -> str | None:
    parts = urlsplit(url)
    known = {**_OPTIONS, **(_TLS_OPTIONS if parts.scheme == "rediss" else {})}
    if "@" in parts.query and "@" not in parts.netloc:
        return f"expected options as name=value after the ?{_encoding(url)}"
    seen = set[str]()
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name in _TLS_OPTIONS and name not in known:
            return f"option {name} of the query is for TLS; expected rediss:// with it"
        if name not in known:
            near = get_close_matches(name, known, n=1, cutoff=0.6)
            shown = f"option {name}" if _NAME.fullmatch(name) else "an option"
            hint = f"did you mean {near[0]}?" if near else f"expected none but {', '.join(known)}"
            return f"{shown} of the query is not known; {hint}"
        if name in seen:
            return f"option {name} of the query stands there twice; leave one of them out"
        seen.add(name)
        fits, sentence = known[name]
        if not fits(value):
            return f"option {name} of the query: {sentence}"
    if "ssl_keyfile" in seen and "ssl_certfile" not in seen:
        return "option ssl_keyfile of the query: expected ssl_certfile beside it"
    return None


def _encoding(url: str) -> str:
    return "; in a password, write / ? # @ : as %2F %3F %23 %40 %3A" if "@" in url or ":" in url[8:] else ""


def username(url: str) -> str | None:
    """The user that it names."""
    parts = urlsplit(url)
    return unquote(parts.username or "") or _query(url).get("username")


def password(url: str) -> str | None:
    """The password in it."""
    parts = urlsplit(url)
    return unquote(parts.password or "") or _query(url).get("password")


def without_user(url: str) -> str:
    """The same, naming no user: for a client that gets its login separately."""
    parts = urlsplit(url)
    query = urlencode([pair for pair in parse_qsl(parts.query) if pair[0] != "username"], safe="/", quote_via=quote)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}" + (f"?{query}" if query else "")


def for_kombu(url: str, *, login: bool = True) -> str:
    """The same server in kombu's spelling, which knows the database, the login and the options of TLS in other places,
    and with no option of TLS checks no certificate. Without `login` the password is left out, and the user where kombu
    could not do with it alone.
    """
    parts, query = urlsplit(url), _query(url)
    user = quote(username(url) or "", safe="")
    secret = quote(password(url) or "", safe="") if login else ""
    db = query.get("db") or (parts.path.strip("/") if parts.scheme != "unix" else "") or "0"
    if parts.scheme == "unix":
        whole = f"{user}:{secret}@" if secret else ""
        return f"redis+socket://{whole}{parts.path}" + (f"?virtual_host={db}" if db != "0" else "")
    whole = f"{user}:{secret}@" if secret else f"{user}@" if user else ""
    tls = {name: value for name, value in query.items() if name in _TLS_OPTIONS}
    if parts.scheme == "rediss":
        tls.setdefault("ssl_cert_reqs", "required")
    address = f"{parts.scheme}://{whole}{parts.netloc.rpartition('@')[2]}/{db}"
    return address + (f"?{urlencode(tls, safe='/', quote_via=quote)}" if tls else "")


def tls_files(url: str) -> dict[str, str]:
    """The files that it names for TLS, by the names of their options."""
    return {name: value for name, value in _query(url).items() if name in _FILES}


def _query(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query))


def nodes(hosts: str, port: int) -> tuple[tuple[str, int], ...]:
    """Host and port of each of several, divided by commas; `port`: where none is given.

    Raises:
        ValueError: one is none. It shows no value.
    """
    found = []
    for host in hosts.split(","):
        parts = urlsplit(f"//{host}")
        if not parts.hostname or not named(parts.hostname) or parts.port == 0:
            raise ValueError(SHAPE)
        found.append((parts.hostname, parts.port or port))
    return tuple(found)


def bracketed(host: str) -> str:
    """As it stands before a port."""
    return f"[{host}]" if ":" in host else host
