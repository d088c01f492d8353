"""Sources: how long an edition speaks, and what is to be looked up from which day on."""

from __future__ import annotations

from datetime import date

import pytest
from pydantic import ValidationError

from rules.book.sources import Source, due_items
from rules.tables.cadence import period_end
from rules.terms import Cadence
from tests.book import BOOK

PLAIN = {"title": "File", "publisher": "CMS", "starts": "2026-07-01", "grade": "A"}


@pytest.mark.parametrize(
    ("cadence", "day", "last"),
    [
        ("quarterly", date(2026, 7, 1), date(2026, 9, 30)),
        ("quarterly", date(2026, 12, 31), date(2026, 12, 31)),
        ("yearly", date(2026, 1, 1), date(2026, 12, 31)),
        ("fiscal_yearly", date(2026, 9, 30), date(2026, 9, 30)),
        ("fiscal_yearly", date(2026, 10, 1), date(2027, 9, 30)),
    ],
)
def test_a_period_ends_on_the_day_before_the_next_begins(cadence: Cadence, day: date, last: date) -> None:
    assert period_end(cadence, day) == last


def test_an_edition_ends_by_its_cadence_or_its_last_day_or_not_at_all() -> None:
    assert Source.model_validate(PLAIN).ends is None
    assert Source.model_validate(PLAIN | {"cadence": "quarterly"}).ends == date(2026, 9, 30)
    assert Source.model_validate(PLAIN | {"last_day": "2026-08-15"}).ends == date(2026, 8, 15)


@pytest.mark.parametrize("more", [{"cadence": "yearly", "last_day": "2026-12-31"}, {"last_day": "2026-06-30"}])
def test_two_ends_or_one_before_the_start_are_refused(more: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="last_day"):
        Source.model_validate(PLAIN | more)


def test_what_is_to_be_looked_up_is_named_from_its_day_on_the_oldest_first() -> None:
    later, sooner = ({"due": due, "what": due, "rules": ["COV007"]} for due in ("2027-01-02", "2027-01-01"))
    sources = {"file": Source.model_validate(PLAIN | {"watch": [later, sooner]})}
    assert list(due_items(sources, date(2026, 12, 31))) == []
    assert [(key, at, item.what) for key, at, item in due_items(sources, date(2027, 1, 2))] == [
        ("file", 1, "2027-01-01"),
        ("file", 0, "2027-01-02"),
    ]


def test_a_quarter_of_the_ncci_edits_is_over_with_its_quarter() -> None:
    quarters = {key: source for key, source in BOOK.sources.items() if key.startswith(("cms-ncci-ptp", "cms-ncci-mue"))}
    assert quarters
    assert [key for key, source in quarters.items() if source.ends != period_end("quarterly", source.starts)] == []


def test_every_item_to_look_up_names_rules_of_the_book() -> None:
    codes = {rule.code for rule in BOOK.rules}
    named = {code for source in BOOK.sources.values() for item in source.watch for code in item.rules}
    assert named
    assert named <= codes
