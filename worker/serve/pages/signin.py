"""How a person signs in: by a code that `scrub serve` prints on this machine, or by the word of a proxy before it.

A code counts once, and for a browser of this machine alone; when it was used, the next one is printed. Five wrong ones
shut the door for a quarter of an hour. A proxy is believed where its address is one of SCRUB_SERVE_PROXIES: it names
the person in SCRUB_SERVE_PERSON_HEADER, and in SCRUB_SERVE_GROUPS_HEADER what he may: `scrub-read`, `scrub-work` and so
on, `scrub-facility-NAME` for each facility where he does not see all. Without such a group he may nothing, nor with
one that is nearly one of these: a facility that is misspelled would else be all of them.
"""

from __future__ import annotations

import hmac
import re
import secrets
import threading
import time
from collections.abc import Callable
from ipaddress import ip_address
from math import ceil
from typing import Literal, cast
from urllib.parse import urlsplit

from fastapi import Request

from worker.audit.lines import who
from worker.config.settings import Settings
from worker.serve.gate import from_proxy, peer_of
from worker.serve.identity import Caller
from worker.serve.scopes import SCOPES, Scope

_LETTERS = "23456789BCDFGHJKMNPQRSTVWXZ"
"""None that are taken for another."""
LENGTH = 12
WRONG = 5
"""Codes in a row, after which nobody is heard for a while."""
SHUT = 15 * 60.0
"""Seconds."""
_PEOPLE: tuple[Scope, ...] = ("read", "work", "waive", "admin")
_PREFIX, _FACILITY = "scrub-", "scrub-facility-"
_NEARLY = re.compile(r"scrub[-_.:]", re.IGNORECASE)
_NAME = re.compile(r"(?!token:|-$)[^\x00-\x20\x7f][^\x00-\x1f\x7f]{0,63}")
"""Of a person; acts of a token are under `token:NAME`, and `-` is nobody on a list."""
_OF_PROXIES = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip")


class Codes:
    """The code that counts now. Safe to use from several threads."""

    def __init__(self, tell: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        """`tell`: gets each code, grouped as people read it."""
        self._tell, self._clock = tell, clock
        self._lock = threading.Lock()
        self._wrong, self._until = 0, 0.0
        self._code = ""

    def begin(self) -> None:
        """Makes a new one, and tells it."""
        self._code = "".join(secrets.choice(_LETTERS) for _ in range(LENGTH))
        self._tell("-".join(self._code[at : at + 4] for at in range(0, LENGTH, 4)))

    def wait(self) -> int:
        """Minutes for which nobody is heard."""
        return max(0, ceil((self._until - self._clock()) / 60))

    def take(self, shown: str) -> bool:
        """Whether this is the code that counts; then it counts no more."""
        bare = re.sub(r"[\s-]", "", shown).upper().encode("utf-8", "replace")
        with self._lock:
            if self.wait():
                return False
            if self._code and hmac.compare_digest(bare, self._code.encode()):
                self._wrong = 0
                self.begin()
                return True
            self._wrong += 1
            if self._wrong >= WRONG:
                self._wrong, self._until = 0, self._clock() + SHUT
                self.begin()
            return False


Way = Literal["code", "proxy", "none"]


def way(request: Request, settings: Settings) -> Way:
    """How who asks may sign in; none: he is not on this machine, and no proxy of ours is before him."""
    if settings.serve_proxies:
        return "proxy" if from_proxy(request, settings) else "none"
    return "code" if _is_here(peer_of(request)) and _asks_here(request) and not _relayed(request) else "none"


def _is_here(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


def _asks_here(request: Request) -> bool:
    """Whether the browser has this machine in its address bar: a page of another site may let its own name lead here,
    and is of one origin with us then."""
    host = request.headers.get("host")
    if host is None:  # a browser always says it
        return True
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    return name == "localhost" or _is_here(name)


def _relayed(request: Request) -> bool:
    """Whether a proxy that nobody told us of is in between: everybody would be on this machine then."""
    return any(name in request.headers for name in _OF_PROXIES)


def _is_group(name: str) -> bool:
    if name.startswith(_FACILITY):
        return len(name) > len(_FACILITY)
    return name.startswith(_PREFIX) and name.removeprefix(_PREFIX) in SCOPES


def by_code() -> Caller:
    """Who runs the service may do all that people may."""
    return Caller(account=who(), scopes=frozenset(_PEOPLE), person=True)


def by_proxy(request: Request, settings: Settings) -> Caller | None:
    """Whom the proxy names; None: nobody, or one of both headers stands twice: the proxy passed on what the client
    wrote, and nobody can tell which is which."""
    names, said_groups = (
        request.headers.getlist(one) for one in (settings.serve_person_header, settings.serve_groups_header)
    )
    name = names[0].strip() if len(names) == 1 else ""
    if not _NAME.fullmatch(name) or len(said_groups) > 1:
        return None
    groups = re.split(r"[,\s]+", "".join(said_groups))
    said = [one.removeprefix(_PREFIX) for one in groups if one.startswith(_PREFIX)]
    facilities = {one.removeprefix(_FACILITY) for one in groups if one.startswith(_FACILITY)}
    scopes = frozenset(cast(Scope, one) for one in said if one in SCOPES and one in _PEOPLE)
    if any(_NEARLY.match(one) and not _is_group(one) for one in groups):
        scopes = frozenset()
    return Caller(account=name, scopes=scopes, facilities=frozenset(facilities) or None, person=True)
