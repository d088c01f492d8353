"""Reading one element: text, amounts, dates, codes and composites. No sentence here holds a value of the file."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from functools import lru_cache

_NUMBER = re.compile(r"-?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)")
_WHOLE = re.compile(r"\+?[0-9]{1,6}(?:\.0*)?")
_LONGEST_NUMBER = 30
"""Characters; amounts of the guides have at most 18 digits."""
_MODIFIER = re.compile(r"[A-Za-z0-9]{2}")
_CODE = re.compile(r"[A-Za-z0-9]+")
_ATTACHED = re.compile(r"(?:[0-9]{4}[0-9A-Z]|[A-Z][0-9]{4})[0-9A-Z]{2,}")
"""A code, of CPT or HCPCS level II, with its modifiers attached, where the file was written with another separator than
it declares. No code is longer than five characters."""
_OTHER_CODE_SETS = frozenset({"ER", "HP", "IV", "WK"})
"""SV101-1 and SV202-1 beside HC: worker's compensation, HIPPS, home infusion (HIEC), ABC codes; none holds CPT."""


class Unreadable(Exception):
    """The element cannot be read; the sentence says what was expected."""


def text(raw: str, _elements: list[str], _component: str) -> str | None:
    """The element as it stands; blanks around it are padding."""
    return raw.strip() or None


def when(place: int, qualifier: str) -> Callable[[str, list[str], str], str | None]:
    """The element, where another one of the segment holds this qualifier."""

    def qualified(raw: str, elements: list[str], _component: str) -> str | None:
        return raw.strip() or None if elements[place].strip().upper() == qualifier else None

    return qualified


def present(raw: str, _elements: list[str], _component: str) -> bool | None:
    """That something stands there; what, no rule asks."""
    return bool(raw.strip()) or None


def longer_than(most: int) -> Callable[[str, list[str], str], bool | None]:
    """That more characters stand there."""

    def longer(raw: str, _elements: list[str], _component: str) -> bool | None:
        return len(raw.strip()) > most or None

    return longer


def component_at(place: int) -> Callable[[str, list[str], str], str | None]:
    """One component of a composite, from 1."""

    def component_(raw: str, _elements: list[str], component: str) -> str | None:
        parts = raw.split(component)
        return parts[place - 1].strip() or None if len(parts) >= place else None

    return component_


def related_causes(raw: str, _elements: list[str], component: str) -> list[str] | None:
    """CLM11-1 to -3."""
    return [part.strip() for part in raw.split(component)[:3] if part.strip()] or None


def described(raw: str, _elements: list[str], component: str) -> bool | None:
    """That SV101-7 or SV202-7, the description, is there, and is none in form alone."""
    return (bool(_description(raw, component)) and not modifier_as_description(raw, component)) or None


def modifier_as_description(raw: str, component: str) -> bool:
    """Whether two letters or digits stand where the description is: a modifier in a place that payers read as text."""
    return _MODIFIER.fullmatch(_description(raw, component)) is not None


def _description(raw: str, component: str) -> str:
    if raw.count(component) < 6:
        return ""
    return raw.split(component)[6].strip()


def unless(usual: str) -> Callable[[str, list[str], str], str | None]:
    """The code, but not this one, which is what stands there as a rule."""

    def other(raw: str, _elements: list[str], _component: str) -> str | None:
        code = raw.strip().upper()
        return None if code == usual else code or None

    return other


def dollars(raw: str, _elements: list[str], _component: str) -> None:
    """CUR02: nothing, where amounts are in US dollars."""
    if raw.strip().upper() != "USD":
        raise Unreadable("expected USD: amounts in another currency are not taken for US dollars")


def for_destination(raw: str, elements: list[str], component: str) -> str | None:
    """REF02, unless REF04 says that the number is another payer's."""
    others = len(elements) > 4 and elements[4].partition(component)[0].strip() == "2U"
    return None if others else raw.strip() or None


def entity(raw: str, _elements: list[str], _component: str) -> str | None:
    """NM102."""
    return {"1": "person", "2": "organization"}.get(raw.strip())


def number(raw: str, _elements: list[str], _component: str) -> str:
    """A decimal number with its digits as they stand, so that no cent is lost on the way."""
    raw = raw.strip().removeprefix("+")
    if not _NUMBER.fullmatch(raw):
        raise Unreadable("expected a decimal number such as 12 or 12.50")
    if len(raw) > _LONGEST_NUMBER:
        raise Unreadable(f"expected a decimal number of at most {_LONGEST_NUMBER} characters")
    if raw[-1] == "." or raw[0] in "-.":
        whole_part, _, fraction = raw.removeprefix("-").partition(".")
        raw = "-" * raw.startswith("-") + (whole_part or "0") + ("." + fraction if fraction else "")
    return raw


def whole(raw: str, _elements: list[str], _component: str) -> int:
    """A count or position of at most six digits."""
    raw = raw.strip()
    if not _WHOLE.fullmatch(raw):
        raise Unreadable("expected a whole number")
    return int(raw.partition(".")[0])


@lru_cache(1_000)
def iso(raw: str) -> str:
    """A calendar date of eight digits as ISO 8601 has it."""
    if len(raw) == 8 and raw.isascii() and raw.isdigit():
        day = f"{raw[:4]}-{raw[4:6]}-{raw[6:]}"
        try:
            date.fromisoformat(day)
        except ValueError:
            pass
        else:
            return day
    raise Unreadable("expected a calendar date as CCYYMMDD")


def day_of(place: int) -> Callable[[str, list[str], str], str]:
    """A date whose format qualifier, D8, is in another element of the segment."""

    def day(raw: str, elements: list[str], _component: str) -> str:
        if elements[place].strip().upper() != "D8":
            raise Unreadable("expected a date in the format D8")
        return iso(raw.strip())

    return day


def _days(raw: str, elements: list[str]) -> tuple[str, str]:
    kind, raw = elements[2].strip().upper(), raw.strip()
    if kind == "D8":
        return iso(raw), iso(raw)
    first, dash, last = raw.partition("-")
    if kind != "RD8" or not dash:
        raise Unreadable("expected a date in the format D8, or two with a dash in the format RD8")
    return iso(first.strip()), iso(last.strip())


def first_day(raw: str, elements: list[str], _component: str) -> str:
    """The day, or the first of a range."""
    if elements[2] == "D8":
        return iso(raw.strip())
    return _days(raw, elements)[0]


def last_day(raw: str, elements: list[str], _component: str) -> str:
    """The day, or the last of a range."""
    return _days(raw, elements)[1]


def is_range(_raw: str, elements: list[str], _component: str) -> bool:
    """Whether there are two dates, RD8; the dates themselves are read beside it."""
    return elements[2].strip().upper() == "RD8"


@lru_cache(1_000)
def _hour(raw: str) -> str:
    if len(raw) == 4 and raw.isascii() and raw.isdigit() and raw[:2] < "24" and raw[2:] < "60":
        return raw
    raise Unreadable("expected a time of day as HHMM")


def day_of_moment(raw: str, elements: list[str], _component: str) -> str:
    """The day of a date (D8), or of a date with its time (DT)."""
    kind, raw = elements[2].strip().upper(), raw.strip()
    if kind == "D8":
        return iso(raw)
    if kind != "DT":
        raise Unreadable("expected a date in the format D8, or with its time in the format DT")
    return iso(raw[:8])


def hour_of_moment(raw: str, elements: list[str], _component: str) -> str | None:
    """The time of a date with its time (DT)."""
    return _hour(raw.strip()[8:]) if elements[2].strip().upper() == "DT" else None


def hour(raw: str, elements: list[str], _component: str) -> str:
    """A time of day whose format qualifier, TM, is beside it."""
    if elements[2].strip().upper() != "TM":
        raise Unreadable("expected a time in the format TM")
    return _hour(raw.strip())


def there(raw: str, _elements: list[str], _component: str) -> bool | None:
    """Whether anything stands there; the text itself is not kept."""
    return True if raw.strip() else None


def later_day(raw: str, elements: list[str], _component: str) -> str | None:
    """The last day of a range; None where it is one day."""
    if elements[2] == "D8":
        return None
    first, last = _days(raw, elements)
    return last if last != first else None


def _unsplit(raw: str, component: str) -> str:
    sentence = f"expected components separated by {component!r} (ISA16), and the element did not split"
    others = {c for c in raw if c.isascii() and c.isprintable() and not c.isalnum() and c not in " .-/"}
    return f"{sentence}; the file seems to use {others.pop()!r}" if len(others) == 1 else sentence


@lru_cache(1_000)
def split(raw: str, component: str) -> tuple[str, ...]:
    """The components of a composite that has several."""
    parts = raw.strip().split(component)
    if len(parts) < 2:
        raise Unreadable(_unsplit(raw, component))
    return tuple(part.strip() for part in parts)


def first_component(raw: str, _elements: list[str], component: str) -> str | None:
    """The first component of a composite whose others are optional."""
    return raw.partition(component)[0].strip() or None


@lru_cache(1_000)
def _location(raw: str, component: str) -> tuple[str, ...]:
    """CLM05: facility code, its qualifier, claim frequency code."""
    parts = split(raw, component)
    for part in parts:
        if part and not _CODE.fullmatch(part):
            raise Unreadable(_unsplit(part, component))
    return parts


def place_of_service(raw: str, _elements: list[str], component: str) -> str | None:
    """CLM05-1 of an 837P, where CLM05-2 is B: place of service."""
    parts = _location(raw, component)
    if parts[1].upper() not in ("B", ""):
        raise Unreadable("expected B, place of service codes, in the second component")
    return parts[0] or None


def type_of_bill(raw: str, _elements: list[str], component: str) -> str | None:
    """CLM05-1 and -3 of an 837I, where CLM05-2 is A: the four digits of the UB-04."""
    parts = _location(raw, component)
    if parts[1].upper() not in ("A", ""):
        raise Unreadable("expected A, uniform billing claim form bill type, in the second component")
    return f"0{parts[0]}{parts[2]}" if len(parts) > 2 and parts[0] and parts[2] else None


def frequency(raw: str, _elements: list[str], component: str) -> str | None:
    """CLM05-3."""
    parts = _location(raw, component)
    if len(parts) < 3 or not parts[2]:
        raise Unreadable("expected the claim frequency code in the third component")
    return parts[2]


def attached(code: str) -> tuple[str, tuple[str, ...]]:
    """A code and the modifiers that were written onto it, as in 64445RT; a code alone is itself."""
    if not _ATTACHED.fullmatch(code):
        return code, ()
    rest = code[5:]
    return code[:5], tuple(rest[start : start + 2] for start in range(0, len(rest), 2))


@lru_cache(1_000)
def _service(raw: str, component: str) -> tuple[str | None, tuple[str, ...]]:
    """SV101 or SV202: procedure code and modifiers; no code where the qualifier names another code set."""
    parts = split(raw, component)
    kind = parts[0].upper()
    modifiers = tuple(part for part in parts[2:6] if part)
    for modifier in modifiers:
        if not _CODE.fullmatch(modifier):
            raise Unreadable(f"expected modifiers of letters and digits, separated by {component!r} (ISA16)")
    if kind in _OTHER_CODE_SETS:
        if len(parts[1]) == 5 and parts[1].isdigit():
            raise Unreadable("expected the qualifier HC beside five digits, the form of CPT")
        return None, modifiers
    if kind != "HC":
        raise Unreadable("expected the qualifier HC in the first component")
    if not _CODE.fullmatch(parts[1]) or _ATTACHED.fullmatch(parts[1]):
        raise Unreadable(
            f"expected a procedure code alone, separated by {component!r} (ISA16), in the second component"
        )
    if len(parts) > 7 and parts[7]:
        raise Unreadable("expected one procedure code; the eighth component makes it a range")
    return parts[1], modifiers


def procedure(raw: str, _elements: list[str], component: str) -> str | None:
    """SV101-2 or SV202-2: a CPT or HCPCS code; None where the qualifier names another code set."""
    return _service(raw, component)[0]


def modifiers(raw: str, _elements: list[str], component: str) -> list[str] | None:
    """SV101-3 to -6 or SV202-3 to -6."""
    found = _service(raw, component)[1]
    return list(found) if found else None


@lru_cache(1_000)
def _pointers(raw: str, component: str) -> tuple[int, ...]:
    try:
        return tuple(whole(part, [], component) for part in raw.split(component) if part.strip())
    except Unreadable:
        raise Unreadable(f"expected diagnosis pointers, whole numbers separated by {component!r} (ISA16)") from None


def pointers(raw: str, _elements: list[str], component: str) -> list[int] | None:
    """SV107: positions in the list of diagnoses."""
    return list(_pointers(raw, component)) or None


def adjustments(_segment: str, elements: list[str], component: str) -> list[dict[str, str]]:
    """CAS: group code, then reason, amount and quantity up to six times."""
    found = []
    for place in range(2, max(len(elements), 3), 3):
        reason, amount, quantity = [*elements[place : place + 3], "", "", ""][:3]
        one = {
            "group": elements[1].strip() if len(elements) > 1 else "",
            "reason": reason.strip(),
            "amount": amount.strip() and number(amount, elements, component),
            "quantity": quantity.strip() and number(quantity, elements, component),
        }
        if place == 2 or one["reason"] or one["amount"] or one["quantity"]:
            found.append({key: value for key, value in one.items() if value})
    return found


def at_places(*places: int) -> Callable[[str, list[str], str], list[str] | None]:
    """The elements at these places, of those that are there."""

    def several(_segment: str, elements: list[str], _component: str) -> list[str] | None:
        found = [elements[place].strip() for place in places if place < len(elements)]
        return [one for one in found if one] or None

    return several
