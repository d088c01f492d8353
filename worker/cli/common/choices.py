"""What may stand for a rule, a payer or an outlet on the command line: completed by the shell, and guessed where it is
not quite one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from worker.store.outletspecs import OUTLETS

if TYPE_CHECKING:
    from rules.book.book import Book

_RULE = re.compile(r"([A-Z]{2,4}\d{3})\b.*\.yaml\Z")


def codes(incomplete: str) -> list[str]:
    """Codes of rules that begin so, by the names of their files: a shell does not wait until a book is read."""
    found = {match[1] for file in _library().rglob("*.yaml") if (match := _RULE.match(file.name))}
    return _beginning(found, incomplete)


def payers(incomplete: str) -> list[str]:
    """Keys of payers that begin so."""
    return _beginning((file.stem for file in (_library() / "payers").glob("*.yaml")), incomplete)


def outlets(incomplete: str) -> list[str]:
    """Names of outlets that begin so."""
    return _beginning(OUTLETS, incomplete)


def payer_named(text: str, book: Book) -> str:
    """A payer of the book, or payer/plan, whatever its capitals.

    Raises:
        typer.BadParameter: it is none; with a guess, where one is near.
    """
    key, _, plan = text.strip().lower().partition("/")
    known = book.registry.payers
    if key not in known:
        raise typer.BadParameter(f"{text!r} is no payer of the book.{_near(key, known)} Expected: {', '.join(known)}.")
    plans = known[key].plans
    if plan and plan not in plans:
        there = f"There are: {', '.join(plans)}." if plans else "It has none."
        raise typer.BadParameter(f"{plan!r} is no plan of {key}.{_near(plan, plans)} {there}")
    return f"{key}/{plan}" if plan else key


def _near(text: str, known: Iterable[str]) -> str:
    found = get_close_matches(text, list(known), n=1, cutoff=0.6)
    return f" Did you mean {found[0]}?" if found else ""


def _beginning(known: Iterable[str], incomplete: str) -> list[str]:
    return sorted(one for one in known if one.startswith(incomplete))


def _library() -> Path:
    """The folder of rules that this shell's commands would read; of a packed book, the shipped one."""
    import rules

    named = Path(os.environ.get("SCRUB_BOOK") or ".nothing")
    return named if named.is_dir() else Path(rules.__file__).parent / "library"
