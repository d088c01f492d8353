"""All that is proven of a book at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rules.authoring.proof.audience import Documents
from rules.authoring.proof.conflicts import check_conflicts
from rules.authoring.proof.coverage import Coverage, coverage_of
from rules.authoring.proof.periods import check_periods
from rules.authoring.proof.reach import check_reach
from rules.authoring.proof.repairs import check_repairs
from rules.authoring.proof.trials import trial_claims
from rules.authoring.proof.twins import check_twins
from rules.authoring.proof.ways import check_ways
from rules.authoring.stories import Story
from rules.book.book import Book
from rules.errors import RuleProblem


@dataclass(frozen=True, slots=True)
class Proof:
    """What was found, and how much was looked at."""

    problems: tuple[RuleProblem, ...]
    pairs: int
    """Versions that were compared with each other."""
    blocks: int
    """Versions that block, each shown by claims for all its payers and billing roles."""
    patches: int
    """Patches that were done to a claim."""
    suggestions: int
    """Ways out that were tried on a claim."""
    claims: int
    coverage: Mapping[str, Coverage]
    """By rule file."""


def prove(book: Book, documents: Documents, stories: Iterable[Story] = ()) -> Proof:
    """Gaps, twins, blocks that no claim meets, and repairs that do not repair or contradict each other.

    `documents`: the rule files without their ending; the faults are noted in them, too. `stories`: of a corpus.
    """
    check_periods(book, documents)
    pairs = check_twins(book, documents)
    dead = check_conflicts(book, documents)
    claims = trial_claims(book, documents, stories)
    blocks = check_reach(book, documents, claims, dead)
    patches = check_repairs(book, documents, claims)
    suggestions = check_ways(book, documents, claims)
    coverage = {rule.file: coverage_of(book, rule, documents[rule.file]) for rule in book.rules}
    problems = dict.fromkeys(problem for rule in book.rules for problem in documents[rule.file].problems)
    return Proof(tuple(problems), pairs, blocks, patches, suggestions, len(claims), coverage)
