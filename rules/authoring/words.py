"""Rules in words, for people who do not read their files: conditions, periods, payers, subjects, denials."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date

from rules.book.logic import Asked, Condition
from rules.book.rule import Rule, Text, Version
from rules.report import Citation, Denial

SUBJECTS: Mapping[str, str] = {
    "ADR": "names, addresses and numbers",
    "AUT": "authorization",
    "BND": "bundling",
    "CLM": "claim form",
    "COB": "other payers",
    "COV": "coverage",
    "DOC": "documentation",
    "DRG": "drugs",
    "DUP": "duplicates",
    "DXN": "diagnoses",
    "EDT": "edits of all lines",
    "FRQ": "frequency",
    "IDN": "identifiers",
    "MOD": "modifiers",
    "PAY": "payer",
    "POS": "place of service",
    "RDR": "reading",
    "SYN": "syntax of the form",
    "TIM": "timely filing",
    "UBF": "institutional form",
    "UNT": "units",
}
"""What the first three letters of a code stand for."""
GRADES: Mapping[str, str] = {
    "A": "the rule-maker's own text or official file, read",
    "B": "a named, specific secondary source",
    "C": "weak, or from memory",
    "S": "the claim contradicts itself or its own record",
}
SEVERITY_SAYS: Mapping[str, str] = {
    "block": "the claim goes to rework",
    "warn": "the claim goes to billing, and the finding is shown",
    "note": "the claim goes to billing, for the record",
}
_TESTS: Mapping[str, str] = {
    "eq": "is",
    "ne": "is not",
    "lt": "is less than",
    "le": "is at most",
    "gt": "is more than",
    "ge": "is at least",
    "in": "is one of",
    "not_in": "is none of",
    "starts_with": "starts with",
    "not_starts_with": "does not start with",
    "format": "has the form of",
    "in_table": "is in the table",
    "not_in_table": "is not in the table",
    "any_of": "has any of",
    "all_of": "has all of",
    "none_of": "has none of",
    "only": "has nothing but",
    "any_start_with": "has one that starts with",
    "none_start_with": "has none that starts with",
    "any_in_table": "has one of the table",
    "none_in_table": "has none of the table",
    "on_or_after": "is on or after",
    "on_or_before": "is on or before",
    "before": "is before",
    "is": "is",
}
_WHOLE: Mapping[tuple[str, str], str] = {
    ("empty", "true"): "is empty",
    ("empty", "false"): "is not empty",
    ("missing", "true"): "is missing",
    ("missing", "false"): "is known",
    ("is", "true"): "is true",
    ("is", "false"): "is false",
}
_ONE: Mapping[str, str] = {"in": "is", "not_in": "is not", "any_of": "has", "all_of": "has", "none_of": "has no"}
JOINS: Mapping[str, str] = {"all": "all of", "any": "any of", "not": "not"}


def subject_of(code: str) -> str:
    """`units` for UNT001; the letters themselves where they stand for nothing known."""
    return SUBJECTS.get(code[:3], code[:3])


def asked(asks: Asked) -> str:
    """`modifiers has any of 26, TC`."""
    fact, against = spaced(asks.fact), asks.against
    values = (against,) if isinstance(against, str) else against
    if whole := _WHOLE.get((asks.test, values[0])):
        return f"{fact} {whole}"
    if asks.test.endswith("_fact"):
        return f"{fact} {_TESTS[asks.test.removesuffix('_fact')]} {spaced(values[0])}"
    verb = _ONE.get(asks.test) if len(values) == 1 else None
    return f"{fact} {verb or _TESTS[asks.test]} {', '.join(values)}"


def spaced(fact: str) -> str:
    """A fact's name without underscores."""
    return fact.replace("_", " ")


def sentence(condition: Condition, inside: bool = False) -> str:
    """The condition on one line, such as `first of day is true and (a is 1 or b is empty)`."""
    if condition.asks:
        return asked(condition.asks)
    if condition.join == "not":
        part = condition.parts[0]
        return f"not {sentence(part, True)}" if part.join in ("all", "any") else f"not ({sentence(part)})"
    if not condition.parts:
        return "always"
    word = " and " if condition.join == "all" else " or "
    text = word.join(sentence(part, True) for part in condition.parts)
    return f"({text})" if inside else text


def conditions(version: Version) -> Iterator[tuple[str, Condition]]:
    """The version's conditions, each with what it is for."""
    if version.applies.facts:
        yield "applies when", version.applies
    yield ("requires" if version.wanted else "forbids"), version.demand
    if version.bypass:
        yield "lifted when", version.bypass.when


def template(text: Text) -> str:
    """A message as the rule file has it, with its facts in braces."""
    return "".join(literal + (f"{{{name}}}" if name else "") for literal, name in text.parts)


def period(version: Version) -> str:
    """`since 2026-01-01`, or `2024-10-01 to 2025-12-31`: dates of service, inclusive."""
    return f"since {version.start}" if version.end == date.max else f"{version.start} to {version.end}"


def payers(rule: Rule) -> str:
    """`medicare`, `all but cigna`."""
    text = ", ".join(rule.payers)
    return f"{text} but {', '.join(rule.except_payers)}" if rule.except_payers else text


def cited(citation: Citation) -> str:
    """Title, edition and place of the source, with its grade."""
    parts = [part for part in (citation.source, citation.edition, citation.locator) if part]
    return ", ".join(parts) + f" [grade {citation.grade}]"


def expected(denial: Denial) -> str:
    """What the payer is expected to answer, as it stands on a remittance or a 277CA."""
    if denial.kind == "rejection":
        codes = " ".join(code for code in (denial.category, denial.status) if code)
        return f"rejection before adjudication{f' ({codes})' if codes else ''}"
    codes = "-".join(code for code in (denial.group, denial.carc) if code)
    return " ".join(["denial", *(code for code in (codes, denial.rarc) if code)])
