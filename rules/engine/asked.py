"""Which edition of a dated table a rule looked into."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from rules.book.rule import Rule, Version
from rules.facts import Facts
from rules.facts.parts import edition_of, has_to_look, part_of
from rules.report import EditionId
from rules.tables.cadence import last_day_of


class Asked(NamedTuple):
    """An edition of a dated table that a rule looked into."""

    rule: str
    line: int | None
    edition: EditionId
    last_day: date | None
    """The last date of service that the edition speaks for."""
    past: bool
    """Whether it was asked about a later one."""


def asked(rule: Rule, version: Version, facts: Facts) -> Asked:
    """The edition of the version's table that judges these facts: an imported one, or the shipped rows."""
    assert version.edition is not None
    table = version.edition.table
    imported = edition_of(facts, table)
    named = imported.named if imported else version.edition
    last = last_day_of(imported, part_of(facts, table) or "") if imported else version.last_day
    late = last is not None and facts.day is not None and facts.day > last
    past = late and has_to_look(facts, table)
    return Asked(rule.code, facts.line_number, named, last, past)
