"""What a rule suggests, tried on its own examples and on the claims of a proof."""

from __future__ import annotations

from rules.book.book import Book
from rules.book.rule import Rule
from rules.claim import Claim
from rules.engine.cases import case_of
from rules.engine.suggesting import facts_at, resolved, still_found, with_changes
from rules.facts import ClaimFacts, Facts
from rules.history import History


def vain_suggestion(book: Book, rule: Rule, claim: Claim, history: History) -> str | None:
    """The suggestion that leaves the rule's own finding on a claim that it fails on, or makes no claim of it.

    A value that is only written otherwise may be wrong besides: such a repair is not suggested then, and is no fault.
    """
    if not any(version.suggest for version in rule.versions):
        return None
    whole = ClaimFacts(case_of(claim, book, None, history, rule.layer))
    places: list[int | None] = [None] if rule.scope == "claim" else [line.number for line in whole.case.lines]
    for number in places:
        facts: Facts = facts_at(whole, number)
        outcome, version = rule.judge(facts)
        for way in resolved(claim, rule, version, facts) if outcome == "fail" else ():
            changed = with_changes(claim, way.operations)
            name = f"the suggestion {way.confirm[0]!r}"
            if changed is None:
                return f"{name} makes no claim of it"
            if way.change_class != "format" and still_found(rule, changed, number, book):
                return f"{name} leaves its finding"
    return None
