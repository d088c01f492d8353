"""The plots as Vega-Lite specifications, generated from the figures. `@name` in a color is one of the page's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from worker.reporting.figures import Figures
from worker.reporting.load import Rows
from worker.store.outletspecs import DISPOSITIONS

Spec = dict[str, Any]
Name = Callable[[str], str]

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
ALL = "All payers"
LEAST_COLUMNS = 3
"""Fewer columns of time are no course over time: there is no plot then."""
_BARS = 12
_ROW = 26
"""Pixels a bar of a ranking takes."""
_AXIS = 44
"""Pixels that the axis under it takes."""


def charts(figures: Figures, payer: Name, title: Name) -> dict[str, Spec]:
    """The plots by their place on the page; a plot without anything to show is left out.

    `payer`: the name of a payer's key; `title`: of a rule's code.
    """
    found: dict[str, Spec | None] = {
        "over-time": _over_time(figures, payer),
        "by-payer": _by_payer(figures, payer),
        "clean-over-time": _clean_over_time(figures, payer),
        "findings": _findings(figures, title),
        "denials": _ranking(figures.denials, "claims", "Claims held back", "@billing", "Expected answer"),
        "undetermined": _undetermined(figures, title),
        "throughput": _flow(
            figures, "rate", f"Claims decided per {pace(figures)[1]}", "area", "@plain", pace(figures)[0]
        ),
        "latency": _latency(figures),
        "backlog": _flow(figures, "waiting", "Claims waiting", "area", "@plain"),
    }
    return {place: _whole(spec) for place, spec in found.items() if spec}


def enough(figures: Figures) -> bool:
    """Whether there is a course over time."""
    return len({row["t"] for row in figures.over_time}) >= LEAST_COLUMNS


def pace(figures: Figures) -> tuple[int, str]:
    """The unit of time, in seconds and by name, in which the throughput is a number above 1."""
    most = max((row["rate"] for row in figures.flow), default=0)
    return (1, "second") if most >= 1 else (60, "minute") if most * 60 >= 1 else (3_600, "hour")


def _whole(spec: Spec) -> Spec:
    return {"$schema": SCHEMA, "width": "container", "autosize": {"type": "fit", "contains": "padding"}, **spec}


def _stamp(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds") + "Z"


def _time(title: str | None = None) -> Spec:
    return {
        "field": "t", "type": "temporal", "title": title, "scale": {"type": "utc"},
        "axis": {"grid": False, "labelOverlap": True, "tickCount": {"expr": "max(3, width / 90)"}},
    }  # fmt: skip


def _when(figures: Figures) -> Spec:
    shape = "%Y-%m-%d" if figures.step >= 86_400 else "%Y-%m-%d %H:%M" if figures.step >= 60 else "%Y-%m-%d %H:%M:%S"
    return {"field": "t", "type": "temporal", "title": "from (UTC)", "format": shape, "scale": {"type": "utc"}}


def _color(domain: tuple[str, ...]) -> Spec:
    return {
        "type": "nominal", "title": None, "sort": list(domain),
        "scale": {"domain": list(domain), "range": [f"@{name}" for name in domain]},
        "legend": {"orient": "top", "symbolType": "square"},
    }  # fmt: skip


def _chooser(names: list[str]) -> Spec:
    bind = {"input": "select", "options": [ALL, *names], "name": "Payer "}
    return {"name": "chosen", "value": ALL, "bind": bind}


def _over_time(figures: Figures, payer: Name) -> Spec | None:
    if not enough(figures):
        return None
    step = timedelta(seconds=figures.step)
    values = [
        {"t": _stamp(row["t"]), "end": _stamp(row["t"] + step), "payer": payer(row["payer"]),
         "disposition": row["disposition"], "n": row["n"]}
        for row in figures.over_time
    ]  # fmt: skip
    names = [payer(row["payer"]) for row in figures.by_payer]
    order = " : ".join(f"datum.disposition == '{name}' ? {place}" for place, name in enumerate(DISPOSITIONS))
    return {
        "description": "Decisions over time, stacked by disposition",
        "height": 260,
        "data": {"values": values},
        "params": [_chooser(names)],
        "transform": [
            {"filter": f"chosen == '{ALL}' || datum.payer == chosen"},
            {"aggregate": [{"op": "sum", "field": "n", "as": "n"}], "groupby": ["t", "end", "disposition"]},
            {"calculate": f"{order} : 9", "as": "order"},
        ],
        "mark": {"type": "bar", "orient": "vertical", "binSpacing": 1},
        "encoding": {
            "x": {**_time(), "bandPosition": 0},
            "x2": {"field": "end"},
            "y": {"field": "n", "type": "quantitative", "title": "Decisions", "stack": "zero"},
            "color": {"field": "disposition", **_color(DISPOSITIONS)},
            "order": {"field": "order", "type": "quantitative"},
            "tooltip": [_when(figures), {"field": "disposition"}, {"field": "n", "title": "decisions", "format": ","}],
        },
    }


def _by_payer(figures: Figures, payer: Name) -> Spec:
    values = [
        {
            "payer": payer(row["payer"]),
            "disposition": name,
            "n": row[name],
            "order": place,
            "share": row[name] / row["n"],
        }
        for row in figures.by_payer
        for place, name in enumerate(DISPOSITIONS)
        if row[name]
    ]
    names = [payer(row["payer"]) for row in figures.by_payer]
    y = {"field": "payer", "type": "nominal", "sort": names, "title": None, "axis": {"labelLimit": 150}}
    return {
        "description": "Share of each disposition among the first verdicts, by payer",
        "height": 34 * len(names) + 30 + _AXIS,
        "data": {"values": values},
        "encoding": {"y": y},
        "layer": [
            {
                "mark": {"type": "bar", "height": {"band": 0.72}},
                "encoding": {
                    "x": {
                        "field": "n", "type": "quantitative", "stack": "normalize", "title": "Share of claims",
                        "axis": {"format": "%", "tickCount": 5},
                    },
                    "color": {"field": "disposition", **_color(DISPOSITIONS)},
                    "order": {"field": "order", "type": "quantitative"},
                    "tooltip": [
                        {"field": "payer"}, {"field": "disposition"}, {"field": "n", "title": "claims", "format": ","},
                        {"field": "share", "format": ".1%"},
                    ],
                },
            },
            {
                "transform": [{"filter": "datum.disposition == 'billing' && datum.share >= 0.12"}],
                "mark": {"type": "text", "align": "left", "dx": 6, "color": "@paper", "fontWeight": 600},
                "encoding": {
                    "x": {"datum": 0, "type": "quantitative"},
                    "text": {"field": "share", "format": ".0%"},
                },
            },
        ],
    }  # fmt: skip


def _clean_over_time(figures: Figures, payer: Name) -> Spec | None:
    if not enough(figures):
        return None
    names = [payer(row["payer"]) for row in figures.by_payer if row["payer"]]
    values = [
        {"t": _stamp(row["t"]), "payer": payer(row["payer"]), "n": row["n"], "rate": row["clean"] / row["n"]}
        for row in figures.clean_over_time
        if row["payer"]
    ]
    dim = {"condition": {"test": f"chosen == '{ALL}' || datum.payer == chosen", "value": 1}, "value": 0.15}
    return {
        "description": "Clean claim rate over time, one line a payer",
        "height": 260,
        "data": {"values": values},
        "params": [_chooser(names)],
        "encoding": {
            "x": _time(),
            "y": {
                "field": "rate", "type": "quantitative", "title": "Clean claim rate", "axis": {"format": "%"},
                "scale": {"domain": [0, 1]},
            },
            "color": {
                "field": "payer", "type": "nominal", "title": None,
                "scale": {"domain": names, "range": "@series"}, "legend": {"orient": "top", "columns": "@columns"},
            },
            "opacity": dim,
            "tooltip": [
                _when(figures), {"field": "payer"}, {"field": "rate", "title": "clean", "format": ".1%"},
                {"field": "n", "title": "claims", "format": ","},
            ],
        },
        "layer": [
            {"mark": {"type": "line", "strokeWidth": 2, "interpolate": "monotone"}},
            {"mark": {"type": "point", "filled": True, "size": 28}},
        ],
    }  # fmt: skip


def _findings(figures: Figures, title: Name) -> Spec | None:
    values = [
        {"code": row["code"], "claims": row["claims"], "dollars": row["cents"] / 100, "title": title(row["code"])}
        for row in figures.findings
        if row["claims"]
    ]
    if not values:
        return None
    values = values[:_BARS]
    plural = "(datum.claims == 1 ? ' claim' : ' claims')"
    return {
        "description": "Charge at stake by finding, and how many claims",
        "height": _ROW * len(values) + _AXIS,
        "data": {"values": values},
        "encoding": {
            "y": {"field": "code", "type": "nominal", "sort": None, "title": None},
            "x": {
                "field": "dollars", "type": "quantitative", "title": "Charge at stake (US dollars)",
                "axis": {"format": "$~s", "tickCount": 4},
                "scale": {"domainMax": 1.4 * max(v["dollars"] for v in values) or 1},
            },
            "tooltip": [
                {"field": "code"}, {"field": "title"}, {"field": "claims", "format": ","},
                {"field": "dollars", "title": "at stake", "format": "$,.0f"},
            ],
        },
        "layer": [
            {"mark": {"type": "bar", "height": {"band": 0.7}, "color": "@rework"}},
            {
                "transform": [{"calculate": f"format(datum.claims, ',') + {plural}", "as": "label"}],
                "mark": {"type": "text", "align": "left", "dx": 5, "color": "@ink"},
                "encoding": {"text": {"field": "label"}},
            },
        ],
    }  # fmt: skip


def _ranking(
    rows: Rows, field: str, axis: str, color: str, what: str, more: Mapping[str, str] | None = None
) -> Spec | None:
    """Bars with their number at the end, the longest first."""
    values = [{"code": row["code"], "n": row[field], "title": (more or {}).get(row["code"], "")} for row in rows][
        :_BARS
    ]
    if not values:
        return None
    most = max(v["n"] for v in values)
    ticks: Spec = {"values": list(range(most + 1))} if most <= 5 else {"tickCount": 4}
    tooltip = [{"field": "code", "title": what}, {"field": "n", "title": axis, "format": ","}]
    return {
        "description": axis,
        "height": _ROW * len(values) + _AXIS,
        "data": {"values": values},
        "encoding": {
            "y": {"field": "code", "type": "nominal", "sort": None, "title": None},
            "x": {
                "field": "n", "type": "quantitative", "title": axis,
                "axis": {"format": "~s", **ticks},
                "scale": {"domainMax": 1.15 * most},
            },
            "tooltip": [*tooltip, *([{"field": "title"}] if more else [])],
        },
        "layer": [
            {"mark": {"type": "bar", "height": {"band": 0.7}, "color": color}},
            {
                "mark": {"type": "text", "align": "left", "dx": 5, "color": "@ink"},
                "encoding": {"text": {"field": "n", "type": "quantitative", "format": ","}},
            },
        ],
    }  # fmt: skip


def _undetermined(figures: Figures, title: Name) -> Spec | None:
    rows = [row for row in figures.undecided if row["kind"] == "undetermined"]
    titles = {row["code"]: title(row["code"]) for row in rows}
    return _ranking(rows, "claims", "Claims with a fact missing", "@unchecked", "Code", titles)


def _flow(figures: Figures, field: str, axis: str, mark: str, color: str, factor: int = 1) -> Spec | None:
    if not enough(figures):
        return None
    return {
        "description": f"{axis}, over time",
        "height": 180,
        "data": {"values": [{"t": _stamp(row["t"]), "n": row[field] * factor} for row in figures.flow]},
        "mark": {
            "type": mark, "interpolate": "step-after", "color": color, "opacity": 0.35,
            "line": {"color": color, "strokeWidth": 1.5, "opacity": 1},
        },
        "encoding": {
            "x": _time(),
            "y": {"field": "n", "type": "quantitative", "title": axis, "axis": {"tickCount": 4}},
            "tooltip": [_when(figures), {"field": "n", "title": axis, "format": ",.4~r"}],
        },
    }  # fmt: skip


def _latency(figures: Figures) -> Spec | None:
    if not enough(figures):
        return None
    values = [
        {"t": _stamp(row["t"]), "which": which, "seconds": max(row[field], 1) / 1000}
        for row in figures.flow
        for which, field in (("half of the claims (p50)", "p50"), ("99 of 100 (p99)", "p99"))
        if row[field] is not None
    ]
    return {
        "description": "Seconds from the inbox to the verdict: median and 99th percentile, over time",
        "height": 180,
        "data": {"values": values},
        "mark": {"type": "line", "interpolate": "step-after", "strokeWidth": 2},
        "encoding": {
            "x": _time(),
            "y": {
                "field": "seconds", "type": "quantitative", "title": "Seconds to the verdict",
                "scale": {"type": "log", "nice": True},
                "axis": {"values": [10**power for power in range(-3, 7)], "format": "~g"},
            },
            "color": {
                "field": "which", "type": "nominal", "title": None, "sort": None, "legend": {"orient": "top"},
                "scale": {"domain": ["half of the claims (p50)", "99 of 100 (p99)"], "range": ["@plain", "@rework"]},
            },
            "tooltip": [_when(figures), {"field": "which", "title": "of"}, {"field": "seconds", "format": ",.3~r"}],
        },
    }  # fmt: skip
