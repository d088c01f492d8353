"""Facts of the anesthesia that is billed on the day of the block, and of who gave the block.

They rest on the section of anesthesia codes, not on the pairs that the book ships: by the NCCI Policy Manual 2026,
chapter II, a block for pain after the operation is part of any anesthesia unless it is told apart. To books of releases
0.1 anesthesia is what forms a pair.
"""

from __future__ import annotations

from collections.abc import Callable

from rules.case import Case, date_of
from rules.claim import Line
from rules.facts.ncci import ANESTHESIA_LIFTERS, for_operation, lifted, paired_anesthesia, undated
from rules.facts.registry import line_fact
from rules.facts.together import beside, blocks, codes_of, once, position_of, provider_of, twice

MONITORED_CARE = ("QS", "G8", "G9")
SPECIALTIES = ("207L", "367500000X", "367H00000X")
"""Taxonomies of anesthesiologists with their subspecialties, nurse anesthetists and anesthesiologist assistants."""
CRITICAL_CARE = ("99291", "99292")
Pair = tuple[Line, Line, bool]
"""A line of the procedure, an anesthesia line, and whether both are certainly of one day and provider."""


def _pairs(case: Case, line: Line) -> list[Pair]:
    """The procedure's lines of the day and provider, each with the anesthesia beside it; of alike lines, one."""
    lines = blocks(case, line).sure
    return once(case, ("anesthesia_pairs", id(lines)), lambda: _all_pairs(case, lines))


def _all_pairs(case: Case, lines: list[Line]) -> list[Pair]:
    kinds = {(own.modifiers, date_of(case.claim, own), id(beside(case, own))): own for own in reversed(lines)}
    alone = sorted(kinds.values(), key=lambda own: position_of(case, own))
    return [(own, other, sure) for own in alone for other, sure in _beside(case, own)]


def _beside(case: Case, line: Line) -> list[tuple[Line, bool]]:
    lines, day = beside(case, line), date_of(case.claim, line) if case.former else None

    def find() -> list[tuple[Line, bool]]:
        kinds = {
            (one.procedure, one.modifiers, date_of(case.claim, one), sure): (one, sure)
            for one, sure in reversed(lines)
            if (paired_anesthesia(case, one.procedure, day) if case.former else for_operation(one.procedure))
        }
        return sorted(kinds.values(), key=lambda found: position_of(case, found[0]))

    return once(case, ("anesthesia_beside", id(lines), day), find)


def _picked(case: Case, line: Line, what: str, wanted: Callable[[Line, Line, bool], bool]) -> tuple[Line, ...]:
    """The anesthesia lines of the wanted pairs; `what` names the question, which all lines of the day share."""
    key = ("anesthesia", what, id(blocks(case, line).sure))
    return once(case, key, lambda: tuple(other for own, other, sure in _pairs(case, line) if wanted(own, other, sure)))


def _codes(lines: tuple[Line, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(line.procedure for line in lines if line.procedure))


def _undated(case: Case, line: Line) -> bool:
    """Whether the line has no date and anesthesia is on the claim."""
    if case.former:
        return undated(case, line)
    return date_of(case.claim, line) is None and bool(_beside(case, line))


def _apart(own: Line, other: Line) -> bool:
    return any(code in ANESTHESIA_LIFTERS for code in (*own.modifiers, *other.modifiers))


@line_fact("codes", "the date of service", reach="lines")
def anesthesia_of_day(case: Case, line: Line) -> tuple[str, ...] | None:
    """Anesthesia for an operation (00100 to 01990) that is certainly of the same day and provider."""
    return None if _undated(case, line) else _codes(_picked(case, line, "all", lambda _own, _other, sure: sure))


@line_fact("codes", "the date of service", reach="lines")
def anesthesia_without_59(case: Case, line: Line) -> tuple[str, ...] | None:
    """Those of them where neither line carries 59, XE, XP, XS or XU."""
    if _undated(case, line):
        return None
    return _codes(_picked(case, line, "joined", lambda own, other, sure: sure and not _apart(own, other)))


@line_fact("codes", "the date of service", reach="lines")
def anesthesia_with_side_alone(case: Case, line: Line) -> tuple[str, ...] | None:
    """Those of these where another NCCI-associated modifier, such as a side, lets the pair pass all the same."""
    if _undated(case, line):
        return None
    return _codes(
        _picked(
            case,
            line,
            "side",
            lambda own, other, sure: sure and not _apart(own, other) and lifted(case, own, other),
        )
    )


@line_fact("codes", "the anesthesia lines", reach="lines")
def possible_anesthesia_without_59(case: Case, line: Line) -> tuple[str, ...]:
    """As anesthesia_without_59, where the anesthesia may be of the same provider, the specialty or date being
    unknown."""
    return _codes(_picked(case, line, "maybe", lambda own, other, sure: not sure and not _apart(own, other)))


def _monitored(case: Case, line: Line) -> tuple[Line, ...]:
    return _picked(case, line, "monitored", lambda _own, other, sure: sure and bool(_care_of(other)))


def _care_of(line: Line) -> tuple[str, ...]:
    return tuple(code for code in MONITORED_CARE if code in line.modifiers)


@line_fact("codes", "the modifiers of the anesthesia line", reach="lines")
def monitored_anesthesia(case: Case, line: Line) -> tuple[str, ...] | None:
    """Those of anesthesia_of_day whose line says monitored anesthesia care: QS, G8 or G9."""
    return None if not case.former and _undated(case, line) else _codes(_monitored(case, line))


@line_fact("lines", "the modifiers of the anesthesia line", reach="lines")
def monitored_lines(case: Case, line: Line) -> tuple[int, ...]:
    """Their lines."""
    return tuple(dict.fromkeys(other.number for other in _monitored(case, line)))


@line_fact("codes", "the modifiers of the anesthesia line", reach="lines")
def monitored_modifiers(case: Case, line: Line) -> tuple[str, ...]:
    """The modifiers that say so."""
    return tuple(dict.fromkeys(code for other in _monitored(case, line) for code in _care_of(other)))


@line_fact("codes", "the other procedures of the day", reach="lines")
def epidural_management(case: Case, line: Line) -> tuple[str, ...]:
    """Daily management of a catheter, by the companions of the package, where the same provider certainly bills it on
    the line's day."""
    package = case.package
    return _of_provider(
        case, line, "management",
        lambda _, code: package is not None and package.companion_of("catheter_management", code),
    )  # fmt: skip


@line_fact("codes", "the visits of the day", reach="lines")
def visits_beside_anesthesia(case: Case, line: Line) -> tuple[str, ...]:
    """Visits but for critical care, with or without 25, by the provider who bills anesthesia for an operation that
    day."""
    if not anesthesia_of_day(case, line):
        return ()
    day = date_of(case.claim, line)
    visits = case.tables["visits"]
    return _of_provider(
        case, line, "visits", lambda _, code: bool(day and visits.find((code,), day)) and code not in CRITICAL_CARE
    )


def _of_provider(case: Case, line: Line, what: str, wanted: Callable[[Line, str], bool]) -> tuple[str, ...]:
    lines = beside(case, line)
    found = once(
        case,
        ("of_provider", what, id(lines)),
        lambda: twice(
            (one, one.procedure) for one, sure in lines if sure and one.procedure and wanted(one, one.procedure)
        ),
    )
    return codes_of(found, line)


@line_fact("flag", "the rendering provider's taxonomy", reach="line")
def anesthesia_specialty(case: Case, line: Line) -> bool | None:
    """Whether the taxonomy of the rendering provider, else of the billing one, is one of anesthesia: 207L..., nurse
    anesthetist or anesthesiologist assistant."""
    taxonomy = provider_of(case, line).taxonomy
    return taxonomy.startswith(SPECIALTIES) if taxonomy else None
