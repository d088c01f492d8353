"""The catalogue of a book as Markdown, and as one HTML page that needs no network."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from html import escape
from itertools import groupby
from pathlib import Path

from rules.authoring.words import (
    GRADES,
    SEVERITY_SAYS,
    SUBJECTS,
    cited,
    conditions,
    expected,
    payers,
    period,
    sentence,
    subject_of,
    template,
)
from rules.book.book import Book
from rules.book.rule import Rule, Version, by_code
from rules.loader import Untried

_PAGE = Path(__file__).with_suffix(".html")
_BILLS_AS = {
    "practitioner": "practitioners",
    "hospital_outpatient": "hospitals (outpatient)",
    "asc": "surgical centers",
}


def markdown(untried: Untried) -> str:
    """The catalogue for a repository: reviewed beside the rule files, checked by CI."""
    book = untried.book
    lines = [
        "# Rule catalogue",
        "",
        f"Generated from the rule files by `scrub rules docs`; do not edit. Book {book.version}, procedures"
        f" {', '.join(book.procedures)}: {_counts(book)}. How to read and change a rule: [README.md](README.md).",
        "",
        *(f"- **{name}**: {says}." for name, says in SEVERITY_SAYS.items()),
        *(f"- grade **{name}**: {says}." for name, says in GRADES.items()),
        "",
    ]
    for letters, codes in _subjects(book):
        lines += [f"## {letters}: {SUBJECTS.get(letters, letters)}", ""]
        for code, rules in codes:
            lines += [f"### {code}", ""]
            for rule in rules:
                lines += [*_rule_lines(rule, untried), ""]
    return "\n".join(lines).rstrip() + "\n"


def _counts(book: Book) -> str:
    codes, versions = len({rule.code for rule in book.rules}), sum(len(rule.versions) for rule in book.rules)
    return f"{codes} codes, {len(book.rules)} rules, {versions} versions, {len(book.sources)} sources"


def _subjects(book: Book) -> Iterator[tuple[str, list[tuple[str, tuple[Rule, ...]]]]]:
    """The rules by code, and the codes by their letters."""
    for letters, codes in groupby(by_code(book.rules).items(), key=lambda entry: entry[0][:3]):
        yield letters, list(codes)


def _rule_lines(rule: Rule, untried: Untried) -> Iterator[str]:
    status = "" if rule.status == "active" else f" ({rule.status})"
    link = f"[{rule.file.partition('/')[2]}](library/{rule.file}.yaml)"
    yield f"**{_plain(rule.title)}**{status} · {_plain(payers(rule))} · {_who(rule)} · {link}"
    yield ""
    yield from (f"- {name}: {_plain(text)}" for name, text in (("fault", rule.fault), ("cause", rule.cause)) if text)
    for version in rule.versions:
        yield f"- **{version.severity}**, {period(version)}, grade {version.citation.grade}"
        yield from (f"  - {name}: {_plain(text)}" for name, text in _described(version))
    yield f"- examples: {len(untried.documents[rule.file].data['examples'])}"


def _described(version: Version) -> Iterator[tuple[str, str]]:
    """What there is to say of a version, by what it is."""
    for name, condition in conditions(version):
        yield name, sentence(condition)
    yield "says", template(version.message)
    yield "fix", template(version.fix)
    if version.bypass:
        yield "when lifted", f"{template(version.bypass.message)} {template(version.bypass.fix)}"
    if version.denial:
        yield "expect", expected(version.denial)
    yield "source", cited(version.citation) + (f" <{version.citation.url}>" if version.citation.url else "")


def _who(rule: Rule) -> str:
    if len(rule.bills_as) == len(_BILLS_AS):
        return "all who bill"
    return ", ".join(text for role, text in _BILLS_AS.items() if role in rule.bills_as)


def _plain(text: str) -> str:
    """The text as Markdown shows it unchanged."""
    for sign in "\\*`[]|":
        text = text.replace(sign, f"\\{sign}")
    return text


def page(untried: Untried) -> str:
    """The catalogue as a page: every rule is in it, and a script of its own filters what is shown."""
    book = untried.book
    registry = book.registry.payers
    options = [(key, payer.name) for key, payer in registry.items()]
    parts = {
        "version": escape(book.label),
        "digest": escape(book.digest[:12]),
        "procedure": escape(", ".join(book.procedures)),
        "counts": escape(_counts(book)),
        "payers": "".join(f'<option value="{key}">{escape(name)}</option>' for key, name in options),
        "subjects": "".join(
            f'<option value="{letters}">{letters} {escape(SUBJECTS.get(letters, ""))}</option>'
            for letters, _ in _subjects(book)
        ),
        "grades": "".join(f"<li><b>Grade {name}</b>: {escape(says)}." for name, says in GRADES.items()),
        "severities": "".join(f"<li><b>{name}</b>: {escape(says)}." for name, says in SEVERITY_SAYS.items()),
        "rules": "\n".join(_article(rule, untried) for rules in by_code(book.rules).values() for rule in rules),
    }
    text = _PAGE.read_text(encoding="utf-8")
    for name, part in parts.items():
        text = text.replace(f"<!--{name}-->", part)
    return text


def _article(rule: Rule, untried: Untried) -> str:
    newest = rule.versions[-1]
    served = " ".join(sorted({name.split("/")[0] for name in rule.payers}))
    status = "" if rule.status == "active" else f' <span class="tag">{rule.status}</span>'
    examples = untried.documents[rule.file].data["examples"]
    listed = "".join(f"<li><i>{escape(entry['expect'])}</i> {escape(entry['name'])}" for entry in examples)
    return (
        f'<details class="rule" data-code="{rule.code}" data-payers="{escape(served)}" data-status="{rule.status}">'
        f'<summary><span class="code">{rule.code}</span> <span class="tag {newest.severity}">{newest.severity}</span>'
        f" <span>{escape(rule.title)}</span>{status}"
        f' <span class="for">{escape(payers(rule))} · {escape(_who(rule))}</span></summary>'
        + "".join(_section(version) for version in rule.versions)
        + f'<details class="examples"><summary>{len(examples)} examples</summary><ul>{listed}</ul></details>'
        f'<p class="file">{escape(subject_of(rule.code))} · {escape(rule.file)}.yaml</p></details>'
    )


def _section(version: Version) -> str:
    end = "" if version.end == date.max else version.end.isoformat()
    rows = "".join(f"<dt>{escape(name)}<dd>{_linked(text)}" for name, text in _described(version))
    return (
        f'<section data-from="{version.start}" data-to="{end}" data-severity="{version.severity}"'
        f' data-grade="{version.citation.grade}"><h3><span class="tag {version.severity}">{version.severity}</span>'
        f" {period(version)} · grade {version.citation.grade}</h3><dl>{rows}</dl></section>"
    )


def _linked(text: str) -> str:
    """Escaped, with the address at the end of a source as a link."""
    before, mark, address = text.partition(" <http")
    if not mark:
        return escape(text)
    url = escape("http" + address.removesuffix(">"), quote=True)
    return f'{escape(before)}<br><a href="{url}">{url}</a>'
