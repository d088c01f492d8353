"""SCRUB_MODE and SCRUB_GAPS as entries of the overrides."""

from __future__ import annotations

import pytest

from rules.book.overridefile import read_overrides
from tests.book import BOOK
from worker.config.routing import entries


@pytest.mark.parametrize("mode", ["", "enforce", " , "])
@pytest.mark.parametrize("gaps", ["", "billing"])
def test_what_holds_anyway_is_no_entry(mode: str, gaps: str) -> None:
    assert entries(mode, gaps) == ""


def test_each_payer_plan_and_rule_has_an_entry() -> None:
    text = entries("observe, medicare:enforce,observe:bcbs/florida_blue,IDN002:enforce", "unchecked,uhc:rework")
    found = {one.name: one for one in read_overrides("settings", text, BOOK)}
    assert {name: (one.kind, one.mode or one.route, one.payers) for name, one in found.items()} == {
        "scrub-mode": ("mode", "observe", ()),
        "scrub-mode-medicare": ("mode", "enforce", ("medicare",)),
        "scrub-mode-bcbs-florida-blue": ("mode", "observe", ("bcbs/florida_blue",)),
        "scrub-mode-idn002": ("mode", "enforce", ()),
        "scrub-gaps": ("gaps", "unchecked", ()),
        "scrub-gaps-uhc": ("gaps", "rework", ("uhc",)),
    }
    assert all("/IDN002-" in file for file in found["scrub-mode-idn002"].files)
    assert found["scrub-mode-idn002"].files


def test_the_order_in_which_it_is_said_does_not_count() -> None:
    assert entries("observe,uhc:enforce", "") == entries("enforce:uhc , observe", "")
