"""The data of the shipped YAML files, which is known, so that a load need not read YAML: that is half of its work.

`make catalogue` writes it beside the digest (ops/decisions/0010). An entry is believed only for a file of its name
with its content.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from rules.book.rulefile import read_document


@dataclass(frozen=True, slots=True)
class Parsed:
    """By name of a file: the digest of its content, and its data without the examples that end it."""

    files: Mapping[str, tuple[str, Any]] = field(default_factory=dict)

    def data(self, name: str, content: bytes) -> Any:
        """The file's data; None where it is not known."""
        digest, data = self.files.get(name, ("", None))
        return data if digest and sha256(content).hexdigest() == digest else None


def parsed_of(text: str) -> Parsed:
    """What `written` wrote; nothing where it is empty."""
    return Parsed(json.loads(text)) if text else Parsed()


def written(files: Mapping[str, bytes]) -> str:
    """The data of the YAML files among these, a line a file."""
    lines = []
    for name, content in sorted(files.items()):
        if name.endswith(".yaml"):
            data = read_document(name, content.decode("utf-8"), tried=True).data
            entry = json.dumps([sha256(content).hexdigest(), data], ensure_ascii=False, separators=(",", ":"))
            lines.append(f"{json.dumps(name)}:{entry}")
    return "{" + ",\n".join(lines) + "}\n"
