"""Cutting the items of a JSON array, and the members of an object, out of its bytes, one at a time.

The decoder makes a value of the whole: 60 KB of gzip that hold twenty million `{}` would be gigabytes. Here only the
ends of values are looked for; each is then decoded for itself, so that what is no JSON still has its position.
(A streaming parser such as ijson gives values, not their bytes: a key that is there twice would be passed over.)
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator

MOST_OBJECTS = 2_000_000
"""Objects and lists of one array or Bundle: 64 MB of claims have a third of that."""
Span = tuple[int, int]
_BRACKET = re.compile(rb'(?:[^"{}\[\]]++|"(?:[^"\\]++|\\.)*+")*+([{}\[\]])', re.DOTALL)
_SCALAR = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[^\s,:"{}\[\]]++', re.DOTALL)
_SPACE = re.compile(rb"[ \t\r\n]*+")


class Malformed(Exception):
    """The bytes are no JSON from `offset` on."""

    def __init__(self, offset: int, sentence: str) -> None:
        super().__init__(sentence)
        self.offset = offset
        self.sentence = f"not JSON: {sentence}" if offset else sentence


class Places:
    """Lines and columns of offsets that go up, both from 1: the bytes are counted once, not once a question."""

    def __init__(self, raw: bytes, line: int = 1) -> None:
        self._raw, self._line, self._seen, self._start = raw, line, 0, 0

    def at(self, offset: int) -> tuple[int, int]:
        self._line += self._raw.count(b"\n", self._seen, offset)
        self._start = max(self._start, self._raw.rfind(b"\n", self._seen, offset) + 1)
        self._seen = offset
        return self._line, offset - self._start + 1


def elements(raw: bytes, start: int) -> Iterator[Span]:
    """The items of the array that begins at `start`, and ends the bytes.

    Raises:
        Malformed: from there on there are no items; those before were given.
    """
    _bounded(raw)
    at = yield from _items(raw, start)
    _ends(raw, at)


def members(raw: bytes, start: int) -> Iterator[tuple[bytes, Span]]:
    """The members of the object that begins at `start`, and ends the bytes: each key as JSON has it, and its value.

    Raises:
        Malformed
    """
    _bounded(raw)
    at = _skip(raw, start + 1)
    while raw[at : at + 1] != b"}":
        end = _end(raw, at)
        key, at = raw[at:end], _skip(raw, end)
        if key[:1] != b'"' or raw[at : at + 1] != b":":
            raise Malformed(at, "expected a key and `:`")
        at = _skip(raw, at + 1)
        end = _end(raw, at)
        yield key, (at, end)
        at = _next(raw, end, b"}")
    _ends(raw, at + 1)


def _bounded(raw: bytes) -> None:
    if raw.count(b"{") + raw.count(b"[") > MOST_OBJECTS:
        raise Malformed(0, f"more than {MOST_OBJECTS:,} objects and lists in one document; send NDJSON")


def _items(raw: bytes, start: int) -> Generator[Span, None, int]:
    at = _skip(raw, start + 1)
    while raw[at : at + 1] != b"]":
        end = _end(raw, at)
        yield at, end
        at = _next(raw, end, b"]")
    return at + 1


def _next(raw: bytes, end: int, close: bytes) -> int:
    """Where the next item begins, or the bracket that closes."""
    at = _skip(raw, end)
    if raw[at : at + 1] == b",":
        at = _skip(raw, at + 1)
        if raw[at : at + 1] == close:
            raise Malformed(at, "there is a comma behind the last item")
    elif raw[at : at + 1] != close:
        raise Malformed(at, f"expected `,` or `{close.decode()}`")
    return at


def _end(raw: bytes, start: int) -> int:
    """Where the value ends that begins here."""
    if raw[start : start + 1] not in (b"{", b"["):
        found = _SCALAR.match(raw, start)
        if found is None:
            raise Malformed(start, "expected a value")
        if found.end() == len(raw):
            raise Malformed(len(raw), "it ends before its bracket; the file is cut off")
        return found.end()
    depth, at = 0, start
    while True:
        found = _BRACKET.match(raw, at)
        if found is None:
            raise Malformed(len(raw), "it ends inside a value; the file is cut off")
        depth += 1 if found[1] in (b"{", b"[") else -1
        at = found.end()
        if not depth:
            return at


def _skip(raw: bytes, at: int) -> int:
    found = _SPACE.match(raw, at)
    return found.end() if found else at


def _ends(raw: bytes, at: int) -> None:
    if (at := _skip(raw, at)) < len(raw):
        raise Malformed(at, "something follows its end")
