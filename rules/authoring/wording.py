"""What the shipped library owes a biller of each rule, and an older book or a hospital's own may leave out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rules.book.rule import Rule
from rules.errors import RuleProblem


def unworded(rules: Iterable[Rule]) -> Iterator[RuleProblem]:
    """The rules that do not say which slip brings them, or what is wrong where they fail."""
    for rule in rules:
        if rule.cause is None:
            sentence = (
                "is missing: the slip that brings it, of rules/causes.py, so that one slip is shown as one finding"
            )
            yield RuleProblem(f"{rule.file}.yaml", 1, 1, "cause", sentence)
        if rule.fault is None:
            sentence = "is missing: what is wrong where the rule fails, in a few words; `title` says what is right"
            yield RuleProblem(f"{rule.file}.yaml", 1, 1, "fault", sentence)
