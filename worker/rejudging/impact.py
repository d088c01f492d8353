"""Two rule books over many claims, on all cores: files, what went through the outlets, or what drafts left in the log.

The parts of the input are judged side by side and summed in their order, so that the same input gives the same answer.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
from redis import Redis

from rules.authoring.impact import Comparison, Group, ImpactTally, charge_of
from rules.claim import Claim
from worker.intake.document import Document, Refusal
from worker.intake.documents import read_documents
from worker.intake.events import claim_of
from worker.pipeline import outlets
from worker.store.keys import Keys
from worker.store.outletspecs import JUDGED

BLOCK = 2**20
"""Bytes of NDJSON that are judged as one part."""
PAGE = 500
"""Outlet entries that are judged as one part."""
_STDIN = "stdin"


@dataclass(frozen=True, slots=True)
class InputPart:
    """A part of the input: bytes, a file to open, or claims with their day of receipt."""

    name: str
    size: int
    content: bytes | None = None
    line: int = 0
    """Lines of the file before this part."""
    claims: Sequence[tuple[Any, date]] = ()


@dataclass(slots=True)
class PartResult:
    """What was found in a part."""

    tally: ImpactTally
    refusals: list[Refusal] = field(default_factory=list)
    passed: int = 0
    """FHIR resources that are no claims."""
    size: int = 0


@dataclass(frozen=True, slots=True)
class ImpactJob:
    """What every process has from the start."""

    comparison: Comparison
    day: date
    """Used where neither a claim nor its event has a day of receipt."""
    limit: int
    """Largest document, in bytes."""
    most: int
    """Examples that are kept."""


def file_parts(file: str, stdin: Callable[[], bytes]) -> Iterator[InputPart]:
    """The parts of a file: blocks of lines where it is NDJSON of claims, else the whole.

    Raises:
        OSError, ValueError: it cannot be opened.
    """
    if file == "-":
        content = stdin()
        yield from (
            _blocks(_STDIN, io.BytesIO(content))
            if _in_lines(content[:BLOCK])
            else [InputPart(_STDIN, len(content), content)]
        )
        return
    with open(file, "rb") as stream:
        if not _in_lines(stream.read(BLOCK)):
            yield InputPart(file, os.stat(file).st_size)
            return
        stream.seek(0)
        yield from _blocks(file, stream)


def _in_lines(head: bytes) -> bool:
    """Whether each line is a document of its own; those of FHIR may refer to lines before them."""
    first, end, _ = head.lstrip().partition(b"\n")
    if not end or not first.startswith(b"{") or b'"resourceType"' in first:
        return False
    try:
        orjson.loads(first)
    except orjson.JSONDecodeError:
        return False
    return True


def _blocks(name: str, stream: Any) -> Iterator[InputPart]:
    line = 0
    while block := stream.read(BLOCK):
        block += stream.readline()
        yield InputPart(name, len(block), block, line)
        line += block.count(b"\n")


def outlet_parts(redis: Redis, keys: Keys, since: date) -> Iterator[InputPart]:
    """What was judged and went to an outlet since a day (UTC) and is still there, oldest first by outlet: each claim
    once, by its newest version. What went elsewhere before was mended, or will not be sent."""
    start = f"{int(datetime(since.year, since.month, since.day, tzinfo=UTC).timestamp() * 1000) - 1}-{2**64 - 1}"
    newest: dict[str, tuple[int, int, int]] = {}
    for outlet in JUDGED:
        for entry in outlets.tail(redis, keys, outlet, start=start):
            name, place = str(entry.data["claim"]["claim_id"]), _inbox_place(entry)
            newest[name] = max(place, newest.get(name, place))
    for outlet in JUDGED:
        page: list[tuple[Any, date]] = []
        for entry in outlets.tail(redis, keys, outlet, start=start):
            place = _inbox_place(entry)
            if newest.get(str(entry.data["claim"]["claim_id"])) != place:
                continue
            page.append((entry.data["claim"], datetime.fromtimestamp(place[0] / 1000, UTC).date()))
            if len(page) == PAGE:
                yield InputPart(outlet, len(page), claims=page)
                page = []
        if page:
            yield InputPart(outlet, len(page), claims=page)


def _inbox_place(entry: outlets.OutletEntry) -> tuple[int, int, int]:
    """The inbox entry that was judged, as numbers, with its partition last: later ones are greater."""
    partition, _, place = str(entry.event["inboxentry"]).rpartition(":")
    milliseconds, _, number = place.partition("-")
    return int(milliseconds), int(number or 0), int(partition or 0)


def examine(part: InputPart, job: ImpactJob) -> PartResult:
    """Judges one part."""
    found = PartResult(ImpactTally(job.most), size=part.size)
    if part.claims:
        for value, day in part.claims:
            _count(claim_of(value), day, job, found.tally)
        return found
    with io.BytesIO(part.content) if part.content is not None else open(part.name, "rb") as stream:
        for document in read_documents(part.name, stream, limit=job.limit, codes=job.comparison.new.codes):
            if isinstance(document, Document):
                _count(document.claim, (document.event and document.event.day) or job.day, job, found.tally)
            elif isinstance(document, Refusal):
                found.refusals.append(_at(document, part.line))
            else:
                found.passed += 1
    return found


def _count(claim: Claim, day: date, job: ImpactJob, tally: ImpactTally) -> None:
    tally.claims += 1
    tally.charge += charge_of(claim)
    if shift := job.comparison.shift(claim, day):
        tally.add(shift)


def _at(refusal: Refusal, line: int) -> Refusal:
    """The refusal with its position in the whole file."""
    number = refusal.number + line
    return replace(
        refusal, number=number, position=refusal.position.replace(f"line {refusal.number}", f"line {number}")
    )


@dataclass(slots=True)
class Shadow:
    """What drafts left in the audit log."""

    claims: int = 0
    """Decisions on claims, each counted once."""
    without: int = 0
    """Lines of a version that did not log drafts."""
    unread: int = 0
    """Lines that are no audit lines, such as one that a crash cut off."""
    finds: dict[tuple[str, str], Group] = field(default_factory=dict)
    """By code and payer: claims on which the draft found something."""
    moves: dict[tuple[str, str], Group] = field(default_factory=dict)
    """Those of them that went to billing, and would have gone to rework."""


def from_log(files: Iterable[Path], since: date | None, most: int) -> Shadow:
    """What the audit lines say of drafts: decisions that were committed, each once.

    Raises:
        OSError
    """
    shadow, lines, seen, gone = Shadow(), dict[str, dict[str, Any]](), set[str](), set[str]()
    for file in files:
        with file.open("rb") as stream:
            for raw in stream:
                _line(raw, since, shadow, lines, seen, gone)
    shadow.claims = len(seen - gone)
    for decision, line in lines.items():
        if decision in gone:
            continue
        cents = line.get("claim.charge_cents")
        one = Group(1, Decimal(cents or 0) / 100, [str(line.get("claim.claim_id"))])
        payer = line.get("claim.payer") or ""
        for code in line["rule.shadow"]:
            shadow.finds.setdefault((code, payer), Group()).take(one, most)
        if line.get("claim.disposition") == "billing":
            for code in line.get("rule.shadow_block") or ():
                shadow.moves.setdefault((code, payer), Group()).take(one, most)
    return shadow


def _line(
    raw: bytes, since: date | None, shadow: Shadow, lines: dict[str, dict[str, Any]], seen: set[str], gone: set[str]
) -> None:
    try:
        line = orjson.loads(raw)
    except orjson.JSONDecodeError:
        line = None
    if not isinstance(line, dict) or not _readable(line):
        shadow.unread += 1
        return
    action, decision = line.get("event.action"), str(line.get("claim.decision_id"))
    if since and str(line.get("@timestamp", "")) < since.isoformat():
        return
    if action == "claim.superseded":
        gone.add(decision)
    elif action == "claim.scrubbed":
        seen.add(decision)
        if "rule.shadow" not in line:
            shadow.without += 1
        elif line["rule.shadow"]:
            lines[decision] = line


def _readable(line: dict[str, Any]) -> bool:
    """Whether what is read of the line is of the types of an audit line."""
    texts = [line.get(name) or [] for name in ("rule.shadow", "rule.shadow_block")]
    lists = all(isinstance(one, list) and all(isinstance(code, str) for code in one) for one in texts)
    cents, payer = line.get("claim.charge_cents") or 0, line.get("claim.payer") or ""
    return lists and isinstance(cents, int) and isinstance(payer, str)
