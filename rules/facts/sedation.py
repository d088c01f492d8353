"""Facts of anesthesia and sedation beside the block: who gave it, its visits, its drugs, what it is a reason for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from rules.case import Case, date_of
from rules.claim import Line
from rules.facts.diagnoses import operative, undotted
from rules.facts.pairs import is_anesthesia
from rules.facts.registry import fact, line_fact
from rules.facts.together import beside, codes_of, days_of, of_day, once, provider_of, same_provider, twice

PERFORMERS = ("AA", "AD", "QK", "QX", "QY", "QZ")
"""Modifiers that say who gave the anesthesia, and under whose direction."""
GROUPS = "code_groups"
OF_AGE = 18


def grouped(case: Case, group: str, code: str | None, day: date | None) -> bool:
    """Whether a code is of a group of the table of code groups on that day."""
    return bool(code and day) and case.tables[GROUPS].find((group, code or ""), day or date.min) is not None


def _lines(case: Case, wanted: Callable[[tuple[str, ...]], bool]) -> tuple[int, ...]:
    return tuple([line.number for line in case.claim.lines if is_anesthesia(line.procedure) and wanted(line.modifiers)])


@fact("lines", "the modifiers of the anesthesia lines", reach="each")
def lines_with_two_performers(case: Case) -> tuple[int, ...]:
    """Anesthesia lines with more than one modifier of who gave it: AA, AD, QK, QX, QY, QZ."""
    return _lines(case, lambda modifiers: len(set(modifiers).intersection(PERFORMERS)) > 1)


@fact("lines", "the modifiers of the anesthesia lines", reach="each")
def lines_with_performer_behind(case: Case) -> tuple[int, ...]:
    """Anesthesia lines with such a modifier that is not the first one."""
    return _lines(case, lambda modifiers: not set(modifiers).isdisjoint(PERFORMERS) and modifiers[0] not in PERFORMERS)


@line_fact("codes", "the modifiers of the anesthesia lines", reach="lines")
def anesthesia_modifiers(case: Case, line: Line) -> tuple[str, ...]:
    """The modifiers of the anesthesia lines of the day, whoever gave it."""
    found = once(
        case,
        ("anesthesia_modifiers", days_of(case, line)),
        lambda: [code for one, _ in of_day(case, line) if is_anesthesia(one.procedure) for code in one.modifiers],
    )
    return tuple(dict.fromkeys(found))


def _of_group(case: Case, line: Line, group: str) -> tuple[str, ...]:
    found = once(
        case,
        (GROUPS, group, days_of(case, line)),
        lambda: twice(
            (one, one.procedure)
            for one, _ in of_day(case, line)
            if one.procedure
            and grouped(case, group, one.procedure, date_of(case.claim, one) or date_of(case.claim, line))
        ),
    )
    return codes_of(found, line)


@line_fact("codes", "the other procedures of the day", reach="lines")
def sedation_of_day(case: Case, line: Line) -> tuple[str, ...]:
    """Moderate sedation, and anesthesia for a pain procedure, of the day, whoever gave it: the group `sedation` of the
    table of code groups."""
    return _of_group(case, line, "sedation")


@line_fact("codes", "the other procedures of the day", reach="lines")
def anesthesia_for_injection(case: Case, line: Line) -> tuple[str, ...]:
    """Anesthesia for a nerve block or injection, of the day, whoever gave it: the group `block_anesthesia`."""
    return _of_group(case, line, "block_anesthesia")


@line_fact("codes", "the other procedures of the day", reach="lines")
def qualifying_circumstances(case: Case, line: Line) -> tuple[str, ...]:
    """Add-ons for circumstances that make anesthesia harder, of the day: the group `qualifying_circumstances`."""
    return _of_group(case, line, "qualifying_circumstances")


@line_fact("codes", "the other procedures of the day", reach="lines")
def surgery_of_day(case: Case, line: Line) -> tuple[str, ...]:
    """Surgical procedures of the day, whoever gave them; blocks, needle procedures and anesthesia are none."""
    found = once(
        case,
        ("surgery_of_day", days_of(case, line)),
        lambda: twice(
            (one, one.procedure)
            for one, _ in of_day(case, line)
            if one.procedure and operative(case, one.procedure) and not is_anesthesia(one.procedure)
        ),
    )
    return codes_of(found, line)


@line_fact("codes", "the drug lines", reach="lines")
def own_drugs(case: Case, line: Line) -> tuple[str, ...]:
    """J codes of the day, certainly of the same provider."""
    lines = beside(case, line)
    found = once(
        case,
        ("own_drugs", id(lines)),
        lambda: twice((one, one.procedure) for one, sure in lines if sure and (one.procedure or "").startswith("J")),
    )
    return codes_of(found, line)


@fact("codes", "the dates of the visits", reach="lines")
def visits_next_to_anesthesia(case: Case) -> tuple[str, ...]:
    """Visits but critical care, certainly of the provider of an anesthesia line, from the day before it to the day
    after."""
    return _visits(case, 1, 1)


@fact("codes", "the dates of the visits", reach="lines")
def visits_around_anesthesia(case: Case) -> tuple[str, ...]:
    """The same from the day before it to ten days after."""
    return _visits(case, 1, 10)


def _visits(case: Case, before: int, after: int) -> tuple[str, ...]:
    lines = case.claim.lines
    given = [(one, day) for one in lines if is_anesthesia(one.procedure) and (day := date_of(case.claim, one))]
    if not given:
        return ()
    # Lines that are alike in day and provider are asked once.
    alike = {(day, one.rendering_provider and (one.rendering_provider.npi, one.rendering_provider.taxonomy)): one
             for one, day in given}  # fmt: skip
    found = [
        line.procedure or ""
        for line in lines
        if (day := date_of(case.claim, line))
        and _visit(case, line, day)
        and any(
            -before <= (day - then).days <= after and same_provider(case, line, one) for (then, _), one in alike.items()
        )
    ]
    return tuple(dict.fromkeys(found))


def _visit(case: Case, line: Line, day: date) -> bool:
    listed = bool(line.procedure) and case.tables["visits"].find((line.procedure or "",), day) is not None
    return listed and not grouped(case, "critical_care", line.procedure, day)


@line_fact("code", "the rendering provider's taxonomy", reach="line")
def rendering_taxonomy(case: Case, line: Line) -> str | None:
    """The taxonomy of who gave the block: of the line, else of the claim, else of the billing provider."""
    return provider_of(case, line).taxonomy or None


@fact("flag", "the patient's birth date", own=True)
def adult(case: Case) -> bool | None:
    """Whether the patient is 18 or older on the procedure's first date."""
    birth, day = case.claim.patient.birth_date if case.claim.patient else None, case.first_day
    if birth is None or day is None:
        return None
    return (day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day))) >= OF_AGE


@fact("codes", "the diagnoses", diagnoses=True)
def diagnosis_categories(case: Case) -> tuple[str, ...]:
    """The first three characters of the claim's diagnoses, each once."""
    return tuple(dict.fromkeys(undotted(code)[:3] for code in case.claim.diagnoses))


@fact("flag", "the diagnoses", diagnoses=True)
def mental_disorder(case: Case) -> bool:
    """Whether a diagnosis of the claim is of the chapter of mental and behavioral disorders (F01 to F99)."""
    return any(code.startswith("F") for code in case.claim.diagnoses)
