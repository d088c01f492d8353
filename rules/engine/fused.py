"""The rules on a claim's own amounts, dates and identifiers, as one function: most claims satisfy all of them.

Asked one by one, a dozen rules cost a dozen calls, and as many look-ups of facts that are first found missing. Plans of
many shapes have the same rules and share their function: the library has some sixty.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any

from rules.case import Case
from rules.engine.active import ScopedRules
from rules.facts.registry import DERIVED, DERIVED_OF_LINES

AllQuiet = Callable[[Case, Sequence[Mapping[str, Any]]], bool]
"""Whether none of the rules has anything to say, by the claim and by what its shape tells of each scope.

Raises what a fact or a rule raises, and KeyError for a fact that the shape should tell and does not."""
_FACT, _CONSTANT, _FACTS = re.compile(r"\bf\['(\w+)'\]"), re.compile(r"\bK_"), re.compile(r"\bf\b")


@lru_cache(maxsize=512)
def fused(rules: ScopedRules, unshared: frozenset[str]) -> AllQuiet | None:
    """`unshared`: the facts that the shape does not tell. None: one of the rules looks at more than facts."""
    constants: dict[str, Any] = {"D": DERIVED, "DL": DERIVED_OF_LINES}
    derived: dict[str, str] = {}
    terms = []
    for place, (number, one) in enumerate(rules):
        text = _FACT.sub(partial(_read, number, unshared, derived), one.version.quiet_text)
        if _FACTS.search(text):
            return None
        terms.append(_CONSTANT.sub(f"K{place}_", text))
        constants |= {_CONSTANT.sub(f"K{place}_", name): value for name, value in one.version.quiet_constants.items()}
    body = [f" {variable} = {how}" for how, variable in derived.items()]
    source = "\n".join(["def quiet(c, k):", *body, f" return {' and '.join(terms) or 'True'}"])
    exec(source, constants)  # noqa: S102  the text is ours, as in rules/book/logic.py
    quiet: AllQuiet = constants["quiet"]
    return quiet


def _read(scope: int, unshared: frozenset[str], derived: dict[str, str], found: re.Match[str]) -> str:
    """The fact as an expression: told by the shape, or a variable that is derived from the claim once."""
    name = found[1]
    if name not in unshared:
        return f"k[{scope}][{name!r}]"
    how = f"DL[{name!r}](c, c.lines[{scope - 1}])" if name in DERIVED_OF_LINES else f"D[{name!r}](c)"
    return derived.setdefault(how, f"v{len(derived)}")
