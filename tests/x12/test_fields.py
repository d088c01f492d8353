"""Each row of the reader's table of fields: what its element holds comes out at its path, and without it nothing does.

The cases are the table's own rows, in each form and loop, so that a row more is a case more.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import pytest

from tests.x12.examples import INSTITUTIONAL, PROFESSIONAL
from tests.x12.test_reader import read
from tests.x12.writer import file_of
from worker.intake.document import Document, Refusal
from worker.intake.x12 import elements as convert
from worker.intake.x12.fields import FIELDS, Field

_FIRST, _SECOND = INSTITUTIONAL["lines"]
_ONE, _TWO = PROFESSIONAL["lines"]
_BILLING = {**PROFESSIONAL["billing_provider"], "tax_id": "123456789"}
_LINE = ("rendering_provider", "referring_provider", "control_number", "decisions")
BASES = {
    # each with what the other shows of both forms, or has in the other of its lines
    "P": {**PROFESSIONAL, "billing_provider": _BILLING, "lines": [{**_ONE, "has_description": True}, _TWO]},
    "I": {
        **{key: PROFESSIONAL[key] for key in (
            "transaction_type", "delay_reason_code", "original_reference_number", "prior_authorization", "other_payers",
            "referral_number", "pay_to_address", "has_long_note",
        )},
        **INSTITUTIONAL, "frequency_code": "7", "type_of_bill": "0137", "billing_provider": _BILLING,
        **{key: PROFESSIONAL[key] for key in ("subscriber", "patient", "payer", "service_facility")},
        "lines": [
            {**_FIRST, **{key: _ONE[key] for key in _LINE}},
            {**_SECOND, **{key: _TWO[key] for key in ("service_date", "service_date_end", "drug")},
             "has_description": True, "has_long_note": True},
        ],
    },
}  # fmt: skip
CASES = [(form, row) for row in FIELDS for form in row.forms]
_CANARY = "ZQ7"


@cache
def files(form: str) -> tuple[list[list[str]], ...]:
    """The claim with every field, of the subscriber and of a dependent, as segments."""
    raw = [file_of([BASES[form]], end="", dependent=[mark]) for mark in (False, True)]
    return tuple([segment.split("*") for segment in one.removesuffix("~").split("~")] for one in raw)


def values(value: Any, path: str) -> tuple[Any, ...]:
    """What a path of the table, such as `lines[].drug.ndc`, has in the claim; none where it is absent."""
    found = [value]
    for key in path.split("."):
        name, many = key.removesuffix("[]"), key.endswith("[]")
        found = [one[name] for one in found if isinstance(one, dict) and one.get(name) is not None]
        found = [part for one in found for part in one] if many else found
    return tuple(map(str, found))


def written(segments: list[list[str]]) -> Document | Refusal:
    (found,) = read("~".join(map("*".join, segments)) + "~")
    return found


def changed(segments: list[list[str]], row: Field, element: str) -> list[list[list[str]]]:
    """The file with this in the row's element, once for each segment of that name and qualifier."""
    name, _, qualifier = row.segment.partition("*")
    places = [
        place
        for place, one in enumerate(segments)
        if one[0] == name and (not qualifier or one[1] == qualifier) and len(one) > row.element and one[row.element]
    ]
    return [
        [
            [*one[: row.element], element, *one[row.element + 1 :]] if at == place else one
            for at, one in enumerate(segments)
        ]
        for place in places
    ]


@pytest.mark.parametrize(("form", "row"), CASES, ids=[f"{f} {r.loop} {r.segment} {r.path}" for f, r in CASES])
def test_what_an_element_holds_comes_out_at_its_path_and_without_it_nothing_does(form: str, row: Field) -> None:
    without = []
    for segments in files(form):
        whole = written(segments)
        assert isinstance(whole, Document), whole
        before = values(whole.value, row.path)
        for one in changed(segments, row, ""):
            found = written(one)
            after = values(found.value, row.path) if isinstance(found, Document) else ()
            refused = isinstance(found, Refusal) and any(
                re.search(rf"{row.segment[:3]}|{row.path.rpartition('.')[2]}", str(said)) for said in found.problems
            )
            # Lines without numbers have those of their places, and that is said.
            placed = row.segment == "LX" and isinstance(found, Document) and bool(found.value.get("oddities"))
            without.append(len(after) < len(before) or refused or placed)
    assert any(without), "no file of the tests has this element, or the claim has its value without it"
    if row.convert is convert.text and row.path not in ("payer.responsibility", "patient.sex"):
        seen = [
            values(found.value, row.path)
            for segments in files(form)
            for one in changed(segments, row, _CANARY)
            if isinstance(found := written(one), Document)
        ]
        assert any(_CANARY in one for one in seen)
