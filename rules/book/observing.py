"""Rules that a hospital only observes, and those that an upgrade brought as drafts: judged, and routing nothing.

Both change no verdict but where it leads. A rule's own entry goes before one for all rules, so that a hospital that
observes may let single rules route, or the other way round.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

from rules.book.assignment import Assigned, ClaimKind
from rules.book.override import Override
from rules.book.rule import Version

_DAY = timedelta(days=1)
Pieces = Iterable[tuple[Version, Override | None]]


def split(version: Version, owner: Override | None, entry: Override) -> Iterator[tuple[Version, Override | None]]:
    """The version before, within and after the period of an override."""
    if version.end < entry.start or version.start > entry.end:
        yield version, owner
        return
    if version.start < entry.start:
        yield replace(version, end=entry.start - _DAY), owner
    yield replace(version, start=max(version.start, entry.start), end=min(version.end, entry.end)), entry
    if version.end > entry.end:
        yield replace(version, start=entry.end + _DAY), owner


def parted(one: Assigned, entries: Iterable[Override]) -> list[tuple[Assigned, Override | None]]:
    """A rule by the override on each of its periods; the last of those that meet a period has it."""
    pieces: list[tuple[Version, Override | None]] = [(version, None) for version in one.rule.versions]
    for entry in entries:
        pieces = [part for version, owner in pieces for part in split(version, owner, entry)]
    owners = list({id(owner): owner for _, owner in pieces}.values())
    if len(owners) == 1:
        return [(one, owners[0])]
    found = []
    for owner in owners:
        versions = tuple(version for version, other in pieces if other is owner)
        found.append((replace(one, rule=replace(one.rule, versions=versions)), owner))
    return found


def nearest_mode(entries: Sequence[Override]) -> Override | None:
    """The mode for all rules of a claim, of entries of which later ones win."""
    return next((e for e in reversed(entries) if not e.files and e.state != "expired"), None)


def assign_modes(assigned: Iterable[Assigned], entries: Sequence[Override]) -> list[Assigned]:
    """The rules with what of them only observes; `entries` of which later ones win."""
    general = nearest_mode(entries)
    found = []
    for one in assigned:
        own = [entry for entry in entries if _names(entry, one)]
        for part, entry in parted(one, own) if own else [(one, None)]:
            found.append(_in_mode(part, entry, general))
    return found


def _names(entry: Override, one: Assigned) -> bool:
    """Whether the entry is for this rule; a contract's filing limit goes by the codes of the book's own."""
    of_contract = one.rule.file.startswith("overrides/")
    codes = {file.rpartition("/")[2].partition("-")[0] for file in entry.files} if of_contract else ()
    return one.rule.file in entry.files or one.rule.code in codes


def _in_mode(one: Assigned, own: Override | None, general: Override | None) -> Assigned:
    if own and one.override is None:
        one = replace(one, override=own.named())
    holds = own if own and own.state != "expired" else general
    return replace(one, observed=holds.name) if holds and holds.mode == "observe" else one


def assign_drafts(assigned: Iterable[Assigned], entries: Sequence[Override], kind: ClaimKind) -> list[Assigned]:
    """The rules with those as drafts that an upgrade brought as such; what they were before holds meanwhile."""
    found = []
    for one in assigned:
        mine = [entry for entry in entries if one.rule.file in entry.files]
        for part, entry in parted(one, mine) if mine else [(one, None)]:
            drafted = _drafted(part, entry)
            found.append(drafted)
            if entry and drafted is not part:
                found += _meanwhile(part, entry, kind)
    return found


def _meanwhile(one: Assigned, entry: Override, kind: ClaimKind) -> Iterator[Assigned]:
    """The rule as it was, for whom it was and on the dates of the draft."""
    rule = entry.meanwhile
    if (
        rule is None
        or kind.role not in rule.bills_as
        or (not rule.serves(kind.selection.payer, kind.selection.plan) and one.at_most is None)
        or (kind.void and not rule.on_void)
        or (rule.needs_history and not kind.consulted)
    ):
        return
    pieces = (piece for version in rule.versions for piece in split(version, None, entry))
    if versions := tuple(version for version, owner in pieces if owner):
        yield replace(one, rule=replace(rule, versions=versions), override=entry.named())


def _drafted(one: Assigned, entry: Override | None) -> Assigned:
    """What the hospital's own override says of a rule goes first, unless it would hold claims all the same."""
    decided = one.override is not None and one.override.state != "expired"
    if entry is None or one.published or (decided and all(v.severity != "block" for v in one.rule.versions)):
        return one
    one = replace(one, override=entry.named())
    if entry.state != "expired":
        return replace(one, rule=replace(one.rule, status="draft"))
    # Nobody looked by the last day: it speaks now, and still holds nothing until somebody does.
    spoken = tuple(replace(v, severity="warn") if v.severity == "block" else v for v in one.rule.versions)
    return replace(one, rule=replace(one.rule, versions=spoken))
