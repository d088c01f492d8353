"""`scrub rules`: what the book says."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from worker.cli.check import BookFolder, read_book
from worker.cli.terminal import Format, columns, complain, paint, say, say_bytes

if TYPE_CHECKING:
    from rules.book import Book
    from rules.rule import Rule, Text, Version

Severity = Literal["block", "warn", "note"]
Grade = Literal["A", "B", "C", "S"]
FormatOption = Annotated[Format, typer.Option(help="text for people; json: one object a line.")]

app = typer.Typer(no_args_is_help=True)
_CONDITIONS = (("when", "applies_when"), ("requires", "require"), ("forbids", "forbid"))


@app.callback()
def _group() -> None:
    """The rule book: what is checked, for which payer, since when, and who says so."""


@app.command("list")
def list_(
    payer: Annotated[
        str | None, typer.Option(metavar="PAYER", help="medicare, aetna, bcbs, cigna, uhc, or payer/plan.")
    ] = None,
    severity: Annotated[Severity | None, typer.Option(help="Of the newest version.")] = None,
    grade: Annotated[Grade | None, typer.Option(help="How good the source is, of the newest version.")] = None,
    book: BookFolder = None,
    format: FormatOption = "text",
) -> None:
    """Lists the rules, one a line: code, severity, grade, title, payers. All filters must hold.

    With --payer, the rules that are for all payers are listed too.

    Examples:

    * `scrub rules list --payer medicare --severity block`

    * `scrub rules list --format json | jq -r .code | sort -u`
    """
    rules = _book(book)
    if payer is not None:
        _known_payer(payer, rules)
    ordered = sorted(rules.rules, key=lambda rule: (rule.code, rule.file))
    found = [rule for rule in ordered if _wanted(rule, payer, severity, grade)]
    if format == "json":
        import orjson

        say_bytes(orjson.dumps(_described(rule)) for rule in found)
        return
    rows = []
    for rule in found:
        newest = rule.versions[-1]
        status = "" if rule.status == "active" else f" ({rule.status})"
        rows.append((rule.code, newest.severity, newest.citation.grade, f"{rule.title} [{_payers(rule)}]{status}"))
    say(*columns(rows, ("bold", None, "dim")), "")
    codes = len({rule.code for rule in found})
    say(f"{len(found)} rules under {codes} codes. `scrub rules show CODE` tells all of one.")


def _wanted(rule: Rule, payer: str | None, severity: str | None, grade: str | None) -> bool:
    newest = rule.versions[-1]
    key, _, plan = (payer or "").partition("/")
    return (
        (payer is None or rule.serves(key, plan or None))
        and severity in (None, newest.severity)
        and grade in (None, newest.citation.grade)
    )


def _known_payer(payer: str, book: Book) -> None:
    key, _, plan = payer.partition("/")
    entry = book.registry.payers.get(key)
    if entry is None:
        raise typer.BadParameter(f"{key!r} is no payer of the book; expected {', '.join(book.registry.payers)}")
    if plan and plan not in entry.plans:
        raise typer.BadParameter(f"{plan!r} is no plan of {key}; there are: {', '.join(entry.plans) or 'none'}")


@app.command("show")
def show(
    code: Annotated[str, typer.Argument(metavar="CODE", help="Such as UNT001.")],
    book: BookFolder = None,
    format: FormatOption = "text",
) -> None:
    """Tells all of a rule: what it says to whom since when, how to fix it, who says so, and its examples.

    Examples:

    * `scrub rules show UNT001`

    * `scrub rules show MOD004 --format json`
    """
    rules = _book(book)
    found = sorted((rule for rule in rules.rules if rule.code == code.upper()), key=lambda rule: rule.file)
    if not found:
        near = get_close_matches(code.upper(), {rule.code for rule in rules.rules}, n=3)
        raise typer.BadParameter(f"there is no rule {code!r}" + (f"; did you mean {', '.join(near)}?" if near else ""))
    documents = {rule.file: _document(rule, book) for rule in found}
    if format == "json":
        import orjson

        say_bytes(orjson.dumps(_described(rule) | {"document": documents[rule.file]}) for rule in found)
        return
    for rule in found:
        say(*_shown(rule, documents[rule.file]))


def _shown(rule: Rule, document: dict[str, Any]) -> Iterator[str]:
    status = "" if rule.status == "active" else f"  ({rule.status})"
    yield f"{paint(rule.code, 'bold')}  {paint(rule.title, 'bold')}{status}"
    rows = [
        ("payers", _payers(rule)),
        ("bills as", ", ".join(sorted(rule.bills_as))),
        ("judges", "each 64445 line" if rule.scope == "line" else "the claim as a whole"),
        ("file", f"{rule.file}.yaml"),
    ]
    yield from columns([(f"  {name}", text) for name, text in rows], ("dim",))
    for version, written in zip(rule.versions, document["versions"], strict=True):
        yield from _version(version, written)
    yield "  " + paint("examples", "dim")
    yield from columns([(f"    {entry['expect']}", entry["name"]) for entry in document["examples"]])
    yield ""


def _version(version: Version, written: dict[str, Any]) -> Iterator[str]:
    from worker.cli.verdicts import STYLES, cited, expected

    start, end = version.start.isoformat(), version.end
    period = f"since {start}" if end.year == 9999 else f"{start} to {end.isoformat()}"
    yield f"  {paint(version.severity, STYLES[version.severity])}  for dates of service {period}"
    rows = [(name, _condition(written[key])) for name, key in _CONDITIONS if written.get(key) is not None]
    rows += [("says", _template(version.message)), ("fix", _template(version.fix))]
    if version.bypass:
        rows += [("lifted when", _condition(written["bypass"]["when"])), ("", _template(version.bypass.message))]
    rows += [("source", cited(version.citation))]
    if version.citation.url:
        rows += [("", version.citation.url)]
    if version.denial:
        rows += [("expect", expected(version.denial))]
    yield from columns([(f"    {name}", text) for name, text in rows], ("dim",))


def _condition(node: Any) -> str:
    """A condition as the rule file has it, on one line."""
    if isinstance(node, dict):
        return "; ".join(f"{key} {_inner(value)}" for key, value in node.items())
    return _inner(node)


def _inner(node: Any) -> str:
    if isinstance(node, dict):
        text = ", ".join(f"{key} {_inner(value)}" for key, value in node.items())
        return f"({text})" if len(node) > 1 else text
    if isinstance(node, list):
        return "[" + ", ".join(_inner(entry) for entry in node) + "]"
    return str(node)


def _template(text: Text) -> str:
    return "".join(literal + (f"{{{name}}}" if name else "") for literal, name in text.parts)


@app.command("lint")
def lint(book: BookFolder = None, format: FormatOption = "text") -> None:
    """Checks every file of the book: its shape, its facts and tests, its sources and grades, and all its examples.

    All faults of all files are listed at once, each as `file:line:col: path: sentence`.

    Exit codes: 0 no fault, 1 faults, 2 there is no book in the folder.

    Example: `scrub rules lint --book ./my-book`
    """
    from rules.errors import BookInvalid

    try:
        rules = _book(book)
    except BookInvalid as error:
        folder = _folder(book)
        for problem in error.problems:
            if format == "json":
                import orjson

                say_bytes([orjson.dumps(problem)])
            else:
                say(f"{folder}/{problem}" if folder else str(problem))
        complain(f"{len(error.problems)} fault{'s' if len(error.problems) > 1 else ''}")
        raise typer.Exit(1) from None
    if format == "text":
        versions = sum(len(rule.versions) for rule in rules.rules)
        examples = sum(len(_document(rule, book)["examples"]) for rule in rules.rules)
        say(
            f"No fault in {len(rules.rules)} rules, {versions} versions, {examples} examples and {len(rules.sources)}"
            f" sources. Book {rules.version}, digest {rules.digest[:12]}."
        )


def _book(folder: Path | None) -> Book:
    from worker.settings import load_settings

    return read_book(_folder(folder), load_settings().tables_path)


def _folder(folder: Path | None) -> Path | None:
    from worker.settings import load_settings

    return folder or load_settings().book


def _document(rule: Rule, book: Path | None) -> dict[str, Any]:
    """The rule file as it is written."""
    from rules.loader import LIBRARY
    from rules.rulefile import read_document

    file = (_folder(book) or LIBRARY) / f"{rule.file}.yaml"
    data: dict[str, Any] = read_document(rule.file, file.read_text("utf-8")).data
    return data


def _payers(rule: Rule) -> str:
    text = ", ".join(rule.payers)
    return f"{text} but {', '.join(rule.except_payers)}" if rule.except_payers else text


def _described(rule: Rule) -> dict[str, Any]:
    return {
        "code": rule.code, "title": rule.title, "file": rule.file, "payers": rule.payers,
        "except_payers": rule.except_payers, "bills_as": sorted(rule.bills_as), "scope": rule.scope,
        "status": rule.status,
        "versions": [
            {
                "from": version.start, "to": None if version.end.year == 9999 else version.end,
                "severity": version.severity, "message": _template(version.message), "fix": _template(version.fix),
                "expected_denial": version.denial, "citation": version.citation,
            }
            for version in rule.versions
        ],
    }  # fmt: skip
