"""The keys in a command, as a client of a cluster has to know them: which partition it is about, or which several."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from worker.store.keys import Keys

READS = ("XREAD", "XREADGROUP")
"""Commands whose keys are streams, behind a word."""
_TAG = re.compile(rb"\{claims:\d+\}:")


def key_of(args: Sequence[Any]) -> bytes:
    """The first key of ours in a command, else one of the first partition."""
    streams = streams_of(args) if str(args[0]).upper() in READS else args
    for one in streams:
        if isinstance(one, (str, bytes)) and _TAG.match(found := as_bytes(one)):
            return found
    return Keys().meta.encode()


def as_bytes(key: Any) -> bytes:
    """A key as it is sent."""
    return key if isinstance(key, bytes) else str(key).encode()


def tag_of(key: bytes) -> bytes:
    """The hash tag of its partition; empty: it is none of ours."""
    found = _TAG.match(key)
    return found[0] if found else b""


def by_tag(keys: Sequence[Any]) -> dict[bytes, list[Any]]:
    """By partition, each in order."""
    parts: dict[bytes, list[Any]] = {}
    for key in keys:
        parts.setdefault(tag_of(as_bytes(key)), []).append(key)
    return parts


def streams_at(args: Sequence[Any]) -> int:
    """The place of the word behind which the streams are named."""
    return next(number for number, one in enumerate(args) if one in (b"STREAMS", "STREAMS"))


def streams_of(args: Sequence[Any]) -> Sequence[Any]:
    """The streams of XREAD and XREADGROUP."""
    behind = args[streams_at(args) + 1 :]
    return behind[: len(behind) // 2]


def unblocked(head: list[Any]) -> tuple[list[Any], int | None]:
    """What stands before the streams without BLOCK, and its milliseconds; None: it had none."""
    for number, one in enumerate(head):
        if one in (b"BLOCK", "BLOCK"):
            return head[:number] + head[number + 2 :], int(head[number + 1])
    return head, None
