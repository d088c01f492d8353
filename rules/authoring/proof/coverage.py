"""What a rule's examples reach: each test true and false, each version failing and passing, bypassed, undetermined.

A test that no example made false may say anything: its author has not shown what it is for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rules.authoring.proof.formulas import outcomes, solvable, tests_in, tests_of
from rules.authoring.proof.values import TooMany, variables_of
from rules.authoring.trial import RuleExample, examples_of
from rules.authoring.words import asked, conditions, period
from rules.book.assignment import kind_of
from rules.book.book import Book
from rules.book.rule import Rule, Version
from rules.book.rulefile import YamlDocument
from rules.engine.cases import case_of
from rules.engine.memory import assigned_to
from rules.facts import ClaimFacts, Facts, LineFacts
from rules.report import Outcome


@dataclass(frozen=True, slots=True)
class Wanted:
    """One thing that an example should show of a version."""

    version: int
    """Its place in the file."""
    sentence: str
    """What is missing where no example shows it."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """Of one rule."""

    wanted: int
    missing: tuple[Wanted, ...]

    @property
    def reached(self) -> int:
        return self.wanted - len(self.missing)

    def __str__(self) -> str:
        return f"{self.reached} of {self.wanted}"


def coverage_of(book: Book, rule: Rule, document: YamlDocument) -> Coverage:
    """What the examples of a rule reach of its conditions; a retired rule's are not run, and nothing is wanted."""
    if rule.status == "retired":
        return Coverage(0, ())
    open_ = {
        (place, key): sentence for place, version in enumerate(rule.versions) for key, sentence in _wanted(version)
    }
    wanted = len(open_)
    for example in examples_of(book, rule, document):
        for place, facts in _judged(book, rule, example):
            for key in _shown(rule.versions[place], facts):
                open_.pop((place, key), None)
    missing = [Wanted(place, f"{_named(rule, place)}{sentence}") for (place, _), sentence in open_.items()]
    return Coverage(wanted, tuple(missing))


Key = tuple[str, ...]


def _named(rule: Rule, place: int) -> str:
    return f"{period(rule.versions[place])}: " if len(rule.versions) > 1 else ""


def _wanted(version: Version) -> Iterator[tuple[Key, str]]:
    """What examples should show, each with the sentence that says what is missing."""
    for outcome in _possible(version):
        yield (outcome,), f"no example expects {outcome}"
    for name, condition in conditions(version):
        for number, test in enumerate(tests_in(condition)):
            assert test.asks is not None
            for answer in ("true", "false"):
                yield (name, str(number), answer), f'{name}: "{asked(test.asks)}" is {answer} in no example'


def _possible(version: Version) -> Iterator[Outcome]:
    """The outcomes that the version may have, as far as its conditions can say."""
    try:
        variables = variables_of(tests_of(version))
    except TooMany:
        variables = None
    for outcome, formula in outcomes(version).items():
        if variables is None or solvable([formula], variables):
            yield outcome


def _judged(book: Book, rule: Rule, example: RuleExample) -> Iterator[tuple[int, Facts]]:
    """The facts by which the rule judges the example, each with the place of the version that does."""
    own = example.book(book)
    case = case_of(example.claim, own, None, example.history, rule.layer)
    if not any(entry.rule is rule for entry in assigned_to(own, kind_of(case))):
        return
    claim = ClaimFacts(case)
    every: Iterable[Facts] = [claim] if rule.scope == "claim" else [LineFacts(claim, line) for line in case.lines]
    for facts in every:
        for place, version in enumerate(rule.versions):
            if facts.day is None or version.start <= facts.day <= version.end:
                yield place, facts


def _shown(version: Version, facts: Facts) -> Iterator[Key]:
    yield (version.judge(facts),)
    for name, condition in conditions(version):
        for number, test in enumerate(tests_in(condition)):
            if (answer := test.test(facts)) is not None:
                yield name, str(number), "true" if answer else "false"
