"""The audit files of a folder, each by its first and its last line: quick, and without looking whether it is sound."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from worker.audit import log

_TAIL = 65_536


class End(NamedTuple):
    """A file of the audit folder: of which chain it is, and its last whole line."""

    file: Path
    chain: str
    seq: int
    mac: str


def ends(folder: Path) -> list[End]:
    """The audit files of a folder, by their names or their first lines; two short reads a file.

    Raises:
        OSError
    """
    if not folder.is_dir():
        return []
    files = sorted(Path(entry.path) for entry in os.scandir(folder) if os.path.isfile(entry))
    return [end for file in files if (end := end_of(file))]


def longest(ends: Iterable[End]) -> dict[str, End]:
    """By chain the file that holds most of it."""
    found = dict[str, End]()
    for end in ends:
        if end.chain not in found or end.seq > found[end.chain].seq:
            found[end.chain] = end
    return found


def end_of(file: Path) -> End | None:
    """The end of one audit file; None: it is something else.

    Raises:
        OSError
    """
    named = log.chain_of(file.name)
    with file.open("rb") as stream:
        begin = stream.readline(_TAIL)
        size = stream.seek(0, os.SEEK_END)
        back = _TAIL
        while True:
            stream.seek(max(0, size - back))
            whole = stream.read(back).rpartition(b"\n")[0]
            if b"\n" in whole or back >= size:
                break
            back *= 4
    first, last = _line(begin), _line(whole.rpartition(b"\n")[2])
    chain = first.get("audit.chain") or named
    if not chain or not (named or begin.startswith(log.FIRST)):
        return None
    seq = last.get("audit.seq")
    return End(file, str(chain), seq if isinstance(seq, int) else 0, str(last.get("audit.mac", "")))


def _line(raw: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}
