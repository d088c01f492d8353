"""Facts of what else is billed on the day of the block: operations, drugs, supplies, the catheter block."""

from __future__ import annotations

from collections.abc import Iterator

from rules.case import Case, date_of
from rules.claim import Line
from rules.facts import line_fact
from rules.facts.day import BILATERAL, SIDES, companions, same_day
from rules.facts.diagnoses import operative
from rules.facts.ncci import forms_pair

CATHETER = "64446"


def _that_day(case: Case, line: Line) -> Iterator[tuple[Line, str]]:
    for other in case.claim.lines:
        if other is not line and other.procedure and same_day(case, line, other) is not False:
            yield other, other.procedure


def _listed(case: Case, line: Line, table: str) -> tuple[str, ...]:
    found = []
    for other, code in _that_day(case, line):
        day = date_of(case.claim, other) or date_of(case.claim, line)
        if day and case.tables[table].find((code,), day) is not None:
            found.append(code)
    return tuple(dict.fromkeys(found))


def _surgical(code: str) -> bool:
    """Codes 10000 to 69999 but for the nerve blocks themselves."""
    return len(code) == 5 and code.isdigit() and "10000" <= code <= "69999" and not "64400" <= code <= "64530"


def _sides(line: Line) -> set[str]:
    return set(SIDES) if BILATERAL in line.modifiers else set(SIDES) & set(line.modifiers)


@line_fact("codes", "the other procedures of the day")
def operations_of_day(case: Case, line: Line) -> tuple[str, ...]:
    """Surgical procedures and anesthesia of the day, whoever gave them; blocks and needle procedures are none."""
    found = [code for _, code in _that_day(case, line) if operative(case, code)]
    return tuple(dict.fromkeys(found))


@line_fact("codes", "the date of service")
def pairs_of_day(case: Case, line: Line) -> tuple[str, ...] | None:
    """Procedures of the day, whoever gave them, that form an NCCI pair with 64445. Operations and anesthesia count
    without a look at the pairs: nearly all of them form one, and the shipped edition names only a part."""
    day = date_of(case.claim, line)
    if day is None:
        return None
    known = [code for _, code in _that_day(case, line) if code != case.procedure and forms_pair(case, code, day)]
    return tuple(dict.fromkeys((*known, *operations_of_day(case, line))))


@line_fact("codes", "the operations of the day")
def own_operations(case: Case, line: Line) -> tuple[str, ...]:
    """Surgical procedures (10000 to 69999 but for 64400 to 64530), certainly of the same day and provider."""
    codes = [other.procedure for other, sure in companions(case, line) if sure]
    return tuple(dict.fromkeys(code for code in codes if code and _surgical(code)))


@line_fact("flag", "the sides of 64445 and 64446")
def catheter_on_same_side(case: Case, line: Line) -> bool | None:
    """Whether 64446 is billed on the line's day for the same side; missing where a line names no side."""
    answer: bool | None = False
    for other, code in _that_day(case, line):
        if code != CATHETER:
            continue
        here, there = _sides(line), _sides(other)
        if here & there:
            return True
        if not here or not there:
            answer = None
    return answer


@line_fact("codes", "the drug lines")
def local_anesthetics(case: Case, line: Line) -> tuple[str, ...]:
    """Local anesthetics that are billed as lines of their own on the day."""
    return _listed(case, line, "local_anesthetics")


@line_fact("codes", "the supply lines")
def bundled_supplies(case: Case, line: Line) -> tuple[str, ...]:
    """Supplies of the day that Medicare's fee schedule never pays apart (status B)."""
    return _listed(case, line, "bundled_supplies")


@line_fact("codes", "the administration lines")
def drug_administration(case: Case, line: Line) -> tuple[str, ...]:
    """Infusions and injections 96360 to 96379 of the day."""
    found = [code for _, code in _that_day(case, line) if code.isdigit() and "96360" <= code <= "96379"]
    return tuple(dict.fromkeys(found))


@line_fact("codes", "the visits of the day")
def complexity_add_on(case: Case, line: Line) -> tuple[str, ...]:
    """G2211 where it is billed on the day of the block."""
    return tuple(dict.fromkeys(code for _, code in _that_day(case, line) if code == "G2211"))


@line_fact("codes", "the visits of the day")
def visits_with_25(case: Case, line: Line) -> tuple[str, ...]:
    """Visits of the day whose line carries modifier 25."""
    found = []
    for other, code in _that_day(case, line):
        day = date_of(case.claim, other) or date_of(case.claim, line)
        if day and "25" in other.modifiers and case.tables["visits"].find((code,), day):
            found.append(code)
    return tuple(dict.fromkeys(found))
