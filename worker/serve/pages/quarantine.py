"""What could not be read as a claim: since when, from whom, what is wrong, and what to do. Never its content."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from worker.pipeline.outlets import OutletEntry
from worker.pipeline.quarantine import advice
from worker.serve.pages.claimpage import sentence
from worker.serve.pages.words import Words

MOST = 200
"""Entries of the page; the command line has them all."""
_MOST_PROBLEMS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """An entry."""

    id: str
    when: str
    sender: str
    said: str
    problems: tuple[str, ...]
    more: int
    """Problems that are not listed."""
    todo: str


def quarantined(entry: OutletEntry, words: Words) -> Quarantined:
    """An entry as the page shows it."""
    data: Mapping[str, Any] = entry.data
    problems = [f"{one['path']}: {one['sentence']}" if one["path"] else one["sentence"] for one in data["problems"]]
    return Quarantined(
        id=entry.id,
        when=words.moment(entry.event["time"]),
        sender=str(entry.event.get("producer") or "the shared inbox"),
        said=sentence(str(data["sentence"]).rstrip(".") + "."),
        problems=tuple(problems[:_MOST_PROBLEMS]),
        more=max(0, len(problems) - _MOST_PROBLEMS),
        todo=advice(data["reason"]),
    )


def seen_by(
    entries: Iterable[OutletEntry], facilities: Mapping[str, str], scopes: frozenset[str] | None
) -> Iterable[OutletEntry]:
    """Those of facilities that the reader may see. `facilities`: by producer."""
    for entry in entries:
        if scopes is None or facilities.get(str(entry.event.get("producer", "")), "") in scopes:
            yield entry
