"""The two dashboards: Billing for the revenue cycle, Operations for those who run it."""

from __future__ import annotations

import json
from functools import cache

from grafana_foundation_sdk.builders.dashboard import CustomVariable, Dashboard, DatasourceVariable, TextBoxVariable
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import DashboardCursorSync, DashboardLinkType, VariableOption

from ops import logql
from ops.dashboards.panels import AUTO, DESK, RANGE, link, newest, number, over_time, query, ranking, stacked, widths
from rules.loader import load_book
from worker.audit.lines import DECIDES
from worker.reporting.theme import AT_STAKE, CLEAN_CLAIM_RATE, EXPECTED_LEAST, LIGHT, SERIES_LIGHT
from worker.store.outletspecs import DISPOSED

_PAYER = "=~$payer"
_BESIDES = (("Work list", f"{DESK}/work"), ("Quarantine", f"{DESK}/quarantine"), ("Figures", f"{DESK}/figures"))
_AGAIN = " A claim that was mended and sent in again is decided again and counts again; scrub report tells them apart."
_EACH = " A claim with several counts under each."


@cache
def _payers() -> dict[str, str]:
    return {key: payer.name for key, payer in sorted(load_book().registry.payers.items())}


def _board(title: str, uid: str, since: str, text: str) -> Dashboard:
    board = Dashboard(f"Claim scrubber: {title}").uid(uid).description(text).tags(["claim-scrubber"]).readonly()
    board.time(since, "now").refresh("1m").timezone("browser").tooltip(DashboardCursorSync.CROSSHAIR)
    desk = TextBoxVariable("desk").id("desk").label("Desk").default_value("http://127.0.0.1:8080")
    board.with_variable(desk.description("Address of scrub serve, to which links lead."))
    for name, address in _BESIDES:
        board.link(link(name, address).type(DashboardLinkType.LINK))
    return board.with_variable(DatasourceVariable("datasource").id("datasource").label("Logs").type("loki"))


def billing() -> Dashboard:
    """Clean claim rate, where claims went, what holds them and what that is worth."""
    board = _board("Billing", "claim-scrubber-billing", "now-7d", "What goes out clean, what is held, and why.")
    values = ", ".join(f"{name} : {key}" for key, name in _payers().items())
    payers = CustomVariable("payer").id("payer").label("Payer").values(values).include_all(True).all_value(".*")
    board.with_variable(payers.multi(True).current(VariableOption(selected=True, text=["All"], value=["$__all"])))
    _billing_numbers(board)
    _billing_over_time(board)
    _billing_rankings(board)
    board.with_panel(newest("Newest claims in rework: number, payer, cents", logql.held(payer=_PAYER)))
    return board


def _billing_numbers(board: Dashboard) -> None:
    rate = logql.clean_rate(RANGE, payer=_PAYER)
    text = CLEAN_CLAIM_RATE + _AGAIN
    width = widths(4 + len(DISPOSED))
    board.with_panel(
        number("Clean claim rate", text, rate, "percentunit", LIGHT["billing"], decimals=1, width=next(width))
    )
    held = logql.dollars(RANGE, disposition="=rework", payer=_PAYER)
    board.with_panel(number("Held in rework", AT_STAKE, held, "currencyUSD", LIGHT["rework"], width=next(width)))
    expected = logql.expected_dollars(RANGE, disposition="=rework", payer=_PAYER)
    board.with_panel(
        number("Expected of these", EXPECTED_LEAST, expected, "currencyUSD", LIGHT["rework"], width=next(width))
    )
    let_go = logql.decisions(RANGE, disposition="=billing", observed="=rework", payer=_PAYER)
    text = "Claims that are only observed, went to billing, and would have gone to rework." + _AGAIN
    board.with_panel(number("Observed", text, let_go, "locale", LIGHT["rework"], width=next(width)))
    for name, spec in DISPOSED.items():
        expression = logql.decisions(RANGE, disposition=f"={name}", payer=_PAYER)
        text = f"{spec.counts[0].upper()}{spec.counts[1:]}{'' if spec.consumed else '; each wants a person'}."
        board.with_panel(number(name.title(), text, expression, "locale", spec.light, width=next(width)))


def _billing_over_time(board: Dashboard) -> None:
    lines = dict(zip(_payers(), SERIES_LIGHT, strict=False))
    went = query(logql.decisions(AUTO, "claim.disposition", payer=_PAYER), "{{claim_disposition}}")
    panel = over_time("Where claims went", "Decisions by disposition." + _AGAIN, went, width=24)
    board.with_panel(stacked(panel, LIGHT))
    text = f"Over the day before. {CLEAN_CLAIM_RATE} A line that drops: the payer changed something, or a sender did."
    clean = query(logql.clean_rate("1d", "claim.payer", payer=_PAYER), "{{claim_payer}}")
    board.with_panel(over_time("Clean claim rate by payer", text, clean, unit="percentunit", colors=lines).max(1))
    held = query(logql.dollars(AUTO, "claim.payer", disposition="=rework", payer=_PAYER), "{{claim_payer}}")
    board.with_panel(stacked(over_time("Held in rework by payer", AT_STAKE, held, unit="currencyUSD"), lines))


def _billing_rankings(board: Dashboard) -> None:
    text = "Rules of severity block that failed or were undetermined." + _EACH
    stake = logql.listed("rule.block", RANGE, money=True, payer=_PAYER)
    board.with_panel(
        ranking("Top findings: charge at stake", AT_STAKE + _EACH, stake, LIGHT["rework"], "currencyUSD", rules=True)
    )
    findings = logql.listed("rule.block", RANGE, payer=_PAYER)
    board.with_panel(ranking("Top findings: claims", text, findings, LIGHT["rework"], rules=True))
    text = "What the payer was expected to answer to claims in rework: group, reason and remark code, or 277CA." + _EACH
    denials = logql.listed("rule.denials", RANGE, disposition="=rework", payer=_PAYER)
    board.with_panel(ranking("Denials foreseen", text, denials, LIGHT["billing"]))
    text = "Rules of severity block that need a fact which the claim does not carry." + _EACH
    undetermined = logql.listed("rule.undetermined", RANGE, payer=_PAYER)
    board.with_panel(ranking("Undetermined", text, undetermined, LIGHT["unchecked"], rules=True))
    text = "Official files that rules asked and that do not speak of the claim's date: scrub tables import." + _EACH
    wanted = logql.listed("claim.wanted", RANGE, payer=_PAYER)
    board.with_panel(ranking("To import", text, wanted, LIGHT["unchecked"]))
    text = "What no rule could look at, by kind: runbook, Gaps." + _EACH
    gaps = logql.listed("claim.gaps", RANGE, payer=_PAYER)
    board.with_panel(ranking("Not looked at", text, gaps, LIGHT["plain"]))
    text = "Drafts that would have sent the claim to rework, were they active; they route nothing." + _EACH
    shadow = logql.listed("rule.shadow_block", RANGE, payer=_PAYER)
    board.with_panel(ranking("Drafts in shadow", text, shadow, LIGHT["plain"], rules=True))
    text = "Rules that an override of the hospital touched, found or put out of force." + _EACH
    overridden = logql.listed("rule.overridden", RANGE, payer=_PAYER)
    board.with_panel(ranking("Overridden rules", text, overridden, LIGHT["plain"]))


def operations() -> Dashboard:
    """Throughput, latency, backlog, and what goes wrong."""
    board = _board("Operations", "claim-scrubber-operations", "now-6h", "Is it working, and how fast.")
    _operations_numbers(board)
    _operations_flow(board)
    _operations_faults(board)
    return board


def _operations_numbers(board: Dashboard) -> None:
    plain, alarm = LIGHT["plain"], LIGHT["rework"]
    for title, text, field, unit, color in (
        (
            "Balance of the books",
            "Accepted less accounted for. Not 0: runbook, Alerts.",
            "queue.balance",
            "locale",
            plain,
        ),
        ("Waiting", "Claims that no worker has had yet.", "queue.waiting", "locale", plain),
        ("Oldest waiting", "Age of the oldest claim that waits.", "queue.oldest_s", "s", plain),
        (
            "Ever in quarantine",
            "Claims that went there; the desk and scrub quarantine list show what is there now.",
            "queue.quarantine",
            "locale",
            LIGHT["quarantine"],
        ),
        ("Workers", "Processes that took claims of late, or hold some.", "queue.consumers", "locale", plain),
        ("Sources past review", "Documents of the rule book to look at again.", "book.past_review", "locale", alarm),
    ):
        board.with_panel(number(title, text, logql.books(field, "1m"), unit, color))


def _operations_flow(board: Dashboard) -> None:
    rate = query(logql.lines(AUTO, *DECIDES, rate=True), "claims/s")
    board.with_panel(over_time("Claims per second", "Lines of the audit log that decide a claim.", rate, unit="cps"))
    board.with_panel(
        over_time(
            "Queue latency",
            "From the inbox taking a claim in to its verdict.",
            query(logql.latency(0.5, AUTO), "p50"),
            query(logql.latency(0.99, AUTO), "p99", ref="B"),
            unit="ms",
            colors={"p50": LIGHT["plain"], "p99": LIGHT["rework"]},
        )
    )
    board.with_panel(
        over_time(
            "Backlog",
            "Claims that wait, and claims that a worker has and did not commit.",
            query(logql.books("queue.waiting", AUTO), "waiting"),
            query(logql.books("queue.in_flight", AUTO), "in flight", ref="B"),
            colors={"waiting": LIGHT["plain"], "in flight": LIGHT["unchecked"]},
        )
    )
    oldest = query(logql.books("queue.oldest_s", AUTO), "oldest")
    board.with_panel(over_time("Oldest waiting", "Age of the oldest claim that waits.", oldest, unit="s"))


def _operations_faults(board: Dashboard) -> None:
    taken_over = logql.lines(AUTO, *DECIDES, having="queue.attempt")
    panel = over_time(
        "Taken over, sent again, taken back",
        "Claims taken over from a lost worker; events that came a second time; decisions that were not committed.",
        query(taken_over, "taken over"),
        query(logql.lines(AUTO, "claim.repeated"), "sent again", ref="B"),
        query(logql.lines(AUTO, "claim.superseded"), "taken back", ref="C"),
        width=8,
    )
    names = ("taken over", "sent again", "taken back")
    board.with_panel(stacked(panel, dict(zip(names, SERIES_LIGHT[1:], strict=False))))
    reasons = query(logql.decisions(AUTO, "error.code", disposition="=quarantine"), "{{error_code}}")
    panel = over_time("Quarantine by reason", "scrub tail quarantine shows the claims.", reasons, width=8)
    board.with_panel(stacked(panel, {}))
    counts = query(logql.complaints(AUTO), "{{log_level}}")
    panel = over_time("Warnings and errors", "Lines of the operational log.", counts, width=8)
    board.with_panel(stacked(panel, {"warning": SERIES_LIGHT[4], "error": LIGHT["rework"]}))
    books = query(logql.decisions(AUTO, "book.version", "book.digest"), "{{book_version}} {{book_digest}}")
    panel = over_time("Rule books in use", "Decisions by book. Two for long: a worker was left behind.", books)
    board.with_panel(stacked(panel, {}))
    board.with_panel(
        over_time(
            "Worker processes",
            "Those that wrote audit lines in this time; those that took claims of late.",
            query(logql.processes(AUTO), "wrote audit lines"),
            query(logql.books("queue.consumers", AUTO), "took claims", ref="B"),
            colors={"wrote audit lines": LIGHT["plain"], "took claims": LIGHT["unchecked"]},
        )
    )
    board.with_panel(newest("Newest warnings and errors", logql.complaints()))


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
