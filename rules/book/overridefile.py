"""The file of a hospital's overrides: its shape, and every fault of it at once, as rule files have it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from datetime import date
from itertools import combinations
from typing import Annotated, Any, Literal, NamedTuple, get_args

from pydantic import Field

from rules.book.book import Book
from rules.book.compile import compile_rule
from rules.book.conditions import did_you_mean
from rules.book.override import UNPINNED, Effect, Order, Override
from rules.book.overrides import AUTHORIZATION, LATE, LITTLE_TIME, former_file, former_pins_of, pin_of
from rules.book.rule import Rule
from rules.book.rulefile import (
    Day,
    Effective,
    LocationShape,
    Path,
    Text,
    YamlDocument,
    YamlModel,
    read_document,
    validated,
)
from rules.errors import OverridesInvalid, RuleProblem
from rules.formats import npi
from rules.payers import MEDICARE, PayerShape, plain_id
from rules.problems import path_text
from rules.terms import GapRoute, Mode, Severity

PIN = 12
"""Digits of a pin that are shown, and the least that an override has."""
Prefix = Annotated[str, Field(pattern=r"^[A-Z0-9]{3}$")]
_NAMING: tuple[Effect, ...] = ("payer_ids", "member_prefixes")
"""Overrides that say who is meant, and change no rule."""
_PINNED = {"payer", "name", "covers_from", "filing_indicators", "ids", "plans", "advantage"}
"""Of a payer file, what 0.1.1 pinned."""
_EFFECTS: tuple[Effect, ...] = get_args(Effect)
SETTINGS, DRAFTS = "\n--- # settings\n", "\n--- # drafts\n"
"""What begins the parts that are not the hospital's file: what settings say, and what an upgrade brought as drafts."""
_PARTS = {SETTINGS: "SCRUB_MODE and SCRUB_GAPS", DRAFTS: "the drafts of the upgrade"}


class OverrideShape(YamlModel):
    """One override: exactly one of its effects; `mode` may name a `rule` besides."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    rule: Text | None = None
    """A code, or a rule file such as procedures/<CODE>/medicare/UNT001-one-unit."""
    severity: Literal[Severity, "off"] | None = None
    filing_limit: Annotated[int, Field(ge=1, le=3_650)] | None = None
    """Days."""
    order: Order | None = None
    """Of a filing limit: primary claims, counted from the last date of service (the default), or secondary ones,
    counted from the primary payer's decision."""
    authorization: Literal["required", "not_required"] | None = None
    payer_ids: Annotated[tuple[Text, ...], Field(min_length=1)] | None = None
    member_prefixes: Annotated[tuple[Prefix, ...], Field(min_length=1)] | None = None
    """First three characters of member ids, by which the members of one plan are known; with `payers: [bcbs]` those of
    Blue plans that the book does not have."""
    mode: Mode | None = None
    """Of the rule that is named, else of all. observe: verdicts stand on record and route nothing."""
    gaps: GapRoute | None = None
    """Where a claim goes of which a blocking rule could not ask its table."""
    draft: Text | None = None
    """A rule file, or the code of a single one, that is judged as a draft as long as it is as it is pinned."""
    meanwhile: Text | None = None
    """Of a draft: the rule's file as it was, by which claims are held until the draft is accepted."""
    unchecked: Literal["observe"] | None = None
    """Claims that the rules of no procedure judge stay unchecked; what form finds on them stands on record. Holds until
    it is taken out."""
    locations: Annotated[tuple[LocationShape, ...], Field(min_length=1)] | None = None
    """Every practice location of the providers that the payer has enrolled, that of the hospital itself as well."""
    payers: tuple[Text, ...] = ()
    providers: tuple[Text, ...] = ()
    """NPIs of billing providers."""
    effective: Effective | None = None
    """Dates of service; default: all."""
    reason: Text
    owner: Text
    expires: Day
    written_for: Annotated[str, Field(pattern=r"^[0-9a-f]{12,64}$")] | None = None


def read_overrides(file: str, text: str, book: Book) -> tuple[Override, ...]:
    """The overrides of a file, for a book, with the parts that `joined` put behind them.

    Raises:
        OverridesInvalid: with every problem, each as `file:line:col: path: sentence`.
    """
    own, *parts = parts_of(text)
    documents = [read_document(file, own)] if own.strip() or not parts else []
    documents += [read_document(_PARTS[mark], part) for mark, part in parts]
    placed = [one for document in documents if not document.problems for one in _read(document, book)]
    _check_together(placed)
    if problems := [problem for document in documents for problem in document.problems]:
        raise OverridesInvalid(problems)
    return tuple(one.entry for one in placed)


def joined(own: str | None, settings: str = "", drafts: str = "") -> str | None:
    """The text of a hospital's file with the entries of settings and drafts behind it; None: there are none at all."""
    parts = [*([own] if own is not None else []), *([SETTINGS, settings] if settings else [])]
    parts += [DRAFTS, drafts] if drafts else []
    return "".join(parts) if parts else None


def parts_of(text: str) -> tuple[Any, ...]:
    """The hospital's own text, then each part behind it with what begins it."""
    found = re.split(f"({'|'.join(map(re.escape, _PARTS))})", text)
    return (found[0], *zip(found[1::2], found[2::2], strict=True))


def with_drafts(text: str | None, drafts: str) -> str | None:
    """The text with other drafts behind it than it has, or with none."""
    own, *parts = parts_of(text or "")
    settings = next((part for mark, part in parts if mark == SETTINGS), "")
    return joined(own if own or (text is not None and not parts) else None, settings, drafts)


class _Placed(NamedTuple):
    """An override where it stands."""

    document: YamlDocument
    place: int
    entry: Override


def _read(document: YamlDocument, book: Book) -> Iterator[_Placed]:
    for index, node in enumerate(_listed(document)):
        shape = validated(document, OverrideShape, node, ("overrides", index))
        entry = _Reader(document, ("overrides", index), book).read(shape) if shape else None
        if entry:
            yield _Placed(document, index, entry)


def _listed(document: YamlDocument) -> Sequence[Any]:
    data = document.data
    if isinstance(data, dict) and data.get("overrides", "") is None:
        return ()
    if not isinstance(data, dict) or not isinstance(data.get("overrides"), list):
        document.complain((), "expected one key `overrides` with a list of overrides")
        return ()
    for key in data:
        if key != "overrides":
            document.complain((key,), f"unknown key{did_you_mean(key, ('overrides',))}")
    listed: list[Any] = data["overrides"]
    return listed


class _Reader:
    """Reads one entry; every fault is noted in the document."""

    def __init__(self, document: YamlDocument, path: Path, book: Book) -> None:
        self._document = document
        self._path = path
        self._book = book
        self._faults = 0

    def _complain(self, sentence: str, *keys: str | int) -> None:
        self._faults += 1
        self._document.complain((*self._path, *keys), sentence)

    def read(self, shape: OverrideShape) -> Override | None:
        given = [name for name in _EFFECTS if getattr(shape, name) is not None]
        given = ["mode"] if given == ["rule", "mode"] else given
        if len(given) != 1:
            self._complain(f"needs exactly one of {', '.join(_EFFECTS)}")
            return None
        kind: Any = given[0]
        self._check_scope(shape, kind)
        rules = self._rules(shape, kind)
        pin, *former = self._pins(shape, kind, rules)
        meanwhile = self._meanwhile(shape, rules)
        if self._faults:
            return None
        if kind in UNPINNED:
            pin = ""
        elif shape.written_for is None:
            self._complain(f"`written_for` is required: the pin of what it touches, which is {pin[:PIN]} now")
            return None
        period = shape.effective
        return Override(
            name=shape.name, kind=kind, files=frozenset(rule.file for rule in rules), payers=shape.payers,
            providers=frozenset(shape.providers), start=period.from_ if period else date.min,
            end=(period.to if period else None) or date.max, reason=shape.reason, owner=shape.owner,
            expires=shape.expires, written_for=shape.written_for or "", pin=pin, former_pins=tuple(former),
            severity=None if shape.severity == "off" else shape.severity, days=shape.filing_limit or 0,
            order=shape.order or "primary", required=shape.authorization == "required",
            ids=shape.payer_ids or shape.member_prefixes or (),
            mode=shape.mode, route=shape.gaps, meanwhile=meanwhile,
            locations=tuple(at.place for at in shape.locations or ()),
        )  # fmt: skip

    def _check_scope(self, shape: OverrideShape, kind: str) -> None:
        registry = self._book.registry.payers
        known = (*registry, *(f"{key}/{plan}" for key, payer in registry.items() for plan in payer.plans))
        for index, name in enumerate(shape.payers):
            if name not in known:
                self._complain(f"unknown payer {name!r}{did_you_mean(name, known)}", "payers", index)
        for index, number in enumerate(shape.providers):
            if not npi(number):
                self._complain("is no NPI: its check digit is wrong, or it has not ten digits", "providers", index)
        if shape.effective and shape.effective.to and shape.effective.to < shape.effective.from_:
            self._complain("is before `from`", "effective", "to")
        if kind in ("rule", "filing_limit") and shape.severity is None:
            self._complain(f"`severity` is required with `{kind}`")
        if kind not in ("rule", "filing_limit") and shape.severity is not None:
            self._complain(f"has no effect with `{kind}`", "severity")
        if kind == "filing_limit":
            self._check_limit(shape)
        elif shape.order is not None:
            self._complain("has an effect with `filing_limit` alone", "order")
        if kind in (*_NAMING, "locations"):
            self._check_naming(shape, kind)
        if (kind in ("gaps", "unchecked") or (kind == "mode" and shape.rule is None)) and shape.effective:
            self._complain("has no effect on whole claims, whose lines have dates of their own", "effective")
        if kind == "gaps" and shape.providers:
            self._complain("gaps go by payer alone", "providers")

    def _check_limit(self, shape: OverrideShape) -> None:
        if not shape.payers:
            self._complain("`payers` is required: whose contract it is")
        if shape.severity == "off":
            self._complain("expected block, warn or note; to have no limit, switch TIM001 off", "severity")
        if MEDICARE in shape.payers:
            self._complain("Medicare's limit is law (42 CFR 424.44); no contract changes it", "payers")

    def _check_naming(self, shape: OverrideShape, kind: str) -> None:
        if kind == "locations":
            if shape.payers != (MEDICARE,) or not shape.providers:
                self._complain(
                    "`payers: [medicare]` and `providers` are required: whose locations Medicare has enrolled"
                )
            return
        if len(shape.payers) != 1:
            self._complain(f"`payers` must name the one payer, or payer/plan, that the {kind.split('_')[1]} are of")
        elif kind == "member_prefixes" and "/" not in shape.payers[0] and not self._has_homes(shape.payers[0]):
            self._complain("a prefix names a plan; expected payer/plan", "payers", 0)
        if shape.providers or shape.effective:
            self._complain(f"{kind.replace('_', ' ')} hold for all providers and dates of service")

    def _has_homes(self, payer: str) -> bool:
        """Whether its plans have members at one another, so that of plans that the book lacks it matters too."""
        found = self._book.registry.payers.get(payer)
        return found is not None and found.home is not None

    def _rules(self, shape: OverrideShape, kind: str) -> list[Rule]:
        """The rules that it touches."""
        rules = self._book.rules
        if kind in (*_NAMING, "gaps", "unchecked", "locations") or (kind == "mode" and shape.rule is None):
            return []
        if kind == "authorization":
            found = [rule for rule in rules if rule.code == AUTHORIZATION]
            if not found:
                self._complain(f"there is no rule {AUTHORIZATION} in the book")
            return found
        if kind == "filing_limit":
            return [rule for rule in rules if rule.code in (LATE, LITTLE_TIME) and _serves(rule, shape.payers)]
        wanted = (shape.draft or shape.rule or "").removesuffix(".yaml")
        found = [rule for rule in rules if wanted in (rule.code, rule.file)]
        found = found or [rule for rule in rules if wanted == former_file(rule, self._book.formerly)]
        if kind == "draft" and shape.written_for:  # wherever its file lies; of another book it is no draft
            code = wanted.rpartition("/")[2].partition("-")[0]
            return [one for one in rules if one.code == code and pin_of([one]).startswith(shape.written_for)]
        if kind == "draft" and len(found) > 1:
            self._complain(
                f"expected one rule file; of {wanted} there are {', '.join(rule.file for rule in found)}", kind
            )
        if not found:
            known = tuple({name for rule in rules for name in (rule.code, rule.file)})
            self._complain(
                f"there is no rule {wanted!r}{did_you_mean(wanted, known)}", "draft" if kind == "draft" else "rule"
            )
        return found

    def _meanwhile(self, shape: OverrideShape, rules: list[Rule]) -> Rule | None:
        """The rule that holds while it is a draft in its new form; None: none does."""
        if shape.draft is None and shape.meanwhile is not None:
            self._complain("has an effect with `draft` alone", "meanwhile")
        if shape.meanwhile is None or shape.draft is None or not rules:
            return None
        rule, problems = former_rule(shape.meanwhile, rules[0], self._book)
        for sentence in problems:
            self._complain(sentence, "meanwhile")
        return rule

    def _pins(self, shape: OverrideShape, kind: str, rules: list[Rule]) -> tuple[str, ...]:
        """The pin, and those of the releases before."""
        if kind in _NAMING:
            return (self._payer_pin(shape),) * 2
        if not rules:
            return ("", "")
        return pin_of(rules), *former_pins_of(rules, self._book.formerly)

    def _payer_pin(self, shape: OverrideShape) -> str:
        payer = self._book.registry.payers.get(shape.payers[0].partition("/")[0]) if shape.payers else None
        return hashlib.sha256(_pinned(payer) if payer else b"").hexdigest()


def _pinned(payer: PayerShape) -> bytes:
    """What an override of payer ids rests on, as 0.1.1 wrote it; what the file says besides changes no pin."""
    said = payer.model_dump(mode="json", include=_PINNED)
    said["ids"] = [{key: one[key] for key in ("id", "plan", "source", "grade")} for one in said["ids"]]
    said["plans"] = {key: {"name": plan["name"]} for key, plan in said["plans"].items()}
    return json.dumps(said, separators=(",", ":"), ensure_ascii=False).encode()


def _serves(rule: Rule, payers: Sequence[str]) -> bool:
    """Whether the rule is for one of the payers, or for one of their plans."""
    keys = {payer.partition("/")[0] for payer in payers}
    return any(name == "all" or name.partition("/")[0] in keys for name in rule.payers)


def _check_together(placed: Sequence[_Placed]) -> None:
    """Names and ids are given once, and no two overrides are as near to the same claims."""
    for (_, _, first), (document, number, later) in combinations(placed, 2):
        place = ("overrides", number)
        if first.name == later.name:
            document.complain((*place, "name"), f"there is an override {later.name!r} already")
        elif first.kind == later.kind and (both := _plain(first) & _plain(later)):
            document.complain((*place, later.kind), f"{min(both)!r} is in override {first.name!r} already")
        elif _clash(first, later):
            document.complain(place, f"is for the same rule and claims as {first.name!r}; leave one of them out")


def _plain(entry: Override) -> set[str]:
    return set(map(plain_id, entry.ids))


_ON_RULES: tuple[Effect, ...] = ("rule", "authorization")


def _clash(first: Override, later: Override) -> bool:
    if {first.kind, later.kind} & set(_NAMING) or first.nearness != later.nearness:
        return False
    if first.kind == later.kind == "filing_limit":
        same = first.order == later.order
    elif first.kind == later.kind and first.kind in ("gaps", "unchecked", "locations"):
        same = True
    elif first.kind == later.kind == "mode":
        same = bool(first.files & later.files) or not (first.files or later.files)
    else:
        alike = first.kind == later.kind == "draft" or {first.kind, later.kind} <= set(_ON_RULES)
        same = alike and bool(first.files & later.files)
    return (
        same
        and (not first.payers or bool(set(first.payers) & set(later.payers)))
        and (not first.providers or bool(first.providers & later.providers))
        and first.start <= later.end
        and later.start <= first.end
    )


def former_rule(text: str, rule: Rule, book: Book) -> tuple[Rule | None, list[str]]:
    """A rule as its file said it in another book, compiled for this one; and why it cannot be."""
    document = read_document(f"{rule.file}.yaml", text, tried=True)
    found = None if document.problems else compile_rule(document, book.sources, book.registry, book.procedures)
    return found, [f"{one.path}: {one.sentence}" for one in document.problems]


def problem(file: str, sentence: str) -> OverridesInvalid:
    """Where the file itself cannot be read."""
    return OverridesInvalid([RuleProblem(file, 1, 1, path_text(()), sentence)])
