"""837P and 837I as documents: one stream in, a claim or a refusal out for each CLM, one summary of the envelope."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import IO, Any

from rules.errors import ClaimInvalid, Problem
from worker.intake.document import Document, Refusal
from worker.intake.events import claim_of
from worker.intake.x12.ended import Ended
from worker.intake.x12.fields import FIELDS, Form
from worker.intake.x12.loops import element_name, problem
from worker.intake.x12.segments import Segments
from worker.intake.x12.walker import WalkedClaim, Walker

_NAMED = ("claim_id", "total_charge")
_INDEX = re.compile(r"\[\d+\]")
_PLACES: dict[Form, dict[str, str]] = {
    form: {item.path: f"{item.loop} {element_name(item)}" for item in FIELDS if form in item.forms}
    for form in ("P", "I")
}


def read_x12(
    name: str, stream: IO[bytes], *, limit: int, ahead: bytes = b"", ended: Callable[[Ended], None] | None = None
) -> Iterator[Document | Refusal]:
    """Every claim of the interchanges in the stream, in order; `limit`: bytes of one claim.

    A claim is a Document, or a Refusal with its number. At the end comes one Refusal with number 0 if the envelope
    has faults: counts and control numbers that do not match, segments that belong to nothing, a file that is cut off.
    `ahead`: what was read of the stream before. `ended`: is told each interchange, group and set when its last claim is
    out. Never raises for what is in the stream; errors of reading it (OSError) pass through, those of decompressing it
    once everything before them is reported.
    """
    segments = Segments(stream, ahead)
    walker = Walker(segments, limit)
    read = 0
    for found in walker:
        if isinstance(found, Ended):
            if ended:
                ended(found)
            continue
        document = document_of(name, found)
        read += isinstance(document, Document)
        yield document
    if walker.envelope.faults:
        noted = walker.envelope.noted
        yield Refusal(name, "", 0, tuple(summary(noted.faults, noted.more, walker.count, read)))
    if segments.damage:
        raise segments.damage


def ends_of(stream: IO[bytes], limit: int, ahead: bytes = b"") -> Iterator[Ended]:
    """What `read_x12` tells of what ends, for who must know it before the first claim is taken."""
    return (found for found in Walker(Segments(stream, ahead), limit) if isinstance(found, Ended))


def document_of(name: str, found: WalkedClaim) -> Document | Refusal:
    """The claim, or why it is none."""
    problems = found.problems
    if not problems:
        try:
            claim = claim_of(found.value)
        except ClaimInvalid as error:
            problems = tuple(_placed(each, found.form) for each in error.problems)
        else:
            return Document(
                name, found.position, found.number, claim, found.value, origin=found.origin, trace=found.trace
            )
    return Refusal(name, found.position, found.number, problems, origin=found.origin, trace=_partial(found))


def turned_down(document: Document, sentence: str) -> Refusal:
    """A claim that was read and is not taken all the same, as an answer refuses it."""
    trace = {**(document.trace or {}), **_said(document.value, "P" if document.claim.form == "professional" else "I")}
    return Refusal(
        document.file, document.position, document.number, (problem("", sentence),), document.origin, trace=trace
    )


def _partial(found: WalkedClaim) -> dict[str, Any]:
    """What an acknowledgment of a refused claim can name."""
    return found.trace | _said(found.value, found.form)


def _said(value: Mapping[str, Any], form: Form | None) -> dict[str, Any]:
    days = {day for line in value.get("lines", ()) if (day := line.get("service_date"))}
    named = {key: value[key] for key in _NAMED if key in value}
    return named | {"form": form, "days": sorted(days)}


def _placed(found: Problem, form: Form | None) -> Problem:
    """The problem with loop and element beside the path of the claim model."""
    place = _PLACES[form].get(_INDEX.sub("[]", found.path)) if form else None
    path = f"{place} ({found.path})" if place else found.path
    return problem(path, found.sentence)


def summary(faults: list[Problem], more: int, count: int, read: int) -> Iterator[Problem]:
    """What is said of the envelope: its faults, how many there are beside them, and what became of its claims."""
    yield from faults
    if more:
        yield problem("", f"and {more} more faults of the envelope")
    yield problem(
        "", f"{read} claim{'' if read == 1 else 's'} read and {count - read} refused before the end of the file"
    )
