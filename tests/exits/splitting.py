"""Splits a file with verdicts of the test's choice, and cuts claims out of files on its own: it shares nothing with the
splitter but what ISA says."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from rules.report import BookId, Disposition, Report
from worker.exits.split import Split
from worker.intake.document import Document, Refusal
from worker.intake.documents import read_documents

BOOK = BookId("test", "0" * 64)
NOW = datetime(2026, 11, 30, 10, tzinfo=UTC)
DISPOSITIONS: tuple[Disposition, ...] = ("billing", "rework", "unchecked", "quarantine")
GOING = ("clean", "held", "unchecked", "undecided")


def report(claim_id: str, disposition: Disposition) -> Report:
    return Report(
        claim_id, disposition, "none", "not_consulted", BOOK, None, None, "practitioner", reason="as the test has it"
    )


@dataclass
class Result:
    """What a split came to; `manifest` is None where nothing was written."""

    raw: bytes
    manifest: dict[str, Any]
    files: dict[str, bytes]
    """By kind."""

    def claims(self, kind: str) -> list[bytes]:
        """Bytes of the claims of a class, where the manifest says that they are."""
        rows = [row for row in self.manifest["claims"] if row["kind"] == kind]
        return [self.raw[row["offset"] : row["offset"] + row["bytes"]] for row in rows]


def split(
    raw: bytes, folder: Path, choose: Callable[[int], Disposition], *, name: str = "x.837", trial: bool = True
) -> Result | None:
    made = Split(name, io.BytesIO(raw), folder, trial=trial, now=NOW)
    try:
        for found in read_documents("x", made.content, ended=made.ended):
            if isinstance(found, Refusal):
                made.refuse(found)
            elif isinstance(found, Document):
                made.decide(found, report(found.claim.claim_id, choose(found.number)))
        written = made.write(BOOK)
    finally:
        made.close()
    if written is None:
        return None
    manifest = json.loads((folder / written.manifest).read_bytes())
    files = {row["kind"]: (folder / row["file"]).read_bytes() for row in manifest["files"]}
    return Result(raw, manifest, files)


def segments(raw: bytes) -> Iterator[tuple[int, bytes, list[bytes]]]:
    """Place, bytes and elements of each segment; ISA says its separators, with blanks before the terminator or not."""
    place, element, terminator = 0, b"*", b"~"
    while place < len(raw):
        if raw[place : place + 1].isspace():
            place += 1
            continue
        end = place
        if raw.startswith(b"ISA", place):
            element = raw[place + 3 : place + 4]
            end = place + len(element.join(raw[place:].split(element)[:16])) + 2
            end += len(raw[end:]) - len(raw[end:].lstrip(b" \t"))
            terminator = raw[end : end + 1]
        end = raw.find(terminator, end)
        end = len(raw) if end < 0 else end
        yield place, raw[place:end], raw[place:end].replace(b"\r", b"").replace(b"\n", b"").split(element)
        place = end + 1


def cut(raw: bytes) -> list[bytes]:
    """Every claim: from CLM to before the next CLM, HL or SE."""
    found, start = [], None
    for place, _, elements in segments(raw):
        name = elements[0].decode("latin-1").strip()
        if name in ("CLM", "HL", "SE"):
            if start is not None:
                found.append(raw[start:place])
            start = place if name == "CLM" else None
    return found


def read_back(raw: bytes) -> list[Document]:
    """The claims of a file that went out; nothing is wrong with what is around them."""
    found = list(read_documents("out", io.BytesIO(raw)))
    assert [one.problems for one in found if isinstance(one, Refusal)] == []
    return [one for one in found if isinstance(one, Document)]


def assert_each_claim_is_in_one_class(result: Result) -> None:
    """By the manifest, and by the bytes of the files that go on."""
    rows = result.manifest["claims"]
    assert [row["number"] for row in rows] == list(range(1, len(rows) + 1))
    ends = [(row["offset"], row["offset"] + row["bytes"]) for row in rows]
    assert all(end <= start for (_, end), (start, _) in pairwise(ends)), "no byte is in two claims"
    for kind in GOING:
        assert cut(result.files.get(kind, b"")) == result.claims(kind)
    everywhere = Counter(one for kind in GOING for one in cut(result.files.get(kind, b"")))
    everywhere += Counter(result.claims("refused") + result.claims("repeated"))
    assert everywhere == Counter(result.raw[start:end] for start, end in ends)
    totals = result.manifest["totals"]
    assert {kind: totals[kind]["claims"] for kind in totals if totals[kind]["claims"]} == Counter(
        row["kind"] for row in rows
    )


def assert_what_goes_on_is_sound(result: Result) -> None:
    """Read again without a fault; HL numbers from 1, each parent there, HL04 1 exactly where a level names the level."""
    for kind in GOING:
        if kind not in result.files:
            assert not result.claims(kind)
            continue
        back = read_back(result.files[kind])
        assert len(back) == len(result.claims(kind))
        levels: dict[str, list[str]] = {}
        for _, _, elements in segments(result.files[kind]):
            if elements[0] == b"ST":
                levels = {}
            elif elements[0] == b"HL":
                number, parent, _, child = (one.decode() for one in elements[1:5])
                assert number == str(len(levels) + 1)
                assert parent in levels or not parent
                levels[number] = [parent, child]
            elif elements[0] == b"SE":
                parents = {parent for parent, _ in levels.values()}
                assert {number: child for number, (_, child) in levels.items()} == {
                    number: "1" if number in parents else "0" for number in levels
                }
