"""Compiles what a rule file suggests: facts that are lines, conditions, sentences."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rules.book.conditions import Path, compile_condition, did_you_mean
from rules.book.logic import ALWAYS
from rules.book.rule import Suggested, Text
from rules.book.rulefile import ChangeShape, SuggestShape, YamlDocument
from rules.book.suggested import THIS, Step
from rules.facts import FACTS
from rules.terms import RuleScope

_OF_THE_CLAIM = ("total_charge", "frequency_code", "diagnoses", "tidy")
"""Changes that need no line."""
_LINES = ("on", "remove_lines", "remove_repeats", "join_sides")


def suggested(
    document: YamlDocument,
    entries: Sequence[SuggestShape],
    path: Path,
    scope: RuleScope,
    text: Callable[..., Text],
) -> tuple[Suggested, ...]:
    """The ways out of one version; every fault is noted in the document."""
    found = []
    for index, entry in enumerate(entries):
        here = (*path, index)
        for place, change in enumerate(entry.change):
            _check(document, entry, change, (*here, "change", place), scope)
        when = (
            ALWAYS if entry.when is None else compile_condition(entry.when, (*here, "when"), scope, document.complain)
        )
        found.append(
            Suggested(
                entry.class_,
                tuple(map(_step, entry.change)),
                text(entry.confirm, "suggest", index, "confirm"),
                when,
            )
        )
    return tuple(found)


def _check(document: YamlDocument, entry: SuggestShape, change: ChangeShape, path: Path, scope: RuleScope) -> None:
    if (entry.class_ == "format") is (change.tidy is None):
        sentence = "`tidy` is of class format, and no other change is: a value that changes is decided by a person"
        document.complain(path, sentence)
    if scope == "claim" and all(getattr(change, name) is None for name in _OF_THE_CLAIM):
        document.complain(path, "a rule with `scope: claim` has no line to change")
    for name in _LINES:
        fact = getattr(change, name)
        if fact is None or fact == THIS:
            continue
        if fact not in FACTS:
            document.complain((*path, name), f"unknown fact {fact!r}{did_you_mean(fact, (THIS, *FACTS))}")
        elif FACTS[fact].kind != "lines":
            document.complain((*path, name), f"{fact!r} is no fact of lines")


def _step(change: ChangeShape) -> Step:
    modifiers = change.modifiers
    swap: dict[str, str | None] = {}
    if modifiers:
        swap = {**dict.fromkeys(modifiers.remove), **modifiers.replace}
    return Step(
        units=change.units,
        charge_per_unit=change.charge is not None,
        swap=swap or None,
        add=modifiers.add if modifiers else None,
        remove_lines=change.remove_lines,
        remove_repeats=change.remove_repeats,
        join_sides=change.join_sides,
        split_sides=change.split_line is not None,
        total_of_lines=change.total_charge is not None,
        frequency=change.frequency_code,
        distinct_diagnoses=change.diagnoses is not None,
        tidy=change.tidy,
        on=change.on,
    )
