"""Packed books: a whole book in one file, imported editions included. The same book has the same bytes everywhere.

A zip archive of stored members in the order of their names, with one fixed date: how well a zlib packs differs from
build to build, and would differ in the bytes. Line ends are those of the digest, which is over the same content. Any
zip program opens it; what is unpacked is a library folder, and the imported editions in `imported/`.
"""

from __future__ import annotations

import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from rules.book.book import digest_of
from rules.errors import PackInvalid

SUFFIX = ".book"
MOST_BYTES = 256 * 2**20
"""Of a packed book; what is larger is none."""
BROKEN_ZIP = (
    zipfile.BadZipFile, EOFError, LookupError, NotImplementedError, OverflowError, RuntimeError, ValueError,
    lzma.LZMAError, struct.error, zlib.error,
)  # fmt: skip
"""What the standard library raises for a zip that is damaged, encrypted or none; it does not say which.
OSError, too, which bz2 and a seek out of the file raise, is for who reads it: it may be the disk."""
_IMPORTED = "imported/"
_DATE = (1980, 1, 1, 0, 0, 0)
_UNIX, _MODE = 3, 0o100644 << 16


def members_of(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """What is listed in it.

    Raises:
        BadZipFile: two are at one place. What Python says to that differs: it reads both, refuses one, or writes a
            warning to standard error (python/cpython#117779).
    """
    members = archive.infolist()
    if len({member.header_offset for member in members}) < len(members):
        raise zipfile.BadZipFile("two of its members are at one place")
    return members


@dataclass(frozen=True)
class Files:
    """A book as the content of its files: of the library, by path relative to its folder, and of imported editions."""

    library: Mapping[str, bytes]
    imported: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def named(self) -> dict[str, bytes]:
        """All of them by one name each."""
        return {**self.library, **{_IMPORTED + name: content for name, content in self.imported.items()}}

    @cached_property
    def digest(self) -> str:
        """The digest of the book."""
        return digest_of(self.named)


def packed(files: Files) -> bytes:
    """The book in one file."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name, content in sorted(files.named.items()):
            member = zipfile.ZipInfo(name, _DATE)
            member.create_system, member.external_attr = _UNIX, _MODE
            archive.writestr(member, content.replace(b"\r\n", b"\n"))
    return target.getvalue()


def unpacked(name: str, content: bytes) -> Files:
    """The files of a packed book; `name` is for the sentence of an error.

    Raises:
        PackInvalid: it is no packed book, or damaged. Whether the book in it is sound is for `rules.loader` to say.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = members_of(archive)
            if sum(member.file_size for member in members) > MOST_BYTES:
                raise PackInvalid(file=name, reason=f"it unpacks to more than {MOST_BYTES} bytes")
            found = {member.filename: archive.read(member) for member in members if not member.is_dir()}
    except (*BROKEN_ZIP, OSError) as error:  # all of it is in memory
        raise PackInvalid(file=name, reason=f"{error}".rstrip(".") or type(error).__name__) from None
    if len(found) != len(members):
        raise PackInvalid(file=name, reason="a name is in it twice, or a folder")
    if "book.yaml" not in found:
        raise PackInvalid(file=name, reason="there is no book.yaml in it")
    library = {path: text for path, text in found.items() if not path.startswith(_IMPORTED)}
    imported = {path.removeprefix(_IMPORTED): text for path, text in found.items() if path.startswith(_IMPORTED)}
    return Files(library, imported)
