"""What the claims of the last days were judged without, by the audit files of this machine, for the doctor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from rules.book.book import Book
from rules.engine.gaps import editions_at_hand
from worker.audit import log as audit
from worker.doctor.diagnosis import Diagnosis

_DAYS = 7
_MOST_BYTES = 2**28
"""Of audit files that are read, the newest first: some 150,000 claims, a second of work."""
_WANTED = b'"claim.wanted":['
_MOST = 8
"""Files to import that are named."""


def gaps(folder: Path, now: datetime, book: Book) -> Iterator[Diagnosis]:
    """A diagnosis for each official file that claims of the last seven days were judged without, and that the book
    still has not; none where nothing is known.

    Raises:
        OSError: a file cannot be read.
    """
    since = now.astimezone(UTC) - timedelta(days=_DAYS)
    files, whole = _newest(folder, since)
    # A decision counts where more lines decide it than take it back, and twice on record after a crash it is one.
    balance: Counter[str] = Counter()
    wanted: dict[str, tuple[str, list[str]]] = {}
    for file in files:
        for line in _lines(file, since.isoformat(timespec="seconds")[:19]):
            decision, scrubbed = line["claim.decision_id"], line["event.action"] == "claim.scrubbed"
            balance[decision] += 1 if scrubbed else -1
            claim = f"{line.get('claim.claim_id')} {line.get('claim.frequency_code')}"
            wanted[decision] = claim, line["claim.wanted"]
    standing = [one for decision, one in wanted.items() if balance[decision] > 0]
    claims = {(claim, what) for claim, found in standing for what in found}
    at_hand = editions_at_hand(book)
    counts = Counter(what for _, what in claims if what not in at_hand)
    where = "" if whole else " (of the newest audit files of this machine; older ones were not read)"
    for what, count in sorted(counts.items(), key=lambda one: (-one[1], one[0]))[:_MOST]:
        number = "1 claim was" if count == 1 else f"{count} claims were"
        sentence = f"{number} judged without {what} in the last {_DAYS} days{where}."
        yield Diagnosis("poor", "gaps", sentence, f"Import {what}: scrub tables import FILE...")


def _newest(folder: Path, since: datetime) -> tuple[list[Path], bool]:
    """The audit files that were written since then, the newest first, and whether these are all."""
    found = []
    if folder.is_dir():
        for file in folder.iterdir():
            if audit.chain_of(file.name) and file.suffix == ".jsonl" and file.is_file():
                state = file.stat()
                if state.st_mtime >= since.timestamp():
                    found.append((state.st_mtime, state.st_size, file))
    kept: list[Path] = []
    size = 0
    for _, length, file in sorted(found, reverse=True):
        size += length
        if kept and size > _MOST_BYTES:
            return kept, False
        kept.append(file)
    return kept, True


def _lines(file: Path, since: str) -> Iterator[dict[str, Any]]:
    """The lines that decide a claim with something to import, or take one back."""
    with file.open("rb") as stream:
        for raw in stream:
            if _WANTED not in raw:
                continue
            try:
                line = orjson.loads(raw)
            except orjson.JSONDecodeError:
                continue  # cut off by a crash
            if str(line.get("@timestamp", "")) >= since and line.get("event.action") in _COUNTED:
                yield line


_COUNTED = ("claim.scrubbed", "claim.superseded")
