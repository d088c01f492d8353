"""Groups of fields that the forms of an 837 carry and other formats may leave out.

A form rule that asks such a field names its group (`needs:` in the rule file). It is asked of a claim that was read
from an 837, and of any other claim that brings a field of the group; on the rest it does not apply, and one gap
`field_not_read` names the groups. So a claim in JSON or FHIR that leaves them out is not held for what nobody asked it
to say, and is not called checked either.

A newcomer reads CARRIED.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rules.claim import Claim


@dataclass(frozen=True, slots=True)
class Group:
    """Fields that come together or not at all."""

    label: str
    """In a biller's words, as a part of a sentence: `the other payers' own claims`."""
    brought: Callable[[Claim], bool]
    """Whether a claim that was read from no 837 brings one of the fields."""


CARRIED: Mapping[str, Group] = {}
"""By name, as rule files give it."""

EVERY = frozenset(CARRIED)
"""What an 837 carries."""
_NONE: frozenset[str] = frozenset()


def carried(claim: Claim) -> frozenset[str]:
    """The groups that the claim's format carries, or the claim brings."""
    if claim.source_format == "x12":
        return EVERY
    brought = [name for name, group in CARRIED.items() if group.brought(claim)]
    return frozenset(brought) if brought else _NONE
