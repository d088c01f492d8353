"""The claims on the disk, from reading to counting: a temporary database that is gone with the process.

Memory does not grow with their number. They come in the order of the files and are judged patient by patient, each
patient's by day, so that one ledger at a time is enough.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import date
from itertools import groupby
from typing import Any, NamedTuple

from worker.backtest.taking import TakenClaim

_TABLES = """
CREATE TABLE claim (
  seq INTEGER PRIMARY KEY, patient TEXT, day TEXT, file INTEGER, made TEXT, name TEXT, digest TEXT, value BLOB,
  served TEXT, claimed INTEGER
);
CREATE TABLE once (same BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE verdict (seq INTEGER PRIMARY KEY, said BLOB);
"""
_ORDER = "CREATE INDEX claim_order ON claim (patient, day, seq)"
_RESTATE = """
UPDATE claim SET day = served WHERE made <> '' AND served > day AND made IN (
  SELECT made FROM claim WHERE made <> '' GROUP BY made HAVING 2 * SUM(served > day) > COUNT(*)
)
"""


class Waiting(NamedTuple):
    """A claim that is to be judged."""

    seq: int
    patient: str
    """Empty: nobody's."""
    day: date
    """On which it was sent."""
    claim_id: str
    digest: str
    value: bytes
    """JSON."""


class Spool:
    """Enter all claims, then `restate`, then judge."""

    def __init__(self, base: sqlite3.Connection) -> None:
        self._base = base
        self.count = 0
        """Claims that are kept."""
        base.execute("PRAGMA synchronous = OFF")
        base.execute("PRAGMA journal_mode = OFF")
        base.executescript(_TABLES)
        base.execute("BEGIN")

    def enter(self, one: TakenClaim) -> bool:
        """Keeps a claim; False: the very same was there before."""
        try:
            self._base.execute("INSERT INTO once VALUES (?)", (one.same,))
        except sqlite3.IntegrityError:
            return False
        self.count += 1
        row = (
            self.count, one.patient, one.day, one.number, one.made, one.claim_id, one.digest, one.value, one.served,
        )  # fmt: skip
        self._base.execute("INSERT INTO claim VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0)", row)
        return True

    def restate(self) -> int:
        """Where most claims of a set were served after the day in its header, that is not the day on which they were
        sent: these were sent on their last day of service at the earliest, which stands in. How many they are.

        One claim among many with a date of service in the future is a slip on the claim, and stays as it is.
        """
        changed = self._base.execute(_RESTATE).rowcount
        self._base.execute(_ORDER)
        return changed

    def period(self) -> tuple[str | None, str | None]:
        """The first and the last day on which a claim was sent."""
        first, last = self._base.execute("SELECT MIN(day), MAX(day) FROM claim").fetchone()
        return first, last

    def sent_before(self, day: date) -> int:
        found: int = self._base.execute("SELECT COUNT(*) FROM claim WHERE day < ?", (day.isoformat(),)).fetchone()[0]
        return found

    def chunks(self, size: int) -> Iterator[list[Waiting]]:
        """The claims by patient and day; all of a patient, at least `size` of them, at once. Those of nobody are each
        for themselves."""
        rows = self._base.execute("SELECT seq, patient, day, name, digest, value FROM claim ORDER BY patient, day, seq")
        chunk: list[Waiting] = []
        for patient, group in groupby(map(_waiting, rows), key=lambda one: one.patient):
            for one in group:
                chunk.append(one)
                if not patient and len(chunk) >= size:
                    yield chunk
                    chunk = []
            if len(chunk) >= size:
                yield chunk
                chunk = []
        if chunk:
            yield chunk

    def judged(self, verdicts: Iterable[tuple[int, bytes]]) -> None:
        """Keeps what came of the claims."""
        self._base.executemany("INSERT INTO verdict VALUES (?, ?)", verdicts)

    def verdict(self, seq: int) -> bytes:
        """What came of a claim, as JSON."""
        found: bytes = self._base.execute("SELECT said FROM verdict WHERE seq = ?", (seq,)).fetchone()[0]
        return found

    def answered(self, numbers: Iterable[int]) -> None:
        """Notes that payers answered the claims."""
        self._base.executemany("UPDATE claim SET claimed = 1 WHERE seq = ?", ((seq,) for seq in numbers))

    def by_file(self) -> dict[int, tuple[int, int]]:
        """By file the claims that were kept, and those that were answered."""
        rows = self._base.execute("SELECT file, COUNT(*), SUM(claimed) FROM claim GROUP BY file")
        return {file: (count, answered) for file, count, answered in rows}


def _waiting(row: tuple[Any, ...]) -> Waiting:
    seq, patient, day, name, digest, value = row
    return Waiting(seq, patient, date.fromisoformat(day), name, digest, value)


@contextmanager
def spool() -> Iterator[Spool]:
    """One of its own for one backtest."""
    with closing(sqlite3.connect("", isolation_level=None)) as base:
        yield Spool(base)
