"""A backtest as one self-contained page: no script, nothing from a network, the same bytes for the same result."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from string import Template

from worker.backtest.result import EVERY, FOUND, HELD, BacktestResult, Estimate, JudgedBy, RuleRecord, Share, Split
from worker.reporting import backtestplots as plots
from worker.reporting.html import Cells, count, escape, figure, heading, money, note, table, terms, tile
from worker.reporting.page import colors

_MOST_PLOTTED = 25
_ALL_ROWS = 10_000
_NAMES = {HELD: "Would have been held", FOUND: "Something was found"}
_SAMPLES = {
    "after": "In-sample: the book is of {written}, after all of these claims were sent. It may have been written to "
    "such denials, and the figures then flatter it.",
    "before": "Out of sample: the book is of {written}, before the first of these claims was sent.",
    "across": "Partly in-sample: {before:,} of these claims had been sent before the book's day, {written}.",
    "unknown": "Whether the book was written after these claims were sent is not known: its version names no month.",
}
_COUNTED = (
    ("Claim", "As it was sent. Each claim counts once: by the first of its versions that a payer answered."),
    ("Denied", "The payer kept money back on a line of it for another reason than its price, the patient's share or "
     "another payer. Paid: it did not."),
    ("Held", "The rules would have sent it to rework before it was sent, judged as of the day on which it was, with "
     "what had been sent for the same patient before."),
    ("Fired", "A rule found something on a line that was denied (fired and denied), or on a claim that was paid (fired "
     "and paid). Silent: it did not. Where it fired on a paid line of a claim with another line that was denied, the "
     "claim is in no share."),
    ("Precision, recall", "Of what a rule fired on, what was denied; of the denials with a CARC that the rule expects, "
     "those on which it fired. The range is the 95 % interval by Wilson's score."),
    ("About", "An estimate: what a denied line would have brought is the mean that the same payer allowed for the same "
     "code at the same site. The range is the 95 % interval. What is without \u201cabout\u201d is measured."),
    ("<11", "Not shown: counts of 1 to 10 claims (or below another least count), and counts by which one of these "
     "could be worked out. 0 is shown."),
)  # fmt: skip


def page(result: BacktestResult) -> str:
    """The page."""
    body = [*_reconciled(result)]
    for place, by in enumerate(result.judged):
        body += _judged(result, by, ("first", "second")[place] if len(result.judged) > 1 else "")
    body += [*_moved(result), *_inputs(result), heading("How it was counted", "counted"), terms(_COUNTED)]
    books = [f'<a href="#book-{place}">{name}</a>' for place, name in _books(result)]
    nav = [
        '<a href="#claims">Claims</a>',
        *books,
        '<a href="#inputs">Files</a>',
        '<a href="#counted">How it was counted</a>',
    ]
    least = (
        f"Counts below {result.least} are not shown."
        if result.least > 1
        else "Nothing is suppressed: for the hospital's own eyes."
    )
    return Template(_file("backtestpage.html")).substitute(
        version=escape(result.version), period=escape(_period(result)), colors=colors(),
        css=_file("page.css") + _file("backtestpage.css"), nav=" ".join(nav), body="\n".join(body),
        digest=escape(result.digest), suppressed=least,
    )  # fmt: skip


def _file(name: str) -> str:
    return files("worker.reporting").joinpath(name).read_text("utf-8")


def _books(result: BacktestResult) -> list[tuple[str, str]]:
    return [("first", "First book"), ("second", "Second book")] if len(result.judged) > 1 else [("", "Rules")]


def _period(result: BacktestResult) -> str:
    days = result.period
    if not days.first_sent:
        return "No claims"
    answered = f", answered {days.first_answer} to {days.last_answer}" if days.first_answer else ""
    return f"Sent {days.first_sent} to {days.last_sent}{answered}"


def _reconciled(result: BacktestResult) -> Iterator[str]:
    shown = _Shown(result)
    claims = result.claims
    denied = next((one.denied for one in result.totals if (one.payer, one.axis) == (EVERY, "")), 0)
    held = _rule(result.judged[0], HELD)
    split = _of(held, EVERY)
    mended = result.mended
    right, wrong = (split.fired_denied, split.fired_paid) if split else (0, 0)
    yield heading("Claims", "claims")
    tiles = [
        tile("Answered claims", count(claims.counted), f"of {count(claims.read)} that were read", "plain"),
        tile("Denied", shown(denied), _about(result.denied_money), "quarantine"),
        tile("Denials foreseen", shown(right),
             f"held; {_about(held.denied_money)}", "billing"),
        tile("Held for nothing", shown(wrong), f"paid; allowed {_cents(held.paid_cents)}", "rework"),
        tile("Of all denials", _percent(held.recall.get(EVERY)), _range(held.recall.get(EVERY)), "billing"),
        tile("Mended, then paid", shown(mended.claims), f"{_cents(mended.paid_cents)}, measured", "plain"),
    ]  # fmt: skip
    yield f'<dl class="tiles">{"".join(tiles)}</dl>'
    rows: list[Cells] = [
        ("matched to an answer", count(claims.matched)), ("without an answer", count(claims.without_answer)),
        *((what, count(number)) for what, number in claims.refused.items()), ("read", count(claims.read)),
    ]  # fmt: skip
    answered = [(what, count(number)) for what, number in result.remittances.fates.items()]
    answered.append(("read", count(result.remittances.read)))
    noted = [(what, count(number)) for of in (claims.noted, result.remittances.noted) for what, number in of.items()]
    yield figure(
        "Nothing is lost on the way", "Every claim that was read, and every claim on a remittance, has one fate.",
        '<div class="pair">', table("Claims", ("claims", "number#"), rows, _ALL_ROWS),
        table("Claims on the remittances", ("claims on remittances", "number#"), answered, _ALL_ROWS), "</div>",
        table("Worth knowing", ("worth knowing", "number#"), noted, _ALL_ROWS) if noted else "",
    )  # fmt: skip


def _judged(result: BacktestResult, by: JudgedBy, name: str) -> Iterator[str]:
    yield heading(f"{name.capitalize()} book" if name else "The rules", f"book-{name}")
    sample = by.in_sample
    told = _SAMPLES[sample.sample].format(written=sample.written, before=sample.before)
    yield (
        f'<figure class="sample"><figcaption><h3>{escape(told.partition(":")[0])}</h3><p>{escape(told)}</p>'
        f"<p>Book {escape(by.book.version)}, digest <code>{escape(by.book.digest)}</code>; overrides "
        f"<code>{escape(by.overrides)}</code>.</p></figcaption></figure>"
    )
    yield _money(result, by)
    yield _shares(by)
    yield _by(result, by, "", "By payer", "payer")
    yield _by(result, by, "month", "By month", "sent in")
    yield _unforeseen(result, by)
    yield _rules(result, by)


def _money(result: BacktestResult, by: JudgedBy) -> str:
    held = _rule(by, HELD)
    rows = [
        plots.Sum(name, amount)
        for name, amount in (
            ("all denied", result.denied_money), ("held and denied", held.denied_money),
            ("held and paid", held.paid_cents), ("mended, paid", result.mended.paid_cents),
        )
        if amount is not None
    ]  # fmt: skip
    about = "Hatched with a whisker: an estimate with its 95 % interval. Filled: measured."
    return figure("Money, as payers allow it", about, plots.sums("Money", rows)) if rows else ""


def _shares(by: JudgedBy) -> str:
    rows = []
    for one in by.rules:
        share, split = one.precision.get(EVERY), _of(one, EVERY)
        if share and split and one.code != FOUND:
            fired = (split.fired_denied or 0) + (split.fired_paid or 0)
            rows.append((one.code != HELD, -fired, plots.Ranged(one.code, share, f"{fired:,} claims")))
    rows.sort(key=lambda row: row[:2])
    plotted = [row for _, _, row in rows[:_MOST_PLOTTED]]
    about = (
        "Precision over all payers with its 95 % interval, the rules that fired most first; the table below has all."
    )
    return (
        figure("Of what a rule fired on, what was denied", about, plots.shares("Precision by rule", plotted))
        if plotted
        else ""
    )


def _by(result: BacktestResult, by: JudgedBy, axis: str, title: str, head: str) -> str:
    shown = _Shown(result)
    held = {(split.payer, split.value): split for split in _rule(by, HELD).splits if split.axis == axis}
    rows: list[Cells] = []
    for total in result.totals:
        if total.axis != axis or (axis and total.payer != EVERY):
            continue
        split = held.get((total.payer, total.value))
        fired = (split.fired_denied, split.fired_paid) if split else (0, 0)
        name = total.value if axis else "all" if total.payer == EVERY else total.payer
        rows.append((name, *map(shown, (total.denied, fired[0], total.paid, fired[1]))))
    heads = (head, "denied#", "of them held#", "paid#", "of them held#")
    return figure(title, "Held: the rules would have sent it to rework.", table(title, heads, rows, _ALL_ROWS))


def _unforeseen(result: BacktestResult, by: JudgedBy) -> str:
    shown = _Shown(result)
    found = {(one.payer, one.axis, one.value): one for one in _rule(by, FOUND).splits}
    rows: list[Cells] = []
    carcs = [one for one in result.totals if (one.payer, one.axis) == (EVERY, "carc")]
    for total in sorted(carcs, key=lambda one: (-(one.denied or 0), one.value)):
        split = found.get((EVERY, "carc", total.value))
        silent = split.silent_denied if split else total.denied
        expects = ", ".join(by.unforeseen.get(total.value, ())) or "none"
        rows.append((total.value, shown(total.denied), shown(silent), expects))
    heads = ("CARC", "denied#", "nothing was found#", "rules that expect it")
    about = "By the CARC of the dearest denial; what no rule foresaw, warnings counted too."
    return figure("What was denied", about, table("Denials by CARC", heads, rows, _ALL_ROWS))


def _rules(result: BacktestResult, by: JudgedBy) -> str:
    shown = _Shown(result)
    rows: list[Cells] = []
    for one in by.rules:
        for split in one.splits:
            if split.axis or one.code in (HELD, FOUND):
                continue
            counts = (split.fired_denied, split.fired_paid, split.silent_denied, split.silent_paid)
            payer = "all" if split.payer == EVERY else split.payer
            shares = [_both(of.get(split.payer)) for of in (one.precision, one.recall)]
            rows.append((one.code, payer, one.severity, *map(shown, counts), *shares))
    heads = (
        "rule",
        "payer",
        "severity",
        "fired, denied#",
        "fired, paid#",
        "silent, denied#",
        "silent, paid#",
        "precision",
        "recall",
    )
    return (
        figure("Every rule that fired", "By payer.", table("Rules by payer", heads, rows, _ALL_ROWS))
        if rows
        else note("No rule fired.")
    )


def _moved(result: BacktestResult) -> Iterator[str]:
    shown = _Shown(result)
    if result.moved:
        rows: list[Cells] = [(f"the {one.held_by} alone", shown(one.denied), shown(one.paid)) for one in result.moved]
        heads = ("held by", "denied#", "paid#")
        yield figure(
            "Between the books", "Claims that one would have held and the other not.", table("Moved", heads, rows)
        )


def _inputs(result: BacktestResult) -> Iterator[str]:
    rows: list[Cells] = [
        (one.name, one.of, count(one.records), count(one.matched), one.sha256[:16]) for one in result.inputs
    ]
    heads = ("file", "holds", "claims#", "matched#", "SHA-256")
    yield heading("Files", "inputs")
    yield figure("What was read", "The first digits of each digest.", table("Files", heads, rows, _ALL_ROWS))
    places: list[Cells] = [(one.what, one.file, one.position) for one in result.listed]
    if places:
        places_of = table("Places", ("what", "file", "where"), places, _ALL_ROWS)
        yield figure("To look at", "The first places of each kind.", places_of)


def _rule(by: JudgedBy, code: str) -> RuleRecord:
    return next(one for one in by.rules if one.code == code)


def _of(one: RuleRecord, payer: str) -> Split | None:
    return next((split for split in one.splits if (split.payer, split.axis) == (payer, "")), None)


class _Shown:
    """Counts as they are shown: `<11` where there are so few, or where one could be worked out."""

    def __init__(self, result: BacktestResult) -> None:
        self._few = f"<{result.least}"

    def __call__(self, number: int | None) -> str:
        return self._few if number is None else count(number)


def _cents(amount: int | None) -> str:
    return "not shown" if amount is None else money(amount)


def _about(estimate: Estimate | None) -> str:
    if estimate is None:
        return "money not shown"
    if not estimate.lines:
        return "money not known" if estimate.without else "nothing"
    low, high = money(estimate.low_cents), money(estimate.high_cents)
    without = f"; {estimate.without:,} lines without a price" if estimate.without else ""
    return f"about {money(estimate.cents)} ({low} to {high}){without}"


def _percent(share: Share | None) -> str:
    return f"{100 * share.share:.1f} %" if share else "-"


def _range(share: Share | None) -> str:
    return f"held; 95 %: {100 * share.low:.1f} to {100 * share.high:.1f} %" if share else "so few"


def _both(share: Share | None) -> str:
    return f"{100 * share.share:.1f} % ({100 * share.low:.1f} to {100 * share.high:.1f})" if share else "-"
