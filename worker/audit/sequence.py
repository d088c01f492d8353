"""Audit files that follow one another: each ends where the next one says, and none between two is gone.

The first line of a file that follows another has number and mac of the last line of that one, under a mac of its own.
So a file that was cut or taken away shows without Redis, as long as a later one is there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import orjson

from worker.audit.check import FileCheck
from worker.audit.ends import End
from worker.audit.log import Head, file_name, numbered, of_number


class Link(NamedTuple):
    """What the first line of a file says of the one before it."""

    file: Path
    before: Head
    lost: bool
    """Whether that one was lost under its process, so that it may end anywhere."""


class Gap(NamedTuple):
    """A file that is not there."""

    file: Path
    """Where it would be."""
    chain: str
    after: Path | None
    """A file before it in its sequence; None: there is none, so it may have been archived with all before it."""
    before: Path
    """The first file after it."""

    def __str__(self) -> str:
        if self.after:
            return (
                f"it belongs between {self.after.name} and {self.before.name}; restore it, or `scrub audit retire` it"
            )
        return f"{self.before.name} goes on from it; what was archived before is verified with it"


def links(ends: Iterable[End]) -> dict[str, Link]:
    """What the files say of those before them, by the chain before. Whether the lines are sound is asked elsewhere.

    Raises:
        OSError
    """
    found = dict[str, Link]()
    for end in ends:
        with end.file.open("rb") as lines:
            raw = lines.readline(65_536)
        if b'"audit.previous_chain":' not in raw:
            continue
        try:
            line = orjson.loads(raw)
            before = Head(
                str(line["audit.previous_chain"]), int(line["audit.previous_seq"]), line["audit.previous_mac"]
            )
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
            continue
        found[before.chain] = Link(end.file, before, "audit.lost" in line)
    return found


def continued(found: FileCheck, end: End, links: Mapping[str, Link], *, asked: bool) -> FileCheck:
    """The check of a file, and whether it ends where the next one goes on. `asked`: whether Redis said its end."""
    link = links.get(end.chain)
    if link is None or link.lost or found.state not in ("sound", "torn", "unknown"):
        return found
    last = link.before
    if end.seq < last.seq:
        sentence = f"the end is cut off: {link.file.name} goes on from line {last.seq}, {found.lines} are there"
    elif end.seq > last.seq:
        sentence = f"line {last.seq + 1}: {link.file.name} goes on from the line before it, so it was added"
    elif end.mac != last.mac:
        sentence = f"line {last.seq}: not the one from which {link.file.name} goes on"
    elif found.state == "torn" or (asked and found.state == "sound"):
        return found
    else:
        return replace(found, state="sound", sentence=f"{found.lines} lines, none changed")
    return replace(found, state="tampered", sentence=sentence)


def gaps(ends: Iterable[End], links: Mapping[str, Link], gone: Collection[str] = ()) -> Iterator[Gap]:
    """The files that are missing from the sequences of these. `gone`: chains that were retired."""
    there = defaultdict[str, dict[int, Path]](dict)
    for end in ends:
        first, number = numbered(end.chain)
        there[first].setdefault(number, end.file)
    after = {first: dict(numbers) for first, numbers in there.items()}
    for link in links.values():
        first, number = numbered(link.before.chain)
        if number not in there.get(first, {}):
            after.setdefault(first, {})[number + 1] = link.file
    for first, numbers in sorted(after.items()):
        yield from _gaps(first, there.get(first, {}), numbers, gone)


def _gaps(first: str, there: Mapping[int, Path], after: Mapping[int, Path], gone: Collection[str]) -> Iterator[Gap]:
    lowest = min(there, default=None)
    for number in range(1, max(after)):
        chain = of_number(first, number)
        if number in there or chain in gone:
            continue
        following = after[min(one for one in after if one > number)]
        former = there[max(one for one in there if one < number)] if lowest and lowest < number else None
        if former or number + 1 in after:
            yield Gap(following.parent / file_name(chain), chain, former, following)
