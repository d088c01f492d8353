"""What has ended in an X12 file, and what was wrong with it: what the answer to the sender is made of.

The codes are those of the answers themselves: TA105 for an interchange, AK905 for a group, IK502 for a transaction set,
IK304 and IK403 for segments and elements of it. What is rejected, the sender sends again; so only that is rejected of
which nothing is taken. Where all that is inside was whole, and only the number or the count around it differs, the
answer is E: accepted, errors noted (as BizTalk's table of TA104 has it for 001 and 021).

Source: ASC X12 005010 control segments and 005010X231A1, code lists.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

Level = Literal["ISA", "GS", "ST"]

WIDTHS = {
    1: "010", 2: "011", 3: "012", 4: "013", 5: "005", 6: "006", 7: "007", 8: "008", 9: "014", 10: "015", 11: "016",
    12: "017", 13: "018", 14: "019", 15: "020", 16: "027",
}  # fmt: skip
"""TA105 of an ISA element that is not as it must be."""
FATAL: Mapping[Level, frozenset[str]] = {
    "ISA": frozenset({"004", "022", "023", "026", "027"}),
    "GS": frozenset({"3"}),
    "ST": frozenset({"1", "2", "3", "4", "5", "6", "I6"}),
}
"""Codes for which nothing of the level is taken. Other codes of a group or an interchange are noted."""
MOST_SEGMENTS = 100
"""Faults of segments that are kept of one transaction set."""


class SegmentFault(NamedTuple):
    """A segment that is not where or as it must be: an IK3, with the one element that an IK4 may name."""

    segment: str
    """Its identifier, if it is one of the guide; empty: what stands there may be a piece of a name."""
    place: int
    """In its transaction set; ST is 1."""
    loop: str
    code: str
    """IK304."""
    element: str = ""
    """Its place in the segment, with that of its component: `5:2`."""
    number: str = ""
    """The element's reference number in the data element dictionary."""
    element_code: str = ""
    """IK403."""
    claim: str = ""
    """CLM01 of the claim that it is in."""


_OF_AN_ELEMENT = "8"
"""IK304: the segment has an element with an error."""
_LEVELS = ("1", "2000A", "2000B", "2000C", "2010A", "2010B", "2010C", "ST")


def of_form(fault: Mapping[str, Any], place: int, claim: str) -> SegmentFault:
    """A departure of a claim from the table of its form, which reads all the same. `place`: of the segment in its set.

    Of a level above the claim no claim is named: all beneath it share the fault.
    """
    name = fault["segment"].partition("*")[0]
    part, _, code = fault["answer"].partition(" ")
    loop = "" if fault["loop"] == "ST" else fault["loop"]
    mine = "" if fault["loop"].startswith(_LEVELS) else claim
    if part != "IK403":
        return SegmentFault(name, place, loop, code, claim=mine)
    element, _, component = fault["element"].removeprefix(name).partition("-")
    where = str(int(element)) + (f":{component}" if component else "")
    return SegmentFault(name, place, loop, _OF_AN_ELEMENT, where, element_code=code, claim=mine)


@dataclass(frozen=True, slots=True)
class Ended:
    """An interchange, group or transaction set is over."""

    level: Level
    origin: str
    """As that of its claims, as far as it goes: control number and ordinal of each level."""
    header: tuple[str, ...]
    """Elements of the ISA, GS or ST."""
    parties: Mapping[str, str]
    said: str
    """Its trailer's count."""
    inside: int
    codes: tuple[str, ...]
    segments: tuple[SegmentFault, ...] = ()

    @property
    def rejected(self) -> bool:
        """Whether nothing of it is taken, whatever is in it."""
        return not FATAL[self.level].isdisjoint(self.codes)

    def at(self, place: int) -> str:
        """The element of the header, or nothing."""
        return self.header[place].strip() if place < len(self.header) else ""


def noted(elements: list[str]) -> list[str]:
    """TA105 for each element of an ISA whose value is none of its kind; its claims are read all the same."""
    checks = {
        9: is_date(elements[9]),
        10: is_time(elements[10]),
        12: elements[12] == "00501",
        13: is_number(elements[13], 9),
        14: elements[14] in ("0", "1"),
        15: elements[15] in ("P", "T", "I"),
    }
    return [WIDTHS[place] for place, fine in checks.items() if not fine]


def is_date(text: str) -> bool:
    """YYMMDD."""
    return is_number(text, 6) and "01" <= text[2:4] <= "12" and "01" <= text[4:] <= "31"


def is_time(text: str) -> bool:
    """HHMM."""
    return is_number(text, 4) and text < "2400" and text[2:] < "60"


def is_number(text: str, length: int) -> bool:
    """So many digits."""
    return len(text) == length and text.isascii() and text.isdigit()
