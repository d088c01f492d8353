"""How pages write days, times, money and shares: as a US billing office does, in one time zone. Without a clock."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
"""Not of the process' locale, which a container sets to anything."""
_COMMAND = re.compile(r"SCRUB_|\bscrub [a-z]")
_SETTING = re.compile(r" \(SCRUB_\w+\)")
_RECORD = "record that with `scrub history reject`"


@dataclass(frozen=True, slots=True)
class Words:
    """Of one moment in one time zone."""

    now: datetime
    """With its time zone: all others are told in it."""

    @property
    def today(self) -> date:
        return self.now.date()

    def local(self, moment: str | datetime) -> datetime:
        """A moment of a store (ISO 8601) in the time zone."""
        found = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
        return found.astimezone(self.now.tzinfo)

    def day_of(self, moment: str) -> date:
        return self.local(moment).date()

    def day(self, day: date | None) -> str:
        """`Dec 4`, with its year where that is not this one: `Dec 4, 2025`."""
        if day is None:
            return "not known"
        short = f"{_MONTHS[day.month - 1]} {day.day}"
        return short if day.year == self.today.year else f"{short}, {day.year}"

    def full_day(self, day: date | None) -> str:
        """`Dec 4, 2026`."""
        return "not known" if day is None else f"{_MONTHS[day.month - 1]} {day.day}, {day.year}"

    def moment(self, moment: str | datetime) -> str:
        """`Nov 30, 9:10 AM`."""
        found = self.local(moment)
        return f"{self.day(found.date())}, {self.clock(found)}"

    def clock(self, moment: str | datetime) -> str:
        """`9:10 AM`."""
        found = self.local(moment)
        return f"{found.hour % 12 or 12}:{found.minute:02} {'AM' if found.hour < 12 else 'PM'}"

    def days(self, day: date) -> str:
        """From today to a day: `4 days left`, `5 days ago`."""
        left = (day - self.today).days
        if left == 0:
            return "today"
        return f"{counted(left, 'day')} left" if left > 0 else f"{counted(-left, 'day')} ago"

    def since(self, moment: str) -> str:
        """For how long: `3 days`, `today`."""
        past = (self.today - self.day_of(moment)).days
        return counted(past, "day") if past > 0 else "today"

    @property
    def zone(self) -> str:
        """`CST`, `UTC`."""
        return self.now.tzname() or ""


def money(cents: int) -> str:
    """`$1,098.00`."""
    return f"{'-' if cents < 0 else ''}${abs(cents) // 100:,}.{abs(cents) % 100:02}"


def dollars(text: object) -> str:
    """The same of an amount as claims have it; the text itself where it is none."""
    try:
        return money(int((Decimal(str(text)) * 100).to_integral_value()))
    except (ArithmeticError, ValueError):
        return str(text)


def percent(part: int, whole: int) -> str:
    """`79.7%`; nothing where there is no whole."""
    return f"{100 * part / whole:.1f}%" if whole else "none yet"


def counted(number: int, one: str, many: str = "") -> str:
    """`1 claim`, `25 claims`, `1,204 claims`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def without_commands(text: str) -> str:
    """A sentence without the settings and commands of who runs the service: what is to be done by that person is
    left to him."""
    text = _SETTING.sub("", text).replace(_RECORD, "have who runs this service record that")
    what, colon, how = text.partition(": ")
    return what if colon and _COMMAND.search(how) else text


def not_known(missing: str) -> str:
    """What an expected payment would want, as a biller reads it: what is not set up is nothing that he can mend."""
    what = without_commands(missing)
    return what if what == missing else f"not set up here: {what}"
