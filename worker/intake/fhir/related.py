"""What a claim says of the claim before it: that it replaces or voids it, and the payer's own number of that.

In use are `prior` (https://terminology.hl7.org/CodeSystem-ex-relatedclaimrelationship.html), `replaces` (Da Vinci PAS),
`replacedby` (CARIN Blue Button, of a claim that was replaced itself), words of X12's frequency codes, and these codes.
A relationship that is not understood refuses the claim: read as an original it would be denied as a duplicate.
"""

from __future__ import annotations

import re
from typing import Literal

from worker.intake.fhir.node import Node

Meaning = Literal["prior", "7", "8", "other", "replaced", "unknown"]
_WORDS = re.compile(r"[a-z]+|[0-9]+")
_BY = re.compile(r"replaced[\W_]?by", re.IGNORECASE)
_STEMS: tuple[tuple[str, Meaning], ...] = (
    ("void", "8"), ("cancel", "8"), ("revers", "8"), ("rplc", "7"), ("replac", "7"), ("correct", "7"),
    ("prior", "prior"), ("associated", "other"),
)  # fmt: skip
_CODES: dict[str, Meaning] = {"7": "7", "8": "8", "1": "other"}
FREQUENCIES = ("prior", "7", "8")
"""What makes a claim one that follows another."""
_PAYERS = frozenset(("uc", "icn", "pccn", "dcn"))
"""Types of an identifier that the payer gave: CARIN Blue Button's unique claim id, and the trade's own words."""


def meaning(related: Node) -> Meaning:
    """What one `related` says; `unknown` is noted."""
    concept = related.object("relationship")
    texts = concept.codes() or [text for text in (concept.text("text"),) if text]
    found = {one for text in texts for one in _meanings(text)}
    if "prior" in found and found & {"7", "8"}:
        found.discard("prior")
    if "replaced" in found:
        related.doubt("relationship", "says that another claim replaces this one; expected a claim that is to be sent")
        return "replaced"
    if len(found) != 1 or "unknown" in found:
        expected = "expected `prior` or `replaces` of a replacement, `void` of a void, `associated` of any other"
        related.doubt("relationship", f"it cannot be read how this claim is related to another; {expected}")
        return "unknown"
    return found.pop()


def _meanings(text: str) -> set[Meaning]:
    words = _WORDS.findall(text.lower())
    if _BY.search(text):
        return {"replaced"}
    if len(words) == 1 and words[0] in _CODES:
        return {_CODES[words[0]]}
    found = {stands for stem, stands in _STEMS if any(word.startswith(stem) for word in words)}
    # `replacement of prior claim`, `void of prior claim`
    return found - {"prior"} if len(found) > 1 else found or {"unknown"}


def frequency(related: Node, cancelled: bool) -> str | None:
    """7 or 8; a claim marked cancelled that names the one before it takes that back."""
    found = meaning(related)
    if found == "8" or (cancelled and found in FREQUENCIES):
        return "8"
    return "7" if found in FREQUENCIES else None


def original_number(related: Node) -> str | None:
    """The payer's number: of the reference to the case, or of the claim as it is named, or of the payer's answer."""
    if number := related.object("reference").text("value"):
        return number
    claim = related.object("claim")
    if number := claim.object("identifier").text("value"):
        return number
    if (reference := claim.text("reference")) and (answer := claim.targets.answer_to(reference)):
        identifiers = Node(answer, "ClaimResponse", claim.targets, claim.notes).objects("identifier")
        marked = [one for one in identifiers if _PAYERS & {code.lower() for code in one.object("type").codes()}]
        values = {number for one in marked or identifiers if (number := one.text("value"))}
        if len(values) > 1:
            claim.doubt("", "the payer's answer has several numbers; expected one, or one of the type `uc`")
        return min(values, default=None)
    return None
