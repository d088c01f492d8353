"""What holds for any claim under the shipped book."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

from hypothesis import Phase, assume, find, given, settings
from hypothesis import strategies as st

from rules.case import date_of, last_date_of
from rules.claim import read_claim
from rules.engine.check import check
from rules.engine.findings import ENGINE_CODE
from rules.engine.patch import patched
from rules.report import Finding, Report
from tests.book import BOOK
from tests.rules.claims import CLAIMS, REPAIRABLE, STORIES

Data = dict[str, Any]
Said = Counter[tuple[object, ...]]


def judged(data: Data) -> Report:
    return check(read_claim(data), BOOK)


def said(report: Report, *, by_line: bool = True) -> Said:
    """What was found, without the words."""
    return Counter((f.rule, f.outcome, f.severity, f.line if by_line else None) for f in report.every)


def said_without(codes: tuple[str, ...], report: Report) -> Said:
    found = said(report).items()
    return Counter({one: times for one, times in found if str(one[0]).rpartition("/")[2][:6] not in codes})


def blocks(report: Report) -> set[tuple[str, int | None]]:
    return {(found.rule, found.line) for found in report.every if found.severity == "block"}


@settings(max_examples=60, deadline=None)
@given(CLAIMS)
def test_no_readable_claim_breaks_a_rule(data: Data) -> None:
    report = judged(data)
    assert ENGINE_CODE not in {finding.code for finding in report.every}
    assert (report.disposition == "rework") is any(
        finding.severity == "block" and finding.outcome != "bypassed" for finding in report.every
    )
    # Rules of the form hold a claim that those of no procedure judge.
    assert report.disposition in (("unchecked", "rework") if report.reason else ("billing", "rework"))


@settings(max_examples=50, deadline=None)
@given(CLAIMS)
def test_every_finding_can_be_acted_on(data: Data) -> None:
    for finding in judged(data).every:
        assert finding.message
        assert finding.fix
        assert "{" not in finding.message + finding.fix
        assert finding.citation.source
        assert finding.citation.locator


def test_there_are_findings_and_patches_among_the_claims_that_are_made_up() -> None:
    """Else the properties of findings and patches would hold of none."""
    quick = settings(max_examples=2000, phases=[Phase.generate], database=None, deadline=None)
    assert find(CLAIMS, lambda data: judged(data).every, settings=quick)
    assert find(CLAIMS | REPAIRABLE, lambda data: list(repairs(judged(data))), settings=quick)
    assert find(REPAIRABLE, lambda data: list(repairs(judged(data))), settings=quick)


def certain(line: Data) -> Data:
    """A line whose day and provider are certain, so that "the same day and provider" has no shades."""
    day = line["service_date"] or "2026-07-13"
    return {**line, "service_date": day, "service_date_end": None, "rendering_provider": None}


@settings(max_examples=60, deadline=None)
@given(CLAIMS, st.randoms(use_true_random=False))
def test_the_order_of_lines_changes_no_finding(data: Data, shuffled: Any) -> None:
    lines = [certain(line) for line in data["lines"]]
    assert said(judged(data | {"lines": lines}), by_line=False) == said(
        judged(data | {"lines": shuffled.sample(lines, len(lines))}), by_line=False
    )


@settings(max_examples=60, deadline=None)
@given(CLAIMS, st.randoms(use_true_random=False))
def test_the_order_of_lines_never_changes_the_way_out(data: Data, shuffled: Any) -> None:
    turned = shuffled.sample(data["lines"], len(data["lines"]))
    assert judged(data).disposition == judged(data | {"lines": turned}).disposition


@settings(max_examples=60, deadline=None)
@given(CLAIMS, st.randoms(use_true_random=False))
def test_the_order_of_diagnoses_changes_no_finding(data: Data, shuffled: Any) -> None:
    count = len(data["diagnoses"])
    order = shuffled.sample(range(count), count)
    place = {old + 1: order.index(old) + 1 for old in range(count)}
    lines = [
        {**line, "diagnosis_pointers": [place.get(pointer, pointer) for pointer in line.get("diagnosis_pointers", [])]}
        for line in data["lines"]
    ]
    turned = data | {"diagnoses": [data["diagnoses"][old] for old in order], "lines": lines}
    assert said(judged(data)) == said(judged(turned))


@settings(max_examples=50, deadline=None)
@given(CLAIMS, st.randoms(use_true_random=False))
def test_the_order_of_pointers_changes_no_finding(data: Data, shuffled: Any) -> None:
    assert said(judged(data)) == said(judged(_shuffled(data, "diagnosis_pointers", shuffled)))


@settings(max_examples=60, deadline=None)
@given(CLAIMS, st.randoms(use_true_random=False))
def test_the_order_of_modifiers_changes_no_finding_but_of_the_first_place(data: Data, shuffled: Any) -> None:
    """MOD017 says which modifier has to be the first one: its subject is the order."""
    before, after = judged(data), judged(_shuffled(data, "modifiers", shuffled))
    assert said_without(("MOD017",), before) == said_without("MOD017", after)


def _shuffled(data: Data, key: str, shuffled: Any) -> Data:
    def turned(line: Data) -> Data:
        return line | {key: shuffled.sample(line[key], len(line[key]))} if line.get(key) else line

    return data | {"lines": [turned(line) for line in data["lines"]]}


@settings(max_examples=50, deadline=None)
@given(CLAIMS)
def test_the_dot_of_a_diagnosis_changes_no_finding(data: Data) -> None:
    bare = data | {"diagnoses": [code.replace(".", "") for code in data["diagnoses"]]}
    assert said(judged(data)) == said(judged(bare))


UNRELATED = ["80053", "85025", "71046"]
"""Laboratory and X-ray: no rule of the book speaks of them."""
COMPANIONS = [
    "99213",
    "G0463",
    "G2211",
    "76942",
    "77002",
    "64450",
    "20552",
    "20560",
    "20610",
    "01402",
    "97140",
    "96372",
    "A4550",
    "64446",
]
"""What the rules of the day speak of, where it is given on that day."""


OFF_CAMPUS = ("PO", "PN", "ER")


def with_line(data: Data, procedure: str, day: str | None) -> Data:
    """The claim with one line more, sound in itself, by who gave the first one and where, and with a total that
    follows."""
    line = {
        "number": 1 + max(line["number"] for line in data["lines"]),
        "procedure": procedure,
        "modifiers": [one for one in data["lines"][0].get("modifiers") or () if one in OFF_CAMPUS],
        "units": "1",
        "charge": "10.00",
        "service_date": day,
        "diagnosis_pointers": [1],
        "revenue_code": "0300",
        "rendering_provider": data["lines"][0].get("rendering_provider"),
    }
    total = data["total_charge"]
    return data | {"lines": [*data["lines"], line], "total_charge": total and str(Decimal(total) + 10)}


def judged_backwards(data: Data) -> bool:
    """Whether a line ends before it starts: which of its dates counts as the last is then open."""
    return any(f.rule.endswith("CLM006-line-dates") for f in judged(data).every)


@settings(max_examples=60, deadline=None)
@given(CLAIMS, st.sampled_from(UNRELATED))
def test_an_unrelated_line_of_the_day_changes_nothing(data: Data, procedure: str) -> None:
    assume(data["diagnoses"])
    assume(data["total_charge"] is None or Decimal(data["total_charge"]) > 0)
    assume(not judged_backwards(data))
    # What was paid and adjusted before is of the claim as it was: with one line more it no longer adds up.
    assume(data.get("patient_paid") is None)
    assume(data.get("patient_estimated") is None)
    assume(not any(other.get("paid") or other.get("adjustments") for other in data.get("other_payers", ())))
    block = next((line for line in data["lines"] if line["procedure"] == "64445"), data["lines"][0])
    # A line without a day is itself one that the form rules cannot judge.
    assume(block["service_date"])
    # MOD013 asks whether 59 stands beside something that it parts from nothing: alone, the block is no such claim.
    # UBF031 asks whether all lines are of a department away from the campus: the one that is added is of none.
    apart = ("MOD013", "UBF031")
    before, after = judged(data), judged(with_line(data, procedure, block["service_date"]))
    added = 1 + max(line["number"] for line in data["lines"])
    of_the_others = Counter({one: times for one, times in said_without(apart, after).items() if one[3] != added})
    assert said_without(apart, before) == of_the_others


def of_another_day(data: Data, day: str) -> None:
    """Keeps claims whose blocks are all dated, none of them on that day or before it."""
    claim = read_claim(data)
    assume(data["diagnoses"])
    assume(data["total_charge"] is None or Decimal(data["total_charge"]) > 0)
    spans = [(date_of(claim, line), last_date_of(claim, line)) for line in claim.lines if line.procedure == "64445"]
    other = date.fromisoformat(day)
    assume(spans and all(start and end and other < min(start, end) for start, end in spans))
    assume(not (claim.patient and claim.patient.birth_date and other < claim.patient.birth_date))


OTHER_DAYS = st.sampled_from(["2024-08-20", "2025-10-09", "2026-05-04"])


@settings(max_examples=60, deadline=None)
@given(CLAIMS, st.sampled_from(COMPANIONS), OTHER_DAYS)
def test_a_line_of_another_day_changes_nothing_that_is_said_of_the_block(data: Data, procedure: str, day: str) -> None:
    of_another_day(data, day)
    places = {None, *(line["number"] for line in data["lines"])}
    after = said_of_block(judged(with_line(data, procedure, day)))
    assert said_of_block(judged(data)) == Counter({one: times for one, times in after.items() if one[3] in places})


def said_of_block(report: Report) -> Said:
    """Without the rules that ask what else the whole claim has (an operation anywhere on it may be the block's reason, a
    block alone on it wants no pair). Without what the form rules say of the claim as a whole: an earlier line may be late
    for itself, and its day is the one by which their versions are chosen."""
    return Counter(
        {
            key: count
            for key, count in said(report).items()
            if not any(f"/{code}-" in str(key[0]) for code in OF_THE_WHOLE_CLAIM)
            and not (str(key[0]).startswith("form/") and key[3] is None)
        }
    )


OF_THE_WHOLE_CLAIM = ("COV009", "DXN007", "MOD013")


@settings(max_examples=60, deadline=None)
@given(CLAIMS, OTHER_DAYS)
def test_a_block_of_another_day_changes_nothing_that_is_said_of_a_line(data: Data, day: str) -> None:
    of_another_day(data, day)
    numbers = {line["number"] for line in data["lines"]}
    one, other = judged(data), judged(with_line(data, "64445", day))
    assume(other.disposition != "unchecked")
    assert Counter(key for key in said(one) if key[3] in numbers) == Counter(
        key for key in said(other) if key[3] in numbers
    )


def repairs(report: Report) -> Iterator[Finding]:
    yield from (finding for finding in report.every if finding.patch)


@settings(max_examples=60, deadline=None)
@given(CLAIMS | REPAIRABLE)
def test_a_patch_removes_its_finding_and_adds_no_block(data: Data) -> None:
    report = judged(data)
    for finding in repairs(report):
        after = judged(patched(data, finding.patch))
        assert (finding.rule, finding.line) not in {(f.rule, f.line) for f in after.every}
        assert blocks(after) <= blocks(report)


@settings(max_examples=60, deadline=None)
@given(REPAIRABLE)
def test_all_patches_together_remove_their_findings_and_add_no_block(data: Data) -> None:
    report = judged(data)
    after = judged(patched(data, [operation for finding in repairs(report) for operation in finding.patch]))
    mended = {(finding.rule, finding.line) for finding in repairs(report)}
    assert not mended & {(f.rule, f.line) for f in after.every}
    assert blocks(after) <= blocks(report)


@settings(max_examples=50, deadline=None)
@given(CLAIMS)
def test_the_same_claim_gives_the_same_report(data: Data) -> None:
    assert repr(judged(data)) == repr(judged(data))


def digest() -> str:
    """One digest over the reports of a third of the corpus."""
    whole = hashlib.sha256()
    for story in STORIES[::3]:
        whole.update(repr(check(story.claim, BOOK)).encode())
    return whole.hexdigest()


def test_every_process_gives_the_same_reports_whatever_its_hash_seed() -> None:
    command = [sys.executable, "-c", "from tests.rules.test_properties import digest; print(digest())"]
    runs = [
        subprocess.Popen(command, env={**os.environ, "PYTHONHASHSEED": seed}, stdout=subprocess.PIPE, text=True)
        for seed in ("1", "4242")
    ]
    assert {run.communicate(timeout=60)[0].strip() for run in runs} == {digest()}
