"""One act on several claims: each for itself, with its result, so that one that is refused stops no other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from worker.desk.cases import Case
from worker.desk.tabled import sums_text
from worker.desk.wanted import Listed, Sums
from worker.serve.pages.words import counted, money

BulkKind = Literal["assign", "pend", "note"]
BULK: tuple[BulkKind, ...] = get_args(BulkKind)
MOST = 200
"""Cases of one act."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picked:
    """A case that was ticked, at the version that was seen."""

    handle: str
    version: int

    @classmethod
    def of(cls, text: str) -> Picked | None:
        """From a form: `HANDLE:VERSION`; None: it is none."""
        handle, _, version = text.partition(":")
        if not handle.isalnum() or not version.isdecimal() or len(text) > 40:
            return None
        return cls(handle=handle, version=int(version))

    def __str__(self) -> str:
        return f"{self.handle}:{self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of the act on one of them."""

    handle: str
    number: str
    """Empty: the case is not there."""
    done: bool
    said: str


def summed(cases: list[Case]) -> str:
    """`3 claims, $2,700.00 charged, $500.00 expected`."""
    found = Sums.of(Listed(one.handle, one.charge_cents, "unknown", one.expected) for one in cases)
    return f"{counted(len(cases), 'claim')}, {sums_text(found, money)}"
