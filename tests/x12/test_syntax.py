"""What the table of the form finds in an 837, and what it leaves alone."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from rules.engine.check import check
from tests.book import BOOK
from tests.x12.samples import SAMPLES
from worker.intake.document import Document
from worker.intake.documents import read_documents
from worker.intake.events import digest

FORM = Path(__file__).parent / "form"
CASES = SAMPLES.parent / "cases" / "form"
BASES = {name: FORM.joinpath(f"base_{name.lower()}.837").read_text() for name in ("P", "I")}
Found = list[str]


def documents(raw: str | bytes) -> list[Document]:
    data = raw if isinstance(raw, bytes) else raw.encode()
    found = [item for item in read_documents("f.837", io.BytesIO(data)) if item.number]
    assert all(isinstance(item, Document) for item in found), found
    return [item for item in found if isinstance(item, Document)]


def faults_of(document: Document) -> Found:
    return [
        " ".join(str(part) for part in (one.loop, one.segment, one.element, one.line and f"line {one.line}",
                                        one.kind.removeprefix("element_").removeprefix("segment_"), one.answer) if part)
        for one in document.claim.form_faults
    ]  # fmt: skip


def faults(raw: str | bytes) -> Found:
    (document,) = documents(raw)
    return faults_of(document)


def edited(form: str, *edits: tuple[str, str]) -> str:
    raw = BASES[form]
    for old, new in edits:
        assert raw.count(old) == 1, (old, raw.count(old))
        raw = raw.replace(old, new)
    count = raw[raw.index("ST*") : raw.index("GE*")].count("~")
    before, rest = raw.split("SE*", 1)
    return f"{before}SE*{count}*{rest.split('*', 1)[1]}"


def codes(raw: str) -> tuple[str, set[str]]:
    (document,) = documents(raw)
    report = check(document.claim, BOOK)
    found = {one.code for one in report.findings} | {part.code for one in report.findings for part in one.because}
    return report.disposition, {code for code in found if code.startswith("SYN")}


PLANTED = {
    "I_12_freq7_no_condcode": ["2300 CL1 order IK304 7"],
    "I_28_statement_missing": ["2300 DTP*434 missing IK304 3"],
    "I_43_freq7_F8_short": ["2300 CL1 order IK304 7"],
    "I_47_four_reasons": ["2300 HI*APR/PR HI04 unexpected IK403 I10"],
    "I_63_434_D8": ["2300 DTP*434 DTP02 code IK403 7"],
    "I_68_val_no_amount": ["2300 HI*BE HI01-5 missing IK403 1"],
    "I_75_poa_1": ["2300 HI*ABK/BK HI01-9 code IK403 7"],
    "P_08_sub_no_lastname": ["2010BA NM1*IL NM103 missing IK403 1"],
    "P_40_sec_no_paid": ["2430 DTP*573 line 1 missing IK304 3"],
    "P_51_ref_same_npi_billing": ["2310A NM1*DN/P3 NM102 code IK403 7"],
    "P_63_no_n3": ["2010AA N3 missing IK304 3"],
    "P_65_clm09_X": ["2300 CLM CLM09 code IK403 7"],
    "P_67_no_OI": ["2320 OI missing IK304 3"],
    "P_88_svd_no_date": ["2430 DTP*573 line 1 missing IK304 3"],
}
"""The files of the form cases whose fault is one of syntax; the other faults are of what the fields say."""
WARNED = {"I_47_four_reasons", "I_63_434_D8"}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_fault_of_syntax_is_found_and_nothing_else(name: str) -> None:
    assert faults(FORM.joinpath(f"{name}.837").read_bytes()) == PLANTED[name]


@pytest.mark.parametrize("name", PLANTED)
def test_a_claim_that_a_999_rejects_is_held_and_what_receivers_take_is_warned_of(name: str) -> None:
    disposition, found = codes(FORM.joinpath(f"{name}.837").read_text())
    assert len(found) == 1
    assert disposition == "rework" or name in WARNED


@pytest.mark.parametrize("form", ["P", "I"])
def test_a_clean_claim_has_no_fault(form: str) -> None:
    assert faults(BASES[form]) == []


@pytest.mark.skipif(not CASES.is_dir(), reason="the cases are not beside the project")
def test_no_other_file_of_the_form_cases_has_a_fault_of_syntax() -> None:
    found = {file.stem: faults(file.read_bytes()) for file in CASES.glob("*.837")}
    assert {name: one for name, one in found.items() if one} == PLANTED


def test_faults_are_no_part_of_the_claims_digest() -> None:
    (document,) = documents(FORM.joinpath("P_63_no_n3.837").read_bytes())
    assert "form_faults" in document.value
    without = {key: value for key, value in document.value.items() if key != "form_faults"}
    assert digest(document.value) == digest(without)


REPORTED = {
    "openemr/openemr#5025: a submitter without its number, as the name's element was left out": (
        "P", ("NM1*41*2*RIVERBEND BILLING*****46*RB001~", "NM1*41*2*RIVERBEND BILLING****46*RB001~"),
        ["1000A NM1*41 NM107 unexpected IK403 I10", "1000A NM1*41 NM108 code IK403 7",
         "1000A NM1*41 NM109 missing IK403 1"],
    ),
    "imsweb/x12-parser#18: a submitter whose number is blank": (
        "P", ("NM1*41*2*RIVERBEND BILLING*****46*RB001~", "NM1*41*2*RIVERBEND BILLING*****46*~"),
        ["1000A NM1*41 NM109 missing IK403 1"],
    ),
    "openemr/openemr#1624: a REF of version 4010 after the pay-to address": (
        "P", ("HL*2*1*22*0~", "NM1*87*2~N3*PO BOX 7~N4*AUSTIN*TX*787010002~REF*EI*741234567~HL*2*1*22*0~"),
        ["2010AB REF*EI order IK304 7"],
    ),
    "openemr/openemr#6268: a second reason in the place of the quantity": (
        "P", ("LX*1~", "SBR*S*18*******CI~CAS*CO*45*100*97*20~OI***Y***Y~NM1*IL*1*DOVE*ANNA****MI*X1~"
              "NM1*PR*2*OTHER*****PI*60054~LX*1~"),
        ["2320 CAS CAS06 missing IK403 2"],
    ),
    "eclaims.com, how to interpret 999 rejections: CLM06 with a letter of no list": (
        "P", (":B:1*Y*A*Y*Y", ":B:1*Z*A*Y*Y"), ["2300 CLM CLM06 code IK403 7"],
    ),
    "kputnam/stupidedi#248: a payer's name of more than 60 characters": (
        "P", ("NM1*PR*2*", f"NM1*PR*2*{'VERY LONG NAME ' * 4}"), ["2010BB NM1*PR NM103 long IK403 5"],
    ),
    "azoner/pyx12#28: a qualifier of version 4010 in the specialty of who rendered": (
        "P", ("PRV*PE*PXC*", "PRV*PE*ZZ*"),
        ["2310B PRV PRV02 code IK403 7"],
    ),
    "ppazos/amplify-prototype#45: `undefined` where a program had no state": (
        "I", ("N4*AUSTIN*TX*787010001~", "N4*undefined*undefined*NaN~"), ["2010AA N4 N402 long IK403 5"],
    ),
    "mjpete3/x12#13: blanks to the least length where a required element is empty": (
        "I", ("N3*1 RIVER RD~", "N3* ~"), ["2010AA N3 N301 missing IK403 1"],
    ),
    "Inteligenz/X12Parser#22: an adjustment before the other payer's coverage, as it should be": (
        "I", ("LX*1~", "SBR*S*18*******CI~CAS*OA*23*179.88~AMT*D*10~OI***Y***Y~NM1*IL*1*DOVE*ANNA****MI*X1~"
              "NM1*PR*2*OTHER*****PI*60054~LX*1~"), [],
    ),
    "Inteligenz/X12Parser#22, turned round: an adjustment after the other payer's coverage": (
        "I", ("LX*1~", "SBR*S*18*******CI~OI***Y***Y~CAS*OA*23*179.88~NM1*IL*1*DOVE*ANNA****MI*X1~"
              "NM1*PR*2*OTHER*****PI*60054~LX*1~"), ["2320 CAS order IK304 7"],
    ),
    "azoner/pyx12#27: a contact of the service facility, which one copy of the map lacks": (
        "P", ("LX*1~", "NM1*77*2*SURGERY PLACE*****XX*1457384521~N3*2 HILL ST~N4*AUSTIN*TX*787010003~"
              "PER*IC*DESK*TE*5550100101~LX*1~"), [],
    ),
    "a facility without an address": (
        "P", ("LX*1~", "NM1*77*2*SURGERY PLACE*****XX*1457384521~LX*1~"),
        ["2310C N3 missing IK304 3", "2310C N4 missing IK304 3"],
    ),
    "a drug without its quantity": ("P", ("SE*", "LIN**N4*00003029305~SE*"), ["2410 CTP line 1 missing IK304 3"]),
    "an authorization that is written after a provider": (
        "P", ("LX*1~", "REF*G1*AUTH77~LX*1~"), ["2310B REF*G1 order IK304 7"],
    ),
    "the component separator inside a street": (
        "P", ("N3*1 RIVER RD~", "N3*1 RIVER RD:STE 5~"), ["2010AA N3 N301 character IK403 6"],
    ),
    "care assumed on a day that no calendar has": (
        "P", ("HI*ABK", "DTP*090*D8*20261301~HI*ABK"), ["2300 DTP*090/091 DTP03 date IK403 8"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("title", REPORTED)
def test_what_people_report_of_999s_and_of_other_readers(title: str) -> None:
    """Written after the public threads that the titles name: repository and number on GitHub, or the page."""
    form, edit, expected = REPORTED[title]
    assert faults(edited(form, edit)) == expected


def test_a_fault_above_the_claim_is_on_every_claim_beneath_and_on_no_other() -> None:
    raw = BASES["P"]
    head, tail = raw[: raw.index("HL*2*")], raw[raw.index("HL*2*") : raw.index("SE*")]
    second = tail.replace("HL*2*1*22", "HL*3*1*22")
    third = "HL*4**20*1~" + head.split("HL*1**20*1~")[1].lstrip() + tail.replace("HL*2*1*22", "HL*5*4*22")
    broken = head.replace("N3*1 RIVER RD~", "", 1) if "N3*1 RIVER RD~" in head else head
    body = broken + tail + second + third.replace("\n", "")
    count = body[body.index("ST*") :].count("~") + 1
    found = documents(f"{body}SE*{count}*0001~GE*1*1~IEA*1*000000101~")
    assert [faults_of(one) for one in found] == [["2010AA N3 missing IK304 3"]] * 2 + [[]]


@pytest.mark.parametrize("separators", ["*:~", "|>'", "^:~", "*>~", "|:\n", ":*~"])
@pytest.mark.parametrize("name", PLANTED)
def test_separators_do_not_matter(name: str, separators: str) -> None:
    raw = FORM.joinpath(f"{name}.837").read_text().replace("\n", "")
    table = str.maketrans(dict(zip("*:~", separators, strict=True)))
    isa, rest = raw[:106], raw[106:]
    if separators[0] == "^":
        isa = isa.replace("^", "{")
    assert faults(isa.translate(table) + rest.translate(table)) == PLANTED[name]


def test_blanks_around_elements_and_before_terminators_are_padding() -> None:
    raw = BASES["P"].replace("\n", "")
    padded = raw[:106] + raw[106:].replace("~", "  ~").replace("*ANNA*", "*  ANNA *").replace("*ABK:", "*ABK :")
    assert faults(padded) == []


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the public samples are not beside the project")
def test_of_the_public_samples_that_are_read_these_have_faults_and_no_other() -> None:
    """Each is one that pyx12 finds as well: `test_syntax_oracle`."""
    found = {}
    for file in sorted(SAMPLES.joinpath("x12").rglob("*")):
        if file.is_file() and "835" not in file.name:
            read = [
                item for item in read_documents(file.name, io.BytesIO(file.read_bytes())) if isinstance(item, Document)
            ]
            if odd := sorted({one for item in read for one in faults_of(item)}):
                found[file.name] = odd
    left = "2300 CLM CLM06 unexpected IK403 I10"  # as in version 4010
    day = "2300 DTP*434 DTP02 code IK403 7"
    assert found == {
        "837_005010X222A2_demo.ambulance.example5.837": ["2300 CLM CLM05-2 missing IK403 1"],
        "837_005010X222A2_demo.cob.example3.A.837": ["2330B NM1*PR missing IK304 3"],
        "837_005010X222A2_demo.cob.example4.837": ["2320 AMT unexpected IK304 2"],
        "837_005010X223A3_institutional-claim.837i": [left, day],
        "837_005010X223A3_two-claims-single-provider.837i": [left],
        "837_5010_x12_segment_errors.txt": [
            "2010AA N3 missing IK304 3", "2010AA REF*EI/SY repeated IK304 5", "2300 HI*ABK/BK missing IK304 3",
        ],
        "x12sdk-2.2.0_837i_seed7_500.837": [left, day],
    }  # fmt: skip


@pytest.mark.parametrize("code", ["78701-0001", "78701 0001"])
def test_a_zip_code_with_a_dash_is_read_and_its_character_named(code: str) -> None:
    """x12.org, RFI 1731: N403 is a code, without punctuation and blanks."""
    raw = edited("P", ("N4*AUSTIN*TX*787010001", f"N4*AUSTIN*TX*{code}"))
    assert [one for one in faults(raw.encode()) if "N403" in one] == ["2010AA N4 N403 character IK403 6"]
    assert codes(raw)[1] >= {"SYN009"}
