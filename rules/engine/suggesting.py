"""Ways out of what was found on a claim, and what the claim would be with them. Nothing here sends or applies anything.

What is suggested rests on the claim as it was judged: the rule's file says what to change and what a person confirms
against the record, and only what takes the rule's own finding away is suggested.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from string import ascii_lowercase
from typing import Any

from rules.book.book import Book
from rules.book.rule import Rule, Suggested, Version
from rules.book.suggested import ChangeClass
from rules.claim import Claim, read_claim
from rules.engine.cases import cases_of
from rules.engine.edits import Contradiction, Edit, as_data, operations, together
from rules.engine.patch import patched
from rules.engine.steps import edit_of
from rules.errors import MISTAKES, ClaimInvalid
from rules.facts import ClaimFacts, Facts, LineFacts
from rules.history import NOTHING_BILLED
from rules.report import Finding, Report
from rules.terms import SEVERITIES

OF_PERSONS = ("subscriber", "patient")
"""Parts of a claim whose values are told to nobody but who asks for the change itself."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One way out of one finding, on this claim."""

    key: str
    """`1a`: the finding, worst first and then by line, and which of its ways out."""
    code: str
    rule: str
    line: int | None
    change_class: ChangeClass
    confirm: tuple[str, ...]
    """What a person confirms against the record before the change is made."""
    edit: Edit
    operations: tuple[dict[str, Any], ...]
    """RFC 6902 on the claim, each with its class."""

    def data(self) -> dict[str, Any]:
        """As JSON. Where the change names a person's own values, they are left out: `suggestions_of` on the claim has
        them."""
        named = any(str(one["path"]).split("/")[1] in OF_PERSONS for one in self.operations)
        return {
            "key": self.key, "code": self.code, "rule": self.rule, "line": self.line, "class": self.change_class,
            "confirm": list(self.confirm),
            "paths": [one["path"] for one in self.operations],
            "patch": [] if named else [dict(one) for one in self.operations],
        }  # fmt: skip


def suggestions_of(claim: Claim, report: Report, book: Book, *, received: date | None = None) -> tuple[Suggestion, ...]:
    """Ways out of what holds or warns, the likeliest of each finding first; none is the common case."""
    asked = [found for found in report.findings if found.severity != "note" and found.outcome == "fail"]
    asked.sort(key=lambda one: (SEVERITIES.index(one.severity), one.line or 0, one.code, one.rule))
    if not any(_suggesting(book, one) for found in asked for one in (found, *found.because)):
        return ()
    cases = {case.layer: ClaimFacts(case) for case in cases_of(claim, book, received, NOTHING_BILLED)}
    data: dict[str, Any] = as_data(claim)
    found: list[Suggestion] = []
    number = 0
    for finding in asked:
        ways = _ways_out(claim, data, finding, book, cases, received)
        if ways:
            number += 1
            found += [_keyed(f"{number}{letter}", way) for letter, way in zip(ascii_lowercase, ways, strict=False)]
    return tuple(found)


def _keyed(key: str, way: Suggestion) -> Suggestion:
    return replace(way, key=key)


def _suggesting(book: Book, finding: Finding) -> tuple[Rule, Version] | None:
    """The rule of a finding and its version, where it suggests anything."""
    rule = book.files.get(finding.rule)
    if rule is None or finding.outcome != "fail":
        return None
    version = next((one for one in rule.versions if one.suggest and one.start.isoformat() == finding.version), None)
    return (rule, version) if version else None


def _ways_out(
    claim: Claim,
    data: dict[str, Any],
    finding: Finding,
    book: Book,
    cases: dict[str, ClaimFacts],
    received: date | None,
) -> list[Suggestion]:
    """Of the finding and of those that are shown with it: one slip, so one of them is enough. `data`: the claim's."""
    ways: list[Suggestion] = []
    for one in (finding, *finding.because):
        if (known := _suggesting(book, one)) and known[0].layer in cases:
            for way in resolved(claim, known[0], known[1], facts_at(cases[known[0].layer], one.line)):
                same = any(other.operations == way.operations for other in ways)
                if not same and not still_found(known[0], _changed(data, way.operations), one.line, book, received):
                    ways.append(way)
    return ways


def facts_at(whole: ClaimFacts, number: int | None) -> Facts:
    """The facts of a line, or of the claim."""
    line = next((one for one in whole.case.lines if one.number == number), None)
    return LineFacts(whole, line) if line else whole


def resolved(claim: Claim, rule: Rule, version: Version, facts: Facts) -> Iterator[Suggestion]:
    """What the version suggests for this claim, whether or not it helps."""
    for one in version.suggest:
        if not one.meant_for(facts) or (edit := _edit(one, facts)) is None:
            continue
        try:
            steps = tuple(operations(claim, edit))
        except Contradiction:
            continue
        if steps:
            confirm = (one.confirm.fill(facts), *_charges(claim, edit))
            line = facts.line_number
            yield Suggestion("", rule.code, rule.file, line, one.change_class, confirm, edit, steps)


def _edit(one: Suggested, facts: Facts) -> Edit | None:
    found = []
    try:
        for step in one.steps:
            edit = edit_of(step, facts, one.change_class)
            if edit is None:
                return None
            found.append(edit)
        return together(found)
    except (*MISTAKES, Contradiction):  # a claim of another kind than the file speaks of
        return None


def _charges(claim: Claim, edit: Edit) -> Iterator[str]:
    """Units without their charge: whether that was for all of them, only the record of charges says."""
    for (place, name), (_, value) in edit.values.items():
        if place is None or name != "units" or (place, "charge") in edit.values or place in edit.removed:
            continue
        line = claim.lines[place]
        if line.units and line.charge > 0 and Decimal(str(value)) < line.units:
            yield (
                f"The charge of line {line.number}, ${line.charge:.2f}, is that of {value} unit and not of"
                f" {line.units.normalize():f}. If it is of all, charge and total go down with the units."
            )


def still_found(rule: Rule, claim: Claim | None, number: int | None, book: Book, received: date | None = None) -> bool:
    """Whether the rule speaks of the changed claim as it did; `number`: of the line, None of the claim."""
    if claim is None:
        return True
    whole = next((case for case in cases_of(claim, book, received, NOTHING_BILLED) if case.layer == rule.layer), None)
    if whole is None:
        return False
    facts = ClaimFacts(whole)
    asked: list[Facts] = [facts] if rule.scope == "claim" else [LineFacts(facts, line) for line in whole.lines]
    same = [one for one in asked if number is None or one.line_number == number]
    try:
        return any(rule.judge(one)[0] not in ("pass", "not_applicable") for one in same)
    except MISTAKES:
        return True


def with_changes(claim: Claim, steps: Iterable[dict[str, Any]]) -> Claim | None:
    """The claim with the operations done; None: what comes out is no claim."""
    return _changed(as_data(claim), steps)


def _changed(data: dict[str, Any], steps: Iterable[dict[str, Any]]) -> Claim | None:
    try:
        return read_claim(patched(data, steps))
    except (ClaimInvalid, LookupError):
        return None


def chosen(suggestions: Sequence[Suggestion], keys: Iterable[str]) -> list[Suggestion]:
    """Those of these keys; `1` is `1a`. None named: the likeliest of each finding.

    Raises:
        LookupError: with the key that there is none of.
    """
    by_key = {one.key: one for one in suggestions}
    wanted = list(dict.fromkeys(key if key[-1:].isalpha() else f"{key}a" for key in keys))
    for key in wanted:
        if key not in by_key:
            raise LookupError(key)
    return [by_key[key] for key in wanted] if wanted else [one for one in suggestions if one.key.endswith("a")]


def changes_of(claim: Claim, wanted: Sequence[Suggestion]) -> list[dict[str, Any]]:
    """All of them as one patch.

    Raises:
        Contradiction: two want different things of one place, or no line would be left.
    """
    return operations(claim, together(one.edit for one in wanted))
