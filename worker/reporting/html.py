"""The page's building blocks: figures, tables, and numbers as people read them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from html import escape as _escape

from rules.printable import printable

_MOST = 40
"""Rows of a table; how many more there are is said."""
_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))
Cells = tuple[str, ...]


def escape(text: str) -> str:
    """Text for the page: no markup, and nothing that turns its neighbors around."""
    return _escape(printable(text))


def count(number: int) -> str:
    """With commas between thousands."""
    return f"{number:,}"


def money(cents: int) -> str:
    """US dollars without cents."""
    return f"${cents / 100:,.0f}"


def rounded_money(cents: int) -> str:
    """US dollars in the three or four digits that a tile has room for."""
    dollars = cents / 100
    for least, size, letter in ((1e9, 1e9, "B"), (1e6, 1e6, "M"), (1e5, 1e3, "k")):
        if dollars >= least:
            return f"${dollars / size:,.{0 if dollars / size >= 100 else 1}f}{letter}"
    return money(cents)


def share(part: int, whole: int) -> str:
    """Per cent with one digit; a dash of nothing."""
    return f"{100 * part / whole:.1f} %" if whole else "-"


def claims(number: int) -> str:
    """`1 claim`, `2 claims`."""
    return f"{number:,} claim{'' if number == 1 else 's'}"


def span(milliseconds: int | None) -> str:
    """A time that passed, in the unit that suits it."""
    if milliseconds is None:
        return "-"
    if milliseconds < 1_000:
        return f"{milliseconds} ms"
    seconds = milliseconds / 1_000
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:,.0f} min" if seconds < 7_200 else f"{seconds / 3_600:,.1f} h"


def width(step: int) -> str:
    """A column of time: `day`, `15 minutes`."""
    size, unit = next((size, unit) for size, unit in _UNITS if step % size == 0)
    return f"{step // size} {unit}s" if step > size else unit


def moment(when: datetime) -> str:
    """To the minute."""
    return f"{when:%Y-%m-%d %H:%M}"


def note(text: str) -> str:
    """A quiet sentence."""
    return f'<p class="note">{escape(text)}</p>'


def heading(title: str, place: str) -> str:
    """A section that can be linked to."""
    return f'<h2 id="{place}">{escape(title)}</h2>'


def tile(name: str, value: str, text: str, color: str) -> str:
    """One number at the top, marked with a color of the page."""
    inside = f"<dt>{escape(name)}</dt><dd><strong>{escape(value)}</strong><small>{escape(text)}</small></dd>"
    return f'<div class="tile" style="--mark:var(--{color})">{inside}</div>'


def figure(title: str, text: str, *parts: str) -> str:
    """A card: what it shows, what was counted, then its parts."""
    caption = f"<figcaption><h3>{escape(title)}</h3><p>{escape(text)}</p></figcaption>"
    return f"<figure>{caption}{''.join(parts)}</figure>"


def plot(place: str) -> str:
    """Where the script draws the plot of this name."""
    return f'<div class="plot" id="{place}"></div>'


def pair(*parts: str) -> str:
    """Side by side where there is room."""
    return '<div class="pair">' + "".join(f"<div>{part}</div>" for part in parts) + "</div>"


def grid(figures: Iterable[str]) -> str:
    """Two abreast where there is room."""
    return f'<div class="grid">{"".join(figures)}</div>'


def folded(part: str) -> str:
    """What only some readers want to see."""
    return f"<details><summary>The numbers</summary>{part}</details>"


def terms(items: Iterable[tuple[str, str]]) -> str:
    """Words and what they mean here."""
    body = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in items)
    return f'<dl class="counted">{body}</dl>'


def table(caption: str, heads: Sequence[str], rows: Iterable[Cells], most: int = _MOST) -> str:
    """A table whose first column names the row; a head that ends in `#` stands over numbers."""
    kinds = [' class="n"' if head.endswith("#") else "" for head in heads]
    named = zip(heads, kinds, strict=True)
    head = "".join(f'<th scope="col"{kind}>{escape(name.rstrip("#"))}</th>' for name, kind in named)
    rows = list(rows)
    body = "".join(_row(row, kinds) for row in rows[:most])
    left_out = f"; {len(rows) - most} more rows are left out" if len(rows) > most else ""
    text = escape(caption + left_out)
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{text}"><table><caption>{text}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _row(row: Cells, kinds: Sequence[str]) -> str:
    first, *rest = map(escape, row)
    cells = "".join(f"<td{kind}>{cell}</td>" for cell, kind in zip(rest, kinds[1:], strict=True))
    return f'<tr><th scope="row">{first}</th>{cells}</tr>'
