"""Which lines of a claim are of one day, and of one provider: worked out once a claim for all lines that are alike.

A claim may have a thousand lines, and what is said of each may hang on all the others. Asked line by line that is a
million pairs; most lines share their day and provider, and so all of these answers.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Hashable, Iterable, Iterator
from datetime import date
from typing import Any, NamedTuple, TypeVar, cast

from rules.case import Case, date_of, last_date_of
from rules.claim import Line, Provider

T = TypeVar("T")
Beside = list[tuple[Line, bool]]
"""Lines, each with whether it is certain that it belongs here, in claim order."""
Who = tuple[str | None, str | None] | None
"""NPI and taxonomy of who gave a service; None where it makes no difference."""


def once(case: Case, key: Hashable, make: Callable[[], T]) -> T:
    """What `make` answers, asked once a claim for each key."""
    if key not in case.cache:
        case.cache[key] = make()
    return cast(T, case.cache[key])


class _Calendar(NamedTuple):
    """The lines of a claim by their dates, as positions."""

    single: dict[date, list[int]]
    spans: list[tuple[int, date, date]]
    undated: list[int]


def days_of(case: Case, line: Line) -> tuple[date | None, date | None]:
    """First and last day of a line; both None where it has no date."""
    first = date_of(case.claim, line)
    return (None, None) if first is None else (first, last_date_of(case.claim, line))


def position_of(case: Case, line: Line) -> int:
    """The position of a line among those of the claim, from 0."""
    places = once(case, "places", lambda: {id(one): place for place, one in enumerate(case.claim.lines)})
    return places[id(line)]


def position_of_number(case: Case, number: int) -> int:
    """The position of the first line of that number."""
    lines = case.claim.lines
    return once(
        case, "numbers", lambda: {one.number: place for place, one in reversed(list(enumerate(lines)))}
    )[number]  # fmt: skip


def _calendar(case: Case) -> _Calendar:
    found = _Calendar({}, [], [])
    for place, line in enumerate(case.claim.lines):
        first, last = days_of(case, line)
        if first is None or last is None:
            found.undated.append(place)
        elif first == last:
            found.single.setdefault(first, []).append(place)
        else:
            found.spans.append((place, first, last))
    return found


def of_day(case: Case, line: Line) -> Beside:
    """The lines that may share a date of service with this one; itself among them unless it ends before it starts."""
    days = days_of(case, line)
    return once(case, ("of_day", days), lambda: _of_day(case, *days))


def _of_day(case: Case, first: date | None, last: date | None) -> Beside:
    lines = case.claim.lines
    if first is None or last is None:
        return [(one, False) for one in lines]
    calendar = once(case, "calendar", lambda: _calendar(case))
    found = [(place, False) for place in calendar.undated]
    for day in (first,) if first == last else [one for one in calendar.single if first <= one <= last]:
        found += [(place, True) for place in calendar.single.get(day, ())]
    found += [(place, True) for place, start, end in calendar.spans if first <= end and start <= last]
    found.sort()
    return [(lines[place], sure) for place, sure in found]


def provider_of(case: Case, line: Line) -> Provider:
    """Who gave the service: the provider of the line, else of the claim, else who bills; nobody known otherwise."""
    claim = case.claim
    return line.rendering_provider or claim.rendering_provider or claim.billing_provider or Provider()


def _who(case: Case, line: Line) -> Who:
    if case.role != "practitioner":
        return None
    provider = provider_of(case, line)
    return provider.npi, provider.taxonomy


def _same(one: Who, other: Who) -> bool | None:
    if one is None or other is None or one[0] == other[0]:
        return True
    return one[1] == other[1] if one[1] and other[1] else None


def same_provider(case: Case, one: Line, other: Line) -> bool | None:
    """Whether two lines are by one provider, or one group and specialty; None where a specialty is not known."""
    return _same(_who(case, one), _who(case, other))


def beside(case: Case, line: Line) -> Beside:
    """Those lines of `of_day` that may be of the same provider."""
    days, who = days_of(case, line), _who(case, line)
    return once(case, ("beside", days, who), lambda: _beside(case, line, who))


def _beside(case: Case, line: Line, who: Who) -> Beside:
    others = once(case, "who", lambda: {id(one): _who(case, one) for one in case.claim.lines})
    everyone = once(case, "everyone", lambda: set(others.values()))
    if len(everyone) == 1:
        return of_day(case, line)
    known = {other: _same(who, other) for other in everyone}
    found = [(one, sure, known[others[id(one)]]) for one, sure in of_day(case, line)]
    return [(one, sure and same is True) for one, sure, same in found if same is not False]


class Blocks(NamedTuple):
    """The procedure's lines of a line's day and provider, itself included, in claim order."""

    sure: list[Line]
    possible: list[Line]
    """With those of which a date or a specialty is not known."""


def blocks(case: Case, line: Line) -> Blocks:
    """The procedure's lines of the line's day and provider."""
    days, who = days_of(case, line), _who(case, line)
    shared = once(case, ("blocks", days, who), lambda: _blocks(case, beside(case, line)))
    if (days[0] is not None and days[1] is not None and days[0] <= days[1]) or id(line) not in _target_ids(case):
        return shared
    # Of its own day a line is for certain, whatever its dates say.
    return once(case, ("own", id(line)), lambda: Blocks(*(_with(case, line, lines) for lines in shared)))


def _blocks(case: Case, found: Beside) -> Blocks:
    targets = _target_ids(case)
    ours = [(line, sure) for line, sure in found if id(line) in targets]
    return Blocks([line for line, sure in ours if sure], [line for line, _ in ours])


def _target_ids(case: Case) -> set[int]:
    return once(case, "targets", lambda: {id(one) for one in case.lines})


def _with(case: Case, line: Line, lines: list[Line]) -> list[Line]:
    if any(one is line for one in lines):
        return lines
    found = list(lines)
    insort(found, line, key=lambda one: position_of(case, one))
    return found


def twice(found: Iterable[tuple[Line, Any]]) -> list[tuple[Line, Any]]:
    """The first two lines of each kind: whichever line asks, one of them is another."""
    seen: dict[Any, int] = {}
    kept = []
    for line, kind in found:
        seen[kind] = seen.get(kind, 0) + 1
        if seen[kind] <= 2:
            kept.append((line, kind))
    return kept


def codes_of(found: Iterable[tuple[Line, str]], line: Line) -> tuple[str, ...]:
    """The codes of the other lines, each once, in order."""
    return tuple(dict.fromkeys([code for other, code in found if other is not line]))


def others(found: Beside, line: Line) -> Iterator[tuple[Line, bool]]:
    """Without the line itself."""
    return ((other, sure) for other, sure in found if other is not line)
