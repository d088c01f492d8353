"""Blocks that a claim can meet: each is shown by one, found among the examples, the corpus, and what is made of them.

A block for which no claim is found is either dead, which no author means, or one that its author gave no example of.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from rules.authoring.examples import example_claim
from rules.authoring.proof.audience import ROLES, Documents
from rules.authoring.proof.trials import TrialClaim
from rules.authoring.trial import payer_part
from rules.book.book import Book
from rules.book.rule import Rule, Version
from rules.claim import Role
from rules.report import Report
from rules.tables.table import SPECS

MOST_TRIED = 3_000
"""Claims that are tried for one block, payer and billing role before it is given up."""


@dataclass(frozen=True, slots=True)
class _Target:
    """A block as one payer's claims meet it, in one billing role."""

    rule: Rule
    version: Version
    payer: str
    role: Role

    def hit(self, report: Report | None) -> bool:
        if report is None:
            return False
        found = report.shadow if self.rule.status == "draft" else report.every
        held = self.rule.status == "draft" or report.disposition == "rework"
        own = (self.rule.file, "fail", self.version.severity, self.version.start.isoformat())
        return held and any((one.rule, one.outcome, one.severity, one.version) == own for one in found)


def check_reach(
    book: Book, documents: Documents, claims: Sequence[TrialClaim], dead: Collection[tuple[str, int]]
) -> int:
    """Notes every block that no claim meets, by payer and billing role; how many blocks are shown by a claim.

    `dead`: rule files and places of versions of which it is known already.
    """
    shown = 0
    for rule in book.rules:
        for index, version in enumerate(rule.versions):
            if rule.status == "retired" or version.severity != "block" or (rule.file, index) in dead:
                continue
            targets = list(_targets(book, rule, version))
            missed = [target for target in targets if not _found(book, documents, claims, target)]
            for sentence in _faults(version, targets, missed):
                documents[rule.file].complain(("versions", index), sentence)
            shown += not missed
    return shown


def _targets(book: Book, rule: Rule, version: Version) -> Iterator[_Target]:
    # A payer that is in no file has the same rules and less: tables by payers know nothing of it.
    names = book.registry.payers if "all" in rule.payers else rule.payers
    for name in names:
        payer, _, plan = name.partition("/")
        known = payer if payer in book.registry.payers else None
        if rule.serves(known, plan or None) and book.covers_from_of(known) <= version.end:
            yield from (_Target(rule, version, name, role) for role in ROLES if role in rule.bills_as)


def _faults(version: Version, targets: list[_Target], missed: list[_Target]) -> Iterator[str]:
    if not targets:
        yield f"judges no claim: its dates end on {version.end}, before the book covers its payers"
    if missed:
        whom = "" if len(missed) == len(targets) else f" for {_listed(missed)}"
        yield (
            f"no claim was found on which it blocks{whom}, among its examples and all other claims there are, moved to "
            "its dates; add an example that fails, or mend the rule"
        )


def _listed(missed: list[_Target]) -> str:
    by_role: dict[str, list[str]] = {}
    for one in missed:
        by_role.setdefault(one.role, []).append(one.payer)
    return "; ".join(f"{', '.join(payers)} ({role})" for role, payers in by_role.items())


def _found(book: Book, documents: Documents, claims: Sequence[TrialClaim], target: _Target) -> bool:
    alone = replace(book, rules=(target.rule,))  # no other rule takes a block away
    for place, claim in enumerate(_candidates(book, documents, claims, target)):
        if target.hit(claim.report(alone)):
            return True
        if place >= MOST_TRIED:
            break
    return False


def _candidates(
    book: Book, documents: Documents, claims: Sequence[TrialClaim], target: _Target
) -> Iterator[TrialClaim]:
    """The rule's own failing examples, then its others, then what else there is of the billing role."""
    own = sorted((one for one in claims if one.rule == target.rule.file), key=lambda one: one.expect != "fail")
    examples = documents[target.rule.file].data["examples"]
    for claim in own:
        yield from _dated(_meant(book, claim, target, examples[claim.index].get("claim") or {}), target)
    payer = payer_part(book, target.payer)
    for claim in claims:
        if claim.rule != target.rule.file and claim.role == target.role:
            yield from _dated(replace(claim, data={**claim.data, "payer": {**claim.data["payer"], **payer}}), target)


def _meant(book: Book, claim: TrialClaim, target: _Target, difference: Mapping[str, Any]) -> TrialClaim:
    """An example as that payer's claim in that billing role."""
    package = book.procedures.get(target.rule.layer)
    data = example_claim(target.role, difference, payer_part(book, target.payer), package)
    tables = {name: tuple(_of_payer(name, row, target.payer) for row in rows) for name, rows in claim.tables.items()}
    return replace(claim, data=data, role=target.role, tables=tables)


def _of_payer(table: str, row: str, payer: str) -> str:
    """A row of a table by payers as that payer has it."""
    keys = SPECS[table].keys
    if "payer" not in keys:
        return row
    fields = row.split(",")
    fields[keys.index("payer")] = payer.partition("/")[0]
    return ",".join(fields)


def _dated(claim: TrialClaim, target: _Target) -> Iterator[TrialClaim]:
    """The claim on a day of the version: as it is, else on the first that is covered, else on the last."""
    first = max(target.version.start, date(2023, 1, 1))
    if claim.day is None or target.version.start <= claim.day <= target.version.end:
        yield claim
        return
    yield claim.on(first + timedelta(days=45) if first + timedelta(days=45) <= target.version.end else first)
    if target.version.end < date.max:
        yield claim.on(target.version.end)
