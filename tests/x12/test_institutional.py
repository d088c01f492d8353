"""What only the 837I has, from file to finding: each planted fault is found by its rule, and correct hospitals' claims
have none.

The base claim and all variations were written for these tests. Where one follows a public report, it names it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from io import BytesIO

import pytest
from msgspec import to_builtins

from rules.claim import Claim, read_claim
from rules.engine.check import check
from rules.report import Finding, Report
from tests.book import BOOK
from tests.x12.samples import SAMPLES
from tests.x12.test_reader import read, refusals
from worker.intake.document import Document
from worker.intake.documents import read_documents

RECEIVED = date(2026, 10, 20)
BASE = """ISA*00*          *00*          *ZZ*SENDER         *ZZ*RECEIVER       *261020*0915*^*00501*000000101*0*T*:~
GS*HC*SENDER*RECEIVER*20261020*0915*1*X*005010X223A3~
ST*837*0001*005010X223A3~
BHT*0019*00*B1*20261020*0915*CH~
NM1*41*2*HOSPITAL BILLING*****46*HB001~
PER*IC*DESK*TE*5550100100~
NM1*40*2*MEDICARE*****46*04412~
HL*1**20*1~
PRV*BI*PXC*282N00000X~
NM1*85*2*GENERAL HOSPITAL*****XX*1234567893~
N3*1 MAIN ST~
N4*AUSTIN*TX*787010001~
REF*EI*741234567~
HL*2*1*22*0~
SBR*P*18*******MA~
NM1*IL*1*CANARY*ANNA****MI*1EG4TE5MK73~
N3*2 OAK ST~
N4*AUSTIN*TX*787010002~
DMG*D8*19500302*F~
NM1*PR*2*MEDICARE*****PI*04411~
CLM*PCN-1*900***13:A:1**A*Y*Y~
DTP*434*RD8*20261001-20261001~
CL1*3*1*01~
HI*ABK:M5431~
NM1*71*1*CANARY*PAUL****XX*1245319599~
NM1*72*1*CANARY*PAUL****XX*1245319599~
LX*1~
SV2*0361*HC:64445:RT*900*UN*1~
DTP*472*D8*20261001~
SE*28*0001~
GE*1*1~
IEA*1*000000101~
"""
Edit = tuple[str, str]
"""A part of the file, and what stands there instead."""
DCN = "22612300456702TXA"
SECOND: Edit = ("SBR*P*18*******MA", "SBR*S*18*******MA")
FIRST_PAYER = """SBR*P*18*GRP9******CI~
AMT*D*100~
OI***Y***Y~
NM1*IL*1*CANARY*ANNA****MI*W123456789~
NM1*PR*2*OTHER*****PI*60054~
DTP*573*D8*20261010~
"""


def edited(*edits: Edit) -> str:
    """The base file with these changes, and a count of segments that follows."""
    raw = BASE
    for old, new in edits:
        assert raw.count(old) == 1, old
        raw = raw.replace(old, new)
    count = raw[raw.index("ST*") : raw.index("SE*")].count("~") + 1
    return re.sub(r"SE\*\d+\*", f"SE*{count}*", raw)


def after(segment: str, more: str) -> Edit:
    return segment, segment + more


def before(segment: str, more: str) -> Edit:
    return segment, more + segment


def codes(*segments: str) -> Edit:
    """More HI segments."""
    return after("HI*ABK:M5431~\n", "".join(f"HI*{one}~\n" for one in segments))


def bill(frequency: str, facility: str = "13", number: str = DCN) -> Edit:
    more = f"REF*F8*{number}~\n" if frequency in "78" else ""
    base = "CLM*PCN-1*900***13:A:1**A*Y*Y~\nDTP*434*RD8*20261001-20261001~\nCL1*3*1*01~\n"
    return base, base.replace("13:A:1", f"{facility}:A:{frequency}") + more


def claim_of(raw: str) -> Claim:
    documents = [item for item in read(raw) if isinstance(item, Document)]
    assert not refusals(raw)
    assert len(documents) == 1
    return documents[0].claim


def report_of(raw: str) -> Report:
    return check(claim_of(raw), BOOK, received=RECEIVED)


def own(report: Report) -> list[tuple[str, str]]:
    """Code and severity of what the rules of the institutional form found."""
    found: Iterable[Finding] = report.every
    return sorted({(one.code, one.severity) for one in found if one.code.startswith("UBF")})


BLOCKED: dict[str, tuple[str, list[Edit]]] = {
    "no CL1": ("UBF001", [("CL1*3*1*01~\n", "")]),
    "admission type 0": ("UBF002", [("CL1*3*1*01", "CL1*0*1*01")]),
    "admission type missing": ("UBF002", [("CL1*3*1*01", "CL1**1*01")]),
    "no point of origin": ("UBF003", [("CL1*3*1*01", "CL1*3**01")]),
    "patient status 00": ("UBF004", [("CL1*3*1*01", "CL1*3*1*00")]),
    "patient status missing": ("UBF004", [("CL1*3*1*01", "CL1*3*1")]),
    "still a patient on a whole stay": ("UBF005", [("CL1*3*1*01", "CL1*3*1*30")]),
    "a line before the statement": ("UBF006", [("DTP*472*D8*20261001", "DTP*472*D8*20260930")]),
    "a line that ends after the statement": ("UBF006", [("DTP*472*D8*20261001", "DTP*472*RD8*20261001-20261002")]),
    "a revenue code of three digits": ("UBF008", [("SV2*0361", "SV2*361")]),
    "a revenue code that starts with 5": ("UBF008", [("SV2*0361", "SV2*5361")]),
    "attending is the hospital": (
        "UBF010", [("NM1*71*1*CANARY*PAUL****XX*1245319599", "NM1*71*1*CANARY*PAUL****XX*1234567893")],
    ),
    "nobody operated": ("UBF011", [("NM1*72*1*CANARY*PAUL****XX*1245319599~\n", "")]),
    "who operated has no first name": (
        "UBF011", [("NM1*72*1*CANARY*PAUL****XX*1245319599", "NM1*72*1*CANARY*****XX*1245319599")],
    ),
    "who operated has no NPI": ("UBF011", [("NM1*72*1*CANARY*PAUL****XX*1245319599", "NM1*72*1*CANARY*PAUL")]),
    "a replacement without its reason": ("UBF012", [bill("7")]),
    "a void without its reason": ("UBF012", [bill("8")]),
    "a replacement with a reason to void": ("UBF012", [bill("7"), codes("BG:D5")]),
    "a void with a reason to replace": ("UBF012", [bill("8"), codes("BG:D1")]),
    "two reasons": ("UBF013", [bill("7"), codes("BG:D1*BG:D2")]),
    "D9 without a remark": ("UBF014", [bill("7"), codes("BG:D9")]),
    "D7 where Medicare is first": ("UBF015", [bill("7"), codes("BG:D7")]),
    "D8 where Medicare is second": (
        "UBF015", [bill("7"), SECOND, codes("BG:D8", "BE:12:::100"), before("LX*1", FIRST_PAYER)],
    ),
    "a number of the sender's own": ("UBF016", [bill("7", number="X"), codes("BG:D1")]),
    "Medicare second and no value code": ("UBF017", [SECOND, before("LX*1", FIRST_PAYER)]),
    "value code 12 where Medicare is first": ("UBF018", [codes("BE:12:::100")]),
    "no-fault without the accident": ("UBF019", [SECOND, codes("BE:14:::100"), before("LX*1", FIRST_PAYER)]),
    "work without the accident": (
        "UBF019", [SECOND, codes("BE:15:::100", "BH:01:D8:20260901"), before("LX*1", FIRST_PAYER)],
    ),
    "nothing paid and no denial": (
        "UBF020", [SECOND, codes("BE:12:::0"), after("CL1*3*1*01~\n", "NTE*ADD*DEDUCTIBLE~\n"),
                   before("LX*1", FIRST_PAYER)],
    ),
    "nothing paid and no remark": (
        "UBF020", [SECOND, codes("BE:12:::0", "BH:24:D8:20261010"), before("LX*1", FIRST_PAYER)],
    ),
    "a condition code twice": ("UBF021", [codes("BG:09*BG:20*BG:09")]),
    "an occurrence twice": ("UBF022", [codes("BH:11:D8:20260901*BH:11:D8:20260902")]),
    "an accident after the treatment": ("UBF022", [codes("BH:01:D8:20271001")]),
    "a value code twice": ("UBF023", [codes("BE:80:::4*BE:80:::5")]),
    "a discharge hour on an interim claim": (
        "UBF025", [bill("2", "11"), after("CL1*3*1*01~\n", ""), before("DTP*434", "DTP*096*TM*1030~\n")],
    ),
    "more not covered than charged": ("UBF029", [("*900*UN*1~", "*900*UN*1**950~")]),
    "PO and PN": ("UBF030", [("64445:RT", "64445:RT:PN:PO"), before("LX*1", "NM1*77*2*RIVER CLINIC~\n")]),
    "PO without the location": ("UBF031", [("64445:RT", "64445:RT:PO")]),
    "a facility code with a zero": ("UBF032", [bill("1", "80")]),
}  # fmt: skip
WARNED: dict[str, tuple[str, list[Edit]]] = {
    "no statement": ("UBF007", [("DTP*434*RD8*20261001-20261001~\n", "")]),
    "the statement as one date": ("UBF007", [("DTP*434*RD8*20261001-20261001", "DTP*434*D8*20261001")]),
    "the total as a line": ("UBF008", [before("SE*", "LX*2~\nSV2*0001**0*UN*1~\n")]),
    "drugs without a code": ("UBF009", [before("SE*", "LX*2~\nSV2*0636**0*UN*1~\nDTP*472*D8*20261001~\n")]),
    "a condition code of one character": ("UBF021", [codes("BG:9")]),
    "an occurrence without its date": ("UBF022", [codes("BH:11")]),
    "a value code without its amount": ("UBF023", [codes("BE:45")]),
    "an organization attends": ("UBF024", [("NM1*71*1*CANARY*PAUL", "NM1*71*2*CANARY")]),
    "four reasons for the visit": ("UBF026", [codes("APR:M5431*APR:M5432*APR:G5701*APR:M5441")]),
    "POA 1 of an inpatient": ("UBF027", [bill("1", "11"), ("HI*ABK:M5431~", "HI*ABK:M5431:::::::1~")]),
    "POA of an outpatient": ("UBF027", [("HI*ABK:M5431~", "HI*ABK:M5431:::::::Y~")]),
    "a pregnancy at 76": ("UBF028", [codes("ABF:O26891")]),
    "PO on one of two lines": (
        "UBF031", [("64445:RT", "64445:RT:PO"), before("LX*1", "NM1*77*2*RIVER CLINIC~\n"),
                   before("SE*", "LX*2~\nSV2*0510*HC:G0463:25*0*UN*1~\nDTP*472*D8*20261001~\n")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BLOCKED)
def test_a_fault_of_grade_a_holds_the_claim(name: str) -> None:
    code, edits = BLOCKED[name]
    report = report_of(edited(*edits))
    assert own(report) == [(code, "block")]
    assert report.disposition == "rework"
    assert "CANARY" not in str(report)


@pytest.mark.parametrize("name", WARNED)
def test_a_fault_of_grade_b_is_shown_and_holds_nothing(name: str) -> None:
    code, edits = WARNED[name]
    report = report_of(edited(*edits))
    assert own(report) == [(code, "warn")]
    assert "CANARY" not in str(report)


def test_the_base_claim_has_no_finding() -> None:
    report = report_of(BASE)
    assert own(report) == []
    assert report.disposition == "billing"


CORRECT: dict[str, list[Edit]] = {
    "an outpatient's replacement for charges": [bill("7"), codes("BG:D1")],
    "a replacement for other reasons, explained": [
        bill("7"), codes("BG:D9"), after("CL1*3*1*01~\n", ""), before("HI*ABK", "NTE*ADD*CORRECTED UNITS~\n"),
    ],
    "a void of a claim that was sent twice": [bill("8"), codes("BG:D6")],
    "a critical access hospital": [bill("1", "85")],
    "a critical access hospital's operating room without a code": [
        bill("1", "85"), before("SE*", "LX*2~\nSV2*0360**0*UN*1~\nDTP*472*D8*20261001~\n"),
    ],
    "a specimen without a point of origin": [
        bill("1", "14"), ("CL1*3*1*01", "CL1*3**01"), ("SV2*0361*HC:64445:RT", "SV2*0301*HC:80053"),
        ("NM1*72*1*CANARY*PAUL****XX*1245319599~\n", ""),
    ],
    "an inpatient with what was present on admission": [
        bill("1", "11"), ("HI*ABK:M5431~", "HI*ABK:M5431:::::::Y~\nHI*ABJ:M5431~\nHI*ABF:I10:::::::W*ABF:E119~"),
        before("DTP*434", "DTP*096*TM*1030~\nDTP*435*DT*202610010715~\n"),
    ],
    "the first of several inpatient claims": [
        bill("2", "11"), ("CL1*3*1*01", "CL1*1*7*30"), before("DTP*434", "DTP*435*D8*20261001~\n"),
    ],
    "Medicare after an employer's plan": [SECOND, codes("BE:12:::100*BE:44:::250"), before("LX*1", FIRST_PAYER)],
    "Medicare after a liability insurer": [
        SECOND, codes("BE:47:::100", "BH:03:D8:20260901"), before("LX*1", FIRST_PAYER),
    ],
    "a conditional payment": [
        SECOND, codes("BE:15:::0", "BH:04:D8:20260901*BH:24:D8:20261010", "BG:02"),
        before("HI*ABK", "NTE*ADD*DISPUTED~\n"), before("LX*1", FIRST_PAYER),
    ],
    "kidney disease: occurrences, values, spans and conditions": [
        bill("1", "72"), codes("BI:74:RD8:20261001-20261001", "BH:51:D8:20260928*BH:33:D8:20250101",
                               "BE:48:::10.5*BE:49:::31.2*BE:A8:::72", "BG:71*BG:59"),
    ],
    "one occurrence code in two groups": [codes("BH:11:D8:20260901", "BH:11:D8:20260905")],
    "a department off campus with its location on every line": [
        ("64445:RT", "64445:RT:PN"), before("LX*1", "NM1*77*2*RIVER CLINIC~\nN3*9 HILL ST~\nN4*AUSTIN*TX*787029998~\n"),
        before("SE*", "LX*2~\nSV2*0250**0*UN*1~\n"),
    ],
    "services on and off campus, billed from the main address": [
        ("64445:RT", "64445:RT:PO"), before("SE*", "LX*2~\nSV2*0510*HC:G0463:25*0*UN*1~\nDTP*472*D8*20261001~\n"),
    ],
    "a visit without surgery, and blood drawn": [
        ("SV2*0361*HC:64445:RT", "SV2*0510*HC:G0463"), ("NM1*72*1*CANARY*PAUL****XX*1245319599~\n", ""),
        before("SE*", "LX*2~\nSV2*0300*HC:36415*0*UN*1~\nDTP*472*D8*20261001~\n"),
    ],
    "a part of the charge is not covered": [("*900*UN*1~", "*900*UN*1**450~")],
    "three reasons for the visit": [codes("APR:M5431*APR:M5432*APR:G5701")],
    "another payer's claim without who operated": [
        ("SBR*P*18*******MA", "SBR*P*18*******CI"), ("NM1*PR*2*MEDICARE*****PI*04411", "NM1*PR*2*AETNA*****PI*60054"),
        ("NM1*72*1*CANARY*PAUL****XX*1245319599~\n", ""),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", CORRECT)
def test_a_correct_claim_of_a_hospital_has_no_finding_of_the_form(name: str) -> None:
    assert own(report_of(edited(*CORRECT[name]))) == []


def _said(*edits: Edit) -> list[tuple[str, str]]:
    return own(report_of(edited(*edits)))


def test_a_replacement_needs_a_claim_change_reason_and_any_other_condition_is_none() -> None:
    """After Palmetto GBA, reason code 30949 (palmettogba.com, 8DVTH68347): frequency 7 or 8 without D0 to D9 or E0."""
    assert _said(bill("7"), codes("BG:20*BG:A5")) == [("UBF012", "block")]
    assert _said(bill("7"), codes("BG:20*BG:E0")) == []


def test_d9_waits_for_its_explanation() -> None:
    """After CGS, billing reminder of 2019-05-30 (cgsmedicare.com, cope12661): D9 without remarks is returned, 37541."""
    note = before("HI*ABK", "NTE*ADD*ADDED A LINE THAT WAS LEFT OFF~\n")
    assert _said(bill("7"), codes("BG:D9")) == [("UBF014", "block")]
    assert _said(bill("7"), codes("BG:D9"), note) == []


def test_a_denial_dated_by_24_belongs_to_a_value_code() -> None:
    """After Palmetto GBA, reason code 31409 (BCLRNR7753): Medicare first, occurrence 24, and no MSP value code."""
    assert _said(codes("BH:24:D8:20261010")) == [("UBF020", "block")]


def test_an_admission_source_is_asked_of_all_but_specimens() -> None:
    """After Stedi, changelog of 2025-12-12 (new-claim-edit-missing-admission-source-code)."""
    assert _said(bill("1", "85"), ("CL1*3*1*01", "CL1*3**01")) == [("UBF003", "block")]
    assert ("UBF003", "block") not in _said(bill("1", "14"), ("CL1*3*1*01", "CL1*3**01"))


def test_an_occurrence_code_is_unique_within_its_group_alone() -> None:
    """After Stedi, changelog page 3 (claim-edit-duplicate-occurrence-codes-in-institutional-claims)."""
    assert _said(codes("BH:45:D8:20260901*BH:11:D8:20260902*BH:45:D8:20260903")) == [("UBF022", "block")]
    assert _said(codes("BH:45:D8:20260901*BH:11:D8:20260902", "BH:45:D8:20260903")) == []


def test_an_off_campus_modifier_stands_on_every_service_of_the_location() -> None:
    """After CGS, 2023-08-08 (cope142686) and First Coast (hospital-campus-outpatient-department-reporting-requirements):
    reason codes 34984 to 34987."""
    line = before("SE*", "LX*2~\nSV2*0636*HC:J3301*0*UN*1~\nDTP*472*D8*20261001~\n")
    place = before("LX*1", "NM1*77*2*RIVER CLINIC~\nN3*9 HILL ST~\nN4*AUSTIN*TX*787029998~\n")
    assert _said(("64445:RT", "64445:RT:ER")) == [("UBF031", "block")]
    assert _said(("64445:RT", "64445:RT:ER"), place, line) == [("UBF031", "warn")]


def test_the_attending_provider_of_a_claim_made_from_a_professional_one_is_no_hospital() -> None:
    """After github.com/masslight/ottehr/issues/9548: who rendered becomes who attends on an 837I; a stack that has no
    one puts the billing organization there."""
    hospital = ("NM1*71*1*CANARY*PAUL****XX*1245319599", "NM1*71*2*GENERAL HOSPITAL*****XX*1234567893")
    assert _said(hospital) == [("UBF010", "block"), ("UBF024", "warn")]


def test_several_dates_of_a_claim_are_told_apart_by_their_qualifiers() -> None:
    """After github.com/databricks-industry-solutions/x12-edi-parser/pull/26: a claim's dates, each with its own
    meaning, were taken for one."""
    dates = before("DTP*434", "DTP*096*TM*1630~\nDTP*435*DT*202609300715~\n")
    claim = claim_of(edited(dates))
    assert (claim.admission_date, claim.admission_hour, claim.discharge_hour) == (date(2026, 9, 30), "0715", "1630")
    assert (claim.statement_from_date, claim.statement_is_range) == (date(2026, 10, 1), True)


def test_each_composite_of_an_hi_is_read_and_none_is_taken_for_another() -> None:
    """After github.com/kputnam/stupidedi/issues/105: codes that belong into composites of their own."""
    claim = claim_of(edited(codes("BH:11:D8:20260901*BH:A1:D8:19500302", "BE:80:::4*BE:A2:::15.31", "BG:09*BG:20")))
    assert [(one.code, one.day) for one in claim.occurrences] == [("11", date(2026, 9, 1)), ("A1", date(1950, 3, 2))]
    assert [(one.code, str(one.amount)) for one in claim.value_codes] == [("80", "4"), ("A2", "15.31")]
    assert claim.condition_codes == ("09", "20")
    assert claim.diagnoses == ("M5431",)


def test_indicators_belong_to_their_own_diagnosis() -> None:
    """After github.com/CMSgov/beneficiary-fhir-data/issues/765: one diagnosis's indicator was given to all."""
    edits = [bill("1", "11"), ("HI*ABK:M5431~", "HI*ABK:M5431:::::::N~\nHI*ABF:I10*ABF:E119:::::::Y~")]
    claim = claim_of(edited(*edits))
    assert [(one.diagnosis, one.indicator) for one in claim.present_on_admission] == [(1, "N"), (3, "Y")]


def test_a_line_without_a_date_on_a_statement_of_several_days_is_held_for_its_date() -> None:
    edits = [("DTP*434*RD8*20261001-20261001", "DTP*434*RD8*20261001-20261003"), ("DTP*472*D8*20261001~\n", "")]
    report = report_of(edited(*edits))
    assert own(report) == []
    assert report.disposition == "rework"
    assert any("the date of service" in one.message for one in report.findings)


def test_a_type_of_bill_of_no_outpatient_is_left_to_its_own_rule() -> None:
    report = report_of(edited(bill("1", "21")))
    assert own(report) == []
    assert "POS004" in {one.code for one in report.every}


UNREADABLE = {
    "a day that is none": ("BH:11:D8:20261301", "HI01"),
    "an occurrence as a range": ("BH:11:RD8:20261001-20261002", "HI01"),
    "a span as one day": ("BI:74:D8:20261001", "HI01"),
    "an amount of letters": ("BE:80:::FOUR", "HI01"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_code_whose_date_or_amount_cannot_be_read_refuses_the_claim(name: str) -> None:
    segment, place = UNREADABLE[name]
    found = refusals(edited(codes(segment)))
    assert len(found) == 1
    assert place in str(found[0])


@pytest.mark.parametrize(
    "segment", ["DTP*096*TM*2530", "DTP*096*D8*20261001", "DTP*435*DT*2026100125", "DTP*435*TM*0715"]
)
def test_an_hour_that_is_none_refuses_the_claim(segment: str) -> None:
    assert refusals(edited(before("DTP*434", f"{segment}~\n")))


def test_a_claim_in_json_that_leaves_these_fields_out_is_not_held_for_them() -> None:
    claim = claim_of(edited(bill("7"), SECOND, ("CL1*3*1*01~\n", ""), ("NM1*72*1*CANARY*PAUL****XX*1245319599~\n", "")))
    held = own(check(claim, BOOK, received=RECEIVED))
    assert {code for code, _ in held} == {"UBF001", "UBF011", "UBF012", "UBF017"}
    bare = {**to_builtins(claim), "source_format": None, "attending_provider": None}
    report = check(read_claim(bare), BOOK, received=RECEIVED)
    assert own(report) == []
    said = " ".join(gap.sentence for gap in report.gaps if gap.kind == "field_not_read")
    assert all(code in said for code in ("UBF001 to", "UBF011 to", "UBF017 to"))


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the public samples are not beside the project")
def test_the_public_samples_have_what_their_writers_left_out_and_nothing_else() -> None:
    """The examples of the guide, moved to 2026, come from before a point of origin was asked of outpatients."""
    allowed = {("UBF003", "block"), ("UBF007", "warn")}
    count = 0
    for path in sorted((SAMPLES / "x12").rglob("*837[iI]*")):
        raw = path.read_bytes()
        for year in (b"1996", b"2005", b"2025"):
            raw = re.sub(rb"(DTP\*(?:434|472)\*R?D8\*)" + year, rb"\g<1>2026", raw)
            raw = re.sub(rb"(DTP\*434\*RD8\*[0-9]{8}-)" + year, rb"\g<1>2026", raw)
        target = SAMPLES / path.name
        for item in read_documents(str(target), BytesIO(raw)):
            if isinstance(item, Document):
                count += 1
                assert set(own(check(item.claim, BOOK, received=date(2026, 12, 31)))) <= allowed, (
                    path.name,
                    item.number,
                )
    assert count >= 2
