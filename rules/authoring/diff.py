"""What one rule book says otherwise than another, in words: rules, payers, sources and tables.

Works on the files as they are written, not on compiled rules: a book of last year may rest on facts that are gone.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal

from rules.book.conditions import COMPARE
from rules.book.missing import MISSING
from rules.book.rulefile import read_document
from rules.tables.table import SPECS

What = Literal[
    "added", "removed", "retired", "status", "severity", "condition", "dates", "source", "message", "payers",
    "version", "table", "payer", "procedure", "book", "text", "unreadable",
]  # fmt: skip
Data = Mapping[str, Any]
_WHOLE: Mapping[str, What] = {
    "status": "status", "payers": "payers", "except_payers": "payers", "bills_as": "payers", "scope": "payers",
    "on_void": "payers", "title": "message",
}  # fmt: skip
_TEXTS = ("message", "fix", "patch", "suggest", "expected_denial")
_CONDITIONS = {"applies_when": "applies where", "require": "requires", "forbid": "forbids", "bypass": "is lifted where"}
_JOINS = ("any", "all", "not")
PACKAGE = "/procedure.yaml"


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that the new book says otherwise."""

    what: What
    file: str
    """Path in the book."""
    code: str | None
    payers: tuple[str, ...]
    since: str | None
    """First date of service for which it holds, ISO 8601; null: it is not of one version of a rule."""
    sentence: str
    old: str | None = None
    new: str | None = None


def difference(old: Mapping[str, bytes], new: Mapping[str, bytes]) -> list[Change]:
    """Every change from one book to another, by their files' content; in order of code, payers and date."""
    changes: list[Change] = []
    for name in sorted({*old, *new}):
        before, after = _text(old.get(name)), _text(new.get(name))
        if before == after:
            continue
        changes += _table(name, before, after) if name.endswith(".csv") else _yaml(name, before, after)
    return sorted(changes, key=_place)


def _place(change: Change) -> tuple[bool, str, tuple[str, ...], str, str]:
    return (change.code is None, change.code or "", change.payers, change.file, change.since or "")


def _text(content: bytes | None) -> str | None:
    return None if content is None else content.decode("utf-8", "replace").replace("\r\n", "\n")


def _yaml(name: str, before: str | None, after: str | None) -> list[Change]:
    documents = [None if text is None else read_document(name, text) for text in (before, after)]
    if broken := [document for document in documents if document and not isinstance(document.data, dict)]:
        return [Change("unreadable", name, None, (), None, f"cannot be read: {next(iter(broken[0].problems), '')}")]
    old, new = (document.data if document else None for document in documents)
    if name.endswith(PACKAGE) and (old is None or new is None):
        found = [_package(name, old, new)]
    elif name in ("book.yaml", "sources.yaml", MISSING) or name.startswith("payers/") or name.endswith(PACKAGE):
        found = list(_plain(name, old or {}, new or {}))
    else:
        found = list(_rule(name, old, new))
    if found or old is None or new is None:
        return found
    sentence = "examples are changed" if old.get("examples") != new.get("examples") else "layout or comments alone"
    about = new if "code" in new else {}
    return [Change("text", name, about.get("code"), tuple(about.get("payers", ())), None, sentence)]


def _about(name: str) -> What:
    if name == "sources.yaml":
        return "source"
    if name.endswith(PACKAGE):
        return "procedure"
    return "payer" if name.startswith("payers/") else "book"


def _package(name: str, old: Data | None, new: Data | None) -> Change:
    about, verb = (new, "added") if old is None else (old, "removed")
    sentence = f"{verb}: the package for {_of(about, 'procedure')} ({_of(about, 'name')})"
    return Change("procedure", name, None, (), None, sentence)


def _plain(name: str, old: Data, new: Data) -> Iterator[Change]:
    """Changes of payers, sources and the book's head, value by value."""
    what = _about(name)
    payers = (str(new.get("payer") or old.get("payer")),) if what == "payer" else ()
    whole = old.keys() ^ new.keys() if what == "source" else set()
    for key in [*(key for key in old if key in whole), *(key for key in new if key in whole)]:
        entry, verb = (old[key], "removed") if key in old else (new[key], "added")
        yield Change(what, name, None, payers, None, f"{key} {verb}: {_of(entry, 'title')}")
    before, after = (dict(_leaves({k: v for k, v in es.items() if k not in whole})) for es in (old, new))
    for path in [*before, *(path for path in after if path not in before)]:
        left, right = before.get(path), after.get(path)
        if left != right:
            yield Change(what, name, None, payers, None, f"{path}: {_turned(left, right)}", left, right)


def _leaves(node: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """The values with their paths; entries of a list go by their `id`, so that an inserted one moves none."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _leaves(value, f"{path}.{key}" if path else str(key))
    elif isinstance(node, list) and all(isinstance(entry, dict) and "id" in entry for entry in node):
        for entry in node:
            rest = {key: value for key, value in entry.items() if key != "id"}
            yield f"{path} {entry['id']}", _shown(rest)
    else:
        yield path, _shown(node)


def _rule(name: str, old: Data | None, new: Data | None) -> Iterator[Change]:
    about = new or old or {}
    code, payers = about.get("code"), tuple(about.get("payers") or ())

    def change(what: What, sentence: str, since: str | None = None, old: Any = None, new: Any = None) -> Change:
        before, after = (None if value is None else _shown(value) for value in (old, new))
        return Change(what, name, code, payers, since, sentence, before, after)

    if old is None or new is None:
        versions = _versions(about)
        first = min((start for start, _ in versions), default=None)
        last = versions[-1][1] if versions else {}
        verb: Literal["added", "removed"] = "added" if old is None else "removed"
        yield change(
            verb, f"{verb}: {about.get('title')} ({last.get('severity') or 'gap'}, {about.get('status')})", first
        )
        return
    for key, what in _WHOLE.items():
        left, right = old.get(key), new.get(key)
        if left != right:
            kind: What = "retired" if key == "status" and right == "retired" else what
            yield change(kind, f"{key} {_turned(left, right)}", None, left, right)
    for since, before, after, earlier in _pairs(_versions(old), _versions(new)):
        for what, sentence, left, right in _version(before, after, earlier):
            yield change(what, sentence, since, left, right)


def _versions(rule: Data) -> list[tuple[str, Data]]:
    return [(str(_of(one, "effective", "from")), one) for one in rule.get("versions") or () if isinstance(one, dict)]


def _of(node: Any, *keys: str) -> Any:
    for key in keys:
        node = node.get(key) if isinstance(node, dict) else None
    return node


_Pair = tuple[str, Data | None, Data | None, Data]


def _pairs(old: Sequence[tuple[str, Data]], new: Sequence[tuple[str, Data]]) -> Iterator[_Pair]:
    """Versions of the same first day; a single one left on either side is the same version on another day.

    The last is the version before it in the new book, which a new version is compared with.
    """
    before, after = dict(old), dict(new)
    gone, come = [day for day in before if day not in after], [day for day in after if day not in before]
    if len(gone) == len(come) == 1:
        before[come[0]] = before.pop(gone[0])
    earlier: Data = {}
    for day in sorted({*before, *after}):
        yield day, before.get(day), after.get(day), earlier
        earlier = after.get(day, earlier)


def _version(old: Data | None, new: Data | None, earlier: Data) -> Iterator[tuple[What, str, Any, Any]]:
    if new is None:
        yield "version", f"the version of these dates is gone (severity {_of(old, 'severity')})", None, None
        return
    if old is None:
        until = _of(new, "effective", "to")
        sentence = f"a new version{f', until {until}' if until else ''}, severity {new.get('severity')}"
        yield "version", sentence, None, None
        if not earlier:
            return
        old = earlier
    elif old.get("effective") != new.get("effective"):
        left, right = (_period(version.get("effective")) for version in (old, new))
        yield "dates", f"dates of service {_turned(left, right)}", left, right
    if old.get("severity") != new.get("severity"):
        severities = old.get("severity"), new.get("severity")
        yield "severity", f"severity {_turned(*severities)}", *severities
    for key, verb in _CONDITIONS.items():
        yield from _conditions(verb, *(_of(v, key, "when") if key == "bypass" else v.get(key) for v in (old, new)))
    for key, left, right in _parts(old, new):
        what: What = "source" if key.startswith("citation") else "message"
        yield what, f"{key} {_turned(left, right)}", left, right


def _parts(old: Data, new: Data) -> Iterator[tuple[str, Any, Any]]:
    for key in _TEXTS:
        if old.get(key) != new.get(key):
            yield key, old.get(key), new.get(key)
    for part in ("message", "fix"):
        left, right = _of(old, "bypass", part), _of(new, "bypass", part)
        if left != right:
            yield f"bypass {part}", left, right
    for part in ("source", "locator", "grade", "table"):
        left, right = _of(old, "citation", part), _of(new, "citation", part)
        if left != right:
            yield f"citation {part}", left, right


def _period(effective: Any) -> str:
    start, end = _of(effective, "from"), _of(effective, "to")
    return f"{start} to {end}" if end else f"from {start}"


def _conditions(says: str, old: Any, new: Any) -> Iterator[tuple[What, str, Any, Any]]:
    """Which fact and test have another value; a test on one side alone is named whole."""
    before, after = list(_tests(old)), list(_tests(new))
    gone, come = _without(before, after), _without(after, before)
    for place, fact, test, literal in list(gone):
        twin = next((other for other in come if other[:3] == (place, fact, test)), None)
        if twin:
            gone.remove((place, fact, test, literal))
            come.remove(twin)
            sentence = f"{says} {place}{fact} {_sign(test)} {_apart(literal, twin[3])}"
            yield "condition", sentence, literal, twin[3]
    for place, fact, test, literal in gone:
        yield "condition", f"no longer {says} {place}{fact} {_sign(test)} {_shown(literal)}", literal, None
    for place, fact, test, literal in come:
        yield "condition", f"now {says} {place}{fact} {_sign(test)} {_shown(literal)}", None, literal


_Test = tuple[str, str, str, Any]


def _tests(node: Any, place: str = "") -> Iterator[_Test]:
    """The tests of a condition, each with where it stands (`any: `), its fact and what it is held against."""
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        if key in _JOINS:
            parts = value if isinstance(value, list) else [value]
            yield from chain.from_iterable(_tests(part, f"{place}{key}: ") for part in parts)
        elif isinstance(value, dict):
            for test, literal in value.items():
                yield place, key, test, literal


def _without(tests: Sequence[_Test], others: Sequence[_Test]) -> list[_Test]:
    left = list(others)
    kept = []
    for test in tests:
        if test in left:
            left.remove(test)
        else:
            kept.append(test)
    return kept


def _sign(test: str) -> str:
    return COMPARE.get(test) or test.replace("_", " ")


def _apart(old: Any, new: Any) -> str:
    """`2 (was 1)`; of lists what came and went, where that is shorter."""
    if isinstance(old, list) and isinstance(new, list):
        come, gone = [one for one in new if one not in old], [one for one in old if one not in new]
        parts = [f"{sign} {_shown(some)}" for sign, some in (("now also", come), ("no longer", gone)) if some]
        return ", ".join(parts) or f"{_shown(new)} (was {_shown(old)})"
    return f"{_shown(new)} (was {_shown(old)})"


def _turned(old: Any, new: Any) -> str:
    if old is None:
        return f"now {_shown(new)}"
    return f"{_shown(old)} is gone" if new is None else f"{_shown(new)} (was {_shown(old)})"


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_shown(part)}" for key, part in value.items())
    return f"[{', '.join(map(_shown, value))}]" if isinstance(value, (list, tuple)) else str(value)


def _table(name: str, before: str | None, after: str | None) -> Iterator[Change]:
    """Rows that came, went, or say otherwise; a row is known by its key and first day."""
    old, new = _rows(name, before), _rows(name, after)
    for key in [*old, *(key for key in new if key not in old)]:
        left, right = old.get(key), new.get(key)
        if left == right:
            continue
        label = "/".join(part for part in key[:-1] if part)
        since = key[-1] or None
        if left is None or right is None:
            row, verb = (right, "added") if left is None else (left, "removed")
            values = ", ".join(f"{column} {value}" for column, value in (row or {}).items() if value)
            yield Change("table", name, None, (), since, f"row {label} {verb}" + (f": {values}" if values else ""))
            continue
        for column in {**left, **right}:
            one, other = left.get(column) or None, right.get(column) or None
            if one != other:
                yield Change("table", name, None, (), since, f"row {label}: {column} {_turned(one, other)}", one, other)


def _rows(name: str, text: str | None) -> dict[tuple[str, ...], dict[str, str]]:
    """The rows by key and first day: their other columns."""
    rows = list(csv.DictReader(io.StringIO(text or "")))
    spec = SPECS.get(name.rpartition("tables/")[2].removesuffix(".csv"))
    keys = (*(spec.keys if spec else rows[0] if rows else ()), *(("from",) if spec else ()))
    return {
        tuple(row.get(key) or "" for key in keys): {k: v or "" for k, v in row.items() if k and k not in keys}
        for row in rows
    }
