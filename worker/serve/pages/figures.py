"""Today's figures: what is held and urgent, where to start, what was done; of the cases that the reader may see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from worker.desk.lists import Share
from worker.desk.tabled import between_text
from worker.desk.wanted import Listed, Sums
from worker.serve.pages.frame import CLOSED
from worker.serve.pages.words import Words, counted, money, percent
from worker.store.outletspecs import FILES

DAYS = 14
_MOST = 8
"""Reasons that are listed."""
_TALL, _WIDE = 144, 40
"""Of the chart, in its own units: height, and width of a day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """A number with what it means."""

    label: str
    value: str
    more: str
    tone: Literal["", "hold", "late", "good", "warn"] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A share of the held claims."""

    label: str
    code: str
    claims: str
    charge: str
    width: int
    """Of 100."""
    value: str = ""
    """By which the list is filtered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """A day of the chart: lengths in its own units."""

    label: str
    number: str
    held: int
    done: int
    x: int
    held_tall: int
    done_tall: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FiguresPage:
    """All of it."""

    about: str
    tiles: tuple[Tile, ...]
    reasons: tuple[Bar, ...]
    reasons_about: str
    payers: tuple[Bar, ...]
    days: tuple[Day, ...]
    most: int
    half: str
    done: tuple[tuple[str, str, str], ...]
    """How, claims, charge."""
    quarantine: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What the databases say."""

    held: Sequence[Listed]
    pended: int
    codes: Sequence[Share]
    payers: Sequence[Share]
    decided: Sequence[tuple[str, str]]
    """Decisions that held a claim, since the first day of the chart: moment and case."""
    done: Sequence[tuple[str, str, int]]
    """Cases that are done since then: moment, how, charge."""
    outlets: Mapping[str, int]
    """Decisions since the beginning, by outlet; empty: Redis was not asked."""
    quarantine: int


def figures_page(found: Counted, faults: Mapping[str, str], payers: Mapping[str, str], words: Words) -> FiguresPage:
    """`faults`: what is wrong, by code; `payers`: names by key."""
    today = words.today
    held_today = {case for moment, case in found.decided if words.day_of(moment) == today}
    done_today = [(how, cents) for moment, how, cents in found.done if words.day_of(moment) == today]
    days, most = _chart(found, words)
    return FiguresPage(
        about=f"{words.full_day(today)}, as of {words.clock(words.now)}. Money is the charge of whole claims.",
        tiles=tuple(_tiles(found, len(held_today), done_today)),
        reasons=tuple(
            _bar(one, found.codes, label=faults.get(one.name, ""), code=one.name) for one in found.codes[:_MOST]
        ),
        reasons_about=_reasons_about(found),
        payers=tuple(_bar(one, found.payers, label=payers.get(one.name, one.name), code="") for one in found.payers),
        days=days,
        most=most,
        half=f"{most // 2:,}",
        done=tuple(_done(done_today)),
        quarantine=found.quarantine,
    )


def _reasons_about(found: Counted) -> str:
    shown = min(_MOST, len(found.codes))
    return f"A claim that two reasons hold counts under both. {shown} of {counted(len(found.codes), 'reason')}."


def _tiles(found: Counted, held_today: int, done: Sequence[tuple[str, int]]) -> list[Tile]:
    week = [one for one in found.held if one.urgency == "week"]
    past = [one for one in found.held if one.urgency == "past"]
    mended = [cents for how, cents in done if how in ("mended", "waived")]
    closed = [cents for how, cents in done if how not in ("mended", "waived")]
    return [
        Tile(
            label="Held now", value=_sum(found.held), tone="hold",
            more=f"{counted(len(found.held), 'claim')}, {found.pended:,} of them pended; "
            f"expected payment: {between_text(Sums.of(found.held), money)}",
        ),
        Tile(
            label="Last day within 7 days", value=_sum(week), tone="late",
            more=f"{counted(len(week), 'claim')}; {len(past):,} more past the last day",
        ),
        Tile(label="Held today", value=f"{held_today:,}", more="claims, first or again"),
        Tile(label="Mended today", value=f"{len(mended):,}", more=f"{money(sum(mended))} to billing", tone="good"),
        Tile(label="Closed today", value=f"{len(closed):,}", more=money(sum(closed)), tone="warn"),
        _went(found.outlets),
    ]  # fmt: skip


def _went(outlets: Mapping[str, int]) -> Tile:
    """Of what leaves by file the outlets do not tell what was clean: it is counted apart, and in no percentage."""
    by_file = outlets.get(FILES, 0)
    decided, clean = sum(outlets.values()) - by_file, outlets.get("billing", 0)
    more = [f"{clean:,} of {counted(decided, 'decision')} ever made here"] if decided else []
    more += [f"{by_file:,} {'more ' if decided else ''}left or are held by file"] if by_file else []
    return Tile(
        label="Went to billing", value=percent(clean, decided), tone="good",
        more="; ".join(more) or "no decision is known",
    )  # fmt: skip


def _sum(held: Sequence[Listed]) -> str:
    return money(sum(one.cents for one in held))


def _bar(one: Share, every: Sequence[Share], *, label: str, code: str) -> Bar:
    most = max((each.cents for each in every), default=0)
    return Bar(
        label=label or code, code=code, claims=f"{one.claims:,}", charge=money(one.cents),
        width=round(100 * one.cents / most) if most else 0, value=one.name,
    )  # fmt: skip


def _chart(found: Counted, words: Words) -> tuple[tuple[Day, ...], int]:
    """The days, the oldest first, and the number at the top of the scale."""
    days = [words.today - timedelta(days=DAYS - 1 - back) for back in range(DAYS)]
    held: dict[date, set[str]] = {day: set() for day in days}
    done = dict.fromkeys(days, 0)
    for moment, case in found.decided:
        if (day := words.day_of(moment)) in held:
            held[day].add(case)
    for moment, _, _ in found.done:
        if (day := words.day_of(moment)) in done:
            done[day] += 1
    most = max(1, *(len(one) for one in held.values()), *done.values())
    most += most % 2
    shown = tuple(
        Day(
            label=words.day(day), number=str(day.day), held=len(held[day]), done=done[day], x=34 + place * _WIDE,
            held_tall=round(_TALL * len(held[day]) / most), done_tall=round(_TALL * done[day] / most),
        )
        for place, day in enumerate(days)
    )  # fmt: skip
    return shown, most


def _done(done: Sequence[tuple[str, int]]) -> list[tuple[str, str, str]]:
    names = {"mended": "Mended, and sent to billing", "waived": "Waived"} | {str(one): CLOSED[one] for one in CLOSED}
    found: dict[str, list[int]] = {}
    for how, cents in done:
        found.setdefault(how, []).append(cents)
    return [(names.get(how, how), f"{len(all_):,}", money(sum(all_))) for how, all_ in found.items()]
