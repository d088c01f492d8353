"""What the rules of other payers say of real 837s: of each planted fault its own, of correct claims nothing."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from datetime import date

import pytest

from rules.carried import CARRIED
from rules.claim import read_claim
from rules.engine.check import check
from tests.book import BOOK
from tests.x12.cob import (
    INSURED,
    OI,
    PRIMARY_MEDICARE,
    RECEIVED,
    SECONDARY_MEDICARE,
    institutional,
    other,
    professional,
    said,
    svd,
)
from tests.x12.samples import SAMPLES
from worker.intake.document import Document
from worker.intake.documents import read_documents

COMMERCIAL = "SBR*S*18*GRP1******CI"
ADJUSTED = "CAS*CO*45*350"
BALANCED = other("SBR*P*18*GRP9******CI", ADJUSTED, "AMT*D*100", day="20261010")
"""A primary payer that paid 100 of 450 and adjusted the rest."""
BY_LINE = other("SBR*P*18*GRP9******CI", "AMT*D*100")
DECIDED = (("450", svd("100", ADJUSTED)),)
PATIENT = ("HL*3*2*23*0", "PAT*19", "NM1*QC*1*DOVE*LEE", "N3*2 OAK ST", "N4*AUSTIN*TX*78701", "DMG*D8*20100302*M")


def three(sbr: str) -> list[list[str]]:
    """Two payers before the one of `sbr`, each with its decision."""
    second = other("SBR*S*18*GRP7******CI", "CAS*OA*23*400", "AMT*D*50", id="62308", day="20261015")
    return [BALANCED, second]


CORRECT: dict[str, Callable[[], str]] = {
    "a primary claim": lambda: professional(PRIMARY_MEDICARE),
    "Medicare after another payer, decided as a whole": lambda: professional(SECONDARY_MEDICARE, BALANCED),
    "Medicare after another payer, decided by line": lambda: professional(SECONDARY_MEDICARE, BY_LINE, lines=DECIDED),
    "a commercial secondary payer": lambda: professional(COMMERCIAL, BALANCED, payer="87726", member="912345678"),
    "a tertiary claim": lambda: professional(
        "SBR*T*18*GRP1******CI", *three("T"), payer="87726", member="912345678"
    ),
    "both levels, with adjustments of their own": lambda: professional(
        COMMERCIAL, other("SBR*P*18*GRP9******CI", "CAS*PR*1*20", "AMT*D*80"), lines=DECIDED, payer="87726",
        member="912345678",
    ),
    "denied by the primary payer": lambda: professional(
        COMMERCIAL, other("SBR*P*18*GRP9******CI", "CAS*PR*27*450", "AMT*D*0", day="20261010"), payer="87726",
    ),
    "an adjustment of nothing and one taken back": lambda: professional(
        SECONDARY_MEDICARE, BY_LINE, lines=(("450", svd("100", "CAS*CO*45*360*1*253*0", "CAS*OA*94*-10")),),
    ),
    "a line that the payer split": lambda: professional(
        SECONDARY_MEDICARE, BY_LINE, lines=(("450", [*svd("60"), *svd("40", ADJUSTED)]),),
    ),
    "a line that the payer bundled into another": lambda: professional(
        SECONDARY_MEDICARE, other("SBR*P*18*GRP9******CI", "AMT*D*100"),
        lines=(("200", svd("100", "CAS*CO*45*350")), ("250", svd("0", bundled="1"))),
    ),
    "Medicare first, a supplement after it": lambda: professional(
        PRIMARY_MEDICARE, other("SBR*S*18*******CI", id="00435")
    ),
    "the primary payer first, the secondary named": lambda: professional(
        "SBR*P*18*GRP1******CI", other("SBR*S*18*GRP9******CI"), payer="87726", member="912345678"
    ),
    "a dependent": lambda: professional(
        "SBR*P**GRP1******CI", patient=PATIENT, payer="87726", member="912345678"
    ),
    "a hospital, Medicare after another payer": lambda: institutional(
        "SBR*S*18*******MA", other("SBR*P*18*GRP9******CI", "CAS*CO*45*800", "AMT*D*100", day="20261010"),
        values="HI*BE:12:::100",
    ),
    "a hospital's outpatient laboratory work billed as Part B": lambda: institutional("SBR*P*18*******MB", bill="14"),
    "payers whose place is unknown": lambda: professional(
        "SBR*U*18*******CI", other("SBR*U*18*******CI"), other("SBR*U*18*******CI", id="1"), payer="87726"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CORRECT)
def test_a_correct_claim_with_several_payers_has_no_finding_of_them(name: str) -> None:
    assert said(CORRECT[name]()) == [{}]


FAULTS: dict[str, tuple[Callable[[], str], dict[str, str]]] = {
    "Medicare is tertiary": (
        lambda: professional("SBR*T*18***12****MB", *three("T")), {"COB018": "block"},
    ),
    "nobody is primary": (
        lambda: professional("SBR*T*18*******CI", other("SBR*S*18*******CI", ADJUSTED, "AMT*D*100", day="20261010"),
                             payer="87726"), {"COB001": "block"},
    ),
    "two in the fourth place": (
        lambda: professional("SBR*P*18*******CI", other("SBR*A*18*******CI"), other("SBR*A*18*******CI", id="1"),
                             payer="87726"), {"COB002": "block"},
    ),
    "another payer is Medicare, secondary, and no code says why": (
        lambda: professional("SBR*T*18*******CI", BALANCED,
                             other("SBR*S*18*******MB", "CAS*OA*23*450", "AMT*D*0", id="04412", day="20261015"),
                             payer="87726"), {"COB003": "block"},
    ),
    "an insurance type code beside the other, primary payer": (
        lambda: professional(SECONDARY_MEDICARE,
                             other("SBR*P*18*GRP9**12****CI", ADJUSTED, "AMT*D*100", day="20261010")),
        {"COB004": "block"},
    ),
    "an insurance type code of version 4010": (
        lambda: professional("SBR*S*18***MP****MB", BALANCED), {"COB005": "warn"},
    ),
    "an amount paid, and no adjustment": (
        lambda: professional(SECONDARY_MEDICARE, other("SBR*P*18*GRP9******CI", "AMT*D*100", day="20261010")),
        {"COB006": "block", "COB008": "warn"},
    ),
    "the same to a payer that is not Medicare": (
        lambda: professional(COMMERCIAL, other("SBR*P*18*GRP9******CI", "AMT*D*100", day="20261010"), payer="87726"),
        {"COB008": "warn"},
    ),
    "a line that does not add up": (
        lambda: professional(COMMERCIAL, other("SBR*P*18*GRP9******CI", "AMT*D*100"),
                             lines=(("450", svd("100", "CAS*CO*45*349.99")),), payer="87726"),
        {"COB007": "block", "COB008": "warn"},
    ),
    "lines that add up to another sum than the claim": (
        lambda: professional(COMMERCIAL, other("SBR*P*18*GRP9******CI", "AMT*D*90"), lines=DECIDED, payer="87726"),
        {"COB008": "warn"},
    ),
    "the second of two lines": (
        lambda: professional(COMMERCIAL, other("SBR*P*18*GRP9******CI", "AMT*D*200"),
                             lines=(("450", svd("100", ADJUSTED)), ("450", svd("100", "CAS*CO*45*300"))),
                             payer="87726"),
        {"COB007": "block", "COB008": "warn"},
    ),
    "the date at both levels": (
        lambda: professional(COMMERCIAL, other("SBR*P*18*GRP9******CI", "AMT*D*100", day="20261010"), lines=DECIDED,
                             payer="87726"), {"COB009": "block"},
    ),
    "the date at both levels, and not the same": (
        lambda: professional(COMMERCIAL, other("SBR*P*18*GRP9******CI", "AMT*D*100", day="20261008"), lines=DECIDED,
                             payer="87726"), {"COB009": "block"},
    ),
    "no amount paid for the claim": (
        lambda: professional(COMMERCIAL, other("SBR*P*18*GRP9******CI"), lines=DECIDED, payer="87726"),
        {"COB010": "block"},
    ),
    "no date at all": (
        lambda: professional(COMMERCIAL, other("SBR*P*18*GRP9******CI", ADJUSTED, "AMT*D*100"), payer="87726"),
        {"COB011": "block"},
    ),
    "a date at the claim, and lines without": (
        lambda: professional(COMMERCIAL, other("SBR*P*18*GRP9******CI", "AMT*D*100", day="20261010"),
                             lines=(("450", svd("100", ADJUSTED, day="")),), payer="87726"), {"COB012": "warn"},
    ),
    "the same to Medicare": (
        lambda: professional(SECONDARY_MEDICARE, other("SBR*P*18*GRP9******CI", "AMT*D*100", day="20261010"),
                             lines=(("450", svd("100", ADJUSTED, day="")),)), {"COB012": "block"},
    ),
    "no assignment and release": (
        lambda: professional("SBR*P*18*******CI", other("SBR*S*18*******CI", after=(INSURED,)), payer="87726"),
        {"COB013": "warn"},
    ),
    "nobody is insured with the other payer": (
        lambda: professional("SBR*P*18*******CI", other("SBR*S*18*******CI", after=(OI,)), payer="87726"),
        {"COB013": "warn"},
    ),
    "the other payer's subscriber has no member id": (
        lambda: professional("SBR*P*18*******CI", other("SBR*S*18*******CI", after=(OI, "NM1*IL*1*DOVE*ANNA")),
                             payer="87726"), {"COB013": "warn"},
    ),
    "self, and a patient apart": (
        lambda: professional("SBR*P*18*******CI", patient=PATIENT, payer="87726"), {"COB014": "block"},
    ),
    "a spouse, and nobody apart": (
        lambda: professional("SBR*P*01*******CI", payer="87726"), {"COB014": "block"},
    ),
    "Medicare, and a patient apart": (
        lambda: professional("SBR*P********MB", patient=PATIENT), {"COB015": "block"},
    ),
    "both slips about the patient with Medicare": (
        lambda: professional("SBR*P*18*******MB", patient=PATIENT), {"COB014": "block", "COB015": "block"},
    ),
    "Part A on a professional claim": (
        lambda: professional("SBR*P*18*******MA"), {"COB016": "warn"},
    ),
    "Part B on a hospital's claim": (
        lambda: institutional("SBR*P*18*******MB"), {"COB016": "warn"},
    ),
    "a filing indicator of version 4010": (
        lambda: professional("SBR*P*18*******09", payer="87726"), {"COB017": "warn"},
    ),
    "the other payer's filing indicator is none": (
        lambda: professional("SBR*P*18*******CI", other("SBR*S*18*******LI"), payer="87726"), {"COB017": "warn"},
    ),
    "an adjustment at both levels": (
        lambda: professional(COMMERCIAL, other("SBR*P*18*GRP9******CI", ADJUSTED, "AMT*D*100"), lines=DECIDED,
                             payer="87726"), {"COB020": "block", "COB008": "warn"},
    ),
    "an amount without a reason, at the claim": (
        lambda: professional(COMMERCIAL, other("SBR*P*18*GRP9******CI", "CAS*CO**350", "AMT*D*100", day="20261010"),
                             payer="87726"), {"COB021": "block"},
    ),
    "a second amount without a reason, at a line": (
        lambda: professional(COMMERCIAL, BY_LINE, lines=(("450", svd("100", "CAS*CO*45*300***50")),), payer="87726"),
        {"COB021": "block"},
    ),
    "a reason that cannot be one": (
        lambda: professional(COMMERCIAL, BY_LINE, lines=(("450", svd("100", "CAS*CO*CO45*350")),), payer="87726"),
        {"COB022": "note"},
    ),
    "decided before the service": (
        lambda: professional(COMMERCIAL, other("SBR*P*18*GRP9******CI", ADJUSTED, "AMT*D*100", day="20260910"),
                             payer="87726"), {"COB023": "note"},
    ),
    "a payment that was taken back": (
        lambda: professional(COMMERCIAL, other("SBR*P*18*GRP9******CI", "AMT*D*-100"),
                             lines=(("450", svd("-100", "CAS*CO*45*550")),), payer="87726"), {"COB024": "block"},
    ),
    "the patient's share at both levels": (
        lambda: professional(COMMERCIAL, other("SBR*P*18*GRP9******CI", "AMT*D*100", "AMT*EAF*20"),
                             lines=(("450", svd("100", "CAS*CO*45*330", "CAS*PR*2*20", "AMT*EAF*20")),),
                             payer="87726"), {"COB025": "block"},
    ),
    "a line decided by nobody on the claim": (
        lambda: professional(COMMERCIAL, BALANCED, lines=(("450", svd("100", ADJUSTED, id="60055")),),
                             payer="87726"), {"COB026": "note"},
    ),
    "a remark code that cannot be one": (
        lambda: professional(COMMERCIAL,
                             other("SBR*P*18*GRP9******CI", ADJUSTED, "AMT*D*100", day="20261010",
                                   after=(OI, "MOA***MA18*REMARK", INSURED)), payer="87726"), {"COB027": "block"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_other_payers_is_found_by_its_own_rule_alone(name: str) -> None:
    written, expected = FAULTS[name]
    assert said(written()) == [expected]


def test_one_slip_is_one_finding() -> None:
    """A claim without adjustments is told to Medicare's biller once, though two rules see it."""
    raw = FAULTS["an amount paid, and no adjustment"][0]()
    (found,) = [one for one in read_documents("f", io.BytesIO(raw.encode()), limit=2**20) if isinstance(one, Document)]
    own = [one for one in check(found.claim, BOOK, received=RECEIVED).findings if one.code.startswith("COB")]
    assert [one.code for one in own] == ["COB006"]


# after public reports


def test_line_payments_in_full_with_adjustments_of_the_claim_balance() -> None:
    """X12's RFI 2168 (https://x12.org/resources/requests-for-interpretation/rfi-2168-837-claim-balancing): a payer
    refused this claim by a formula that is not the guide's. Its lines lack the dates that the guide wants beside them."""
    charges = ("43.3", "21.7", "100.8", "11.9")
    primary = other(
        "SBR*P*18*******CI",
        "CAS*CO*45*123.13",
        "CAS*OA*20*23.36",
        "CAS*PR*2*3",
        "AMT*D*28.21",
        day="20261010",
        id="12345",
    )
    lines = tuple((one, svd(one, "AMT*EAF*0", id="12345", day="")) for one in charges)
    assert said(professional(COMMERCIAL, primary, lines=lines, payer="87726")) == [{"COB012": "warn"}]


def test_one_deductible_at_the_claim_and_again_at_the_line_counts_twice() -> None:
    """X12's RFI 689 (rfi.x12.org): adjustments of their own may stand at both levels, the same one may not. So says
    https://aveaoffice.zendesk.com/hc/en-us/articles/16459282710171 of what clearinghouses refuse as out of balance."""
    lines = (("450", svd("350", "CAS*PR*1*100")),)
    primary = other("SBR*P*18*******CI", "CAS*PR*1*100", "AMT*D*350")
    assert said(professional(COMMERCIAL, primary, lines=lines, payer="87726")) == [
        {"COB020": "block", "COB008": "warn"}
    ]
    apart = other("SBR*P*18*******CI", "CAS*PR*3*30", "AMT*D*320")
    assert said(professional(COMMERCIAL, apart, lines=lines, payer="87726")) == [{}]


def test_several_reasons_of_one_group_are_all_counted() -> None:
    """https://github.com/openemr/openemr/issues/6268: of several reasons in a group some were not written."""
    whole = (("450", svd("100", "CAS*PR*1*21.89**2*15**3*13.11", "CAS*CO*45*300")),)
    assert said(professional(COMMERCIAL, BY_LINE, lines=whole, payer="87726")) == [{}]
    lost = (("450", svd("100", "CAS*PR*1*21.89", "CAS*CO*45*300")),)
    assert said(professional(COMMERCIAL, BY_LINE, lines=lost, payer="87726")) == [{"COB007": "block", "COB008": "warn"}]


def test_a_sequestration_that_was_not_posted_unbalances_the_line() -> None:
    """https://support.pmhelpcenter.com/portal/en/kb/articles/unbalanced-claims: 33.81 + 26.00 + .88 + .69 + 8.62."""
    primary = other("SBR*P*18*******MB", "AMT*D*33.81", id="04412")
    whole = (("70.00", svd("33.81", "CAS*CO*45*26**237*.88**253*.69", "CAS*PR*2*8.62", id="04412")),)
    assert said(professional(COMMERCIAL, primary, lines=whole, payer="87726")) == [{}]
    lost = (("70.00", svd("33.81", "CAS*CO*45*26**237*.88", "CAS*PR*2*8.62", id="04412")),)
    found = said(professional(COMMERCIAL, primary, lines=lost, payer="87726"))
    assert found == [{"COB007": "block", "COB008": "warn"}]


@pytest.mark.parametrize("adjusted", [(), ("CAS*CO*45*6",)], ids=["no adjustment", "one that is too small"])
def test_a_line_without_all_its_adjustments_does_not_leave_the_house(adjusted: tuple[str, ...]) -> None:
    """https://help.theranest.com/en/articles/3622921: "each line must balance" of a clearinghouse; the same at
    https://accupoint2.zendesk.com/hc/en-us/articles/360058348611."""
    primary = other("SBR*P*18*******CI", "AMT*D*60")
    found = said(professional(COMMERCIAL, primary, lines=(("150", svd("60", *adjusted)),), payer="87726"))
    assert found[0]["COB007"] == "block"


def test_a_charge_that_is_added_for_the_second_payer_alone_is_seen() -> None:
    """https://docs.nextgen.com (auto-balancing the CAS segment on secondary claims): an encounter rate is added to the
    claim for the second payer, and what the first one decided does not make up the new charge."""
    lines = (("450", svd("100", ADJUSTED)), ("25", []))
    assert said(professional(COMMERCIAL, BY_LINE, lines=lines, payer="87726")) == [{"COB008": "warn"}]


@pytest.mark.parametrize(
    ("written", "expected"),
    [("", {"COB003": "block"}), ("C1", {"COB005": "warn"}), ("MI", {"COB005": "warn"}), ("47", {})],
)
def test_medicare_as_second_payer_says_why(written: str, expected: dict[str, str]) -> None:
    """https://github.com/openemr/openemr/issues/5907: the policy type of Medicare as second payer was not written;
    https://github.com/openemr/openemr/issues/11869: one that is no insurance type of the guide."""
    assert said(professional(f"SBR*S*18***{written}****MB", BALANCED)) == [expected]


def test_a_patient_under_a_spouse_s_plan_is_named_apart_or_is_the_subscriber() -> None:
    """https://github.com/openemr/openemr/pull/2664: with a patient who is insured under a spouse the person insured was
    written wrong; https://github.com/kputnam/stupidedi/issues/144: claims hang on the patient's level."""
    assert said(professional("SBR*P**GRP1******CI", patient=PATIENT, payer="87726")) == [{}]
    assert said(professional("SBR*P*01*GRP1******CI", payer="87726")) == [{"COB014": "block"}]
    assert said(professional("SBR*P*18*GRP1******CI", patient=PATIENT, payer="87726")) == [{"COB014": "block"}]


def test_a_negative_payment_on_a_line_is_refused() -> None:
    """https://www.stedi.com/changelog/claim-edit-invalid-paid-amount: -150.00 on line 1."""
    lines = (("450", svd("-150.00", "CAS*CO*45*600.00")),)
    primary = other("SBR*P*18*******CI", "AMT*D*0", "CAS*CO*45*0")
    found = said(professional(COMMERCIAL, primary, lines=lines, payer="87726"))
    assert found[0]["COB024"] == "block"
    assert "COB007" not in found[0]


@pytest.mark.parametrize(
    ("claim_level", "line_level", "expected"),
    [("AMT*EAF*20", "AMT*EAF*20", {"COB025": "block"}), ("", "AMT*EAF*20", {}), ("AMT*EAF*20", "", {})],
)
def test_remaining_liability_stands_once(claim_level: str, line_level: str, expected: dict[str, str]) -> None:
    """https://www.palmettogba.com/palmetto/jjb.nsf/DID/7KNQGY2300: at the line, then not at the claim."""
    primary = other("SBR*P*18*******CI", *filter(None, ("AMT*D*100", claim_level)))
    lines = (("450", svd("100", "CAS*CO*45*330", "CAS*PR*2*20", *filter(None, (line_level,)))),)
    assert said(professional(SECONDARY_MEDICARE, primary, lines=lines)) == [expected]


def test_a_hospital_s_claim_to_medicare_after_another_payer_as_its_contractor_shows_it() -> None:
    """https://medicare.fcso.com/MSP/252440.asp: S in 2000B with 18 and MA, P in 2320, amounts and the date by line."""
    primary = other("SBR*P*18*GRP9******CI", "AMT*D*100")
    decided = svd("100", "CAS*CO*45*780", "CAS*PR*2*20")
    raw = institutional("SBR*S*18*******MA", primary, values="HI*BE:12:::100", decisions=decided)
    assert said(raw) == [{}]
    two = institutional("SBR*T*18*******MA", *three("T"), values="HI*BE:12:::100")
    assert said(two)[0]["COB018"] == "block"


# inputs that lie beside the project


HANDED = {
    "form/P_34_sec_no_2320.837": {"COB001": "block"},
    "form/P_36_prim_with_sbr05.837": {"COB004": "block"},
    "form/P_38_sec_claim_unbalanced.837": {"COB008": "warn"},
    "form/P_40_sec_no_paid.837": {"COB010": "block", "COB012": "block"},
    "form/P_43_two_primaries.837": {"COB002": "block"},
    "form/P_47_sbr02_blank_no_2000C.837": {"COB014": "block"},
    "form/P_55_MA_on_P.837": {"COB016": "warn"},
    "form/P_67_no_OI.837": {"COB006": "block", "COB008": "warn", "COB013": "warn"},
    "form/P_69_sbr09_blank.837": {"COB017": "warn"},
    "form/P_72_both_MB.837": {"COB006": "block", "COB008": "warn", "COB019": "warn"},
    "form/P_84_two_secondaries.837": {"COB002": "block", "COB006": "block", "COB008": "warn"},
    "form/P_86_eaf_both.837": {"COB025": "block"},
    "form/P_88_svd_no_date.837": {"COB011": "block", "COB012": "block"},
    "form/P_90_no_adj_date.837": {"COB006": "block", "COB008": "warn", "COB011": "block"},
    "form/I_26_msp_no_valuecode.837": {"COB006": "block", "COB008": "warn"},
    "form/I_34_MB_on_I.837": {"COB016": "warn"},
    "reading/k03_msp_no_sbr05.837": {"COB001": "block", "COB003": "block"},
    "reading/base_p.837": {},
    "reading/base_i.837": {},
}


@pytest.mark.parametrize("name", HANDED)
def test_handed_claims_are_held_or_warned_by_the_rule_of_their_fault(name: str) -> None:
    path = SAMPLES.parent / "cases" / name
    if not path.is_file():
        pytest.skip(f"no handed claims beside {SAMPLES}; SCRUB_SAMPLES names the folder")
    assert said(path.read_text("latin-1")) == [HANDED[name]]


SAMPLE_FILES = [
    "005010X222A2_demo.cob.example4.837", "005010X222A2_demo.cob.example3.A.837", "005010X222A2_demo.cob.example3.B.837",
    "005010X222A2_demo.cob.example3.C.837", "005010X222A2_demo.example12.837", "005010X223A3_institutional-claim.837i",
    "005010X223A3_ppo-repriced-claim.837i",
]  # fmt: skip


def sample(name: str) -> str:
    """One of the guides' own examples, with its years moved into the time of the rules, and one separator throughout."""
    path = SAMPLES / f"x12/lfh/837_{name}"
    if not path.is_file():
        pytest.skip(f"no public samples in {SAMPLES}; SCRUB_SAMPLES names the folder")
    raw = path.read_text("latin-1").replace(">", ":")
    return re.sub(r"(DTP\*(?:472|434|573)\*R?D8\*)[0-9]{4}([0-9]{4})(-?)(?:[0-9]{4}(?=[0-9]{4}))?", moved, raw)


def moved(found: re.Match[str]) -> str:
    return f"{found[1]}2026{found[2]}{found[3]}{'2026' if found[3] else ''}"


@pytest.mark.parametrize("name", SAMPLE_FILES)
def test_the_guides_own_examples_with_other_payers_have_no_finding(name: str) -> None:
    assert said(sample(name), received=date(2026, 12, 31)) == [{}]


def test_they_are_judged_nevertheless() -> None:
    raw = sample("005010X222A2_demo.cob.example4.837").replace("AMT*D*80.00", "AMT*D*70.00")
    assert said(raw, received=date(2026, 12, 31)) == [{"COB008": "warn"}]


# JSON, which may leave the fields of several payers out


OF_OTHERS = {"payer_order", "insurance_type", "other_adjustments", "other_coverage", "other_subscriber"}
JSON = {
    "claim_id": "J1", "form": "professional", "place_of_service": "11", "diagnoses": ["M54.31"],
    "total_charge": "450.00", "payer": {"id": "04412", "filing_indicator": "MB", "responsibility": "S"},
    "other_payers": [{"payer_id": "60054", "adjudication_date": "2026-10-10", "paid": "100.00"}],
    "lines": [{"number": 1, "procedure": "64445", "modifiers": ["RT"], "units": 1, "charge": "450.00",
               "service_date": "2026-10-01", "diagnosis_pointers": [1]}],
}  # fmt: skip


def found_in(data: dict[str, object]) -> tuple[set[str], set[str]]:
    """Codes of the rules of other payers that speak, and the groups of fields that a gap names."""
    report = check(read_claim({**JSON, **data}), BOOK, received=RECEIVED)
    codes = {one.code for finding in report.findings for one in (finding, *(finding.because or ()))}
    gaps = " ".join(gap.sentence for gap in report.gaps if gap.kind == "field_not_read")
    return {code for code in codes if code.startswith("COB")}, {n for n, one in CARRIED.items() if one.label in gaps}


def test_a_claim_in_json_is_not_held_for_what_it_leaves_out_and_a_gap_says_so() -> None:
    codes, gaps = found_in({})
    assert codes == set()
    assert gaps >= OF_OTHERS


def test_a_primary_claim_without_other_payers_leaves_nothing_of_theirs_out() -> None:
    payer = {"id": "04412", "filing_indicator": "MB", "responsibility": "P"}
    codes, gaps = found_in({"payer": payer, "other_payers": []})
    assert codes == set()
    assert not gaps & OF_OTHERS


def test_what_a_claim_in_json_brings_is_asked_and_what_it_leaves_out_is_not() -> None:
    primary = {"payer_id": "60054", "responsibility": "P", "adjudication_date": "2026-10-10", "paid": "100.00"}
    short = [{"group": "CO", "reason": "45", "amount": "50.00"}]
    assert found_in({"other_payers": [{**primary, "adjustments": short}]})[0] == {"COB008"}
    assert found_in({"other_payers": [{**primary, "responsibility": "S"}]})[0] == {"COB001", "COB002"}
    assert found_in({"other_payers": [{**primary, "adjudication_date": None}]})[0] == {"COB011"}
    assert found_in({"subscriber": {"relationship": "18"}, "patient": {"own_loop": True}})[0] == {"COB014", "COB015"}
