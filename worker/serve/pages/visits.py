"""Who is signed in, in which browser: kept in the process alone, so that a restart signs everybody out.

A cookie is the random name of a visit, of which the hash alone is kept. A visit ends half an hour after its last page,
and after twelve hours in any case. It also holds what a person has open: orders of lists, what was done, results. Who
has not signed in has no visit, so that strangers who come a thousand times push out nobody.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from worker.serve.identity import Caller
from worker.serve.pages.bulk import Result
from worker.serve.pages.frame import Said
from worker.serve.pages.worklist import Order

T = TypeVar("T")
IDLE = 30 * 60.0
"""Seconds without a page after which a visit ends."""
LONGEST = 12 * 3_600.0
MOST = 2_000
"""Visits at once; who came first goes first."""
_MOST_LISTS, _MOST_SAID, _MOST_RESULTS, _MOST_KEPT, _MOST_TEXTS = 8, 32, 8, 200, 8
COOKIE = "desk"
SECURE_COOKIE = "__Host-desk"
"""Where it came over https: a browser then takes it from nowhere else, and for no other path."""


@dataclass(slots=True)
class Visit:
    """One browser of somebody who is signed in."""

    caller: Caller
    begun: float
    seen: float
    keys: bool = True
    """Whether single letters act."""
    lists: dict[str, Order] = field(default_factory=dict)
    said: dict[str, Said] = field(default_factory=dict)
    results: dict[str, tuple[Result, ...]] = field(default_factory=dict)
    kept: dict[str, str] = field(default_factory=dict)
    """Texts that were written when a session had ended, by the path that they were for."""

    def keep_list(self, order: Order) -> str:
        """Answers the token by which it is found again."""
        return _kept(self.lists, order, _MOST_LISTS)

    def keep_said(self, said: Said) -> str:
        return _kept(self.said, said, _MOST_SAID)

    def keep_results(self, results: tuple[Result, ...]) -> str:
        return _kept(self.results, results, _MOST_RESULTS)


def _kept(where: dict[str, T], what: T, most: int) -> str:
    token = secrets.token_urlsafe(6)
    where[token] = what
    while len(where) > most:
        where.pop(next(iter(where)), None)
    return token


class Visits:
    """All of them. Safe to use from several threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._secret = secrets.token_bytes(32)
        self._found: dict[str, Visit] = {}
        self._kept: dict[str, dict[str, str]] = {}
        self._lock = threading.Lock()

    def begin(self, caller: Caller, before: str = "") -> tuple[str, Visit]:
        """A new one, under a name of its own; answers its cookie. `before`: the cookie until then, with whose texts
        it goes on."""
        name, now = new_name(), self._clock()
        with self._lock:
            kept = self._kept.pop(_hash(before), {})
            visit = self._found[_hash(name)] = Visit(caller, now, now, kept=kept)
            while len(self._found) > MOST:
                self._found.pop(next(iter(self._found)))
        return name, visit

    def find(self, name: str) -> Visit | None:
        """The visit of a cookie; None: there is none, or it has ended."""
        now = self._clock()
        with self._lock:
            found = self._found.get(_hash(name))
            if found and (now - found.seen > IDLE or now - found.begun > LONGEST):
                self._found.pop(_hash(name), None)
                return None
            if found:
                found.seen = now
        return found

    def end(self, name: str) -> None:
        with self._lock:
            self._found.pop(_hash(name), None)

    def keep_text(self, name: str, path: str, text: str) -> None:
        """Keeps what somebody wrote whose session has ended, until he signs in with this cookie."""
        with self._lock:
            mine = self._kept.setdefault(_hash(name), {})
            mine[path] = text
            while len(mine) > _MOST_TEXTS:
                mine.pop(next(iter(mine)))
            while len(self._kept) > _MOST_KEPT:
                self._kept.pop(next(iter(self._kept)))

    def token(self, name: str) -> str:
        """What each form for the browser of this cookie holds: nobody else's page can know it."""
        return hmac.new(self._secret, name.encode("utf-8", "replace"), hashlib.sha256).hexdigest()

    def forged(self, name: str, token: str) -> bool:
        """Whether a form was not given to the browser of this cookie."""
        return not name or not hmac.compare_digest(self.token(name).encode(), token.encode("utf-8", "replace"))


def new_name() -> str:
    """For a cookie: 256 random bits."""
    return secrets.token_urlsafe(32)


def _hash(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()
