"""Inputs written after public reports of readers of the 837: each names its thread, and says what comes out here."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.x12.test_not_read import inserted
from tests.x12.test_reader import one, read, refusals
from worker.intake.document import Document

BASE = {form: (Path(__file__).parent / "reading" / f"base_{form}.837").read_text() for form in ("p", "i")}
CLEAN: dict[str, Any] = one(BASE["p"])


def p(old: str = "", new: str = "", more: str = "") -> str:
    """The professional claim with something changed, or with segments more before its HI."""
    assert old in BASE["p"]
    raw = BASE["p"].replace(old, new) if old else BASE["p"]
    return inserted(raw, "HI*", more) if more else raw


def test_a_blank_before_the_terminator_of_the_isa() -> None:
    """github.com/phatboyg/Machete/issues/44: the terminator is the tilde, and not the blank before it."""
    assert one(p("*T*:~", "*T*: ~")) == CLEAN


@pytest.mark.parametrize("blanks", [" ", "  ", "\t", " \t "])
def test_blanks_before_every_terminator(blanks: str) -> None:
    """The kind of the same thread: blanks are padding wherever they stand."""
    assert one(p("~", blanks + "~")) == CLEAN
    assert one(p("~\n", blanks + "\n")) == CLEAN


def test_counts_of_the_trailers_with_leading_zeros() -> None:
    """github.com/xlate/staedi/issues/526 (with X12's RFI 1750): receivers allow leading zeros in numbers."""
    raw = p("GE*1*1~", "GE*00001*1~").replace("IEA*1*", "IEA*00001*").replace("SE*26*", "SE*0026*")
    assert one(raw) == CLEAN


@pytest.mark.parametrize(("own", "parent"), [("1", "01"), ("01", "1"), ("0001", "0001"), ("1 ", " 1")])
def test_hl_numbers_with_leading_zeros(own: str, parent: str) -> None:
    """The kind of the same thread: HL01 and HL02 are numbers, and 01 is 1."""
    assert one(p("HL*1**20", f"HL*{own}**20").replace("HL*2*1*22", f"HL*02*{parent}*22")) == CLEAN


def test_an_hl_without_its_parent() -> None:
    """github.com/UHIN/x12-parser-library/pull/5: HL02 is left out now and then."""
    found = one(p("HL*2*1*22", "HL*2**22"))
    assert found == {**CLEAN, "oddities": ["2000B HL02 missing"]}


def test_an_hl_with_another_parent_is_refused() -> None:
    assert any("does not name the open HL" in said for said in refusals(p("HL*2*1*22", "HL*2*7*22")))


def test_segments_that_are_indented() -> None:
    """github.com/xlate/staedi/issues/475: a file that was laid out for reading."""
    assert one(re.sub(r"~\n?(?=[A-Z])", "~\n    ", BASE["p"])) == CLEAN


def test_the_letters_isa_in_a_name() -> None:
    """github.com/EdiFabric/EDIFACT.NET/issues/67: ISAAC and NARCISA are names, and no interchange."""
    raw = p("NM1*IL*1*DOVE*ANNA", "NM1*IL*1*ISAAC*NARCISA")
    named = {"last_name": "ISAAC", "first_name": "NARCISA"}
    assert one(raw) == {
        **CLEAN, "patient": {**CLEAN["patient"], **named}, "subscriber": {**CLEAN["subscriber"], **named},
    }  # fmt: skip


def test_a_line_break_as_the_terminator() -> None:
    """github.com/albmarin/badX12/issues/99 and github.com/moov-io/x12/issues/27: a line break may be the terminator."""
    flat = BASE["p"].replace("\n", "")
    for end in ("\n", "\r"):
        assert one(flat.replace("~", end)) == CLEAN


def test_a_file_that_is_wrapped_at_eighty_columns() -> None:
    """github.com/xlate/staedi/issues/128."""
    flat = BASE["p"].replace("\n", "")
    assert one("\n".join(flat[at : at + 80] for at in range(0, len(flat), 80))) == CLEAN


def test_segments_of_one_name_are_told_apart_by_their_qualifiers() -> None:
    """github.com/ballerina-platform/ballerina-library/issues/9100 and databricks-industry-solutions/x12-edi-parser
    issues 39 and 40: a REF is what its qualifier says, in whatever order."""
    found = one(p(more="REF*D9*CLEARING~\nREF*EA*RECORD~\nREF*G1*PA9~\nREF*F8*ICN7~\n"))
    assert (found["prior_authorization"], found["original_reference_number"]) == ("PA9", "ICN7")
    assert "oddities" not in found


def test_an_authorization_of_another_payer_is_none_of_this_one() -> None:
    """REF04 of 2400 REF*G1 says whose number it is; the thread above asks for all numbers of authorizations."""
    raw = inserted(BASE["p"], "SE*", "REF*G1*OTHERS**2U:60054~\nREF*G1*OURS~\n")
    assert one(raw)["lines"][0]["prior_authorization"] == "OURS"


def test_the_place_of_a_line() -> None:
    """github.com/databricks-industry-solutions/x12-edi-parser/issues/47: facilities are read at claim and line."""
    raw = inserted(BASE["p"], "SE*", "NM1*77*2*NORTH*****XX*1234567893~\nN3*9 LAKE~\nN4*RENO*NV*89501~\n")
    assert one(raw)["lines"][0]["service_facility"] == {
        "npi": "1234567893", "name": "NORTH", "state": "NV",
        "address": {"street": "9 LAKE", "city": "RENO", "zip": "89501"},
    }  # fmt: skip


def test_several_codes_in_one_composite_are_not_dropped() -> None:
    """github.com/kputnam/stupidedi/issues/105: ABF codes that were written into one HI composite."""
    said = refusals(p("HI*ABK:M5431", "HI*ABK:M5431:ABF:I10:ABF:E119"))
    assert any("HI01" in one and "expected one code" in one for one in said)


def test_an_amount_with_another_qualifier_does_not_fail_the_claim() -> None:
    """github.com/EdiFabric/EDIFACT.NET/issues/33: an AMT of the lines with a code that the guide does not have."""
    found = one(inserted(BASE["i"], "SE*", "AMT*ZZ*12~\n"))
    assert found.pop("oddities") == ["2400 AMT unknown"]
    assert found == one(BASE["i"])


def test_contacts_where_the_guide_has_them() -> None:
    """github.com/azoner/pyx12/issues/24 and github.com/Inteligenz/X12Parser/issues/10: PER of a facility and of a
    patient."""
    assert "oddities" not in one(p("DMG*D8", "PER*IC*CANARY*TE*5550100~\nDMG*D8").replace("SE*26*", "SE*27*"))


@pytest.mark.parametrize(
    "days", ["20261001-20261002", "20261001 - 20261002", " 20261001-20261002 ", "20261001 -20261002"]
)
def test_blanks_in_a_range_of_days(days: str) -> None:
    """github.com/kputnam/stupidedi/issues/160: a range is two dates, whatever stands around them."""
    line = one(p("DTP*472*D8*20261001", f"DTP*472*RD8*{days}"))["lines"][0]
    assert (line["service_date"], line["service_date_end"]) == ("2026-10-01", "2026-10-02")


@pytest.mark.parametrize("amount", ["450", "450.", "450.00", "0450", "+450", " 450 "])
def test_an_amount_however_it_is_written(amount: str) -> None:
    """github.com/xlate/staedi/issues/526 again: zeros and signs that mean nothing."""
    found = one(p("*450*UN*1*", f"*{amount}*UN*01*").replace("PCN-0001*450*", f"PCN-0001*{amount}*"))
    assert float(found["total_charge"]) == float(found["lines"][0]["charge"]) == 450
    assert float(found["lines"][0]["units"]) == 1


@pytest.mark.parametrize("number", ["01", "1.0", "+1", "1.", " 1"])
def test_a_count_however_it_is_written(number: str) -> None:
    assert one(p("LX*1~", f"LX*{number}~").replace("***1~", f"***{number}~")) == CLEAN


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("*XX*", "*xx*"), ("*MI*", "*mi*"), ("HC:64445", "hc:64445"), ("HI*ABK:", "HI*abk:"), ("*PXC*", "*pxc*"),
        ("*D8*", "*d8*"), ("11:B:1", "11:b:1"), ("NM1*82*", "NM1* 82 *"), ("NM1*82*", "nm1*82*"), ("LX*1", "LX *1"),
        ("SV1*HC", " SV1*HC"), ("HC:64445:RT", "HC : 64445 : RT"), ("ABK:M5431", " ABK : M5431 "),
    ],
)  # fmt: skip
def test_small_letters_and_blanks_around_codes(old: str, new: str) -> None:
    """Of a qualifier in small letters the value beside it was dropped without a word."""
    assert one(p(old, new)) == CLEAN


def test_two_providers_in_one_role_are_not_mixed() -> None:
    """The first is read whole, and nothing of the second."""
    raw = p("NM1*82*1*REED*PAUL****XX*1234567893~\nPRV*PE*PXC*208VP0000X~\n", "")
    raw = inserted(raw, "LX*1", "NM1*82*1*REED*PAUL~\nNM1*82*1*ROE*SAM****XX*1982345677~\nPRV*PE*PXC*207L00000X~\n")
    found = one(raw.replace("SE*29*", "SE*27*"))
    assert found["rendering_provider"] == {"entity": "person", "last_name": "REED", "first_name": "PAUL"}
    assert found["oddities"] == ["2310B NM1*82 repeated"]


def test_two_referring_providers() -> None:
    second = "NM1*DN*1*ROE*SAM****XX*1982345677~\nREF*G2*X~\n"
    raw = inserted(BASE["p"], "NM1*82*", "NM1*DN*1*DOE*PAT****XX*1003000126~\n" + second)
    first = {"npi": "1003000126", "entity": "person", "last_name": "DOE", "first_name": "PAT"}
    assert one(raw) == {**CLEAN, "referring_provider": first, "oddities": ["2310A NM1*DN repeated"]}


def test_two_referring_providers_of_whom_one_is_the_primary_care_provider_are_as_the_guide_has_it() -> None:
    second = "NM1*P3*1*ROE*SAM****XX*1982345677~\n"
    found = one(inserted(BASE["p"], "NM1*82*", "NM1*DN*1*DOE*PAT****XX*1003000126~\n" + second))
    assert "oddities" not in found


def test_lines_that_restart_and_do_not_add_up_are_refused() -> None:
    """Another claim's lines that came in when its CLM and HI were lost."""
    more = "LX*1~\nSV1*HC:99213*99*UN*1***1~\nDTP*472*D8*20261001~\n"
    assert any("LX01 does not go up" in said for said in refusals(inserted(BASE["p"], "SE*", more)))


@pytest.mark.parametrize(("first", "second"), [("1", "1"), ("2", "1"), ("0", "0"), ("1", ""), ("", "")])
def test_lines_whose_numbers_do_not_go_up_have_those_of_their_places(first: str, second: str) -> None:
    more = f"LX*{second}~\nSV1*HC:99213:25*99*UN*1***1~\nDTP*472*D8*20261001~\n"
    raw = inserted(p("LX*1~", f"LX*{first}~").replace("PCN-0001*450*", "PCN-0001*549*"), "SE*", more)
    found = one(raw)
    assert [line["number"] for line in found["lines"]] == [1, 2]
    assert found["oddities"] == ["2400 LX renumbered"]


@pytest.mark.parametrize("numbers", ["12", "13", "27"])
def test_lines_whose_numbers_go_up_keep_them(numbers: str) -> None:
    first, second = numbers
    more = f"LX*{second}~\nSV1*HC:99213:25*99*UN*1***1~\nDTP*472*D8*20261001~\n"
    found = one(inserted(p("LX*1~", f"LX*{first}~"), "SE*", more))
    assert [line["number"] for line in found["lines"]] == [int(first), int(second)]


def test_an_encounter_is_said_to_be_one() -> None:
    assert one(p("*0915*CH~", "*0915*RP~")) == {**CLEAN, "transaction_type": "RP"}
    assert one(p("*0915*CH~", "*0915*31~")) == {**CLEAN, "transaction_type": "31"}


@pytest.mark.parametrize(
    ("isa", "terminator"),
    [("*T*~", "~\n"), ("*T*~", "~\r\n"), ("*T*~", "~"), ("*T~", "~"), ("*T~", "~\n"), ("*T* ~", "~\n")],
)
def test_an_isa_without_its_last_element_is_the_cause_of_what_follows(isa: str, terminator: str) -> None:
    raw = BASE["p"].replace("\n", "").replace("*T*:~", isa).replace("~", terminator)
    said = refusals(raw)
    assert "no ISA16" in said[0]
    assert len(said) == 2


@pytest.mark.parametrize(
    ("before", "text", "named"),
    [
        ("HI*", "NTE*ADD*DOSE ~ 5 ML~\n", "NTE"), ("HI*", "K3*STATE ~ DATA~\n", "K3"),
        ("DMG*", "N3*1 MAIN ~ APT 4~\n", "N3"), ("SE*", "NTE*ADD*DOSE~5 ML*X~\n", "NTE"),
    ],
)  # fmt: skip
def test_a_terminator_inside_a_text_is_named_with_its_segment(before: str, text: str, named: str) -> None:
    said = refusals(inserted(BASE["p"], before, text))
    assert any(f"the text of the {named} before it holds '~'" in one for one in said)
    assert not any("DOSE" in one or "APT" in one for one in said)


@pytest.mark.parametrize(
    ("form", "before", "segments", "said"),
    [
        ("p", "LX*1", "REF*G1*PA1~\n", "2310B REF*G1 misplaced"),
        ("p", "LX*1", "REF*F8*ICN~\n", "2310B REF*F8 misplaced"),
        ("p", "LX*1", "REF*QQ*CANARY~\n", "2310B REF unknown"),
        ("p", "HI*", "DTP*472*D8*20261001~\n", "2300 DTP*472 misplaced"),
        ("p", "HI*", "DTP*999*D8*20261001~\n", "2300 DTP unknown"),
        ("p", "HI*", "AMT*F3*12~\n", "2300 AMT*F3 misplaced"),
        ("p", "HI*", "QTY*CA*3~\n", "2300 QTY misplaced"),
        ("p", "SE*", "DTP*435*D8*20261001~\n", "2400 DTP*435 misplaced"),
        ("i", "LX*1", "REF*G1*PA1~\n", "2310A REF*G1 misplaced"),
        ("i", "HI*", "DTP*472*D8*20261001~\n", "2300 DTP*472 misplaced"),
        ("i", "HI*", "AMT*F5*12~\n", "2300 AMT*F5 misplaced"),
    ],
)  # fmt: skip
def test_what_is_not_in_the_guide_where_it_stands_is_named_and_never_its_value(
    form: str, before: str, segments: str, said: str
) -> None:
    found = one(inserted(BASE[form], before, segments))
    assert found.pop("oddities") == [said]
    assert found == one(BASE[form])


def test_what_was_odd_of_one_claim_is_not_of_the_next() -> None:
    first = inserted(BASE["p"], "HI*", "REF*G1*PA1~\nREF*G1*PA2~\n")
    found = [item.value.get("oddities") for item in read(first + BASE["p"]) if isinstance(item, Document)]
    assert found == [["2300 REF*G1 repeated"], None]


@pytest.mark.parametrize(
    ("form", "service", "place"), [("p", "HC:64445:RT", "SV101-7"), ("i", "HC:64445:RT", "SV202-7")]
)
def test_a_fifth_modifier_that_stands_where_the_description_does_is_named(form: str, service: str, place: str) -> None:
    """github.com/CMSgov/beneficiary-fhir-data/pull/3185: records of claims hold a fifth modifier, for which the form has
    no place; what comes behind four is the description, as of github.com/openemr/openemr/pull/4300."""
    full = f"{service}:59:XS:LT"
    for more, said in ((":50", [f"2400 {place} modifier"]), (":GA", [f"2400 {place} modifier"]), ("", None),
                       (":LEFT LEG", None), (":INJECTION", None)):  # fmt: skip
        found = one(BASE[form].replace(service, full + more, 1))
        assert found.get("oddities") == said
        assert found["lines"][0]["modifiers"] == ["RT", "59", "XS", "LT"]
        assert found["lines"][0].get("has_description") == (True if " " in more or len(more) > 3 else None)


def test_a_modifier_that_slid_behind_empty_ones_is_named_as_well() -> None:
    found = one(p("HC:64445:RT", "HC:64445:RT::::GA"))
    assert found["oddities"] == ["2400 SV101-7 modifier"]
    assert found["lines"][0]["modifiers"] == ["RT"]


def test_what_the_patient_is_to_owe_is_read_where_the_guide_has_it_and_named_elsewhere() -> None:
    """X12's RFI 1865: AMT*F3 of the 837I is the provider's estimate of a part of the submitted charge."""
    raw = inserted(BASE["i"], "HI*", "AMT*F3*25~")
    assert one(raw)["patient_estimated"] == "25"
    assert one(p(more="AMT*F3*25~"))["oddities"] == ["2300 AMT*F3 misplaced"]
    assert one(inserted(BASE["i"], "HI*", "AMT*F5*25~"))["oddities"] == ["2300 AMT*F5 misplaced"]
