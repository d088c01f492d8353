"""What stands on the page, panel by panel: a title, what is counted, the plot, and the same numbers as a table."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from worker.backtest.result import BacktestResult
from worker.reporting.charts import Name, enough, pace
from worker.reporting.figures import Figures
from worker.reporting.foreseen import weigh
from worker.reporting.html import (
    Cells,
    claims,
    count,
    figure,
    folded,
    grid,
    heading,
    moment,
    money,
    note,
    pair,
    plot,
    rounded_money,
    share,
    span,
    table,
    terms,
    tile,
    width,
)
from worker.reporting.load import Row
from worker.reporting.theme import AT_STAKE, CLEAN_CLAIM_RATE, EXPECTED
from worker.store.outletspecs import DISPOSED, DISPOSITIONS

_LONG = 200
"""Rows of a table over time."""


def tiles(figures: Figures) -> str:
    """The numbers at the top."""
    whole = figures.whole
    clean = f"{count(whole['clean'])} of {claims(whole['firsts'])} passed at first, without a person"
    held = f"{claims(whole['rework'])} whose newest verdict is rework{_expected_of_held(whole)}"
    billed = f"{claims(whole['billing'])} whose newest verdict is billing"
    more = (
        tile(name.title(), count(whole[name]), spec.counts, name)
        for name, spec in DISPOSED.items()
        if name not in ("billing", "rework")
    )
    found = (
        tile("Clean claim rate", share(whole["clean"], whole["firsts"]), clean, "billing"),
        tile("Held in rework", rounded_money(whole["held_cents"]), held, "rework"),
        tile("Sent to billing", rounded_money(whole["billed_cents"]), billed, "billing"),
        tile("Undetermined", count(whole["undetermined"]), "claims in rework because a fact is missing", "unchecked"),
        *more,
    )
    text = f"{claims(whole['let_go'])} of {count(whole['observed'])} observed, which would have gone to rework"
    let_go = tile("Only observed", rounded_money(whole["let_go_cents"]), text, "rework") if whole["observed"] else ""
    return f'<dl class="tiles">{"".join(found)}{let_go}</dl>'


def _expected_of_held(whole: Row) -> str:
    """What held claims are expected to bring; of how many, where that cannot be said of all."""
    if not whole["priced"]:
        return ""
    low, high = rounded_money(whole["expected"]), rounded_money(whole["expected_high"])
    of = "" if whole["priced"] == whole["rework"] else f" for {count(whole['priced'])} of them"
    return f"; expected: {low if low == high else f'{low} to {high}'}{of}"


def billing(figures: Figures, payer: Name, title: Name, result: BacktestResult | None) -> Iterator[str]:
    """For the revenue cycle."""
    yield heading("Billing", "billing")
    if enough(figures):
        yield _over_time(figures)
    else:
        yield note(f"All of it lies within {width(3 * figures.step)}: too short for a course over time.")
    yield _by_payer(figures, payer)
    if any(row["priced"] for row in figures.by_payer):
        yield _expected_by_payer(figures, payer)
    if enough(figures):
        yield _clean_over_time(figures, payer)
    yield _findings(figures, title)
    if figures.denials:
        yield _denials(figures, result)
    yield _undecided(figures, payer, title)
    yield _looked_at(figures)


def _over_time(figures: Figures) -> str:
    grouped: dict[datetime, dict[str, int]] = {}
    for row in figures.over_time:
        counts = grouped.setdefault(row["t"], dict.fromkeys(DISPOSITIONS, 0))
        counts[row["disposition"]] += row["n"]
    rows = [(moment(t), *map(count, counts.values())) for t, counts in grouped.items()]
    heads = ("From (UTC)", *(f"{name.title()}#" for name in DISPOSITIONS))
    text = f"Decisions per {width(figures.step)} (UTC). A claim that comes in again is decided again."
    return figure("Where claims went", text, plot("over-time"), folded(table("Decisions", heads, rows, _LONG)))


def _by_payer(figures: Figures, payer: Name) -> str:
    def cells(row: Row) -> Cells:
        rest = (count(row[name]) for name in DISPOSITIONS[1:])
        return payer(row["payer"]), count(row["n"]), share(row["clean"], row["n"]), money(row["held_cents"]), *rest

    heads = ("Payer", "Claims#", "Clean#", "Charge held#", *(f"{name.title()}#" for name in DISPOSITIONS[1:]))
    found = table("First verdict on each claim", heads, map(cells, figures.by_payer))
    return figure("Clean claim rate by payer", CLEAN_CLAIM_RATE, pair(plot("by-payer"), found))


def _expected_by_payer(figures: Figures, payer: Name) -> str:
    def cells(row: Row) -> Cells:
        sums = (row["priced_cents"], row["expected"], row["expected_high"])
        known = map(money, sums) if row["priced"] else ("-", "-", "-")
        return payer(row["payer"]), count(row["rework"]), money(row["held_cents"]), count(row["priced"]), *known

    heads = ("Payer", "Held#", "Charge held#", "Expected is known for#", "Their charge#", "At least#", "At most#")
    held = (row for row in figures.by_payer if row["rework"])
    found = table("First verdict on each claim: those that were held", heads, map(cells, held))
    return figure("Expected payment of held claims", EXPECTED, found)


def _clean_over_time(figures: Figures, payer: Name) -> str:
    names = [row["payer"] for row in figures.by_payer if row["payer"]]
    grouped: dict[datetime, dict[str, Row]] = {}
    for row in figures.clean_over_time:
        grouped.setdefault(row["t"], {})[row["payer"]] = row
    rows = [
        (moment(t), *(share(found[name]["clean"], found[name]["n"]) if name in found else "-" for name in names))
        for t, found in grouped.items()
    ]
    heads = ("From (UTC)", *(f"{payer(name)}#" for name in names))
    text = "A line that drops: a payer changed something, or a source of claims did."
    found = folded(table("Clean claim rate", heads, rows, _LONG))
    return figure("Clean claim rate over time", text, plot("clean-over-time"), found)


def _findings(figures: Figures, title: Name) -> str:
    def cells(row: Row) -> Cells:
        more = (count(row[name]) for name in ("undetermined", "warned"))
        return row["code"], title(row["code"]), count(row["claims"]), money(row["cents"]), *more

    heads = ("Code", "What", "Held#", "At stake#", "Undetermined#", "Warned#")
    found = table("Claims by finding; undetermined ones are among those held", heads, map(cells, figures.findings))
    text = f"{AT_STAKE} A claim with several findings counts under each, so the bars do not add up to the charge held."
    drawn = any(row["claims"] for row in figures.findings)
    return figure("Top findings, by charge at stake", text, pair(plot("findings"), found) if drawn else found)


def _denials(figures: Figures, result: BacktestResult | None) -> str:
    rows = [(row["code"], count(row["claims"]), money(row["cents"])) for row in figures.denials]
    found = table("Claims by expected answer", ("Expected answer", "Claims#", "Charge#"), rows)
    held, mended = (sum(row[name] for row in figures.foreseen) for name in ("claims", "mended"))
    charge, gone = (sum(row[name] for row in figures.foreseen) for name in ("cents", "mended_cents"))
    text = (
        f"{claims(held)}, each once, {money(charge)} charged: held for what the payer was expected to answer, had they"
        f" been sent as they were. Mended and sent to billing since: {claims(mended)}, {money(gone)} charged. What the"
        " payers would have done is not known until remittances are in."
    )
    answers = (
        "By expected answer, of rules that failed and block: claim adjustment group, reason and remark code, or"
        " category and status of a 277CA rejection. A claim with several counts under each, so that the bars do not add"
        " up."
    )
    told = note(_weighed(figures, result)) if result else ""
    return figure("Denials foreseen", text, told, note(answers), pair(plot("denials"), found))


def _weighed(figures: Figures, result: BacktestResult) -> str:
    found = weigh(figures.foreseen, result)
    without = f" {claims(found.without)} of payers that it shows too few of are left out." if found.without else ""
    mended = result.mended
    measured = "" if mended.claims is None or mended.paid_cents is None else (
        f" Measured there, mended after a denial and paid: {claims(mended.claims)}, {money(mended.paid_cents)}."
    )  # fmt: skip
    low, high = money(found.low_cents), money(found.high_cents)
    period = f"{result.period.first_sent} to {result.period.last_sent}"
    flattered = " Its book may have been written to these claims, which flatters it." if _in_sample(result) else ""
    return (
        f"An estimate: about {money(found.cents)} ({low} to {high}) in the payers' money, for {claims(found.claims)}:"
        " the charge, times the share that the payer allows, times the share of held claims that it denied, by the"
        f" backtest of claims sent {period}.{flattered}{without}{measured}"
    )


def _in_sample(result: BacktestResult) -> bool:
    return result.judged[-1].in_sample.sample in ("after", "across", "unknown")


def _undecided(figures: Figures, payer: Name, title: Name) -> str:
    undetermined = [row for row in figures.undecided if row["kind"] == "undetermined"]
    unchecked = [row for row in figures.undecided if row["kind"] == "unchecked"]
    rows = [(row["code"], title(row["code"]), count(row["claims"]), money(row["cents"])) for row in undetermined]
    rows += [("Unchecked", payer(row["code"]), count(row["claims"]), money(row["cents"])) for row in unchecked]
    found = table("Claims that could not be judged in full", ("What", "Rule, or payer", "Claims#", "Charge#"), rows)
    text = (
        "Undetermined: a rule that blocks needs a fact which the claim does not carry. Unchecked: no line of the claim,"
        " or no date of it, is one that the rule book covers."
    )
    if not rows:
        found = note("None: every claim was judged in full.")
    name = "Undetermined and unchecked"
    return figure(name, text, pair(plot("undetermined"), found) if undetermined else found)


_COVERAGE = {
    "full": "In full",
    "partial": "In part: see what was not",
    "common_only": "By rules for all payers: the book has none of this payer's own",
    "none": "By no rules of a procedure",
}
_GAPS = {
    "line_not_judged": "Lines of codes that the book has no rules for: their form alone was checked",
    "table_extract": "A table of which the book has an extract",
    "table_not_imported": "A table that was not imported",
    "edition_past": "A table whose edition is past",
    "payer_without_rules": "Rules of the payer's own",
    "plan_unknown": "Rules of a plan that the book does not know",
    "rule_out_of_range": "Rules that ended before the date of service",
    "history_not_consulted": "What was billed before: the claim has no member id",
    "field_not_read": "Fields that the claim leaves out, or that stand on it and are not read",
}


def _looked_at(figures: Figures) -> str:
    """How much of the claims was looked at, and what to do about the rest."""
    rows: list[tuple[str, ...]] = [
        (_COVERAGE.get(row["coverage"], str(row["coverage"])), count(row["claims"])) for row in figures.coverage
    ]
    for row in figures.gaps:
        what = f"Not looked at: {_GAPS.get(row['what'], row['what'])}"
        rows.append((f"Import {row['what']}" if row["kind"] == "import" else what, count(row["claims"])))
    found = table("Claims by how much of them was looked at", ("What", "Claims#"), rows)
    text = (
        "Clean means that what was looked at is clean. A claim with several gaps counts under each; lines until 0.1.1"
        " name none. scrub tables import takes the files."
    )
    return figure("What was looked at", text, found if rows else note("The log does not say."))


def operations(figures: Figures, reason: Name) -> Iterator[str]:
    """For those who run it."""
    yield heading("Operations", "operations")
    flow = list(_flow(figures)) if enough(figures) else []
    yield grid([*flow, _queue(figures), _quarantine(figures, reason), _books(figures), _workers(figures)])


def _flow(figures: Figures) -> Iterator[str]:
    def cells(row: Row) -> Cells:
        latencies = (span(row[name]) for name in ("p50", "p99", "longest"))
        return moment(row["t"]), f"{row['rate']:,.2f}", *latencies, count(row["waiting"])

    one, (_, unit) = width(figures.step), pace(figures)
    heads = ("From (UTC)", "Decided a second#", "p50#", "p99#", "Longest#", "Waiting#")
    numbers = folded(table(f"Per {one}", heads, map(cells, figures.flow), _LONG))
    yield figure("Throughput", f"Claims decided per {unit}, averaged over one {one}.", plot("throughput"))
    text = "From the inbox taking a claim in to its verdict; logarithmic scale."
    yield figure("Queue latency", text, plot("latency"))
    text = f"Most claims that waited at once within one {one}. Those that wait when the log ends are not in it."
    yield figure("Backlog", text, plot("backlog"), numbers)


def _queue(figures: Figures) -> str:
    whole, lines = figures.whole, figures.lines
    facts = [
        ("Half of the claims decided within", span(whole["p50"])),
        ("99 of 100 decided within", span(whole["p99"])),
        ("Longest", span(whole["longest"])),
        ("Most claims decided within one second", count(figures.peak)),
        ("Time spent on one claim (median)", f"{(whole['nanoseconds'] or 0) / 1e6:.2f} ms"),
        ("Taken over from a lost worker", claims(whole["taken_over"])),
        ("Sent again (no second result)", f"{count(lines['repeated'])} events"),
        ("Put back from quarantine", claims(whole["requeued"])),
        ("Payer without a rule set (common rules only)", claims(whole["common_only"])),
    ]
    text = "From the inbox taking a claim in to its verdict."
    return figure("The queue in numbers", text, table("Queue", ("What", "Value#"), facts))


def _quarantine(figures: Figures, reason: Name) -> str:
    rows = [
        (row["reason"], reason(row["reason"]), count(row["n"]), moment(row["latest"])) for row in figures.quarantine
    ]
    found = table("Quarantine", ("Reason", "What", "Decisions#", "Newest#"), rows) if rows else note("Empty.")
    return figure("Quarantine by reason", "scrub tail quarantine shows what is there.", found)


def _books(figures: Figures) -> str:
    rows = [
        (row["book"] or "-", row["digest"] or "-", count(row["n"]), moment(row["start"]), moment(row["stop"]))
        for row in figures.books
    ]
    found = table("Rule books", ("Version", "Digest", "Decisions#", "First#", "Last#"), rows)
    return figure("Rule books in use", "Two at once for long: a worker was left behind.", found)


def _workers(figures: Figures) -> str:
    rows = [
        (
            f"{row['host']} {row['pid']}",
            row["version"] or "-",
            count(row["n"]),
            moment(row["start"]),
            moment(row["stop"]),
        )
        for row in figures.workers
    ]
    found = table("Workers", ("Host and process", "Version", "Decisions#", "From#", "To#"), rows)
    return figure("Worker processes", "That wrote an audit file, the newest first.", found)


def counted(figures: Figures) -> Iterator[str]:
    """What the numbers mean, and what was left out of them."""
    whole, lines = figures.whole, figures.lines
    yield heading("How it was counted", "counted")
    yield terms(
        [
            (
                "Read",
                f"{count(lines['lines'])} lines. {count(lines['passed_over'])} of them are no audit lines, or were cut"
                " off by a crash, and were passed over.",
            ),
            (
                "Decisions",
                f"{count(whole['decisions'])}, each once by its decision id. {count(lines['twice'])} stood twice in the"
                f" log, after a crash between log and commit, and count once. {count(lines['superseded'])} lines took"
                " another back, and neither of the two counts.",
            ),
            (
                "Claims",
                f"{count(whole['claims'])}, by claim number and frequency code: a replacement is a claim of its own, an"
                " unreadable one too. Events sent again are no claims.",
            ),
            (
                "Clean claim rate",
                f"{CLEAN_CLAIM_RATE} A claim that was mended and sent in again stays not clean; one that was put back"
                " from quarantine does not count again.",
            ),
            ("Charge", f"{AT_STAKE} {count(whole['without_charge'])} decisions carry no charge."),
            (
                "Expected",
                f"Known for {count(whole['priced'])} of {count(whole['rework'])} held claims. {EXPECTED}",
            ),
            ("Quantiles", "p50 and p99 are estimates (t-digest)."),
        ]
    )
