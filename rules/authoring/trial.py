"""Runs a rule's own examples when the book loads: no worker starts with a rule that does not do what it says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, get_args

from rules.authoring.examples import example_claim
from rules.authoring.suggestions import vain_suggestion
from rules.book.assignment import kind_of
from rules.book.book import Book
from rules.book.conditions import did_you_mean
from rules.book.override import Override
from rules.book.overrides import Overrides
from rules.book.rule import Rule
from rules.book.rulefile import ExampleShape, YamlDocument
from rules.case import Location
from rules.claim import Claim, Role, read_claim
from rules.engine.cases import case_of
from rules.engine.check import check
from rules.engine.memory import assigned_to
from rules.engine.patch import patched
from rules.errors import ClaimInvalid
from rules.facts import ClaimFacts, LineFacts
from rules.history import NOTHING_BILLED, History
from rules.report import Finding, Outcome
from rules.tables.edition import Edition
from rules.tables.table import SPECS

ROLES: tuple[Role, ...] = get_args(Role)


@dataclass(frozen=True, slots=True)
class RuleExample:
    """One example of a rule, made into a claim."""

    index: int
    name: str
    data: dict[str, Any]
    claim: Claim
    expect: Outcome
    history: History
    tables: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Rows of imported editions that the example brings along, by table."""
    locations: tuple[Location, ...] = ()
    """What the hospital's overrides list as enrolled."""

    def book(self, book: Book) -> Book:
        """The book as the example wants it."""
        return book_of(book, self.claim, self.tables, self.locations)


def book_of(
    book: Book, claim: Claim, tables: Mapping[str, tuple[str, ...]], locations: tuple[Location, ...] = ()
) -> Book:
    """The book with these rows in place of the shipped ones, and with this list of the biller's enrolled locations."""
    own = with_rows(book, tables)
    billing = claim.billing_provider
    return _enrolled(own, billing.npi or "", locations) if locations and billing else own


def _enrolled(book: Book, provider: str, locations: tuple[Location, ...]) -> Book:
    entry = Override(
        name="example", kind="locations", files=frozenset(), payers=tuple(book.registry.payers),
        providers=frozenset({provider}), start=date.min, end=date.max, reason="Example", owner="Example",
        expires=date.max, written_for="", pin="", former_pins=(), locations=locations,
    )  # fmt: skip
    return replace(book, overrides=Overrides((entry,), frozenset({provider})))


def with_rows(book: Book, tables: Mapping[str, tuple[str, ...]]) -> Book:
    """The book with rows of imported editions in place of the shipped ones, by table."""
    editions = [_edition(name, rows) for name, rows in tables.items()]
    return book.with_editions(editions)


def _edition(name: str, rows: tuple[str, ...]) -> Edition:
    """A whole edition that speaks, from the first of its rows on, for the parts that they belong to."""
    split = sorted((tuple(row.split(",")) for row in rows), key=lambda row: row[-2])
    first = {SPECS[name].part(row): row[-2] for row in reversed(split)}
    return Edition.model_validate(
        {
            "form": 2,
            "table": name,
            "title": "Example",
            "release": "Example",
            "files": [{"name": "example", "sha256": "0" * 64}],
            "speaks": {part: {"from": day} for part, day in first.items()},
            "rows": split,
        }
    )


def examples_of(book: Book, rule: Rule, document: YamlDocument) -> Iterator[RuleExample]:
    """The examples of a rule file; a broken one is noted in the document and left out."""
    package = book.procedures.get(rule.layer) or next(iter(book.procedures.values()))
    for index, entry in enumerate(document.data["examples"]):
        shape = ExampleShape.model_validate(entry)
        role = shape.bills_as or ROLES[min(map(ROLES.index, rule.bills_as))]
        payer = shape.payer or rule.payers[0]
        try:
            data = example_claim(role, shape.claim or {}, payer_part(book, payer), package)
            claim = read_claim(data)
        except ClaimInvalid as error:
            for problem in error.problems:
                document.complain(("examples", index, "claim"), f"is no claim: {problem}")
            continue
        except (AttributeError, TypeError):
            document.complain(("examples", index, "claim"), "expected a mapping laid out like a claim")
            continue
        if fault := no_rows(shape.tables):
            document.complain(("examples", index, "tables", fault[0]), fault[1])
            continue
        history = History("consulted", tuple(billed.billed(package.codes[0]) for billed in shape.history))
        yield RuleExample(
                index, shape.name, data, claim, shape.expect, history, shape.tables,
                tuple(at.place for at in shape.locations),
            )  # fmt: skip


def no_rows(tables: Mapping[str, tuple[str, ...]]) -> tuple[str, str] | None:
    """The first table that there is none of, or whose rows have another width, and a sentence about it."""
    for name, rows in tables.items():
        if name not in SPECS:
            return name, f"unknown table {name!r}{did_you_mean(name, tuple(SPECS))}"
        columns = (*SPECS[name].keys, *SPECS[name].values, "from", "to")
        if any(row.count(",") != len(columns) - 1 for row in rows):
            return name, f"expected {len(columns)} fields a row: {','.join(columns)}"
    return None


def payer_part(book: Book, name: str) -> dict[str, Any]:
    """The payer part of an example's claim: an id or filing indicator by which the registry finds the payer."""
    key, _, plan = name.partition("/")
    entry = book.registry.payers.get(key)
    if entry is None:
        return {"id": "00000"}
    of_no_plan = next((listed.id for listed in entry.ids if listed.plan is None), "00000")
    found: dict[str, Any] = {"id": of_no_plan, "plan": plan or None}
    if entry.filing_indicators:
        found["filing_indicator"] = entry.filing_indicators[0]
    return found


def try_examples(book: Book, rule: Rule, document: YamlDocument) -> None:
    """Notes every example whose outcome is not the expected one, and every patch that does not repair its claim."""
    for trial in trials_of(book, rule, document):
        if trial.fault:
            document.complain(trial.place, trial.fault)


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of one example."""

    example: RuleExample
    place: tuple[str | int, ...]
    """Where in the rule file the fault belongs."""
    fault: str | None
    """None: the rule says what the example expects."""


def trials_of(book: Book, rule: Rule, document: YamlDocument) -> Iterator[Trial]:
    """Each example of a rule file, run; a broken one is noted in the document and left out.

    Those of a retired rule say what it said while it ran: they are kept, and not run.
    """
    if rule.status == "retired":
        return
    patches = any(version.patch for version in rule.versions)
    for example in examples_of(book, rule, document):
        own = example.book(book)
        outcome = outcome_of(own, rule, example.claim, example.history)
        place: tuple[str | int, ...] = ("examples", example.index)
        fault = None
        if outcome != example.expect:
            place = (*place, "expect")
            fault = f"example {example.name!r} expects {example.expect}; the rule says {outcome}"
        elif outcome == "fail" and patches and (unrepaired := _unrepaired(own, rule, example)):
            fault = f"example {example.name!r} is not repaired: {unrepaired}"
        elif outcome == "fail" and (in_vain := vain_suggestion(own, rule, example.claim, example.history)):
            fault = f"example {example.name!r}: {in_vain}"
        yield Trial(example, place, fault)


def _unrepaired(book: Book, rule: Rule, example: RuleExample) -> str | None:
    """Why the patches of the rule do not repair the example, or None."""
    operations = [patch for finding in _findings(book, rule, example.claim) for patch in finding.patch]
    if not operations:
        return None
    try:
        claim = read_claim(patched(example.data, operations))
    except LookupError:
        return "a path of the patch leads nowhere"
    except ClaimInvalid as error:
        return f"the patched claim is none: {error.problems[0]}"
    left = outcome_of(book, rule, claim)
    return None if left in ("pass", "not_applicable") else f"after the patch the rule says {left}"


def _findings(book: Book, rule: Rule, claim: Claim) -> list[Finding]:
    report = check(claim, book)
    return [finding for finding in (*report.every, *report.shadow) if finding.rule == rule.file]


def outcome_of(book: Book, rule: Rule, claim: Claim, history: History = NOTHING_BILLED) -> Outcome:
    """What one rule says of a claim: the worst of its lines."""
    case = case_of(claim, book, None, history, rule.layer)
    if not any(entry.rule is rule for entry in assigned_to(book, kind_of(case))):
        return "not_applicable"
    facts = ClaimFacts(case)
    judged = [facts] if rule.scope == "claim" else [LineFacts(facts, line) for line in case.lines]
    outcomes = [rule.judge(one)[0] for one in judged]
    order: tuple[Outcome, ...] = ("fail", "undetermined", "bypassed", "pass", "not_applicable", "out_of_range")
    return min(outcomes, key=order.index, default="not_applicable")
