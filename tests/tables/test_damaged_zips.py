"""Zips with any byte wrong: read or refused, whatever the standard library raises for them.

It raises nine kinds of errors for damage (zlib, LZMA, UnicodeDecodeError for names, struct, seeks out of the file).
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from rules.book.pack import unpacked
from rules.errors import PackInvalid
from worker.errors import TableRefused
from worker.tables.files import Fault, members

METHODS = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]


def damaged(method: int) -> Iterator[bytes]:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        archive.writestr("é.txt", "header\n" * 20)
        archive.writestr("book.yaml", "version: 1\n" * 20)
    content = packed.getvalue()
    for place in range(len(content)):
        for value in {0x00, 0x80, 0xFF, content[place] ^ 1} - {content[place]}:
            yield content[:place] + bytes([value]) + content[place + 1 :]


@pytest.mark.parametrize("method", METHODS)
def test_official_files_with_a_wrong_byte_are_read_or_refused(tmp_path: Path, method: int) -> None:
    refused = 0
    for content in damaged(method):
        (file := tmp_path / "x.zip").write_bytes(content)
        try:
            for member in members(file):
                member.head()
        except (TableRefused, Fault):
            refused += 1
    assert refused > 100


@pytest.mark.parametrize("method", METHODS)
def test_a_packed_book_with_a_wrong_byte_is_read_or_refused(method: int) -> None:
    refused = 0
    for content in damaged(method):
        try:
            unpacked("some.book", content)
        except PackInvalid:
            refused += 1
    assert refused > 100


def twice() -> bytes:
    """One member that is listed two times, as some programs write it (python/cpython#117779)."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("book.yaml", "version: 1\n")
        archive.filelist.append(archive.filelist[0])
    return packed.getvalue()


def test_official_files_that_list_one_place_twice_are_refused_on_every_python(tmp_path: Path) -> None:
    (file := tmp_path / "x.zip").write_bytes(twice())
    with pytest.raises(TableRefused, match="damaged"):
        members(file)


def test_a_packed_book_that_lists_one_place_twice_is_refused_on_every_python() -> None:
    with pytest.raises(PackInvalid, match="two of its members are at one place"):
        unpacked("some.book", twice())
