"""The page of a rule: what is wrong, what to do, for which payers by whose word, as the book in force has it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from rules.authoring.words import GRADES, SEVERITY_SAYS, cited, expected, subject_of, template
from rules.book.book import Book
from rules.book.rule import Rule, Version
from rules.claim import Role
from worker.serve.pages.claimpage import SEVERITY, anchor, sentence
from worker.serve.pages.frame import Pill
from worker.serve.pages.words import Words, without_commands

_STATUS: Mapping[str, str] = {
    "draft": "A draft: it runs and is on record, and holds nothing.",
    "retired": "Retired: it does not run any more.",
}


_ROLES: Mapping[Role, str] = {
    "practitioner": "practitioners", "asc": "surgical centers",
    "hospital_outpatient": "hospital outpatient departments",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ForPayers:
    """A version of a rule."""

    anchor: str
    payers: str
    roles: str
    pill: Pill
    effect: str
    since: str
    source: str
    url: str
    grade_says: str
    said: str
    todo: str
    denial: str
    status: str
    override: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RulePage:
    """All rules of a code."""

    code: str
    subject: str
    title: str
    fault: str
    versions: tuple[ForPayers, ...]
    former: tuple[ForPayers, ...]
    """Versions of dates of service that are past."""
    book: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleEntry:
    """A code on the list of rules."""

    code: str
    subject: str
    says: str


def rules_of(book: Book, code: str) -> list[Rule]:
    """Those of a code, that of the most payers first."""
    found = [rule for rule in book.rules if rule.code == code.upper()]
    return sorted(found, key=lambda one: (one.payers != ("all",), one.file))


def near(book: Book, code: str) -> tuple[str, ...]:
    """Codes that look like one that is not there."""
    codes = sorted({rule.code for rule in book.rules})
    alike = get_close_matches(code.upper()[:8], codes, n=5, cutoff=0.5)
    begin = [one for one in codes if code[:3] and one.startswith(code.upper()[:3])]
    return tuple(dict.fromkeys([*alike, *begin]))[:8]


def rule_page(rules: Sequence[Rule], book: Book, words: Words) -> RulePage:
    """The page of the rules of a code."""
    first = rules[0]
    names = {key: one.name for key, one in book.registry.payers.items()}
    names |= {
        f"{key}/{plan}": each.name for key, one in book.registry.payers.items() for plan, each in one.plans.items()
    }
    newest = [_for_payers(rule, rule.versions[-1], names, words) for rule in rules]
    former = [_for_payers(rule, one, names, words) for rule in rules for one in reversed(rule.versions[:-1])]
    return RulePage(
        code=first.code,
        subject=subject_of(first.code).capitalize(),
        title=first.title,
        fault=next((one.fault for one in rules if one.fault), ""),
        versions=tuple(newest),
        former=tuple(former),
        book=book.version,
    )


def index(book: Book) -> tuple[RuleEntry, ...]:
    """Every code of the book, once."""
    first: dict[str, Rule] = {}
    for rule in book.rules:
        if rule.status != "retired":
            first.setdefault(rule.code, rule)
    return tuple(
        RuleEntry(code=code, subject=subject_of(code), says=first[code].fault or first[code].title)
        for code in sorted(first)
    )


def fault_of(book: Book, code: str) -> str:
    """What is wrong where rules of a code fail, in a few words."""
    return next((one.fault or one.title for one in book.rules if one.code == code), "")


def _for_payers(rule: Rule, version: Version, names: Mapping[str, str], words: Words) -> ForPayers:
    citation, but = version.citation, _named(rule.except_payers, names)
    until = "" if version.end.year > 9000 else f" to {words.full_day(version.end)}"
    return ForPayers(
        anchor=anchor(rule.file),
        payers=_named(rule.payers, names) + (f", but not {but}" if but else ""),
        roles=_roles(rule),
        pill=SEVERITY[version.severity],
        effect=SEVERITY_SAYS[version.severity],
        since=words.full_day(version.start) + until,
        source=cited(citation).rpartition(" [")[0] + f" (grade {citation.grade})",
        url=citation.url if citation.url and citation.url.startswith("https://") else "",
        grade_says=GRADES[citation.grade],
        said=template(version.message),
        todo=without_commands(template(version.fix)),
        denial=sentence(expected(version.denial)) if version.denial else "",
        status=_STATUS.get(rule.status, ""),
    )


def _named(payers: Iterable[str], names: Mapping[str, str]) -> str:
    return ", ".join("All payers" if one == "all" else names.get(one, one) for one in payers)


def _roles(rule: Rule) -> str:
    """For whose bills it is; empty: for all."""
    return "" if len(rule.bills_as) == len(_ROLES) else ", ".join(_ROLES[one] for one in _ROLES if one in rule.bills_as)
