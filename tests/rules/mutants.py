"""Mutation run of the rules: `make mutants`, or `python -m tests.rules.mutants [--only TEXT] [--sample N [--seed S]]`.

Each rule is changed in one small way at a time: a condition dropped or negated, a code taken out of a list, a
limit or a date moved by one, a severity, a payer, a billing role, a bypass or a patch changed. An example of the
rule's file or a story of the corpus must notice. What the loader refuses is counted apart.

Exit codes: 0 every mutant was noticed or is explained in EXPLAINED; 1 one was not, or an explanation is stale; 2 the
rules as they are do not pass.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from functools import cache, lru_cache
from typing import Any, Literal

from rich.console import Console
from rich.progress import Progress

from rules.authoring.trial import ROLES, examples_of, try_examples, with_rows
from rules.book.book import Book
from rules.book.compile import compile_rule
from rules.book.rule import Rule
from rules.book.rulefile import YamlDocument, read_document
from rules.claim import Claim, read_claim
from rules.engine.check import check
from rules.engine.patch import patched
from rules.loader import LIBRARY
from rules.report import Report
from rules.terms import SEVERITIES
from tests.book import BOOK
from tests.corpus.stories import STORIES

Data = dict[str, Any]
Verdict = Literal["refused", "example", "story", "survived"]
ALWAYS: Data = {"form": {"in": ["professional", "institutional"]}}
STRICT = {"le": "lt", "lt": "le", "ge": "gt", "gt": "ge"}
STRICT |= {f"{one}_fact": f"{other}_fact" for one, other in STRICT.items()}
NUMERIC = ("eq", "ne", "lt", "le", "gt", "ge")
DATED = ("on_or_after", "before")

_TABLE = (
    "the shipped NCCI table starts on the version's first day; the condition is for a book whose table starts later"
)
_WITHIN = "at or below 120 days the limit itself lets the claim pass, so nothing is left to decide"
_CERTAIN = "on an institutional claim the role is certain, so the rule applies to none"
_ONCE = "what a rule could not look at is a gap; examples and stories tell whether there is one, not how often"
EXPLAINED: dict[tuple[str, str], str] = {
    **{
        (f"procedures/64445/medicare/{rule}", "versions[0] applies_when without first_of_day"): _ONCE
        for rule in ("BND002-no-table", "BND002-unknown", "BND003-no-table")
    },
    ("form/common/ADR016-person", "versions[0] applies_when without has_referring"): (
        "where nobody refers, what he is is missing, and the rest of the condition asks for it"
    ),
    ("form/common/CLM014-frequency", "on_void false"): "it takes 8, so that it finds nothing on a void",
    ("form/common/CLM023-original", "on_void false"): "it speaks of frequency 1, which no void has",
    ("form/medicare/UBF014-d9-remark", "on_void true"): "it asks for frequency 7, which no void has",
    ("procedures/64445/bcbs/MOD004-regence-advantage", "versions[0] severity note"): (
        "the rule of this code for other payers warns on each such claim as well"
    ),
    **{
        (f"procedures/64445/medicare/{rule}", "versions[0] applies_when without ncci_covers_date"): _TABLE
        for rule in (
            *("BND002-pair", "BND002-provider-unclear", "BND003-pair", "BND003-provider-unclear"),
            "BND002-unknown",
        )
    },
    **{
        (f"procedures/64445/{rule}", "versions[0] applies_when without ncci_covers_date"): _TABLE
        for rule in ("uhc/BND003-pair", "cigna/BND003-pair", "bcbs/BND003-anthem")
    },
    **{
        ("form/aetna/TIM001-120-days", f"versions[1] applies_when all[2] any[1] {change}"): _WITHIN
        for change in ("days_to_receipt gt 119", "days_to_receipt gt becomes ge", "without days_to_receipt")
    },
    **{
        (f"procedures/64445/medicare/{code}-role-unclear", "bills_as with hospital_outpatient"): _CERTAIN
        for code in ("MOD004", "UNT002")
    },
    **{
        ("form/common/CLM010-lines-institutional", f"bills_as with {role}"): (
            "a professional claim is held at 51 lines already; two examples of a thousand lines would slow the load"
        )
        for role in ("asc", "practitioner")
    },
    **{
        (f"form/bcbs/TIM003-{plan}", "on_void true"): "it asks for frequency 7, which no void has"
        for plan in ("bcbsm", "bcbsma", "bcbsmn", "bcbsnc", "nebraska")
    },
    ("procedures/64445/common/MOD006-side-usual", "payers all"): (
        "it differs for a payer that the book does not know alone, which tests/corpus/test_corpus.py holds: no story can"
    ),
    ("procedures/64445/medicare/COV007-hospital", "versions[0] applies_when without medicare_amount"): (
        "the shipped rates hold for the whole period of the version, so the amount is never missing in it"
    ),
    **{
        ("form/medicare/UBF033-as-enrolled", f"versions[0] severity {severity}"): (
            "a story has no list of enrolled locations, without which the rule says nothing; tests/rules has its severity"
        )
        for severity in ("warn", "note")
    },
    ("procedures/64445/medicare/COV010-chronic-pain", "versions[0] severity note"): (
        "a draft is not shown: how severe it is shows on the day that it becomes active"
    ),
    ("procedures/64445/medicare/BND005-record", "versions[0] forbid without has_record"): (
        "without a record no fact of it is there, and the rest of the condition asks for one"
    ),
}
"""Mutants that nothing notices, by rule file and change, each with the reason why nothing can."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """A rule file's content with one change."""

    file: str
    change: str
    data: Data


def mutants_of(file: str, data: Data) -> Iterator[Mutant]:
    """Every mutant of one rule file. Its examples keep the payer and the role that the file gives them."""
    data = data | {"examples": [_pinned(example, data) for example in data["examples"]]}
    for change, mutated in (*_head(data), *_periods(data)):
        yield Mutant(file, change, mutated)
    for index, version in enumerate(data["versions"]):
        for change, changed in _version(version):
            mutated = deepcopy(data)
            mutated["versions"][index] = changed
            yield Mutant(file, f"versions[{index}] {change}", mutated)


def _pinned(example: Data, data: Data) -> Data:
    role = min(data["bills_as"], key=ROLES.index)
    return {"payer": data["payers"][0], "bills_as": role} | example


def _head(data: Data) -> Iterator[tuple[str, Data]]:
    for key in ("payers", "except_payers", "bills_as"):
        for name in data.get(key, ()):
            if key == "except_payers" or len(data[key]) > 1:
                yield f"{key} without {name}", data | {key: [other for other in data[key] if other != name]}
    for role in ROLES:
        if role not in data["bills_as"]:
            yield f"bills_as with {role}", data | {"bills_as": [*data["bills_as"], role]}
    if "all" not in data["payers"]:
        yield "payers all", data | {"payers": ["all"]}
    flipped = "false" if data.get("on_void") == "true" else "true"
    yield f"on_void {flipped}", data | {"on_void": flipped}


def _periods(data: Data) -> Iterator[tuple[str, Data]]:
    """Each date moved by a day; where one version follows on another, its end moves along."""
    periods = [version["effective"] for version in data["versions"]]
    for index, period in enumerate(periods):
        for days in (-1, 1):
            mutated = deepcopy(data)
            moved = mutated["versions"][index]["effective"]
            moved["from"] = _moved(period["from"], days)
            if index and periods[index - 1].get("to") == _moved(period["from"], -1):
                mutated["versions"][index - 1]["effective"]["to"] = _moved(moved["from"], -1)
            yield f"versions[{index}] from {moved['from']}", mutated
            followed = index + 1 < len(periods) and periods[index + 1]["from"] == _moved(period.get("to"), 1)
            if period.get("to") and not followed:
                mutated = deepcopy(data)
                mutated["versions"][index]["effective"]["to"] = _moved(period["to"], days)
                yield f"versions[{index}] to {_moved(period['to'], days)}", mutated


def _moved(day: str | None, days: int) -> str | None:
    return (date.fromisoformat(day) + timedelta(days)).isoformat() if day else None


def _version(version: Data) -> Iterator[tuple[str, Data]]:
    for severity in SEVERITIES if "severity" in version else ():  # a gap has none
        if severity != version["severity"]:
            yield f"severity {severity}", version | {"severity": severity}
    if "applies_when" in version:
        for change, node in _conditions(version["applies_when"]):
            yield f"applies_when {change}", _set(version, "applies_when", node)
    for key in ("require", "forbid"):
        if key in version:
            for change, node in _conditions(version[key]):
                yield f"{key} {change}", version | {key: node or (ALWAYS if key == "require" else {"not": ALWAYS})}
    if "bypass" in version:
        yield "without the bypass", _set(version, "bypass", None)
        for change, node in _conditions(version["bypass"]["when"]):
            yield f"bypass {change}", version | {"bypass": version["bypass"] | {"when": node or ALWAYS}}
    if "patch" in version:
        yield "without the patch", _set(version, "patch", None)
    for index, operation in enumerate(version.get("patch", ())):
        for value in _near(operation.get("value")):
            patch = [*version["patch"][:index], operation | {"value": value}, *version["patch"][index + 1 :]]
            yield f"patch[{index}] to {value}", version | {"patch": patch}


def _set(node: Data, key: str, value: Any) -> Data:
    kept = {name: part for name, part in node.items() if name != key}
    return kept if value is None else kept | {key: value}


def _conditions(node: Data) -> Iterator[tuple[str, Data | None]]:
    """Mutants of one mapping of conditions; None: nothing is left of it."""
    for key, value in node.items():
        yield f"without {key}", _set(node, key, None) or None
        if key in ("any", "all"):
            yield from _listed(node, key, value)
        elif key == "not":
            rest = _set(node, key, None)
            yield "without the word not", {"all": [part for part in (rest, value) if part]}
            for change, part in _conditions(value):
                yield f"not({change})", _set(node, key, part) or None
        else:
            yield from _fact(node, key, value)


def _listed(node: Data, key: str, parts: list[Data]) -> Iterator[tuple[str, Data | None]]:
    if len(parts) > 1:
        other = "all" if key == "any" else "any"
        yield f"{key} becomes {other}", {"all": [_set(node, key, None) or ALWAYS, {other: parts}]}
    for index, part in enumerate(parts):
        around = parts[:index], parts[index + 1 :]
        yield f"{key}[{index}] negated", node | {key: [*around[0], {"not": part}, *around[1]]}
        for change, changed in _conditions(part):
            left = [*around[0], *([changed] if changed else ()), *around[1]]
            yield f"{key}[{index}] {change}", _set(node, key, left or None) or None
        if len(parts) > 1 and len(part) > 1:
            yield f"without {key}[{index}]", node | {key: [*around[0], *around[1]]}


def _fact(node: Data, fact: str, tests: Data) -> Iterator[tuple[str, Data | None]]:
    for test, literal in tests.items():
        kept = _set(tests, test, None)
        rest = _set(node, fact, kept or None)
        if kept:
            yield f"{fact} without {test}", node | {fact: kept}
        yield f"{fact} {test} negated", {"all": [*([rest] if rest else ()), {"not": {fact: {test: literal}}}]}
        for change, name, value in _literals(test, literal):
            yield f"{fact} {change}", node | {fact: kept | {name: value}}


def _literals(test: str, literal: Any) -> Iterator[tuple[str, str, Any]]:
    if test in STRICT:
        yield f"{test} becomes {STRICT[test]}", STRICT[test], literal
    if test in NUMERIC:
        yield from ((f"{test} {value}", test, value) for value in _near(literal))
    elif test in DATED:
        yield from ((f"{test} {_moved(literal, days)}", test, _moved(literal, days)) for days in (-1, 1))
    elif isinstance(literal, list) and len(literal) > 1:
        for code in literal:
            yield f"{test} without {code}", test, [other for other in literal if other != code]


def _near(literal: Any) -> Iterator[str]:
    try:
        yield from (str(Decimal(str(literal)) + step) for step in (-1, 1))
    except InvalidOperation:
        return


def verdict_on(mutant: Mutant) -> Verdict:
    """What notices the mutant."""
    document = YamlDocument(f"{mutant.file}.yaml", mutant.data, {})
    rule = compile_rule(document, BOOK.sources, BOOK.registry, BOOK.procedures)
    if rule is None:
        return "refused"
    alone = BOOK.narrowed([rule])
    try_examples(alone, rule, document)
    if document.problems or list(borders_without_examples(alone, rule, document)):
        return "example"
    changed = replace(BOOK, rules=tuple(rule if other.file == rule.file else other for other in BOOK.rules))
    ordered = sorted(range(len(STORIES)), key=lambda number: STORIES[number].code != rule.code)
    for number in ordered:
        if _said(number, alone) != _said_before(number, rule.file) and STORIES[number].fault(changed):
            return "story"
    return "survived"


@lru_cache(8_192)
def _said_before(number: int, file: str) -> tuple[Report, ...]:
    """What the rule as it is says of a story."""
    return _said(number, _alone(file))


@lru_cache(4)
def _alone(file: str) -> Book:
    return BOOK.narrowed([BOOK.files[file]])


def _said(number: int, alone: Book) -> tuple[Report, ...]:
    """What one rule says of the claims of a story. Where that is the same, the whole book says the same of it."""
    story = STORIES[number]
    book = with_rows(alone, story.tables)
    reports = [check(claim, book, history=story.history) for claim in _claims_of(number)]
    return tuple(replace(report, book=BOOK.named) for report in reports)


@cache
def _claims_of(number: int) -> tuple[Claim, ...]:
    """Those that the story judges: its own, with the line twice, its void, and as the rule repairs it."""
    story = STORIES[number]
    claims = [story.claim, story.once, story.void]
    if story.repair:
        found = check(story.claim, with_rows(BOOK, story.tables), history=story.history)
        patches = [one for finding in found.every if finding.code == story.code for one in finding.patch]
        claims.append(read_claim(patched(story.data, patches)))
    return tuple(claim for claim in claims if claim)


def borders_without_examples(book: Book, rule: Rule, document: YamlDocument) -> Iterator[str]:
    """Where one version follows on another, the days on either side of the border that no example is dated."""
    days = {line.service_date for example in examples_of(book, rule, document) for line in example.claim.lines}
    for before, after in zip(rule.versions, rule.versions[1:], strict=False):
        yield from (day.isoformat() for day in (before.end, after.start) if day not in days)


def borders_of(book: Book, rule: Rule) -> list[str]:
    """Those of a rule as it is in the library."""
    return list(borders_without_examples(book, rule, _document(rule)))


def _document(rule: Rule) -> YamlDocument:
    file = f"{rule.file}.yaml"
    return read_document(file, (LIBRARY / file).read_text(encoding="utf-8"))


def all_mutants(book: Book) -> list[Mutant]:
    """Every mutant of every rule of the book."""
    return [mutant for rule in book.rules for mutant in mutants_of(rule.file, _document(rule).data)]


def run(mutants: list[Mutant], *, workers: int, progress: Progress | None = None) -> list[tuple[Mutant, Verdict]]:
    """The mutants with what notices each."""
    task = progress.add_task("mutants", total=len(mutants)) if progress else None
    results: list[tuple[Mutant, Verdict]] = []
    with ProcessPoolExecutor(workers) as pool:
        for mutant, verdict in zip(mutants, pool.map(verdict_on, mutants, chunksize=8), strict=True):
            results.append((mutant, verdict))
            if progress and task is not None:
                progress.advance(task)
    return results


def summary(results: list[tuple[Mutant, Verdict]], *, whole: bool) -> tuple[list[str], int]:
    """The lines to print, and the exit code."""
    counts = Counter(verdict for _, verdict in results)
    survivors = {(mutant.file, mutant.change) for mutant, verdict in results if verdict == "survived"}
    noticed, judged = counts["example"] + counts["story"], len(results) - counts["refused"]
    lines = [f"unexplained: {file}: {change}" for file, change in sorted(survivors - EXPLAINED.keys())]
    stale = EXPLAINED.keys() - survivors if whole else set()
    lines += [f"explained, but noticed or gone: {file}: {change}" for file, change in sorted(stale)]
    lines += [
        f"{len(results)} mutants: {counts['refused']} refused by the loader, {counts['example']} noticed by an example, "
        f"{counts['story']} by a story of the corpus, {len(survivors)} survived "
        f"({len(survivors & EXPLAINED.keys())} of them explained)",
        f"score: {noticed / judged:.2%} of {judged}" if judged else "score: nothing to judge",
    ]
    return lines, int(bool(survivors - EXPLAINED.keys() or stale))


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="mutants", description="Changes every rule in small ways; something must notice."
    )
    parser.add_argument("--only", metavar="TEXT", default="", help="rule files whose path holds this text")
    parser.add_argument("--sample", metavar="N", type=int, help="a random sample of this size")
    parser.add_argument("--seed", metavar="S", type=int, help="the seed of an earlier sample, to repeat it")
    parser.add_argument(
        "--workers", metavar="N", type=int, default=os.cpu_count() or 1, help="processes (default: all cores)"
    )
    arguments = parser.parse_args()
    mutants = [mutant for mutant in all_mutants(BOOK) if arguments.only in mutant.file]
    if arguments.sample is not None:
        seed = arguments.seed if arguments.seed is not None else random.randrange(2**32)
        print(f"seed {seed}")
        mutants = random.Random(seed).sample(mutants, min(arguments.sample, len(mutants)))
    if faults := [
        *(f"{story.file}: {story.name}: {fault}" for story in STORIES if (fault := story.fault(BOOK))),
        *(f"{rule.file}: no example on {day}" for rule in BOOK.rules for day in borders_of(BOOK, rule)),
    ]:
        print("The rules as they are do not pass; mend this first:", *faults, sep="\n", file=sys.stderr)
        return 2
    with Progress(console=Console(stderr=True), transient=True) as progress:
        results = run(mutants, workers=arguments.workers, progress=progress)
    lines, code = summary(results, whole=not arguments.only and arguments.sample is None)
    print("\n".join(lines))
    return code


if __name__ == "__main__":
    sys.exit(main())
