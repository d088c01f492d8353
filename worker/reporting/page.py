"""The figures as one self-contained page: plots, the same numbers as tables, and how they were counted.

It holds sums and codes alone: no claim number, no patient hash. Its content security policy lets no request out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib.resources import files
from string import Template

from worker.backtest.result import BacktestResult
from worker.errors import ReportNeedsExtra
from worker.reporting import panels
from worker.reporting.charts import Name, charts
from worker.reporting.figures import Figures
from worker.reporting.html import escape
from worker.reporting.theme import DARK, DARK_PAGE, LIGHT, LIGHT_PAGE, SERIES_DARK, SERIES_LIGHT


def page(
    figures: Figures,
    payer: Name,
    title: Name,
    reason: Name,
    made: datetime,
    version: str,
    backtest: BacktestResult | None = None,
) -> str:
    """The page. `payer`, `title`, `reason`: names of a payer's key, a rule's code, a quarantine reason. `backtest`:
    one by which foreseen denials are weighed.

    Raises:
        ReportNeedsExtra: the Vega libraries are not installed.
    """
    body = (
        panels.tiles(figures),
        *panels.billing(figures, payer, title, backtest),
        *panels.operations(figures, reason),
        *panels.counted(figures),
    )
    plots = json.dumps(charts(figures, payer, title), separators=(",", ":"))
    return Template(_file("page.html")).substitute(
        version=escape(version),
        period=escape(_period(figures.whole["start"], figures.whole["stop"])),
        colors=colors(),
        css=_file("page.css"),
        body="\n".join(body),
        made=f"{made:%Y-%m-%d %H:%M} UTC",
        libraries=_libraries(),
        charts=plots.replace("<", "\\u003c"),  # so that no value can end the script
        script=_file("page.js"),
    )


def _file(name: str) -> str:
    return files("worker.reporting").joinpath(name).read_text("utf-8")


def _libraries() -> str:
    try:
        import vl_convert
    except ImportError:
        raise ReportNeedsExtra from None
    bundle: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return bundle.replace("</script", "<\\/script")


def colors() -> str:
    """The colors of light and dark pages, as CSS."""

    def rules(page: Mapping[str, str], dispositions: Mapping[str, str], series: Sequence[str]) -> str:
        named = {**page, **dispositions, **{f"series-{n}": value for n, value in enumerate(series, 1)}}
        return ":root{" + "".join(f"--{name}:{value};" for name, value in named.items()) + "}"

    dark = rules(DARK_PAGE, DARK, SERIES_DARK)
    return f"{rules(LIGHT_PAGE, LIGHT, SERIES_LIGHT)}@media (prefers-color-scheme: dark){{{dark}}}\n"


def _period(start: datetime, stop: datetime) -> str:
    day, time = "%-d %B %Y", "%H:%M"
    if (stop - start).total_seconds() < 60:
        return f"{start:{day}, {time}} UTC"
    if start.date() == stop.date():
        return f"{start:{day}, {time}} to {stop:{time}} UTC"
    return f"{start:{day}, {time}} to {stop:{day}, {time}} UTC"
