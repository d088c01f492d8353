"""What remittances say of one claim, in the ways in which payers say it. Inputs are written for these tests; the public
threads that describe such files are named beside them (RFI: X12's requests for interpretation, x12.org)."""

from __future__ import annotations

from decimal import Decimal
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as draw

from tests.worker.remitted import clp, decision, era, fates, file, gs, lines, outcomes, remitted, rule, st, svc
from tests.x12.samples import SAMPLES
from worker.intake.document import Refusal
from worker.intake.x12.remittance import Payment, ProviderAdjustment
from worker.outcomes.answers import settle
from worker.outcomes.tally import DenialReason

NONE = (0, Decimal(0))
FOUND = [decision("A", "UNT001@1")]
TWO = [decision("A", "UNT001@1", judged=2)]
DENIED = clp("A", "1", "450", "0", "ICN1", *svc("450", "0", "1", "CO*151*450"))
PAID = clp("A", "1", "450", "100", "ICN1", *svc("450", "100", "1", "CO*45*350"))
RIGHT = svc("225", "0", "1", "CO*151*225")
LEFT = svc("225", "100", "2", "CO*45*125", code="HC:64445:LT")


def back(charge: str, paid: str, control: str, *cas: str, status: str = "22", line: str = "1") -> list[str]:
    """A reversal."""
    return clp("A", status, charge, paid, control, *svc(charge, paid, line, *cas))


def once(money: str) -> tuple[int, Decimal]:
    return (1, Decimal(money))


# one claim in several parts


def test_a_claim_that_the_payer_splits_counts_as_if_it_had_not() -> None:
    """RFI 1076 and RFI 454: a payer may pay a claim in parts, each with a number of its own, and marks them (MA15)."""
    whole = outcomes([era(clp("A", "1", "450", "100", "ICN1", *RIGHT, *LEFT))], TWO)
    parts = [clp("A", "4", "225", "0", "ICN1", "MOA***MA15", *RIGHT), clp("A", "1", "225", "100", "ICN2", *LEFT)]
    for order in permutations(parts):
        split = outcomes([era(*order)], TWO)
        assert fates(split) == {"matched": 1, "parts of a split claim": 1}
        assert rule(split) == rule(whole) == (once("225"), NONE)
        assert (split.payers, split.missed, split.rules) == (whole.payers, whole.missed, whole.rules)


def test_parts_in_two_sets_of_one_check_count_both_even_under_one_number() -> None:
    """keiron-stoddart/edi-835-parser#8: several claims come under one id; LibreHealthIO/lh-ehr#1022: each in a set of
    its own."""
    first, second = (clp("A", "1", "225", paid, "ICN1", *line) for paid, line in (("0", RIGHT), ("100", LEFT)))
    for sets in ([st(first), st(second, number="0002")], [st(first), st(second)]):
        found = outcomes([file(gs(*sets))], TWO)
        assert lines(found) == {"denied": 1, "predicted": 1, "paid": 1}
    drug = clp("A", "1", "10", "5", "ICN1", *svc("10", "5", "2", "CO*45*5", code="HC:J1030"))
    found = outcomes([file(gs(st(drug), st(DENIED, number="0002")))], FOUND)
    assert fates(found) == {"without a line of the procedure": 1, "matched": 1}
    assert rule(found) == (once("450"), NONE)


def test_a_part_that_is_denied_as_a_whole_denies_its_line_alone() -> None:
    bare = svc("225", "0", "1")
    parts = [clp("A", "1", "225", "0", "ICN1", "CAS*CO*29*225", *bare), clp("A", "1", "225", "100", "ICN2", *LEFT)]
    found = outcomes([era(*parts)], TWO)
    assert lines(found) == {"denied": 1, "predicted": 1, "paid": 1}
    assert rule(found) == (once("225"), NONE)


def test_a_part_that_comes_later_does_not_replace_the_lines_it_is_not_about() -> None:
    """RFI 454: a part of the claim was pended and is paid by another check."""
    early = era(clp("A", "1", "225", "0", "ICN1", *RIGHT), trace="CHK1", day="20261110")
    later = era(clp("A", "1", "225", "100", "ICN2", *LEFT), trace="CHK2", day="20261120")
    for files in ([early, later], [later, early]):
        found = outcomes(files, TWO)
        assert fates(found) == {"matched": 1, "parts of a split claim": 1}
        assert (rule(found), lines(found)) == ((once("225"), NONE), {"denied": 1, "predicted": 1, "paid": 1})
    again = era(clp("A", "1", "225", "90", "ICN3", *svc("225", "90", "1", "CO*45*135")), trace="CHK3", day="20261130")
    assert rule(outcomes([early, again], TWO)) == (NONE, once("90"))


@pytest.mark.parametrize("cents", [45_000, 60_000, None])
def test_parts_that_name_no_lines_are_told_by_their_charges(cents: int | None) -> None:
    """RFI 1684: the line item control number comes back only where it was sent."""
    log = [decision("A", "UNT001@", judged=2, **{"claim.charge_cents": cents})]
    one = clp("A", "1", "225", "0", "ICN1", *svc("225", "0", "", "CO*151*225"))
    two = clp("A", "1", "225", "100", "ICN2", *svc("225", "100", "", "CO*45*125"))
    found = outcomes([era(one), era(two, trace="CHK2", day="20261120")], log)
    known = {"matched": 1, "parts of a split claim": 1}
    assert fates(found) == (known if cents else {"matched": 1, "replaced by a later one": 1})
    assert rule(found) == ((once("225"), NONE) if cents else (NONE, once("100")))


def test_a_claim_and_its_correction_that_are_answered_on_one_check_are_no_parts() -> None:
    """RFI 1956: one CLM01 may stand for several claims."""
    full = {"claim.charge_cents": 45_000}
    log = [decision("A", "UNT001@1", **full), decision("A", day="2026-10-30", **full)]
    paid = clp("A", "1", "450", "100", "ICN2", *PAID[1:])
    found = outcomes([era(DENIED, paid)], log)
    assert fates(found) == {"matched": 2}
    assert (rule(found), lines(found)) == ((once("450"), NONE), {"denied": 1, "predicted": 1, "paid": 1})
    assert found.rules["UNT001", "uhc"].mended.money == Decimal(100)
    alone = outcomes([era(DENIED, paid)], log[:1])
    assert (fates(alone), rule(alone)) == ({"matched": 1, "replaced by a later one": 1}, (NONE, once("100")))


def test_a_second_payer_that_calls_itself_the_first_is_known_by_what_it_takes_into_account() -> None:
    """RFI 546: a payer gives all claims one status; RFI 454: what an earlier payer paid is CARC 23."""
    second = clp("A", "1", "450", "20", "X9", *svc("450", "20", "1", "OA*23*100", "CO*45*330"))
    found = outcomes([era(DENIED), era(second, trace="CHK9", day="20261130")], FOUND)
    assert (fates(found), rule(found)) == ({"matched": 1, "of a second payer": 1}, (once("450"), NONE))


def test_a_line_that_the_payer_splits_is_one_line() -> None:
    """RFI 467: one service came back as two, the second part of it beyond a limit; both carry its control number."""
    two = [*svc("24", "20", "1", "CO*45*4"), *svc("426", "0", "1", "CO*119*426")]
    found = outcomes([era(clp("A", "1", "450", "20", "ICN1", *two))], FOUND)
    assert (lines(found), rule(found)) == ({"denied": 1, "predicted": 1}, (once("426"), NONE))
    apart = [clp("A", "1", "24", "20", "ICN1", *two[:3]), clp("A", "1", "426", "0", "ICN2", *two[3:])]
    assert rule(outcomes([era(*apart)], FOUND)) == (once("426"), NONE)


def test_answers_of_a_payer_as_first_and_as_second_one_are_no_parts() -> None:
    """masslight/ottehr#9176: a payer sends the claim on to the second one itself, which may be another plan of its own."""
    second = clp("A", "2", "450", "20", "ICN2", *svc("450", "20", "1", "OA*23*100", "CO*45*330"))
    first = clp("A", "19", "450", "0", "ICN1", *svc("450", "0", "1", "CO*151*450"))
    for order in permutations([first, second]):
        found = outcomes([era(*order)], FOUND)
        assert fates(found) == {"matched": 1, "of a second payer": 1}
        assert rule(found) == (once("450"), NONE)


# reversals


CORRECTION = clp("A", "1", "450", "0", "ICN2", *svc("450", "0", "1", "CO*151*450"))


@pytest.mark.parametrize("control", ["ICN1", "ICN2", "ICN3", ""])
@pytest.mark.parametrize("reason", ["CO*45*-350", "CR*45*-350", "CO*216*-350"])
def test_a_reversal_takes_back_what_has_its_amounts_wherever_it_stands(control: str, reason: str) -> None:
    """RFI 2442 and RFI 791: the reversal should come first, and does not always; RFI 1147: group CR until 5010; RFI
    578: the correction has a number of its own."""
    reversal = back("-450", "-100", control, reason)
    old = era(PAID, trace="CHK0", day="20261101")
    for order in permutations([CORRECTION, reversal]):
        found = outcomes([era(*order, trace="CHK2"), old], FOUND)
        assert fates(found) == {"matched": 1, "taken back": 1, "reversals": 1}
        assert rule(found) == (once("450"), NONE)


def test_a_reversal_and_its_correction_in_remittances_of_their_own() -> None:
    """RFI 227: a payer takes back in one remittance and corrects in another."""
    files = [
        era(PAID, trace="CHK0", day="20261101"),
        era(CORRECTION, trace="CHK1", day="20261110"),
        era(back("-450", "-100", "ICN9", "CO*45*-350"), trace="CHK2", day="20261120"),
    ]
    for order in permutations(files):
        assert rule(outcomes(list(order), FOUND)) == (once("450"), NONE)


def test_of_two_denials_with_the_same_amounts_the_one_with_the_same_reasons_is_taken_back() -> None:
    """homeinfusionreports.com, Inside the 835, CR codes: a denial is reversed for another denial."""
    old = era(clp("A", "1", "450", "0", "ICN1", *svc("450", "0", "1", "CO*50*450")), trace="CHK0", day="20261101")
    for reason in ("CO*50*-450", "CO*216*-450"):
        for order in permutations([CORRECTION, back("-450", "0", "ICN2", reason)]):
            found = outcomes([old, era(*order)], FOUND)
            assert found.rules["UNT001", "uhc"].as_expected == 1, "CO-151 stands, CO-50 does not"


def test_a_reversal_that_fits_no_payment_takes_nothing_back_and_is_listed() -> None:
    """RFI 325 and RFI 1733: reversals without what they reverse, or at another level of detail."""
    for amounts in (("-450", "-90"), ("-400", "-100"), ("0", "0")):
        found = outcomes([era(PAID, trace="CHK0"), era(back(*amounts, "ICN1"), trace="CHK2")], FOUND)
        assert fates(found) == {"matched": 1, "reversals without their payment": 1}
        assert rule(found) == (NONE, once("100"))
        (listed,) = (one for one in found.listed if one.what != "do not balance")
        assert (listed.file, listed.position) == ("2.835", "ST 0001 / claim 1 / segment 7")
        assert listed.what == "reversals without their payment"
    early = era(back("-450", "-100", "ICN1"), trace="CHK2", day="20261101")
    assert fates(outcomes([early, era(PAID)], FOUND)) == {"matched": 1, "reversals without their payment": 1}


def test_a_reversal_of_the_claim_alone_takes_back_a_payment_by_lines() -> None:
    """RFI 1733: the payment had service lines, its reversal has none; RFI 1429: nor a CAS."""
    found = outcomes([era(PAID, trace="CHK0"), era(clp("A", "22", "-450", "-100", "ICN1"), trace="CHK2")], FOUND)
    assert fates(found) == {"taken back": 1, "reversals": 1}


def test_what_says_reversal_and_does_not_negate_takes_nothing_back() -> None:
    """RFI 288: a payer reports the corrected claim as a reversal (22), too."""
    wrong = clp("A", "22", "450", "80", "ICN2", *svc("450", "80", "1", "CO*45*370"))
    found = outcomes([era(PAID, trace="CHK0"), era(back("-450", "-100", "ICN1"), wrong, trace="CHK2")], FOUND)
    assert fates(found) == {"taken back": 1, "reversals": 1, "reversals whose amounts are not negated": 1}
    assert not found.rules


def test_negated_amounts_take_back_whatever_the_status_says() -> None:
    found = outcomes([era(PAID, trace="CHK0"), era(back("-450", "-100", "ICN1", status="1"), trace="CHK2")], FOUND)
    assert fates(found) == {"taken back": 1, "reversals": 1}


def test_a_split_claim_is_taken_back_at_once_and_a_whole_one_in_parts() -> None:
    parts = [clp("A", "1", "225", "0", "ICN1", *RIGHT), clp("A", "1", "225", "100", "ICN2", *LEFT)]
    at_once = era(back("-450", "-100", "ICN1"), trace="CHK2", day="20261120")
    assert fates(outcomes([era(*parts), at_once], TWO)) == {"taken back": 2, "reversals": 1}
    pieces = [back("-225", "0", "ICN1"), back("-225", "-100", "ICN2", line="2")]
    in_parts = era(*pieces, trace="CHK2", day="20261120")
    assert fates(outcomes([era(PAID), in_parts], FOUND)) == {"taken back": 1, "reversals": 2}
    assert fates(outcomes([era(*parts), in_parts], TWO)) == {"taken back": 2, "reversals": 2}


def test_each_reversal_takes_back_one_payment() -> None:
    twice = [era(PAID, trace="CHK0", day="20261101"), era(PAID, trace="CHK1", day="20261110")]
    one = era(back("-450", "-100", "ICN1", "CO*45*-350"), trace="CHK2", day="20261120")
    assert fates(outcomes([*twice, one], FOUND)) == {"matched": 1, "taken back": 1, "reversals": 1}
    # Read twice, it is the same reversal, and takes back no second payment.
    assert fates(outcomes([*twice, one, one], FOUND))["there twice"] == 1


# what is there twice


@pytest.mark.parametrize(
    "again",
    [era(DENIED), file(gs(st(DENIED)), control=2), file(gs(st(DENIED, number="0007"))), era(PAID, DENIED)],
    ids=["the same file", "another envelope", "another number of the set", "with another claim before it"],
)
def test_a_claim_that_is_read_twice_counts_once(again: bytes) -> None:
    """openemr/openemr#6900: control numbers are used again, and are not what tells two files apart."""
    found = outcomes([era(DENIED), again], FOUND)
    assert fates(found)["there twice"] == 1
    assert rule(found)[0][0] == 1


def test_a_group_that_is_there_twice_counts_once() -> None:
    found = outcomes([file(gs(st(DENIED)), gs(st(DENIED)))], FOUND)
    assert fates(found) == {"matched": 1, "there twice": 1}


def test_check_numbers_that_are_used_again_do_not_hide_a_claim() -> None:
    """RFI 217 and RFI 1847: a payer gives the same number to remittances of different days."""
    found = outcomes([era(DENIED, day="20261101"), era(PAID, day="20261120")], FOUND)
    assert fates(found) == {"matched": 1, "replaced by a later one": 1}
    assert rule(found) == (NONE, once("100"))


# what denies and what does not


@pytest.mark.parametrize("more", [[], svc("450", "0", "1"), svc("450", "0", "1", "CO*45*450"), ["MOA***MA130"]])
def test_a_claim_that_is_denied_without_a_reason_is_denied(more: list[str]) -> None:
    """RFI 1423 and RFI 207: what CLP02 4 means differs by payer; openemr/openemr#7186: a denial without what to post."""
    for charge in ("450", "450.00"):
        found = outcomes([era(clp("A", "4", charge, "0", "ICN1", *more))], FOUND)
        assert (rule(found), lines(found)) == ((once("450"), NONE), {"denied": 1, "predicted": 1})
    missed = outcomes([era(clp("A", "04", "450", "0", "ICN1", *more))], [decision("A")])
    ((_, reason),) = missed.missed
    remarks = ("MA130",) if "MOA***MA130" in more else ()
    assert reason == (DenialReason("CO", "45", ()) if "CAS*CO*45*450" in more else DenialReason("", "", remarks))


@pytest.mark.parametrize("status", ["1", "2", "3", "4", "19", "20", "21"])
@pytest.mark.parametrize("cas", ["PR*1*450", "PR*2*450", "PR*3*450", "OA*23*450", "PR*1*50**2*400"])
def test_what_the_patient_or_another_payer_pays_is_no_denial(status: str, cas: str) -> None:
    """masslight/ottehr#9695 and Stedi's page on 835 ERA reports: paid nothing is not denied."""
    for claim in (["CAS*" + cas, *svc("450", "0", "1")], svc("450", "0", "1", cas), ["CAS*" + cas]):
        found = outcomes([era(clp("A", status, "450", "0", "ICN1", *claim))], FOUND)
        assert lines(found) == {"paid": 1}


@pytest.mark.parametrize("status", ["1", "2", "3", "19", "20", "21"])
def test_processed_is_not_paid(status: str) -> None:
    """RFI 1423: the codes say processed; the adjustments say whether it was denied. RFI 546: a Medicaid payer answers
    all claims as the third one."""
    found = outcomes([era(clp("A", status, "450", "0", "ICN1", *svc("450", "0", "1", "CO*151*450")))], FOUND)
    assert rule(found) == (once("450"), NONE)


@pytest.mark.parametrize("more", [[], svc("450", "0", "1"), svc("450", "0", "1", "CO*45*100")])
def test_nothing_paid_and_no_reason_given_is_neither_paid_nor_denied(more: list[str]) -> None:
    """Stedi's page on 835 ERA reports: nothing paid can mean a flat rate; databricks-industry-solutions/x12-edi-parser#26:
    remittances without CAS."""
    found = outcomes([era(clp("A", "1", "450", "0", "ICN1", *more))], FOUND)
    assert fates(found) == {"paid nothing and said no reason": 1}
    assert not found.rules
    assert not found.payers
    assert [one.what for one in found.listed] == ["do not balance", "paid nothing and said no reason"]


def test_of_the_lines_of_a_claim_each_has_its_own_verdict() -> None:
    bare = svc("225", "0", "1")
    claim = clp("A", "1", "450", "100", "ICN1", *bare, *LEFT)
    found = outcomes([era(claim)], TWO)
    assert (lines(found), rule(found)) == ({"unexplained": 1, "paid": 1}, (NONE, NONE))
    pended = svc("225", "0", "1", "OA*133*225")
    found = outcomes([era(clp("A", "1", "450", "100", "ICN1", *pended, *LEFT))], TWO)
    assert (lines(found), fates(found)) == ({"pending": 1, "paid": 1}, {"matched": 1})


def test_a_line_that_is_denied_in_part_is_denied_for_that_part() -> None:
    found = outcomes([era(clp("A", "1", "450", "50", "ICN1", *svc("450", "50", "1", "co*151*300**045*100")))], FOUND)
    assert rule(found) == (once("300"), NONE)


def test_a_reason_that_the_same_line_takes_back_denies_nothing() -> None:
    """homeinfusionreports.com, Inside the 835: CR codes beside the new reason, on one line."""
    line = svc("450", "100", "1", "CO*151*450", "CR*151*-450", "CO*45*350")
    found = outcomes([era(clp("A", "1", "450", "100", "ICN1", *line))], FOUND)
    assert rule(found) == (NONE, once("100"))
    assert lines(found) == {"paid": 1}


def test_bundled_lines_are_denied_and_the_line_that_pays_for_them_is_paid() -> None:
    """RFI 2320 and RFI 2551: CO-97 on what was bundled, OA-94 with a negative amount on what pays for it."""
    paying = svc("225", "300", "1", "OA*94*-225", "CO*45*150")
    bundled = svc("225", "0", "2", "CO*97*225", code="HC:64445:LT")
    found = outcomes([era(clp("A", "1", "450", "300", "ICN1", *paying, *bundled))], TWO)
    assert (lines(found), rule(found)) == ({"paid": 1, "denied": 1}, (NONE, once("300")))


def test_a_prompt_payment_that_adds_denies_nothing() -> None:
    """openemr/openemr#35: CARC 144 with a negative amount."""
    found = outcomes([era(clp("A", "1", "450", "105", "ICN1", *svc("450", "105", "1", "CO*45*350**144*-5")))], FOUND)
    assert lines(found) == {"paid": 1}


def test_the_same_reason_on_claim_and_lines_is_one_denial() -> None:
    """databricks-industry-solutions/x12-edi-parser#36: CAS stands at the claim and at the line."""
    claim = clp("A", "1", "450", "0", "ICN1", "CAS*CO*29*450", *svc("225", "0", "1"), *svc("225", "0", "2"))
    found = outcomes([era(claim)], TWO)
    assert (lines(found), rule(found)) == ({"denied": 1, "predicted": 1}, (once("450"), NONE))


@pytest.mark.parametrize("status", ["5", "10", "13", "15", "16", "17", "23", "24", "25", "26", "27", "31"])
def test_what_was_not_adjudicated_counts_for_nothing(status: str) -> None:
    """RFI 457: a payer sends CLP02 5, pended; 23 and 24 went to others, 25 priced what was not done."""
    found = outcomes([era(clp("A", status, "450", "0", "ICN1", *svc("450", "0", "1", "CO*151*450")))], FOUND)
    assert (fates(found), found.payers) == ({"not adjudicated": 1}, {})


def test_a_status_that_is_not_known_is_listed_and_one_that_is_missing_is_refused() -> None:
    found = outcomes([era(clp("A", "99", "450", "0", "ICN1", *svc("450", "0", "1", "CO*151*450")))], FOUND)
    assert fates(found) == {"with a status that is not known": 1}
    for segment, sentence in (
        ("CLP*A**450*0", "CLP02, the status, is missing"), ("CLP*A*1**0", "CLP03, the charge, is missing"),
        ("CLP*A*1*450", "CLP04, the amount paid, is missing"),
        ("CLP*A*1*450*0~SVC*HC:64445:RT**0", "SVC02, the charge, is missing"),
        ("CLP*A*1*450*0~SVC*HC:64445:RT*450", "SVC03, the amount paid, is missing"),
    ):  # fmt: skip
        (refused,) = remitted(era([segment]))
        assert isinstance(refused, Refusal)
        assert (refused.number, refused.sentence) == (1, sentence)
    (refused,) = remitted(era(clp("A", "1", "450", "0", "ICN1", "CAS*CO*151")))
    assert isinstance(refused, Refusal)
    assert refused.sentence == "CAS03, the amount of the adjustment, is missing"


# lines


@pytest.mark.parametrize(
    "code",
    ["HC:64445", "HC:64445:50", "HC:64450:59*450*0**1*HC:64445:RT", "HC: 64445 :RT", "HC:64445RT", "HC:64445:RT*450*0*0450",
     "HC:64445:RT*450*0**1*NU:0450"],
)  # fmt: skip
def test_a_line_is_found_by_what_was_submitted(code: str) -> None:
    """openemr/openemr#7293: the billed modifier is not returned; RFI 366 and RFI 2320: another code was adjudicated."""
    segment = f"SVC*{code}" if "*" in code else f"SVC*{code}*450*0**1"
    found = outcomes([era(clp("A", "1", "450", "0", "ICN1", segment, "CAS*CO*151*450", "REF*6R*1"))], FOUND)
    assert rule(found) == (once("450"), NONE)


def test_what_was_submitted_in_another_code_set_is_none_of_the_procedures() -> None:
    segment = "SVC*HC:64445*450*0**1*ER:X1"
    found = outcomes([era(clp("A", "1", "450", "0", "ICN1", segment, "CAS*CO*151*450"))], FOUND)
    assert fates(found) == {"without a line of the procedure": 1}


def test_a_finding_on_a_line_that_is_not_on_the_remittance_is_held_to_nothing() -> None:
    """RFI 454: a part of the claim comes later, and its line with it."""
    log = [decision("A", "UNT001@1", "DX001@2", judged=2)]
    found = outcomes([era(clp("A", "1", "225", "100", "ICN2", *LEFT))], log)
    assert (rule(found), rule(found, "DX001")) == ((NONE, NONE), (NONE, once("100")))


def test_a_remark_before_the_lines_is_the_claims() -> None:
    claim = clp("A", "4", "450", "0", "ICN1", "LQ*HE*N382", "MIA*0****MA01")
    ((_, reason),) = outcomes([era(claim)], [decision("A")]).missed
    assert reason.rarc == ("MA01", "N382")


# claims and decisions


@pytest.mark.parametrize(
    ("sent", "returned"),
    [("demo-0001", "DEMO-0001"), ("DEMO-0001", "DEMO0001"), ("1234", "00001234"), ("0001234", "1234"),
     ("ACC 77/1", "ACC77 1"), ("PATIENT-2026-000123-A", "PATIENT-2026-000123-"), ("PATIENT-2026-000123-A", "PATIENT-2026-00012"),
     ("A-1", " A-1 ")],
)  # fmt: skip
def test_a_claim_id_that_the_payer_writes_otherwise_is_found_where_one_claim_fits(sent: str, returned: str) -> None:
    """RFI 504: CLP01 is not what was sent; RFI 525 and Stedi, How to track claims: payers cut it off."""
    found = outcomes(
        [era(clp(returned, *DENIED[0].split("*")[2:5], "ICN1", *DENIED[1:]))], [decision(sent, "UNT001@1")]
    )
    assert rule(found) == (once("450"), NONE)
    assert found.remittances["with the claim id written otherwise"] == (sent != returned.strip())


def test_a_payment_and_its_reversal_meet_however_the_claim_id_is_written() -> None:
    reversal = clp("a", "22", "-450", "-100", "ICN1")
    found = outcomes([era(PAID, trace="CHK0"), era(reversal, trace="CHK2")], FOUND)
    assert (found.remittances["taken back"], found.rules) == (1, {})


def test_a_claim_id_that_fits_several_claims_is_listed_and_counts_for_none() -> None:
    log = [decision("A-1", "UNT001@1"), decision("A1", "UNT001@1")]
    found = outcomes([era(clp("a-1", "1", "450", "0", "ICN1", *svc("450", "0", "1", "CO*151*450")))], log)
    assert (fates(found), found.rules) == ({"with a claim id that fits several claims": 1}, {})


@pytest.mark.parametrize("claim", ["0", "-", "000"])
def test_a_claim_id_of_zeros_is_nobodys(claim: str) -> None:
    """RFI 535: a payer returns 0 where it did not keep the number."""
    found = outcomes([era(clp(claim, "1", "450", "0", "ICN1", *DENIED[1:]))], [decision("0-0", "UNT001@1")])
    assert fates(found) == {"not in the audit log": 1}


def test_an_id_that_only_looks_alike_is_not_taken_where_the_charge_is_another() -> None:
    log = [decision("A-1", "UNT001@1", **{"claim.charge_cents": 9_900})]
    claim = clp("A1", "1", "450", "0", "ICN1", *DENIED[1:])
    assert fates(outcomes([era(claim)], log)) == {"not in the audit log": 1}
    same = [decision("A-1", "UNT001@1", **{"claim.charge_cents": 45_000})]
    assert rule(outcomes([era(claim)], same)) == (once("450"), NONE)


def test_a_corrected_claim_and_its_original_are_held_each_to_its_own_verdict() -> None:
    """RFI 1956: nothing makes CLM01 unique; a claim that is sent again keeps it."""
    log = [
        decision("A", "UNT001@1", day="2026-10-20", **{"claim.charge_cents": 45_000}),
        decision("A", day="2026-11-05", **{"claim.charge_cents": 30_000, "claim.frequency_code": "7"}),
    ]
    late = clp("A", "1", "300", "100", "ICN2", *svc("300", "100", "1", "CO*45*200"))
    # The answer to the original comes when the corrected claim is on its way.
    found = outcomes([era(DENIED, day="20261110"), era(late, trace="CHK2", day="20261120")], log)
    assert fates(found) == {"matched": 2}
    assert rule(found) == (once("450"), NONE)
    assert found.rules["UNT001", "uhc"].mended.money == Decimal(100)


def test_dates_of_the_claim_are_not_the_remittances() -> None:
    """valeed-srahealth in keiron-stoddart/edi-835-parser#31: DTM*405 is the remittance's day; DTM*050 is the day on
    which the claim was received."""
    claim = [*DENIED[:1], "DTM*050*20260101", "DTM*232*20260102", *DENIED[1:]]
    head = ["ST*835*0001", "BPR*I*0*C*ACH", "TRN*1*CHK1*1999999999", "LX*1"]
    read = [*remitted(file(gs([*head, *claim, "SE*9*0001"], day="20261109")))]
    assert [one.day.isoformat() for one in read if isinstance(one, Payment) and one.day] == ["2026-11-09"]
    found = outcomes([file(gs([*head, *claim, "SE*9*0001"], day="BAD"))], FOUND)
    assert fates(found) == {"without a date": 1}


def test_money_that_is_of_no_claim_is_counted_apart() -> None:
    """RFI 1386, RFI 968 and databricks-industry-solutions/x12-edi-parser#26: PLB belongs to the remittance."""
    plb = ["PLB*1234567893*20261231*WO:ICN9*100*L6*-3.5", "PLB*1234567893*20261231*WO:ICN8*x"]
    read = list(remitted(era(PAID, plb)))
    adjusted = [one for one in read if isinstance(one, ProviderAdjustment)]
    assert [(one.reason, one.amount) for one in adjusted] == [("WO", Decimal(100)), ("L6", Decimal("-3.5"))]
    (refused,) = (one for one in read if isinstance(one, Refusal))
    assert (refused.number, refused.sentence[:6]) == (0, "PLB04:")
    plb = ["PLB*1234567893*20261231*WO:ICN9*100*L6*-3.5*WO:ICN8*100"]
    found = outcomes([era(PAID, plb), era(PAID, plb)], FOUND)
    assert {reason: total.money for reason, total in found.provider_adjustments.items()} == {
        "WO": Decimal(200), "L6": Decimal("-3.5"),
    }  # fmt: skip
    assert rule(found) == (NONE, once("100"))


def test_a_segment_that_is_none_of_the_guides_is_listed_with_its_claim() -> None:
    """databricks-industry-solutions/x12-edi-parser#44: payers send segments that the guide does not have."""
    claim = clp("A", "1", "450", "0", "ICN1", "SVC*HC:64445:RT*450*0**1", "cas*CO*151*450", "NM1*QC*1*X", "AMT*B6*0")
    found = outcomes([era(claim)], FOUND)
    assert [one.what for one in found.listed] == [
        "do not balance", "with a segment that is not known", "paid nothing and said no reason",
    ]  # fmt: skip
    assert not outcomes([era(DENIED)], FOUND).listed


def test_a_claim_outside_of_any_set_is_refused() -> None:
    read = list(remitted(file(gs(st(PAID), DENIED))))
    assert [type(one) for one in read] == [Payment, Refusal]


# whatever comes


PIECES = [
    DENIED, PAID, CORRECTION, back("-450", "-100", "ICN3"), back("-450", "0", "ICN1"), clp("A", "4", "225", "0", "ICN1", *RIGHT),
    clp("A", "1", "225", "100", "ICN2", *LEFT), back("-225", "-100", "ICN2"), clp("A", "23", "450", "0"), clp("A", "77", "1", "1"),
    clp("a", "1", "450", "0", "ICN5", *svc("450", "0", "1")), clp("B", "2", "450", "0"), clp("A", "22", "450", "3"),
]  # fmt: skip


@given(draw.lists(draw.tuples(draw.sampled_from(PIECES), draw.integers(1, 3), draw.integers(1, 28)), max_size=12))
def test_every_claim_has_one_fate_and_what_is_read_twice_changes_nothing(
    said: list[tuple[list[str], int, int]],
) -> None:
    files = [era(claim, trace=f"CHK{check}", day=f"202611{day:02d}") for claim, check, day in said]
    log = [*TWO, decision("A", "DX001@", day="2026-11-10", judged=2)]
    found, again = (outcomes(order, log) for order in (files, [*files, *files]))
    assert found.remittances["read"] == len(said)
    assert (found.rules, found.payers, found.missed) == (again.rules, again.payers, again.missed)


def test_settling_keeps_every_payment() -> None:
    payments = [
        one for one in remitted(era(DENIED, PAID, CORRECTION, back("-450", "-100", "X"))) if isinstance(one, Payment)
    ]
    settled = settle(payments, {"64445"})
    parts = [part for answer in settled.answers for part in answer.parts]
    assert sorted([*parts, *settled.fates]) == [0, 1, 2, 3]


def test_the_log_of_an_earlier_release_is_matched_as_well() -> None:
    log = (FIXTURES / "898ad03" / "audit.jsonl").read_bytes().splitlines(keepends=True)
    claims = [clp(f"pcn-{number:05}", "1", "450", "0", f"ICN{number}", *DENIED[1:]) for number in range(1, 6)]
    found = outcomes([era(*claims, day="20261215")], log)
    assert found.unreadable == 0
    assert fates(found) == {"matched": 4, "not in the audit log": 1, "with the claim id written otherwise": 4}
    assert rule(outcomes([era(clp("PCN-00002", "1", "900", "0", "X", *DENIED[1:]), day="20261215")], log))[0][0] == 1


# the handed remittances


FIXTURES = Path(__file__).parents[1] / "fixtures"
READING = SAMPLES.parent / "cases" / "reading"


@pytest.mark.skipif(not READING.is_dir(), reason=f"{READING} is not here")
@pytest.mark.parametrize(
    ("names", "claim", "expected", "kinds"),
    [
        (["p20_split_claim"], "DEMO-0040", once("225"), {"matched": 1, "parts of a split claim": 1}),
        (["p20b_unsplit"], "DEMO-0040", once("225"), {"matched": 1}),
        (["p03c_corr_before_rev_newicn", "p03c_corr_before_rev_newicn_1"], "DEMO-0001", once("450"),
         {"matched": 1, "taken back": 1, "reversals": 1}),
        (["p03c_corr_before_rev_newicn_1"], "DEMO-0001", once("450"),
         {"matched": 1, "reversals without their payment": 1}),
        (["p10b_no_cas"], "DEMO-0038", once("450"), {"matched": 1}),
        (["p04b_split_same_claim"], "DEMO-0001", once("450"), {"matched": 1, "without a line of the procedure": 1}),
    ],
)  # fmt: skip
def test_the_handed_remittances(names: list[str], claim: str, expected: object, kinds: dict[str, int]) -> None:
    files = [(READING / f"{name}.835").read_bytes() for name in names]
    for order in (files, files[::-1], files * 2):
        found = outcomes(order, [decision(claim, "UNT001@1", judged=2 if claim == "DEMO-0040" else 1)])
        assert rule(found) == (expected, NONE)
        assert {name: count for name, count in fates(found).items() if name != "there twice"} == kinds
