"""Facts of what else is billed on the day of the block: operations, drugs, supplies, the catheter block."""

from __future__ import annotations

from collections.abc import Callable

from rules.case import Case, date_of, place_of_service_of
from rules.claim import Line
from rules.facts.day import BILATERAL, SIDES
from rules.facts.diagnoses import operative
from rules.facts.ncci import forms_pair
from rules.facts.registry import fact, line_fact
from rules.facts.together import codes_of, days_of, of_day, once, twice
from rules.procedures import CompanionKind


def _of_that_day(case: Case, line: Line, what: str, wanted: Callable[[Line, str], bool]) -> tuple[str, ...]:
    """The codes of the other lines of the day that are wanted; `what` names the question."""
    found = once(
        case,
        (what, days_of(case, line)),
        lambda: twice(
            (one, one.procedure) for one, _ in of_day(case, line) if one.procedure and wanted(one, one.procedure)
        ),
    )
    return codes_of(found, line)


def _listed(case: Case, line: Line, table: str) -> tuple[str, ...]:
    return _of_that_day(case, line, table, lambda other, code: _row(case, line, other, table, code) is not None)


def _companions(case: Case, line: Line, kind: CompanionKind) -> tuple[str, ...]:
    package = case.package
    return _of_that_day(case, line, kind, lambda _, code: package is not None and package.companion_of(kind, code))


def _row(case: Case, line: Line, other: Line, table: str, code: str) -> tuple[str, ...] | None:
    day = date_of(case.claim, other) or date_of(case.claim, line)
    return case.tables[table].find((code,), day) if day else None


def _sides(line: Line) -> set[str]:
    return set(SIDES) if BILATERAL in line.modifiers else set(SIDES) & set(line.modifiers)


@line_fact("codes", "the other procedures of the day", reach="lines")
def operations_of_day(case: Case, line: Line) -> tuple[str, ...]:
    """Surgical procedures and anesthesia of the day, whoever gave them; blocks and needle procedures are none."""
    return _of_that_day(case, line, "operations", lambda _, code: operative(case, code))


@fact("flag", "the procedures", reach="lines")
def block_only(case: Case) -> bool:
    """Whether the claim bills the procedure, what is akin to it, and drugs alone: what they were given for is on
    another claim."""
    package, codes = case.package, [line.procedure for line in case.claim.lines if line.procedure]
    return all((package and package.like_it(code)) or code.startswith("J") for code in codes)


@line_fact("codes", "the date of service", reach="lines")
def pairs_of_day(case: Case, line: Line) -> tuple[str, ...] | None:
    """Procedures of the day, whoever gave them, that form an NCCI pair with the procedure. Operations and anesthesia
    count without a look at the pairs: nearly all of them form one, and the shipped edition names only a part."""
    day = date_of(case.claim, line)
    if day is None:
        return None
    known = _of_that_day(case, line, "pairs", lambda _, code: code != case.procedure and forms_pair(case, code, day))
    return tuple(dict.fromkeys((*known, *operations_of_day(case, line))))


@line_fact("flag", "the sides of the block and of the one by catheter", reach="lines")
def catheter_on_same_side(case: Case, line: Line) -> bool | None:
    """Whether the same block by catheter is billed on the line's day for the same side; missing where none is named."""
    answer: bool | None = False
    catheters = case.package.catheters if case.package else ()
    found = once(
        case,
        ("catheters", days_of(case, line)),
        lambda: twice((one, frozenset(_sides(one))) for one, _ in of_day(case, line) if one.procedure in catheters),
    )
    here = _sides(line)
    for other, there in found:
        if other is line:
            continue
        if here & there:
            return True
        if not here or not there:
            answer = None
    return answer


@line_fact("codes", "the drug lines", reach="lines")
def local_anesthetics(case: Case, line: Line) -> tuple[str, ...]:
    """Local anesthetics that are billed as lines of their own on the day."""
    return _listed(case, line, "local_anesthetics")


@line_fact("codes", "the supply lines", reach="lines")
def bundled_supplies(case: Case, line: Line) -> tuple[str, ...]:
    """Supplies of the day that Medicare's fee schedule never pays apart (status B)."""
    return _listed(case, line, "bundled_supplies")


@line_fact("codes", "the administration lines", reach="lines")
def drug_administration(case: Case, line: Line) -> tuple[str, ...]:
    """Infusions and injections of the day at the line's place of service, by the companions of the package."""
    package, place = case.package, place_of_service_of(case.claim, line)
    return _of_that_day(
        case,
        line,
        f"administration {place}",
        lambda other, code: (
            package is not None
            and package.companion_of("administration", code)
            and (case.former or place_of_service_of(case.claim, other) == place)
        ),
    )


@line_fact("codes", "the visits of the day", reach="lines")
def complexity_add_on(case: Case, line: Line) -> tuple[str, ...]:
    """The add-on to a visit where it is billed on the day of the block, by the companions of the package."""
    return _companions(case, line, "visit_add_on")


@line_fact("codes", "the visits of the day", reach="lines")
def visits_with_25(case: Case, line: Line) -> tuple[str, ...]:
    """Visits of the day whose line carries modifier 25."""
    return _of_that_day(
        case,
        line,
        "visits_with_25",
        lambda other, code: "25" in other.modifiers and bool(_row(case, line, other, "visits", code)),
    )
