"""The figures as one self-contained page: plots, the same numbers as tables, and how they were counted.

It holds sums and codes alone: no claim number, no patient hash. Its content security policy lets no request out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

from worker.errors import ReportNeedsExtra
from worker.report.charts import Name, charts, enough, pace
from worker.report.figures import Figures, Row
from worker.report.look import AT_STAKE, CLEAN_CLAIM_RATE, DARK, DISPOSITIONS, LIGHT, SERIES_DARK, SERIES_LIGHT

_MOST = 40
"""Rows of a table; how many more there are is said."""
_GROUND = {
    "light": {"ground": "#f5f6f8", "paper": "#ffffff", "ink": "#1c2329", "quiet": "#55606b", "rule": "#e3e6ea", "edge": "#8a939e"},
    "dark": {"ground": "#12161a", "paper": "#1a2026", "ink": "#e8ecf0", "quiet": "#a8b3be", "rule": "#2d353d", "edge": "#66717c"},
}  # fmt: skip
_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))
Cell = str | int


def page(figures: Figures, payer: Name, title: Name, reason: Name, made: datetime, version: str) -> str:
    """The page. `payer`, `title`, `reason`: names of a payer's key, a rule's code, a quarantine reason.

    Raises:
        ReportNeedsExtra: the Vega libraries are not installed.
    """
    plots = charts(figures, payer, title)
    body = [_tiles(figures), *_billing(figures, payer, title), *_operations(figures, reason), _counted(figures)]
    return Template(_file("page.html")).substitute(
        version=escape(version),
        period=escape(_period(figures)),
        colours=_colours(),
        css=_file("page.css"),
        body="\n".join(body),
        footer=f"Made {made:%Y-%m-%d %H:%M} UTC by claim-scrubber {escape(version)} from audit logs. No claim numbers, no"
        " patient data; this page loads nothing from a network.",
        libraries=_libraries(),
        charts=json.dumps(plots, separators=(",", ":"), default=str).replace("<", "\\u003c"),
        script=_file("page.js"),
    )


def _file(name: str) -> str:
    return files("worker.report").joinpath(name).read_text("utf-8")


def _libraries() -> str:
    try:
        import vl_convert
    except ImportError:
        raise ReportNeedsExtra from None
    bundle: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return bundle.replace("</script", "<\\/script")


def _colours() -> str:
    def rules(mode: str, dispositions: dict[str, str], series: Sequence[str]) -> str:
        named = _GROUND[mode] | dispositions | {f"series-{n}": value for n, value in enumerate(series, 1)}
        return ":root{" + "".join(f"--{name}:{value};" for name, value in named.items()) + "}"

    dark = rules("dark", DARK, SERIES_DARK)
    return rules("light", LIGHT, SERIES_LIGHT) + "@media (prefers-color-scheme: dark){" + dark + "}\n"


def _period(figures: Figures) -> str:
    start, stop = figures.whole["start"], figures.whole["stop"]
    if (stop - start).total_seconds() < 60:
        return f"{start:%d %B %Y, %H:%M} UTC"
    if start.date() == stop.date():
        return f"{start:%d %B %Y, %H:%M} to {stop:%H:%M} UTC"
    return f"{start:%d %B %Y, %H:%M} to {stop:%d %B %Y, %H:%M} UTC"


def _count(number: int) -> str:
    return f"{number:,}"


def _money(cents: int) -> str:
    return f"${cents / 100:,.0f}"


def _about(cents: int) -> str:
    """Money for a tile: three digits that count."""
    dollars = cents / 100
    for size, letter in ((1e9, "B"), (1e6, "M"), (1e5, "k")):
        if dollars >= size:
            scaled = dollars / (size if size > 1e5 else 1e3)
            return f"${scaled:,.{0 if scaled >= 100 else 1}f}{letter}"
    return _money(cents)


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"


def _claims(number: int) -> str:
    return f"{number:,} claim{'' if number == 1 else 's'}"


def _span(milliseconds: int | None) -> str:
    if milliseconds is None:
        return "-"
    if milliseconds < 1000:
        return f"{milliseconds} ms"
    seconds = milliseconds / 1000
    return (
        f"{seconds:.1f} s"
        if seconds < 120
        else f"{seconds / 60:,.0f} min"
        if seconds < 7200
        else f"{seconds / 3600:,.1f} h"
    )


def _width(step: int) -> str:
    size, unit = next((size, unit) for size, unit in _UNITS if step % size == 0)
    return f"{step // size} {unit}s" if step > size else unit


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"


def _tiles(figures: Figures) -> str:
    whole = figures.whole
    tiles = [
        ("Clean claim rate", _share(whole["clean"], whole["firsts"]), "billing",
         f"{_count(whole['clean'])} of {_claims(whole['firsts'])} passed at first, without a person"),
        ("Held in rework", _about(whole["held_cents"]), "rework", f"{_claims(whole['held'])} whose newest verdict is rework"),
        ("Sent to billing", _about(whole["billed_cents"]), "billing", f"{_claims(whole['billed'])} whose newest verdict is billing"),
        ("Undetermined", _count(whole["undetermined"]), "unchecked", "claims held because a fact is missing (part of rework)"),
        ("Unchecked", _count(whole["unchecked"]), "unchecked", "claims that the rule book says nothing of"),
        ("Quarantine", _count(whole["quarantine"]), "quarantine", "not readable as a claim, or refused; each wants a person"),
    ]  # fmt: skip
    cells = (
        f'<div class="tile" style="--mark:var(--{mark})"><dt>{name}</dt><dd><strong>{value}</strong><small>{text}</small></dd></div>'
        for name, value, mark, text in tiles
    )
    return '<dl class="tiles">' + "".join(cells) + "</dl>"


def _figure(title: str, text: str, *parts: str) -> str:
    caption = f"<figcaption><h3>{escape(title)}</h3><p>{escape(text)}</p></figcaption>"
    return f"<figure>{caption}{''.join(parts)}</figure>"


def _plot(place: str) -> str:
    return f'<div class="plot" id="{place}"></div>'


def _pair(*parts: str) -> str:
    return '<div class="pair">' + "".join(f"<div>{part}</div>" for part in parts) + "</div>"


def _numbers(table: str) -> str:
    return f"<details><summary>The numbers</summary>{table}</details>"


def _table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[Cell]], most: int = _MOST) -> str:
    """A table whose first column names the row; a head that ends in `#` stands over numbers."""
    kinds = [' class="n"' if head.endswith("#") else "" for head in heads]
    head = "".join(
        f'<th scope="col"{kind}>{escape(name.rstrip("#"))}</th>' for name, kind in zip(heads, kinds, strict=True)
    )
    lines, rows = [], list(rows)
    for row in rows[:most]:
        first, *rest = (escape(str(cell)) for cell in row)
        cells = "".join(f"<td{kind}>{cell}</td>" for cell, kind in zip(rest, kinds[1:], strict=True))
        lines.append(f'<tr><th scope="row">{first}</th>{cells}</tr>')
    more = f"; {len(rows) - most} more rows are left out" if len(rows) > most else ""
    text = escape(caption + more)
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{text}"><table><caption>{text}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
    )


def _billing(figures: Figures, payer: Name, title: Name) -> Iterable[str]:
    yield '<h2 id="billing">Billing</h2>'
    if enough(figures):
        yield _dispositions(figures)
    else:
        yield f'<p class="note">All of it lies within {_width(3 * figures.step)}: too short for a course over time.</p>'
    rows = [
        (payer(row["payer"]), _count(row["n"]), _share(row["billing"], row["n"]), *(_count(row[name]) for name in DISPOSITIONS[1:]), _money(row["held_cents"]))
        for row in figures.by_payer
    ]  # fmt: skip
    heads = ("Payer", "Claims#", "Clean#", "Rework#", "Unchecked#", "Quarantine#", "Charge held#")
    yield _figure(
        "Clean claim rate by payer", CLEAN_CLAIM_RATE,
        _pair(_plot("by-payer"), _table("First verdict on each claim", heads, rows)),
    )  # fmt: skip
    if enough(figures):
        yield _clean(figures, payer)
    rows = [
        (row["code"], title(row["code"]), _count(row["claims"]), _count(row["undetermined"]), _count(row["warned"]), _money(row["cents"]))
        for row in figures.findings
    ]  # fmt: skip
    heads = ("Code", "What", "Held#", "Undetermined#", "Warned#", "At stake#")
    yield _figure(
        "Top findings, by charge at stake",
        f"{AT_STAKE} A claim with several findings counts under each, so the bars do not add up to the charge held.",
        _pair(_plot("findings") if any(row["claims"] for row in figures.findings) else "", _table("Claims by finding", heads, rows)),
    )  # fmt: skip
    if figures.denials:
        yield _denials(figures)
    yield _undecided(figures, payer, title)


def _dispositions(figures: Figures) -> str:
    grouped: dict[datetime, dict[str, int]] = {}
    for row in figures.over_time:
        counts = grouped.setdefault(row["t"], dict.fromkeys(DISPOSITIONS, 0))
        counts[row["disposition"]] += row["n"]
    rows = [(_moment(t), *map(_count, counts.values())) for t, counts in grouped.items()]
    table = _table("Decisions", ("From (UTC)", *(f"{name.title()}#" for name in DISPOSITIONS)), rows, most=200)
    text = f"Decisions per {_width(figures.step)} (UTC). A claim that comes in again is decided again."
    return _figure("Where claims went", text, _plot("over-time"), _numbers(table))


def _clean(figures: Figures, payer: Name) -> str:
    names = [row["payer"] for row in figures.by_payer if row["payer"]]
    grouped: dict[datetime, dict[str, Row]] = {}
    for row in figures.clean_over_time:
        grouped.setdefault(row["t"], {})[row["payer"]] = row
    rows = [
        (_moment(t), *(_share(found[name]["clean"], found[name]["n"]) if name in found else "-" for name in names))
        for t, found in grouped.items()
    ]
    table = _table("Clean claim rate", ("From (UTC)", *(f"{payer(name)}#" for name in names)), rows, most=200)
    text = "A line that drops: a payer changed something, or a source of claims did."
    return _figure("Clean claim rate over time", text, _plot("clean-over-time"), _numbers(table))


def _denials(figures: Figures) -> str:
    rows = [(row["code"], _count(row["claims"]), _money(row["cents"])) for row in figures.denials]
    heads = ("Expected answer", "Claims#", "Charge#")
    text = (
        "What the payer was expected to answer, had the claim been sent as it was: claim adjustment group and reason code"
        " with remark code, or category and status of a 277CA rejection. Rules that failed and block, each claim once a code."
    )
    return _figure("Denials avoided", text, _pair(_plot("denials"), _table("Claims by expected answer", heads, rows)))


def _undecided(figures: Figures, payer: Name, title: Name) -> str:
    undetermined = [row for row in figures.undecided if row["kind"] == "undetermined"]
    rows = [(row["code"], title(row["code"]), _count(row["claims"]), _money(row["cents"])) for row in undetermined]
    rows += [
        ("Unchecked", payer(row["code"]), _count(row["claims"]), _money(row["cents"]))
        for row in figures.undecided
        if row["kind"] == "unchecked"
    ]
    table = _table("Claims that could not be judged in full", ("What", "Rule, or payer", "Claims#", "Charge#"), rows)
    text = (
        "Undetermined: a rule that blocks needs a fact which the claim does not carry. Unchecked: no line of the claim, or"
        " no date of it, is one that the rule book covers."
    )
    if not rows:
        return _figure("Undetermined and unchecked", text, '<p class="note">None: every claim was judged in full.</p>')
    return _figure("Undetermined and unchecked", text, _pair(_plot("undetermined"), table) if undetermined else table)


def _operations(figures: Figures, reason: Name) -> Iterable[str]:
    whole, lines = figures.whole, figures.lines
    yield '<h2 id="operations">Operations</h2>'
    facts = [
        ("Half of the claims decided within", _span(whole["p50"])),
        ("99 of 100 decided within", _span(whole["p99"])),
        ("Longest", _span(whole["longest"])),
        ("Most claims decided within one second", _count(figures.peak)),
        ("Time spent on one claim (median)", f"{(whole['nanoseconds'] or 0) / 1e6:.2f} ms"),
        ("Taken over from a lost worker", _count(whole["taken_over"])),
        ("Events sent again (no second result)", _count(lines["repeated"])),
        ("Put back from quarantine", _count(whole["requeued"])),
        ("Payer without a rule set (common rules only)", _claims(whole["common_only"])),
    ]
    tables = _flow(figures) if enough(figures) else []
    tables += [
        _figure(
            "The queue in numbers",
            "From the inbox taking a claim in to its verdict.",
            _table("Queue", ("What", "Value#"), facts),
        )
    ]
    rows = [
        (row["reason"], reason(row["reason"]), _count(row["n"]), _moment(row["latest"])) for row in figures.quarantine
    ]
    table = (
        _table("Quarantine", ("Reason", "What", "Decisions#", "Newest#"), rows)
        if rows
        else '<p class="note">Empty.</p>'
    )
    tables.append(_figure("Quarantine by reason", "scrub tail quarantine shows what is there.", table))
    rows = [
        (row["book"] or "-", row["digest"] or "-", _count(row["n"]), _moment(row["start"]), _moment(row["stop"]))
        for row in figures.books
    ]
    tables.append(
        _figure(
            "Rule books in use",
            "Two at once for long: a worker was left behind.",
            _table("Rule books", ("Version", "Digest", "Decisions#", "First#", "Last#"), rows),
        )
    )
    rows = [
        (
            f"{row['host']} {row['pid']}",
            row["version"] or "-",
            _count(row["n"]),
            _moment(row["start"]),
            _moment(row["stop"]),
        )
        for row in figures.workers
    ]
    tables.append(
        _figure(
            "Worker processes",
            "That wrote an audit file, the newest first.",
            _table("Workers", ("Host and process", "Version", "Decisions#", "From#", "To#"), rows),
        )
    )
    yield '<div class="grid">' + "".join(tables) + "</div>"


def _flow(figures: Figures) -> list[str]:
    rows = [
        (_moment(row["t"]), f"{row['rate']:,.2f}", _span(row["p50"]), _span(row["p99"]), _span(row["longest"]), _count(row["waiting"]))
        for row in figures.flow
    ]  # fmt: skip
    heads = ("From (UTC)", "Decided a second#", "p50#", "p99#", "Longest#", "Waiting#")
    numbers = _numbers(_table(f"Per {_width(figures.step)}", heads, rows, most=200))
    return [
        _figure("Throughput", f"Claims decided per {pace(figures)[1]}, averaged over one {_width(figures.step)}.", _plot("throughput")),
        _figure("Queue latency", "From the inbox taking a claim in to its verdict; logarithmic scale.", _plot("latency")),
        _figure("Backlog", f"Most claims that waited at once, within one {_width(figures.step)}. Claims that still wait when the log ends are not in it.", _plot("backlog"), numbers),
    ]  # fmt: skip


def _counted(figures: Figures) -> str:
    whole, lines = figures.whole, figures.lines
    items = [
        ("Read", f"{_count(lines['lines'])} lines; {_count(lines['passed_over'])} of them are no audit lines (or cut off by a crash) and were passed over."),
        ("Decisions", f"{_count(whole['decisions'])}, each once by its decision id. {_count(lines['twice'])} stood twice in the log, after a crash between log and commit, and count once; {_count(lines['superseded'])} lines took another back, and neither counts."),
        ("Claims", f"{_count(whole['claims'])}, by claim number and frequency code: a replacement is a claim of its own, an unreadable one too. Events sent again are no claims."),
        ("Clean claim rate", CLEAN_CLAIM_RATE + " A claim mended and sent in again stays not clean; one put back from quarantine does not count again."),
        ("Charge", f"{AT_STAKE} {_count(whole['without_charge'])} decisions carry no charge."),
        ("Quantiles", "p50 and p99 are estimates (t-digest)."),
    ]  # fmt: skip
    body = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in items)
    return f'<h2 id="counted">How it was counted</h2><dl class="counted">{body}</dl>'
