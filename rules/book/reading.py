"""Reads the content of a book's files into a Book: every file checked, every rule compiled, no example run."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path, PurePosixPath
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from rules.book.book import Book
from rules.book.compile import compile_rule
from rules.book.missing import MISSING, read_missing
from rules.book.pack import Files
from rules.book.parsed import Parsed
from rules.book.passed import is_rule
from rules.book.rule import Rule
from rules.book.rulefile import YamlDocument, read_document, validated
from rules.book.sources import Source
from rules.errors import BookInvalid, RuleProblem
from rules.payers import RESERVED, PayerShape, Registry, plain_id
from rules.procedures import Procedure, shipped
from rules.tables.edition import Edition
from rules.tables.editions import clashes, read_edition
from rules.tables.table import SPECS, Table, empty_table, joined, read_table
from rules.terms import LAYERS, PROCEDURES
from rules.values import iso_date


class BookShape(BaseModel):
    """book.yaml: what the book is for."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    version: Annotated[str, Field(min_length=1)]
    procedure: Annotated[str, Field(pattern=r"^[0-9A-Z]{5}$")] | None = None
    """Of a book in the layout of releases 0.1: its only procedure, in the folder of that name."""
    covers_from: Annotated[date, BeforeValidator(iso_date)]
    formerly: str | None = None
    """The folder in which releases 0.1 had all rules: overrides that were written then name and pin rules by it."""


@dataclass(frozen=True, slots=True)
class Untried:
    """A book whose examples have not been run, as its author works on it."""

    book: Book
    documents: Mapping[str, YamlDocument]
    """The rule files by path without the ending, as they are written."""
    problems: list[RuleProblem]
    editions: list[Edition]


@dataclass(frozen=True, slots=True)
class _Library:
    """The files of a book as text."""

    texts: Mapping[str, str]
    contents: Mapping[str, bytes]
    parsed: Parsed

    def document(self, name: str, *, tried: bool = False) -> YamlDocument:
        """A YAML file of it; an empty one where there is none. `tried`: without the examples of a rule file."""
        known = self.parsed.data(name, self.contents.get(name, b"")) if tried or not is_rule(name) else None
        return read_document(name, self.texts.get(name, ""), tried=tried, parsed=known)

    def in_folder(self, folder: str, suffix: str) -> list[str]:
        """Names of its files there."""
        return sorted(name for name in self.texts if name.startswith(f"{folder}/") and name.endswith(suffix))


def read_content(
    files: Mapping[str, bytes],
    imported: Mapping[str, bytes],
    rows: Path | None,
    *,
    parsed: Parsed,
    tried: Collection[str] = (),
) -> Untried:
    """The book of the rule files that have no fault; BookInvalid where what they all rest on has one. `tried`: files
    whose examples are not read."""
    problems: list[RuleProblem] = []
    library = _Library({name: _decoded(name, content, problems) for name, content in files.items()}, files, parsed)
    head = _head(library.document("book.yaml"), problems)
    sources = _sources(library.document("sources.yaml"), problems)
    registry = _registry(library, sources, problems)
    if MISSING in files:
        missing = library.document(MISSING)
        read_missing(missing, registry)
        problems += missing.problems
    procedures = _procedures(library, head, sources, problems)
    tables = _tables(library, "", sources, problems, former=head is not None and head.procedure is not None)
    own = {name: _own_tables(library, name, tables, sources, problems) for name in procedures}
    editions = _editions(imported, rows, problems)
    sound = not problems
    folders = _folders(head, procedures)
    rules, documents = _rules(library, tuple(folders.values()), sources, registry, procedures, problems, tried=tried)
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
    head = _head(read_document("book.yaml", _decoded("book.yaml", files.get("book.yaml", b""), problems)), problems)
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


def _head(document: YamlDocument, problems: list[RuleProblem]) -> BookShape | None:
    head = None if document.problems else validated(document, BookShape, document.data)
    problems += document.problems
    return head


def _sources(document: YamlDocument, problems: list[RuleProblem]) -> Mapping[str, Source]:
    found: dict[str, Source] = {}
    if not document.problems and isinstance(document.data, dict):
        for key, entry in document.data.items():
            if source := validated(document, Source, entry, (key,)):
                found[key] = source
    problems += document.problems
    return found


def _registry(library: _Library, sources: Mapping[str, Source], problems: list[RuleProblem]) -> Registry:
    payers: dict[str, PayerShape] = {}
    owners: dict[str, str] = {}
    documents: list[tuple[YamlDocument, PayerShape]] = []
    for name in library.in_folder("payers", ".yaml"):
        document = library.document(name)
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
    library: _Library, head: BookShape | None, sources: Mapping[str, Source], problems: list[RuleProblem]
) -> Mapping[str, Procedure]:
    if head and head.procedure:
        return {head.procedure: _former(head.procedure)}
    found: dict[str, Procedure] = {}
    owners: dict[str, str] = {}
    for name in sorted(library.texts):
        if not (name.startswith(f"{PROCEDURES}/") and name.endswith("/procedure.yaml")):
            continue
        document = library.document(name)
        package = None if document.problems else validated(document, Procedure, document.data)
        if package:
            _check_procedure(document, package, sources, owners)
            found[package.procedure] = package
        problems += document.problems
    folders = {
        name.split("/")[1] for name in library.texts if name.startswith(f"{PROCEDURES}/") and name.count("/") > 1
    }
    problems += [
        RuleProblem(f"{PROCEDURES}/{folder}/procedure.yaml", 1, 1, "", "is missing; it says what the package is for")
        for folder in sorted(folders - found.keys())
        if f"{PROCEDURES}/{folder}/procedure.yaml" not in library.texts
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
    library: _Library, place: str, sources: Mapping[str, Source], problems: list[RuleProblem], *, former: bool
) -> Mapping[str, Table]:
    """`place`: a folder with a slash, or empty. `former`: of releases 0.1, which had fewer tables."""
    tables: dict[str, Table] = {}
    for name in library.in_folder(f"{place}tables", ".csv"):
        stem = PurePosixPath(name).stem
        if stem not in SPECS:
            problems.append(RuleProblem(name, 1, 1, "", f"no fact reads a table {stem!r}; known: {', '.join(SPECS)}"))
            continue
        tables[stem], faults = read_table(stem, name, library.texts[name], sources)
        problems += faults
    if not place:
        missing = [name for name in SPECS if name not in tables]
        if not former:
            of_procedures = {PurePosixPath(name).stem for name in library.texts if name.startswith(f"{PROCEDURES}/")}
            problems += [
                RuleProblem(f"tables/{name}.csv", 1, 1, "", "is missing")
                for name in missing
                if name not in of_procedures
            ]
        tables |= {name: empty_table(name) for name in missing}
    return tables


def _own_tables(
    library: _Library,
    procedure: str,
    shared: Mapping[str, Table],
    sources: Mapping[str, Source],
    problems: list[RuleProblem],
) -> Mapping[str, Table]:
    """The tables as the rules of a package see them: with the rows of its own folder beside those for all."""
    own = _tables(library, f"{PROCEDURES}/{procedure}/", sources, problems, former=False)
    return {**shared, **{name: joined(shared[name], table) for name, table in own.items()}}


def _rules(
    library: _Library,
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
    for name in sorted(filter(is_rule, library.texts)):
        document = library.document(name, tried=name in tried)
        if not name.startswith(folders):
            document.complain((), f"no rule book reads this file; rules are in {', '.join(folders)}")
        rule = None if document.problems else compile_rule(document, sources, registry, procedures)
        if rule and not document.problems:
            rules.append(rule)
            documents[rule.file] = document
        problems += document.problems
    return rules, documents
