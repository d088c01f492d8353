"""What `scrub rules impact` found, as text, as JSON and as one page that needs no network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, TypeVar

from rules.authoring.impact import Group, ImpactTally
from rules.book.book import Book
from worker.cli.common.terminal import columns, dollars, paint
from worker.rejudging.impact import Shadow

OFFLINE = "Judged offline: no ledger was consulted, so rules on duplicates and frequency ran on neither side."
_KeyT = TypeVar("_KeyT", bound=tuple[str, ...])
Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """Both books over all claims."""

    old: Book
    new: Book
    tally: ImpactTally
    refused: int
    passed: int
    seconds: float
    cores: int

    @property
    def speed(self) -> float:
        """Claims a second on all cores, reading included."""
        return self.tally.claims / max(self.seconds, 1e-9)


@dataclass(frozen=True, slots=True)
class ImpactSection:
    """A table of groups."""

    title: str
    about: str
    heads: Row
    rows: list[Row]


def text(result: Result) -> list[str]:
    """For people; lines."""
    tally = result.tally
    head = [
        paint(f"{_number(tally.claims, 'claim')}, {dollars(tally.charge)}", "bold")
        + f"; {tally.touched:,} of them would be judged otherwise",
        f"old book {_id(result.old)}, new {_id(result.new)}",
        OFFLINE,
    ]
    speed = f"{result.seconds:.1f} s on {_number(result.cores, 'core')}, {result.speed:,.0f} claims/s"
    foot = [f"{speed}, reading included{_unread(result)}."]
    return [*head, *_as_text(_sections(tally)), "", *foot]


def _id(book: Book) -> str:
    return f"{book.version} ({book.digest[:12]})"


def _unread(result: Result) -> str:
    parts = [f"; {result.refused} could not be read"] if result.refused else []
    return "".join([*parts, f"; {result.passed} passed by"] if result.passed else parts)


def json(result: Result) -> list[str]:
    """One object on one line; charges are US dollars as strings."""
    tally = result.tally
    found = {
        "old": {"version": result.old.version, "digest": result.old.digest},
        "new": {"version": result.new.version, "digest": result.new.digest},
        "history": "not_consulted",
        "claims": tally.claims, "charge": str(tally.charge), "touched": tally.touched,
        "refused": result.refused, "passed": result.passed,
        "routes": _objects(("from", "to"), tally.routes),
        "moves": _objects(("from", "to", "code", "payer"), tally.moves),
        "findings": _objects(("turn", "code", "payer", "says"), tally.finds),
        "seconds": round(result.seconds, 3), "cores": result.cores,
    }  # fmt: skip
    return [_text(found)]


def html(result: Result) -> list[str]:
    """One page; lines."""
    tally = result.tally
    facts = [
        f"{_number(tally.claims, 'claim')}, {dollars(tally.charge)}; {tally.touched:,} would be judged otherwise"
        + _unread(result),
        f"Old book {result.old.version}, digest {result.old.digest}",
        f"New book {result.new.version}, digest {result.new.digest}",
        OFFLINE,
    ]
    return _page("What the new rule book would change", facts, _sections(tally))


def shadow_text(shadow: Shadow) -> list[str]:
    """For people; lines."""
    return [paint(_shadow_head(shadow), "bold"), *_as_text(_shadow_sections(shadow))]


def shadow_json(shadow: Shadow) -> list[str]:
    """One object on one line; charges are US dollars as strings."""
    keys = ("code", "payer")
    found = {
        "claims": shadow.claims, "without": shadow.without, "unread": shadow.unread,
        "findings": _objects(keys, shadow.finds), "moves": _objects(keys, shadow.moves),
    }  # fmt: skip
    return [_text(found)]


def shadow_html(shadow: Shadow) -> list[str]:
    """One page; lines."""
    return _page("What drafts in shadow found", [_shadow_head(shadow)], _shadow_sections(shadow))


def _shadow_head(shadow: Shadow) -> str:
    head = f"{_number(shadow.claims, 'claim')} in the log"
    if shadow.without:
        head += f"; {shadow.without:,} by a version that did not log drafts"
    return head + (f"; {_number(shadow.unread, 'line')} could not be read" if shadow.unread else "")


def _shadow_sections(shadow: Shadow) -> list[ImpactSection]:
    heads = ("draft", "payer")
    return [
        _section("Would move from billing to rework", "Were the draft active.", heads, shadow.moves),
        _section("Findings of drafts", "Failed or undetermined, whatever the severity.", heads, shadow.finds),
    ]


def _sections(tally: ImpactTally) -> list[ImpactSection]:
    routes = {(f"{before} to {after}",): group for (before, after), group in tally.routes.items()}
    moves = {
        (f"{move.before} to {move.after}", move.code or "(no rule)", move.payer): group
        for move, group in tally.moves.items()
    }
    finds = {(find.code, find.payer, find.change, find.says): group for find, group in tally.finds.items()}
    by_rule = "A claim counts once for each rule that moves it."
    found = "Claims on which a finding would be new, gone or changed."
    return [
        _section("Claims that would move", "Each claim once.", ("way",), routes),
        _section("By rule and payer", by_rule, ("way", "rule", "payer"), moves),
        _section("Findings", found, ("rule", "payer", "turn", "weight"), finds),
    ]


def _section(title: str, about: str, heads: Row, groups: Mapping[_KeyT, Group]) -> ImpactSection:
    rows = [
        (*(part or "(unknown)" for part in key), f"{group.claims:,}", dollars(group.charge), ", ".join(group.examples))
        for key, group in _worst_first(groups)
    ]
    return ImpactSection(title, about, (*heads, "claims", "charge", "such as"), rows)


def _worst_first(groups: Mapping[_KeyT, Group]) -> list[tuple[_KeyT, Group]]:
    return sorted(groups.items(), key=lambda item: (-item[1].charge, -item[1].claims, item[0]))


def _objects(names: Sequence[str], groups: Mapping[Any, Group]) -> list[dict[str, Any]]:
    return [
        {**dict(zip(names, key, strict=True)), "claims": g.claims, "charge": str(g.charge), "examples": g.examples}
        for key, g in _worst_first(groups)
    ]


def _as_text(sections: Iterable[ImpactSection]) -> list[str]:
    lines = []
    for section in sections:
        lines += [
            "",
            f"{paint(section.title, 'bold')}  {paint(section.about, 'dim')}" if section.rows else section.title,
        ]
        table = columns([section.heads, *section.rows]) if section.rows else ["none"]
        lines += [f"  {line}" for line in table]
    return lines


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"


_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 2rem; }
th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #8884; vertical-align: top; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
p { margin: .2rem 0; } td:last-child { overflow-wrap: anywhere; }
@media (prefers-color-scheme: dark) { body { background: #111; color: #ddd; } }
"""


def _page(title: str, facts: Iterable[str], sections: Iterable[ImpactSection]) -> list[str]:
    body = [f"<h1>{escape(title)}</h1>", *(f"<p>{escape(fact)}</p>" for fact in facts)]
    for section in sections:
        body += [f"<h2>{escape(section.title)}</h2>", f"<p>{escape(section.about)}</p>"]
        body += [_table(section)] if section.rows else ["<p>None.</p>"]
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style>'
    page = ["<!doctype html>", f'<html lang="en"><head>{head}</head><body>', *body, "</body></html>"]
    return "\n".join(page).split("\n")


def _table(section: ImpactSection) -> str:
    def cells(tag: str, row: Row) -> str:
        marks = (' class="number"' if name in ("claims", "charge") else "" for name in section.heads)
        return "<tr>" + "".join(f"<{tag}{m}>{escape(c)}</{tag}>" for m, c in zip(marks, row, strict=True)) + "</tr>"

    rows = "\n".join(cells("td", row) for row in section.rows)
    return f"<table><thead>{cells('th', section.heads)}</thead><tbody>\n{rows}\n</tbody></table>"


def _text(found: dict[str, Any]) -> str:
    from worker.logs.printable import json_bytes

    return json_bytes(found).decode()
