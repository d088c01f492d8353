"""SCRUB_MODE, SCRUB_GAPS and SCRUB_SEND_*: one word for all payers, and others for some of them.

`observe`; `observe,medicare:enforce`; `uhc:observe` (or `observe:uhc`); in SCRUB_MODE also a rule's code for a payer.
Where a payer is named that the book does not know, reading the overrides says so: settings know no book.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from pydantic_core import PydanticCustomError

from rules.terms import GAP_ROUTES, MODES

ALL = ""
"""Stands for all payers."""
_PAYER = re.compile(r"[a-z0-9_]+(?:/[a-z0-9_]+)?")
_CODE = re.compile(r"[A-Z]{3}[0-9]{3}")


def words(text: str, known: Sequence[str], names: Callable[[str], bool]) -> Mapping[str, str]:
    """The word for each payer, plan or rule; ALL: for those that are not named.

    Raises:
        ValueError: with a sentence.
    """
    found: dict[str, str] = {}
    for part in filter(None, (one.strip() for one in text.split(","))):
        left, colon, right = (one.strip() for one in part.partition(":"))
        name, word = (left, right) if right in known else (right, left)
        if word not in known or bool(name) != bool(colon) or not (names(name) or not name):
            raise ValueError(_expected(known))
        if name in found:
            raise ValueError(f"says twice what holds for {name or 'all payers'}")
        found[name] = word
    return found


def _expected(known: Sequence[str]) -> str:
    return f"expected {', '.join(known[:-1])} or {known[-1]}, each alone or as payer:{known[0]}, with commas between"


def _payer(name: str) -> bool:
    return _PAYER.fullmatch(name) is not None


def _payer_or_rule(name: str) -> bool:
    return _payer(name) or is_rule(name)


def is_rule(name: str) -> bool:
    """Whether it is the code of a rule, and no payer."""
    return _CODE.fullmatch(name) is not None


def modes(text: str) -> Mapping[str, str]:
    """SCRUB_MODE. Raises what `words` raises."""
    return words(text, MODES, _payer_or_rule)


def gaps(text: str) -> Mapping[str, str]:
    """SCRUB_GAPS. Raises what `words` raises."""
    return words(text, GAP_ROUTES, _payer)


def sends(text: str) -> Mapping[str, str]:
    """SCRUB_SEND_UNCHECKED and SCRUB_SEND_UNDECIDED. Raises what `words` raises."""
    return words(text, ("keep", "send"), _payer)


def sent(said: Mapping[str, str], payer: str | None, plan: str | None) -> bool:
    """Whether a claim of this payer and plan is sent; None: the book does not know them."""
    names = (f"{payer}/{plan}", payer, ALL) if payer else (ALL,)
    return next((said[name] for name in names if name in said), "keep") == "send"


def checked(read: Callable[[str], Mapping[str, str]]) -> Callable[[str], str]:
    """As a setting is checked: the text as it is, or a sentence."""

    def check(text: str) -> str:
        try:
            read(text)
        except ValueError as error:
            raise PydanticCustomError("routing", "{sentence}", {"sentence": str(error)}) from None
        return text

    return check


def entries(mode: str, gap_routes: str) -> str:
    """Both as the text of overrides; empty: they say what holds anyway."""
    lines = []
    for setting, key, said in (("SCRUB_MODE", "mode", modes(mode)), ("SCRUB_GAPS", "gaps", gaps(gap_routes))):
        if said in ({}, {ALL: "enforce"}, {ALL: "billing"}):
            continue
        for name, word in sorted(said.items()):
            slug = "-".join(filter(None, ("scrub", key, re.sub(r"[^a-z0-9]", "-", name.lower()))))
            lines += [f"  - name: {slug}", f"    {key}: {word}"]
            if name:
                lines.append(f"    rule: {name}" if is_rule(name) else f"    payers: [{name}]")
            lines += [f"    reason: the setting {setting}", "    owner: the settings", "    expires: 9999-12-31"]
    return "\n".join(["overrides:", *lines, ""]) if lines else ""
