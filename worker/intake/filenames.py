"""Names of a drop folder's files and of their reports, whatever bytes the sender put into them.

A file keeps its name. Its report is called as it is, with `.report.json` behind, where that can be looked at; else
each byte of what is not printable, or not UTF-8, is written as `%XX` (RFC 3986): `M%FCller.json.report.json`. What is
longer than the file system allows is cut before the end and marked with `~`. The report says the name in full.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count
from typing import Any

REPORT = ".report.json"
ANSWERS = (".answer.x12", ".answer.txt")
"""Ends of the names of answers to the sender; none is longer than that of a report."""
_LEAST = (143, 64)
"""Bytes of a name that are tried where the file system takes less than it says."""


def name_fields(name: str) -> dict[str, Any]:
    """What a report says of a name: `file`, with `\\xNN` for a byte that is not UTF-8, and then `file_hex`, exactly."""
    raw = os.fsencode(name)
    text = raw.decode("utf-8", "backslashreplace")
    return {"file": text} if text.encode() == raw else {"file": text, "file_hex": raw.hex()}


def limits(folder: int) -> list[int]:
    """The longest names to try in an open folder, in bytes, longest first."""
    said = os.fpathconf(folder, "PC_NAME_MAX")
    return [said, *(less for less in _LEAST if less < said)]


def pairs(name: str, limit: int) -> Iterator[tuple[str, str]]:
    """Names for a file and its report, of at most `limit` bytes: first its own, then with a number behind it."""
    for number in count(1):
        end = f".{number}" if number > 1 else ""
        yield _fitting(name, end, limit), _fitting(_shown(name), end + REPORT, limit)


def beside(name: str, end: str, limit: int) -> str:
    """A name of at most `limit` bytes that can be looked at, for what is made of a file, and this end."""
    return _fitting(_shown(name), end, limit)


def _shown(name: str) -> str:
    return "".join(c if c.isprintable() else "".join(f"%{byte:02X}" for byte in os.fsencode(c)) for c in name)


def _fitting(name: str, end: str, limit: int) -> str:
    raw = os.fsencode(name)
    if len(raw) + len(end) <= limit:
        return name + end
    kept = raw[: limit - len(end) - 1]
    while kept and raw[len(kept)] & 0xC0 == 0x80:  # the middle of a character
        kept = kept[:-1]
    return os.fsdecode(kept) + "~" + end
