"""What a backtest comes to, as it is written: sums and codes alone, no claim number, no patient, nothing of a person.

Counts that are null are suppressed: they, or what could be taken from them, stand for fewer claims than may be shown.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from rules.report import BookId

FORMAT = 1
BEFORE_SENT = "answered before the claim was sent"
"""The fate of an answer whose claim has a later day, by what is known of it."""
EVERY = "*"
"""All payers, months or CARCs."""
HELD, FOUND = "held", "found"
"""Rows that are of no single rule: the claim would have been held; something was found on it, a note aside."""
Axis = Literal["", "month", "carc"]
Kind = Literal["claims", "answers", "manifest"]
Sample = Literal["after", "before", "across", "unknown"]


@dataclass(frozen=True, slots=True)
class Share:
    """A share with its 95 % interval (Wilson)."""

    share: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """Money that nobody paid, by what the payer allowed for the same elsewhere: no measured sum."""

    cents: int
    """US cents."""
    low_cents: int
    high_cents: int
    """The 95 % interval, by how widely the amounts differ that it rests on."""
    lines: int
    """Denied lines that it is of."""
    without: int
    """Denied lines for which no payment is known to go by; nothing is added for them."""


@dataclass(frozen=True, slots=True)
class Split:
    """The claims of one payer (or all), in one month or with one CARC (or all), by one rule."""

    payer: str
    """Key of the payer's rules, `other` without such; `*`: all."""
    axis: Axis
    """What the claims are split by; empty: not."""
    value: str
    """The month in which they were sent (2026-03), or group and CARC (CO-151); empty: not split."""
    fired_denied: int | None
    fired_paid: int | None
    silent_denied: int | None
    silent_paid: int | None
    fired_elsewhere: int | None
    """The rule fired on a line that was paid, of a claim with another line that was denied: neither right nor wrong
    about the claim, and in no share."""


@dataclass(frozen=True, slots=True)
class Total:
    """All counted claims of one payer (or all), in one month or with one CARC (or all)."""

    payer: str
    axis: Axis
    value: str
    denied: int | None
    paid: int | None


@dataclass(frozen=True, slots=True)
class RuleRecord:
    """One rule, or one of the rows that are of no single rule (`held`, `found`)."""

    code: str
    """With `?`: where the rule could not be determined, since the claim lacks what it asks."""
    severity: str
    """The gravest with which it fired: block, warn or note; empty for the rows of no single rule."""
    expects: tuple[str, ...]
    """CARCs that the rule expects."""
    splits: tuple[Split, ...]
    precision: dict[str, Share | None]
    """Of what it fired on, what was denied; by payer."""
    recall: dict[str, Share | None]
    """Of the denials with a CARC that it expects, those on which it fired; by payer. Of `held` and `found`: of all
    denials."""
    denied_money: Estimate | None
    """What was denied where it fired, over all payers; null: suppressed."""
    paid_cents: int | None
    """What payers allowed where it fired and they paid, over all payers; US cents, measured; null: suppressed."""


@dataclass(frozen=True, slots=True)
class InSample:
    """Whether the book was written after the data by which it is measured: then it may have been written to it."""

    sample: Sample
    """after: written after all of the claims were sent, so that the figures flatter it; before: written before all of
    them; across: in between; unknown: its version does not say when."""
    written: str | None
    """First day of the month that the book's version names, or the day that was given."""
    before: int
    """Claims that had been sent before that day."""


@dataclass(frozen=True, slots=True)
class JudgedBy:
    """All claims by one book and one set of overrides."""

    book: BookId
    overrides: str
    """SHA-256 of the overrides, hexadecimal; `none`: there are none."""
    in_sample: InSample
    rules: tuple[RuleRecord, ...]
    """`held` and `found` first, then those that fired, by code."""
    unforeseen: dict[str, tuple[str, ...]]
    """By CARC of the denials: rules of the book that expect it; empty: none does."""


@dataclass(frozen=True, slots=True)
class Moved:
    """Claims of which one book would have held and the other not."""

    held_by: Literal["first", "second"]
    denied: int | None
    paid: int | None


@dataclass(frozen=True, slots=True)
class Claims:
    """What became of the claims. `read` = `matched` + `without_answer` + the sum of `refused`; `matched` = `counted` +
    `again` + `undecided`."""

    read: int
    matched: int
    counted: int
    """Of the matched, each claim once: by the first of its versions that was answered."""
    again: int
    """Later versions of a claim that is counted already: corrections that were answered."""
    undecided: int
    """Answered in a way that is neither paid nor denied."""
    without_answer: int
    refused: dict[str, int]
    """By kind; see `scrub backtest --help`."""
    noted: dict[str, int]
    """What is odd about claims that were taken all the same."""


@dataclass(frozen=True, slots=True)
class Remittances:
    """What became of the claims on the remittances. `read` = the sum of `fates`."""

    read: int
    fates: dict[str, int]
    noted: dict[str, int]


@dataclass(frozen=True, slots=True)
class Input:
    """A file."""

    name: str
    """Without its folder."""
    sha256: str
    of: Kind
    records: int
    """Claims in it, or claims that are answered in it."""
    matched: int
    """Of them."""


@dataclass(frozen=True, slots=True)
class Noticed:
    """Something to look at."""

    file: str
    position: str
    what: str


@dataclass(frozen=True, slots=True)
class Period:
    """Days, ISO 8601; null: there is none."""

    first_sent: str | None
    last_sent: str | None
    first_answer: str | None
    last_answer: str | None


@dataclass(frozen=True, slots=True)
class Mended:
    """Claims that were denied at first, sent again, and paid: measured, not foreseen."""

    claims: int | None
    paid_cents: int | None
    """What the payers paid in the end, US cents."""


@dataclass(frozen=True, slots=True)
class BacktestResult:
    """The whole backtest."""

    format: int
    least: int
    """Counts below it, but for 0, are not shown."""
    digest: str
    """SHA-256 over the digests of all files and of how they were judged: the same digest, the same result."""
    version: str
    """Of the program."""
    inputs: tuple[Input, ...]
    period: Period
    claims: Claims
    remittances: Remittances
    totals: tuple[Total, ...]
    paid_cents: int | None
    """What payers allowed of the claims that were paid, US cents, measured."""
    denied_money: Estimate | None
    allowed_share: dict[str, float | None]
    """By payer, of what was charged on the claims that were paid, the share that the payer allowed."""
    mended: Mended
    judged: tuple[JudgedBy, ...]
    moved: tuple[Moved, ...] = ()
    """Of two books: between them."""
    listed: tuple[Noticed, ...] = field(default=())
    """Of each kind the first places."""
