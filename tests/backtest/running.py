"""A backtest of files as the tests write them, in this process."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import IO, Any

from rules.book.book import Book
from tests.book import BOOK
from worker.backtest.backtest import Options, opened
from worker.backtest.reading import TOGETHER, Reading
from worker.backtest.result import EVERY, BacktestResult, RuleRecord, Split
from worker.backtest.sending import Manifest, read_manifest
from worker.intake.document import Refusal


def plainly(name: str) -> IO[bytes]:
    return Path(name).open("rb")


def backtested(
    claims: Sequence[Path], answers: Sequence[Path], *, books: Sequence[tuple[Book, str]] = ((BOOK, "none"),),
    manifest: Path | None = None, received: date | None = None, written: date | None = None, least: int = 1,
    cores: int = 1, together: int = TOGETHER, opener: Callable[[str], IO[bytes]] = plainly,
    refuse: Callable[[Refusal], None] = lambda _: None,
) -> BacktestResult:  # fmt: skip
    """The result, nothing suppressed by default; what adds up is looked at."""
    days = read_manifest(manifest.name, manifest.read_text()) if manifest else Manifest()
    options = Options(lambda _: books, 36, days, received, written, least, cores, "test")
    reading = Reading(2**20, opener, refuse, cores, together)
    with opened(options) as one:
        reading.run(one, [str(file) for file in claims], [str(file) for file in answers], manifest)
        result: BacktestResult = one.run()
    reconciles(result)
    return result


def reconciles(result: BacktestResult) -> None:
    """Every claim that was read has one fate, and so has every claim on a remittance."""
    claims = result.claims
    assert claims.read == claims.matched + claims.without_answer + sum(claims.refused.values())
    assert claims.matched == claims.counted + claims.again + claims.undecided
    assert result.remittances.read == sum(result.remittances.fates.values())
    assert min(claims.without_answer, claims.again, claims.undecided) >= 0


def rule(result: BacktestResult, code: str, book: int = 0) -> RuleRecord:
    return next(one for one in result.judged[book].rules if one.code == code)


def split(of: RuleRecord, payer: str = EVERY, axis: str = "", value: str = "") -> Split:
    return next(one for one in of.splits if (one.payer, one.axis, one.value) == (payer, axis, value))


def counts(of: RuleRecord, payer: str = EVERY, axis: str = "", value: str = "") -> tuple[int | None, ...]:
    """Fired and denied, fired and paid, silent and denied, silent and paid."""
    one = split(of, payer, axis, value)
    return one.fired_denied, one.fired_paid, one.silent_denied, one.silent_paid


def codes(result: BacktestResult) -> set[str]:
    return {one.code for one in result.judged[0].rules if any(count for count in counts(one)[:2])}


def file(folder: Path, name: str, content: bytes | str) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def said(places: Sequence[Any]) -> Mapping[str, int]:
    found: dict[str, int] = {}
    for place in places:
        found[place.what] = found.get(place.what, 0) + 1
    return found
