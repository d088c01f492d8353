"""The two dashboards: Billing for the revenue cycle, Operations for those who run it."""

from __future__ import annotations

import json
from typing import Any

from grafana_foundation_sdk.builders import bargauge, common, dashboard, logs, loki, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as kinds
from grafana_foundation_sdk.models import dashboard as models

from ops import logql
from rules.loader import load_book
from worker.report.look import AT_STAKE, CLEAN_CLAIM_RATE, DISPOSITIONS, LIGHT, SERIES_LIGHT

AUTO, RANGE = "$__auto", "$__range"
_SOURCE = models.DataSourceRef(type_val="loki", uid="${datasource}")
_SENT_AGAIN = (
    " A claim that is mended and sent in again is decided again, and counts again; scrub report tells them apart."
)
_PAYER = "=~$payer"

Panel = Any


def _query(expr: str, legend: str = "", *, instant: bool = False, ref: str = "A") -> loki.Dataquery:
    found = loki.Dataquery().ref_id(ref).expr(expr).legend_format(legend).datasource(_SOURCE)
    return found.query_type("instant" if instant else "range")


def _colour(name: str, colour: str) -> dict[str, Any]:
    return {"name": name, "properties": [models.DynamicConfigValue("color", {"mode": "fixed", "fixedColor": colour})]}


def _stat(title: str, text: str, expr: str, unit: str, colour: str, width: int = 4, decimals: int = 0) -> Panel:
    return (
        stat.Panel()
        .title(title)
        .description(text)
        .datasource(_SOURCE)
        .with_target(_query(expr, instant=True))
        .unit(unit)
        .decimals(decimals)
        .no_value("0")
        .graph_mode(kinds.BigValueGraphMode.NONE)
        .color_scheme(dashboard.FieldColor().mode(models.FieldColorModeId.FIXED).fixed_color(colour))
        .span(width)
        .height(4)
    )


def _time(
    title: str, text: str, *queries: loki.Dataquery, unit: str = "short", width: int = 12, height: int = 8
) -> Any:
    found = (
        timeseries.Panel()
        .title(title)
        .description(text)
        .datasource(_SOURCE)
        .unit(unit)
        .min(0)
        .span(width)
        .height(height)
    )
    found.line_width(2).fill_opacity(8).show_points(kinds.VisibilityMode.AUTO)
    found.legend(
        common.VizLegendOptions()
        .display_mode(kinds.LegendDisplayMode.LIST)
        .placement(kinds.LegendPlacement.BOTTOM)
        .show_legend(True)
    )
    found.tooltip(common.VizTooltipOptions().mode(kinds.TooltipDisplayMode.MULTI).sort(kinds.SortOrder.DESCENDING))
    for query in queries:
        found.with_target(query)
    return found


def _stacked(panel: Any, colours: dict[str, str]) -> Any:
    panel.draw_style(kinds.GraphDrawStyle.BARS).fill_opacity(90).line_width(0)
    panel.stacking(common.StackingConfig().mode(kinds.StackingMode.NORMAL).group("A"))
    for name, colour in colours.items():
        panel.override_by_name(**_colour(name, colour))
    return panel


def _ranking(title: str, text: str, expr: str, legend: str, unit: str, colour: str, width: int = 12) -> Panel:
    return (
        bargauge.Panel()
        .title(title)
        .description(text)
        .datasource(_SOURCE)
        .with_target(_query(f"topk(12, {expr})", legend, instant=True))
        .unit(unit)
        .min(0)
        .orientation(kinds.VizOrientation.HORIZONTAL)
        .display_mode(kinds.BarGaugeDisplayMode.BASIC)
        .color_scheme(dashboard.FieldColor().mode(models.FieldColorModeId.FIXED).fixed_color(colour))
        .no_value("none")
        .span(width)
        .height(10)
    )


def _payers() -> dict[str, str]:
    return {key: payer.name for key, payer in sorted(load_book().registry.payers.items())}


def _board(title: str, uid: str, text: str, since: str, *, payer: bool) -> dashboard.Dashboard:
    board = dashboard.Dashboard(title).uid(uid).description(text).tags(["claim-scrubber"]).readonly()
    board.time(since, "now").refresh("1m").timezone("browser").tooltip(models.DashboardCursorSync.CROSSHAIR)
    board.with_variable(dashboard.DatasourceVariable("datasource").label("Logs").type("loki"))
    if payer:
        options = ", ".join(f"{name} : {key}" for key, name in _payers().items())
        variable = dashboard.CustomVariable("payer").label("Payer").values(options)
        board.with_variable(variable.include_all(True).all_value(".*").multi(True))
    return board


def billing() -> dashboard.Dashboard:
    """Clean claim rate, where claims went, what holds them and what that is worth."""
    board = _board("Claim scrubber: Billing", "claim-scrubber-billing", "What goes out clean, and what is held.", "now-7d", payer=True)  # fmt: skip
    rate = logql.clean_rate(RANGE, payer=_PAYER)
    held = logql.dollars(RANGE, disposition="=rework", payer=_PAYER)
    board.with_panel(
        _stat("Clean claim rate", CLEAN_CLAIM_RATE + _SENT_AGAIN, rate, "percentunit", LIGHT["billing"], decimals=1)
    )
    board.with_panel(_stat("Held in rework", AT_STAKE, held, "currencyUSD", LIGHT["rework"]))
    for name, text in (
        ("billing", "Decisions that sent a claim to billing."),
        ("rework", "Decisions that held a claim back."),
        ("unchecked", "Claims that the rule book says nothing of."),
        ("quarantine", "Not readable as a claim, or refused; each wants a person."),
    ):
        expr = logql.decisions(RANGE, disposition=f"={name}", payer=_PAYER)
        board.with_panel(_stat(name.title(), text, expr, "locale", LIGHT[name]))
    went = _query(logql.decisions(AUTO, "claim.disposition", payer=_PAYER), "{{claim_disposition}}")
    panel = _time("Where claims went", "Decisions by disposition." + _SENT_AGAIN, went, unit="short", width=24)
    board.with_panel(_stacked(panel, {name: LIGHT[name] for name in DISPOSITIONS}))
    series = dict(zip(_payers(), SERIES_LIGHT, strict=False))
    panel = _time(
        "Clean claim rate by payer", f"{CLEAN_CLAIM_RATE} A line that drops: a payer changed something.",
        _query(logql.clean_rate("1d", "claim.payer", payer=_PAYER), "{{claim_payer}}"), unit="percentunit",
    ).max(1)  # fmt: skip
    for name, colour in series.items():
        panel.override_by_name(**_colour(name, colour))
    board.with_panel(panel)
    panel = _time(
        "Held in rework by payer", AT_STAKE,
        _query(logql.dollars(AUTO, "claim.payer", disposition="=rework", payer=_PAYER), "{{claim_payer}}"), unit="currencyUSD",
    )  # fmt: skip
    board.with_panel(_stacked(panel, series))
    every = " A claim with several findings counts under each."
    code = "{{entry}}"
    board.with_panel(_ranking("Top findings: charge at stake", AT_STAKE + every, logql.listed("rule.block", RANGE, money=True, payer=_PAYER), code, "currencyUSD", LIGHT["rework"]))  # fmt: skip
    board.with_panel(_ranking("Top findings: claims", "Rules of severity block that failed or were undetermined." + every, logql.listed("rule.block", RANGE, payer=_PAYER), code, "locale", LIGHT["rework"]))  # fmt: skip
    board.with_panel(_ranking("Denials avoided", "What the payer was expected to answer (group, reason and remark code, or a 277CA status), of claims that were held back.", logql.listed("rule.denials", RANGE, payer=_PAYER), code, "locale", LIGHT["billing"]))  # fmt: skip
    board.with_panel(_ranking("Undetermined", "Rules of severity block that need a fact which the claim does not carry.", logql.listed("rule.undetermined", RANGE, payer=_PAYER), code, "locale", LIGHT["unchecked"]))  # fmt: skip
    return board


def operations() -> dashboard.Dashboard:
    """Throughput, latency, backlog, and what goes wrong."""
    board = _board("Claim scrubber: Operations", "claim-scrubber-operations", "Is it working, and how fast.", "now-6h", payer=False)  # fmt: skip
    plain, alarm = LIGHT["plain"], LIGHT["rework"]
    board.with_panel(_stat("Balance of the books", "Accepted less accounted for. Anything but 0: see the runbook, Alerts.", logql.books("queue.balance", "1m"), "locale", plain))  # fmt: skip
    board.with_panel(_stat("Waiting", "Claims that no worker has had yet.", logql.books("queue.waiting", "1m"), "locale", plain))  # fmt: skip
    board.with_panel(_stat("Oldest waiting", "Age of the oldest claim that waits.", logql.books("queue.oldest_s", "1m"), "s", plain))  # fmt: skip
    board.with_panel(_stat("In quarantine", "Claims that ever went there.", logql.books("queue.quarantine", "1m"), "locale", LIGHT["quarantine"]))  # fmt: skip
    board.with_panel(_stat("Workers that took claims", "Worker processes that took claims of late, or hold some.", logql.books("queue.consumers", "1m"), "locale", plain))  # fmt: skip
    board.with_panel(_stat("Sources past review", "Documents of the rule book that want to be looked at again.", logql.books("book.past_review", "1m"), "locale", alarm))  # fmt: skip
    rate = logql.lines(AUTO, "claim.scrubbed", "claim.quarantined", rate=True)
    board.with_panel(_time("Claims per second", "Lines of the audit log that decide a claim.", _query(rate, "claims/s"), unit="cps"))  # fmt: skip
    latency = (
        logql.actions("claim.scrubbed", "claim.quarantined") + f" | unwrap {logql.label('queue.latency_ms')} [{AUTO}]"
    )
    panel = _time(
        "Queue latency", "From the inbox taking a claim in to its verdict.",
        _query(f"quantile_over_time(0.50, {latency}) by ()", "p50"),
        _query(f"quantile_over_time(0.99, {latency}) by ()", "p99", ref="B"), unit="ms",
    )  # fmt: skip
    board.with_panel(panel.override_by_name(**_colour("p50", plain)).override_by_name(**_colour("p99", alarm)))
    panel = _time(
        "Backlog", "Claims that wait, and claims that a worker has and did not commit.",
        _query(logql.books("queue.waiting", AUTO), "waiting"), _query(logql.books("queue.in_flight", AUTO), "in flight", ref="B"),
    )  # fmt: skip
    board.with_panel(panel)
    board.with_panel(_time("Oldest waiting", "Age of the oldest claim that waits.", _query(logql.books("queue.oldest_s", AUTO), "oldest"), unit="s"))  # fmt: skip
    reclaimed = logql.lines(AUTO, "claim.scrubbed", "claim.quarantined", where=f' | {logql.label("queue.attempt")}!=""')
    panel = _time(
        "Taken over, and sent again", "Claims taken over from a lost worker; events that came a second time; decisions taken back.",
        _query(reclaimed, "taken over"), _query(logql.lines(AUTO, "claim.repeated"), "sent again", ref="B"),
        _query(logql.lines(AUTO, "claim.superseded"), "taken back", ref="C"), width=8,
    )  # fmt: skip
    board.with_panel(
        _stacked(panel, dict(zip(("taken over", "sent again", "taken back"), SERIES_LIGHT[1:], strict=False)))
    )
    panel = _time("Quarantine by reason", "scrub tail quarantine shows the claims.", _query(logql.decisions(AUTO, "error.code", disposition="=quarantine"), "{{error_code}}"), width=8)  # fmt: skip
    board.with_panel(_stacked(panel, {}))
    level, action = logql.label("log.level"), logql.label("event.action")
    warnings = f'{logql.STREAM} |~ `"log.level":"(warning|error|critical)"` | json | {action}!~"claim.*"'
    errors = f"sum by ({level}) (count_over_time({warnings} [{AUTO}]))"
    panel = _time("Warnings and errors", "Lines of the operational log.", _query(errors, "{{log_level}}"), width=8)
    board.with_panel(_stacked(panel, {"warning": SERIES_LIGHT[4], "error": alarm, "critical": LIGHT["quarantine"]}))
    books = logql.decisions(AUTO, "book.version", "book.digest")
    board.with_panel(_stacked(_time("Rule books in use", "Two at once for long: a worker was left behind.", _query(books, "{{book_version}} {{book_digest}}")), {}))  # fmt: skip
    chains = f"count(sum by ({logql.label('audit.chain')}) (count_over_time({logql.actions('claim.scrubbed', 'claim.quarantined')} [{AUTO}])))"  # fmt: skip
    panel = _time("Worker processes at work", "That wrote audit lines in this time, and that took claims of late.", _query(chains, "wrote audit lines"), _query(logql.books("queue.consumers", AUTO), "took claims", ref="B"))  # fmt: skip
    board.with_panel(panel)
    newest = logs.Panel().title("Newest warnings and errors").datasource(_SOURCE).span(24).height(9).show_time(True)
    board.with_panel(newest.with_target(_query(warnings)))
    return board


def documents() -> dict[str, str]:
    """Every dashboard as JSON, by file name."""
    boards = {"billing.json": billing(), "operations.json": operations()}
    return {name: JSONEncoder(sort_keys=True, indent=2).encode(board.build()) + "\n" for name, board in boards.items()}


def expressions() -> dict[str, str]:
    """Every LogQL expression of the dashboards, by dashboard, panel and letter."""
    return {
        f"{name}: {panel['title']} {target['refId']}": target["expr"]
        for name, text in documents().items()
        for panel in json.loads(text)["panels"]
        for target in panel["targets"]
    }
