"""Packed books: the same book is the same file, and what is in it is the book."""

from __future__ import annotations

import io
import warnings
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.book.pack import Files, packed, unpacked
from rules.errors import PackInvalid
from rules.loader import LIBRARY, load_book, read_book, version_of, whole_book

names = st.text("abcdefghijklmnopqrstuvwxyz0123456789_-/", min_size=1, max_size=20).map(lambda name: f"a{name}.yaml")
files = st.dictionaries(names, st.binary(max_size=200), max_size=8)


@given(files, files)
def test_what_was_packed_comes_out_with_the_same_digest(library: dict[str, bytes], imported: dict[str, bytes]) -> None:
    book = Files({**library, "book.yaml": b"version: 1\n"}, imported)
    again = unpacked("a file", packed(book))
    assert again.digest == book.digest
    assert again.imported.keys() == imported.keys()
    assert packed(again) == packed(book)


def test_the_same_book_has_the_same_bytes_whatever_the_order_the_clock_and_the_line_ends() -> None:
    book = whole_book()
    windows = {name: text.replace(b"\n", b"\r\n") for name, text in reversed(book.library.items())}
    assert packed(Files(windows)) == packed(book)
    assert packed(Files(book.library, {"a.json": b"{}"})) != packed(book)


def test_a_packed_book_judges_as_its_folder_does(tmp_path: Path) -> None:
    file = tmp_path / "a.book"
    file.write_bytes(packed(whole_book()))
    folder, one = load_book(), load_book(file, tmp_path)
    assert (one.digest, one.version, len(one.rules)) == (folder.digest, folder.version, len(folder.rules))
    assert version_of(whole_book(file).library) == folder.version
    assert read_book(whole_book(file).library, examples=False).digest == folder.digest


def test_any_zip_program_opens_it_and_finds_the_library(tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(packed(whole_book()))) as archive:
        archive.extractall(tmp_path)
    assert load_book(tmp_path).digest == load_book(LIBRARY).digest


def archive(*members: tuple[str, bytes]) -> bytes:
    target = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(target, "w") as file:
        warnings.simplefilter("ignore")  # the same name twice
        for name, content in members:
            file.writestr(name, content)
    return target.getvalue()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not a zip file"),
        (b"no zip", "not a zip file"),
        (packed(whole_book())[:-200], "not a zip file"),
        (packed(whole_book()).replace(b"64445", b"64446"), "Bad CRC-32"),
        (archive(("other.yaml", b"")), "there is no book.yaml in it"),
        (archive(("book.yaml", b""), ("book.yaml", b"")), "a name is in it twice"),
    ],
)
def test_what_is_no_packed_book_is_refused_with_a_sentence(content: bytes, reason: str) -> None:
    with pytest.raises(PackInvalid, match=reason) as refused:
        unpacked("some.book", content)
    assert str(refused.value).startswith("some.book is no packed book: ")
