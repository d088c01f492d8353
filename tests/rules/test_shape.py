"""What claims of one shape share: a fact that is not its claim's own never rests on anything outside the shape."""

from __future__ import annotations

from dataclasses import is_dataclass, replace
from datetime import timedelta
from decimal import Decimal
from itertools import cycle, pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rules.authoring.examples import example_claim
from rules.book.book import Book
from rules.case import Case
from rules.claim import Claim, Line, Patient, Subscriber, read_claim
from rules.engine.cases import case_of, cases_of
from rules.engine.check import check
from rules.engine.memory import memory_of
from rules.engine.shape import shape_of
from rules.facts import FACTS, ClaimFacts, Fact, LineFacts
from rules.facts.registry import Changed, Reach
from rules.history import NO_MEMBER_ID, NOT_CONSULTED, NOTHING_BILLED, History
from rules.report import Report
from tests.book import BOOK, unused
from tests.rules.claims import CLAIMS as ANY_CLAIM
from tests.rules.drawn import claims_of
from worker.bench.claims import claim

SHAPE = {
    "form", "frequency_code", "type_of_bill", "place_of_service", "delay_reason_code", "documentation", "other_payers",
    "original_reference_number", "prior_authorization", "payer", "payer.responsibility", "payer.id",
    "payer.filing_indicator", "payer.insurance_type", "transaction_type", "several_principal_diagnoses", "oddities",
    "subscriber", "subscriber.relationship", "patient", "patient.own_loop", "lines.decisions",
    "billing_provider", "billing_provider.entity", "billing_provider.state", "billing_provider.participating",
    "billing_provider.taxonomy", "service_facility", "service_facility.kind", "service_facility.state",
    "rendering_provider", "rendering_provider.npi", "rendering_provider.taxonomy",
    "attending_provider", "attending_provider.npi", "attending_provider.taxonomy",
    "operating_provider", "operating_provider.npi", "operating_provider.taxonomy",
    "lines", "lines.number", "lines.procedure", "lines.modifiers", "lines.units", "lines.unit_basis",
    "lines.place_of_service", "lines.diagnosis_pointers", "lines.revenue_code", "lines.rendering_provider",
    "lines.drug", "lines.drug.ndc", "lines.drug.quantity", "lines.drug.unit", "lines.service_date", "lines.service_date_end",
    "lines.service_facility", "lines.service_facility.state", "lines.prior_authorization",
    "form_faults", "form_faults.kind", "form_faults.loop", "form_faults.segment", "form_faults.element",
    "form_faults.line", "form_faults.answer",
}  # fmt: skip
"""Paths that a shared fact may read; of some the shape holds no more than whether they are there, or the same day."""
DIAGNOSES = {"diagnoses", "admitting_diagnosis", "reason_diagnoses"}
CLAIMS = [read_claim(claim(number)) for number in range(400)]


class Recorder:
    """A part of a claim that notes what is read of it."""

    def __init__(self, model: object, path: str, read: set[str]) -> None:
        self._model, self._path, self._read = model, path, read
        self._parts: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        path = f"{self._path}{name}"
        self._read.add(path)
        value = getattr(self._model, name)
        if name not in self._parts:
            if is_dataclass(value):
                value = Recorder(value, f"{path}.", self._read)
            elif isinstance(value, tuple) and value and is_dataclass(value[0]):
                value = tuple(Recorder(part, f"{path}.", self._read) for part in value)
            self._parts[name] = value
        return self._parts[name]


def recorded(case: Case, read: set[str]) -> Case:
    record: Any = Recorder(case.claim, "", read)
    lines = tuple(line for line, real in zip(record.lines, case.claim.lines, strict=True) if real in case.lines)
    return case._replace(claim=record, lines=lines, received=Untouchable(), cache={})  # type: ignore[arg-type]


class Untouchable:
    """Stands where a shared fact must not look."""

    def __getattr__(self, *_: object) -> Any:
        raise AssertionError("the date of receipt is no part of the shape")

    __eq__ = __lt__ = __gt__ = __sub__ = __rsub__ = __bool__ = __getattr__  # type: ignore[assignment]
    __hash__ = None  # type: ignore[assignment]


@pytest.fixture(scope="module")
def book() -> Book:
    return BOOK


@pytest.mark.parametrize("name", [name for name, fact in FACTS.items() if not fact.own])
def test_a_shared_fact_reads_the_shape_alone_and_one_on_diagnoses_these_as_well(book: Book, name: str) -> None:
    fact, read = FACTS[name], set[str]()
    for one in CLAIMS[:120]:
        case = case_of(one, book, None)
        if shape_of(case) is None:
            continue
        seen: set[str] = set()
        watched = recorded(case, seen)
        seen.clear()
        for line in watched.lines if fact.scope == "line" else ():
            fact.derive(watched, line)
        if fact.scope == "claim":
            fact.derive(watched)
        read |= seen
    read -= DIAGNOSES if fact.diagnoses else set()
    assert read <= SHAPE, f"{name} reads {sorted(read - SHAPE)}: declare it own=True, or diagnoses=True"


def shaped(data: dict[str, Any]) -> Claim:
    """A claim of these data that shares its shape with others."""
    line: dict[str, Any] = {
        "procedure": "64445",
        "service_date": "2026-07-13",
        "service_date_end": None,
        "rendering_provider": None,
        "decisions": [],
    }
    lines = [{**one, **line, "number": place} for place, one in enumerate(data["lines"], 1)]
    rare: dict[str, Any] = {"documentation": [], "other_payers": [], "not_read": [], "oddities": []}
    return read_claim({**data, **rare, "lines": lines})


SHARED = {name: fact for name, fact in FACTS.items() if not fact.own}


@given(claims_of(Claim, whole=True))
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_shared_fact_reads_the_shape_alone_of_a_claim_that_has_every_field(data: dict[str, Any]) -> None:
    """A field that no claim of the bench has would be read by nobody above."""
    case = case_of(shaped(data), BOOK, None)
    assert shape_of(case) is not None
    found: dict[str, set[str]] = {}
    for name, fact in SHARED.items():
        read: set[str] = set()
        watched = recorded(case, read)
        read.clear()
        for part in watched.lines if fact.scope == "line" else [None]:
            fact.derive(watched, *filter(None, [part]))
        found[name] = read - SHAPE - (DIAGNOSES if fact.diagnoses else set())
    assert {name: read for name, read in found.items() if read} == {}


PAYS = (
    "frequency_code", "delay_reason_code", "transaction_type", "several_principal_diagnoses", "subscriber", "patient",
    "original_reference_number", "prior_authorization", "payer", "form_faults",
)  # fmt: skip
"""What of a claim's shape is of who pays for whom."""


def looks_further(one: Claim) -> list[str]:
    """The facts that look further on the claim than they declare: by what each line alone makes of them, and where
    nobody can say who pays."""
    cases = cases_of(one, BOOK, None, NOTHING_BILLED)
    return [f"{fact.name} of {case.layer}" for case in cases for fact in FACTS.values() if not _keeps_to(fact, case)]


def _keeps_to(fact: Fact, case: Case) -> bool:
    lines, whole = case.claim.lines, case._replace(cache={})
    alone = [(_alone(case, line), line) for line in lines]
    if fact.reach == "head":
        return all(fact.derive(other) == fact.derive(whole) for other, _ in alone)
    if fact.reach == "each":
        return (fact.derive(whole) == ()) is all(fact.derive(other) == () for other, _ in alone)
    if fact.reach == "line":
        return all(fact.derive(other, line) == fact.derive(whole, line) for other, line in alone)
    if fact.reach == "lines":
        asked: Any = [(line,) for line in case.lines] if fact.scope == "line" else [()]
        try:
            return all(fact.derive(_unpaid(case), *line) == fact.derive(whole, *line) for line in asked)
        except AssertionError:
            return False
    return True


def _alone(case: Case, line: Line) -> Case:
    claim: Any = Changed(case.claim, lines=(line,))
    return case._replace(claim=claim, lines=tuple(one for one in case.lines if one is line), cache={})


def _unpaid(case: Case) -> Case:
    nobody: Any = Untouchable()
    claim: Any = Changed(case.claim, **dict.fromkeys(PAYS, nobody))
    return case._replace(
        claim=claim, cache={}, selection=nobody, received=nobody, history=nobody, provider=nobody, ruled=nobody,
        forms=nobody, carried=nobody, locations=nobody,
    )  # fmt: skip


def test_a_fact_looks_no_further_than_it_declares() -> None:
    """Of the bench's claims those with the most lines, each with the lines of the next one beside its own."""
    several = sorted((one for one in CLAIMS if shape_of(case_of(one, BOOK, None))), key=lambda one: -len(one.lines))[
        :60
    ]
    joined = [replace(one, lines=(*one.lines, *other.lines)) for one, other in pairwise(several)]
    assert [found for one in joined for found in looks_further(one)] == []


@given(claims_of(Claim, whole=True))
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_fact_looks_no_further_on_a_claim_that_has_every_field(data: dict[str, Any]) -> None:
    assert looks_further(shaped(data)) == []


def test_a_fact_that_looked_further_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """`sides_of_day` looks at the lines of the day, `lines_without_pointers` at all, `payer_id` at the payer."""
    reaches: dict[str, Reach] = {
        "sides_of_day": "line", "lines_without_pointers": "head", "repeated_line_numbers": "each", "payer_id": "lines",
    }  # fmt: skip
    for name, reach in reaches.items():
        monkeypatch.setitem(FACTS, name, replace(FACTS[name], reach=reach))
    left = {"number": 1, "service_date": "2026-07-13", "modifiers": ["LT"], "diagnosis_pointers": []}
    right = {"number": 1, "service_date": "2026-07-13", "modifiers": ["RT"]}
    one = read_claim(example_claim("practitioner", {"lines": [left, right]}, claim(0)["payer"]))
    assert {text.partition(" ")[0] for text in looks_further(one)} == set(reaches)


def other_of_the_shape(one: Claim) -> Claim:
    """Another patient's claim of the same shape: all else differs."""

    def provider(value: Any) -> Any:
        return value and replace(value, npi=value.npi and "1992999999")

    lines = [
        replace(
            line,
            charge=line.charge + 7,
            service_date=line.service_date and line.service_date + timedelta(days=1),
            revenue_code=line.revenue_code and "0490",
        )
        for line in one.lines
    ]
    update = {
        "claim_id": "OTHER", "received_date": one.received_date and one.received_date + timedelta(days=200),
        "statement_from_date": None, "statement_through_date": None,
        "original_reference_number": one.original_reference_number and "X9", "subscriber": one.subscriber and Subscriber(relationship=one.subscriber.relationship),
        "patient": one.patient and Patient(own_loop=one.patient.own_loop),
        "billing_provider": provider(one.billing_provider), "rendering_provider": provider(one.rendering_provider),
        "attending_provider": provider(one.attending_provider), "operating_provider": provider(one.operating_provider),
        "diagnoses": ("G57.01",), "total_charge": None, "lines": tuple(lines),
    }  # fmt: skip
    return replace(one, **update)


def test_claims_of_one_shape_share_every_shared_fact(book: Book) -> None:
    compared = 0
    for one in CLAIMS:
        cases = [case_of(one, book, None), case_of(other_of_the_shape(one), book, None)]
        first, second = [ClaimFacts(case) for case in cases]
        shape = shape_of(cases[0])
        if shape is None or first.day is None or second.day is None:
            continue
        assert shape_of(cases[1]) == shape
        if memory_of(book).period(first.day) != memory_of(book).period(second.day):
            continue
        lines = zip(cases[0].lines, cases[1].lines, strict=True)
        pairs = [(first, second), *((LineFacts(first, left), LineFacts(second, right)) for left, right in lines)]
        for left, right in pairs:
            known = [
                name
                for name, fact in FACTS.items()
                if not (fact.own or fact.diagnoses) and (fact.scope == "claim" or isinstance(left, LineFacts))
            ]
            assert {name: left[name] for name in known} == {name: right[name] for name in known}
        compared += 1
    assert compared > 200


def unplanned(one: Claim, book: Book, history: History = NOT_CONSULTED) -> Report:
    """What is said where every rule in force is tried on the claim itself, as on claims without a shape."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rules.engine.check.shape_of", lambda case: None)
        return check(one, book, history=history)


def test_a_plan_for_the_shape_says_what_the_whole_plan_says() -> None:
    book = unused()
    for one in CLAIMS:
        memory_of(book).by_shape.clear()
        first, again = check(one, book), check(one, book)
        assert first == again == unplanned(one, book)


def test_another_claim_meets_the_same_plan_and_is_judged_for_itself() -> None:
    shaped, fresh = unused(), unused()
    for one in CLAIMS:
        check(one, shaped)
        check(one, shaped)
        other = other_of_the_shape(one)
        memory_of(fresh).by_shape.clear()
        assert check(other, shaped) == check(other, fresh)


def test_what_is_kept_names_the_claim_and_its_own_history() -> None:
    book = unused()
    for one in CLAIMS[:60]:
        other = replace(other_of_the_shape(one), diagnoses=one.diagnoses)
        for history in (NOT_CONSULTED, NO_MEMBER_ID, NOTHING_BILLED):
            for each in (one, other, one):
                report = check(each, book, history=history)
                assert (report.claim_id, report.history) == (each.claim_id, history.state)
                assert report == unplanned(each, book, history)


def medicare_days(*days: int) -> Claim:
    """Two blocks and imaging guidance, each on a day of July."""
    lines = [
        {"procedure": procedure, "modifiers": [], "service_date": f"2026-07-{day:02}"}
        for procedure, day in zip(("64445", "64445", "76942"), days, strict=True)
    ]
    payer = {"id": "04412", "filing_indicator": "MB"}
    return read_claim(example_claim("practitioner", {"lines": lines}, payer))


@pytest.mark.parametrize("days", [(13, 14, 14), (13, 14, 15), (13, 14, 13)])
def test_the_pattern_of_days_belongs_to_the_shape(days: tuple[int, ...]) -> None:
    fresh = check(medicare_days(*days), unused())
    used = unused()
    for other in ((13, 14, 15), (13, 14, 14), (13, 14, 13)):
        for _ in range(3):
            check(medicare_days(*other), used)
    assert check(medicare_days(*days), used) == fresh
    assert ("BND001" in fresh.codes("block")) is (days[2] in days[:2])


USED, FRESH = unused(), unused()


@given(data=ANY_CLAIM, shifts=st.lists(st.integers(-2, 2), min_size=6, max_size=6), dollars=st.integers(0, 900))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_used_book_says_what_a_fresh_book_says(data: dict[str, Any], shifts: list[int], dollars: int) -> None:
    one = read_claim(data)
    days = [
        line.service_date and line.service_date + timedelta(days=shift)
        for line, shift in zip(one.lines, cycle(shifts), strict=False)
    ]
    lines = [
        replace(line, service_date=day, charge=Decimal(dollars)) for line, day in zip(one.lines, days, strict=True)
    ]
    other = replace(one, lines=tuple(lines), diagnoses=("G57.01",))
    of_same_diagnoses = replace(one, lines=other.lines)
    for known in (one, other, of_same_diagnoses, one, other, of_same_diagnoses):
        memory_of(FRESH).by_shape.clear()
        assert check(known, USED) == check(known, FRESH) == unplanned(known, FRESH)
