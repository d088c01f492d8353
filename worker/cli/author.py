"""`scrub rules new`: a rule file to begin with, which lints as it stands."""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, get_args

import typer

from rules.terms import Grade, RuleScope, Severity
from worker.cli.common.books import BookFolder, book_folder, day_of, reached
from worker.cli.common.terminal import complain, on_terminal, say

if TYPE_CHECKING:
    from rules.book.book import Book
    from rules.book.sources import Source
    from rules.claim import Role

Status = Literal["draft", "active"]
_CODE = re.compile(r"[A-Z]{3}([0-9]{3})?")
_START: Mapping[RuleScope, tuple[str, str, str, str, str]] = {
    "line": (
        "{units: {le: 1}}",
        "This line bills {procedure} with {units} units.",
        "Set units to 1.",
        '{lines: [{units: 1, service_date: "<day>"}]}',
        '{lines: [{units: 2, service_date: "<day>"}]}',
    ),
    "claim": (
        "{diagnosis_count: {le: 1}}",
        "The claim has {diagnosis_count} diagnoses.",
        "Keep the diagnosis that the block was given for.",
        '{diagnoses: [M54.31], lines: [{service_date: "<day>"}]}',
        '{diagnoses: [M54.31, M54.32], lines: [{service_date: "<day>"}]}',
    ),
}
"""What a new rule demands until its author says something else: condition, message, fix, a claim that passes, and one
that fails."""


@dataclass(frozen=True, slots=True)
class RuleDraft:
    """What the new rule file is to say."""

    code: str
    title: str
    payers: tuple[str, ...]
    bills_as: tuple[Role, ...]
    scope: RuleScope
    status: Status
    start: date
    severity: Severity
    source: str
    locator: str
    grade: Grade
    folder: str
    """Of its layer, with a slash."""
    for_group: bool = False
    """Whether one of the payers is a group."""

    @property
    def file(self) -> str:
        """Its path in the library: in the folder of its payer, or in common/ where it is for several."""
        owners = {name.split("/")[0] for name in self.payers}
        owner = owners.pop() if len(owners) == 1 and not self.for_group else "all"
        slug = "-".join(re.findall(r"[a-z0-9]+", self.title.lower()))[:40].strip("-") or "rule"
        return f"{self.folder}{'common' if owner == 'all' else owner}/{self.code}-{slug}.yaml"

    def text(self) -> str:
        """The rule file."""
        demand, message, fix, good, bad = _START[self.scope]
        day, before = self.start.isoformat(), (self.start - timedelta(days=1)).isoformat()
        return f"""\
# How to go on: rules/README.md. The facts to ask for: scrub rules facts.
code: {self.code}
title: {json.dumps(self.title, ensure_ascii=False)}
payers: [{", ".join(self.payers)}]
bills_as: [{", ".join(self.bills_as)}]
scope: {self.scope}
status: {self.status}  # draft: runs and is logged, never routes; active when you are sure
versions:
  - effective: {{from: {day}}}  # dates of service, inclusive; `to` is added when the rule changes
    severity: {self.severity}
    # applies_when: {{modifiers: {{any_of: ["50"]}}}}  # which claims it is about; without it: all
    require: {demand}  # write your condition here
    message: {json.dumps(message)}
    fix: {json.dumps(fix)}
    # expected_denial: {{kind: denial, group: CO, carc: "97"}}  # what the payer would answer, if the source says so
    citation: {{source: {self.source}, locator: {json.dumps(self.locator, ensure_ascii=False)}, grade: {self.grade}}}
examples:  # each differs from an ordinary claim in what it names
  - {{name: a claim that is right, claim: {good.replace("<day>", day)}, expect: pass}}
  - {{name: a claim that is wrong, claim: {bad.replace("<day>", day)}, expect: fail}}
  - {{name: the day before the rule begins, claim: {bad.replace("<day>", before)}, expect: out_of_range}}
"""


def new(
    code: Annotated[
        str | None, typer.Option(metavar="CODE", help="Such as UNT009, or three letters: the next free number.")
    ] = None,
    title: Annotated[str | None, typer.Option(metavar="TEXT", help="What is right, in a few words.")] = None,
    payer: Annotated[
        list[str] | None, typer.Option(metavar="PAYER", help="A payer, payer/plan, or all; may be given again.")
    ] = None,
    source: Annotated[str | None, typer.Option(metavar="ID", help="Of sources.yaml: the rule's source.")] = None,
    locator: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Where in the source: page, section, row.")
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="DATE", help="First date of service; default: the first that the source speaks for."
        ),
    ] = None,
    severity: Annotated[Severity | None, typer.Option(help="Default: warn, or note where the grade is C.")] = None,
    grade: Annotated[
        Grade | None, typer.Option(help="How good the source is; default: what sources.yaml says.")
    ] = None,
    bills_as: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ROLE", help="practitioner, hospital_outpatient or asc; may be given again; default: all."
        ),
    ] = None,
    scope: Annotated[RuleScope, typer.Option(help="line: each line of the layer; claim: once a claim.")] = "line",
    layer: Annotated[
        str | None,
        typer.Option(metavar="LAYER", help="form (every claim), edits, or a procedure; default: the first."),
    ] = None,
    status: Annotated[Status, typer.Option(help="draft: runs and is logged, never routes.")] = "draft",
    book: BookFolder = None,
) -> None:
    """Writes a new rule file that lints, with a passing and a failing example to edit.

    On a terminal it asks for what is not given. The rule begins as a draft: it runs in the shadow and never routes.

    Exit codes: 0 written, 1 the book has faults, 2 something is missing or not known.

    Example: `scrub rules new --code UNT --payer all --title "One unit" --source coding-document --locator "page 2"`
    """
    from rules.loader import LIBRARY, book_files, read_untried

    files = book_files(book_folder(book))
    rules = read_untried(files).book
    code = _code(_asked("code", code, "Code, or the three letters of its subject"), rules)
    title = _asked("title", title, "Title: what is right, in a few words").strip()
    offered = ", ".join(["all", *rules.registry.groups, *rules.registry.payers])
    known = _payers(payer or _asked("payer", None, f"Payers ({offered})").split(","), rules)
    source = _asked("source", source, "Source, as sources.yaml names it")
    document = _source(source, rules)
    locator = _asked("locator", locator, "Where in the source (page, section, row)")
    own_grade = grade or document.grade
    first = max(document.starts, rules.covers_from)
    begins = day_of(_asked("from", start, "First date of service", str(first))) or first
    plan = RuleDraft(
        code=code,
        title=title,
        payers=known,
        bills_as=_roles(bills_as),
        scope=scope,
        status=status,
        start=begins,
        severity=severity or ("note" if own_grade == "C" else "warn"),
        source=source,
        locator=locator,
        grade=own_grade,
        folder=_folder(layer, rules),
        for_group=not rules.registry.groups.keys().isdisjoint(known),
    )
    path = _write(plan, book_folder(book) or LIBRARY, files)
    named = f" --book {shlex.quote(str(book))}" if book else ""
    say(f"{reached(path)} is written: {plan.code}{', a draft' if plan.status == 'draft' else ''}.")
    say(
        "Next: edit its condition, message, fix and examples; then",
        f"  scrub rules lint{named}",
        f"  scrub rules test {path.stem}{named}",
        f"  scrub rules show {path.stem}{named}",
    )


def _asked(name: str, given: str | None, question: str, default: str | None = None) -> str:
    """The option, or the answer of the person at the terminal."""
    if given is not None:
        return given
    if on_terminal(sys.stdin) and on_terminal(sys.stdout):
        answer: str = typer.prompt(question, default=default)
        return answer
    if default is not None:
        return default
    raise typer.BadParameter(f"--{name} is missing; on a terminal you would be asked")


def _code(given: str, rules: Book) -> str:
    code = given.strip().upper()
    if not _CODE.fullmatch(code):
        raise typer.BadParameter(f"{given!r} is no code; expected three letters and three digits, or the letters alone")
    if len(code) == 6:
        return code
    taken = [int(rule.code[3:]) for rule in rules.rules if rule.code.startswith(code)]
    return f"{code}{max(taken, default=0) + 1:03}"


def _payers(given: list[str], rules: Book) -> tuple[str, ...]:
    from rules.book.conditions import did_you_mean

    known = ("all", *rules.registry.names)
    names = tuple(name.strip() for name in given)
    for name in names:
        if name not in known:
            raise typer.BadParameter(f"unknown payer {name!r}{did_you_mean(name, known)}")
    return names


def _folder(layer: str | None, rules: Book) -> str:
    layer = layer or next(iter(rules.procedures))
    if layer not in rules.folders:
        raise typer.BadParameter(f"unknown layer {layer!r}; expected {', '.join(rules.folders)}")
    return rules.folders[layer]


def _roles(given: list[str] | None) -> tuple[Role, ...]:
    from rules.claim import Role

    roles: tuple[Role, ...] = get_args(Role)
    for name in given or ():
        if name not in roles:
            raise typer.BadParameter(f"unknown billing role {name!r}; expected {', '.join(roles)}")
    return tuple(role for role in roles if not given or role in given)


def _source(given: str, rules: Book) -> Source:
    from rules.book.conditions import did_you_mean

    found = rules.sources.get(given)
    if found is None:
        hint = did_you_mean(given, tuple(rules.sources))
        raise typer.BadParameter(f"source {given!r} is not in sources.yaml: add the document there first{hint}")
    return found


def _write(plan: RuleDraft, folder: Path, files: Mapping[str, bytes]) -> Path:
    from rules.errors import BookInvalid
    from rules.loader import read_book

    path, text = folder / plan.file, plan.text()
    if path.exists():
        raise typer.BadParameter(f"{reached(path)} is there already; choose another title")
    name = plan.file
    try:
        read_book({**files, name: text.encode()})
    except BookInvalid as error:
        own = [problem for problem in error.problems if problem.file == name]
        for problem in own or error.problems:
            complain(str(problem))
        complain(
            "Nothing was written." if own else "Nothing was written: mend the other files first (scrub rules lint)."
        )
        raise typer.Exit(1) from None
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path
