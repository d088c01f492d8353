"""What a hospital has decided otherwise than the book says, applied to the book: `check` stays as it is.

An override meets a claim by payer, plan and billing NPI, on dates of service; the nearest one wins. What the book
itself would have found where an override put something else in its place is kept beside the findings, for the record.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import cache, cached_property
from typing import get_args

from rules.book.assignment import Assigned, ClaimKind
from rules.book.conditions import compile_condition
from rules.book.gaproutes import GapRoutes
from rules.book.logic import ALWAYS, Condition, every, negated
from rules.book.observing import assign_drafts, assign_modes, nearest_mode, parted, split
from rules.book.override import Order, Override
from rules.book.rule import Rule, Text, Version
from rules.case import Location
from rules.claim import Role
from rules.payers import Selection
from rules.report import Citation, Denial
from rules.terms import COMMON, OVERRIDES, Severity

LATE, LITTLE_TIME, AUTHORIZATION, AS_ENROLLED = "TIM001", "TIM002", "AUT001", "UBF033"
_DAY = timedelta(days=1)
_COUNTED: Mapping[Order, tuple[str, str]] = {
    "primary": ("days_to_receipt", "after the last date of service"),
    "secondary": ("days_since_primary_decision", "after the primary payer's decision"),
}
_LITTLE = 85
"""Per cent of a filing limit after which little time is left, as in the book's own TIM002."""


@dataclass(frozen=True)
class Overrides:
    """All of a hospital's, as they stand on one day."""

    entries: tuple[Override, ...] = ()
    providers: frozenset[str] = frozenset()
    """Every NPI that one of them names."""
    ids: Mapping[str, Override] = field(default_factory=dict)
    """Payer ids that they add, with those that they no longer do."""

    @property
    def periods(self) -> list[tuple[date, date]]:
        """Dates of service, on whose ends other rules are in force."""
        former = (version for entry in self.entries if entry.meanwhile for version in entry.meanwhile.versions)
        return [*((e.start, e.end) for e in self.entries), *((v.start, v.end) for v in former)]

    def assign(self, found: Iterable[Assigned], kind: ClaimKind) -> list[Assigned]:
        """The rules for a kind of claim with the overrides on them."""
        mine = sorted((entry for entry in self.entries if entry.meets(kind)), key=_precedence)
        limits = [entry for entry in mine if entry.kind == "filing_limit"]
        others = [entry for entry in mine if entry.kind in ("rule", "authorization")]
        assigned = [part for one in found for part in _touched(one, [e for e in others if one.rule.file in e.files])]
        if limits:
            live = [part for order in _COUNTED for part in _nearest(e for e in limits if e.order == order)]
            over = [limit for limit in limits if limit.state == "expired"]
            assigned = [part for one in assigned for part in _limited(one, live, over)]
            if not kind.void:
                assigned += [Assigned(rule, None, e.named()) for e in live for rule in filing_rules(e)]
        if listing := self._listing(kind.selection, kind.provider):
            assigned = [_by_list(one, listing) for one in assigned]
        drafts = [entry for entry in mine if entry.kind == "draft"]
        if drafts:
            assigned = assign_drafts(assigned, drafts, kind)
        modes = [entry for entry in mine if entry.kind == "mode"]
        return assign_modes(assigned, modes) if modes else assigned

    def observing(self, kind: ClaimKind) -> Override | None:
        """The one by which every readable claim of this kind goes to billing; None: its rules route it."""
        mine = sorted((entry for entry in self.entries if entry.kind == "mode" and entry.meets(kind)), key=_precedence)
        found = nearest_mode(mine)
        return found if found and found.mode == "observe" else None

    def leaving_unchecked(self, kind: ClaimKind) -> Override | None:
        """The one by which a claim of this kind that no procedure's rules judge stays unchecked; None: form may hold
        it."""
        return next((entry for entry in self.entries if entry.kind == "unchecked" and entry.meets(kind)), None)

    def locations_of(self, selection: Selection, provider: str, day: date | None) -> tuple[Location, ...]:
        """Where the payer has enrolled the provider on a date of service, by the nearest list; empty: there is none."""
        found = self._listing(selection, provider, day)
        return found.locations if found else ()

    def _listing(self, selection: Selection, provider: str | None, day: date | None = None) -> Override | None:
        mine = [
            entry
            for entry in self._lists
            if provider in entry.providers
            and selection.payer in entry.payers
            and (day is None or entry.start <= day <= entry.end)
        ]
        return mine[-1] if mine else None

    @cached_property
    def _lists(self) -> tuple[Override, ...]:
        return tuple(entry for entry in self.entries if entry.kind == "locations" and entry.state != "expired")

    @cached_property
    def gap_routes(self) -> GapRoutes:
        """Where claims with gaps go, by payer."""
        return GapRoutes.of_entries(entry for entry in self.entries if entry.state != "expired")


def _precedence(entry: Override) -> tuple[bool, tuple[bool, int]]:
    """Later ones win; one that has expired wins over none."""
    return entry.state != "expired", entry.nearness


def _by_list(one: Assigned, listing: Override) -> Assigned:
    """The rule that asks the hospital's list names it, unless another override is on it."""
    asks = one.rule.code == AS_ENROLLED and one.override is None
    return replace(one, override=listing.named()) if asks else one


def _touched(one: Assigned, entries: Sequence[Override]) -> Iterator[Assigned]:
    if not entries:
        yield one
        return
    for part, owner in parted(one, entries):
        yield _changed(part, owner) if owner else part


def _changed(one: Assigned, entry: Override) -> Assigned:
    """A rule with an override on it."""
    one = replace(one, override=entry.named())
    if entry.state == "expired":
        return one
    if entry.kind == "authorization" and entry.required:
        return replace(one, rule=_each(one.rule, lambda version: replace(version, applies=ALWAYS)))
    if entry.severity is None:
        return replace(one, published=True)
    severity = entry.severity
    rule = _each(one.rule, lambda version: replace(version, severity=severity))
    # The ceiling of a rule that a Medicare Advantage plan takes over is lifted: it is the hospital's own decision.
    return replace(one, rule=rule, at_most="block" if one.at_most else None)


def _each(rule: Rule, change: Callable[[Version], Version]) -> Rule:
    return replace(rule, versions=tuple(map(change, rule.versions)))


def _nearest(limits: Iterable[Override]) -> list[Override]:
    """The limits, each cut down to the dates on which none is nearer; they come the farthest first."""
    kept: list[Override] = []
    for limit in limits:
        if limit.state == "expired":
            continue
        cut = []
        for other in kept:
            if other.end < limit.start or other.start > limit.end:
                cut.append(other)
                continue
            if other.start < limit.start:
                cut.append(replace(other, end=limit.start - _DAY))
            if other.end > limit.end:
                cut.append(replace(other, start=limit.end + _DAY))
        kept = [*cut, limit]
    return kept


def _limited(one: Assigned, live: Iterable[Override], over: Sequence[Override]) -> Iterator[Assigned]:
    """A filing rule of the book, where it gives way to a contract's limit, and where it does not."""
    if one.published or one.rule.code not in (LATE, LITTLE_TIME):
        yield one
        return
    for limit in live:
        pieces = [part for version in one.rule.versions for part in split(version, None, limit)]
        order = _condition({"filing_order": {"in": [limit.order]}}, f"override_{limit.order}_{limit.start:%Y%m%d}")
        inside = tuple(replace(v, applies=every([v.applies, order])) for v, owner in pieces if owner)
        rest = tuple(replace(v, applies=every([v.applies, negated(order)])) if owner else v for v, owner in pieces)
        if inside:
            yield replace(one, rule=replace(one.rule, versions=inside), override=limit.named(), published=True)
        one = replace(one, rule=replace(one.rule, versions=rest))
    yield replace(one, override=one.override or (over[-1].named() if over else None))


def _condition(node: object, name: str) -> Condition:
    def never(_: object, sentence: str) -> None:
        raise AssertionError(sentence)

    return compile_condition(node, (name,), "claim", never)


@cache
def filing_rules(entry: Override) -> tuple[Rule, Rule]:
    """TIM001 and TIM002 by the contract's limit."""
    fact, since = _COUNTED[entry.order]
    order = {"filing_order": {"in": [entry.order]}}
    early = {**order, fact: {"missing": "false", "le": str(entry.days)}}
    gets = f"The payer gets this claim {{{fact}}} days {since}; by your contract, its limit is {entry.days} days."
    severity = entry.severity or "warn"
    late = _filing_version(
        entry, severity, order, {fact: {"le": str(entry.days)}}, gets,
        "Check the dates. If it is late, send proof that it was filed in time before.", Denial("denial", "CO", "29"),
    )  # fmt: skip
    soon = _filing_version(
        entry, "note", early, {fact: {"le": str(entry.days * _LITTLE // 100)}},
        f"{gets} Less than {100 - _LITTLE} % of the time is left.", "Send the claim now and keep the proof of receipt.",
        None,
    )  # fmt: skip
    return (
        _filing_rule(entry, LATE, "Filed after the contract's limit", late),
        _filing_rule(entry, LITTLE_TIME, "Little filing time left by the contract", soon),
    )


def _filing_version(
    entry: Override, severity: Severity, when: object, demand: object, message: str, fix: str, denial: Denial | None
) -> Version:
    return Version(
        start=entry.start,
        end=entry.end,
        severity=severity,
        applies=_condition(when, "override_when"),
        demand=_condition(demand, "override_demand"),
        wanted=True,
        bypass=None,
        message=Text.parse(message),
        fix=Text.parse(fix),
        patch=(),
        denial=denial,
        citation=Citation(f"Override {entry.name} of the hospital: its contract", None, entry.reason, None, "A"),
        edition=None,
    )


def _filing_rule(entry: Override, code: str, title: str, version: Version) -> Rule:
    return Rule(
        code=code,
        title=title,
        file=f"{OVERRIDES}/{entry.name}/{code}",
        payers=entry.payers,
        except_payers=(),
        bills_as=frozenset(get_args(Role)),
        scope="claim",
        status="active",
        on_void=False,
        versions=(version,),
        cause="filing_limit",
    )


def pin_of(rules: Iterable[Rule]) -> str:
    """What an override pins: SHA-256 over code and digest of the rules that it touches, hexadecimal.

    The digest is over all versions of a rule and its status. Where its file lies does not count.
    """
    text = "".join(sorted(f"{rule.code} {rule.digest}\n" for rule in rules))
    return hashlib.sha256(text.encode()).hexdigest()


def former_pins_of(rules: Iterable[Rule], procedure: str) -> tuple[str, str]:
    """The pins of releases 0.1.0 and 0.1.1, which hashed the path of each rule: by the paths of this book, and by those
    of their layout.

    Hospitals have overrides with such pins, which nobody need renew while the rules are as they were.
    """
    found = tuple(rules)
    own = _pin_by_path((rule.file, rule) for rule in found)
    return own, _pin_by_path((former_file(rule, procedure), rule) for rule in found)


def _pin_by_path(rules: Iterable[tuple[str, Rule]]) -> str:
    ordered = sorted(rules, key=lambda one: one[0])
    text = "".join(f"{file} {rule.digest} {rule.status}\n" for file, rule in ordered)
    return hashlib.sha256(text.encode()).hexdigest()


def former_file(rule: Rule, procedure: str) -> str:
    """Where the rule's file lay in releases 0.1.0 and 0.1.1, `64445/<payer>/<name>`; rules for several in `common`."""
    *_, folder, name = ("", *rule.file.split("/"))
    of_one = folder in {payer.partition("/")[0] for payer in rule.payers}
    return f"{procedure}/{folder if of_one else COMMON}/{name}"
