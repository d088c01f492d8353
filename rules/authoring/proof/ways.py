"""Ways out: what is suggested brings no new block, and of two findings on one claim both can be mended."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations, groupby, product

from rules.authoring.proof.audience import Documents
from rules.authoring.proof.trials import TrialClaim
from rules.book.book import Book
from rules.claim import read_claim
from rules.engine.edits import Contradiction, as_data
from rules.engine.patch import patched
from rules.engine.suggesting import Suggestion, changes_of, suggestions_of
from rules.errors import ClaimInvalid
from rules.history import NOTHING_BILLED
from rules.report import Report

_DAY = re.compile(r"(\d{4})-\d\d-\d\d")


def check_ways(book: Book, documents: Documents, claims: Sequence[TrialClaim]) -> int:
    """Notes every suggestion that makes another rule block, and every two findings of which no two ways out go
    together; how many were tried. Once for each rule and kind of fault, with the first claim that shows it."""
    told: set[tuple[str, str]] = set()
    tried = 0
    suggesting = tuple(rule for rule in book.rules if any(version.suggest for version in rule.versions))
    if not suggesting:
        return 0
    alone = replace(book, rules=suggesting)  # few of the claims have one, and few rules say which
    for claim in _each_once(claims):
        first = claim.report(alone)
        if first is None or not any(one.outcome == "fail" for one in first.every):
            continue
        report = claim.report(book)
        ways = list(_each(book, claim, report)) if report else []
        tried += sum(map(len, ways))
        for way, kind, sentence in _faults(book, claim, report, ways) if report else ():
            if (way.rule, kind) not in told:
                told.add((way.rule, kind))
                documents[way.rule].complain(("versions",), f"{sentence} (claim {claim.name!r})")
    return tried


def _each_once(claims: Iterable[TrialClaim]) -> Iterator[TrialClaim]:
    """Without those that differ in the days of a year alone; and what was billed before is no way out."""
    seen = set()
    for one in claims:
        key = (_DAY.sub(r"\1", repr(one.data)), one.role, repr(one.tables), one.locations)
        if key not in seen:
            seen.add(key)
            yield replace(one, history=NOTHING_BILLED)


def _each(book: Book, claim: TrialClaim, report: Report) -> Iterator[list[Suggestion]]:
    """The ways out of each finding."""
    found = suggestions_of(read_claim(dict(claim.data)), report, book)
    for _, several in groupby(found, key=lambda one: one.key[:-1]):
        yield list(several)


def _faults(
    book: Book, claim: TrialClaim, before: Report, ways: Sequence[Sequence[Suggestion]]
) -> Iterator[tuple[Suggestion, str, str]]:
    for one in (way for several in ways for way in several):
        after = _after(book, claim, [one])
        if after is None:
            yield one, "lost", f"the suggestion {one.confirm[0]!r} makes no claim of it"
        elif worse := _new_blocks(before, after):
            yield one, f"worse {worse}", f"the suggestion {one.confirm[0]!r} makes {worse} block"
    for several, others in combinations(ways, 2):
        if not any(_mends(book, claim, one, other) for one, other in product(several, others)):
            one, other = several[0], others[0]
            sentence = f"what it suggests contradicts what {one.rule}.yaml suggests: no two of them mend both findings"
            yield other, f"against {one.rule}", sentence


def _mends(book: Book, claim: TrialClaim, one: Suggestion, other: Suggestion) -> bool:
    after = _after(book, claim, [one, other])
    return after is not None and not {(one.rule, one.line), (other.rule, other.line)} & {
        (found.rule, found.line) for found in after.every
    }


def _after(book: Book, claim: TrialClaim, ways: Sequence[Suggestion]) -> Report | None:
    """The report on the claim with the changes; None: they contradict each other, or make no claim of it."""
    try:
        before = read_claim(dict(claim.data))
        return replace(claim, data=patched(as_data(before), changes_of(before, ways))).report(book)
    except (Contradiction, ClaimInvalid, LookupError):
        return None


def _new_blocks(before: Report, after: Report) -> str:
    """Codes that block with the change and did not anywhere without it."""
    had = {one.code for one in before.every}
    new = [one.code for one in after.every if one.severity == "block" and one.outcome != "bypassed"]
    return ", ".join(dict.fromkeys(code for code in new if code not in had))
