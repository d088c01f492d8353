"""Reads a library folder or a packed book into a Book: every file checked, every rule compiled, every example run.

A book with one fault does not load: all faults of all files are reported at once. The examples are run against the
shipped tables; imported editions of official tables take their place after that, and are part of the book's digest.
Those of the shipped book ran when the package was built (ops/decisions/0010); once a rule is changed its own run again,
and all of them once something is that rules rest on.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

from rules.authoring.trial import try_examples
from rules.book.book import Book
from rules.book.pack import Files, unpacked
from rules.book.parsed import Parsed, parsed_of
from rules.book.passed import passed
from rules.book.reading import Untried, read_content, version_of
from rules.errors import BookInvalid, BookMissing, RuleProblem

__all__ = [
    "LIBRARY", "PARSED", "TRIED", "Untried",
    "book_files", "edition_files", "load_book", "read_book", "read_untried", "version_of", "whole_book",
]  # fmt: skip

LIBRARY = Path(__file__).parent / "library"
TRIED = LIBRARY.with_suffix(".sha256")
"""Digest of the shipped book as its examples passed; `make catalogue` writes it."""
PARSED = LIBRARY.with_suffix(".json")
"""The data of the shipped files; see rules/book/parsed.py."""


def load_book(place: Path | None = None, imported: Path | None = None, *, examples: bool | None = None) -> Book:
    """The book in a folder or a packed file; None: the library that ships with the package.

    `imported`: folder of imported editions. A packed book has its own, of which only the packed rows are looked up
    there. `examples`: see `read_book`.

    Raises:
        BookMissing: there is no book.
        PackInvalid: the file is no packed book.
        BookInvalid: with every problem of every file, each as `file:line:col: path: sentence`.
    """
    files = whole_book(place, imported)
    return read_book(files.library, files.imported, rows=imported, examples=examples)


def whole_book(place: Path | None = None, imported: Path | None = None) -> Files:
    """The files of that book, as they are.

    Raises:
        BookMissing, PackInvalid
        BookInvalid: an imported edition cannot be read.
    """
    place = place or LIBRARY
    if place.is_file():
        return unpacked(str(place), place.read_bytes())
    return Files(book_files(place), edition_files(imported))


def book_files(folder: Path | None = None) -> Mapping[str, bytes]:
    """The content of the book's files by path relative to the folder; None: the library that ships with the package.

    Raises:
        BookMissing: there is no book.
    """
    folder = folder or LIBRARY
    if not (folder / "book.yaml").is_file():
        raise BookMissing(folder=folder)
    found: dict[str, bytes] = {}
    for place, _, names in os.walk(folder):
        within = os.path.relpath(place, folder).replace(os.sep, "/")
        for name in names:
            if name.endswith((".yaml", ".csv")):
                with open(os.path.join(place, name), "rb") as file:
                    found[name if within == "." else f"{within}/{name}"] = file.read()
    return dict(sorted(found.items()))


def edition_files(folder: Path | None) -> Mapping[str, bytes]:
    """The files of imported editions in a folder, by name; none where there is no folder.

    Raises:
        BookInvalid: one of them cannot be read; to judge without it would be another book.
    """
    if folder is None:
        return {}
    try:
        names = sorted(path.name for path in folder.iterdir() if path.suffix == ".json") if folder.is_dir() else []
        return {name: (folder / name).read_bytes() for name in names}
    except OSError as error:
        raise BookInvalid([RuleProblem(str(error.filename), 1, 1, "", f"cannot be read: {error.strerror}")]) from None


def _parsed() -> Parsed:
    """Of a tree without it, such as one that is being worked on, everything is read."""
    try:
        return parsed_of(PARSED.read_text("utf-8"))
    except FileNotFoundError:
        return Parsed()


def read_book(
    files: Mapping[str, bytes],
    imported: Mapping[str, bytes] | None = None,
    *,
    rows: Path | None = None,
    examples: bool | None = None,
) -> Book:
    """The book in the content of its files, by path relative to the library folder, with imported editions by name.

    `rows`: the folder where the packed rows of whole tables lie, which are mapped and not copied. `examples`:
    whether they are run; None: unless it is known that they pass, since rule and tables are as shipped.
    """
    known: Collection[str] = () if examples else files.keys()
    if examples is None:
        known = passed(files, book_files, TRIED.read_text("ascii").strip())
    untried = read_content(files, imported or {}, rows, parsed=_parsed(), tried=known)
    for rule in untried.book.rules:
        document = untried.documents[rule.file]
        if document.file not in known:
            try_examples(untried.book, rule, document)
            untried.problems.extend(document.problems)
    if untried.problems:
        raise BookInvalid(untried.problems)
    return untried.book.with_editions(untried.editions)


def read_untried(
    files: Mapping[str, bytes], imported: Mapping[str, bytes] | None = None, rows: Path | None = None
) -> Untried:
    """The same without running the examples, with the rule files beside it."""
    untried = read_content(files, imported or {}, rows, parsed=_parsed())
    if untried.problems:
        raise BookInvalid(untried.problems)
    return replace(untried, book=untried.book.with_editions(untried.editions))
