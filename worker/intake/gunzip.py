"""Unpacking gzip (RFC 1952) as a stream that ends where it is damaged.

The standard library's reader raises there, and what its buffers held before the damage is lost with it. Deflate packs
up to a thousand to one, files of claims ten to thirty to one: what swells far more is no file of claims, and is not
unpacked to its end (envoy#21864, dulwich#2250).
"""

from __future__ import annotations

import zlib
from io import BufferedReader, RawIOBase
from typing import Any

_GZIP = 31
"""zlib's name for a deflate stream with a gzip header and trailer."""
_CHUNK = 2**16
MOST_SWELL = 250
"""How many times its packed size a stream may have unpacked."""
_FREE = 2**24
"""Bytes that are unpacked whatever they were packed to."""


class Gunzip(RawIOBase):
    """The bytes of all members, one after the other; zeros behind a member are padding."""

    def __init__(self, packed: BufferedReader) -> None:
        self._packed = packed
        self._member = zlib.decompressobj(_GZIP)
        self._within = False
        self._ahead = b""
        self.damaged = False
        """The stream ended within a member, or went on with something else; known once its end was read."""
        self.swollen = False
        """It was left off, since it swells to more than `MOST_SWELL` times its size."""
        self._taken = self._given = 0

    @property
    def fault(self) -> str:
        """Why the stream ends where it ends; empty: it is whole."""
        if self.swollen:
            swell = f"the gzip stream swells to more than {MOST_SWELL} times its size"
            return f"{swell}; what was unpacked up to there was read, and the rest was not"
        damaged = "the gzip stream is cut off or damaged; what could be unpacked before that was read"
        return damaged if self.damaged else ""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self.damaged and not self.swollen:
            chunk = self._ahead or self._take()
            if not chunk:
                self.damaged = self._within
                return 0
            self._ahead = b""
            if not self._within:
                chunk = chunk.lstrip(b"\0")
                self._within = bool(chunk)
            if data := self._unpack(chunk, len(buffer)):
                buffer[: len(data)] = data
                self._given += len(data)
                self.swollen = self._given > max(_FREE, MOST_SWELL * (self._taken - len(self._ahead)))
                return len(data)
        return 0

    def _take(self) -> bytes:
        chunk = self._packed.read1(_CHUNK)
        self._taken += len(chunk)
        return chunk

    def _unpack(self, chunk: bytes, most: int) -> bytes:
        try:
            data = self._member.decompress(chunk, most)
        except zlib.error:
            self.damaged = True
            return b""
        if self._member.eof:
            self._ahead, self._within = self._member.unused_data, False
            self._member = zlib.decompressobj(_GZIP)
        else:
            self._ahead = self._member.unconsumed_tail
        return data
