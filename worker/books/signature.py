"""Signatures of packed books: Ed25519 over the bytes of the file, in a file beside it, 64 bytes each.

A pair of keys and not the secret that the workers share: who checks a book must not be able to make one, and who makes
books needs no key to the patients' hashes. Keys are PEM files and the signature is bare, so that
`openssl genpkey -algorithm ed25519` makes them and `openssl pkeyutl -rawin` signs and verifies just as well.
"""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from worker.config.settings import Trusted
from worker.errors import BookNotSigned, KeyUnusable

SUFFIX = ".sig"
SIZE = 64
"""Bytes of a signature; several stand one after the other."""
_PEM = re.compile(rb"-----BEGIN PUBLIC KEY-----.+?-----END PUBLIC KEY-----", re.DOTALL)


def beside(file: Path) -> Path:
    """Where the signature of a file is expected."""
    return file.with_name(file.name + SUFFIX)


def sign(content: bytes, key: Path) -> bytes:
    """The signature by the private key in a PEM file.

    Raises:
        KeyUnusable
    """
    return private_key(key).sign(content)


def private_key(file: Path) -> Ed25519PrivateKey:
    """The private key in a PEM file.

    Raises:
        KeyUnusable
    """
    try:
        found = load_pem_private_key(_read(file), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        found = None
    if not isinstance(found, Ed25519PrivateKey):
        raise KeyUnusable(file=file, expected="an Ed25519 private key in PEM without a passphrase")
    return found


def id_of(key: Ed25519PublicKey) -> str:
    """Tells public keys apart; 16 hexadecimal digits."""
    return sha256(key.public_bytes_raw()).hexdigest()[:16]


def verify(content: bytes, signature: bytes, keys: Trusted, name: str) -> None:
    """Returns where as many of the public keys as are needed have signed this; `name` is for the sentence of an error.

    Raises:
        KeyUnusable, BookNotSigned
    """
    signatures = split(signature)
    found = sum(any(is_by(key, one, content) for one in signatures) for key in public_keys(keys.file))
    if found >= keys.needed:
        return
    if found:
        reason = f"SCRUB_BOOK_SIGNATURES wants {keys.needed} of these keys, and {found} has signed"
    else:
        reason = "its signature is of another file or by another key" if signature else "it has no signature"
    raise BookNotSigned(book=name, keys=keys.file, reason=reason)


def split(signatures: bytes) -> list[bytes]:
    """Those that stand one after the other."""
    return [signatures[at : at + SIZE] for at in range(0, len(signatures), SIZE)]


def joined(signatures: bytes, another: bytes) -> bytes:
    """The same with another one, unless it is there."""
    return b"".join(dict.fromkeys((*split(signatures), another)))


def is_by(key: Ed25519PublicKey, signature: bytes, content: bytes) -> bool:
    """Whether the signature is of this content, by this key."""
    try:
        key.verify(signature, content)
    except InvalidSignature:
        return False
    return True


def signature_of(file: Path) -> bytes:
    """What is in the file beside it; nothing where there is no signature."""
    try:
        return beside(file).read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise KeyUnusable(file=beside(file), expected=f"a signature ({error.strerror})") from None


def public_keys(file: Path) -> list[Ed25519PublicKey]:
    """Those in a PEM file, each once.

    Raises:
        KeyUnusable
    """
    keys = dict[bytes, Ed25519PublicKey]()  # the same key twice is one
    for block in _PEM.findall(_read(file)):
        try:
            key = load_pem_public_key(block)
        except (ValueError, UnsupportedAlgorithm):
            key = None
        if not isinstance(key, Ed25519PublicKey):
            raise KeyUnusable(file=file, expected="Ed25519 public keys in PEM")
        keys[key.public_bytes_raw()] = key
    if not keys:
        raise KeyUnusable(file=file, expected="one or several Ed25519 public keys in PEM")
    return list(keys.values())


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise KeyUnusable(file=file, expected=f"a key in PEM ({error.strerror})") from None
