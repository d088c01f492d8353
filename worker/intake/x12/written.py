"""What every answer to an X12 file is written with: text, amounts, segments, the interchange around them."""

from __future__ import annotations

import shutil
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import IO, Any

OWN_NAME = "CLAIM SCRUBBER"
OWN_ID = "CLAIMSCRUBBER"
_UNKNOWN = "UNKNOWN"


class ControlNumbers:
    """Control numbers that this process has not used; nor has another one, but for what it used in the same second."""

    last = 0

    @classmethod
    def next(cls, now: datetime) -> int:
        """One more, of nine digits at most."""
        cls.last = max(cls.last + 1, int(now.timestamp()))
        return cls.last % 10**9


def money(amount: Decimal) -> str:
    """Dollars as X12 writes them, without closing zeros behind the point."""
    text = f"{amount:.2f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def plain(text: str, longest: int) -> str:
    """Text of the X12 basic and extended character sets, without the separators of this interchange."""
    ascii = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return "".join(" " if c in "*~:^" or not c.isprintable() else c for c in ascii).strip()[:longest].strip()


def must(text: str | None, longest: int, otherwise: str = _UNKNOWN) -> str:
    """As `plain`, for an element that the guide requires."""
    return plain(text or "", longest) or otherwise


def send(out: IO[bytes], segment: str) -> None:
    """Writes a segment; what is empty at its end is left out."""
    out.write(segment.rstrip("*").encode("ascii") + b"~\n")


def pour(source: IO[bytes], target: IO[bytes]) -> None:
    """All of the source, which is gone afterwards."""
    with source:
        source.seek(0)
        shutil.copyfileobj(source, target)


def isa(
    now: datetime, sender: tuple[str, str], receiver: tuple[str, str], control: int, parties: Mapping[str, Any]
) -> str:
    """The header of an answer; `parties`: of what it answers, for its usage (test or production)."""
    usage = "T" if parties.get("usage") == "T" else "P"
    (own, name), (its, other) = sender, receiver
    return (
        f"ISA*00*          *00*          *{own:<2}*{name:<15}*{its:<2}*{other:<15}"
        f"*{now:%y%m%d}*{now:%H%M}*^*00501*{control:09d}*0*{usage}*:"
    )
