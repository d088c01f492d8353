"""`scrub demo`: the whole pipe on real parts, with claims that show what it does. `make run` is this."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.common.terminal import complain, flush, paint, say
from worker.cli.demodesk import PROCESSES, played, short, show_desk
from worker.process.signals import Stopped, held, pending
from worker.store.outletspecs import BY_HAND, DISPOSITIONS, JUDGED

if TYPE_CHECKING:
    from rich.table import Table

    from rules.book.book import Book
    from rules.report import Finding, Report
    from worker.config.settings import Settings
    from worker.monitoring.reconciliation import Reconciliation
    from worker.pipeline.outlets import OutletEntry

EXPLAINED = ("UNT001", "BND001", "DXN003")
_MOST = 8
_UNREADABLE = "(not readable as a claim)"

Consumed = dict[str, list["OutletEntry"]]


def demo(
    state: Annotated[
        Path, typer.Option("--state", metavar="DIR", help="Where server, logs and outlets are kept, fresh each time.")
    ] = Path("run/demo"),
    keep: Annotated[
        bool, typer.Option("--keep", help="Move an earlier demonstration's folder aside instead of removing it.")
    ] = False,
    desk: Annotated[
        bool, typer.Option("--desk", help="Then open the desk of held claims for a browser, until Ctrl-C.")
    ] = False,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65_535, help="Of the desk; default: SCRUB_SERVE_PORT, or 8080; 0: a free one."),
    ] = None,
) -> None:
    """Runs demonstration claims through the whole pipe: a real server, a real worker, a consumer on each outlet.

    Afterwards nothing runs any more, and the audit log, the outlets and a page that shows it all in plots
    (report.html, in the same folder) can be looked at. Ctrl-C ends it cleanly.

    With --desk server and worker stay up, and the claims that are held can be worked on in a browser, on this machine
    alone: address and one-time code are printed. Ctrl-C ends all of it.

    Exit codes: 0 the books balance and everything was consumed, or the desk was ended by Ctrl-C; 2 not so within a
    minute, the folder is not ours, or the port is taken.

    Example: `scrub demo`, then `SCRUB_STATE_DIR=run/demo scrub tail rework`
    """
    from worker.cli.common.books import read_book
    from worker.config.settings import load_settings
    from worker.demo.events import all_events
    from worker.demo.stage import fresh

    if desk:
        show_desk(state.expanduser().absolute(), keep=keep, port=port)
        return
    folder = state.expanduser().absolute()
    ours = load_settings()
    book = read_book(ours.book, keys=ours.trusted)
    events = all_events()
    began = time.monotonic()
    say(f"{len(events)} claim events go through a server and a worker of {PROCESSES} processes in {short(folder)} ...")
    flush()
    try:
        with held(), fresh(folder, keep=keep) as settings:
            outcome = _play(settings, events)
    except Stopped:
        complain("Stopped: server, worker and consumers are down.")
        raise
    if outcome:  # None: a signal came, and `held` has raised it
        _show(outcome[0], outcome[1], book, settings, time.monotonic() - began)
        _report(settings, book)


def _play(settings: Settings, events: list[bytes]) -> tuple[Reconciliation, Consumed] | None:
    from worker.monitoring.reconciliation import reconcile

    if pending():
        return None
    with played(settings, events) as parts:
        return (reconcile(parts.store.redis, parts.store.keys), parts.consumed) if parts else None


def _show(found: Reconciliation, consumed: Consumed, book: Book, settings: Settings, seconds: float) -> None:
    from worker.cli.common.terminal import console
    from worker.cli.common.verdicts import explained
    from worker.cli.tail import payer_of, report_of

    judged: list[tuple[str, Report]] = [
        (payer_of(entry.data["claim"]), report_of(entry.data["report"])) for name in JUDGED for entry in consumed[name]
    ]
    out = console()
    flush()
    out.print(_where_they_went([report for _, report in judged], consumed, book))
    out.print(_commonest([report for _, report in judged]))
    out.print("Three findings, explained\n", style="bold")
    flush()
    for payer, report, finding in _chosen(judged):
        say(f"{paint(report.claim_id, 'bold')}  {payer}", *explained(finding), "")
    counts = " + ".join(f"{one.count} {one.name}" for one in found.outlets if one.count or one.name in DISPOSITIONS)
    if found.forwarded:
        counts += f" + {found.forwarded} forwarded"
    say(
        paint(f"The books balance: {found.accepted} accepted = {counts} + {found.repeated} repeated.", "bold green"),
        f"Everything was consumed from its outlet. {seconds:.1f} seconds; nothing runs any more.",
        "",
        *_afterwards(settings),
    )


def _report(settings: Settings, book: Book) -> None:
    from worker.cli.report import write
    from worker.errors import ReportNeedsExtra

    page = settings.state_dir / "report.html"
    try:
        write(sorted(settings.audit_path.iterdir()), page, book)
    except ReportNeedsExtra as error:
        say("", f"No page of this was made. {error}")
    else:
        say("", paint(f"Open it in a browser: {short(page)}", "bold green"))


def _where_they_went(reports: list[Report], consumed: Consumed, book: Book) -> Table:
    from rich import box
    from rich.table import Table

    def name(report: Report) -> str:
        payer = book.registry.payers.get(report.payer or "")
        return payer.name if payer else "(payer without rules)"

    counts: Counter[tuple[str, str]] = Counter((name(report), report.disposition) for report in reports)
    counts[_UNREADABLE, "quarantine"] = len(consumed["quarantine"])
    table = Table("payer", title="Where the claims went", title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for outlet in DISPOSITIONS:
        table.add_column(outlet, justify="right")
    for payer in sorted({payer for payer, _ in counts}, key=lambda payer: (payer.startswith("("), payer)):
        table.add_row(payer, *(str(counts[payer, outlet] or "") for outlet in DISPOSITIONS))
    table.add_section()
    totals = (str(sum(n for (_, went), n in counts.items() if went == outlet)) for outlet in DISPOSITIONS)
    table.add_row("all", *totals, style="bold")
    return table


def _commonest(reports: list[Report]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table("code", title="The commonest findings", title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    table.add_column("blocks", justify="right", style="red")
    table.add_column("warns", justify="right", style="yellow")
    table.add_column("what")
    blocks = Counter(code for report in reports for code in report.codes("block"))
    warns = Counter(code for report in reports for code in report.codes("warn"))
    faults = {finding.code: finding.fault or finding.title for report in reports for finding in report.every}
    ranked = sorted((blocks + warns).items(), key=lambda item: (-item[1], item[0]))
    for code, _ in ranked[:_MOST]:
        table.add_row(code, str(blocks[code] or ""), str(warns[code] or ""), faults[code])
    rest = len(ranked) - _MOST
    table.caption = f"and {rest} more codes" if rest > 0 else None
    return table


def _chosen(judged: Iterable[tuple[str, Report]]) -> Iterator[tuple[str, Report, Finding]]:
    """One finding of each of the codes that are explained, of claims that had to be held back."""
    held_back = sorted((pair for pair in judged if pair[1].disposition == "rework"), key=lambda pair: pair[1].claim_id)
    for code in EXPLAINED:
        for payer, report in held_back:
            found = [f for f in report.findings if f.code == code and f.severity == "block" and f.outcome == "fail"]
            if found:
                yield payer, report, found[0]
                break


def _afterwards(settings: Settings) -> Iterator[str]:
    from worker.cli.common.terminal import columns
    from worker.demo.stage import called_as, log_file

    folder, scrub = short(settings.state_dir), called_as()
    start = f"SCRUB_STATE_DIR={folder} {scrub}"
    yield paint("Look at it", "bold")
    rows = [(f"  {name}", f"{start} tail {name}") for name in ("rework", "billing", *BY_HAND)]
    audit = f"{short(settings.audit_path)}/*"
    rows += [
        ("  balance", f"{start} status"),
        ("  audit log", audit),
        ("", f"{start} audit verify {audit}"),
        ("  worker's log", short(log_file(settings))),
        ("  your claims", f"{scrub} check FILE..."),
    ]
    yield from columns(rows)
