"""Reads a library folder or a packed book into a Book: every file checked, every rule compiled, every example run.

A book with one fault does not load: all faults of all files are reported at once. The examples are run against the
shipped tables; imported editions of official tables take their place after that, and are part of the book's digest.
Those of the shipped book ran when the package was built (ops/decisions/0010); once a rule is changed its own run again,
and all of them once something is that rules rest on.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from rules.authoring.trial import try_examples
from rules.book.book import Book
from rules.book.compile import compile_rule
from rules.book.missing import MISSING, read_missing
from rules.book.pack import Files, unpacked
from rules.book.passed import is_rule, passed
from rules.book.rule import Rule
from rules.book.rulefile import YamlDocument, read_document, validated
from rules.book.sources import Source
from rules.errors import BookInvalid, BookMissing, RuleProblem
from rules.payers import RESERVED, PayerShape, Registry, plain_id
from rules.procedures import Procedure, shipped
from rules.tables.edition import Edition
from rules.tables.editions import clashes, read_edition
from rules.tables.table import SPECS, Table, empty_table, joined, read_table
from rules.terms import LAYERS, PROCEDURES
from rules.values import iso_date

LIBRARY = Path(__file__).parent / "library"
TRIED = LIBRARY.with_suffix(".sha256")
"""Digest of the shipped book as its examples passed; `make catalogue` writes it."""


class BookShape(BaseModel):
    """book.yaml: what the book is for."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    version: Annotated[str, Field(min_length=1)]
    procedure: Annotated[str, Field(pattern=r"^[0-9A-Z]{5}$")] | None = None
    """Of a book in the layout of releases 0.1: its only procedure, in the folder of that name."""
    covers_from: Annotated[date, BeforeValidator(iso_date)]
    formerly: str | None = None
    """The folder in which releases 0.1 had all rules: overrides that were written then name and pin rules by it."""


def load_book(place: Path | None = None, imported: Path | None = None, *, examples: bool | None = None) -> Book:
    """The book in a folder or a packed file; None: the library that ships with the package.

    `imported`: folder of imported editions. A packed book has its own, of which only the packed rows are looked up
    there. `examples`: see `read_book`.

    Raises:
        BookMissing: there is no book.
        PackInvalid: the file is no packed book.
        BookInvalid: with every problem of every file, each as `file:line:col: path: sentence`.
    """
    files = whole_book(place, imported)
    return read_book(files.library, files.imported, rows=imported, examples=examples)


def whole_book(place: Path | None = None, imported: Path | None = None) -> Files:
    """The files of that book, as they are.

    Raises:
        BookMissing, PackInvalid
        BookInvalid: an imported edition cannot be read.
    """
    place = place or LIBRARY
    if place.is_file():
        return unpacked(str(place), place.read_bytes())
    return Files(book_files(place), edition_files(imported))


def book_files(folder: Path | None = None) -> Mapping[str, bytes]:
    """The content of the book's files by path relative to the folder; None: the library that ships with the package.

    Raises:
        BookMissing: there is no book.
    """
    folder = folder or LIBRARY
    if not (folder / "book.yaml").is_file():
        raise BookMissing(folder=folder)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in _files(folder)}


def edition_files(folder: Path | None) -> Mapping[str, bytes]:
    """The files of imported editions in a folder, by name; none where there is no folder.

    Raises:
        BookInvalid: one of them cannot be read; to judge without it would be another book.
    """
    if folder is None:
        return {}
    try:
        names = sorted(path.name for path in folder.iterdir() if path.suffix == ".json") if folder.is_dir() else []
        return {name: (folder / name).read_bytes() for name in names}
    except OSError as error:
        raise BookInvalid([RuleProblem(str(error.filename), 1, 1, "", f"cannot be read: {error.strerror}")]) from None


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".yaml", ".csv") and path.is_file():
            yield path


@dataclass(frozen=True, slots=True)
class Untried:
    """A book whose examples have not been run, as its author works on it."""

    book: Book
    documents: Mapping[str, YamlDocument]
    """The rule files by path without the ending, as they are written."""
    problems: list[RuleProblem]
    editions: list[Edition]


def read_book(
    files: Mapping[str, bytes],
    imported: Mapping[str, bytes] | None = None,
    *,
    rows: Path | None = None,
    examples: bool | None = None,
) -> Book:
    """The book in the content of its files, by path relative to the library folder, with imported editions by name.

    `rows`: the folder where the packed rows of whole tables lie, which are mapped and not copied. `examples`:
    whether they are run; None: unless it is known that they pass, since rule and tables are as shipped.
    """
    known: Collection[str] = () if examples else files.keys()
    if examples is None:
        known = passed(files, book_files(), TRIED.read_text("ascii").strip())
    untried = _untried(files, imported or {}, rows, tried=known)
    for rule in untried.book.rules:
        document = untried.documents[rule.file]
        if document.file not in known:
            try_examples(untried.book, rule, document)
            untried.problems.extend(document.problems)
    if untried.problems:
        raise BookInvalid(untried.problems)
    return untried.book.with_editions(untried.editions)


def read_untried(
    files: Mapping[str, bytes], imported: Mapping[str, bytes] | None = None, rows: Path | None = None
) -> Untried:
    """The same without running the examples, with the rule files beside it."""
    untried = _untried(files, imported or {}, rows)
    if untried.problems:
        raise BookInvalid(untried.problems)
    return replace(untried, book=untried.book.with_editions(untried.editions))


def _untried(
    files: Mapping[str, bytes],
    imported: Mapping[str, bytes],
    rows: Path | None,
    *,
    tried: Collection[str] = (),
) -> Untried:
    """The book of the rule files that have no fault; BookInvalid where what they all rest on has one. `tried`: files
    whose examples are not read."""
    problems: list[RuleProblem] = []
    texts = {name: _decoded(name, content, problems) for name, content in files.items()}
    head = _head(texts.get("book.yaml", ""), problems)
    sources = _sources(texts.get("sources.yaml", ""), problems)
    registry = _registry(texts, sources, problems)
    problems += read_missing(texts.get(MISSING), registry)[1].problems
    procedures = _procedures(texts, head, sources, problems)
    tables = _tables(texts, "", sources, problems, former=head is not None and head.procedure is not None)
    own = {name: _own_tables(texts, name, tables, sources, problems) for name in procedures}
    editions = _editions(imported, rows, problems)
    sound = not problems
    folders = _folders(head, procedures)
    rules, documents = _rules(texts, tuple(folders.values()), sources, registry, procedures, problems, tried=tried)
    if head is None or not sound:
        raise BookInvalid(problems)
    digest = Files(files, imported).digest
    book = Book(
        head.version, digest, procedures, head.covers_from, registry, sources, tables, tuple(rules),
        folders=folders, own=own, formerly=head.formerly or next(iter(procedures)),
    )  # fmt: skip
    return Untried(book, documents, problems, editions)


def version_of(files: Mapping[str, bytes]) -> str:
    """The version that a book calls itself; `?` where its book.yaml cannot be read."""
    problems: list[RuleProblem] = []
    head = _head(_decoded("book.yaml", files.get("book.yaml", b""), problems), problems)
    return head.version if head else "?"


def _editions(imported: Mapping[str, bytes], rows: Path | None, problems: list[RuleProblem]) -> list[Edition]:
    editions: list[Edition] = []
    for name, content in sorted(imported.items()):
        edition, faults = read_edition(f"imported/{name}", content, rows)
        editions += [edition] if edition else []
        problems += faults
    problems += [
        RuleProblem(f"imported/{later.id}.json", 1, 1, part, f"begins on the same day as {first.id}; undo one of them")
        for first, later, part in clashes(editions)
    ]
    return editions


def _decoded(name: str, content: bytes, problems: list[RuleProblem]) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        problems.append(RuleProblem(name, line, 1, "", f"is not UTF-8 at byte {error.start}"))
        return ""


def _head(text: str, problems: list[RuleProblem]) -> BookShape | None:
    document = read_document("book.yaml", text)
    head = None if document.problems else validated(document, BookShape, document.data)
    problems += document.problems
    return head


def _sources(text: str, problems: list[RuleProblem]) -> Mapping[str, Source]:
    document = read_document("sources.yaml", text)
    found: dict[str, Source] = {}
    if not document.problems and isinstance(document.data, dict):
        for key, entry in document.data.items():
            if source := validated(document, Source, entry, (key,)):
                found[key] = source
    problems += document.problems
    return found


def _registry(texts: Mapping[str, str], sources: Mapping[str, Source], problems: list[RuleProblem]) -> Registry:
    payers: dict[str, PayerShape] = {}
    owners: dict[str, str] = {}
    documents: list[tuple[YamlDocument, PayerShape]] = []
    for name in _in_folder(texts, "payers", ".yaml"):
        document = read_document(name, texts[name])
        payer = None if document.problems else validated(document, PayerShape, document.data)
        if payer:
            _check_payer(document, payer, sources, owners)
            payers[payer.payer] = payer
            documents.append((document, payer))
        problems += document.problems
    for document, payer in documents:
        _check_groups(document, payer, payers)
        problems += document.problems
    return Registry.of(payers)


def _check_groups(document: YamlDocument, payer: PayerShape, payers: Mapping[str, PayerShape]) -> None:
    document.problems.clear()
    for index, group in enumerate(payer.groups or ()):
        if group in payers or group in RESERVED:
            document.complain(("groups", index), f"{group!r} is no name for a group: it means something else already")
        elif group in (payer.groups or ())[:index]:
            document.complain(("groups", index), f"{group!r} is there twice")


def _check_payer(
    document: YamlDocument, payer: PayerShape, sources: Mapping[str, Source], owners: dict[str, str]
) -> None:
    if PurePosixPath(document.file).stem != payer.payer:
        document.complain(("payer",), f"the file of payer {payer.payer!r} must be named {payer.payer}.yaml")
    if payer.payer in RESERVED:
        document.complain(("payer",), f"{payer.payer!r} is no name for a payer: it means something else already")
    for form in payer.member_ids:
        if owners.setdefault(f"form {form}", payer.payer) != payer.payer:
            document.complain(("member_ids", form), f"{form!r} is a form of {owners[f'form {form}']} already")
    if payer.appeal and payer.appeal.source not in sources:
        document.complain(("appeal", "source"), f"source {payer.appeal.source!r} is not in sources.yaml")
    for index, entry in enumerate(payer.ids):
        if entry.source not in sources:
            document.complain(("ids", index, "source"), f"source {entry.source!r} is not in sources.yaml")
        if entry.plan is not None and entry.plan not in payer.plans:
            document.complain(("ids", index, "plan"), f"plan {entry.plan!r} is not in `plans`")
        if plain_id(entry.id) in owners:
            owner = owners[plain_id(entry.id)]
            document.complain(("ids", index, "id"), f"id {entry.id!r} belongs to {owner} already")
        owners.setdefault(plain_id(entry.id), payer.payer)
    for index, code in enumerate(payer.filing_indicators):
        if owners.setdefault(f"SBR09 {code}", payer.payer) != payer.payer:
            document.complain(("filing_indicators", index), f"{code!r} belongs to another payer already")


def _procedures(
    texts: Mapping[str, str], head: BookShape | None, sources: Mapping[str, Source], problems: list[RuleProblem]
) -> Mapping[str, Procedure]:
    if head and head.procedure:
        return {head.procedure: _former(head.procedure)}
    found: dict[str, Procedure] = {}
    owners: dict[str, str] = {}
    for name in sorted(texts):
        if not (name.startswith(f"{PROCEDURES}/") and name.endswith("/procedure.yaml")):
            continue
        document = read_document(name, texts[name])
        package = None if document.problems else validated(document, Procedure, document.data)
        if package:
            _check_procedure(document, package, sources, owners)
            found[package.procedure] = package
        problems += document.problems
    folders = {name.split("/")[1] for name in texts if name.startswith(f"{PROCEDURES}/") and name.count("/") > 1}
    problems += [
        RuleProblem(f"{PROCEDURES}/{folder}/procedure.yaml", 1, 1, "", "is missing; it says what the package is for")
        for folder in sorted(folders - found.keys())
        if f"{PROCEDURES}/{folder}/procedure.yaml" not in texts
    ]
    if head and not found and not folders:
        problems.append(
            RuleProblem("book.yaml", 1, 1, "", f"the book has no procedure; each is a folder of {PROCEDURES}/")
        )
    return found


def _former(procedure: str) -> Procedure:
    """Of a book of releases 0.1, which says no more of its procedure than its code: what was known of it then is in the
    package that ships."""
    known = {package.procedure: package for package in shipped()}
    return known.get(procedure) or Procedure(procedure=procedure, name=procedure, codes=(procedure,))


def _check_procedure(
    document: YamlDocument, package: Procedure, sources: Mapping[str, Source], owners: dict[str, str]
) -> None:
    if document.file.split("/")[1] != package.procedure:
        document.complain(("procedure",), f"the folder of procedure {package.procedure!r} must have its name")
    for index, key in enumerate(package.sources):
        if key not in sources:
            document.complain(("sources", index), f"source {key!r} is not in sources.yaml")
    for index, code in enumerate(package.codes):
        if owners.setdefault(code, package.procedure) != package.procedure:
            document.complain(("codes", index), f"{code} belongs to the package {owners[code]} already")
    for index, one in enumerate(package.companions):
        if one.to < one.from_:
            document.complain(("companions", index, "to"), "is before `from`")


def _folders(head: BookShape | None, procedures: Mapping[str, Procedure]) -> Mapping[str, str]:
    """Where the rules of each layer are."""
    if head and head.procedure:
        return {head.procedure: f"{head.procedure}/"}
    return {layer: f"{layer}/" for layer in LAYERS} | {name: f"{PROCEDURES}/{name}/" for name in procedures}


def _tables(
    texts: Mapping[str, str], place: str, sources: Mapping[str, Source], problems: list[RuleProblem], *, former: bool
) -> Mapping[str, Table]:
    """`place`: a folder with a slash, or empty. `former`: of releases 0.1, which had fewer tables."""
    tables: dict[str, Table] = {}
    for name in _in_folder(texts, f"{place}tables", ".csv"):
        stem = PurePosixPath(name).stem
        if stem not in SPECS:
            problems.append(RuleProblem(name, 1, 1, "", f"no fact reads a table {stem!r}; known: {', '.join(SPECS)}"))
            continue
        tables[stem], faults = read_table(stem, name, texts[name], sources)
        problems += faults
    if not place:
        missing = [name for name in SPECS if name not in tables]
        if not former:
            of_procedures = {PurePosixPath(name).stem for name in texts if name.startswith(f"{PROCEDURES}/")}
            problems += [
                RuleProblem(f"tables/{name}.csv", 1, 1, "", "is missing")
                for name in missing
                if name not in of_procedures
            ]
        tables |= {name: empty_table(name) for name in missing}
    return tables


def _own_tables(
    texts: Mapping[str, str],
    procedure: str,
    shared: Mapping[str, Table],
    sources: Mapping[str, Source],
    problems: list[RuleProblem],
) -> Mapping[str, Table]:
    """The tables as the rules of a package see them: with the rows of its own folder beside those for all."""
    own = _tables(texts, f"{PROCEDURES}/{procedure}/", sources, problems, former=False)
    return {**shared, **{name: joined(shared[name], table) for name, table in own.items()}}


def _rules(
    texts: Mapping[str, str],
    folders: tuple[str, ...],
    sources: Mapping[str, Source],
    registry: Registry,
    procedures: Mapping[str, Procedure],
    problems: list[RuleProblem],
    *,
    tried: Collection[str],
) -> tuple[list[Rule], dict[str, YamlDocument]]:
    rules: list[Rule] = []
    documents: dict[str, YamlDocument] = {}
    for name in sorted(filter(is_rule, texts)):
        document = read_document(name, texts[name], tried=name in tried)
        if not name.startswith(folders):
            document.complain((), f"no rule book reads this file; rules are in {', '.join(folders)}")
        rule = None if document.problems else compile_rule(document, sources, registry, procedures)
        if rule and not document.problems:
            rules.append(rule)
            documents[rule.file] = document
        problems += document.problems
    return rules, documents


def _in_folder(texts: Mapping[str, Any], folder: str, suffix: str) -> list[str]:
    return sorted(name for name in texts if name.startswith(f"{folder}/") and name.endswith(suffix))
