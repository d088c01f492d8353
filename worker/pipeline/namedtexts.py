"""What many reports say alike, given by name on the outlets: the editions of tables, and each gap.

Thousands of claims rest on the same few editions and leave out the same things. So the report of an entry has in their
place names: `editions` is one name, `gaps` a list of them. `{claims:N}:texts`, on the entry's partition, has by each
name the JSON that stands there. The name is of the text (`name_of`), so it always means the same, and a book that was
archived gives the texts again: whoever judges the claim by it gets editions and gaps of these names.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, cast

import orjson
from redis import Redis

from worker.errors import TextsMissing
from worker.store.keys import Keys

_DIGITS = 24
_MOST_KNOWN = 4_096
_known: dict[str, bytes] = {}
"""Texts that were looked up before, of any store: a name stands for one text alone."""


def name_of(text: bytes) -> str:
    """The name of a text: the first 24 digits of its SHA-256, hexadecimal."""
    return sha256(text).hexdigest()[:_DIGITS]


def shortened(report: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, bytes]]:
    """A report, decoded or as it was made, with names in place of texts; and the texts by name."""
    found, texts = dict(report), dict[str, bytes]()

    def named(said: object) -> str:
        text = orjson.dumps(said)
        name = name_of(text)
        texts[name] = text
        return name

    if found.get("editions"):
        found["editions"] = named(found["editions"])
    if "gaps" in found:
        found["gaps"] = [named(gap) for gap in found["gaps"]]
    return found, texts


def is_shortened(report: Mapping[str, Any]) -> bool:
    """Whether names stand in it."""
    return bool(_names(report))


def filled(report: Mapping[str, Any], texts: Mapping[str, bytes]) -> dict[str, Any]:
    """A decoded report with texts in place of their names; one that is not among them stays."""

    def told(said: Any) -> Any:
        return orjson.loads(texts[said]) if isinstance(said, str) and said in texts else said

    found = dict(report)
    if "editions" in found:
        found["editions"] = told(found["editions"])
    if "gaps" in found:
        found["gaps"] = [told(gap) for gap in found["gaps"]]
    return found


def whole(redis: Redis, keys: Keys, event: dict[str, Any]) -> dict[str, Any]:
    """The event of an outlet entry of this partition, with the texts in place of their names.

    Raises:
        TextsMissing
        redis.exceptions.RedisError
    """
    data = event.get("data")
    report = data.get("report") if isinstance(data, dict) else None
    if not isinstance(data, dict) or not isinstance(report, dict) or not (names := _names(report)):
        return event
    texts = {name: _known[name] for name in names if name in _known}
    if new := [name for name in names if name not in texts]:
        found = cast(list[bytes | None], redis.hmget(keys.texts, new))
        for name, text in zip(new, found, strict=True):
            if text is None or name_of(text) != name:
                raise TextsMissing(decision=event.get("id"), name=name, key=keys.texts)
            texts[name] = text
        if len(_known) > _MOST_KNOWN:
            _known.clear()
        _known.update(texts)
    data["report"] = filled(report, texts)
    return event


def _names(report: Mapping[str, Any]) -> list[str]:
    return [said for said in (report.get("editions"), *(report.get("gaps") or ())) if isinstance(said, str)]
