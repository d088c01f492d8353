"""A FHIR resource in decoded JSON: typed access with the path of each element, codes by system, references by target.

Whatever is in the input, nothing here raises: an element of the wrong type is noted as a problem and read as absent.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache, lru_cache
from typing import Any

from rules.claim import MAX_LINES
from rules.errors import Problem
from rules.problems import MOST
from rules.procedures import shipped_codes
from rules.values import LARGEST_AMOUNT, MAX_CODES

Resource = Mapping[str, Any]

_PLACES = 28
"""After the decimal point; a reader of amounts wants fewer, and says so."""
_MOST = {"careTeam": MAX_CODES, "diagnosis": MAX_CODES}
"""Entries of lists that each item may refer to."""
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}(T.+)?")
_POSITION = re.compile(r"\[\d+\]")
_VERSION = re.compile(r"/_history/[^/]+$")


@lru_cache(maxsize=1_000)
def plain_system(system: str | None) -> str:
    """A code system's URI in small letters, without scheme, `www.`, version and last slash: senders write each way."""
    return re.sub(r"^https?://(www\.)?", "", (system or "").partition("|")[0].strip().lower()).rstrip("/")


def systems(*uris: str) -> frozenset[str]:
    """As `Node.codes` compares them."""
    return frozenset(map(plain_system, uris))


OwnCodes = Mapping[str, re.Pattern[str]]
"""The codes of the book's procedures, as they may stand in a text."""


def own_codes(codes: Iterable[str] | None) -> OwnCodes:
    """Of the book in use; None: of the one that ships."""
    return _patterns(shipped_codes() if codes is None else frozenset(codes))


@cache
def _patterns(codes: frozenset[str]) -> OwnCodes:
    return {code: re.compile(rf"(?<!\d){code}(?!\d)", re.IGNORECASE) for code in sorted(codes)}


class Targets:
    """What references may point to: the entries of a Bundle, the lines before in a bulk file, contained resources."""

    def __init__(self, outer: Targets | None = None, codes: Iterable[str] | None = None) -> None:
        """`outer`: asked for what is not known here. `codes`: of the book's procedures, which must not be lost on a
        guess; None: those of the outer one, else of the book that ships."""
        self._known: dict[str, Resource | None] = {}
        self._outer = outer
        self.own: OwnCodes = outer.own if outer and codes is None else own_codes(codes)

    def add(self, resource: Resource, url: str = "") -> None:
        """Makes a resource known by its full URL, its type and id, and its type and each identifier; an answer also by
        the claim that it answers."""
        kind = resource.get("resourceType")
        if url:
            self._add(url, resource)
            if (name := _last_parts(url)).startswith(f"{kind}/"):
                self._add(name, resource)
        self._add(f"{kind}/{resource.get('id')}", resource)
        for identifier in _objects(resource.get("identifier")):
            self._add(f"{kind}?identifier={identifier.get('system')}|{identifier.get('value')}", resource)
        if kind == "ClaimResponse" and isinstance(asked := resource.get("request"), dict):
            self._add(f"ClaimResponse?request={_last_parts(str(asked.get('reference')))}", resource)

    def answer_to(self, reference: str) -> Resource | None:
        """The ClaimResponse to a Claim, by the reference to that."""
        return self._find(f"ClaimResponse?request={_last_parts(reference)}")

    def _add(self, name: str, resource: Resource) -> None:
        """A name that two different resources share points to neither: a guess would mix up two patients."""
        known = self._known.get(name, resource)
        self._known[name] = resource if known is resource or known == resource else None

    def within(self, resource: Resource) -> Targets:
        """These, and what the resource contains."""
        contained = _objects(resource.get("contained"))
        if not contained:
            return self
        inner = Targets(self)
        inner._known = {f"#{one.get('id')}": one for one in contained}
        return inner

    def find(self, reference: str) -> Resource | None:
        """The resource that is meant; an absolute URL that no entry has is tried by its last two parts."""
        name = _VERSION.sub("", reference)
        found = self._find(name)
        return self._find(_last_parts(name)) if found is None and "://" in name else found

    def _find(self, name: str) -> Resource | None:
        if name in self._known:
            return self._known[name]
        return self._outer._find(name) if self._outer else None


def _last_parts(reference: str) -> str:
    """`Claim/7` of an absolute URL."""
    return "/".join(_VERSION.sub("", reference).split("/")[-2:])


def _objects(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


@dataclass(slots=True)
class Notes:
    """What is found while a claim is read."""

    problems: list[Problem] = field(default_factory=list)
    doubts: list[Problem] = field(default_factory=list)
    """Problems of a claim that is judged alone: where nothing is judged, what is in doubt does no harm."""
    passed: set[str] = field(default_factory=set)
    """Places that are not read (rules/unread.py)."""
    odd: set[str] = field(default_factory=set)
    """What is read though it is not as it should be: a place and a word of ODDITIES (rules/unread.py)."""


@dataclass(slots=True)  # not frozen: a claim has some two hundred, and a frozen one takes three times as long to make
class Node:
    """An object of a resource, with its path; an element that is absent is an empty node."""

    value: Resource
    path: str
    targets: Targets
    notes: Notes = field(default_factory=Notes)

    def __bool__(self) -> bool:
        return bool(self.value)

    @property
    def place(self) -> str:
        """The path without positions: `Claim.item.modifier`."""
        return _POSITION.sub("", self.path)

    def odd(self, word: str) -> None:
        """Notes what is odd and read all the same."""
        self.notes.odd.add(f"{self.place} {word}")

    def note(self, name: str, sentence: str) -> None:
        """Notes a problem of one element, or with no name of the object itself."""
        self._note(self.notes.problems, name, sentence)

    def doubt(self, name: str, sentence: str) -> None:
        """Notes a problem that matters where the claim is judged."""
        self._note(self.notes.doubts, name, sentence)

    def _note(self, problems: list[Problem], name: str, sentence: str) -> None:
        path = f"{self.path}.{name}" if name else self.path
        if len(problems) < MOST:
            problems.append(Problem(path, sentence, path))
        elif len(problems) == MOST:
            problems.append(Problem("", "and more problems"))

    def nothing(self, name: str = "") -> Node:
        """An element that is not there."""
        return Node({}, f"{self.path}.{name}" if name else self.path, self.targets, self.notes)

    def object(self, name: str) -> Node:
        found = self.value.get(name)
        if found is not None and not isinstance(found, dict):
            self.note(name, "expected an object")
            found = None
        return Node(found or {}, f"{self.path}.{name}", self.targets, self.notes)

    def objects(self, name: str) -> list[Node]:
        rows = self._rows(name)
        return [Node(row, f"{self.path}.{name}[{n}]", self.targets, self.notes) for n, row in enumerate(rows)]

    def _rows(self, name: str) -> list[dict[str, Any]]:
        found = self.value.get(name)
        if found is None:
            return []
        most = _MOST.get(name, MAX_LINES)
        if isinstance(found, list) and len(found) > most:
            self.note(name, f"expected at most {most} entries")
            return []
        if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
            self.note(name, "expected a list of objects")
            return []
        return found

    def text(self, name: str) -> str | None:
        found = self.value.get(name)
        if found is not None and not isinstance(found, str):
            self.note(name, "expected a string")
            return None
        return found or None

    def number(self, name: str) -> Decimal | None:
        found = self.value.get(name)
        if found is None:
            return None
        if isinstance(found, bool) or not isinstance(found, int | Decimal):
            self.note(name, "expected a number")
            return None
        number = Decimal(found)
        # Products of what is larger than an amount may be would raise, as 1e999999 by 1e999999 does.
        if number.copy_abs() > LARGEST_AMOUNT or int(number.as_tuple().exponent) < -_PLACES:
            self.note(name, f"expected at most 10 digits before and {_PLACES} after the decimal point")
            return None
        return number if number else Decimal(0)

    def whole(self, name: str) -> int | None:
        found = self.value.get(name)
        if found is not None and (isinstance(found, bool) or not isinstance(found, int)):
            self.note(name, "expected a whole number")
            return None
        return found

    def wholes(self, name: str) -> list[int]:
        found = self.value.get(name)
        if found is None:
            return []
        if not isinstance(found, list) or any(isinstance(one, bool) or not isinstance(one, int) for one in found):
            self.note(name, "expected a list of whole numbers")
            return []
        return found

    def day(self, name: str) -> str | None:
        """The calendar day of a date or dateTime, as its sender's clock had it."""
        found = self.text(name)
        if found and not _DAY.fullmatch(found):
            self.note(name, "expected a date with its day, as 2026-10-20")
            return None
        return found[:10] if found else None

    def codings(self) -> list[tuple[str, str]]:
        """System, in its plain form, and code of each coding of a CodeableConcept that has a code; each once."""
        found = []
        for number, row in enumerate(self._rows("coding")):
            code, system = row.get("code"), row.get("system")
            if not isinstance(code, str | None) or not isinstance(system, str | None):
                self.note(f"coding[{number}]", "expected strings as code and system")
            elif code and (code := code.strip()):
                found.append((plain_system(system), code))
        return list(dict.fromkeys(found))

    def codes(self, among: Collection[str] = ()) -> list[str]:
        """The codes of a CodeableConcept, each once: of these systems, or of any where none is named."""
        return list(dict.fromkeys(code for system, code in self.codings() if not among or system in among))

    def target(self, *kinds: str) -> Node:
        """The resource that a Reference points to; empty where it is not at hand, or of another type than these."""
        found = self.targets.find(self.text("reference") or "")
        kind = found.get("resourceType") if found else None
        if found is None or not isinstance(kind, str) or (kinds and kind not in kinds):
            return self.nothing()
        node = Node(found, kind if kinds else self.path, self.targets.within(found), self.notes)
        refuse_unknown_meaning(node)
        return node

    @property
    def kind(self) -> str | None:
        """The type of this resource."""
        kind = self.value.get("resourceType")
        return kind if isinstance(kind, str) else None

    @property
    def referred_kind(self) -> str | None:
        """The type of resource that a Reference points to, whether or not that is at hand."""
        name = _last_parts(self.text("reference") or "").partition("/")[0]
        return self.target().kind or self.text("type") or (name if name.isalpha() else None)


def refuse_unknown_meaning(node: Node) -> None:
    """What may change the meaning of all else, and which FHIR forbids to pass over."""
    for name in ("modifierExtension", "implicitRules"):
        if node.value.get(name):
            node.doubt(name, "may change what the rest means, and is not known here; expected a claim without it")
