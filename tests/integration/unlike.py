"""Small books and overrides of a hospital's own, for tests of what the workers judge by."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from rules.book.overridefile import read_overrides
from rules.book.pack import Files
from rules.errors import OverridesInvalid
from rules.loader import read_book
from tests.rules.small import FILE, LIBRARY_FILES, RULE
from worker.pipeline.outlets import tail
from worker.store.connections import Store
from worker.store.outletspecs import JUDGED

OVERRIDES = """\
overrides:
  - name: {name}
    rule: UNT001
    severity: warn
    payers: [medicare]
    reason: a letter
    owner: J. Miller
    expires: {last}
    written_for: "{pin}"
"""


def small(version: str = "1", title: str = "One unit", more: Mapping[str, bytes] | None = None) -> Files:
    """A book with one rule; `title` edits it under the same version."""
    head = f'version: "{version}"\ncovers_from: 2023-01-01\n'.encode()
    rule = RULE.replace("title: One unit", f"title: {title}")
    return Files({**LIBRARY_FILES, FILE: rule.encode(), "book.yaml": head, **(more or {})})


def written(folder: Path, files: Files) -> Path:
    """The book as a folder."""
    for name, content in files.library.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def overrides(files: Files, name: str = "a", last: str = "2030-01-31") -> str:
    """A file of overrides that fits the book."""
    text = OVERRIDES.format(name=name, last=last, pin="0" * 12)
    with pytest.raises(OverridesInvalid) as caught:
        read_overrides("o", re.sub(r"    written_for.*\n", "", text), read_book(files.library))
    return text.replace("0" * 12, str(caught.value.problems[0]).split()[-2])


def judged(store: Store) -> dict[str, str]:
    """The digest of what judged each claim, by claim."""
    found = (e for name in JUDGED for e in tail(store.redis, store.keys, name))
    return {e.data["report"]["claim_id"]: e.data["report"]["book"]["digest"] for e in found}
