"""The rules on a claim's own amounts, dates and identifiers, as one function: most claims satisfy all of them.

Asked one by one, a dozen rules cost a dozen calls, and as many look-ups of facts that are first found missing. Plans of
many shapes have the same rules and share their function: claims of the bench have some eighty.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from rules.case import Case
from rules.engine.active import Scope, ScopedRules
from rules.facts.registry import DERIVED, DERIVED_OF_LINES

Known = Sequence[Sequence[Mapping[str, Any]]]
"""By layer and scope, the facts that the shape of a claim gives."""


class Spoken(NamedTuple):
    """What some rules came to on a claim; of no rules: they are quiet."""

    rules: ScopedRules
    """Those that have something to say."""
    facts: Sequence[tuple[Scope, str, Any]]
    """What was derived to find that: by scope and name, with its value."""


QUIET = Spoken((), ())


class Fused:
    """Several rules as one function."""

    def __init__(self, rules: ScopedRules, derived: Sequence[tuple[Scope, str]], ask: Callable[..., Any]) -> None:
        self._rules = rules
        self._derived = derived
        self._ask = ask

    def spoken(self, cases: Sequence[Case], known: Known) -> Spoken:
        """Which of the rules have anything to say, by the claim as each layer sees it and by what its shape gives.

        Raises what a fact or a rule raises, and KeyError for a fact that the shape should give and does not.
        """
        found = self._ask(cases, known)
        if found is None:
            return QUIET
        places, values = found
        facts = [(*of, value) for of, value in zip(self._derived, values, strict=True)]
        return Spoken(tuple([self._rules[place] for place in places]), facts)


@lru_cache(maxsize=512)
def fused(rules: ScopedRules, unshared: frozenset[str]) -> Fused | None:
    """`unshared`: the facts that the shape does not give. None: one of the rules looks at more than facts."""
    names = _Names(unshared)
    tests = [names.test(scope, one.version.quiet_text, one.version.quiet_constants) for scope, one in rules]
    if names.looks_further:
        return None
    body = [
        *names.derivations(),
        "found = []",
        *(f"if not {test}: found.append({place})" for place, test in enumerate(tests)),
        f"return (found, ({names.values()})) if found else None",
    ]
    exec("\n ".join(["def ask(cases, known):", *body]), names.constants)  # noqa: S102  as in rules/book/logic.py
    return Fused(rules, names.derived, names.constants["ask"])


_NAME = re.compile(r"\bf\['(?P<fact>\w+)'\]|\b(?P<constant>K_\w+)|\bf\b")
"""What a condition refers to: a fact, a constant, or the facts as a whole."""


class _Names:
    """Has the conditions of several rules read facts `f[name]` and constants by the names of one function.

    In their text, which is made of closed lists: by their syntax trees it takes Python five times as long.
    """

    def __init__(self, unshared: frozenset[str]) -> None:
        self.constants: dict[str, Any] = {"of_claim": DERIVED, "of_line": DERIVED_OF_LINES}
        self.looks_further = False
        """Whether a condition hands the facts on as a whole."""
        self._unshared = unshared
        self._variables: dict[tuple[Scope, str], str] = {}

    def test(self, scope: Scope, text: str, constants: Mapping[str, Any]) -> str:
        """The condition of a rule of this scope, with these constants."""
        renamed = {name: f"K{place}" for place, name in enumerate(constants, len(self.constants))}
        self.constants |= {renamed[name]: value for name, value in constants.items()}

        def named(found: re.Match[str]) -> str:
            fact, constant = found["fact"], found["constant"]
            if constant:
                return renamed[constant]
            if fact is None:
                self.looks_further = True
                return "f"
            return self._fact(scope, fact)

        return _NAME.sub(named, text)

    def _fact(self, scope: Scope, name: str) -> str:
        if name not in self._unshared:
            return f"known[{scope[0]}][{scope[1]}][{name!r}]"
        of = scope if name in DERIVED_OF_LINES else (scope[0], 0)
        return self._variables.setdefault((of, name), f"v{len(self._variables)}")

    @property
    def derived(self) -> tuple[tuple[Scope, str], ...]:
        """The facts that are derived, each with its scope."""
        return tuple(self._variables)

    def derivations(self) -> list[str]:
        """Derives each fact once, whatever number of rules read it."""
        return [
            f"{variable} = of_line[{name!r}](cases[{layer}], cases[{layer}].lines[{number - 1}])" if number
            else f"{variable} = of_claim[{name!r}](cases[{layer}])"
            for ((layer, number), name), variable in self._variables.items()
        ]  # fmt: skip

    def values(self) -> str:
        """What was derived, as parts of a tuple."""
        return "".join(f"{variable}, " for variable in self._variables.values())
