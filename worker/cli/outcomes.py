"""`scrub outcomes import`: which rules earn their place, by what the payers did."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import RawIOBase
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any, cast

import typer

from worker.cli.common.sources import open_source, reason_of, show
from worker.cli.common.terminal import (
    Format,
    columns,
    complain,
    console,
    dollars,
    on_terminal,
    paint,
    plain,
    say,
    say_json,
)

if TYPE_CHECKING:
    from rules.book.book import Book
    from worker.desk.acting import Desk
    from worker.intake.document import Refusal
    from worker.outcomes.outcomes import HeldClaim
    from worker.outcomes.tally import DenialReason, Expected, Outcomes, Total

Row = tuple[str, ...]
_SHOWN = 5
"""Places that are shown to people of each kind."""
app = typer.Typer(no_args_is_help=True)


@app.callback()
def _group() -> None:
    """What the payers did with the claims, against what the rules had found on them."""


@app.command("import")
def import_(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE", help="Remittances, X12 835, plain or gzip; `-` is standard input.")
    ],
    audit: Annotated[
        list[Path] | None,
        typer.Option(metavar="PATH", help="Audit files or folders; default: the audit folder. May be repeated."),
    ] = None,
    close: Annotated[
        bool, typer.Option("--close", help="Closes the cases of `scrub rework` that the payers answered.")
    ] = False,
    format: Annotated[Format, typer.Option(help="text for people; json: one object.")] = "text",
) -> None:
    """Matches remittances to the decisions of the audit log, and counts by rule and payer.

    denied: the payer kept back money for another reason than its price, the patient's share or another payer. A rule
    is held to the newest decision up to the day of the remittance. mended: it found something at first, and nothing
    any more in what was sent. Nothing is kept: give all files that are to be counted together, a reversal with the
    payment that it takes back; a file that is given twice counts once. Every claim of a remittance is matched or has
    a reason why not, by file and place. No claim and no person is named.

    --close closes the case of each claim that was held at least once: paid, denied as a rule had said, or denied for
    another reason; what the payer takes back opens it again. The newest remittance on the newest version counts, so
    that a file may be read twice. Each close is in the audit log. A claim that was never held gets no case.

    Exit codes: 0 everything was read, 2 a remittance or an audit file could not be read.

    Examples:

    * `scrub outcomes import era/*.835`
    * `scrub outcomes import --close era/2026-11-30.835`
    * `scrub outcomes import --audit ./audit-2026 --format json era.835.gz | jq .rules`
    """
    from worker.cli.common.books import read_book
    from worker.config.settings import load_settings
    from worker.outcomes import outcomes
    from worker.outcomes.reasons import expected_carcs

    settings = load_settings()
    logs = _logs(audit or [settings.audit_path])
    book = read_book(settings.book, settings.tables_path, keys=settings.trusted)
    refused = Counter[bool]()

    def refuse(refusal: Refusal) -> None:
        refused[refusal.number > 0] += 1
        show(refusal)

    expected = expected_carcs(book)
    with _closing(close, expected) as closing, _progress(files, logs) as seen:
        log = outcomes.log_lines(logs, seen)
        payments = _payments(files, refuse, seen)
        try:
            found = outcomes.compare(payments, log, book.codes, expected, closing.add)
        except OSError as error:
            complain(f"the audit log: {reason_of(error)}")
            raise typer.Exit(2) from None
    if format == "json":
        told = {"refused": refused.total(), "refused_claims": refused[True]}
        say_json({**_plain(found), **told, **closing.data()}, default=str)
    else:
        say(*_text(found, refused, book), *closing.told())
    raise typer.Exit(2 if refused.total() or found.unreadable else 0)


class _Closing:
    """Closes cases, where that is asked for, and says what became of each claim."""

    def __init__(self, desk: Desk | None, expected: Expected) -> None:
        from worker.desk.settling import Settled

        self._desk, self._expected, self._settled = desk, expected, Settled()

    def add(self, claim: HeldClaim) -> None:
        if self._desk is None:
            return
        from worker.cli.rework.common import today
        from worker.desk.settling import settle

        self._settled.claims += 1
        self._settled.fates[settle(self._desk, claim, self._expected, today())] += 1

    def data(self) -> dict[str, Any]:
        done = self._settled
        return {"cases": {"claims": done.claims, **done.fates}} if self._desk else {}

    def told(self) -> Iterator[str]:
        from worker.desk.settling import SAYS

        if self._desk is None:
            return
        yield ""
        yield paint("Cases", "bold") + f", by what became of {self._settled.claims} claims of the remittances"
        rows = [(f"  {text}", str(self._settled.fates[fate])) for fate, text in SAYS.items()]
        yield from columns([row for row in rows if row[1] != "0"] or [("  none", "0")])


@contextmanager
def _closing(wanted: bool, expected: Expected) -> Iterator[_Closing]:
    if not wanted:
        yield _Closing(None, expected)
        return
    from worker.cli.rework.common import open_desk

    with open_desk() as desk:
        yield _Closing(desk, expected)


def _payments(files: list[str], refuse: Callable[[Refusal], None], seen: Callable[[int], None]) -> Iterator[Any]:
    from rules.errors import Problem
    from worker.intake.document import Refusal
    from worker.intake.x12.remittance import read_remittances

    for file in files:
        name = "stdin" if file == "-" else plain(file)
        try:
            with open_source(file) as stream:
                for found in read_remittances(name, cast(Any, _Counted(stream, seen))):
                    if isinstance(found, Refusal):
                        refuse(found)
                    else:
                        yield found
        except (OSError, ValueError) as error:
            refuse(Refusal(name, "", 0, (Problem("", reason_of(error)),)))


def _logs(paths: list[Path]) -> list[Path]:
    """The audit files."""
    found = []
    for path in paths:
        if path.is_dir():
            found += sorted([*path.glob("*.jsonl"), *path.glob("*.jsonl.gz")])
        elif path.exists():
            found.append(path)
        else:
            raise typer.BadParameter(f"{plain(str(path))} is not there; give the audit files", param_hint="--audit")
    return found


def _text(found: Outcomes, refused: Counter[bool], book: Book) -> Iterator[str]:
    from worker.outcomes.matching import LATER
    from worker.outcomes.tally import FATES

    counts = found.remittances
    rest = [f"{counts[name]} {name}" for name in FATES[1:] if counts[name]]
    rest += [f"{counts[name]} {name}" for name in counts if name not in (*FATES, "read")]
    more = f"; {', '.join(rest)}" if rest else ""
    yield f"{counts['read']} claims on the remittances, {counts['matched']} matched{more}."
    if counts[LATER] and not counts["matched"]:
        yield "Claims of the past were judged after they were answered: `scrub backtest` judges each as of its own day."
    if refused.total():
        yield f"{refused.total()} could not be read" + (f", {refused[True]} of them claims." if refused[True] else ".")
    if found.unreadable:
        yield f"{found.unreadable} lines of the audit log could not be read."
    if found.listed:
        yield from _listed(found)
    if found.provider_adjustments:
        yield from _provider_adjustments(found)
    if found.payers:
        yield from _payers(found)
    if found.rules:
        yield from _rules(found)
    if found.missed:
        yield from _missed(found, book)


def _listed(found: Outcomes) -> Iterator[str]:
    yield ""
    yield paint("To look at", "bold") + f", the first {_SHOWN} of each kind; --format json lists more"
    shown = Counter[str]()
    for one in found.listed:
        shown[one.what] += 1
        if shown[one.what] <= _SHOWN:
            yield f"  {one.file}: {one.position}: {one.what}"
    for what in shown:
        if (more := found.remittances[what] - _SHOWN) > 0:
            yield f"  and {more} more {what}"


def _provider_adjustments(found: Outcomes) -> Iterator[str]:
    rows: list[Row] = [("  PLB", "times", "kept (minus: added)")]
    rows += [(f"  {plain(reason)}", *_cells(total)) for reason, total in sorted(found.provider_adjustments.items())]
    yield ""
    yield paint("Not of a claim", "bold") + ", on the remittances as a whole; counted nowhere else"
    yield from columns(rows)


def _payers(found: Outcomes) -> Iterator[str]:
    more = [name for name in ("pending", "unexplained") if any(counts[name] for counts in found.payers.values())]
    head = ("  payer", "lines denied", "of them predicted", "lines paid", *(f"lines {name}" for name in more))
    rows: list[Row] = [head]
    for payer, counts in sorted(found.payers.items()):
        rows.append((f"  {payer}", *(str(counts[name]) for name in ("denied", "predicted", "paid", *more))))
    yield ""
    yield from columns(rows)


def _rules(found: Outcomes) -> Iterator[str]:
    head = ("  rule", "payer", "denied", "kept back", "as expected", "paid", "paid out", "mended", "paid out then")
    rows: list[Row] = [head]
    for (code, payer), row in sorted(found.rules.items()):
        as_expected = f"{row.as_expected} of {row.denied.count}" if row.denied.count else "-"
        rows.append((f"  {code}", payer, *_cells(row.denied), as_expected, *_cells(row.paid), *_cells(row.mended)))
    yield from ("", paint("Predicted", "bold") + ", by rule and payer")
    yield from columns(rows)


def _missed(found: Outcomes, book: Book) -> Iterator[str]:
    rows: list[Row] = [("  payer", "CARC", "RARC", "denied", "kept back", "rules that expect it")]
    by_carc = _by_carc(book)
    for (payer, reason), total in _dearest(found):
        carc = plain(f"{reason.group}-{reason.carc}") if reason.carc else "none given"
        codes = (carc, plain(" ".join(reason.rarc)) or "-")
        rows.append((f"  {payer}", *codes, *_cells(total), ", ".join(by_carc.get(reason.carc, ())) or "none"))
    yield from ("", paint("Denied and not predicted", "bold") + ", by payer and reason, the dearest first")
    yield from columns(rows)


def _dearest(found: Outcomes) -> list[tuple[tuple[str, DenialReason], Total]]:
    return sorted(found.missed.items(), key=lambda pair: (-pair[1].money, pair[0][0], pair[0][1].carc))


def _by_carc(book: Book) -> dict[str, list[str]]:
    from worker.outcomes.reasons import expected_carcs

    found: dict[str, list[str]] = {}
    for code, carcs in sorted(expected_carcs(book).items()):
        for carc in carcs:
            found.setdefault(carc, []).append(code)
    return found


def _cells(total: Total) -> tuple[str, str]:
    return (str(total.count), dollars(total.money)) if total.count else ("-", "-")


def _plain(found: Outcomes) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "remittances": dict(found.remittances),
        "payers": {payer: {name: counts[name] for name in ("denied", "predicted", "paid", "pending", "unexplained")}
                   for payer, counts in sorted(found.payers.items())},
        "rules": [{"code": code, "payer": payer, **asdict(row)} for (code, payer), row in sorted(found.rules.items())],
        "missed": [
            {"payer": payer, **asdict(reason), **asdict(total)}
            for (payer, reason), total in _dearest(found)
        ],
        "listed": [asdict(one) for one in found.listed],
        "provider_adjustments": {
            reason: asdict(total) for reason, total in sorted(found.provider_adjustments.items())
        },
        "decisions": found.decisions,
        "unreadable_log_lines": found.unreadable,
    }  # fmt: skip


class _Counted(RawIOBase):
    """A stream that reports how many bytes were read."""

    def __init__(self, stream: IO[bytes], seen: Callable[[int], None]) -> None:
        self._stream, self._seen = stream, seen

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        self._seen(len(data))
        return len(data)


@contextmanager
def _progress(files: list[str], logs: list[Path]) -> Iterator[Callable[[int], None]]:
    """A bar of the bytes read, on standard error, where that is a terminal."""
    if not on_terminal(sys.stderr):
        yield lambda _: None
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    sizes = [file.stat().st_size for file in (*map(Path, files), *logs) if file.is_file()]
    parts = (TextColumn("reading"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*parts, console=console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=sum(sizes))
        yield lambda size: bar.advance(task, size)
