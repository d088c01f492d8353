"""Every place of two clean files, broken in every way that the table knows, is found or refused; and a pattern never
matches what is wrong."""

from __future__ import annotations

import io

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.x12.mutants import CLEAN, FORMS, Mutant, mutants, slots_of
from worker.intake.document import Document, Refusal
from worker.intake.x12 import read_x12
from worker.intake.x12.elementcheck import element_faults
from worker.intake.x12.fields import Form
from worker.intake.x12.grammar import grammar
from worker.intake.x12.patterns import pattern
from worker.intake.x12.slots import Slot

SLOTS = [slot for form in FORMS for loop in grammar(form).loops.values() for slot in loop.slots]


def found(raw: str) -> Document | Refusal:
    (first, *_) = list(read_x12("f", io.BytesIO(raw.encode()), limit=2**20))
    return first


def missed(mutant: Mutant) -> str:
    one = found(mutant.raw)
    if isinstance(one, Refusal):
        return ""
    kinds = {fault.kind for fault in one.claim.form_faults}
    return "" if kinds & mutant.kinds else f"{mutant.name}: {sorted(kinds)}"


@pytest.mark.parametrize("form", FORMS)
def test_the_clean_file_is_clean(form: Form) -> None:
    one = found(CLEAN[form])
    assert isinstance(one, Document)
    assert one.claim.form_faults == ()


@pytest.mark.parametrize("form", FORMS)
def test_each_required_segment_element_code_length_order_and_count_is_looked_at(form: Form) -> None:
    every = list(mutants(form))
    assert len(every) > 250
    assert [text for one in every if (text := missed(one))] == []


@settings(max_examples=300, suppress_health_check=list(HealthCheck), deadline=None)
@given(st.data())
def test_what_a_pattern_matches_has_no_fault(data: st.DataObject) -> None:
    slot: Slot = data.draw(st.sampled_from(SLOTS))
    text = pattern(slot)
    if text != "(?!)" and "(?!" not in text:
        segment = data.draw(st.from_regex(text, fullmatch=True))
        assert element_faults(slot, segment.split("*"), ":", "^") == []


def test_the_segments_of_the_clean_files_match_their_patterns_so_that_the_short_way_is_taken() -> None:
    slow = [
        text
        for form in FORMS
        for text, slot in zip(CLEAN[form].split("~"), slots_of(form), strict=True)
        if slot and not slot.match(text)
    ]
    assert slow == []
