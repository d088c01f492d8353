"""Three-valued conditions as Python expressions, so that a rule costs a claim one call.

A condition is two expressions over `f`, the facts: when it is certainly true, and when it is certainly false. A claim
whose facts are missing may make neither hold. The text is made from the closed lists of `rules/book/conditions.py`;
what a rule file says enters as constants beside it, never as code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import CodeType
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Asked:
    """One test as the rule file has it, for people."""

    fact: str
    test: str
    against: str | tuple[str, ...]
    """What the rule file compares with, as it stands there."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition and the facts that it reads, in the order of the file."""

    true: str
    false: str
    facts: tuple[str, ...] = ()
    constants: Mapping[str, Any] = field(default_factory=dict)
    """What the expressions refer to, by names that are unique in a rule file."""
    asked_missing: tuple[str, ...] = ()
    """Those of the facts that are asked whether they are missing."""
    parts: tuple[Condition, ...] = ()
    """What it is made of; none: it is a test of its facts."""
    join: Literal["all", "any", "not"] | None = None
    """How its parts are joined."""
    asks: Asked | None = None
    """What a test asks."""

    def test(self, facts: Any) -> bool | None:
        """True, False, or None where a missing fact would decide. For explaining, not for judging."""
        if compiled(self.true, self.constants)(facts):
            return True
        return False if compiled(self.false, self.constants)(facts) else None

    def gaps(self, facts: Any) -> tuple[str, ...]:
        """The missing facts that keep it from being true or false; none where it is one of them."""
        if self.test(facts) is not None:
            return ()
        if not self.parts:
            return tuple(name for name in self.facts if facts[name] is None)
        return tuple(dict.fromkeys(name for part in self.parts for name in part.gaps(facts)))


ALWAYS = Condition("True", "False")
NEVER = Condition("False", "True")


def every(parts: Iterable[Condition]) -> Condition:
    """False if any part is false, whatever is unknown beside it."""
    return _joined(list(parts), "all", "and", "or")


def some(parts: Iterable[Condition]) -> Condition:
    """True if any part is true, whatever is unknown beside it."""
    return _joined(list(parts), "any", "or", "and")


def negated(part: Condition) -> Condition:
    """Unknown stays unknown."""
    return Condition(part.false, part.true, part.facts, part.constants, part.asked_missing, (part,), "not")


def _joined(parts: list[Condition], join: Literal["all", "any"], of_true: str, of_false: str) -> Condition:
    if len(parts) == 1:
        return parts[0]
    return Condition(
        f"({f' {of_true} '.join(part.true for part in parts)})",
        f"({f' {of_false} '.join(part.false for part in parts)})",
        tuple(dict.fromkeys(name for part in parts for name in part.facts)),
        {name: value for part in parts for name, value in part.constants.items()},
        tuple(dict.fromkeys(name for part in parts for name in part.asked_missing)),
        tuple(parts),
        join,
    )


def compiled(expression: str, constants: Mapping[str, Any]) -> Callable[[Any], Any]:
    """A function of the facts."""
    function: Callable[[Any], Any] = eval(_code(expression), dict(constants))  # noqa: S307  the text is ours
    return function


@lru_cache(maxsize=4_096)
def _code(expression: str) -> CodeType:
    return compile(f"lambda f: {expression}", "<condition>", "eval")
