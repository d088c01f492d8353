"""The kinds of panels that the dashboards are made of, by Grafana's own builders."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from grafana_foundation_sdk.builders import bargauge, common, logs, loki, stat, timeseries
from grafana_foundation_sdk.builders.dashboard import DashboardLink, FieldColor
from grafana_foundation_sdk.models.common import (
    BarGaugeDisplayMode,
    BigValueGraphMode,
    GraphDrawStyle,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.dashboard import DataSourceRef, DynamicConfigValue, FieldColorModeId

_COLUMNS = 24
"""Of a board; a row that does not fill them all runs into the next panel."""
AUTO, RANGE = "$__auto", "$__range"
"""Grafana's own variables: the width of a point, and all that is shown."""
DESK = "${desk}"
"""The variable with the address of `scrub serve`."""
_OF_A_RULE = (
    ("Claims held by ${__field.labels.entry}", f"{DESK}/held?code=${{__field.labels.entry}}"),
    ("The rule ${__field.labels.entry}", f"{DESK}/rules/${{__field.labels.entry}}"),
)
_SOURCE = DataSourceRef(type_val="loki", uid="${datasource}")


def widths(number: int) -> Iterator[int]:
    """Of so many panels that are to fill a row."""
    return (_COLUMNS // number + (place < _COLUMNS % number) for place in range(number))


def query(expression: str, legend: str = "", *, instant: bool = False, ref: str = "A") -> loki.Dataquery:
    """One LogQL query. `instant`: its value at the end alone."""
    found = loki.Dataquery().ref_id(ref).expr(expression).legend_format(legend).datasource(_SOURCE)
    return found.query_type("instant" if instant else "range")


def number(
    title: str, text: str, expression: str, unit: str, color: str, decimals: int = 0, width: int = 4
) -> stat.Panel:
    """One number."""
    return (
        stat.Panel()
        .title(title)
        .description(text)
        .datasource(_SOURCE)
        .with_target(query(expression, instant=True))
        .unit(unit)
        .decimals(decimals)
        .no_value("-")
        .reduce_options(_newest_value())
        .graph_mode(BigValueGraphMode.NONE)
        .color_scheme(_fixed(color))
        .span(width)
        .height(4)
    )


def over_time(
    title: str,
    text: str,
    *queries: loki.Dataquery,
    unit: str = "locale",
    width: int = 12,
    colors: Mapping[str, str] | None = None,
) -> timeseries.Panel:
    """Lines over time from 0 on; `colors` by the name of a line."""
    panel = timeseries.Panel().title(title).description(text).datasource(_SOURCE).unit(unit).min(0)
    panel.span(width).height(8).line_width(2).fill_opacity(8).show_points(VisibilityMode.AUTO)
    legend = common.VizLegendOptions().display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM)
    panel.legend(legend.show_legend(True))
    panel.tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
    for one in queries:
        panel.with_target(one)
    return _colored(panel, colors or {})


def stacked(panel: timeseries.Panel, colors: Mapping[str, str]) -> timeseries.Panel:
    """The same as stacked columns."""
    panel.draw_style(GraphDrawStyle.BARS).fill_opacity(90).line_width(0)
    panel.stacking(common.StackingConfig().mode(StackingMode.NORMAL).group("A"))
    return _colored(panel, colors)


def ranking(
    title: str, text: str, expression: str, color: str, unit: str = "locale", *, rules: bool = False
) -> bargauge.Panel:
    """The twelve largest, as bars. `rules`: a bar is one, and leads to its claims and its page at the desk."""
    panel = (
        bargauge.Panel()
        .title(title)
        .description(text)
        .datasource(_SOURCE)
        .with_target(query(f"topk(12, {expression})", "{{entry}}", instant=True))
        .unit(unit)
        .min(0)
        .no_value("none")
        .reduce_options(_newest_value())
        .orientation(VizOrientation.HORIZONTAL)
        .display_mode(BarGaugeDisplayMode.BASIC)
        .color_scheme(_fixed(color))
        .span(12)
        .height(10)
    )
    return panel.data_links([link(*one) for one in _OF_A_RULE]) if rules else panel


def link(title: str, address: str) -> DashboardLink:
    """To a page that opens beside the board."""
    return DashboardLink(title).url(address).target_blank(True)


def newest(title: str, expression: str) -> logs.Panel:
    """The lines themselves."""
    panel = logs.Panel().title(title).datasource(_SOURCE).with_target(query(expression))
    return panel.show_time(True).span(24).height(9)


def _newest_value() -> common.ReduceDataOptions:
    return common.ReduceDataOptions().calcs(["lastNotNull"]).values(False)


def _fixed(color: str) -> FieldColor:
    return FieldColor().mode(FieldColorModeId.FIXED).fixed_color(color)


def _colored(panel: timeseries.Panel, colors: Mapping[str, str]) -> timeseries.Panel:
    for name, color in colors.items():
        fixed: Any = {"mode": "fixed", "fixedColor": color}
        panel.override_by_name(name, [DynamicConfigValue("color", fixed)])
    return panel
