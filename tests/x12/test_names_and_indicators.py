"""Names, addresses, indicators and dates of an 837: what is read, what the form rules find, and what they leave alone.

The inputs are written for these tests; where a public report is named, its kind of fault was planted, and none of its
text is here.
"""

from __future__ import annotations

import io
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from rules.claim import Claim, read_claim
from rules.engine.check import check
from rules.report import Report
from tests.book import BOOK
from worker.intake.document import Document
from worker.intake.documents import read_documents

SHARED = Path(__file__).parents[2].parent / "shared"
CASES, SAMPLES = SHARED / "cases", SHARED / "samples" / "x12"
OURS = (
    "ADR",
    "CLM012",
    "CLM014",
    "CLM015",
    "CLM016",
    "CLM017",
    "CLM018",
    "CLM019",
    "CLM02",
    "CLM03",
    "IDN002",
    "DRG003",
)
RECEIVED = date(2026, 10, 20)

HEAD = """ISA*00*          *00*          *ZZ*SENDER         *ZZ*RECEIVER       *261020*0915*^*00501*000000001*0*T*:
GS*HC*S*R*20261020*0915*1*X*005010X222A1
ST*837*0001*005010X222A1
BHT*0019*00*B1*20261020*0915*CH
NM1*41*2*SENDER*****46*S1
PER*IC*DESK*TE*5125550100
NM1*40*2*RECEIVER*****46*R1
HL*1**20*1
PRV*BI*PXC*208VP0000X
NM1*85*2*HILL PAIN CLINIC*****XX*1245319599
N3*1 HILL RD
N4*AUSTIN*TX*787010001
REF*EI*741234567
HL*2*1*22*0
SBR*P*18*******CI
NM1*IL*1*DOVE*ANNA****MI*W123456789
N3*2 OAK ST
N4*AUSTIN*TX*78701
DMG*D8*19600302*F
NM1*PR*2*AETNA*****PI*60054
CLM*PCN-1*450***11:B:1*Y*A*Y*Y
HI*ABK:M5431
NM1*82*1*REED*PAUL****XX*1234567893
PRV*PE*PXC*208VP0000X
LX*1
SV1*HC:64445:RT*450*UN*1***1
DTP*472*D8*20261001
REF*6R*L1
"""
INSURED = HEAD[HEAD.index("SBR*P") : HEAD.index("NM1*PR")]


def claims_in(*changes: tuple[str, str], head: str = HEAD) -> list[Claim]:
    """The claims of the file with each first text replaced by the second."""
    text = head
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    segments = text.strip().splitlines()
    raw = [*segments, f"SE*{len(segments) - 1}*0001", "GE*1*1", "IEA*1*000000001"]
    found = list(read_documents("f.837", io.BytesIO("~\n".join([*raw, ""]).encode()), limit=2**20))
    assert all(isinstance(one, Document) for one in found), found
    return [one.claim for one in found if isinstance(one, Document)]


def judged(*changes: tuple[str, str]) -> Report:
    (claim,) = claims_in(*changes)
    return check(claim, BOOK, received=RECEIVED)


def ours(report: Report) -> dict[str, str]:
    """The findings of these rules, by code: how severe."""
    return {one.code: one.severity for one in report.every if one.code.startswith(OURS) and one.outcome == "fail"}


def beside(anchor: str, more: str) -> tuple[str, str]:
    """Segments more, before one that is there."""
    return anchor, f"{more}\n{anchor}"


CORRECT: dict[str, tuple[tuple[str, str], ...]] = {
    "the claim as it is": (),
    "a car accident with date and state": (("*Y*A*Y*Y\n", "*Y*A*Y*Y**AA:::TX\nDTP*439*D8*20260915\n"),),
    "a car accident in Mexico": (("*Y*A*Y*Y\n", "*Y*A*Y*Y**AA::::MX\nDTP*439*D8*20260915\n"),),
    "two causes, on the day of the service": (("*Y*A*Y*Y\n", "*Y*A*Y*Y**OA:AA::TX\nDTP*439*D8*20261001\n"),),
    "a patient abroad": (("N4*AUSTIN*TX*78701\n", "N4*BERLIN***DE\n"),),
    "a patient in Canada": (("N4*AUSTIN*TX*78701\n", "N4*OTTAWA*ON*K1A0B6*CA\n"),),
    "a soldier's address": (("N4*AUSTIN*TX*78701\n", "N4*APO*AE*09012\n"),),
    "a patient in Puerto Rico": (("N4*AUSTIN*TX*78701\n", "N4*PONCE*PR*00730\n"),),
    "a dependent": (
        ("HL*2*1*22*0\nSBR*P*18*", "HL*2*1*22*1\nSBR*P**"),
        ("NM1*PR*2*AETNA*****PI*60054\n", "NM1*PR*2*AETNA*****PI*60054\nHL*3*2*23*0\nPAT*19\nNM1*QC*1*DOVE*KIM\nN3*2 OAK ST\n"
         "N4*AUSTIN*TX*78701\nDMG*D8*20100302*M\n"),
    ),
    "a solo practice": (
        ("NM1*85*2*HILL PAIN CLINIC*****XX*1245319599", "NM1*85*1*REED*PAUL****XX*1234567893"),
        ("NM1*82*1*REED*PAUL****XX*1234567893\nPRV*PE*PXC*208VP0000X\n", ""),
    ),
    "an incorporated solo practice with an NPI of its own": (("HILL PAIN CLINIC", "PAUL REED MD PC"),),
    "a person who is paid under a social security number": (
        ("NM1*85*2*HILL PAIN CLINIC*****", "NM1*85*1*REED*PAUL****"), ("REF*EI*741234567", "REF*SY*123456780"),
    ),
    "paid at a box": (beside("HL*2*1*22*0", "NM1*87*2\nN3*PO BOX 12\nN4*AUSTIN*TX*787010012"),),
    "a rural route": (("N3*1 HILL RD", "N3*RR 2 BOX 15"),),
    "a hospital of its own": (
        ("11:B:1", "22:B:1"),
        beside("LX*1", "NM1*77*2*RIVER HOSPITAL*****XX*1003000126\nN3*9 RIVER ST\nN4*AUSTIN*TX*787029998"),
    ),
    "a referral": (beside("NM1*82", "REF*9F*R77\nNM1*DN*1*KAY*LEO****XX*1003000126"),),
    "a line with another referring provider": (
        beside("NM1*82", "NM1*DN*1*KAY*LEO****XX*1003000126"), ("REF*6R*L1\n", "REF*6R*L1\nNM1*DN*1*FOX*EVE****XX*1457384521\n"),
    ),
    "somebody else supervises": (beside("LX*1", "NM1*DQ*1*KAY*LEO****XX*1003000126"),),
    "an inpatient with the day of admission": (("11:B:1*Y*A*Y*Y\n", "21:B:1*Y*A*Y*Y\nDTP*435*D8*20260930\n"),),
    "an onset": (beside("HI*ABK", "DTP*431*D8*20260901"),),
    "a copayment": (beside("HI*ABK", "AMT*F5*25"),),
    "a note of 80 characters": (beside("HI*ABK", "NTE*ADD*" + "X" * 80),),
    "an unlisted drug with a description": (
        ("*450***11", "*460***11"), ("REF*6R*L1\n", "REF*6R*L1\nLX*2\nSV1*HC:J3490:::::DRUG X 2 ML*10*UN*1***1\nDTP*472*D8*20261001\n"),
    ),
    "an external cause after the injury": (("HI*ABK:M5431", "HI*ABK:S7401XA*ABF:W010XXA"),),
    "a replacement": (("11:B:1*Y*A*Y*Y\n", "11:B:7*Y*A*Y*Y\nREF*F8*ICN1\n"),),
}  # fmt: skip


@pytest.mark.parametrize("name", CORRECT)
def test_a_correct_claim_has_no_finding_of_these_rules(name: str) -> None:
    assert ours(judged(*CORRECT[name])) == {}


REPORTED: dict[str, tuple[tuple[tuple[str, str], ...], dict[str, str]]] = {
    # openemr/openemr issue 2929: the service facility is written where it is the billing provider
    "the facility is who bills": (
        (beside("LX*1", "NM1*77*2*HILL PAIN CLINIC*****XX*1245319599\nN3*1 HILL RD\nN4*AUSTIN*TX*787010001"),),
        {"ADR018": "warn"},
    ),
    # openemr/openemr issue 6488: the ZIP code of the service facility is left out where it has not nine digits
    "the facility has no ZIP code": (
        (beside("LX*1", "NM1*77*2*RIVER*****XX*1003000126\nN3*9 RIVER ST\nN4*AUSTIN*TX"),), {"ADR003": "warn"},
    ),
    # ppazos/amplify-prototype issue 45: what a program had no value for is written as a word
    "words of a program for an address": (
        (("N4*AUSTIN*TX*787010001", "N4*undefined*undefined*NaN"),), {"ADR006": "warn", "ADR007": "warn"},
    ),
    # openemr/openemr pull request 1994: claims fail for demographics without street, city, state or ZIP code
    "the patient has no address": ((("N3*2 OAK ST\nN4*AUSTIN*TX*78701\n", ""),), {"ADR001": "warn"}),
    "the patient has no street": ((("N3*2 OAK ST\n", ""),), {"ADR001": "warn"}),
    # masslight/ottehr issue 9708: a date wants a cause and a cause a date; a car accident wants its state
    "a cause without a date": ((("*Y*A*Y*Y\n", "*Y*A*Y*Y**OA\n"),), {"CLM015": "warn"}),
    "a date without a cause": ((beside("HI*ABK", "DTP*439*D8*20260915"),), {"CLM018": "warn"}),
    "a car accident without state": (
        (("*Y*A*Y*Y\n", "*Y*A*Y*Y**AA\nDTP*439*D8*20260915\n"),), {"CLM016": "warn"},
    ),
    # masslight/ottehr issue 6292: accident and onset have a date each, and either may be mistyped
    "an accident after the service": (
        (("*Y*A*Y*Y\n", "*Y*A*Y*Y**OA\nDTP*439*D8*20261101\n"),), {"CLM017": "block"},
    ),
    "an onset after the service": ((beside("HI*ABK", "DTP*431*D8*20261101"),), {"CLM019": "warn"}),
    # masslight/ottehr issue 8509: a tax id with its dash
    "a tax id with a dash": ((("REF*EI*741234567", "REF*EI*74-1234567"),), {"ADR012": "warn"}),
    # medplum/medplum pull request 9820: the tax id was looked for at the payer, so most often there is none
    "no tax id": ((("REF*EI*741234567\n", ""),), {"ADR011": "warn"}),
    # openemr/openemr issue 445: Medicare refuses a referring provider without a sound NPI
    "who refers has no NPI": ((beside("NM1*82", "NM1*DN*1*KAY*LEO"),), {"ADR016": "warn"}),
    "who refers has a mistyped NPI": ((beside("NM1*82", "NM1*DN*1*KAY*LEO****XX*1003000127"),), {"IDN002": "block"}),
    # openemr/openemr pull request 4300: claims with a code for what has no code of its own are rejected
    "an unlisted drug without a description": (
        (("*450***11", "*460***11"), ("REF*6R*L1\n", "REF*6R*L1\nLX*2\nSV1*HC:J3490*10*UN*1***1\nDTP*472*D8*20261001\n")),
        {"CLM025": "warn"},
    ),
    # openemr/openemr issue 5699: assignment is written as a fixed letter; here one of another list
    "an assignment that is none": ((("*Y*A*Y*Y\n", "*Y*P*Y*Y\n"),), {"CLM012": "warn"}),
    # stedi.com changelog: billing provider address, missing country code, ZIP code abroad
    "a box": ((("N3*1 HILL RD", "N3*P.O. Box 12"),), {"ADR004": "block"}),
    "Ontario without its country": ((("N4*AUSTIN*TX*78701\n", "N4*OTTAWA*ON*K1A0B6\n"),), {"ADR008": "block"}),
    "a ZIP code in France": ((("N4*AUSTIN*TX*78701\n", "N4*PARIS**75001*FR\n"),), {"ADR009": "warn"}),
    # docutracinc.com, rejections of the billing NPI: one repeated in the rendering loop is refused
    "a clinic's NPI as that of who renders": ((("*1245319599", "*1234567893"),), {"ADR022": "warn"}),
    # stedi.com changelog: missing first name, missing last name, referring and supervising provider
    "the subscriber has no first name": ((("NM1*IL*1*DOVE*ANNA", "NM1*IL*1*DOVE*"),), {"ADR010": "block"}),
    "the billing person has no first name": (
        (("NM1*85*2*HILL PAIN CLINIC*****", "NM1*85*1*REED*****"),), {"ADR010": "block"},
    ),
    "a referring provider on the line alone": (
        (("REF*6R*L1\n", "REF*6R*L1\nNM1*DN*1*FOX*EVE****XX*1457384521\n"),), {"ADR015": "block"},
    ),
    "who renders supervises": ((beside("LX*1", "NM1*DQ*1*REED*PAUL****XX*1234567893"),), {"ADR014": "block"}),
    # helpme.tebra.com, claim rejections: states and ZIP codes
    "a state that is none": ((("N4*AUSTIN*TX*78701\n", "N4*AUSTIN*XX*78701\n"),), {"ADR007": "warn"}),
    "a ZIP code of four digits": ((("N4*AUSTIN*TX*78701\n", "N4*BOSTON*MA*2115\n"),), {"ADR006": "warn"}),
}  # fmt: skip


def held_by_syntax(report: Report) -> bool:
    """A rule of the meaning may only warn where a 999 rejects the file: then SYN holds it, with the same cause."""
    return any(one.code.startswith("SYN") and one.severity == "block" for one in report.findings)


@pytest.mark.parametrize("name", REPORTED)
def test_what_public_reports_tell_of_is_found(name: str) -> None:
    changes, expected = REPORTED[name]
    report = judged(*changes)
    assert ours(report) == expected
    held = "block" in expected.values() or held_by_syntax(report)
    assert report.disposition == ("rework" if held else "billing")


DEPENDENT = (
    ("HL*2*1*22*0\nSBR*P*18*", "HL*2*1*22*1\nSBR*P**"),
    ("NM1*PR*2*AETNA*****PI*60054\n", "NM1*PR*2*AETNA*****PI*60054\nHL*3*2*23*0\nPAT*19\nNM1*QC*1*DOVE*\nDMG*D8*20100302*M\n"),
)  # fmt: skip


def test_of_a_dependent_the_own_name_and_address_count() -> None:
    found = judged(*DEPENDENT)
    assert ours(found) == {"ADR010": "block", "ADR001": "warn"}
    assert "patient" in next(one.message for one in found.every if one.code == "ADR010")


def test_of_a_segment_that_stands_twice_the_first_counts_and_the_claim_is_read() -> None:
    (claim,) = claims_in(
        beside("HI*ABK", "NTE*ADD*ONE\nNTE*ADD*TWO"), ("REF*EI*741234567", "REF*EI*741234567\nREF*EI*999")
    )
    assert claim.billing_provider is not None
    assert claim.billing_provider.tax_id == "741234567"
    assert claim.has_remark


def test_claims_below_one_provider_share_no_part_that_could_change() -> None:
    second = HEAD[HEAD.index("HL*2") :].replace("HL*2*1", "HL*3*1").replace("PCN-1", "PCN-2")
    first, other = claims_in(head=HEAD + second)
    assert first.billing_provider == other.billing_provider
    assert first.billing_provider is not None
    assert first.billing_provider.address is not None


@pytest.mark.parametrize(
    "canary",
    ["HILL RD", "OAK ST", "DOVE", "ANNA", "741234567", "CANARY9F", "CANARY6R", "CANARYNOTE", "123456789", "REED"],
)
def test_no_name_street_or_number_is_in_a_report(canary: str) -> None:
    """The claim is faulty in as many ways as there are, so that as much is said of it as can be."""
    changes = (
        ("N3*1 HILL RD", "N3*PO BOX 1*1 HILL RD"), ("N4*AUSTIN*TX*787010001", "N4*AUSTIN*ZZ*7870"),
        ("NM1*82*1*REED*PAUL", "NM1*82*1*REED*"), ("REF*EI*741234567", "REF*EI*741234567-"),
        ("*Y*A*Y*Y\n", "*Y*Q**X**AA\nDTP*439*D8*20261101\nDTP*431*D8*20261101\nREF*9F*CANARY9F\nNTE*ADD*CANARYNOTE" + "X" * 80 + "\n"),
        ("REF*6R*L1\n", "REF*6R*CANARY6R\nLX*2\nSV1*HC:J3490*10*UN*1***1\nDTP*472*D8*20261001\nREF*6R*CANARY6R\n"),
    )  # fmt: skip
    report = judged(*changes)
    assert len(ours(report)) > 10
    assert canary not in repr(report).upper()


def test_an_encounter_that_is_only_reported_may_charge_nothing() -> None:
    nothing = (("*450***11", "*0***11"), ("RT*450*", "RT*0*"))
    assert "CLM002" in {one.code for one in judged(*nothing).every}
    reported = judged(("0915*CH", "0915*RP"), *nothing)
    assert "CLM002" not in {one.code for one in reported.every}
    assert reported.disposition == "billing"


def test_medicare_asks_for_the_facility_and_for_workers_compensation() -> None:
    medicare = (("*******CI", "*******MB"), ("W123456789", "1EG4TE5MK73"), ("*60054", "*04412"))
    assert ours(judged(*medicare)) == {}
    assert ours(judged(*medicare, ("11:B:1", "22:B:1"))) == {"ADR019": "warn"}
    assert ours(judged(*medicare, ("*Y*A*Y*Y\n", "*Y*A*Y*Y**EM\n"))) == {"CLM021": "warn"}
    assert ours(judged(("*Y*A*Y*Y\n", "*Y*A*Y*Y**EM\n"))) == {"CLM021": "note"}
    assert ours(judged(("*******CI", "*******WC"), ("*Y*A*Y*Y\n", "*Y*A*Y*Y**EM\n"))) == {}


def test_a_claim_in_json_that_leaves_these_fields_out_is_not_held_for_them() -> None:
    (claim,) = claims_in()
    bare: dict[str, Any] = {
        "claim_id": "A", "form": "professional", "payer": {"id": "60054"}, "diagnoses": ["M54.31"], "place_of_service": "22",
        "billing_provider": {"npi": "1245319599", "entity": "organization", "state": "TX"}, "total_charge": "450.00",
        "rendering_provider": {"npi": "1234567893"}, "patient": {"birth_date": "1960-03-02", "first_name": "A"},
        "subscriber": {"member_id": "W123456789"},
        "lines": [{"number": 1, "procedure": "64445", "charge": "450.00", "units": "1", "service_date": "2026-10-01"}],
    }  # fmt: skip
    assert ours(check(read_claim(bare), BOOK, received=RECEIVED)) == {}
    assert claim.source_format == "x12"


@pytest.mark.skipif(not CASES.exists(), reason="the cases are beside the project, and not here")
@pytest.mark.parametrize(
    ("name", "code", "severity"),
    [
        ("reading/e01_3_freqP", "CLM014", "block"), ("reading/e01_9_freqP", "CLM014", "block"),
        ("reading/e02_dup6R", "CLM022", "block"), ("reading/e04_no_N4", "ADR002", "warn"),
        ("reading/k02_wc", "CLM021", "warn"), ("reading/m01_HI_ABK_twice", "CLM031", "warn"),
        ("form/I_66_attending_no_firstname", "ADR010", "block"),
        ("form/P_02_zip5", "ADR005", "warn"),
        ("form/P_04_pobox", "ADR004", "block"), ("form/P_06_ein8", "ADR012", "warn"),
        ("form/P_08_sub_no_lastname", "ADR010", "block"), ("form/P_12_acc_no_date", "CLM015", "warn"),
        ("form/P_14_acc_after_dos", "CLM017", "block"), ("form/P_17_freq3", "CLM014", "block"),
        ("form/P_21_rend_no_firstname", "ADR010", "block"), ("form/P_25_dx_ext_cause", "CLM029", "block"),
        ("form/P_27_taxonomy_unknown", "ADR020", "warn"), ("form/P_45_dup_6R", "CLM022", "block"),
        ("form/P_51_ref_same_npi_billing", "ADR016", "warn"), ("form/P_53_pos22_no_facility", "ADR019", "warn"),
        ("form/P_58_paid_by_patient_over", "CLM027", "warn"), ("form/P_63_no_n3", "ADR002", "warn"),
        ("form/P_65_clm09_X", "CLM012", "warn"), ("form/P_74_9F_no_referring", "ADR017", "warn"),
        ("form/P_81_adm_after_dos", "CLM028", "warn"), ("form/P_93_sequela_first", "CLM030", "block"),
        ("form/P_96_onset_only_date", "CLM018", "warn"),
    ],
)  # fmt: skip
def test_each_planted_fault_is_found_by_its_rule(name: str, code: str, severity: str) -> None:
    with (CASES / f"{name}.837").open("rb") as stream:
        (found,) = read_documents("f.837", stream)
    assert isinstance(found, Document)
    report = check(found.claim, BOOK, received=RECEIVED)
    assert ours(report)[code] == severity
    assert (report.disposition == "rework") == (severity == "block" or held_by_syntax(report))


@pytest.mark.skipif(not CASES.exists(), reason="the cases are beside the project, and not here")
@pytest.mark.parametrize("name", ["base_p", "base_i"])
def test_the_two_base_claims_have_no_finding_but_the_clinics_npi_as_that_of_who_renders(name: str) -> None:
    with (CASES / "reading" / f"{name}.837").open("rb") as stream:
        (found,) = read_documents("f.837", stream)
    assert isinstance(found, Document)
    assert ours(check(found.claim, BOOK, received=RECEIVED)) == ({"ADR022": "warn"} if name == "base_p" else {})


@pytest.mark.skipif(not SAMPLES.exists(), reason="the public samples are beside the project, and not here")
def test_of_the_public_samples_only_short_zip_codes_are_named() -> None:
    """The generator of the thousand writes ZIP codes of five digits for who bills, where the guide wants nine."""
    found: Counter[str] = Counter()
    count = 0
    for file in sorted(path for path in SAMPLES.rglob("*") if path.is_file()):
        with file.open("rb") as stream:
            for one in read_documents(file.name, stream):
                if isinstance(one, Document):
                    count += 1
                    found.update(ours(check(one.claim, BOOK, received=RECEIVED)))
    assert count > 1_000
    assert set(found) <= {"ADR005", "IDN002"}
