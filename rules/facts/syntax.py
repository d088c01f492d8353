"""Facts of the form's syntax: where the 837 departs from the table of its form, by kind and by what it is about.

Each is a list of places with the answer of a 999, `2010AA N3 (IK304 3)`. What it is about decides with which findings
of other rules it is one; what senders commonly write and receivers commonly take is told apart from what is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from rules.case import Case
from rules.claim import FormFault
from rules.facts.registry import fact

About = Callable[[FormFault], bool]
_OTHER_PAYERS = ("2320", "233", "2430")
_ADDRESS = ("N3", "N4")
_NAMES = ("NM103", "NM104")
_SIGNED = ("CLM06", "CLM07", "CLM08", "CLM09", "CLM10", "OI03", "OI06")


def _day_for_range(fault: FormFault) -> bool:
    """DTP*434 with D8: the day of a stay of one day, as many senders write it."""
    return fault.kind == "element_code" and (fault.loop, fault.segment, fault.element) == ("2300", "DTP*434", "DTP02")


def _signature_left(fault: FormFault) -> bool:
    """CLM06 on an 837I, where version 4010 had it."""
    return fault.kind == "element_unexpected" and (fault.loop, fault.element) == ("2300", "CLM06")


def _about_signature(fault: FormFault) -> bool:
    return fault.element in _SIGNED


def _about_other_payer(fault: FormFault) -> bool:
    return fault.loop.startswith(_OTHER_PAYERS) and not _about_signature(fault)


def _about_address(fault: FormFault) -> bool:
    return fault.segment in _ADDRESS and not _about_other_payer(fault)


def _about_name(fault: FormFault) -> bool:
    return fault.element in _NAMES and not _about_other_payer(fault)


def _is(segment: str, part: str = "") -> About:
    """Of the claim (2300): a segment by its name, and where one is named a component of its elements."""

    def about(fault: FormFault) -> bool:
        named = fault.loop == "2300" and fault.segment.startswith(segment)
        return named and (not part or (fault.element or "").endswith(part))

    return about


_about_admission = _is("CL1")
_about_statement = _is("DTP*434")
_about_values = _is("HI*BE", "-5")
_about_reasons = _is("HI*APR")
_about_presence = _is("HI", "-9")


def _about_occurrences(fault: FormFault) -> bool:
    return _is("HI*BH", "-4")(fault) or _is("HI*BH", "-3")(fault) or _is("HI*BI")(fault)


def _about_attending(fault: FormFault) -> bool:
    return fault.segment == "NM1*71" and fault.element == "NM102"


_KNOWN: tuple[About, ...] = (
    _about_signature, _about_other_payer, _about_address, _about_name, _signature_left, _about_admission,
    _about_statement, _about_values, _about_occurrences, _about_presence, _about_reasons, _about_attending,
)  # fmt: skip


def _about_else(fault: FormFault) -> bool:
    return not any(about(fault) for about in _KNOWN)


class _Row(NamedTuple):
    name: str
    label: str
    says: str
    kinds: tuple[str, ...]
    about: About


_LENGTH = ("element_short", "element_long")
_CODE = ("element_code", "element_date", "element_type")
_TABLE = (
    _Row("missing_segments", "the required segments", "Segments that the form requires and that are not there.",
         ("segment_missing",), lambda fault: _about_else(fault) or _about_name(fault)),
    _Row("missing_admission_codes", "the codes of admission and discharge", "CL1, where it is not there.",
         ("segment_missing",), _about_admission),
    _Row("missing_statement_dates", "the statement dates", "DTP*434, where it is not there or lacks an element.",
         ("segment_missing", "element_missing"), _about_statement),
    _Row("missing_segments_of_addresses", "the segments of addresses", "Required segments of addresses (N3, N4) that "
         "are not there.", ("segment_missing",), _about_address),
    _Row("missing_segments_of_other_payers", "the segments of other payers", "Required segments of other payers and "
         "their decisions that are not there.", ("segment_missing",), _about_other_payer),
    _Row("missing_elements", "the required elements", "Elements that the form requires and that are blank.",
         ("element_missing",), lambda fault: _about_else(fault) or _about_admission(fault) or _about_presence(fault)
         or _about_reasons(fault) or _about_attending(fault)),
    _Row("missing_value_amounts", "the amounts of value codes", "Value codes (HI*BE) without an amount.",
         ("element_missing",), _about_values),
    _Row("missing_occurrence_dates", "the dates of occurrences", "Occurrence codes and spans (HI*BH, HI*BI) without a "
         "date.", ("element_missing",), _about_occurrences),
    _Row("missing_elements_of_addresses", "the elements of addresses", "Required elements of addresses (N3, N4) that "
         "are blank.", ("element_missing",), _about_address),
    _Row("missing_elements_of_names", "the elements of names", "Required elements of names that are blank.",
         ("element_missing",), _about_name),
    _Row("missing_elements_of_signatures", "the codes of signatures", "Codes of signature, assignment and release that "
         "are blank (CLM06 to CLM10, OI).", ("element_missing",), _about_signature),
    _Row("missing_elements_of_other_payers", "the elements of other payers", "Required elements of other payers and "
         "their decisions that are blank.", ("element_missing",), _about_other_payer),
    _Row("unknown_codes", "the form's codes", "Elements whose code, date or number is not one that the form takes "
         "there.", _CODE, lambda fault: _about_else(fault) or _about_address(fault) or _about_name(fault)
         or _about_admission(fault) or _about_values(fault) or _about_occurrences(fault) or _about_reasons(fault)),
    _Row("unknown_presence", "the indicators of presence on admission", "Indicators of what was present on admission "
         "that are not in the form's list (HI, component 9).", _CODE, _about_presence),
    _Row("attending_organization", "the kind of the attending provider", "An attending provider that is no person "
         "(2310A NM102).", _CODE, _about_attending),
    _Row("unknown_codes_of_signatures", "the codes of signatures", "Codes of signature, assignment and release that "
         "are not in the form's list.", _CODE, _about_signature),
    _Row("unknown_codes_of_other_payers", "the codes of other payers", "Elements of other payers and their decisions "
         "whose code, date or number the form does not take there.", _CODE, _about_other_payer),
    _Row("wrong_lengths", "the lengths of elements", "Elements that are longer or shorter than the form takes.",
         _LENGTH, lambda _fault: True),
    _Row("misplaced_segments", "the order of segments", "Segments that the form has in another place of the claim.",
         ("segment_order",), lambda _fault: True),
    _Row("repeated_segments", "the number of segments", "Segments and loops that are there more often than the form "
         "takes.", ("segment_repeated",), lambda _fault: True),
    _Row("unexpected_segments", "the segments", "Segments that the form does not have, or not with this qualifier.",
         ("segment_unexpected",), lambda _fault: True),
    _Row("unexpected_elements", "the elements not used", "Elements that the form does not use there and that are "
         "filled, but for CLM06.", ("element_unexpected",),
         lambda fault: not _signature_left(fault) and not _about_reasons(fault)),
    _Row("reasons_too_many", "the reasons for the visit", "More reasons for the visit (HI*APR) than the form takes.",
         ("element_unexpected",), _about_reasons),
    _Row("unexpected_characters", "the characters", "Elements with a separator or a character that X12 does not have.",
         ("element_character",), lambda _fault: True),
    _Row("day_for_range", "the statement dates", "DTP*434 as a day (D8) where the form takes a range (RD8).",
         _CODE, _day_for_range),
    _Row("signature_left", "the signature of an institutional claim", "CLM06, which an institutional claim no longer "
         "has.", ("element_unexpected",), _signature_left),
)  # fmt: skip


@fact("flag", "the syntax of the form", reach="head")
def has_form_faults(case: Case) -> bool:
    """Whether the 837 that the claim was read from departs from the table of its form anywhere."""
    return bool(case.claim.form_faults)


def _place(fault: FormFault) -> str:
    """`2010AA N3 (IK304 3)`, `2400 SV1 SV103 (line 2, IK403 7)`."""
    where = " ".join(part for part in (fault.loop, fault.segment, fault.element) if part)
    return f"{where} ({f'line {fault.line}, ' if fault.line else ''}{fault.answer})"


def _fact_of(row: _Row) -> None:
    def derive(case: Case) -> tuple[str, ...]:
        found = case.claim.form_faults
        return tuple([_place(one) for one in found if one.kind in row.kinds and row.about(one)]) if found else ()

    derive.__name__ = derive.__qualname__ = row.name
    derive.__doc__ = row.says
    fact("codes", row.label, reach="head")(derive)


for _row in _TABLE:
    _fact_of(_row)
