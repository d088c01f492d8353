"""`scrub rules`: what the book says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rules.terms import LAYERS, Grade, RuleStatus, Severity
from worker.cli import author, diff, docs, drafts, explain, impact, lint, overrides, packs, prove, trial
from worker.cli.common.books import BookFolder, day_of, read_untried, rules_named, untried_book
from worker.cli.common.choices import codes, payer_named, payers
from worker.cli.common.terminal import Format, Style, columns, complain, paint, say, say_json, width

if TYPE_CHECKING:
    from datetime import date

    from rules.book.rule import Rule, Version

FormatOption = Annotated[Format, typer.Option(help="text for people; json: one object a line.")]

app = typer.Typer(no_args_is_help=True)
_HEADS = ("code", "severity", "grade", "status", "dates of service", "payers", "title")


@app.callback()
def _group() -> None:
    """The rule book: what is checked, for which payer, since when, and by which source; and the tools of its author.

    How to add or change a rule: rules/README.md.
    """


@app.command("list")
def list_(
    payer: Annotated[
        str | None,
        typer.Option(
            metavar="PAYER", autocompletion=payers, help="A payer of the book such as medicare, or payer/plan."
        ),
    ] = None,
    subject: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Letters of a code (UNT), or text in title, message or fix.")
    ] = None,
    severity: Annotated[Severity | None, typer.Option(help="Of the version that is shown.")] = None,
    grade: Annotated[Grade | None, typer.Option(help="How good the source is, of the version that is shown.")] = None,
    on: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="Versions in force on this date of service; default: the newest ones."),
    ] = None,
    status: Annotated[
        RuleStatus | None, typer.Option(help="draft: runs and is logged, never routes; retired: does not run.")
    ] = None,
    book: BookFolder = None,
    format: FormatOption = "text",
) -> None:
    """Lists the rules, one a line: code, severity, grade, status, dates, payers, title. All filters must hold.

    With --payer, the rules that are for all payers are listed too.

    Examples:

    * `scrub rules list --payer medicare --severity block`

    * `scrub rules list --subject UNT --on 2025-06-30`

    * `scrub rules list --status draft`

    * `scrub rules list --format json | jq -r .code | sort -u`
    """
    rules = untried_book(book)
    day = day_of(on)
    if payer is not None:
        payer = payer_named(payer, rules)
    found = [
        (rule, version)
        for rule in sorted(rules.rules, key=lambda rule: (rule.code, rule.file))
        if (version := rule.version_on(day) if day else rule.versions[-1])
        and status in (None, rule.status)
        and severity in (None, version.severity)
        and grade in (None, version.citation.grade)
        and _serves(rule, payer)
        and _is_about(rule, version, subject)
    ]
    if not found:
        complain("no rule is so; `scrub rules list` lists all")
    if format == "json":
        say_json(*(_described(rule) for rule, _ in found))
        return
    _table(found, day)


def _serves(rule: Rule, payer: str | None) -> bool:
    key, _, plan = (payer or "").partition("/")
    return payer is None or rule.serves(key, plan or None)


def _is_about(rule: Rule, version: Version, subject: str | None) -> bool:
    if subject is None:
        return True
    from rules.authoring.words import SUBJECTS, subject_of, template

    if subject in SUBJECTS or (subject[:3] in SUBJECTS and subject.isupper()):
        return rule.code.startswith(subject)
    texts = (rule.file, rule.title, subject_of(rule.code), template(version.message), template(version.fix))
    return any(subject.casefold() in text.casefold() for text in texts)


def _table(found: list[tuple[Rule, Version]], day: date | None) -> None:
    from rules.authoring.words import payers as served
    from rules.authoring.words import period

    rows = [
        (r.code, v.severity, v.citation.grade, r.status, period(v), served(r), r.title)
        for r, v in found
    ]  # fmt: skip
    styles: tuple[Style | None, ...] = ("bold", None, "dim", None, "dim", None)
    if not width():
        say(*columns(rows))
        return
    lines = columns([_HEADS, *rows], styles)
    say(*lines, "")
    codes, when = len({rule.code for rule, _ in found}), f" in force on {day}" if day else ""
    say(f"{len(found)} rules under {codes} codes{when}. `scrub rules show CODE` shows all of one.")


@app.command("show")
def show(
    code: Annotated[
        str, typer.Argument(metavar="CODE", autocompletion=codes, help="Such as UNT001, or a file: UNT001-one-unit.")
    ],
    book: BookFolder = None,
    format: FormatOption = "text",
) -> None:
    """Shows all of a rule: what it says to whom since when, how to fix it, its source, and its examples.

    Examples:

    * `scrub rules show UNT001`

    * `scrub rules show MOD004 --format json`
    """
    untried = read_untried(book)
    found = rules_named(code, untried.book)
    if format == "json":
        say_json(*(_described(r) | {"document": untried.documents[r.file].data} for r in found))
        return
    for rule in found:
        say(*_shown(rule, untried.documents[rule.file].data))


def _judges(rule: Rule) -> str:
    if rule.scope == "claim":
        return "the claim as a whole"
    return "each line" if rule.layer in LAYERS else f"each line of {rule.layer}"


def _shown(rule: Rule, document: dict[str, Any]) -> Iterator[str]:
    from rules.authoring.words import payers as served

    status = "" if rule.status == "active" else f"  ({rule.status})"
    yield f"{paint(rule.code, 'bold')}  {paint(rule.title, 'bold')}{status}"
    rows = [
        *((name, text) for name, text in (("fault", rule.fault), ("cause", rule.cause)) if text),
        ("payers", served(rule)),
        ("bills as", ", ".join(sorted(rule.bills_as))),
        ("judges", _judges(rule)),
        ("runs", "in the worker, where there is a ledger" if rule.needs_history else "everywhere"),
        ("file", f"{rule.file}.yaml"),
    ]
    yield from columns([(f"  {name}", text) for name, text in rows], ("dim",))
    for version in rule.versions:
        yield from _version(version)
    yield "  " + paint("facts", "dim")
    yield from columns(_facts(rule))
    yield "  " + paint("examples", "dim")
    yield from columns([(f"    {entry['expect']}", entry["name"]) for entry in document["examples"]])
    yield ""


def _facts(rule: Rule) -> list[tuple[str, ...]]:
    from rules.facts import FACTS

    names = dict.fromkeys(name for version in rule.versions for name in version.read)
    return [(f"    {name}", FACTS[name].says) for name in names]


def _version(version: Version) -> Iterator[str]:
    from rules.authoring.words import cited, conditions, expected, period, sentence, template
    from worker.cli.common.verdicts import STYLES

    yield f"  {paint(version.severity, STYLES[version.severity])}  for dates of service {period(version)}"
    rows = [(name, sentence(condition)) for name, condition in conditions(version)]
    rows += [("says", template(version.message)), ("fix", template(version.fix))]
    rows += [("patch", f"{patch.op} {patch.path} {patch.value or ''}".rstrip()) for patch in version.patch]
    rows += [(f"try ({one.change_class})", template(one.confirm)) for one in version.suggest]
    if version.bypass:
        rows += [("when lifted", template(version.bypass.message)), ("", template(version.bypass.fix))]
    rows += [("source", cited(version.citation))]
    if version.citation.url:
        rows += [("", version.citation.url)]
    if version.denial:
        rows += [("expect", expected(version.denial))]
    yield from columns([(f"    {name}", text) for name, text in rows], ("dim",))


@app.command("facts")
def facts(
    text: Annotated[str | None, typer.Argument(metavar="[TEXT]", help="In a fact's name or sentence.")] = None,
    format: FormatOption = "text",
) -> None:
    """Lists the facts that rules may read: name, scope, kind, what it says; and the tests that each kind has.

    Example: `scrub rules facts units`
    """
    from rules.book.conditions import TESTS
    from rules.facts import FACTS

    wanted = (text or "").casefold()
    found = [one for one in FACTS.values() if wanted in one.name.casefold() or wanted in one.says.casefold()]
    if format == "json":
        say_json(
            *(
                {"name": f.name, "scope": f.scope, "kind": f.kind, "says": f.says, "tests": _tests(f.kind)}
                for f in found
            )
        )
        return
    say(*columns([(f.name, f.scope, f.kind, f.says) for f in sorted(found, key=lambda f: f.name)], ("bold",)))
    if width():
        say("", *columns([(kind, ", ".join(_tests(kind))) for kind in TESTS], ("dim",)))


def _tests(kind: Any) -> tuple[str, ...]:
    from rules.book.conditions import TESTS

    return (*TESTS[kind], "missing")


app.command("explain")(explain.explain)
app.command("lint")(lint.lint)
app.command("test")(trial.tried)
app.command("prove")(prove.proven)
app.command("new")(author.new)
app.command("docs")(docs.docs)
app.command("diff")(diff.diff)
app.command("impact")(impact.impact)
app.command("overrides")(overrides.overrides)
app.add_typer(drafts.app, name="drafts")
app.command("pack")(packs.pack)
app.command("sign")(packs.sign)
app.command("verify")(packs.verify)
app.command("switch")(packs.switch)
app.command("rollback")(packs.rollback)


def _described(rule: Rule) -> dict[str, Any]:
    from rules.authoring.words import conditions, sentence, subject_of, template

    return {
        "code": rule.code, "title": rule.title, "subject": subject_of(rule.code), "file": rule.file,
        "payers": rule.payers, "except_payers": rule.except_payers, "bills_as": sorted(rule.bills_as),
        "scope": rule.scope, "status": rule.status, "fault": rule.fault, "cause": rule.cause,
        "versions": [
            {
                "from": version.start, "to": None if version.end.year == 9999 else version.end,
                "severity": version.severity,
                "conditions": {name: sentence(condition) for name, condition in conditions(version)},
                "message": template(version.message), "fix": template(version.fix),
                "expected_denial": version.denial, "citation": version.citation,
            }
            for version in rule.versions
        ],
    }  # fmt: skip
