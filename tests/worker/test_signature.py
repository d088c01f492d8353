"""Signatures of packed books: made and read by us and by OpenSSL alike, and by the right key alone."""

from __future__ import annotations

import shutil
import subprocess
import zlib
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

from rules.book.pack import Files, packed, unpacked
from tests.rules.small import FILE, LIBRARY_FILES, RULE
from worker.books.overrides import digest_of_text
from worker.books.signature import beside, joined, sign, signature_of, verify
from worker.books.switch import opened, opened_text, sealed_pack, sealed_text
from worker.config.settings import Trusted
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
    verify(BOOK, signed, Trusted(public), "a book")
    for content, signature, keys in [(BOOK + b".", signed, public), (BOOK, signed, other), (BOOK, b"", public)]:
        with pytest.raises(BookNotSigned, match="a book is not signed"):
            verify(content, signature, Trusted(keys), "a book")


def test_while_keys_change_either_is_enough(tmp_path: Path) -> None:
    (old, old_public), (new, new_public) = pair(tmp_path, "old"), pair(tmp_path, "new")
    both = tmp_path / "both.pub"
    both.write_bytes(b"# until June\n" + old_public.read_bytes() + b"\n" + new_public.read_bytes())
    for private in (old, new):
        verify(BOOK, sign(BOOK, private), Trusted(both), "a book")


def test_where_two_must_sign_one_who_signs_twice_is_one(tmp_path: Path) -> None:
    (one, one_public), (two, two_public), (stranger, _) = (pair(tmp_path, name) for name in "abc")
    keys = tmp_path / "keys.pub"
    keys.write_bytes(one_public.read_bytes() * 2 + two_public.read_bytes())
    trusted = Trusted(keys, 2)
    first, second, third = (sign(BOOK, key) for key in (one, two, stranger))
    assert joined(first, first) == first
    both = joined(first, second)
    verify(BOOK, both, trusted, "a book")
    verify(BOOK, joined(third, both), trusted, "a book")
    for too_few in (first, first + first, joined(first, third), both[:-1]):
        with pytest.raises(BookNotSigned, match="wants 2 of these keys, and 1 has signed"):
            verify(BOOK, too_few, trusted, "a book")
    with pytest.raises(BookNotSigned, match="by another key"):
        verify(BOOK, third, trusted, "a book")


def test_redis_holds_all_signatures_and_a_release_that_knows_one_reads_the_first(tmp_path: Path) -> None:
    (one, one_public), (two, two_public) = (pair(tmp_path, name) for name in "ab")
    keys = tmp_path / "keys.pub"
    keys.write_bytes(one_public.read_bytes() + two_public.read_bytes())
    content = packed(Files({**LIBRARY_FILES, FILE: RULE.encode()}))
    payload = sealed_pack(content, joined(sign(content, one), sign(content, two)))
    digest = opened(payload, opened_digest(content), Trusted(keys, 2)).digest
    assert zlib.decompress(payload[64 : len(payload) - 64]) == content, "what comes after is nothing to 0.1.1"
    with pytest.raises(BookNotSigned):
        opened(sealed_pack(content, sign(content, one)), digest, Trusted(keys, 2))
    text = "overrides: []\n"
    held = sealed_text(text, joined(sign(text.encode(), one), sign(text.encode(), two)))
    assert opened_text(held, digest_of_text(text), Trusted(keys, 2)) == text
    with pytest.raises(BookNotSigned):
        opened_text(sealed_text(text, sign(text.encode(), two)), digest_of_text(text), Trusted(keys, 2))


def opened_digest(content: bytes) -> str:
    return unpacked("a book", content).digest


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
            verify(BOOK, sign(BOOK, private), Trusted(keys), "a book")


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
    verify(BOOK, signature_of(book), Trusted(tmp_path / "public.pem"), "a book")
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
    assert opened_text(sealed_text(text, sealed), digest_of_text(text), Trusted(keys)) == text
    with pytest.raises(BookNotSigned, match="has no signature"):
        opened_text(sealed_text(text, b""), digest_of_text(text), Trusted(keys))
    titles = (RULE.replace("One unit", f"Rule {number}").encode() for number in range(10_000))
    books = (Files({**LIBRARY_FILES, FILE: rule}) for rule in titles)
    book, sealed = next((book, seal) for book in books if (seal := private.sign(packed(book))).endswith(b"\0"))
    assert opened(sealed_pack(packed(book), sealed), book.digest, Trusted(keys)) == book
