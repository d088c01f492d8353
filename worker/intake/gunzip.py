"""Unpacking gzip (RFC 1952) as a stream that ends where it is damaged.

The standard library's reader raises there, and what its buffers held before the damage is lost with it.
"""

from __future__ import annotations

import zlib
from io import BufferedReader, RawIOBase
from typing import Any

_GZIP = 31
"""zlib's name for a deflate stream with a gzip header and trailer."""
_CHUNK = 2**16


class Gunzip(RawIOBase):
    """The bytes of all members, one after the other; zeros behind a member are padding."""

    def __init__(self, packed: BufferedReader) -> None:
        self._packed = packed
        self._member = zlib.decompressobj(_GZIP)
        self._within = False
        self._ahead = b""
        self.damaged = False
        """The stream ended within a member, or went on with something else; known once its end was read."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self.damaged:
            chunk = self._ahead or self._packed.read1(_CHUNK)
            if not chunk:
                self.damaged = self._within
                return 0
            self._ahead = b""
            if not self._within:
                chunk = chunk.lstrip(b"\0")
                self._within = bool(chunk)
            if data := self._unpack(chunk, len(buffer)):
                buffer[: len(data)] = data
                return len(data)
        return 0

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
