"""`scrub replay`: was this verdict the one that the book of its time gives?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from worker.cli.common.books import codes_of
from worker.cli.common.sources import Intake, reason_of
from worker.cli.common.terminal import Format, columns, complain, paint, plain, say, say_json

if TYPE_CHECKING:
    from rules.book.book import Book
    from rules.claim import Claim
    from worker.rejudging.replay import Replay

_EXPECTED = "a report, or an outlet entry with one, as `--format json` writes them, or an audit line"
_WANTED = ("claim_id", "disposition", "history", "book", "findings")


def replay(
    reports: Annotated[
        str,
        typer.Argument(
            metavar="REPORT", help="Reports as JSON, outlet entries or audit lines, one or one a line; `-`: stdin."
        ),
    ],
    claims: Annotated[
        str | None,
        typer.Argument(metavar="[CLAIM]", help="Its claims, as `check` reads them; outlet entries have them."),
    ] = None,
    book: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The book, packed or its folder, where it is not archived here.")
    ] = None,
    received: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="The day that was used where the claim has no received date, as YYYY-MM-DD."),
    ] = None,
    format: Annotated[Format, typer.Option(help="text for people; json: one object a report.")] = "text",
) -> None:
    """Judges claims again by the books of their reports, and says field by field what differs.

    Every worker archives the books that it judges by, in the state folder under their digests. Findings that rest on
    earlier claims of the patient are taken from the report, since the ledger of that moment is kept nowhere.

    Once an entry is gone, its audit line stands for the report: codes, lines, values and where it went are compared,
    and what no line has is named. The claim is judged as received on the day of the line, unless --received says which.

    Exit codes: 0 all are identical, 1 something differs, 2 a report, claim or book cannot be read.

    Examples:

    * `scrub replay report.json claim.json`
    * `scrub tail rework --format json | scrub replay -`
    * `scrub claim --format json PCN-0001 | scrub replay - claim.json`
    """
    from rules.errors import ScrubError
    from worker.cli.common.books import day_of
    from worker.rejudging.fromline import is_line, replay_line
    from worker.rejudging.replay import replay as judge

    day = day_of(received)
    by_id = _claims(claims) if claims else {}
    code = 0
    for place, one in _reports(reports):
        try:
            report, claim, day_used = _pair(one, by_id)
            found = _book(report["book.digest"] if is_line(report) else report["book"]["digest"], book)
            day_used = day or day_used
            if claim.received_date is None and day_used is None and not received:
                raise ValueError("the claim has no received date; say with --received which day was used instead")
            done = (replay_line if is_line(report) else judge)(report, claim, found, day_used)
        except (ScrubError, ValueError) as error:
            complain(f"{place}: {error}")
            code = 2
            continue
        _show(done, found, format, day_used if is_line(report) else None)
        code = max(code, 0 if done.identical else 1)
    raise typer.Exit(code)


def _reports(file: str) -> Iterator[tuple[str, Any]]:
    """The JSON objects of the file with their places."""
    import sys

    import orjson

    name = "stdin" if file == "-" else plain(file)
    try:
        content = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise typer.BadParameter(f"{name}: {reason_of(error)}") from None
    try:
        whole = orjson.loads(content)
    except orjson.JSONDecodeError:
        lines = [(number, _line(line)) for number, line in enumerate(content.splitlines(), 1) if line.strip()]
        if lines and all(one is None for _, one in lines):
            after = "a file of claims, as an 837, comes after it"
            raise typer.BadParameter(f"{name}: no line of it is JSON: expected {_EXPECTED}; {after}") from None
        yield from ((f"{name}:{number}", one) for number, one in lines)
        return
    items = whole if isinstance(whole, list) else [_last_of_claim(whole)]
    yield from ((f"{name}: item {number}" if len(items) > 1 else name, one) for number, one in enumerate(items, 1))


def _last_of_claim(whole: Any) -> Any:
    """Of what `scrub claim --format json` says the audit line of the last decision that stands; else as it is."""
    if not (isinstance(whole, dict) and isinstance(whole.get("audit"), list) and whole.get("standing")):
        return whole
    said = [one["line"] for one in whole["audit"] if one["line"].get("claim.decision_id") == whole["standing"][-1]]
    return next((one for one in said if "book.digest" in one), whole)


def _line(line: bytes) -> Any:
    import orjson

    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return None


def _pair(one: Any, claims: dict[str, Claim | None]) -> tuple[dict[str, Any], Claim, date | None]:
    """A report with its claim, and the day that was used instead of its received date."""
    from rules.claim import read_claim
    from worker.intake.plain import undated
    from worker.rejudging.fromline import day_of as day_of_line
    from worker.rejudging.fromline import is_line

    day_used = None
    claim: Claim | None = None
    if isinstance(one, dict) and isinstance(one.get("data"), dict) and "report" in one["data"]:
        day_used = date.fromisoformat(one["receiveddate"]) if "receiveddate" in one else None
        claim = read_claim(one["data"]["claim"])
        one = one["data"]["report"]
    audited = is_line(one)
    if audited and "book.digest" not in one:
        raise ValueError("no book judged this claim: it went to quarantine")
    if not audited and not (isinstance(one, dict) and all(key in one for key in _WANTED) and "digest" in one["book"]):
        raise ValueError(f"expected {_EXPECTED}")
    name = str(one["claim.claim_id" if audited else "claim_id"])
    if name in claims:
        claim = claims[name]
        if claim is None:
            raise ValueError(f"claim {plain(name)} is among the claims more than once, with other content")
    if claim is None:
        raise ValueError(f"the claim {plain(name)} is not there; give the file that holds it after the report")
    if audited and (claim.received_date is None or "queue.producer" in one or "claim.revision" in one):
        day_used = day_of_line(one)
    if day_used and claim.received_date:
        claim = undated(claim)  # its sender is not believed in that
    return one, claim, day_used


def _claims(file: str) -> dict[str, Claim | None]:
    """The claims of the file; None: there are several of that id."""
    from worker.config.settings import load_settings

    settings = load_settings()
    intake = Intake([file], settings.max_event_bytes, codes=codes_of(settings))
    found: dict[str, Claim | None] = {}
    for document in intake.documents():
        name = document.claim.claim_id
        same = found.get(name, document.claim) == document.claim
        found[name] = document.claim if same else None
    if intake.refused:
        raise typer.Exit(2)
    return found


@cache
def _book(digest: str, given: Path | None) -> Book:
    """The book of that digest: the given one, the one that ships or is set, or an archived one."""
    from rules.loader import read_book, whole_book
    from worker.books import archive
    from worker.config.settings import load_settings
    from worker.errors import BookDiffers

    settings = load_settings()
    files = whole_book(given or settings.book, settings.tables_path)
    if files.digest == digest:
        return read_book(files.library, files.imported, rows=settings.tables_path, examples=False)
    if given:
        raise BookDiffers(found=files.digest[:12], wanted=digest[:12])
    return archive.find(settings.books_path, digest)


def _show(done: Replay, book: Book, format: Format, day: date | None = None) -> None:
    if format == "json":
        from dataclasses import asdict

        more = {"received": day} if day else {}
        say_json({**asdict(done), **more, "identical": done.identical}, default=str)
        return
    number = len(done.differences)
    differ = f"{number} field{' differs' if number == 1 else 's differ'}"
    word = paint("identical", "green") if done.identical else paint(differ, "red")
    say(f"{paint(plain(done.claim_id), 'bold')}  {word}  by book {book.version} ({book.digest[:12]})")
    if done.taken:
        say(f"  as in the report, since they rest on earlier claims: {', '.join(done.taken)}")
    if day:
        say(f"  judged as received on {day}, the day of the audit line")
    for text in done.gone:
        say(f"  gone: {text}")
    rows = []
    for one in done.differences:
        rows += [(f"  {plain(one.path)}", "then", _value(one.then)), ("", "now", _value(one.now))]
    say(*columns(rows, ("bold", "dim")))


def _value(value: Any) -> str:
    from worker.logs.printable import json_bytes

    return value if isinstance(value, str) else json_bytes(value).decode()
