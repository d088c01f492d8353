"""What the audit log says of one claim: its lines, and whether each is as it was written."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import orjson

from worker.audit import chains, check
from worker.audit.ends import ends, longest
from worker.audit.lines import DECIDES, AuditLine, FileState
from worker.audit.log import Head
from worker.store.keyring import Ring


@dataclass(frozen=True, slots=True)
class ClaimLine:
    """An audit line that names the claim."""

    file: Path
    number: int
    """From 1, in its file."""
    state: FileState
    """How the line is: sound, or what the check of its file found at it or before it."""
    line: AuditLine

    @property
    def decision_id(self) -> str:
        return self.line.get("claim.decision_id", "")

    @property
    def moment(self) -> str:
        """When it was written, ISO 8601 in UTC."""
        return self.line["@timestamp"]


def claim_lines(folder: Path, claim_id: str, ring: Ring, heads: Mapping[str, Head] | None) -> list[ClaimLine]:
    """Every line of a folder's audit files that names the claim, the oldest first. Of several copies of a chain the one
    that holds most is read.

    `heads`: the ends of the chains, as Redis knows them; None: it was not asked, so a cut tail stays unseen.

    Raises:
        OSError
    """
    needle = orjson.dumps({"claim.claim_id": claim_id})[1:-1]
    found = [one for file in _longest(folder) for one in _of_file(file, needle, ring, heads)]
    return _in_order(one for one in found if one.line.get("claim.claim_id") == claim_id)


def all_lines(folder: Path, ring: Ring, since: float = 0) -> dict[str, list[ClaimLine]]:
    """Every sound line of a folder's audit files that names a claim, by claim number, the oldest first. Redis is not
    asked, so a cut tail stays unseen. Files that nobody wrote to since then (seconds since 1970) are passed over.

    Raises:
        OSError
    """
    return by_claim(folder_lines(folder, ring, since))


def folder_lines(folder: Path, ring: Ring, since: float = 0) -> Iterator[ClaimLine]:
    """Every line of a folder's audit files that names a claim, as `all_lines` reads them, sound or not.

    Raises:
        OSError
    """
    for file in _longest(folder):
        if file.stat().st_mtime >= since:
            yield from _of_file(file, b'"claim.claim_id":', ring, None)


def by_claim(lines: Iterable[ClaimLine]) -> dict[str, list[ClaimLine]]:
    """The sound ones by claim number, the oldest first."""
    found = defaultdict[str, list[ClaimLine]](list)
    for one in _in_order(lines):
        claim_id = one.line.get("claim.claim_id")
        if claim_id is not None and one.state == "sound":
            found[claim_id].append(one)
    return dict(found)


def _in_order(lines: Iterable[ClaimLine]) -> list[ClaimLine]:
    return sorted(lines, key=lambda one: (one.moment, one.number))


def _longest(folder: Path) -> list[Path]:
    return [end.file for end in longest(ends(folder)).values()]


def _of_file(file: Path, needle: bytes, ring: Ring, heads: Mapping[str, Head] | None) -> list[ClaimLine]:
    with file.open("rb") as lines:
        raw = [(number, line) for number, line in enumerate(lines, 1) if needle in line]
    if not raw:
        return []
    done = check.verify(file, ring) if heads is None else chains.verify(file, ring, heads, {})
    found = []
    for number, text in raw:
        try:
            line = cast(AuditLine, orjson.loads(text))
        except orjson.JSONDecodeError:  # the last one, which a crash cut off before it counted
            continue
        found.append(ClaimLine(file, number, _state(done, number), line))
    return found


def _state(done: check.FileCheck, number: int) -> FileState:
    """Of one line: those before the first that does not verify are as they were written, whatever came after."""
    return done.state if number > done.lines or done.state == "unknown" else "sound"


def standing(lines: Sequence[ClaimLine]) -> list[ClaimLine]:
    """The decisions that stand, the oldest first, each once: of a line that was written twice, the last."""
    counts = Counter[str]()
    last = dict[str, ClaimLine]()
    for one in lines:
        action = one.line["event.action"]
        if action in DECIDES:
            counts[one.decision_id] += 1
            last.pop(one.decision_id, None)
            last[one.decision_id] = one
        elif action == "claim.superseded":
            counts[one.decision_id] -= 1
    return [one for decision, one in last.items() if counts[decision] > 0]
