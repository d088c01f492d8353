"""What a rule suggests, on the claim that it was found on: lines, values, sums."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from rules.book.suggested import THIS, ChangeClass, Step, Tidied
from rules.claim import Claim, Line
from rules.engine.edits import Edit, halves, money, of_line
from rules.facts import Facts, LineFacts
from rules.facts.day import BILATERAL, SIDES, side_of
from rules.facts.diagnoses import undotted
from rules.facts.together import position_of_number
from rules.values import CENT

_DASHES = str.maketrans("", "", " -\t\u00a0\u2010\u2011\u2012\u2013\u2014")
_BLANKS = str.maketrans("", "", " \t\u00a0")
_NDC_DIGITS = 11


def edit_of(step: Step, facts: Facts, kind: ChangeClass) -> Edit | None:
    """One step on the claim of the facts; None: it is not the claim that it is meant for."""
    claim = facts.case.claim
    if step.total_of_lines:
        return Edit(sums=True)
    if step.frequency is not None:
        return _of_frequency(claim, step.frequency, kind)
    if step.distinct_diagnoses:
        return _distinct(claim)
    if step.tidy is not None:
        return _tidied(claim, step.tidy)
    if step.remove_lines is not None:
        return _removed(_places(step.remove_lines, facts), claim)
    if step.remove_repeats is not None:
        return _without_repeats(step.remove_repeats, facts)
    if step.join_sides is not None:
        return _joined(step.join_sides, facts)
    if step.split_sides:
        return _split(facts)
    return _of_lines(step, _places(step.on, facts), claim, kind)


def _places(fact: str, facts: Facts) -> list[int]:
    if fact == THIS:
        return [position_of_number(facts.case, facts.line_number)] if facts.line_number is not None else []
    return [position_of_number(facts.case, number) for number in facts[fact] or ()]


def _of_lines(step: Step, places: list[int], claim: Claim, kind: ChangeClass) -> Edit | None:
    """Units, charge or modifiers of these lines."""
    edit = Edit()
    for place in places:
        line = claim.lines[place]
        if step.units is not None:
            if line.units is None or _spans(line):
                return None  # how many are missing, or are of how many days, only the record says
            edit = replace(edit, values={**edit.values, (place, "units"): (kind, step.units)})
        elif step.charge_per_unit:
            if not line.units or line.units <= 1 or line.charge <= 0 or _spans(line):
                return None
            charge = (line.charge / line.units).quantize(CENT)
            edit = replace(edit, values={**edit.values, (place, "charge"): (kind, money(charge))})
        elif step.swap is not None:
            swaps = {(place, code): new for code, new in step.swap.items() if code in line.modifiers}
            if not swaps or any(_billed_beside(claim, line, new) for new in swaps.values()):
                return None
            edit = replace(edit, swaps={**edit.swaps, **swaps})
        elif step.add is not None and step.add not in line.modifiers:
            edit = replace(edit, adds=(*edit.adds, (place, step.add)))
    return edit


def _billed_beside(claim: Claim, line: Line, new: str | None) -> bool:
    """Whether another line bills the side that this one would."""
    return new in SIDES and any(
        one is not line and one.procedure == line.procedure and new in one.modifiers for one in claim.lines
    )


def _spans(line: Line) -> bool:
    return line.service_date_end not in (None, line.service_date)


def _without_repeats(fact: str, facts: Facts) -> Edit | None:
    """A line that differs in more than its modifiers is none that only repeats the first."""
    this, lines = _places(THIS, facts), facts.case.claim.lines
    others = [place for place in _places(fact, facts) if place not in this]
    if any(not _repeats(lines[this[0]], lines[place]) for place in others):
        return None
    return _removed(others, facts.case.claim) if others else Edit()


def _removed(places: Sequence[int], claim: Claim) -> Edit | None:
    """A line that another payer decided on stays: what that payer paid and adjusted would no longer add up."""
    if not places or any(claim.lines[place].decisions for place in places):
        return None
    return Edit(removed=frozenset(places))


def _of_frequency(claim: Claim, code: str, kind: ChangeClass) -> Edit:
    """The type of bill ends with it."""
    values: dict[tuple[int | None, str], tuple[ChangeClass, Any]] = {(None, "frequency_code"): (kind, code)}
    if claim.type_of_bill and claim.type_of_bill.endswith(claim.frequency_code):
        values[(None, "type_of_bill")] = ("follows", f"{claim.type_of_bill[:-1]}{code}")
    return Edit(values=values)


def _repeats(one: Line, other: Line) -> bool:
    return (
        side_of(one) == side_of(other)
        and (BILATERAL in one.modifiers) is (BILATERAL in other.modifiers)
        and one.rendering_provider == other.rendering_provider
        and one.unit_basis == other.unit_basis
        and one.units is not None
        and not _spans(other)
    )


def _joined(fact: str, facts: Facts) -> Edit | None:
    """Of two lines, one a side; of more, nobody knows which belong together."""
    places, lines = _places(fact, facts), facts.case.claim.lines
    if not isinstance(facts, LineFacts) or len(places) != 2:
        return None
    first, second = (lines[place] for place in sorted(places))
    if {side_of(first), side_of(second)} != {"LT", "RT"} or first.rendering_provider != second.rendering_provider:
        return None
    if first.decisions or second.decisions or _spans(first) or _spans(second):
        return None
    keep, gone = sorted(places)
    values: dict[tuple[int | None, str], tuple[ChangeClass, Any]] = {
        (keep, "units"): ("decision", "1"),
        (keep, "charge"): ("decision", money(first.charge + second.charge)),
    }
    pointers = tuple(dict.fromkeys((*first.diagnosis_pointers, *second.diagnosis_pointers)))[:4]
    if pointers != first.diagnosis_pointers:
        values[(keep, "diagnosis_pointers")] = ("follows", list(pointers))
    return Edit(values=values, swaps={(keep, side_of(first)): BILATERAL}, removed=frozenset([gone]))


def _split(facts: Facts) -> Edit | None:
    (place,) = _places(THIS, facts)
    claim = facts.case.claim
    line = claim.lines[place]
    if BILATERAL not in line.modifiers or line.decisions or {"LT", "RT"} & set(line.modifiers) or line.charge < CENT:
        return None
    left, right = halves(line.charge)
    rest = tuple(code for code in line.modifiers if code != BILATERAL)
    number = max(one.number for one in claim.lines) + 1
    other = of_line(line, number=number, modifiers=["RT", *rest], charge=money(right), units="1")
    return Edit(
        values={(place, "charge"): ("decision", money(left)), (place, "units"): ("decision", "1")},
        swaps={(place, BILATERAL): "LT"},
        added=((place, other),),
    )


def _distinct(claim: Claim) -> Edit:
    """Each diagnosis where it stands first; each pointer to where its diagnosis now stands."""
    codes = [undotted(code) for code in claim.diagnoses]
    kept = list(dict.fromkeys(codes))
    values: dict[tuple[int | None, str], tuple[ChangeClass, Any]] = {
        (None, "diagnoses"): ("decision", [claim.diagnoses[codes.index(code)] for code in kept])
    }
    for place, line in enumerate(claim.lines):
        pointers = [kept.index(codes[one - 1]) + 1 if 0 < one <= len(codes) else one for one in line.diagnosis_pointers]
        after = list(dict.fromkeys(pointers))
        if after != list(line.diagnosis_pointers):
            values[(place, "diagnosis_pointers")] = ("follows", after)
    return Edit(values=values)


def _tidied(claim: Claim, what: Tidied) -> Edit:
    """What is written otherwise; what cannot be read as one thing alone stays as it is."""
    values: dict[tuple[int | None, str], tuple[ChangeClass, Any]] = {}

    def put(place: int | None, path: str, value: str | None, tidy: Callable[[str], str]) -> None:
        if value and (after := tidy(value)) and after != value:
            values[(place, path)] = ("format", after)

    if what == "diagnoses":
        for place, code in enumerate(claim.diagnoses):
            put(None, f"diagnoses/{place}", code, as_diagnosis)
        for place, code in enumerate(claim.reason_diagnoses):
            put(None, f"reason_diagnoses/{place}", code, as_diagnosis)
        put(None, "admitting_diagnosis", claim.admitting_diagnosis, as_diagnosis)
    elif what == "member_id" and claim.subscriber:
        put(None, "subscriber/member_id", claim.subscriber.member_id, as_plain)
    elif what == "npis":
        for name in ("billing", "rendering", "attending", "operating", "referring", "supervising"):
            one = getattr(claim, f"{name}_provider")
            put(None, f"{name}_provider/npi", one and one.npi, as_plain)
        for place, line in enumerate(claim.lines):
            put(
                place,
                "rendering_provider/npi",
                line.rendering_provider.npi if line.rendering_provider else None,
                as_plain,
            )
    elif what == "procedures":
        for place, line in enumerate(claim.lines):
            put(place, "procedure", line.procedure, as_plain)
    elif what == "ndcs":
        for place, line in enumerate(claim.lines):
            put(place, "drug/ndc", line.drug.ndc if line.drug else None, as_ndc)
    elif what == "modifiers":
        tidy = {place: tuple(map(as_plain, line.modifiers)) for place, line in enumerate(claim.lines)}
        return Edit(retouched={place: codes for place, codes in tidy.items() if codes != claim.lines[place].modifiers})
    return Edit(values=values)


def as_plain(text: str) -> str:
    """Capitals, without blanks and dashes."""
    return text.translate(_DASHES).upper()


def as_diagnosis(code: str) -> str:
    """With its dot after the third character, where it has one."""
    bare = code.translate(_BLANKS).upper()
    if "." not in bare:
        return bare
    bare = bare.replace(".", "")
    return f"{bare[:3]}.{bare[3:]}" if len(bare) > 3 else bare


def as_ndc(code: str) -> str:
    """Eleven digits without dashes; of ten, nobody knows where the zero belongs."""
    bare = code.translate(_DASHES)
    return bare if len(bare) == _NDC_DIGITS else code
