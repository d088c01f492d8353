"""Lets programs in by their tokens, and has every refusal in the audit log.

Who fails often is refused without a line each: one line then says how many they were. A token that counts is let in
whatever else comes from its address, which may be that of a proxy before everybody.
"""

from __future__ import annotations

import threading
import time
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any, NoReturn, Protocol, cast

from fastapi import Request

from worker.config.settings import Settings
from worker.errors import NotSignedIn, TooManyFailures
from worker.serve.identity import Caller
from worker.serve.scopes import Scope
from worker.serve.tokens import Token, TokenFile

FAILURES = 10
"""That an address has in a window."""
WINDOW = 60.0
"""Seconds."""
_MOST_ADDRESSES = 10_000


class Refusals(Protocol):
    """Puts a refusal into the audit log."""

    def __call__(self, account: str, route: str, reason: str, address: str) -> None: ...


def route_of(scope: MutableMapping[str, Any]) -> str:
    """Method and route as the application names them: the path that was asked for may hold anything, and so may the
    method."""
    route = scope.get("route")
    path, methods = getattr(route, "path", None), getattr(route, "methods", None) or ()
    method = scope["method"] if scope["method"] in methods else "(other)"
    return f"{method} {path}" if path else "(none)"


def peer_of(request: Request) -> str:
    """The other end of the line; of an address of IPv4 that came over IPv6, the one of IPv4. Empty: it has none."""
    peer = request.client.host if request.client else ""
    try:
        found = ip_address(peer)
    except ValueError:
        return ""
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return str(mapped or found)


def address_of(request: Request, settings: Settings) -> str:
    """Who asks: the last address that a proxy of ours saw, else the one at the other end of the line. What stands
    before it, anybody may have written."""
    found = peer_of(request)
    # A proxy may add a line of its own, behind the one that the client wrote.
    for said in reversed(",".join(request.headers.getlist("x-forwarded-for")).split(",")):
        if not _is_proxy(found, settings):
            break
        try:
            found = str(ip_address(_bare(said)))
        except ValueError:
            break
    return found


def _bare(said: str) -> str:
    """An address without the port and brackets that some proxies put on it: 192.0.2.7:4711, [2001:db8::7]:4711."""
    found = said.strip().strip('"')
    if found.startswith("["):
        return found[1:].partition("]")[0]
    return found.partition(":")[0] if found.count(":") == 1 else found


def from_proxy(request: Request, settings: Settings) -> bool:
    """Whether the other end of the line is a proxy whose word counts (SCRUB_SERVE_PROXIES)."""
    return _is_proxy(peer_of(request), settings)


def _is_proxy(address: str, settings: Settings) -> bool:
    if not (address and settings.serve_proxies):
        return False
    named = filter(None, map(str.strip, settings.serve_proxies.split(",")))
    return any(ip_address(address) in ip_network(one) for one in named)


def network_of(address: str) -> str:
    """By what failures are counted: whoever has one address of IPv6 has all of its network."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    return str(ip_network((found, 64), strict=False)) if isinstance(found, IPv6Address) else address


@dataclass(slots=True)
class _Failures:
    since: float
    count: int = 0


@dataclass(slots=True)
class Limit:
    """Counts failures by address."""

    _found: dict[str, _Failures] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def failed(self, address: str) -> tuple[int, int]:
        """Counts one more; answers the seconds for which it is refused unheard, 0 where it is not, and how many were
        refused so in the window before."""
        now = time.monotonic()
        with self._lock:
            found, before = self._found.get(address), 0
            if found is None or now - found.since > WINDOW:
                before = max(0, found.count - FAILURES) if found else 0
                if len(self._found) >= _MOST_ADDRESSES:
                    self._found.clear()
                found = self._found[address] = _Failures(now)
            found.count += 1
            wait = int(found.since + WINDOW - now) + 1 if found.count > FAILURES else 0
            return wait, before


@dataclass(slots=True)
class Gate:
    """Who comes with which token."""

    settings: Settings
    tokens: TokenFile
    refused: Refusals
    limit: Limit = field(default_factory=Limit)

    def known(self, request: Request) -> Caller | None:
        """The program that asks, where its token counts. Quick, and writes nothing.

        Raises:
            TokensUnusable
        """
        token, state = self._shown(request)
        return _caller(token) if token and state == "valid" else None

    def turn_away(self, request: Request) -> NoReturn:
        """Refuses who is not known.

        Raises:
            NotSignedIn, TooManyFailures, TokensUnusable, AuditUnwritable
        """
        token, state = self._shown(request)
        given = request.headers.get("authorization", "").partition(" ")[2]
        reason = f"the token is {state}" if given else "there is no token"
        self.refuse(request, f"token:{token.name}" if token else "", reason)
        raise NotSignedIn(reason=reason[:1].upper() + reason[1:])

    def _shown(self, request: Request) -> tuple[Token | None, str]:
        kind, _, shown = request.headers.get("authorization", "").partition(" ")
        token = self.tokens.find(shown.strip()) if kind.lower() == "bearer" else None
        return token, token.state(datetime.now(UTC)) if token else "unknown"

    def refuse(self, request: Request, account: str, reason: str) -> None:
        """Puts a refusal into the audit log.

        Raises:
            TooManyFailures: they were too many, and are counted.
            AuditUnwritable, redis.exceptions.RedisError
        """
        address = address_of(request, self.settings)
        wait, before = self.limit.failed(network_of(address))
        if before:
            self.refused("", "(several)", f"{before} more were refused unheard", address)
        if wait:
            raise TooManyFailures(wait)
        self.refused(account, route_of(request.scope), reason, address)


def _caller(token: Token) -> Caller:
    return Caller(
        account=f"token:{token.name}",
        scopes=frozenset(cast(tuple[Scope, ...], token.scopes)),
        facilities=None if token.facilities is None else frozenset(token.facilities),
        producer=token.producer,
        source=token.source or f"urn:claim-scrubber:token:{token.name}",
    )
