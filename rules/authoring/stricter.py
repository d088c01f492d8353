"""Which rules of a new book may hold a claim that the old one let pass: new ones, and those that are stricter.

Works on the files as they are written, as the difference of two books does: an old one may rest on facts that are gone.
Where a condition was changed it counts as stricter unless it plainly is not, since what a test lets through is not
compared. What a table, a payer's ids or a fact have come to mean is not seen here: no file of a rule says it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Literal, NamedTuple

from rules.book.book import Book
from rules.book.rule import Rule, Version
from rules.book.rulefile import read_document, without_examples
from rules.terms import LAYERS, PROCEDURES

Data = Mapping[str, Any]
Why = Literal["new", "stricter"]
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Period:
    """Dates of service, inclusive."""

    start: date
    end: date

    def less(self, other: Period) -> Iterator[Period]:
        """What of it lies outside another one."""
        if other.end < self.start or other.start > self.end:
            yield self
            return
        if self.start < other.start:
            yield Period(self.start, other.start - _DAY)
        if self.end > other.end:
            yield Period(other.end + _DAY, self.end)


@dataclass(frozen=True, slots=True)
class Stricter:
    """A rule of the new book that may hold what passed, for whom, and on which dates of service."""

    rule: Rule
    why: Why
    payers: tuple[str, ...] = ()
    """Those for whom it is; empty: all that the rule is for."""
    period: Period | None = None
    """None: all dates."""
    before: str = ""
    """The old rule's file without its examples, where it held claims that the new one would hold as well."""


@dataclass(frozen=True, slots=True)
class _Old:
    """A rule of the old book."""

    data: Data
    payers: frozenset[str]
    excepted: frozenset[str]
    text: str

    @property
    def held(self) -> str:
        """Its text, where a version of it held claims."""
        return self.text if any(one.get("severity") == "block" for one in self.data.get("versions") or ()) else ""


def stricter(
    old: Mapping[str, bytes], new: Mapping[str, bytes], book: Book, drafts: Iterable[str] = ()
) -> list[Stricter]:
    """In order of code and file. `book`: the new one, read; `drafts`: rule files that held nothing in the old one."""
    never = {_place(file) for file in drafts}
    before = {place: one for place, one in _rules(old) if place not in never}
    found: list[Stricter] = []
    for rule in sorted(book.rules, key=lambda one: (one.code, one.file)):
        if rule.status == "active" and any(_blocks(version) for version in rule.versions):
            text = new[f"{rule.file}.yaml"].decode("utf-8", "replace")
            found += _compared(rule, read_document(rule.file, text, tried=True).data, _match(rule, before))
    return found


def _rules(files: Mapping[str, bytes]) -> Iterator[tuple[_Location, _Old]]:
    """The active rules of a book by their places."""
    groups: dict[str, set[str]] = {}
    documents, texts = {}, {}
    for name, content in files.items():
        if name.endswith(".yaml"):
            texts[name] = without_examples(content.decode("utf-8", "replace"))
            data = read_document(name, texts[name]).data
            documents[name] = data if isinstance(data, dict) else {}
    for name, data in documents.items():
        if name.startswith("payers/"):
            for group in data.get("groups") or ():
                groups.setdefault(group, set()).add(str(data.get("payer")))
    for name, data in documents.items():
        if "code" in data and data.get("status") == "active":
            payers = {member for one in data.get("payers") or () for member in groups.get(one, {one})}
            one = _Old(data, frozenset(payers), frozenset(data.get("except_payers") or ()), texts[name])
            yield _place(name.removesuffix(".yaml")), one


class _Location(NamedTuple):
    """Where a rule's file lies, whatever the release: folders above that of the payer have moved."""

    procedure: str
    """Empty: of no procedure."""
    name: str
    """Folder of the payer, and name of the file."""

    @property
    def code(self) -> str:
        return self.name.partition("/")[2].partition("-")[0]


def _place(file: str) -> _Location:
    first, *_, folder, name = file.split("/")
    procedure = file.split("/")[1] if first == PROCEDURES else "" if first in LAYERS else first
    return _Location(procedure, f"{folder}/{name}")


def _match(rule: Rule, before: Mapping[_Location, _Old]) -> _Old | None:
    """The old rule of this file; else the only one of its code and payers, whose file was renamed.

    A rule that is of no procedure now was one of a procedure in releases 0.1.
    """
    here = _place(rule.file)
    near = {at: one for at, one in before.items() if at.procedure in (here.procedure, "") or not here.procedure}
    if found := [one for at, one in near.items() if at.name == here.name]:
        return found[0]
    alike = [one for at, one in near.items() if at.code == rule.code and one.payers >= set(rule.payers)]
    return alike[0] if len(alike) == 1 else None


def _blocks(version: Version) -> bool:
    return version.severity == "block"


def _compared(rule: Rule, data: Data, old: _Old | None) -> Iterator[Stricter]:
    if old is None or _wider(data, old.data) or ("all" in rule.payers and "all" not in old.payers):
        yield Stricter(rule, "stricter", before=old.held) if old else Stricter(rule, "new")
        return
    if more := _more_payers(rule, old):
        yield Stricter(rule, "stricter", more)
    for version, written in zip(rule.versions, data["versions"], strict=True):
        if _blocks(version):
            for period in _uncovered(Period(version.start, version.end), written, old.data):
                whole = len(rule.versions) == 1 and period == Period(version.start, version.end)
                yield Stricter(rule, "stricter", (), None if whole else period, old.held)


def _wider(new: Data, old: Data) -> bool:
    """Whether the rule as a whole is for more claims."""
    more = set(new.get("bills_as") or ()) - set(old.get("bills_as") or ())
    voids = new.get("on_void") == "true" and old.get("on_void") != "true"
    return bool(more) or voids or new.get("scope") != old.get("scope")


def _more_payers(rule: Rule, old: _Old) -> tuple[str, ...]:
    """Payers and plans for whom the rule is now, and was not."""
    free = old.excepted - set(rule.except_payers)
    if "all" in old.payers:
        return tuple(sorted(free))
    here = {name for name in rule.payers if name not in old.payers and name.partition("/")[0] not in old.payers}
    return tuple(sorted(here | free))


def _uncovered(period: Period, new: Data, old: Data) -> list[Period]:
    """The dates on which no old version blocked at least what the new one blocks."""
    left = [period]
    for one in old.get("versions") or ():
        effective = one.get("effective") or {}
        if one.get("severity") == "block" and _covers(one, new):
            start, end = effective.get("from"), effective.get("to")
            other = Period(date.fromisoformat(str(start)), date.fromisoformat(str(end)) if end else date.max)
            left = [part for each in left for part in each.less(other)]
    return left


def _covers(old: Data, new: Data) -> bool:
    """Whether the old version plainly blocked all that the new one blocks: it asks the same, or applies to more."""
    if old.get("bypass") and (old.get("bypass") or {}).get("when") != (new.get("bypass") or {}).get("when"):
        return False
    if any(old.get(key) != new.get(key) for key in ("require", "forbid")):
        return False
    before, after = (one.get("applies_when") or {} for one in (old, new))
    return all(after.get(fact) == test for fact, test in before.items())
