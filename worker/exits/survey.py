"""What the bytes of an 837 say of its claims before any of them is judged: which cannot go on, and which is another
one once more. What would be in no file must not be sent to billing either.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import IO

from worker.errors import SplitFailed
from worker.exits.levels import Levels, parts
from worker.exits.outgoing import Source
from worker.exits.split import ALONE, same_as, unfit, unmendable
from worker.intake.document import Document


@dataclass(slots=True)
class Survey:
    """Of one file. Its claims are to be asked for in their order."""

    unmended: frozenset[int]
    claims: list[tuple[bool, bytes]]
    """Of each: whether all levels that it needs are open around it, and the digest of its bytes."""
    interchanges: int
    _seen: dict[bytes, int] = field(default_factory=dict)

    def stays(self, document: Document) -> str:
        """Why a claim goes into no file, whatever its verdict; empty: it goes.

        Raises:
            SplitFailed: the reader saw other claims.
        """
        if document.number > len(self.claims):
            raise SplitFailed("the claims that were read are not those that are found in its bytes")
        return unfit(document, self.unmended) or ("" if self.claims[document.number - 1][0] else ALONE)

    def first(self, document: Document, digest: str) -> tuple[int, str] | None:
        """Number of the claim of this file that it repeats, and the sentence; `digest`: over what was read of it."""
        bytes_of = self.claims[document.number - 1][1]
        before = self._seen.setdefault(hashlib.sha256(bytes.fromhex(digest) + bytes_of).digest(), document.number)
        return (before, same_as(before)) if before != document.number else None


def survey(plain: IO[bytes]) -> Survey:
    """Goes through the bytes once.

    Raises:
        SplitFailed
    """
    unmended = unmendable(plain, trial=False)
    plain.seek(0)
    levels, source, claims, interchanges = Levels(), Source(plain), [], 0
    for part in parts(plain):
        levels.step(part)
        interchanges += part.mark.name == "ISA"
        if part.mark.name == "CLM":
            digest = hashlib.sha256()
            for chunk in source.chunks(part.mark.start, part.end):
                digest.update(chunk)
            claims.append((levels.around is not None, digest.digest()))
    plain.seek(0)
    return Survey(unmended, claims, interchanges)
