"""Of which files of a book it is known that their examples pass, since they passed where the shipped book was built."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rules.book.missing import MISSING
from rules.book.pack import Files

WHOLE = ("book.yaml", "sources.yaml", MISSING)
"""The files of a book that are none of a payer, a procedure or a rule."""
_WORDS_ALONE = ("sources.yaml", MISSING)
"""Those that no outcome rests on."""


def is_rule(name: str) -> bool:
    """Whether a file of a book, by its path, is a rule's."""
    apart = name in WHOLE or name.startswith("payers/") or name.endswith("/procedure.yaml")
    return name.endswith(".yaml") and not apart


def passed(files: Mapping[str, bytes], shipped: Callable[[], Mapping[str, bytes]], digest: str) -> frozenset[str]:
    """All files of the shipped book; in a copy of it the rules that are as shipped, as long as payers, procedures and
    tables are too. `digest`: of the book whose examples passed."""
    if Files(files).digest == digest:
        return frozenset(files)
    ours = shipped()
    if Files(ours).digest != digest:
        return frozenset()
    ground = {name for name in {*files, *ours} if not is_rule(name) and name not in _WORDS_ALONE}
    if any(_said(name, files) != _said(name, ours) for name in ground):
        return frozenset()
    return frozenset(name for name, content in files.items() if content == ours.get(name))


def _said(name: str, files: Mapping[str, bytes]) -> bytes | None:
    """A file's content, without what the book calls itself."""
    content = files.get(name)
    if content is None or name != "book.yaml":
        return content
    return b"\n".join(line for line in content.splitlines() if not line.startswith(b"version:"))
