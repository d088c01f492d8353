"""Signatures of packed books: made and read by us and by OpenSSL alike, and by the right key alone."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from rules.book.pack import Files, packed
from tests.rules.small import FILE, LIBRARY_FILES, RULE
from worker.books.overrides import digest_of_text
from worker.books.signature import beside, sign, signature_of, verify
from worker.books.switch import opened, opened_text, sealed_pack, sealed_text
from worker.errors import BookNotSigned, KeyUnusable

BOOK = b"a packed book"


def pair(folder: Path, name: str) -> tuple[Path, Path]:
    key = Ed25519PrivateKey.generate()
    private, public = folder / f"{name}.pem", folder / f"{name}.pub"
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return private, public


def test_a_signature_holds_for_its_file_and_its_key_alone(tmp_path: Path) -> None:
    private, public = pair(tmp_path, "a")
    _, other = pair(tmp_path, "b")
    signed = sign(BOOK, private)
    verify(BOOK, signed, public, "a book")
    for content, signature, keys in [(BOOK + b".", signed, public), (BOOK, signed, other), (BOOK, b"", public)]:
        with pytest.raises(BookNotSigned, match="a book is not signed"):
            verify(content, signature, keys, "a book")


def test_while_keys_change_either_is_enough(tmp_path: Path) -> None:
    (old, old_public), (new, new_public) = pair(tmp_path, "old"), pair(tmp_path, "new")
    both = tmp_path / "both.pub"
    both.write_bytes(b"# until June\n" + old_public.read_bytes() + b"\n" + new_public.read_bytes())
    for private in (old, new):
        verify(BOOK, sign(BOOK, private), both, "a book")


def test_keys_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    private, public = pair(tmp_path, "a")
    curve = generate_private_key(SECP256R1())
    wrong = tmp_path / "ec.pem"
    wrong.write_bytes(curve.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    locked = tmp_path / "locked.pem"
    locked.write_bytes(
        Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))
    )
    wrong_public = tmp_path / "ec.pub"
    wrong_public.write_bytes(curve.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    for key in (public, wrong, locked, tmp_path / "none.pem"):
        with pytest.raises(KeyUnusable, match=key.name):
            sign(BOOK, key)
    for keys in (private, wrong_public, tmp_path / "none.pub"):
        with pytest.raises(KeyUnusable, match=keys.name):
            verify(BOOK, sign(BOOK, private), keys, "a book")


@pytest.mark.skipif(not shutil.which("openssl"), reason="there is no openssl on PATH")
def test_openssl_makes_the_keys_and_verifies_the_signature(tmp_path: Path) -> None:
    def openssl(*arguments: str) -> str:
        done = subprocess.run(["openssl", *arguments], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    openssl("genpkey", "-algorithm", "ed25519", "-out", "private.pem")
    openssl("pkey", "-in", "private.pem", "-pubout", "-out", "public.pem")
    book = tmp_path / "a.book"
    book.write_bytes(BOOK)
    assert signature_of(book) == b""
    beside(book).write_bytes(sign(BOOK, tmp_path / "private.pem"))
    verify(BOOK, signature_of(book), tmp_path / "public.pem", "a book")
    output = openssl(
        "pkeyutl", "-verify", "-pubin", "-inkey", "public.pem", "-rawin", "-in", "a.book", "-sigfile", "a.book.sig"
    )
    assert "Verified Successfully" in output


def test_a_signature_that_ends_in_zeros_holds_in_redis_as_any_other(tmp_path: Path) -> None:
    """One in sixteen does: the last number of an Ed25519 signature is below 16 (RFC 8032, 5.1.7: S is below 2**252)."""
    private, keys = Ed25519PrivateKey.generate(), tmp_path / "public.pem"
    keys.write_bytes(private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    texts = (f"overrides: []  # {number}\n" for number in range(10_000))
    text, sealed = next((text, seal) for text in texts if (seal := private.sign(text.encode())).endswith(b"\0"))
    assert opened_text(sealed_text(text, sealed), digest_of_text(text), keys) == text
    with pytest.raises(BookNotSigned, match="has no signature"):
        opened_text(sealed_text(text, b""), digest_of_text(text), keys)
    titles = (RULE.replace("One unit", f"Rule {number}").encode() for number in range(10_000))
    books = (Files({**LIBRARY_FILES, FILE: rule}) for rule in titles)
    book, sealed = next((book, seal) for book in books if (seal := private.sign(packed(book))).endswith(b"\0"))
    assert opened(sealed_pack(packed(book), sealed), book.digest, keys) == book
