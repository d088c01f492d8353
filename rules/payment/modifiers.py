"""What the modifiers of a line do to its payment. One that is not known to leave it as it is makes it unknown."""

from __future__ import annotations

from rules.payment.question import Question, Unknown

_AS_IT_IS = frozenset({"LT", "RT", "50", "59", "XE", "XP", "XS", "XU", "58", "79"})
"""50, LT and RT say which side; the rest, that the service is apart from another."""
_OF_PRACTITIONERS = {
    "52": "the contractor sets the amount of a reduced service by its documentation",
    "53": "the contractor sets the amount of a service that was broken off by its documentation",
}
_OF_FACILITIES = {
    "50": "a surgical center bills each side on a line of its own, and modifier 50 may be paid wrongly",
    "53": "it is for practitioners; a facility bills 73 or 74",
}
REDUCED = frozenset({"52", "73"})
"""Half of the amount in a facility: reduced, or broken off before anesthesia."""
IN_FULL = "74"
"""Broken off after anesthesia had begun."""
ANOTHER = "51"
EXCEPTED, NOT_EXCEPTED = "PO", "PN"
"""A hospital's department off its campus: paid as those on it, or by a share."""


def practitioner_modifiers(question: Question) -> None:
    """Refuses what the physician fee schedule has no share for.

    Raises:
        Unknown
    """
    _refuse(question, {*_AS_IT_IS, ANOTHER}, _OF_PRACTITIONERS)


def facility_modifiers(question: Question) -> bool:
    """Whether the service was reduced.

    Raises:
        Unknown
    """
    known = {*_AS_IT_IS, *REDUCED, IN_FULL}
    known = known - {"50"} if question.site == "asc" else known | {EXCEPTED, NOT_EXCEPTED}
    _refuse(question, known, _OF_FACILITIES)
    return bool(REDUCED.intersection(question.modifiers))


def _refuse(question: Question, known: set[str], reasons: dict[str, str]) -> None:
    unsaid = "the book does not say how it changes the payment"
    if found := [one for one in dict.fromkeys(question.modifiers) if one not in known]:
        raise Unknown(*(f"modifier {one}: {reasons.get(one, unsaid)}" for one in found))
