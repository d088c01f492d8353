"""Changes of one claim: what they come to together, and as RFC 6902 operations.

A change names a line by its place on the claim as it was found, so that several can be made at once: lines go last, and
the total charge follows what became of the lines.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from decimal import Decimal
from typing import Any

from rules.book.suggested import ChangeClass
from rules.claim import Claim, Line
from rules.values import CENT

At = int | None
"""Of a line, from 0; None: the claim itself."""


class Contradiction(Exception):
    """Two changes that cannot both be made; its text says of what."""


@dataclass(frozen=True, slots=True)
class Edit:
    """What is changed on a claim."""

    values: Mapping[tuple[At, str], tuple[ChangeClass, Any]] = field(default_factory=dict)
    """By line and field, or a path below the claim."""
    swaps: Mapping[tuple[int, str], str | None] = field(default_factory=dict)
    """By line and modifier: what takes its place."""
    adds: tuple[tuple[int, str], ...] = ()
    """Modifiers that are added to lines."""
    retouched: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    """Modifiers of lines that are written otherwise and stay what they are."""
    removed: frozenset[int] = frozenset()
    """Lines that go."""
    added: tuple[tuple[int, Mapping[str, Any]], ...] = ()
    """Lines that come, each with the line that it comes from."""
    sums: bool = False
    """The total charge becomes the sum of the lines, whatever it was."""


def together(edits: Iterable[Edit]) -> Edit:
    """All of them at once.

    Raises:
        Contradiction: two want different things of one place.
    """
    whole = Edit()
    for edit in edits:
        swaps = _one_value(whole.swaps, edit.swaps, "the modifiers")
        adds = (*whole.adds, *(one for one in edit.adds if one not in whole.adds))
        if any((place, code) in swaps for place, code in adds):
            raise Contradiction("the modifiers")
        whole = Edit(
            values=_one_value(whole.values, edit.values, "one value"),
            swaps=swaps,
            adds=adds,
            retouched=_one_value(whole.retouched, edit.retouched, "the modifiers"),
            removed=whole.removed | edit.removed,
            added=(*whole.added, *(one for one in edit.added if one not in whole.added)),
            sums=whole.sums or edit.sums,
        )
    if len({place for place, _ in whole.added}) < len(whole.added):
        raise Contradiction("a line that becomes two")
    return whole


def _one_value(one: Mapping[Any, Any], other: Mapping[Any, Any], what: str) -> dict[Any, Any]:
    for key, value in other.items():
        if key in one and one[key] != value:
            raise Contradiction(what)
    return {**one, **other}


def operations(claim: Claim, edit: Edit) -> list[dict[str, Any]]:
    """The change as RFC 6902 operations on the claim, each with its class, which that standard has readers pass over.

    Raises:
        Contradiction: no line would be left.
    """
    if len(edit.removed) >= len(claim.lines):
        raise Contradiction("all lines go")
    found = []
    for (place, name), (kind, value) in edit.values.items():
        if place in edit.removed:
            continue
        holder = claim if place is None else claim.lines[place]
        prefix, before = "" if place is None else f"/lines/{place}", _value_at(holder, name)
        if as_data(before) != value and not _same_number(before, value):
            found.append(_put(f"{prefix}/{name}", before, value, kind))
    touched = {place for place, _ in edit.swaps} | {place for place, _ in edit.adds} | set(edit.retouched)
    for place in sorted(touched - edit.removed):
        before = claim.lines[place].modifiers
        after = modifiers_after(edit, place, before)
        if after != before:
            plain = place in edit.retouched and after == edit.retouched[place]
            found.append(
                _put(f"/lines/{place}/modifiers", before or None, list(after), "format" if plain else "decision")
            )
    found += [{"op": "remove", "path": f"/lines/{place}", "class": "decision"} for place in sorted(edit.removed)[::-1]]
    found += [
        {"op": "add", "path": "/lines/-", "value": dict(line),
         "class": "decision"}
        for _, line in edit.added
    ]  # fmt: skip
    total = _total(claim, edit)
    if total is not None and total != claim.total_charge:
        found.append(_put("/total_charge", claim.total_charge, money(total), "follows"))
    return found


def modifiers_after(edit: Edit, place: int, before: tuple[str, ...]) -> tuple[str, ...]:
    """The modifiers of a line with what is swapped and added, each once."""
    now = edit.retouched.get(place, before)
    kept = [edit.swaps.get((place, code), code) for code in now]
    kept += [code for line, code in edit.adds if line == place]
    return tuple(dict.fromkeys(code for code in kept if code is not None))


def money(amount: Decimal) -> str:
    """US dollars as claims have them."""
    return f"{amount:.2f}"


def _same_number(before: Any, value: Any) -> bool:
    return isinstance(before, Decimal) and isinstance(value, str) and before == Decimal(value)


def _put(path: str, before: Any, value: Any, kind: ChangeClass) -> dict[str, Any]:
    return {"op": "add" if before is None else "replace", "path": path, "value": value, "class": kind}


def _value_at(holder: Any, path: str) -> Any:
    for part in path.split("/"):
        holder = holder[int(part)] if isinstance(holder, tuple) else getattr(holder, part)
        if holder is None or holder == ():
            return None
    return holder


def _total(claim: Claim, edit: Edit) -> Decimal | None:
    """The total charge after the change: moved by what the lines gain and lose, so that a total that was not their sum
    before is not hidden."""
    before = sum((line.charge for line in claim.lines), Decimal(0))
    after = sum((Decimal(line["charge"]) for _, line in edit.added), Decimal(0))
    for place, line in enumerate(claim.lines):
        if place not in edit.removed:
            charge = edit.values.get((place, "charge"))
            after += Decimal(charge[1]) if charge else line.charge
    if edit.sums:
        return after
    return None if claim.total_charge is None else claim.total_charge + after - before


def halves(amount: Decimal) -> tuple[Decimal, Decimal]:
    """An amount in two parts of whole cents."""
    half = (amount / 2).quantize(CENT)
    return half, amount - half


def of_line(line: Line, **changes: Any) -> dict[str, Any]:
    """Another line like it, as JSON: what names it in the host's books, or was decided on it, is not its own."""
    data = {name: value for name, value in as_data(line).items() if value != []}
    return {name: value for name, value in data.items() if name not in ("control_number", "decisions")} | changes


def as_data(part: Any) -> Any:
    """A claim or a part of one as decoded JSON, whichever reader made it; nothing that is null."""
    if isinstance(part, tuple):
        return list(map(as_data, part))
    if isinstance(part, Decimal):
        return f"{part:f}"
    if isinstance(part, date):
        return part.isoformat()
    if part is None or isinstance(part, str | int | bool):
        return part
    # A plain reader's own classes have the same names of fields and are no dataclasses.
    names = getattr(part, "__struct_fields__", None) or [one.name for one in fields(part)]
    return {name: as_data(value) for name in names if (value := getattr(part, name)) is not None}
