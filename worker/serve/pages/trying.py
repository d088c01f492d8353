"""What rules suggest for a claim, and what would come of it. Nothing is sent or applied: a person makes the changes in
the billing system, whose next version of the claim closes the case.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from rules.claim import Claim
from rules.engine.suggesting import Suggestion
from rules.engine.trying import Change, Tried, changes
from rules.report import Finding
from worker.serve.pages.frame import Said

_KINDS: Mapping[str, str] = {"format": "written otherwise"}
"""By the class of a change; any other is for a person to confirm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A way out of one finding."""

    key: str
    what: str
    kind: str
    confirm: tuple[str, ...]
    code: str
    place: str
    chosen: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TryPage:
    """A claim with changes, judged."""

    ways: tuple[Way, ...]
    changes: tuple[Change, ...]
    confirm: tuple[str, ...]
    verdict: Said | None
    more: tuple[str, ...]
    text: str
    """To be copied."""
    repairs: bool = False
    """Whether some of it is only written otherwise, and can be repaired here."""


Ways = Mapping[tuple[str, int | None], tuple[Way, ...]]
"""By rule file and line."""


def ways_of(claim: Claim, suggestions: Sequence[Suggestion]) -> Ways:
    """For the findings of a claim's page."""
    found: dict[tuple[str, int | None], tuple[Way, ...]] = {}
    for one in suggestions:
        key = (one.rule, one.line)
        found[key] = (*found.get(key, ()), way(claim, one))
    return found


def of(ways: Ways, finding: Finding) -> tuple[Way, ...]:
    """Those of a finding, and of what is shown with it."""
    keys = dict.fromkeys((one.rule, one.line) for one in (finding, *finding.because))
    return tuple(one for key in keys for one in ways.get(key, ()))


def way(claim: Claim, one: Suggestion, chosen: Collection[str] = ()) -> Way:
    """A suggestion in words; what names a person is left out."""
    return Way(
        key=one.key,
        what="; ".join(str(change) for change in changes(claim, one.operations)),
        kind=_KINDS.get(one.change_class, "to confirm"),
        confirm=one.confirm,
        code=one.code,
        place=f"line {one.line}" if one.line is not None else "whole claim",
        chosen=one.key in chosen,
    )


def try_page(claim: Claim, suggestions: Sequence[Suggestion], tried: Tried | None, refused: str) -> TryPage:
    """`tried`: None where it cannot be tried, for the reason of `refused`."""
    keys = [one.key for one in tried.suggestions] if tried else []
    made = tuple(changes(claim, tried.operations, told=True)) if tried else ()
    confirm = tuple(dict.fromkeys(text for one in tried.suggestions for text in one.confirm)) if tried else ()
    lines = [str(one) for one in made] + [f"Confirm: {text}" for text in confirm]
    return TryPage(
        ways=tuple(way(claim, one, keys) for one in suggestions),
        changes=made,
        confirm=confirm,
        verdict=_verdict(tried) if tried else Said("late", "These cannot be tried together", refused),
        more=tuple(_more(tried)) if tried else (),
        text="\n".join(lines),
        repairs=any(one.change_class == "format" for one in suggestions),
    )


def _verdict(tried: Tried) -> Said:
    if tried.left or tried.new:
        return Said("late", "With these changes the claim would still be held")
    if tried.report.disposition == "billing" and tried.mends:
        return Said("good", "With these changes the claim would go to billing")
    if tried.unasked:
        return Said("warn", "With these changes nothing that was asked holds the claim")
    return Said("warn", f"With these changes the claim would go to {tried.report.disposition}")


def _more(tried: Tried) -> Iterator[str]:
    for one in tried.left:
        yield f"{_named(one)} still holds it: {one.message}"
    for one in tried.new:
        yield f"{_named(one)} would hold it then: {one.message}"
    if tried.unasked:
        yield f"Not asked again: {', '.join(tried.unasked)}, which look at what was billed before."
    else:
        yield "What was billed before was not looked at."


def _named(one: Finding) -> str:
    return f"{one.code} (line {one.line})" if one.line is not None else one.code
