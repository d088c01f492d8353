"""A file of lines that only who has a key of the audit ring can read or change: packed, and encrypted part by part.

AES-256-GCM in the construction STREAM (Hoang, Reyhanitabar, Rogaway and Vizar 2015; age and Tink have it as well): the
number of a part, and whether it is the last, are in its nonce. So a part that was changed, moved, left out or cut off
is noticed, and no part has to be as long as the file. Each file has a key of its own, made of the ring's and a salt.
"""

from __future__ import annotations

import os
import secrets
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from worker.errors import FolderUnusable, SnapshotUnusable
from worker.store.keyring import Key, Ring
from worker.store.private import make_folder, open_private
from worker.store.secret import derived, keyed

_MAGIC = b"claim-scrubber sealed 1\n"
_ID, _SALT, _TAG, _PART = 8, 16, 16, 2**20
_HEAD = len(_MAGIC) + _ID + _SALT


class _Sealer:
    """Takes lines, and writes the parts."""

    def __init__(self, stream: BinaryIO, key: Key) -> None:
        self._stream = stream
        self._head = _MAGIC + key.id.encode() + secrets.token_bytes(_SALT)
        self._cipher = _cipher(key, self._head)
        self._pack = zlib.compressobj(1)
        self._held = bytearray()
        self._number = 0
        stream.write(self._head)

    def put(self, line: bytes) -> None:
        self._held += self._pack.compress(line + b"\n")
        while len(self._held) > _PART:  # the last part is never empty
            self._part(last=False)

    def end(self) -> None:
        self._held += self._pack.flush()
        while len(self._held) > _PART:
            self._part(last=False)
        self._part(last=True)

    def _part(self, *, last: bool) -> None:
        text = bytes(self._held[:_PART])
        del self._held[:_PART]
        self._stream.write(self._cipher.encrypt(_nonce(self._number, last=last), text, self._head))
        self._number += 1


@contextmanager
def sealing(file: Path, key: Key) -> Iterator[Callable[[bytes], None]]:
    """What takes the lines of a new file, which is there once all are in it, or not at all.

    Raises:
        FolderUnusable: it cannot be written.
    """
    aside = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        make_folder(file.parent)
        with open(open_private(aside, os.O_WRONLY | os.O_EXCL), "wb") as stream:
            sealer = _Sealer(stream, key)
            yield sealer.put
            sealer.end()
            stream.flush()
            os.fsync(stream.fileno())
        aside.replace(file)
    except OSError as error:
        raise FolderUnusable(folder=file.parent, reason=error.strerror or "it cannot be written") from None
    finally:
        aside.unlink(missing_ok=True)


def unsealed(file: Path, ring: Ring) -> Iterator[bytes]:
    """The lines of a file, each only after the part that it is in was found to be as it was written.

    Raises:
        SnapshotUnusable: it is no such file, it was changed or cut off, or the ring lacks its key.
    """
    try:
        with file.open("rb") as stream:
            yield from _lines(file, stream, ring)
    except OSError as error:
        raise SnapshotUnusable(file=file, reason=error.strerror or "it cannot be read") from None


def _lines(file: Path, stream: BinaryIO, ring: Ring) -> Iterator[bytes]:
    head = stream.read(_HEAD)
    if len(head) < _HEAD or not head.startswith(_MAGIC):
        raise SnapshotUnusable(file=file, reason="it is no file that `scrub snapshot` made")
    name = head[len(_MAGIC) : len(_MAGIC) + _ID].decode("ascii", "replace")
    key = ring.find(name)
    if key is None:
        raise SnapshotUnusable(file=file, reason=f"it was sealed with the key {name}, which is not in {ring.file}")
    cipher, unpack, rest, number = _cipher(key, head), zlib.decompressobj(), b"", 0
    part = stream.read(_PART + _TAG)
    while True:
        following = stream.read(_PART + _TAG)
        try:
            text = cipher.decrypt(_nonce(number, last=not following), part, head)
        except InvalidTag:
            reason = f"part {number + 1} is not as it was written, or what came after it is cut off"
            raise SnapshotUnusable(file=file, reason=reason) from None
        *whole, rest = (rest + unpack.decompress(text)).split(b"\n")
        yield from whole
        if not following:
            return
        part, number = following, number + 1


def _cipher(key: Key, head: bytes) -> AESGCM:
    return AESGCM(keyed(derived(key.secret, b"snapshot"), head))


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])
