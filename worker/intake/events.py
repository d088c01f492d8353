"""Decoding of claim events: CloudEvents 1.0 in structured mode, as JSON, and in binary mode, as fields.

Nothing here raises anything but `EventInvalid` for a bad input, and its sentences hold no value of the input.
Identity of an event: CloudEvents `source` and `id`; whether two deliveries are the same: the digest of `data`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from hashlib import sha256
from typing import Annotated, Any, Literal, NamedTuple

import jiter
import msgspec
import orjson
from pydantic import BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass
from pydantic_core import PydanticCustomError

from rules.claim import Claim, read_claim
from rules.errors import ClaimInvalid, Problem
from rules.problems import problems_of, schema_of
from worker.errors import EventInvalid, Reason
from worker.intake.plain import read_plain
from worker.store.keys import event_identity

TYPE = "claim.submitted.v1"
MOST_VALUES = 2**19
"""Values of one document. One of a megabyte, the default of SCRUB_MAX_EVENT_BYTES, cannot have more."""
_TEXT = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_NAME = re.compile(r"[a-z0-9_]{1,64}")
_TRACE = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
_WHERE = re.compile(r"at line (\d+) column (\d+)$")
_NOT_FINITE = re.compile(rb"NaN|Infinity")
_TWICE = re.compile(r'Detected duplicate key "(\w+)"')


def _moment(value: object) -> datetime:
    if isinstance(value, datetime):
        return value
    if isinstance(value, str) and 20 <= len(value) <= 40:
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            pass
        else:
            if moment.tzinfo:
                return moment
    raise PydanticCustomError("time", "expected a time with a zone as 2026-10-20T14:03:00Z")


def _json_type(value: object) -> object:
    if value is None:
        return value
    media = value.split(";")[0].strip().lower() if isinstance(value, str) else ""
    if media != "application/json" and not media.endswith("+json"):
        raise PydanticCustomError("media", "expected application/json")
    return value


def _trace(value: object) -> object:
    if value is None or (isinstance(value, str) and _TRACE.fullmatch(value)):
        return value
    raise PydanticCustomError("trace", "expected a W3C trace context as 00-<32 hex>-<16 hex>-<2 hex>")


Text = Annotated[str, Field(strict=True, min_length=1, max_length=1_024)]


@dataclass(
    frozen=True, kw_only=True, slots=True,
    config=ConfigDict(extra="ignore", hide_input_in_errors=True, json_schema_extra={"additionalProperties": True}),
)  # fmt: skip
class ClaimEvent:
    """The envelope; extension attributes are allowed as CloudEvents says, and their values are never read or logged."""

    specversion: Literal["1.0"]
    id: Text
    """Unique within the source: the same source and id is the same event."""
    source: Text
    """Who sends, as a URI reference."""
    type: Literal["claim.submitted.v1"]
    time: Annotated[datetime, BeforeValidator(_moment)] | None = None
    """When the event happened, with a zone; its day is used where the claim has no `received_date`."""
    datacontenttype: Annotated[str | None, BeforeValidator(_json_type)] = None
    subject: Text | None = None
    dataschema: Text | None = None
    traceparent: Annotated[str | None, BeforeValidator(_trace)] = None
    """W3C trace context; its trace id goes to the audit line."""
    requeue_of: Text | None = None
    """The quarantine entry that this event puts on the queue again; it skips the check for a repeated event."""
    data: Any

    @property
    def identity(self) -> str:
        return event_identity(self.source, self.id)

    @property
    def day(self) -> date | None:
        """The calendar day of the event, as the sender's own clock had it."""
        return self.time.date() if self.time else None

    @property
    def trace_id(self) -> str | None:
        match = _TRACE.fullmatch(self.traceparent) if self.traceparent else None
        return match[1] if match else None


_EVENT = TypeAdapter(ClaimEvent)
_DECODER = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal)
_ATTRIBUTES = frozenset(part.name for part in fields(ClaimEvent))


def _extensions(value: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with the attributes that are none of CloudEvents' own."""
    if value.keys() <= _ATTRIBUTES:
        return []
    for name in (name for name in value if name not in _ATTRIBUTES):
        if name == "data_base64":
            return [Problem("", "data_base64 is not read; send the claim as JSON in data")]
        if not _NAME.fullmatch(name):
            return [Problem("", "an extension attribute has another name than a-z, 0-9 and _")]
        if not isinstance(value[name], str | int | bool):
            return [Problem("", "an extension attribute is not a string, integer or boolean")]
    return []


class Submission(NamedTuple):
    """A claim event that could be read."""

    event: ClaimEvent
    claim: Claim
    content: bytes
    """`data` as canonical JSON."""
    digest: str
    """SHA-256 over it, which distinguishes a repeat from a re-used identity; hexadecimal."""


def decode(raw: bytes) -> Any:
    """The JSON value in the bytes, numbers with a fraction as Decimal.

    Raises:
        EventInvalid: not JSON (RFC 8259, UTF-8 without a mark), a key twice, nested deeper than 200, a number
            that is not finite or has thousands of digits; the problem's path is `line L column C`. Or more than
            `MOST_VALUES` values, which would take a hundred times the memory of their bytes.
    """
    if len(raw) > MOST_VALUES and _values(raw) > MOST_VALUES:
        raise EventInvalid("too_large", [Problem("", f"it has more than {MOST_VALUES:,} values; split it")])
    try:
        return jiter.from_json(raw, catch_duplicate_keys=True, float_mode="decimal", allow_inf_nan=False)
    except ValueError as error:
        raise EventInvalid("not_json", [_position(str(error), raw)]) from None


def _values(raw: bytes) -> int:
    """At least as many values as there are in the JSON, but for a few; those of its texts do not count."""
    most = raw.count(b",") + raw.count(b"[") + raw.count(b"{")
    if most > MOST_VALUES:
        bare = _TEXT.sub(b"", raw)
        most = bare.count(b",") + bare.count(b"[") + bare.count(b"{")
    return most


def _position(message: str, raw: bytes) -> Problem:
    """The decoder's message without what it quotes from the input."""
    match = _WHERE.search(message)
    where = f"line {match[1]} column {match[2]}" if match else ""
    text = message[: match.start()].strip() if match else "cannot be read"
    if text.startswith("Detected duplicate key"):
        key = _TWICE.match(text)
        known = key is not None and key[1] in _known_keys()
        text = f"the key {key[1]!r} is there twice" if key and known else "a key of an object is there twice"
    elif match and (constant := _NOT_FINITE.match(_from(raw, int(match[1]), int(match[2])))):
        text = f"{constant[0].decode()} is no JSON number; expected a finite one, or null"
    elif text.startswith("Internal error"):
        text = "number out of range"
    elif raw.startswith((b"\xff\xfe", b"\xfe\xff")) or raw[:2].count(0):
        text = "expected UTF-8, this looks like UTF-16 or UTF-32"
    elif raw.startswith(b"\xef\xbb\xbf"):
        text = "expected UTF-8 without a byte order mark"
    elif not raw.strip():
        text = "there is nothing in it"
    return Problem(where, f"not JSON: {text}", where)


def _from(raw: bytes, line: int, column: int) -> bytes:
    """What stands at the place where the decoder stopped; line and column count from 1."""
    rest = raw.split(b"\n", line - 1)[-1]
    return rest[column - 1 : column + 8]


@cache
def _known_keys() -> frozenset[str]:
    """The keys that claims and envelopes have: these alone may be named, as any other could be a patient's."""
    schema = schema_of(Claim)
    objects = [schema, *schema["$defs"].values()]
    return _ATTRIBUTES | {key for one in objects for key in one.get("properties", ())}


def read_event(raw: bytes, *, limit: int) -> Submission:
    """The claim event in the bytes, at most `limit` of them.

    Raises:
        EventInvalid: with the reason and every problem of envelope and claim.
    """
    if len(raw) > limit:
        raise EventInvalid("too_large", [Problem("", f"the event has {len(raw)} bytes, at most {limit} are read")])
    return _plain(raw) or parse_event(decode(raw))


def _plain(raw: bytes) -> Submission | None:
    """A sound event of a plain claim, in two thirds of the time; None: it is to be read as every other.

    msgspec keeps the last of two equal keys. What it kept has as many quotation marks as the bytes only where it kept
    all of them: no text of printable ASCII without a backslash has one of its own.
    """
    if len(raw) > MOST_VALUES or b"\\" in raw or not raw.isascii():
        return None
    try:
        value = _DECODER.decode(raw)
        event = _EVENT.validate_python(value)
        data = value["data"]
        content = canonical(data)
        if not _kept_all(raw, value, content) or _extensions(value):
            return None
    except (msgspec.MsgspecError, ArithmeticError, KeyError, RecursionError, TypeError, ValueError):
        return None
    claim = read_plain(data, content)
    return Submission(event, claim, content, digest_of(data, content)) if claim else None


def _kept_all(raw: bytes, value: dict[str, Any], content: bytes) -> bool:
    head, quotes = orjson.dumps({**value, "data": None}), raw.count(b'"')
    if b"\\" in head:
        return False
    if head.count(b'"') + content.count(b'"') == quotes:
        return True
    # Numbers with a fraction are texts in canonical JSON.
    return orjson.dumps(value, default=float).count(b'"') == quotes


def structured(fields: Mapping[bytes, bytes]) -> bytes | None:
    """The JSON event of a stream entry in binary mode; None: it has no CloudEvents attribute.

    CloudEvents has no binding for Redis. As in its Kafka binding an attribute is a field `ce_id`, `ce_source` ...,
    its value UTF-8 text, and the type of the data is `content-type`; the value of the record is the field `data`.
    The spelling `ce-id` of the HTTP and NATS bindings is read too.
    """
    attributes = {
        name[3:].decode("utf-8", "replace").lower(): value.decode("utf-8", "backslashreplace")
        for name, value in fields.items()
        if name[:3].lower() in (b"ce_", b"ce-")
    }
    if not attributes:
        return None
    if b"content-type" in fields:
        attributes["datacontenttype"] = fields[b"content-type"].decode("utf-8", "backslashreplace")
    attributes.pop("data", None)
    event = orjson.dumps(attributes)
    return event[:-1] + b',"data":' + fields[b"data"] + b"}" if b"data" in fields else event


def parse_event(value: object) -> Submission:
    """The claim event in decoded JSON.

    Raises:
        EventInvalid: as `read_event`.
    """
    if not isinstance(value, dict):
        raise EventInvalid("not_an_event", [Problem("", "expected an object: a CloudEvent that holds a claim")])
    problems: list[Problem] = []
    event = claim = None
    try:
        event = _EVENT.validate_python(value)
    except ValidationError as error:
        problems += problems_of(error, ClaimEvent)
    else:
        if problems := _extensions(value):
            event = None
    reason: Reason = "envelope_invalid" if problems else "claim_invalid"
    content = canonical(value.get("data"))
    fingerprint = digest_of(value.get("data"), content)
    if "data" in value:
        try:
            claim = read_plain(value["data"], content) or read_claim(value["data"])
        except ClaimInvalid as error:
            problems += (_inside(problem) for problem in error.problems)
    if problems or event is None or claim is None:
        raise EventInvalid(reason, problems, _known(value, event, fingerprint))
    return Submission(event, claim, content, fingerprint)


def claim_of(data: object) -> Claim:
    """The claim in decoded JSON: as `rules.claim.read_claim` reads it, sooner.

    Raises:
        ClaimInvalid: as there.
    """
    return read_plain(data, canonical(data)) or read_claim(data)


def _inside(problem: Problem) -> Problem:
    path = f"data.{problem.path}" if problem.path else "data"
    safe = f"data.{problem.safe_path}" if problem.safe_path else "data"
    return Problem(path, problem.sentence, safe)


def _known(value: Mapping[str, Any], event: ClaimEvent | None, fingerprint: str) -> dict[str, str]:
    """What is known of an event that cannot be read as a claim: its identity and claim id, where they are sound."""
    known: dict[str, str] = {}
    data = value.get("data")
    if event:
        known |= {"identity": event.identity, "digest": fingerprint, "source": event.source, "id": event.id}
        if event.requeue_of:
            known["requeue_of"] = event.requeue_of
        if event.trace_id:
            known["trace_id"] = event.trace_id
    claim_id = data.get("claim_id") if isinstance(data, dict) else None
    if isinstance(claim_id, str) and 0 < len(claim_id) <= 38 and claim_id.isprintable():
        known["claim_id"] = claim_id
    return known


def digest(data: object) -> str:
    """SHA-256 over the canonical JSON of `data` (keys sorted, no spaces, decimals as strings), hexadecimal."""
    return digest_of(data, canonical(data))


OF_THE_READER = frozenset({"not_read", "oddities", "source_format", "form_faults"})
"""What a reader says of its reading."""


def digest_of(data: object, content: bytes) -> str:
    """As `digest`, of what is canonical already. What a reader says of its reading is no part of the claim: the same
    file, read again by another release, is the same."""
    if isinstance(data, Mapping) and not OF_THE_READER.isdisjoint(data):
        content = canonical({key: value for key, value in data.items() if key not in OF_THE_READER})
    return sha256(content).hexdigest()


def canonical(data: object) -> bytes:
    """Canonical JSON, which does not depend on the order of keys or on spaces in the original."""
    try:
        return orjson.dumps(data, default=str, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        # Integers of more than 64 bits, which no claim has, but which a bad one may.
        return json.dumps(data, default=str, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def moment() -> str:
    """Now, as the `time` of an event."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
