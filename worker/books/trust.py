"""Which books may judge: where SCRUB_BOOK_KEY names public keys, a packed book only with the signature of one of them.

What judges claims asks here, with or without Redis. What only reads a book (`scrub rules list`, `show`, `lint`,
`test`, `diff`, `pack`, `sign`, `verify`) does not, since a book is read before it is signed; nor does
`scrub replay`, whose book is that of the digest in the report, whatever keys hold today. A folder has no signature: it
is as trustworthy as who may write in it, and so is the book that ships.
"""

from __future__ import annotations

from pathlib import Path

from rules.book.pack import Files, unpacked
from rules.errors import BookMissing
from rules.loader import whole_book
from worker.config.settings import Trusted


def book_files(path: Path | None, imported: Path | None, keys: Trusted | None) -> Files:
    """The files of the book in a folder or a packed file, which `keys` must have signed; None: the one that ships.

    Raises:
        BookMissing, BookInvalid, PackInvalid, BookNotSigned, KeyUnusable
    """
    if path is None or not path.is_file():
        return whole_book(path, imported)
    return packed_book(path, keys)[0]


def packed_book(path: Path, keys: Trusted | None) -> tuple[Files, bytes, bytes]:
    """The files of a packed book, the pack itself, and its signature; empty: it has none.

    Raises:
        BookMissing, PackInvalid, BookNotSigned, KeyUnusable
    """
    from worker.books import signature

    try:
        content = path.read_bytes()
    except OSError:
        raise BookMissing(folder=path) from None
    sealed = signature.signature_of(path)
    if keys:
        signature.verify(content, sealed, keys, str(path))
    return unpacked(str(path), content), content, sealed
