"""The secret: first key of patient hashes and audit chains. It never leaves its file; Redis holds a fingerprint.

Further keys are in rings: `worker.store.keyring`. And the password of Redis, where it is in a file.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Callable
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from worker.errors import PasswordUnusable, SecretUnusable
from worker.store.private import make_folder, open_private

_BYTES = 32
_BLOCK = 64
"""Bytes that SHA-256 takes at once."""
_INNER, _OUTER = (bytes(value ^ pad for value in range(256)) for pad in (0x36, 0x5C))


def load_secret(file: Path) -> bytes:
    """The secret in the file, which is made with mode 0600 where it is not there.

    Raises:
        SecretUnusable: it is not ours, others may read it, or it is too short.
    """
    try:
        if not file.exists():
            _make(file)
    except OSError as error:
        raise SecretUnusable(file=file, reason=error.strerror) from None
    secret = private_content(file, lambda reason: SecretUnusable(file=file, reason=reason), 4_096).strip()
    if len(secret) < _BYTES:
        raise SecretUnusable(file=file, reason=f"it has {len(secret)} bytes")
    return secret


def private_content(file: Path, refused: Callable[[str], Exception], limit: int) -> bytes:
    """What is in a file that is ours alone, up to `limit` bytes; else raises what `refused` makes of the reason."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        with open(descriptor, "rb") as stream:
            found = os.fstat(descriptor)
            content = stream.read(limit)
    except OSError as error:
        raise refused(error.strerror or "it cannot be read") from None
    # Orchestrators hand secrets out as files of root's that a group may read: the process cannot change its secret.
    handed_out = found.st_uid == 0 and os.getuid() != 0
    if not stat.S_ISREG(found.st_mode) or stat.S_IMODE(found.st_mode) & (0o037 if handed_out else 0o077):
        raise refused("others may read it")
    if found.st_uid != os.getuid() and not handed_out:
        raise refused("it belongs to another user")
    return content


def keyed(secret: bytes, message: bytes) -> bytes:
    """HMAC-SHA-256 of the message (RFC 2104), in half of the time that `hmac.digest` takes, which begins anew with the
    key each time; a claim needs six."""
    inner, outer = _begun(secret)
    within, around = inner.copy(), outer.copy()
    within.update(message)
    around.update(within.digest())
    made: bytes = around.digest()
    return made


@lru_cache(maxsize=256)
def _begun(secret: bytes) -> tuple[Any, Any]:
    """The inner and the outer hash of the HMAC, after the key."""
    block = (secret if len(secret) <= _BLOCK else sha256(secret).digest()).ljust(_BLOCK, b"\0")
    return sha256(block.translate(_INNER)), sha256(block.translate(_OUTER))


def event_mark(secret: bytes, identity: str) -> str:
    """What the audit log shows of an event, for its `worker.store.keys.event_identity`; 64 hexadecimal digits.

    The identity itself must not be seen: it is no secret how it is made, and of what `scrub submit` sends it is made
    of the whole claim, so that who knows the rest of a claim could try member ids against it.
    """
    return keyed(derived(secret, b"event in the audit log"), identity.encode()).hex()


@lru_cache(maxsize=128)
def derived(secret: bytes, label: bytes) -> bytes:
    """A key of its own for each purpose, so that what one says cannot be made with another."""
    return keyed(secret, label)


def fingerprint(secret: bytes) -> str:
    """Distinguishes two secrets and reveals neither; 16 hexadecimal digits."""
    return keyed(secret, b"fingerprint").hex()[:16]


def read_password(file: Path) -> str:
    """The password in the file, without the line's end. Its mode is whoever's who made it: see ops/security.md.

    Raises:
        PasswordUnusable: it cannot be read, is empty, or has more than one line.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise PasswordUnusable(file=file, reason=error.strerror) from None
    except UnicodeDecodeError:
        raise PasswordUnusable(file=file, reason="it is not UTF-8") from None
    if len(lines) != 1 or not lines[0]:
        raise PasswordUnusable(file=file, reason="it has several lines" if len(lines) > 1 else "it is empty")
    return lines[0]


def _make(file: Path) -> None:
    """Written aside and linked into place: of several processes at once one wins, and all read the same."""
    make_folder(file.parent)
    aside = file.with_name(f".{file.name}-{secrets.token_hex(8)}")
    descriptor = open_private(aside, os.O_WRONLY | os.O_EXCL)
    try:
        with open(descriptor, "w", encoding="ascii") as stream:
            stream.write(secrets.token_hex(_BYTES) + "\n")
            stream.flush()
            os.fsync(descriptor)
        with contextlib.suppress(FileExistsError):
            os.link(aside, file)
    finally:
        aside.unlink()
