"""What reading a file comes to, a document at a time: it was read, refused, or passed by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from rules.claim import Claim
from rules.errors import Problem
from worker.intake.events import ClaimEvent, claim_of


@dataclass(frozen=True, slots=True)
class Document:
    """A claim that could be read."""

    file: str
    position: str
    """`line 3`, `item 3` of an array, `line 3 entry 2` of a Bundle; all count from 1. In an X12 file control numbers,
    claim and segment."""
    number: int
    claim: Claim
    value: dict[str, Any]
    """The claim in the form of the claim model, or the CloudEvent around it, as decoded JSON."""
    event: ClaimEvent | None = None
    """The envelope, where the document is a CloudEvent."""
    origin: str = ""
    """What the file itself calls this claim, for the id of its event; empty: its number. Of a claim in an X12 file:
    control number and ordinal of interchange, group and set, and the claim's ordinal."""
    trace: Mapping[str, Any] | None = field(default=None, repr=False)
    """Of a claim in an X12 file: what its acknowledgment needs beside the claim; identifies persons."""

    def __reduce__(self) -> tuple[Any, ...]:
        """A claim of an X12 file goes from one process to another by its value, of which it is read again."""
        return _again, (self.file, self.position, self.number, self.value, self.origin, self.trace)

    @property
    def sent(self) -> date | None:
        """Of a claim in an X12 file: the day on which its transaction set was made (BHT04)."""
        text = str((self.trace or {}).get("sent", ""))
        if len(text) != 8 or not (text.isascii() and text.isdigit()):
            return None
        try:
            return date.fromisoformat(text)
        except ValueError:
            return None


def _again(file: str, position: str, number: int, value: dict[str, Any], origin: str, trace: Any) -> Document:
    return Document(file, position, number, claim_of(value), value, origin=origin, trace=trace)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A document, or a whole file, that could not be read."""

    file: str
    position: str
    number: int
    """As of a Document; 0 where it is not one document but the file or its envelope."""
    problems: tuple[Problem, ...]
    origin: str = ""
    trace: Mapping[str, Any] | None = field(default=None, repr=False)

    @property
    def sentence(self) -> str:
        """The first problem; `problems` has them all. It may quote an unknown key: for the user, not for a log."""
        return str(self.problems[0])

    def __str__(self) -> str:
        where = f"{self.file}: {self.position}" if self.position else self.file
        more = len(self.problems) - 1
        return f"{where}: {self.sentence}" + (f" (and {more} more)" if more else "")


@dataclass(frozen=True, slots=True)
class Passed:
    """A FHIR resource that is no Claim: nothing is wrong with it, and nothing is checked."""

    file: str
    position: str
    number: int
    kind: str
    """Its resource type."""


Found = Document | Refusal | Passed
