"""Facts of the medical record that came with the claim: what it says of the block on the line's date.

An entry with a date of service speaks for that date, one without for any. Where the line has no date, all speak.
"""

from __future__ import annotations

from datetime import date

from rules.case import Case, filled
from rules.claim import Documentation, Line
from rules.facts.day import BILATERAL
from rules.facts.registry import fact, line_fact
from rules.facts.together import days_of, of_day, once, position_of

SIDE_OF = {"LT": "left", "RT": "right"}


def entries(case: Case, line: Line) -> list[Documentation]:
    """The entries that speak for the line's date."""
    first, last = days_of(case, line)
    return once(case, ("record", first, last), lambda: _entries(case, first, last))


def _entries(case: Case, first: date | None, last: date | None) -> list[Documentation]:
    return [
        entry
        for entry in case.claim.documentation
        if entry.service_date is None or first is None or last is None or first <= entry.service_date <= last
    ]


def _said(values: list[str | None]) -> tuple[str, ...] | None:
    return tuple(sorted({value for value in values if value})) or None


@line_fact("flag", "the medical record", reach="line")
def has_record(case: Case, line: Line) -> bool:
    """Whether a medical record for the line's date came with the claim."""
    return bool(entries(case, line))


@fact("flag", "the medical records", reach="head")
def sends_records(case: Case) -> bool:
    """Whether any medical record came with the claim, of whatever date."""
    return bool(case.claim.documentation)


@line_fact("codes", "the reason for the block in the record", reach="line")
def recorded_indications(case: Case, line: Line) -> tuple[str, ...] | None:
    """chronic_pain, acute_pain, postoperative_pain, diagnostic or surgical_anesthesia, as the record says."""
    return _said([entry.indication for entry in entries(case, line)])


@line_fact("codes", "the time of the block in the record", reach="line")
def recorded_timing(case: Case, line: Line) -> tuple[str, ...] | None:
    """preoperative, intraoperative or postoperative, as the record says."""
    return _said([entry.block_timing for entry in entries(case, line)])


@line_fact("codes", "the guidance in the record", reach="line")
def recorded_guidance(case: Case, line: Line) -> tuple[str, ...] | None:
    """ultrasound, fluoroscopy, ct or none, as the record says."""
    return _said([entry.guidance for entry in entries(case, line)])


@line_fact("codes", "the anesthesia of the operation in the record", reach="line")
def recorded_anesthesia(case: Case, line: Line) -> tuple[str, ...] | None:
    """general, spinal, epidural, regional, mac or sedation, as the record says."""
    return _said([entry.intraoperative_anesthesia for entry in entries(case, line)])


@line_fact("flag", "the surgeon's request in the record", reach="line")
def surgeon_requested(case: Case, line: Line) -> bool | None:
    """Whether the record says that the surgeon asked for the block."""
    said = [entry.surgeon_request for entry in entries(case, line) if entry.surgeon_request is not None]
    return any(said) if said else None


@line_fact("flag", "the pain program in the record", reach="line")
def in_pain_program(case: Case, line: Line) -> bool | None:
    """Whether the record says that the block is part of a comprehensive pain program."""
    said = [entry.pain_program for entry in entries(case, line) if entry.pain_program is not None]
    return any(said) if said else None


@line_fact("codes", "the treatment before the block in the record", reach="line")
def conservative_treatments(case: Case, line: Line) -> tuple[str, ...]:
    """The conservative treatments that the record names."""
    return tuple(dict.fromkeys(name for entry in entries(case, line) for name in entry.conservative_treatment))


@line_fact("codes", "the side in the record", reach="line")
def recorded_sides(case: Case, line: Line) -> tuple[str, ...] | None:
    """left, right, or both, as the record says."""
    said = {entry.laterality for entry in entries(case, line) if entry.laterality}
    both = "bilateral" in said
    return tuple(side for side in ("left", "right") if both or side in said) or None


@line_fact("codes", "the sides of the day", reach="lines")
def billed_sides(case: Case, line: Line) -> tuple[str, ...]:
    """left, right, or both: the sides that all lines of the procedure of the line's day name together."""
    named = set(line.modifiers).union(
        once(
            case,
            ("modifiers", days_of(case, line)),
            lambda: {code for other in _of_date(case, line) for code in other.modifiers},
        )
    )
    return tuple(side for code, side in SIDE_OF.items() if code in named or BILATERAL in named)


@line_fact("codes", "the side in the record", reach="line")
def sides_not_recorded(case: Case, line: Line) -> tuple[str, ...] | None:
    """Billed sides that the record does not name."""
    recorded = recorded_sides(case, line)
    return None if recorded is None else tuple(side for side in billed_sides(case, line) if side not in recorded)


@line_fact("codes", "the side in the record", reach="lines")
def sides_not_billed(case: Case, line: Line) -> tuple[str, ...] | None:
    """Sides of the record that no line bills; empty where no line names a side."""
    recorded, billed = recorded_sides(case, line), billed_sides(case, line)
    if recorded is None:
        return None
    return tuple(side for side in recorded if side not in billed) if billed else ()


@line_fact("flag", "the date of service", reach="lines")
def first_of_date(case: Case, line: Line) -> bool:
    """Whether no earlier line of the procedure is of the line's day, whoever gave the service."""
    others = _of_date(case, line)
    return not others or position_of(case, others[0]) >= position_of(case, line)


def _of_date(case: Case, line: Line) -> list[Line]:
    """The lines of the procedure that are certainly of the line's day, whoever gave the service."""
    return once(
        case,
        ("of_date", days_of(case, line)),
        lambda: [other for other, sure in of_day(case, line) if sure and other.procedure in case.codes],
    )


@line_fact("codes", "the medical record", reach="line")
def record_lacks(case: Case, line: Line) -> tuple[str, ...]:
    """What no entry of the record holds: side, agents with volumes, response, consent, time-out, procedure note."""
    of_day = entries(case, line)
    there = {
        "side": any(entry.laterality for entry in of_day),
        "agents with volumes": any(
            entry.agents and all(agent.volume_ml is not None for agent in entry.agents) for entry in of_day
        ),
        "response": any(filled(entry.response) for entry in of_day),
        "consent": any(entry.consent for entry in of_day),
        "time-out": any(entry.time_out for entry in of_day),
        "procedure note": any(entry.procedure_note for entry in of_day),
    }
    return tuple(name for name, present in there.items() if not present)
