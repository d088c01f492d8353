"""What a file is that holds no claims of ours: a sentence that names it, what was expected and what to do next.

Only the kind of a file is named, never a word of it: a login page, a print image or a spreadsheet holds names.
"""

from __future__ import annotations

import re
from collections import Counter

LOOKED_AT = 2**16
"""Bytes from the front of a file that its kind is known by."""
ISA = re.compile(rb"ISA([^A-Za-z0-9\s])[0-9]{2}\1.{0,20}?\1[0-9]{2}\1", re.DOTALL)
"""The front of an ISA segment, wherever it stands."""
EXPECTED = "expected X12 837 (begins with ISA), FHIR, a claim in JSON or a CloudEvent"

_EBCDIC_ISA = "ISA".encode("cp037")
_DROP = "export the claims as 837 or JSON"
_MAGIC: tuple[tuple[tuple[bytes, ...], str, str], ...] = (
    ((b"%PDF",), "a PDF", "send the claims themselves, not their print"),
    ((b"7z\xbc\xaf\x27\x1c", b"Rar!"), "a packed archive (7z or rar)", "unpack it and send the files in it"),
    ((b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd"), "packed with bzip2, xz or zstd", "unpack it, or use gzip"),
    (
        (b"II*\x00", b"MM\x00*", b"\x89PNG", b"\xff\xd8\xff", b"GIF8"), "an image, such as of a claim form",
        "send the claims as the billing system exports them",
    ),
    ((b"{\\rtf",), "a text of a word processor (RTF)", "export the claims again as plain text"),
    ((b"MSH|", b"FHS|", b"BHS|", b"\x0bMSH|", b"\x0bFHS|"), "HL7 v2 messages", "export the claims as 837 or FHIR"),
    ((b"UNA:", b"UNB+", b"UNH+"), "EDIFACT", "export the claims as X12 837"),
    (
        (b"-----BEGIN PGP", b"-----BEGIN PKCS7", b"-----BEGIN CMS"), "encrypted or signed (PGP or the like)",
        "decrypt it first, and send what was in it",
    ),
    ((b"SQLite format 3",), "a database (SQLite)", _DROP),
    ((b"\x1f\x8b",), "gzip within gzip", "pack the claims once"),
    ((b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",), "an Office document (xls, doc)", f"{_DROP}; a spreadsheet is not read"),
)  # fmt: skip
_PGP = frozenset(b"\x84\x85\x8c\xa3\xc1\xc3\xd2")
"""First bytes of its packets: an encrypted session key, compressed or encrypted data."""
_LEADING = b" \t\r\n\v\f\x1a"
_PAGE = (b"<!doctype html", b"<html", b"<head", b"<body", b"<script", b"<meta")
_PIECE = re.compile(rb"(?:GS|ST|BHT|NM1|HL|CLM)[*|^~!]")


def kind_of(head: bytes, *, packed: bool = False) -> str:
    """The sentence on a file that begins so, and is neither JSON nor X12; `packed`: it was in a gzip."""
    known = _magic(head) or _markup(head) or _encoding(head) or _text(head)
    what, then = known or ("neither JSON nor NDJSON nor X12", "look at it with an editor, and export the claims again")
    return f"{'unpacked, ' * packed}this is {what}; {EXPECTED}. What to do: {then}"


def foreign(head: bytes) -> bool:
    """Whether a file that begins so is one of a kind that may hold an ISA, and is no X12 all the same."""
    return (_magic(head) or _markup(head)) is not None


def _magic(head: bytes) -> tuple[str, str] | None:
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")):
        if b"[Content_Types].xml" in head or b"xl/" in head or b"word/" in head:
            return "an Office document (xlsx, docx)", f"{_DROP}; a spreadsheet is not read"
        return "a zip archive", "unzip it and send the files in it, each by itself (gzip is read as it is)"
    if head[257:262] == b"ustar":
        return "a tar archive", "unpack it and send the files in it"
    if len(head) > 20 and head[0] in _PGP and _binary(head[:200]) and not _ebcdic(head[:2000]):
        return "encrypted (PGP or the like)", "decrypt it first, and send what was in it"
    return next(((what, then) for starts, what, then in _MAGIC if head.startswith(starts)), None)


def _binary(data: bytes) -> bool:
    return sum((byte < 32 and byte not in _LEADING) or byte > 126 for byte in data) > 0.4 * len(data)


def _encoding(head: bytes) -> tuple[str, str] | None:
    if not head.strip(b"\0" + _LEADING):
        return "nothing but zero bytes", "send it again: its upload or its disk broke off"
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in head[:4]:
        return "UTF-16 or UTF-32, which Windows calls Unicode", "save it as UTF-8 or ASCII"
    if _ebcdic(head[:2000]):
        then = "transfer it as text (ASCII), or convert it: iconv -f IBM037 -t UTF-8"
        return "EBCDIC, the characters of a mainframe", then
    return None


def _ebcdic(text: bytes) -> bool:
    """Its letters and digits are bytes from 0x81 on, which UTF-8 has only in pairs and texts in ASCII hardly at all."""
    if text.lstrip(b"\x40\x15\x25\x0d").startswith(_EBCDIC_ISA):
        return True
    if len(text) < 40 or sum(0x81 <= byte <= 0xF9 for byte in text) < 0.4 * len(text):
        return False
    known = sum(byte in _EBCDIC_TEXT for byte in text)
    return known > 0.9 * len(text)


_EBCDIC_TEXT = frozenset(
    bytes(range(32, 127)).decode("ascii").encode("cp037") + b"\x15\x25\x0d"
)  # fmt: skip


def _markup(head: bytes) -> tuple[str, str] | None:
    start = head.lstrip(_LEADING)[:4000].lower()
    if not start.startswith(b"<"):
        return None
    if start.startswith(_PAGE) or b"<html" in start:
        return "an HTML page, such as the login or error page of a portal", "sign in, and download the file itself"
    if b"clinicaldocument" in start:
        return "a clinical document (CDA)", "export the claims as 837 or FHIR in JSON"
    if b"hl7.org/fhir" in start:
        return "FHIR in XML", "export it as JSON"
    return "XML", _DROP


def _text(head: bytes) -> tuple[str, str] | None:
    start = head.lstrip(_LEADING)
    if start[:3].upper() == b"ISA" and start[:3] != b"ISA" and start[3:5] == start[3:4] + b"0":
        return "X12 in small letters", "export it again: segment identifiers are capital letters"
    if _PIECE.match(start):
        return "X12 without its interchange (ISA)", "send the whole file, from ISA to IEA"
    lines = [line for line in head.replace(b"\r", b"\n").split(b"\n")[:50] if line.strip()]
    if len(lines) > 1 and _separated(lines):
        return "a table (CSV or the like)", f"{_DROP}; a table is not read"
    if len(lines) > 5 and (b"\f" in head or sum(map(_spaced, lines)) > len(lines) / 2):
        then = "export the claims as 837, not as the text that prints the form"
        return "a print image, such as of a CMS-1500 or UB-04 form", then
    return None


def _spaced(line: bytes) -> bool:
    return line[:1] == b" " or b"   " in line.strip()


def _separated(lines: list[bytes]) -> bool:
    """Whether most lines have one separator, equally often; the last one may be cut."""
    for separator in (b",", b"\t", b"|", b";"):
        count, times = Counter(line.count(separator) for line in lines).most_common(1)[0]
        if count >= 2 and times >= 0.6 * len(lines):
            return True
    return False
