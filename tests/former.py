"""What earlier releases left: a packed book, overrides over it, their pins, and what was judged by both.

All of it was made by release 898ad03 (0.1.0) itself; release 0.1.1 (512aa43) then put book and overrides in force.
Of 0.1.1 there is its own book, with what it judged by that.
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from rules.book.book import Book
from rules.book.pack import Files, unpacked
from rules.loader import book_files, read_book

FIXTURES = Path(__file__).parent / "fixtures"
OLD = FIXTURES / "898ad03/books"
(KEPT,) = OLD.glob("*.overrides.json")
"""As a worker kept it beside the book: the overrides, the day, and the digest of the book that they give."""
DIGEST = KEPT.name.partition(".")[0]
OVERRIDES: str = json.loads(KEPT.read_text())["text"]
"""The hospital's file. All of its pins fit the book, but that of CHANGED: the rule was changed after it was written."""
CHANGED = "for-another-version"
PINS: Mapping[str, str] = json.loads((OLD / "pins.json").read_text())
"""What the release told as the pin of each code and of each rule file."""
JUDGED: tuple[Mapping[str, Any], ...] = tuple(
    json.loads(line) for line in (OLD / "judged.ndjson").read_text().splitlines()
)
"""Claims with the reports of the release, by the book with these overrides."""


@cache
def packed() -> bytes:
    """The packed book."""
    return lzma.decompress((OLD / "rules.book.xz").read_bytes())


@cache
def files() -> Files:
    return unpacked("rules.book", packed())


LAST = FIXTURES / "512aa43"
LAST_JUDGED: tuple[Mapping[str, Any], ...] = tuple(
    json.loads(line) for line in lzma.decompress((LAST / "judged.ndjson.xz").read_bytes()).splitlines()
)
"""Claims with the reports of 0.1.1 by its book: of each code and outcome, payer, role, and kind of code beside 64445."""


@cache
def last_packed() -> bytes:
    """The book of 0.1.1, packed by it."""
    return lzma.decompress((LAST / "rules.book.xz").read_bytes())


def deeper(book: Files) -> Files:
    """The same book with its rule files one folder deeper."""
    return Files({name.replace("64445/", "64445/nerve-blocks/", 1): text for name, text in book.library.items()})


@cache
def old_book() -> Book:
    return read_book(files().library, examples=False)


@cache
def deeper_book() -> Book:
    return read_book(deeper(files()).library, examples=False)


FIRST_PAYERS = frozenset({"aetna", "bcbs", "cigna", "medicare", "uhc"})
"""Those of release 0.1.0. A payer that joins a group changes the rules of that group, and so their pins."""


def shipped_of_first_payers() -> dict[str, bytes]:
    """The files of the shipped book, without the payers that came later and their rules."""
    shipped = book_files()
    payers = {name.removesuffix(".yaml").removeprefix("payers/") for name in shipped if name.startswith("payers/")}
    later = payers - FIRST_PAYERS
    return {name: text for name, text in shipped.items() if not later & set(name.removesuffix(".yaml").split("/"))}
