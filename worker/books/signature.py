"""Signatures of packed books: Ed25519 over the bytes of the file, in a file of 64 bytes beside it.

A pair of keys and not the secret that the workers share: who checks a book must not be able to make one, and who makes
books needs no key to the patients' hashes. Keys are PEM files and the signature is bare, so that
`openssl genpkey -algorithm ed25519` makes them and `openssl pkeyutl -rawin` signs and verifies just as well.
"""

from __future__ import annotations

import re
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from worker.errors import BookNotSigned, KeyUnusable

SUFFIX = ".sig"
_PEM = re.compile(rb"-----BEGIN PUBLIC KEY-----.+?-----END PUBLIC KEY-----", re.DOTALL)


def beside(file: Path) -> Path:
    """Where the signature of a file is expected."""
    return file.with_name(file.name + SUFFIX)


def sign(content: bytes, key: Path) -> bytes:
    """The signature by the private key in a PEM file.

    Raises:
        KeyUnusable
    """
    try:
        found = load_pem_private_key(_read(key), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        found = None
    if not isinstance(found, Ed25519PrivateKey):
        raise KeyUnusable(file=key, expected="an Ed25519 private key in PEM without a passphrase")
    return found.sign(content)


def verify(content: bytes, signature: bytes, keys: Path, name: str) -> None:
    """Returns where one of the public keys in a PEM file has signed this; `name` is for the sentence of an error.

    Raises:
        KeyUnusable, BookNotSigned
    """
    for key in _public(keys):
        try:
            key.verify(signature, content)
        except InvalidSignature:
            continue
        return
    reason = "its signature is of another file or by another key" if signature else "it has no signature"
    raise BookNotSigned(book=name, keys=keys, reason=reason)


def signature_of(file: Path) -> bytes:
    """What is in the file beside it; nothing where there is no signature."""
    try:
        return beside(file).read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise KeyUnusable(file=beside(file), expected=f"a signature ({error.strerror})") from None


def _public(file: Path) -> list[Ed25519PublicKey]:
    keys = []
    for block in _PEM.findall(_read(file)):
        try:
            key = load_pem_public_key(block)
        except (ValueError, UnsupportedAlgorithm):
            key = None
        if not isinstance(key, Ed25519PublicKey):
            raise KeyUnusable(file=file, expected="Ed25519 public keys in PEM")
        keys.append(key)
    if not keys:
        raise KeyUnusable(file=file, expected="one or several Ed25519 public keys in PEM")
    return keys


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise KeyUnusable(file=file, expected=f"a key in PEM ({error.strerror})") from None
