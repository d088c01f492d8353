"""When a file is written at the latest: a time of day, or a time after it came."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta

_DAY = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
_SPAN = re.compile(r"(\d{1,4})(s|m|h)")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours"}


@dataclass(frozen=True, slots=True)
class Cutoff:
    """One of both."""

    of_day: time | None = None
    after: timedelta | None = None

    @classmethod
    def read(cls, text: str) -> Cutoff:
        """`17:00`, or `4h`, `90m`, `30s`.

        Raises:
            ValueError
        """
        if day := _DAY.fullmatch(text):
            return cls(of_day=time(int(day[1]), int(day[2])))
        if (span := _SPAN.fullmatch(text)) and int(span[1]):
            return cls(after=timedelta(**{_UNITS[span[2]]: int(span[1])}))
        raise ValueError("expected a time of day as 17:00, or a time after the file came, as 4h, 90m or 30s")

    def of(self, came: datetime) -> datetime:
        """When a file that came then is written; `came`: with the zone in which the time of day is meant."""
        if self.after is not None:
            return came + self.after
        assert self.of_day is not None
        naive = came.replace(tzinfo=None)
        day = naive.date() if naive.time() < self.of_day else naive.date() + timedelta(days=1)
        return datetime.combine(day, self.of_day).astimezone()
