"""US forms of days, times, money and shares, in the time zone of the hospital."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from worker.serve.pages.words import Words, counted, dollars, money, not_known, percent, without_commands

WORDS = Words(datetime(2026, 11, 30, 15, 12, tzinfo=UTC).astimezone(ZoneInfo("America/Chicago")))


@pytest.mark.parametrize(
    ("moment", "said"),
    [
        ("2026-11-30T15:10:00.123Z", "Nov 30, 9:10 AM"),
        ("2026-11-30T06:05:00Z", "Nov 30, 12:05 AM"),
        ("2026-11-30T18:00:00Z", "Nov 30, 12:00 PM"),
        ("2026-12-01T05:30:00Z", "Nov 30, 11:30 PM"),
        ("2026-07-01T04:59:00Z", "Jun 30, 11:59 PM"),
        ("2025-12-04T12:00:00Z", "Dec 4, 2025, 6:00 AM"),
    ],
)
def test_a_moment_is_told_where_the_people_are(moment: str, said: str) -> None:
    assert WORDS.moment(moment) == said


def test_a_day_has_its_year_where_that_is_another_one() -> None:
    assert WORDS.day(date(2026, 12, 4)) == "Dec 4"
    assert WORDS.day(date(2027, 1, 4)) == "Jan 4, 2027"
    assert WORDS.full_day(date(2026, 12, 4)) == "Dec 4, 2026"
    assert WORDS.day(None) == WORDS.full_day(None) == "not known"


@pytest.mark.parametrize(("day", "said"), [(30, "today"), (29, "1 day ago"), (25, "5 days ago"), (1, "29 days ago")])
def test_days_are_counted_from_today(day: int, said: str) -> None:
    assert WORDS.days(date(2026, 11, day)) == said
    assert WORDS.days(date(2026, 12, 1)) == "1 day left"


def test_money_shares_and_numbers_are_as_in_the_us() -> None:
    assert money(109_800) == "$1,098.00"
    assert money(-5) == "-$0.05"
    assert dollars("450.00") == "$450.00"
    assert dollars("a lot") == "a lot"
    assert percent(59, 74) == "79.7%"
    assert percent(0, 0) == "none yet"
    assert counted(1, "claim") == "1 claim"
    assert counted(1_204, "claim") == "1,204 claims"


def test_how_long_is_by_days_of_the_place_and_not_by_hours() -> None:
    assert WORDS.since("2026-11-30T05:59:00Z") == "1 day"
    assert WORDS.since("2026-11-30T06:01:00Z") == "today"
    assert WORDS.zone == "CST"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "a contract with aetna: set SCRUB_CONTRACTS to a table of what it pays",
            "not set up here: a contract with aetna",
        ),
        ("cost indices of TX: scrub tables import GPCI", "not set up here: cost indices of TX"),
        ("units 2: the book has the payment of one unit", "units 2: the book has the payment of one unit"),
    ],
)
def test_what_an_expected_payment_wants_is_said_without_the_command_that_a_biller_cannot_give(
    text: str, said: str
) -> None:
    assert not_known(text) == said


def test_what_stands_in_the_way_of_a_waiver_is_said_without_settings() -> None:
    assert without_commands("not remembered any more (SCRUB_EVENT_MEMORY): send it again") == (
        "not remembered any more: send it again"
    )
