"""The day on which a claim was sent, as of which it is judged.

What a person says of this claim or file goes before everything (a manifest), then what the claim says itself
(`received_date`), then `--received`, then what is around the claim: BHT04 of an 837, the time of a CloudEvent.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from io import StringIO

from worker.errors import ManifestInvalid
from worker.intake.document import Document

_COLUMNS = frozenset(("file", "claim_id", "sent"))


@dataclass(frozen=True, slots=True)
class Manifest:
    """Days that a person wrote down, by file name or by claim number."""

    files: Mapping[str, date] = field(default_factory=dict)
    claims: Mapping[str, date] = field(default_factory=dict)

    def day(self, document: Document) -> date | None:
        return self.claims.get(document.claim.claim_id) or self.files.get(document.file.rpartition("/")[2])


@dataclass(frozen=True, slots=True)
class Sending:
    """When a claim was sent."""

    day: date
    of_header: bool = False
    """Whether the header of the file says so, which may have been written anew since."""


def sent(document: Document, manifest: Manifest, given: date | None) -> Sending | None:
    """The day; None: nothing says it. `given`: --received."""
    if day := manifest.day(document) or document.claim.received_date or given:
        return Sending(day)
    if document.event and document.event.day:
        return Sending(document.event.day)
    return Sending(document.sent, of_header=True) if document.sent else None


def read_manifest(name: str, text: str) -> Manifest:
    """A CSV file with a header line: `sent` (YYYY-MM-DD), and `file` or `claim_id` or both, one of them filled a row.

    Raises:
        ManifestInvalid
    """
    rows = csv.DictReader(StringIO(text.removeprefix("\ufeff")), strict=True)
    try:
        columns = {(one or "").strip().lower() for one in rows.fieldnames or ()}
        if "sent" not in columns or not columns <= _COLUMNS or len(columns) < 2:
            raise ManifestInvalid(file=name, line=1, reason="the header line is none of this file")
        files: dict[str, date] = {}
        claims: dict[str, date] = {}
        for row in rows:
            said = {(key or "").strip().lower(): (value or "").strip() for key, value in row.items() if key}
            file, claim = said.get("file", ""), said.get("claim_id", "")
            if bool(file) == bool(claim) or None in row:
                raise ManifestInvalid(
                    file=name, line=rows.line_num, reason="the row names no file and no claim, or both"
                )
            where, key = (files, file.rpartition("/")[2]) if file else (claims, claim)
            day = _day(name, rows.line_num, said.get("sent", ""))
            if where.setdefault(key, day) != day:
                raise ManifestInvalid(file=name, line=rows.line_num, reason="the row gives another day than one before")
    except csv.Error:
        raise ManifestInvalid(file=name, line=rows.line_num, reason="the row is no CSV") from None
    return Manifest(files, claims)


def _day(name: str, line: int, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ManifestInvalid(file=name, line=line, reason="`sent` is no date") from None
