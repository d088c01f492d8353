"""Reading one element: text, amounts, days, codes. No sentence here holds a value of the claim."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal

from worker.intake.fhir import parties, related, systems
from worker.intake.fhir.node import Node, plain_system
from worker.intake.fhir.reading import Reading

Convert = Callable[[Node, str, Reading], object]
BEHIND: dict[Convert, tuple[str, ...]] = {}
"""What is read of the resource that a Reference names, where the element is one."""
"""From the object, the name of its element, and what is known of the whole; None: the field stays absent."""

_LONGEST_CONTROL_NUMBER = 38
_SEX = {"male": "M", "female": "F"}
_RANKS = "PSTABCDEFGH"
_DRUG_UNITS = {"ml": "ML", "g": "GR", "mg": "ME", "[iu]": "F2", "1": "UN", "{each}": "UN"}
_UNITS = {
    **_DRUG_UNITS, "": "UN", "{unit}": "UN", "unit": "UN", "units": "UN", "un": "UN", "each": "UN", "ea": "UN",
    "min": "MJ", "minute": "MJ", "minutes": "MJ", "d": "DA", "day": "DA", "days": "DA",
}  # fmt: skip
"""Of UCUM and of the words beside it, in small letters."""


def text(node: Node, name: str, _reading: Reading) -> str | None:
    """The element as it stands."""
    return node.text(name)


def first_text(node: Node, name: str, _reading: Reading) -> str | None:
    """The first of a list of strings."""
    found = node.value.get(name)
    if found is None:
        return None
    if not isinstance(found, list) or not all(isinstance(one, str | None) for one in found):
        node.note(name, "expected a list of strings")
        return None
    return next((one for one in found if one), None)


def control_number(node: Node, name: str, _reading: Reading) -> str | None:
    """CLM01; what is too long for it gives way to the next."""
    found = node.text(name)
    return found if found and len(found) <= _LONGEST_CONTROL_NUMBER else None


def number(node: Node, name: str, _reading: Reading) -> Decimal | None:
    """A decimal number."""
    return node.number(name)


def whole(node: Node, name: str, _reading: Reading) -> int | None:
    """A count or position."""
    return node.whole(name)


def rank(node: Node, name: str, _reading: Reading) -> str | None:
    """SBR01 by the order of payers."""
    found = node.whole(name) or 0
    return _RANKS[found - 1] if 0 < found <= len(_RANKS) else None


def day(node: Node, name: str, _reading: Reading) -> str | None:
    """The calendar day of a date or dateTime, as its sender's clock had it."""
    return node.day(name)


def only_day(node: Node, name: str, _reading: Reading) -> str | None:
    """The start of a period that has no end or ends on the same day: every service lies within the billable period."""
    start, end = node.day(name), node.day("end")
    return start if end in (None, start) else None


def later_day(node: Node, name: str, _reading: Reading) -> str | None:
    """The end of a period, where it is another day than its start."""
    end = node.day(name)
    return end if end != node.day("start") else None


def sex(node: Node, name: str, _reading: Reading) -> str | None:
    """DMG03."""
    found = node.text(name)
    return _SEX.get(found, "U") if found else None


def state_in_address(node: Node, name: str, _reading: Reading) -> str | None:
    """Of an Address in which the place of service does not stand in its place."""
    found = parties.state(node.object(name)) or ""
    return None if found.isdigit() else found or None


def place_in_address(node: Node, name: str, _reading: Reading) -> str | None:
    """The place of service where a state would be, as some systems keep it."""
    found = node.object(name).text("state") or ""
    return found if len(found) == 2 and found.isdigit() else None


def hour(node: Node, name: str, _reading: Reading) -> str | None:
    """HHMM of a dateTime; midnight to the second is what systems write that keep no hour."""
    found = re.match(r".{10}T(\d{2}):(\d{2})(:00(\.0+)?)?", node.text(name) or "")
    return found[1] + found[2] if found and (found[1] + found[2] != "0000" or not found[3]) else None


def money(node: Node, name: str, _reading: Reading) -> Decimal | None:
    """The amount of a Money."""
    return dollars(node.object(name))


def dollars(amount: Node) -> Decimal | None:
    """US dollars, which a Money is that names no currency."""
    if amount.text("currency") not in ("USD", None):
        amount.note("currency", "expected USD")
    return amount.number("value")


def price(node: Node, name: str, _reading: Reading) -> Decimal | None:
    """unitPrice x quantity x factor."""
    found = node.object(name)
    amount = dollars(found) if found else None
    for one in (_amount(node.object("quantity")), node.number("factor")):
        amount = amount * one if amount is not None and one is not None else amount
    return amount.normalize() + 0 if amount is not None else None


def quantity(node: Node, name: str, _reading: Reading) -> Decimal | None:
    """The number of a Quantity."""
    return _amount(node.object(name))


def _amount(quantity: Node) -> Decimal | None:
    """What is billed is a number, and no more or less than one."""
    if quantity.value.get("comparator"):
        quantity.doubt("comparator", "says that the number is not exact; expected how much was given")
    return quantity.number("value")


def unit(node: Node, name: str, _reading: Reading) -> str | None:
    """SV103 or SV204; what stands for no unit of the 837 is read as it stands."""
    return _unit(node.object(name), _UNITS)


def drug_unit(node: Node, name: str, _reading: Reading) -> str | None:
    """CTP05-1."""
    return _unit(node.object(name), _DRUG_UNITS) or None


def _unit(found: Node, names: Mapping[str, str]) -> str | None:
    if not found:
        return None
    name = found.text("code") or found.text("unit") or ""
    return names.get(name.strip().lower(), name)


# codes


def one_of(choose: Callable[[Node], object]) -> Convert:
    """What a function of `systems` finds in a concept."""
    return lambda node, name, _reading: choose(node.object(name))


def form(_node: Node, _name: str, reading: Reading) -> str | None:
    """Worked out before, since so much depends on it."""
    return reading.form


def form_of_type(node: Node, name: str, reading: Reading) -> str | None:
    """The same, where the type says it."""
    return reading.form if reading.form in node.object(name).codes() else None


def bill(*, any_system: bool) -> Convert:
    """The type of bill."""
    return lambda node, name, _reading: systems.type_of_bill(node.object(name), any_system=any_system)


def bill_frequency(*, any_system: bool) -> Convert:
    """The last digit of the type of bill."""

    def read(node: Node, name: str, _reading: Reading) -> str | None:
        found = systems.type_of_bill(node.object(name), any_system=any_system)
        return found[-1] if found else None

    return read


def frequency(node: Node, _name: str, reading: Reading) -> str | None:
    """CLM05-3 of a claim that follows another."""
    return related.frequency(node, reading.cancelled)


def original_number(node: Node, _name: str, _reading: Reading) -> str | None:
    """REF*F8."""
    return related.original_number(node)


def procedure(node: Node, name: str, _reading: Reading) -> str | None:
    """One CPT or HCPCS code."""
    concept = node.object(name)
    codes = concept.codes(systems.PROCEDURES)
    if len(codes) > 1:
        concept.note("", "carries two procedure codes; expected one an item")
    return codes[0] if codes else None


def modifiers(node: Node, name: str, _reading: Reading) -> list[str]:
    """All of all concepts."""
    found = []
    for one in node.objects(name):
        codes = systems.modifiers(one)
        if not codes:
            one.doubt("", "a modifier without a code cannot be read")
        found += codes
    return found


def drug(node: Node, name: str, _reading: Reading) -> str | None:
    """11 digits of a hyphenated NDC in 5-4-2 form; the segment that is short says where the zero belongs."""
    found = systems.ndc(node.object(name)) or ""
    parts = found.split("-")
    if len(parts) == 3 and all(part.isdigit() for part in parts):
        return "".join(part.zfill(size) for part, size in zip(parts, (5, 4, 2), strict=True))
    return found or None


def numbered_diagnoses(_node: Node, _name: str, reading: Reading) -> list[str]:
    """HI*ABK and ABF."""
    return [one.code for one in reading.diagnoses if not one.apart]


def diagnoses_of(kind: str) -> Convert:
    """HI*APR."""
    return lambda _node, _name, reading: [one.code for one in reading.diagnoses if kind in one.types]


def diagnosis_of(kind: str) -> Convert:
    """HI*ABJ."""

    def read(node: Node, name: str, reading: Reading) -> str | None:
        found = list(dict.fromkeys(one.code for one in reading.diagnoses if kind in one.types))
        if len(found) > 1:
            node.doubt(name, f"two diagnoses are marked {kind}; expected one")
        return found[0] if found else None

    return read


def condition_codes(_node: Node, _name: str, reading: Reading) -> list[str] | None:
    """HI*BG."""
    return [one.code for one in reading.codes if one.kind == "condition"] or None


def occurrences(_node: Node, _name: str, reading: Reading) -> list[dict[str, object]] | None:
    """HI*BH; one that comes again is of the next group, since FHIR has no groups."""
    seen: list[str] = []
    found: list[dict[str, object]] = []
    for one in reading.codes:
        if one.kind == "occurrence":
            seen.append(one.code)
            period = one.info.object("timingPeriod")
            when = one.info.day("timingDate") or only_day(period, "start", reading)
            found.append({"code": one.code, "day": when, "group": seen.count(one.code)})
    return found or None


def occurrence_spans(_node: Node, _name: str, reading: Reading) -> list[dict[str, object]] | None:
    """HI*BI."""
    rows = [(one.code, one.info.object("timingPeriod")) for one in reading.codes if one.kind == "span"]
    return [{"code": code, "from_date": at.day("start"), "through_date": at.day("end")} for code, at in rows] or None


def value_codes(_node: Node, _name: str, reading: Reading) -> list[dict[str, object]] | None:
    """HI*BE."""
    rows = [(one.code, one.info.object("valueQuantity")) for one in reading.codes if one.kind == "value"]
    return [{"code": code, "amount": _amount(at)} for code, at in rows] or None


def pointers(node: Node, name: str, reading: Reading) -> list[int]:
    """Positions in the list; a sequence that no diagnosis has stays out of range, for the rule that judges it."""
    places = reading.places
    return [places.get(one, one if one > len(places) else 0) for one in node.wholes(name)]


# who


def of_reference(read: parties.Read) -> Convert:
    """What a function of `parties` finds behind a Reference."""

    def convert(node: Node, name: str, _reading: Reading) -> object:
        return read(node.object(name))

    BEHIND[convert] = parties.READS.get(read, ())
    return convert


def of_resource(read: Callable[[Node], object]) -> Convert:
    """What a function of `parties` finds in the resource itself."""

    def convert(node: Node, _name: str, _reading: Reading) -> object:
        return read(node)

    BEHIND[convert] = parties.READS.get(read, ())
    return convert


def address(part: str) -> Convert:
    """A part of the address of a resource that has one or several."""

    def read(node: Node, name: str, _reading: Reading) -> str | None:
        one = isinstance(node.value.get(name), dict)
        return parties.part_of([node.object(name)] if one else parties.in_use(node, name), part)

    return read


def person(_node: Node, _name: str, _reading: Reading) -> str:
    """Who is insured is a person, where there is a name."""
    return "person"


def present_name(node: Node, _name: str, _reading: Reading) -> bool:
    """Whether a person has a family name."""
    return parties.family(node) is not None


BEHIND[present_name] = parties.READS[parties.insured_last_name]


def patients_own(_node: Node, _name: str, reading: Reading) -> bool | None:
    """Whether the patient is another person than the subscriber."""
    return reading.is_dependent


def self_relationship(node: Node, name: str, reading: Reading) -> str | None:
    """SBR02 of 2000B: 18, or nothing."""
    found = systems.relationship(node.object(name))
    return "18" if found == "18" or (found is None and reading.is_dependent is False) else None


def present_on_admission(_node: Node, _name: str, reading: Reading) -> list[dict[str, object]] | None:
    """Component 9 of HI, of the numbered diagnoses."""
    numbered = [one for one in reading.diagnoses if not one.apart]
    found = [{"diagnosis": at, "indicator": one.admitted} for at, one in enumerate(numbered, 1) if one.admitted]
    return found or None


def payer_number(node: Node, _name: str, _reading: Reading) -> str | None:
    """NM109 of the payer, of the Reference itself."""
    return parties.payer_number(node)


def other_payer_number(node: Node, _name: str, _reading: Reading) -> str | None:
    """Of the first payor that is no person."""
    return parties.payer_number(parties.payor(node))


def marked(*kinds: str) -> Callable[[Node], bool]:
    """Whether an object's type, or the category of supporting information, has one of the codes."""
    wanted = {kind.lower() for kind in kinds}
    return lambda node: any(code.lower() in wanted for code in (node.object("category") or node.object("type")).codes())


def is_drug(detail: Node) -> bool:
    """Whether a detail has an NDC."""
    return bool(detail.object("productOrService").codes(systems.NDC))


def system_names(concept: Node) -> set[str]:
    """The systems of a concept, in their plain form."""
    return {plain_system(one.text("system")) for one in concept.objects("coding")}
