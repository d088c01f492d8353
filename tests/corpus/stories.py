"""The corpus: claims that a payer pays (good/) and claims that it does not (denied/), as billers meet them.

Each file holds stories, each a small difference from the base claim of its role (rules/examples.py), laid over
the difference that its file states once for all its stories. A file's `payer` and `bills_as` hold for the
stories that do not state their own.

    good      no block and no warn finding may appear; `notes`: the codes that are shown as notes, no others
    denied    `code` must appear with `severity` (block where it is not said), and no other block; `with`: the codes
              that the same mistake blocks as well
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rules.book import Book
from rules.claim import Claim, read_claim
from rules.examples import example_claim, merged
from rules.report import Report
from rules.rulefile import read_document
from rules.trial import payer_part

FOLDER = Path(__file__).parent
_KEYS = {"name", "claim", "payer", "bills_as", "notes", "code", "severity", "with"}


@dataclass(frozen=True, slots=True)
class Story:
    """One claim and what must be said of it."""

    file: str
    name: str
    payer: str
    bills_as: str
    data: dict[str, Any]
    claim: Claim
    code: str | None
    """None: a good claim."""
    severity: str
    beside: frozenset[str]
    notes: frozenset[str]

    def fault(self, report: Report) -> str | None:
        """What in the report contradicts the story, or None."""
        blocks, warns, notes = (set(report.codes(severity)) for severity in ("block", "warn", "note"))  # type: ignore[arg-type]
        if self.code is None:
            if blocks or warns:
                return f"a claim that is paid, but block {sorted(blocks)}, warn {sorted(warns)}"
            return None if notes == self.notes else f"notes {sorted(notes)} instead of {sorted(self.notes)}"
        found = {"block": blocks, "warn": warns, "note": notes}[self.severity]
        if self.code not in found:
            return f"no {self.severity} {self.code}; block {sorted(blocks)}, warn {sorted(warns)}, note {sorted(notes)}"
        others = blocks - self.beside - ({self.code} if self.severity == "block" else set())
        if others or self.beside - blocks:
            return f"block {sorted(blocks)} instead of {sorted({self.code, *self.beside})}"
        return None


def read_stories(book: Book) -> tuple[Story, ...]:
    """Every story of the corpus, in the order of the files."""
    return tuple(story for path in sorted(FOLDER.glob("*/*.yaml")) for story in _of_file(book, path))


def _of_file(book: Book, path: Path) -> Iterator[Story]:
    name = path.relative_to(FOLDER).as_posix()
    document = read_document(name, path.read_text(encoding="utf-8"))
    assert not document.problems, document.problems
    head, good = document.data, path.parent.name == "good"
    for entry in head["stories"]:
        assert entry.keys() <= _KEYS, f"{name}: {entry['name']}: {entry.keys() - _KEYS}"
        assert ("code" in entry) is not good, f"{name}: {entry['name']}: `code` is for denied claims, and each has one"
        payer, role = entry.get("payer", head.get("payer")), entry.get("bills_as", head.get("bills_as"))
        difference = merged(head.get("claim") or {}, entry.get("claim") or {})
        data = example_claim(role, difference, payer_part(book, payer))
        yield Story(
            file=name,
            name=entry["name"],
            payer=payer,
            bills_as=role,
            data=data,
            claim=read_claim(data),
            code=entry.get("code"),
            severity=entry.get("severity", "block"),
            beside=frozenset(entry.get("with", ())),
            notes=frozenset(entry.get("notes", ())),
        )
