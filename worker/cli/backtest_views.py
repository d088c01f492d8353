"""A backtest's result as text, JSON, CSV, or one page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

from rules.printable import csv_of
from worker.backtest.result import BEFORE_SENT, EVERY, FOUND, HELD
from worker.cli.common.terminal import columns, dollars, paint

if TYPE_CHECKING:
    from worker.backtest.result import BacktestResult, Estimate, JudgedBy, RuleRecord, Share, Split

Row = tuple[str, ...]
HIDDEN = "<"
"""Before the least count that is shown: so few, or to be worked out from."""
_NAMES = {HELD: "would have been held", FOUND: "something was found (warnings too)"}
_NOT_SHOWN = "not shown"
_SHOWN = 5
"""Places that are shown to people of each kind."""


def rendered(result: BacktestResult, format: str) -> bytes:
    """The result in the format; the same result gives the same bytes."""
    return _FORMATS[format](result)


def _json(result: BacktestResult) -> bytes:
    from worker.logs.printable import json_bytes

    return json_bytes(result) + b"\n"


def _text(result: BacktestResult) -> bytes:
    return ("\n".join(_lines(result)) + "\n").encode()


def _html(result: BacktestResult) -> bytes:
    from worker.reporting.backtestpage import page

    return page(result).encode()


# for people


def _lines(result: BacktestResult) -> Iterator[str]:
    yield from _reconciled(result)
    for place, by in enumerate(result.judged):
        if len(result.judged) > 1:
            yield ""
            yield paint(f"{('First', 'Second')[place]} book", "bold")
        yield from _judged(result, by)
    if result.moved:
        yield from _moved(result)
    if result.listed:
        yield from _listed(result)
    yield ""
    yield f"digest {result.digest}; claim-scrubber {result.version}"
    if result.least > 1:
        yield f"{HIDDEN}{result.least}: not shown, since it stands for fewer claims, or would give such a count away."
    else:
        yield "Nothing is suppressed (--least 1): for the hospital's own eyes."


def _reconciled(result: BacktestResult) -> Iterator[str]:
    claims, answers = result.claims, result.remittances
    refused = [f"{count:,} {what}" for what, count in claims.refused.items()]
    parts = [f"{claims.matched:,} matched", f"{claims.without_answer:,} without an answer", *refused]
    yield paint(f"{claims.read:,} claims: {', '.join(parts)}", "bold")
    yield (
        f"{claims.counted:,} are counted, each once"
        + (f"; {claims.again:,} later versions of them were answered" if claims.again else "")
        + (f"; {claims.undecided:,} answered, and neither paid nor denied" if claims.undecided else "")
    )
    period = result.period
    days = (period.first_sent, period.last_sent, period.first_answer, period.last_answer)
    yield "sent {} to {}, answered {} to {}".format(*(day or "-" for day in days))
    yield from (f"{count:,} {what}" for what, count in claims.noted.items())
    fates = [f"{count:,} {what}" for what, count in answers.fates.items()]
    yield f"{answers.read:,} claims on the remittances: {', '.join(fates) or 'none'}"
    yield from (f"{count:,} {what}" for what, count in answers.noted.items())
    if answers.fates.get(BEFORE_SENT):
        yield "Headers that were written anew since do not say when a claim was sent: give the days by --manifest."
    whole = next((one for one in result.totals if (one.payer, one.axis) == (EVERY, "")), None)
    if whole:
        hidden = f"{HIDDEN}{result.least}"
        yield ""
        yield f"Denied: {_count(whole.denied, hidden)} claims, {money(result.denied_money)}"
        yield f"Paid: {_count(whole.paid, hidden)} claims, allowed {cents(result.paid_cents)}"
        mended = result.mended
        sums = f"{_count(mended.claims, hidden)} claims, paid {cents(mended.paid_cents)}"
        yield f"Mended, then paid (measured): {sums}"


def _judged(result: BacktestResult, by: JudgedBy) -> Iterator[str]:
    yield ""
    yield f"By book {by.book.version} ({by.book.digest[:12]}), overrides {by.overrides[:12]}"
    yield in_sample(by)
    hidden = f"{HIDDEN}{result.least}"
    rules = {one.code: one for one in by.rules}
    yield ""
    head = ("  claims that", "denied", "paid", "of these denied", "of denials", "denied money", "held back for nothing")
    rows: list[Row] = [head]
    for code in (HELD, FOUND):
        one = rules[code]
        split = _of(one, EVERY)
        denied, paid = (split.fired_denied, split.fired_paid) if split else (0, 0)
        shares = percent(one.precision.get(EVERY)), percent(one.recall.get(EVERY))
        sums = money(one.denied_money), cents(one.paid_cents)
        rows.append((f"  {_NAMES[code]}", _count(denied, hidden), _count(paid, hidden), *shares, *sums))
    yield from columns(rows)
    yield from _rules(by, hidden)
    yield from _unforeseen(result, by, hidden)


def _rules(by: JudgedBy, hidden: str) -> Iterator[str]:
    head = ("  rule", "payer", "severity", "denied", "paid", "precision (95 %)", "recall (95 %)")
    rows: list[Row] = [(*head, "silent, denied", "silent, paid")]
    for one in by.rules:
        for split in one.splits:
            if split.axis or one.code in (HELD, FOUND):
                continue
            counts = (split.fired_denied, split.fired_paid, split.silent_denied, split.silent_paid)
            denied, paid, *silent = (_count(count, hidden) for count in counts)
            shares = percent(one.precision.get(split.payer)), percent(one.recall.get(split.payer))
            rows.append((f"  {one.code}", _all(split.payer), one.severity, denied, paid, *shares, *silent))
    if len(rows) > 1:
        yield ""
        yield paint("Fired", "bold") + ", by rule and payer; by month and CARC: --format csv, json or html"
        yield from columns(rows)


def _unforeseen(result: BacktestResult, by: JudgedBy, hidden: str) -> Iterator[str]:
    found = next(one for one in by.rules if one.code == FOUND)
    rows: list[Row] = [("  CARC", "denied", "nothing was found", "rules that expect it")]
    totals = {one.value: one.denied for one in result.totals if (one.payer, one.axis) == (EVERY, "carc")}
    for carc, denied in sorted(totals.items(), key=lambda pair: (-(pair[1] or 0), pair[0])):
        split = next((one for one in found.splits if (one.payer, one.axis, one.value) == (EVERY, "carc", carc)), None)
        silent = split.silent_denied if split else denied
        expects = ", ".join(by.unforeseen.get(carc, ())) or "none"
        rows.append((f"  {carc}", _count(denied, hidden), _count(silent, hidden), expects))
    if len(rows) > 1:
        yield ""
        yield paint("Denied, and nothing was found", "bold") + ", by CARC of the dearest denial"
        yield from columns(rows)


def _moved(result: BacktestResult) -> Iterator[str]:
    hidden = f"{HIDDEN}{result.least}"
    rows: list[Row] = [("  held by", "denied", "paid")]
    rows += [
        (f"  the {one.held_by} alone", _count(one.denied, hidden), _count(one.paid, hidden)) for one in result.moved
    ]
    yield ""
    yield paint("Between the books", "bold")
    yield from columns(rows)


def _listed(result: BacktestResult) -> Iterator[str]:
    yield ""
    yield paint("To look at", "bold") + f", the first {_SHOWN} of each kind; --format json lists more"
    shown: dict[str, int] = {}
    for one in result.listed:
        shown[one.what] = shown.get(one.what, 0) + 1
        if shown[one.what] <= _SHOWN:
            yield f"  {one.file}{f': {one.position}' if one.position else ''}: {one.what}"


def _of(one: RuleRecord, payer: str) -> Split | None:
    return next((split for split in one.splits if (split.payer, split.axis) == (payer, "")), None)


def _all(payer: str) -> str:
    return "all" if payer == EVERY else payer


def _count(count: int | None, hidden: str) -> str:
    return hidden if count is None else f"{count:,}"


def cents(amount: int | None) -> str:
    """US dollars of a measured sum."""
    return _NOT_SHOWN if amount is None else dollars(Decimal(amount) / 100)


def money(estimate: Estimate | None) -> str:
    """US dollars of an estimate, with its interval: `about $12,300 ($11,000 to $13,600)`."""
    if estimate is None:
        return _NOT_SHOWN
    about, low, high = (f"${one / 100:,.0f}" for one in (estimate.cents, estimate.low_cents, estimate.high_cents))
    if not estimate.lines:
        return "not known" if estimate.without else "-"
    without = f", {estimate.without:,} lines without a price" if estimate.without else ""
    return f"about {about} ({low} to {high}{without})"


def percent(share: Share | None) -> str:
    """`91.2 % (88.0 to 93.6)`; a dash where there is none."""
    if share is None:
        return "-"
    return f"{100 * share.share:.1f} % ({100 * share.low:.1f} to {100 * share.high:.1f})"


def in_sample(by: JudgedBy) -> str:
    """Whether the book was written after the data."""
    found = by.in_sample
    return {
        "after": f"In-sample: the book is of {found.written}, after all of the claims were sent. It may have been "
        "written to such denials, so that the figures flatter it.",
        "before": f"Out of sample: the book is of {found.written}, before the first of the claims was sent.",
        "across": f"Partly in-sample: {found.before:,} claims had been sent before the book's day, {found.written}.",
        "unknown": "Whether the book was written after the data is not known: its version names no month (--written).",
    }[found.sample]  # fmt: skip


# for machines


_COLUMNS = (
    "book", "overrides", "in_sample", "rule", "severity", "payer", "carc", "month", "fired_denied", "fired_paid",
    "silent_denied", "silent_paid", "fired_elsewhere", "precision", "precision_low", "precision_high", "recall",
    "recall_low", "recall_high",
)  # fmt: skip


def _csv(result: BacktestResult) -> bytes:
    """One row a rule and split; an empty count is suppressed."""
    return csv_of(_COLUMNS, _rows(result)).encode()


def _rows(result: BacktestResult) -> Iterator[list[object]]:
    for by in result.judged:
        for one in by.rules:
            for split in one.splits:
                carc, month = (split.value if split.axis == axis else EVERY for axis in ("carc", "month"))
                counts = [split.fired_denied, split.fired_paid, split.silent_denied, split.silent_paid]
                whole = not split.axis
                shares = [*_parts(one.precision, split.payer, whole), *_parts(one.recall, split.payer, whole)]
                named = [by.book.digest, by.overrides, by.in_sample.sample, one.code, one.severity, split.payer]
                yield [*named, carc, month, *counts, split.fired_elsewhere, *shares]


def _parts(shares: Mapping[str, Share | None], payer: str, whole: bool) -> tuple[float | None, ...]:
    share = shares.get(payer) if whole else None
    return (share.share, share.low, share.high) if share else (None, None, None)


_FORMATS: Mapping[str, Callable[[BacktestResult], bytes]] = {"text": _text, "json": _json, "csv": _csv, "html": _html}
