"""Which locality of the physician fee schedule a place is in: by its ZIP code, its locality, or only its state.

The file of ZIP codes writes some states as no other file does: Kansas and Missouri in halves, the islands of the
Pacific by their own letters. Missouri and California have two contractors each, and the one that the file names may not
be that of the cost indices. A ZIP code of which parts are of other localities wants all nine digits.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from functools import lru_cache

from rules.payment.question import Area, Places
from rules.states import state_code
from rules.tables.table import Row, Table, Tables

ZIP, ZIP_PLUS_FOUR = "zip5", "zip9"
"""Parts of the table: the file of five digits, and that of nine."""
WHOLE = "00000"
"""Last four digits of a ZIP code as a whole."""
_PAID_AS = {
    "EK": "KS", "WK": "KS", "EM": "MO", "WM": "MO",
    "AS": "HI", "FM": "HI", "GU": "HI", "MH": "HI", "MP": "HI", "PW": "HI",
}  # fmt: skip
"""States of the ZIP code file, and territories, whose localities are those of another."""
_SUBURBS = {"MD": ("DC", "01"), "VA": ("DC", "01")}
"""States of which a part belongs to a neighbor's locality."""
_SUBURB = "01"
_ZIP = re.compile(r"(\d{5})(?:-?(\d{4}))?")
_LOCALITY = re.compile(r"([A-Z]{2}|\d{5})[ -]?(\d{2})")


def everywhere(tables: Tables, day: date) -> Places:
    """Any locality of the nation."""
    return _anywhere(_areas(tables, day))


def _anywhere(areas: tuple[Area, ...]) -> Places:
    return Places(areas, f"any of {len(areas)} localities", ("a ZIP code or a locality",))


def by_locality(tables: Tables, text: str, day: date) -> Places:
    """Of `TX 11`, `TX-11` or, with the number of the contractor, `04412 11`."""
    match = _LOCALITY.fullmatch(text.strip().upper())
    if match is None:
        return _nowhere(f"a locality such as TX 11 or 04412 11, in place of {text!r}")
    first, locality = match[1], match[2]
    areas = [one for one in _areas(tables, day) if one.locality == locality and first in (one.state, one.contractor)]
    if not areas:
        known = ", ".join(f"{one.state} {one.locality}" for one in _areas(tables, day) if one.state == first)
        return _nowhere(f"locality {first} {locality} on {day}" + (f": {first} has {known}" if known else ""))
    return _these(areas)


def by_zip(tables: Tables, text: str, day: date) -> Places:
    """Of a ZIP code of five or nine digits, by the imported file."""
    match = _ZIP.fullmatch(text.strip())
    if match is None:
        return _nowhere(f"a ZIP code of five or nine digits, in place of {text!r}")
    table = tables["zip_localities"]
    whole, plus_four, edition = table.find((ZIP, match[1], WHOLE), day), match[2], table.edition(ZIP, day)
    if whole is None:
        if edition is None:
            return _nowhere(
                f"the ZIP codes of {day}: scrub tables import the ZIP Code to Carrier Locality File of that quarter "
                "(ZIP5_OCT2026.txt), or give the locality"
            )
        return _nowhere(f"the locality of {match[1]}, which the ZIP codes of {edition.release} do not have")
    named = (f"{edition.title}, {edition.release}",) if edition else ()
    area = _area(tables, whole, day)
    if whole[-1] == "1":
        exact = table.find((ZIP_PLUS_FOUR, match[1], f"0{plus_four}"), day) if plus_four else None
        if exact:
            area = _area(tables, exact, day)
        elif not plus_four or table.edition(ZIP_PLUS_FOUR, day) is None:
            more = "the ZIP9 file of that quarter: scrub tables import" if plus_four else "nine digits of the ZIP code"
            return replace(by_state(tables, area.state if area else None, day), missing=(more,), editions=named)
    if area is None:
        state, contractor, locality, _ = whole
        return _nowhere(f"cost indices of {state}, {contractor} {locality} on {day}: scrub tables import GPCI")
    return replace(_these([area]), editions=named)


def by_state(tables: Tables, text: str | None, day: date) -> Places:
    """All localities that a place of the state may be in; of the nation where it names no state with one."""
    table = tables["payment_areas"]
    return _of_state(table, state_code(text), table.unchanged_since(day))


@lru_cache(maxsize=1_024)
def _of_state(table: Table, state: str | None, day: date) -> Places:
    paid_as = _PAID_AS.get(state or "", state)
    suburb = _SUBURBS.get(paid_as or "")
    areas = [one for one in _areas_on(table, day) if one.state == paid_as or (one.state, one.locality) == suburb]
    return _these(areas, state) if areas else _anywhere(_areas_on(table, day))


def _these(areas: Iterable[Area], state: str | None = None) -> Places:
    found = tuple(areas)
    if len(found) == 1:
        return Places(found, str(found[0]))
    return Places(found, f"{state or found[0].state}, {len(found)} localities", ("the locality within the state",))


def _nowhere(missing: str) -> Places:
    return Places((), "nowhere", (missing,))


def _area(tables: Tables, row: Row, day: date) -> Area | None:
    """The area of a row of the ZIP codes: by contractor and number, else by state and number, since two contractors
    may serve one locality, of which the cost indices name the other."""
    state, contractor, locality, _ = row
    if found := tables["payment_areas"].find((contractor, locality), day):
        return Area(contractor, locality, *found)
    wanted = _SUBURBS.get(state) if locality == _SUBURB else None
    wanted = wanted or (_PAID_AS.get(state, state), locality)
    return next((one for one in _areas(tables, day) if (one.state, one.locality) == wanted), None)


def _areas(tables: Tables, day: date) -> tuple[Area, ...]:
    table = tables["payment_areas"]
    return _areas_on(table, table.unchanged_since(day))


@lru_cache(maxsize=64)
def _areas_on(table: Table, day: date) -> tuple[Area, ...]:
    found = ((key, table.find(key, day)) for key in sorted(table.spans))
    return tuple(Area(*key, *row) for key, row in found if row)
