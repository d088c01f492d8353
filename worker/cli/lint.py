"""`scrub rules lint`: every fault of every file of the book, for people, for GitHub, and as SARIF."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from worker.cli.common.books import BookFolder, book_folder, reached, read_book
from worker.cli.common.terminal import complain, say, say_json
from worker.cli.overrides import standing, warn

if TYPE_CHECKING:
    from rules.book.book import Book
    from rules.errors import RuleProblem

LintFormat = Literal["text", "json", "github", "sarif"]
Level = Literal["error", "warning"]
SARIF = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
KINDS = {
    "fault": "A file of the rule book is wrong: the book does not load.",
    "review": "A source is due for review: look whether it has changed.",
}


@dataclass(frozen=True, slots=True)
class Remark:
    """A problem with its level and the file as the user reaches it from here."""

    kind: Literal["fault", "review"]
    file: str
    problem: RuleProblem

    @property
    def level(self) -> Level:
        return "error" if self.kind == "fault" else "warning"

    @property
    def sentence(self) -> str:
        return f"{self.problem.path}: {self.problem.sentence}" if self.problem.path else self.problem.sentence


def lint(
    book: BookFolder = None,
    format: Annotated[
        LintFormat,
        typer.Option(help="text for people; json: one object a line; github: annotations; sarif: SARIF 2.1.0."),
    ] = "text",
) -> None:
    """Checks every file of the book: its shape, its facts and tests, its sources and grades, and all its examples; and
    that each payer has the rules for several payers, or is excepted from them by name.

    All faults of all files are listed at once, each as `file:line:col: path: sentence`. A source past its
    `review_by` is a warning, and no fault. With SCRUB_OVERRIDES, the hospital's overrides are checked as well.

    Exit codes: 0 no fault, 1 faults, or an override that no longer holds, 2 there is no book in the folder.

    Examples:

    * `scrub rules lint --book ./my-book`

    * `scrub rules lint --format sarif > lint.sarif`
    """
    from rules.authoring.wording import unworded
    from rules.book.payercover import payer_problems
    from rules.errors import BookInvalid
    from rules.loader import LIBRARY, whole_book
    from worker.config.settings import load_settings

    settings = load_settings()
    folder = book_folder(book)
    rules: Book | None = None
    problems: tuple[RuleProblem, ...] = ()
    wanting = 0
    try:
        rules = read_book(folder, settings.tables_path, examples=True)
        problems = tuple(payer_problems(rules, whole_book(folder, settings.tables_path).library))
        problems += tuple(unworded(rules.rules)) if folder is None else ()
        wanting = warn(standing(settings.overrides, rules))
    except BookInvalid as error:
        problems = error.problems
    root = folder or LIBRARY
    due = list(_due(root, datetime.now().astimezone().date()))
    remarks = [Remark("fault", _named(root, problem, settings.overrides), problem) for problem in problems]
    remarks += [Remark("review", _named(root, problem), problem) for problem in due]
    _show(remarks, rules, format)
    raise typer.Exit(1 if problems or wanting else 0)


def _show(remarks: list[Remark], rules: Book | None, format: LintFormat) -> None:
    if format == "sarif":
        say_json(sarif(remarks), indent=True)
        return
    for one in remarks:
        if format == "github":
            say(github(one))
        elif format == "json":
            say_json({"level": one.level, "file": one.file} | _without_file(one.problem))
        else:
            text = f"{one.file}:{one.problem.line}:{one.problem.column}: {one.sentence}"
            say(text if one.kind == "fault" else f"{text} (warning)")
    faults = sum(one.kind == "fault" for one in remarks)
    if faults:
        complain(f"{faults} fault{'s' if faults > 1 else ''}")
    elif rules and format == "text":
        versions = sum(len(rule.versions) for rule in rules.rules)
        say(
            f"No fault in {len(rules.rules)} rules, {versions} versions, their examples and {len(rules.sources)}"
            f" sources. Book {rules.version}, digest {rules.digest[:12]}."
        )


def _without_file(problem: RuleProblem) -> dict[str, Any]:
    return {name: getattr(problem, name) for name in ("line", "column", "path", "sentence")}


def _due(root: Path, today: date) -> Iterator[RuleProblem]:
    """The sources that want to be looked at again, and what is to be looked up in one, at its place in sources.yaml."""
    from rules.book.rulefile import read_document
    from rules.errors import RuleProblem

    file = root / "sources.yaml"
    if not file.is_file():  # which is a fault already
        return
    document = read_document("sources.yaml", file.read_text("utf-8", "replace"))
    for key, entry in (document.data or {}).items() if isinstance(document.data, dict) else ():
        if not isinstance(entry, dict):
            continue
        day = entry.get("review_by")
        if day and day < today.isoformat():
            line, column = document.marks[(key, "review_by")]
            sentence = f"wants a review since {day}: read it again, mend its rules, set `retrieved` and `review_by`"
            yield RuleProblem("sources.yaml", line, column, key, sentence)
        for at, item in enumerate(_items(entry)):
            if item["due"] <= today.isoformat():
                line, column = document.marks[(key, "watch", at, "due")]
                about = f"{item['what']} (rules {', '.join(item['rules'])})"
                sentence = f"is to be looked up since {item['due']}: {about}; mend the rules, then take the item out"
                yield RuleProblem("sources.yaml", line, column, f"{key}.watch[{at}]", sentence)


def _items(entry: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The sound items that a source has to watch; those that are not are faults already."""
    from pydantic import ValidationError

    from rules.book.sources import Watch

    for item in entry.get("watch") or ():
        try:
            Watch.model_validate(item)
        except ValidationError:
            return
        yield item


def _named(root: Path, problem: RuleProblem, overrides: Path | None = None) -> str:
    """The file as it is reached from the working folder; that of an imported edition is in the state folder."""
    if overrides and problem.file == str(overrides):
        return reached(overrides)
    if problem.file.startswith("imported/"):
        return problem.file
    return reached(root / problem.file)


def github(remark: Remark) -> str:
    """A workflow command that annotates the line of a pull request."""
    where = {
        "file": remark.file, "line": remark.problem.line, "col": remark.problem.column, "title": "rule book",
    }  # fmt: skip
    properties = ",".join(f"{name}={_escaped(str(value), ':,')}" for name, value in where.items())
    return f"::{remark.level} {properties}::{_escaped(remark.sentence)}"


def _escaped(text: str, more: str = "") -> str:
    return "".join(f"%{ord(c):02X}" if c in "%\r\n" + more else c for c in text)


def sarif(remarks: list[Remark]) -> dict[str, Any]:
    """A SARIF 2.1.0 log with one run."""
    from importlib.metadata import version
    from urllib.parse import quote

    def result(one: Remark) -> dict[str, Any]:
        place = Path(one.file)
        uri = place.as_uri() if place.is_absolute() else quote(place.as_posix())
        region = {"startLine": one.problem.line, "startColumn": one.problem.column}
        location = {"physicalLocation": {"artifactLocation": {"uri": uri}, "region": region}}
        message = {"text": one.sentence}
        return {"ruleId": one.kind, "level": one.level, "message": message, "locations": [location]}

    driver = {
        "name": "scrub rules lint",
        "semanticVersion": version("claim-scrubber"),
        "rules": [{"id": kind, "shortDescription": {"text": text}} for kind, text in KINDS.items()],
    }
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": [result(one) for one in remarks]}
    return {"$schema": SARIF, "version": "2.1.0", "runs": [run]}
