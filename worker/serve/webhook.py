"""Tells one address of each decision: signed as Standard Webhooks has it, at least once, in the order of the decisions.

One at a time, so that what is said of a claim keeps its order. What is refused is sent again, later and later; after
`ATTEMPTS` it is put aside, with the number of the claim and why, and the next is sent. How far it is stands in a file,
written after each answer: who dies in between sends that one again, under the same id.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import http.client
import os
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from fcntl import LOCK_EX, LOCK_NB, flock
from heapq import merge
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
from redis import Redis

from worker.config.settings import Settings
from worker.errors import WebhookUnusable
from worker.logs.operational import log
from worker.pipeline.ledger import order
from worker.pipeline.outlets import OutletEntry, pages
from worker.store.keys import Keys
from worker.store.outletspecs import JUDGED
from worker.store.private import make_folder, open_private, write_private
from worker.store.secret import private_content

ATTEMPTS = 10
_FIRST, _LONGEST = 1.0, 300.0
"""Seconds before the second attempt, and at most before any."""
_TIMEOUT = 15
_PREFIX = "whsec_"
_LEAST, _MOST = 24, 64
"""Bytes of a secret, as Standard Webhooks asks."""


def load_key(file: Path | None) -> bytes:
    """The secret, as `whsec_` and base64.

    Raises:
        WebhookUnusable
    """
    if file is None:
        raise WebhookUnusable(reason="SCRUB_WEBHOOK_SECRET_FILE names no secret")
    content = private_content(file, lambda reason: WebhookUnusable(reason=f"{file}: {reason}"), 4_096).decode("latin-1")
    try:
        key = base64.b64decode(content.strip().removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not _LEAST <= len(key) <= _MOST:
        raise WebhookUnusable(reason=f"{file}: expected whsec_ and {_LEAST} to {_MOST} bytes in base64")
    return key


def signature(key: bytes, id: str, moment: int, body: bytes) -> str:
    """`v1,` and the HMAC-SHA-256 of id, time and body, as Standard Webhooks has it."""
    signed = hmac.new(key, f"{id}.{moment}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(signed).decode()}"


def told(entry: OutletEntry, *, whole: bool) -> bytes:
    """What is said of a decision; `whole`: with the claim and its report."""
    event, claim, report = entry.event, entry.data["claim"], entry.data["report"]
    data: dict[str, Any] = {
        "decision_id": entry.decision_id,
        "claim_id": claim["claim_id"],
        "event_id": event.get("eventid"),
        "event_source": event.get("eventsource"),
        "producer": event.get("producer"),
        "disposition": report["disposition"],
        "coverage": report["coverage"],
        "payer": report["payer"],
        "superseded": (report.get("reason") or "").startswith("superseded"),
        "findings": [
            {name: found[name] for name in ("code", "severity", "outcome", "line")}
            for finding in report["findings"]
            for found in (finding, *finding.get("because", ()))
        ],
        "book": report["book"],
    }
    more = {"claim": claim, "report": report} if whole else {}
    return orjson.dumps({"type": "claim.scrubbed.v1", "timestamp": event["time"], "data": data | more})


@dataclass(slots=True)
class Webhook:
    """Sends what was decided. `run` in a thread of its own."""

    settings: Settings
    redis: Redis
    keys: Keys
    key: bytes
    tls: ssl.SSLContext = field(default_factory=ssl.create_default_context)
    _places: dict[str, str] = field(default_factory=dict)
    """By stream, the entry that was told last."""

    @property
    def _state(self) -> Path:
        return self.settings.state_dir / "webhook" / "told"

    def run(self, ended: Callable[[float], bool]) -> None:
        """Until `ended`, which waits for so many seconds and says whether it is over; beside another that does, it
        waits for that to end.

        Raises:
            OSError, redis.exceptions.RedisError
        """
        make_folder(self._state.parent)
        lock = open_private(self._state.with_name("lock"), os.O_RDWR)
        try:
            while not _locked(lock):
                if ended(1):
                    return
            self._load()
            while not ended(1):
                for stream, entry in self._next():
                    if not self._deliver(entry, ended):
                        return
                    self._places[stream] = entry.bare
                    self._save()
        finally:
            os.close(lock)

    def _load(self) -> None:
        """Where it stood; at the first time, after what was decided before."""
        if self._state.exists():
            self._places = orjson.loads(self._state.read_bytes())
            return
        for part in self.keys.all:
            for outlet in JUDGED:
                last: Any = self.redis.xrevrange(part.outlet(outlet), count=1)
                self._places[part.outlet(outlet)] = last[0][0].decode() if last else "0-0"
        self._save()

    def _save(self) -> None:
        write_private(self._state, orjson.dumps(self._places))

    def _next(self) -> Iterator[tuple[str, OutletEntry]]:
        """What was decided and not told, up to this moment, in the order of the commits."""
        seconds, micros = self.redis.time()
        now = seconds * 1000 + micros // 1000
        every = (self._of(part, outlet, now) for part in self.keys.all for outlet in JUDGED)
        return merge(*every, key=lambda pair: order(pair[1].bare))

    def _of(self, part: Keys, outlet: str, now: int) -> Iterator[tuple[str, OutletEntry]]:
        stream = part.outlet(outlet)
        for entry in pages(self.redis, part, outlet, self._places.get(stream, "0-0")):
            if order(entry.bare)[0] >= now:
                return
            yield stream, entry

    def _deliver(self, entry: OutletEntry, ended: Callable[[float], bool]) -> bool:
        """Sends it until it is taken or put aside; False: it is over meanwhile."""
        body, wait, reason = told(entry, whole=self.settings.webhook_claims), _FIRST, ""
        for attempt in range(1, ATTEMPTS + 1):
            reason, asked = self._send(entry.decision_id, body)
            if not reason:
                return True
            log(__name__).warning("a decision was not taken", **{"error.message": reason, "attempt": attempt})
            if attempt < ATTEMPTS and ended(min(_LONGEST, max(wait, asked))):
                return False
            wait *= 2
        self._put_aside(entry, reason)
        return True

    def _send(self, id: str, body: bytes) -> tuple[str, float]:
        """Why it was not taken, empty: it was; and the seconds that the other side asks for."""
        moment = int(time.time())
        headers = {
            "Content-Type": "application/json", "User-Agent": "claim-scrubber", "webhook-id": id,
            "webhook-timestamp": str(moment), "webhook-signature": signature(self.key, id, moment, body),
        }  # fmt: skip
        parts = urlsplit(self.settings.webhook or "")
        line = http.client.HTTPSConnection(parts.hostname or "", parts.port, timeout=_TIMEOUT, context=self.tls)
        try:
            line.request("POST", (parts.path or "/") + (f"?{parts.query}" if parts.query else ""), body, headers)
            answer = line.getresponse()
        except (OSError, http.client.HTTPException, UnicodeError) as error:
            return f"it does not answer ({type(error).__name__})", 0
        finally:
            line.close()
        if 200 <= answer.status < 300:
            return "", 0
        asked = answer.headers.get("Retry-After", "")
        return f"it answers {answer.status}", float(asked) if asked.isascii() and asked.isdigit() else 0

    def _put_aside(self, entry: OutletEntry, reason: str) -> None:
        line = {"decision_id": entry.decision_id, "claim_id": entry.data["claim"]["claim_id"], "entry": entry.id,
                "moment": entry.event["time"], "reason": reason}  # fmt: skip
        with open(open_private(dead_letters(self.settings), os.O_WRONLY | os.O_APPEND), "ab") as out:
            out.write(orjson.dumps(line) + b"\n")
        log(__name__).error("a decision was put aside: `scrub webhook dead` lists it", **{"error.message": reason})


def dead_letters(settings: Settings) -> Path:
    """The file of what was put aside."""
    return settings.state_dir / "webhook" / "dead"


def read_dead(settings: Settings) -> list[Mapping[str, str]]:
    """What was put aside, the oldest first.

    Raises:
        OSError
    """
    with suppress(FileNotFoundError):
        return [orjson.loads(line) for line in dead_letters(settings).read_bytes().splitlines()]
    return []


def _locked(lock: int) -> bool:
    try:
        flock(lock, LOCK_EX | LOCK_NB)
    except BlockingIOError:
        return False
    return True
