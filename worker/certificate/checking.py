"""Whether a certificate holds, without Redis: its signature, its book, its place in the audit chain, its claim."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

import orjson

from rules.book.book import Book
from rules.claim import read_claim
from worker.audit import check
from worker.books import archive
from worker.books.signature import id_of, is_by, public_keys
from worker.certificate.content import (
    Certificate,
    CertifiedBook,
    CertifiedFinding,
    CertifiedWaiver,
    Json,
    Verdict,
    book_of,
    parts_of,
    read,
    verdict_of,
    waivers_of,
)
from worker.certificate.making import Entry, entries_of, unlike, whole
from worker.errors import BookNotArchived, CertificateRefused
from worker.intake.plain import undated
from worker.pipeline.namedtexts import is_shortened
from worker.rejudging.replay import replay
from worker.store.keyring import Ring

Part = Literal["signature", "book", "audit", "claim"]
State = Literal["sound", "wrong", "not looked at"]


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of one part."""

    part: Part
    state: State
    sentence: str


@dataclass(frozen=True, slots=True)
class Against:
    """What certificates are held against; empty or None: that part is not looked at."""

    keys: Path
    """Public keys in PEM."""
    books: Path
    """The archive, where the book is looked for if none is given."""
    rows: Path
    """The packed rows of whole tables."""
    book: Path | None = None
    audit: Sequence[Path] = ()
    ring: Ring | None = None
    entries: Path | None = None


def checked(content: bytes, name: str, against: Against) -> Iterator[Checked]:
    """Every part of a certificate. What does not carry a sound signature is not looked at any further.

    Raises:
        CertificateUnreadable, KeyUnusable, EntriesUnreadable, OSError, and what a book that cannot be read raises.
    """
    signature = _signature(content, name, against.keys)
    yield signature
    if signature.state != "sound":
        return
    said = read(content, name)
    book, found = _book(said, against)
    yield found
    yield _audit(said, against)
    yield _claim(said, against, book)


def _signature(content: bytes, name: str, file: Path) -> Checked:
    signed, signature = parts_of(content, name)
    keys = public_keys(file)
    ids = ", ".join(map(id_of, keys))
    by = next((id_of(key) for key in keys if is_by(key, signature, signed)), None)
    said = read(content, name) if by else None
    if said and said.signer.key == by:
        return Checked("signature", "sound", f"signed by key {by}, issued {said.issued}")
    if said:
        return Checked("signature", "wrong", f"it names the key {said.signer.key}, and {by} has signed it")
    claimed = _claimed_signer(signed)
    if claimed and claimed not in ids.split(", "):
        sentence = (
            f"other key: it names the key {claimed}, and {file} has {ids}; give the keys of its issuer with --key"
        )
        return Checked("signature", "wrong", sentence)
    return Checked("signature", "wrong", f"changed: it is not what the key {claimed or ids} has signed")


def _claimed_signer(signed: bytes) -> str:
    """Whom a certificate names that nobody here has signed."""
    try:
        found = orjson.loads(signed + b"}")["signer"]["key"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return ""
    return found if isinstance(found, str) and len(found) == 16 and found.isalnum() and found.isascii() else ""


def _book(said: Certificate, against: Against) -> tuple[Book | None, Checked]:
    wanted = said.book.digest
    try:
        book = _found_book(wanted, against)
    except BookNotArchived:
        if against.book:
            return None, Checked("book", "wrong", f"another book: {against.book} does not have {wanted[:12]}")
        return None, Checked("book", "not looked at", f"{wanted[:12]} is not archived here; give it with --book")
    if book.digest != wanted:
        sentence = f"another book: {against.book} has the digest {book.digest[:12]}, it was judged by {wanted[:12]}"
        return None, Checked("book", "wrong", sentence)
    if strange := sorted({one.code for one in said.verdict.findings if not _in(book, one)}):
        return None, Checked("book", "wrong", f"no rule of {wanted[:12]} finds this: {', '.join(strange)}")
    return book, Checked("book", "sound", f"{book.version} ({wanted[:12]}), and its rules are those of the findings")


def _found_book(wanted: str, against: Against) -> Book:
    from rules.loader import read_book, whole_book

    given = against.book
    if given is None:
        return archive.find(against.books, wanted)
    if given.is_dir() and not (given / "book.yaml").exists():
        return archive.find(given, wanted)
    files = whole_book(given)
    return read_book(files.library, files.imported, rows=against.rows, examples=False)


def _in(book: Book, found: CertifiedFinding) -> bool:
    return any(
        rule.code == found.code
        and rule.file == found.rule
        and any(version.start.isoformat() == found.version for version in rule.versions)
        for rule in book.rules
    )


def _audit(said: Certificate, against: Against) -> Checked:
    place = said.audit
    if not against.audit or against.ring is None:
        return Checked("audit", "not looked at", f"give {place.file} with --audit, where the ring of its keys is")
    files = [file for one in against.audit for file in _files(one) if _chain(file) == place.chain]
    if not files:
        return Checked("audit", "wrong", f"none of the files given is of its chain {place.chain}")
    for file in files:
        sound = check.verify(file, against.ring)
        if sound.lines >= place.line:
            return _line(said, file)
    return Checked("audit", "wrong", f"{sound}; its line is {place.line}")


def _files(one: Path) -> list[Path]:
    return sorted(file for file in one.iterdir() if file.is_file()) if one.is_dir() else [one]


def _chain(file: Path) -> str:
    """The chain that a file's first line names; empty: it is no audit file."""
    with file.open("rb") as lines:
        try:
            found = orjson.loads(lines.readline(2**16))
        except orjson.JSONDecodeError:
            return ""
    return str(found.get("audit.chain", "")) if isinstance(found, dict) else ""


def _line(said: Certificate, file: Path) -> Checked:
    """Whether its line of a file whose lines are sound so far is that of the certificate, and was not taken back."""
    place, later = said.audit, False
    committed = said.commitment.value.encode()
    with file.open("rb") as lines:
        for number, raw in enumerate(lines, 1):
            if number == place.line:
                line: Json = orjson.loads(raw)
            elif number > place.line and committed in raw and b'"claim.superseded"' in raw:
                later = True
    wrong = [
        name
        for name, value in (("audit.mac", place.mac), ("audit.key", place.key), ("@timestamp", said.decided))
        if line.get(name, "") != value
    ]
    wrong += unlike(line, said.decision, said.commitment.value, said.verdict, said.book.digest, said.waivers)
    if wrong:
        return Checked("audit", "wrong", f"line {place.line} of {file} is not its line: {', '.join(wrong)} differ")
    if later:
        return Checked("audit", "wrong", f"line {place.line} of {file} was taken back: it was never committed")
    return Checked("audit", "sound", f"line {place.line} of {place.chain}, under key {place.key or '(the first)'}")


def _claim(said: Certificate, against: Against, book: Book | None) -> Checked:
    if against.entries is None:
        return Checked("claim", "not looked at", "give the entry with claim and salt with --entry")
    entry = next((one for one in entries_of(against.entries) if one.decision == said.decision), None)
    if entry is None:
        return Checked("claim", "wrong", f"no entry of {against.entries} is of decision {said.decision}")
    if entry.committed != said.commitment.value:
        return Checked("claim", "wrong", "another claim: claim and salt of the entry do not give the commitment")
    if is_shortened(entry.report):
        if book is None:
            return Checked("claim", "not looked at", "its report gives texts by name; give its book with --book")
        with suppress(CertificateRefused):  # then it is not the report that was certified
            entry = whole(entry, lambda _: book)
    try:
        same = _said(entry.report) == (said.verdict, said.book, said.waivers)
    except (KeyError, ValueError, TypeError):
        same = False
    if not same:
        return Checked("claim", "wrong", "it is the claim, and the report beside it is another one than was certified")
    if book is None:
        return Checked("claim", "sound", "it is this claim; without its book it was not judged again")
    differs = _judged_again(entry, book)
    if differs:
        return Checked("claim", "wrong", f"it is the claim, and its book judges otherwise: {', '.join(differs[:5])}")
    return Checked("claim", "sound", "it is this claim, and judged again it has the same verdict")


def _said(report: Json) -> tuple[Verdict, CertifiedBook, tuple[CertifiedWaiver, ...]]:
    return verdict_of(report), book_of(report), waivers_of(report)


def _judged_again(entry: Entry, book: Book) -> list[str]:
    """Where the report of an entry is not what the book gives."""
    claim = read_claim(entry.claim)
    day = entry.event.get("receiveddate")
    received = date.fromisoformat(day) if isinstance(day, str) else None
    if received and claim.received_date:
        claim = undated(claim)
    return [one.path for one in replay(entry.report, claim, book, received).differences]
