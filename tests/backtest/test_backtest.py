"""Claims of the past beside what payers answered: what matches, what does not, and as of which day it is judged."""

from __future__ import annotations

import gzip
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tests.backtest.running import backtested, codes, counts, file, rule, said, split
from tests.worker.remitted import clp, era, svc
from tests.x12 import writer
from worker.backtest.backtest import NONE_ANSWERED, NONE_MATCHED, RESTATED, TWICE, UNREADABLE
from worker.backtest.holding import NO_CLAIM, OTHER_TIME
from worker.backtest.result import BEFORE_SENT, FOUND, HELD, Estimate
from worker.backtest.taking import UNDATED, UNSERVED

from .year import COMPLETE, PAYERS, example_claim, merged

PAID = svc("450", "150", "1", "CO*45*300")
DENIED = svc("450", "0", "1", "CO*151*450")


def claim(name: str, day: str = "2026-03-02", payer: str = "aetna", **more: Any) -> dict[str, Any]:
    """A clean claim."""
    members = {"aetna": "W123456789", "uhc": "912345671"}
    lines = [{"service_date": day, **line} for line in more.pop("lines", [{}])]
    changes = {
        "frequency_code": "1", "claim_id": name, "subscriber": {"member_id": members[payer]}, "received_date": None,
        "patient": {"birth_date": "1970-03-02", "sex": "F"}, "lines": lines, **more,
    }  # fmt: skip
    made = example_claim("practitioner", merged(COMPLETE, changes), PAYERS[payer])
    return {**made, "lines": [{**line, "unit_basis": "UN"} for line in made["lines"]]}


def x12(folder: Path, name: str, *days: tuple[str, list[dict[str, Any]]], control: int = 1) -> Path:
    """An 837P with a set for each day (BHT04)."""
    sets = [
        writer.transaction(writer.hierarchy((one, False) for one in claims), "professional", f"{at:04}", day=day)
        for at, (day, claims) in enumerate(days, 1)
    ]
    return file(folder, name, writer.interchange(sets, "professional", control))


def remitted(folder: Path, name: str, *claims: list[str], day: str = "20260401", trace: str = "CHK1") -> Path:
    return file(folder, name, era(*claims, day=day, trace=trace))


MARCH = [claim(f"H{number}", patient={"birth_date": f"197{number}-03-02", "sex": "F"}) for number in range(4)]
TWO_UNITS = claim("U1", lines=[{"units": "2"}], patient={"birth_date": "1951-03-02", "sex": "M"})


def test_each_claim_is_judged_as_of_the_day_on_which_it_was_sent(tmp_path: Path) -> None:
    """As of today all of them are filed too late (TIM001); as of March none is."""
    claims = x12(tmp_path, "march.837", ("20260310", [*MARCH, TWO_UNITS]))
    answers = remitted(tmp_path, "april.835", *(clp(f"H{n}", "1", "450", "150", "I", *PAID) for n in range(4)),
                       clp("U1", "4", "450", "0", "I9", *DENIED))  # fmt: skip
    result = backtested([claims], [answers])
    assert (result.claims.read, result.claims.matched, result.claims.counted) == (5, 5, 5)
    assert (result.period.first_sent, result.period.last_sent) == ("2026-03-10", "2026-03-10")
    assert "TIM001" not in codes(result)
    assert counts(rule(result, "UNT001")) == (1, 0, 0, 4)
    assert counts(rule(result, FOUND)) == (1, 0, 0, 4)
    late = backtested([claims], [answers], received=date(2026, 11, 30))
    assert late.claims.without_answer == 5
    assert late.remittances.fates == {BEFORE_SENT: 5}, "sent after it was answered, by what was said"


def test_a_header_of_another_time_is_no_day_of_sending_and_one_slip_among_many_is_one(tmp_path: Path) -> None:
    """Billing systems write the day of the export into BHT04 (LibreHealthIO/lh-ehr#631); a claim with a date of service
    in the future has a slip of its own, for which payers deny (CARC 110)."""
    old = x12(tmp_path, "a.837", ("20260101", MARCH))
    answers = remitted(tmp_path, "a.835", *(clp(f"H{n}", "1", "450", "150", "I", *PAID) for n in range(4)))
    result = backtested([old], [answers])
    assert result.claims.noted == {RESTATED: 4}
    assert result.period.first_sent == "2026-03-02"
    assert "CLM006" not in codes(result)
    slip = claim("H3", "2026-12-02")
    one = x12(tmp_path, "b.837", ("20260310", [*MARCH[:3], slip]))
    result = backtested([one], [answers])
    assert RESTATED not in result.claims.noted
    assert "CLM006" in codes(result)


def test_the_day_is_the_manifests_then_the_claims_own_then_what_is_given(tmp_path: Path) -> None:
    own = {**claim("A"), "received_date": "2026-03-09"}
    lines = [own, claim("B"), {**claim("C"), "received_date": "2026-03-09"}]
    claims = file(tmp_path, "c.ndjson", "\n".join(map(json.dumps, lines)))
    answers = remitted(tmp_path, "c.835", *(clp(name, "1", "450", "150", "I", *PAID) for name in "ABC"))
    manifest = file(tmp_path, "m.csv", "claim_id,sent\nC,2026-03-20\n")
    result = backtested([claims], [answers], manifest=manifest, received=date(2026, 3, 15))
    assert (result.period.first_sent, result.period.last_sent) == ("2026-03-09", "2026-03-20")
    assert [one.of for one in result.inputs] == ["manifest", "answers", "claims"]
    undated = backtested([claims], [answers])
    assert undated.claims.refused == {UNDATED: 1}
    by_file = file(tmp_path, "f.csv", "file,sent\nc.ndjson,2026-03-21\n")
    assert backtested([claims], [answers], manifest=by_file).period.first_sent == "2026-03-21"


def test_what_was_sent_before_for_the_patient_is_looked_at_in_the_order_of_the_days(tmp_path: Path) -> None:
    """The files come in any order; the second claim of the same block is a duplicate, the first is not."""
    first, again = claim("A"), claim("B")
    later = x12(tmp_path, "1.837", ("20260320", [again]), control=1)
    sooner = x12(tmp_path, "2.837", ("20260310", [first]), control=2)
    answers = remitted(tmp_path, "a.835", clp("A", "1", "450", "150", "I1", *PAID),
                       clp("B", "4", "450", "0", "I2", *svc("450", "0", "1", "OA*18*450")))  # fmt: skip
    result = backtested([later, sooner], [answers])
    assert counts(rule(result, "DUP001")) == (1, 0, 0, 1)
    alone = backtested([later], [answers])
    assert "DUP001" not in codes(alone)


def test_a_claim_counts_once_by_its_first_version_and_what_was_mended_then_paid_is_measured(tmp_path: Path) -> None:
    """A correction has the id of the claim, or one of its own and the payer's number of the first (REF*F8), as in
    masslight/ottehr#9656."""
    same = claim("U1", patient={"birth_date": "1951-03-02", "sex": "M"}) | {
        "frequency_code": "7", "original_reference_number": "ICN-U1"}  # fmt: skip
    wrong = claim("V1", lines=[{"units": "2"}], patient={"birth_date": "1948-03-02", "sex": "M"})
    other = claim("V2", patient={"birth_date": "1948-03-02", "sex": "M"}) | {
        "frequency_code": "7", "original_reference_number": "ICN-V1"}  # fmt: skip
    claims = x12(tmp_path, "a.837", ("20260310", [TWO_UNITS, wrong]), ("20260420", [same, other]))
    denied = remitted(tmp_path, "1.835", clp("U1", "4", "450", "0", "ICN-U1", *DENIED),
                      clp("V1", "4", "450", "0", "ICN-V1", *DENIED))  # fmt: skip
    paid = remitted(tmp_path, "2.835", clp("U1", "1", "450", "150", "ICN-U2", *PAID),
                    clp("V2", "1", "450", "140", "ICN-V2", *svc("450", "140", "1", "CO*45*310")),
                    day="20260510", trace="CHK2")  # fmt: skip
    result = backtested([claims], [denied, paid])
    assert (result.claims.counted, result.claims.again) == (2, 2)
    assert (result.mended.claims, result.mended.paid_cents) == (2, 29_000)
    assert counts(rule(result, "UNT001")) == (2, 0, 0, 0)


def test_every_kind_of_bad_input_is_counted_and_named(tmp_path: Path) -> None:
    """Whatever cannot be used is told by its kind, file and place, and all adds up (`running.reconciles`)."""
    good = x12(tmp_path, "good.837", ("20260310", MARCH))
    unrelated = x12(tmp_path, "unrelated.837", ("20260311", [claim("Z1")]), control=9)
    lines = [json.dumps({**claim("N1"), "received_date": "2026-03-10", "lines": [{"number": 1, "procedure": "64445",
             "charge": "450.00", "units": "1"}]}), "{broken", json.dumps(claim("N2"))]  # fmt: skip
    bad = file(tmp_path, "bad.ndjson", "\n".join(lines))
    answers = remitted(tmp_path, "good.835", *(clp(f"H{n}", "1", "450", "150", "I", *PAID) for n in range(3)),
                       clp("LOST", "1", "450", "150", "I", *PAID), clp("N1", "1", "450", "150", "I", *PAID))  # fmt: skip
    before = remitted(tmp_path, "2019.835", clp("OLD", "1", "450", "150", "I", *PAID), day="20190401", trace="C9")
    nothing = file(tmp_path, "claims-not-answers.835", good.read_bytes())
    result = backtested([good, good, unrelated, bad], [answers, answers, before, nothing])
    assert result.claims.refused == {TWICE: 4, UNDATED: 1, UNREADABLE: 1}
    assert result.claims.noted[UNSERVED] == 1
    assert result.remittances.fates == {"matched": 4, NO_CLAIM: 1, OTHER_TIME: 1, "there twice": 5}
    named = said(result.listed)
    assert named[NONE_ANSWERED] == 2, "the file that is there twice, and the unrelated one"
    assert named[NONE_MATCHED] == 1, "the remittance of 2019"
    assert {place.file for place in result.listed if place.what == OTHER_TIME} == {"2019.835"}, "without its folder"
    assert named[UNREADABLE] >= 2, "a line, and a file of claims among the answers"
    told = json.dumps([place.what + place.file + place.position for place in result.listed])
    for private in ("LOST", "OLD", "N1", "CANARY", "ROE"):
        assert private not in told


def test_a_claim_sent_twice_is_no_claim_that_was_read_twice(tmp_path: Path) -> None:
    """The same set under another control number was sent again, and payers deny it (OA-18). Systems that begin anew with
    their control numbers are there (openemr/openemr#6900): then content and day tell the two apart."""
    once = x12(tmp_path, "1.837", ("20260310", [MARCH[0]]), control=1)
    twice = x12(tmp_path, "2.837", ("20260310", [MARCH[0]]), control=2)
    answers = remitted(tmp_path, "a.835", clp("H0", "1", "450", "150", "I", *PAID))
    assert backtested([once, once], [answers]).claims.refused == {TWICE: 1}
    assert backtested([once, twice], [answers]).claims.refused == {}


def test_a_rule_that_names_the_other_code_of_a_pair_foresaw_its_denial(tmp_path: Path) -> None:
    """BND004 finds the visit beside the block, and names the line of the block; the payer denies the visit."""
    visit = claim("A", lines=[{}, {"procedure": "99213", "modifiers": [], "charge": "150.00"}])
    claims = x12(tmp_path, "a.837", ("20260310", [visit]))
    block, denied = svc("450", "150", "1", "CO*45*300"), svc("150", "0", "2", "CO*97*150", code="HC:99213")
    other = svc("150", "0", "2", "CO*50*150", code="HC:99213")
    answers = remitted(tmp_path, "a.835", clp("A", "1", "600", "150", "I", *block, *denied))
    assert counts(rule(backtested([claims], [answers]), "BND004")) == (1, 0, 0, 0)
    answers = remitted(tmp_path, "b.835", clp("A", "1", "600", "150", "I", *block, *other))
    result = backtested([claims], [answers])
    assert split(rule(result, "BND004")).fired_elsewhere == 1, (
        "denied for what the rule does not expect, on another line"
    )
    assert counts(rule(result, "BND004")) == (0, 0, 0, 0)
    assert rule(result, "BND004").precision == {"*": None, "aetna": None}


def test_denied_money_is_estimated_by_what_the_payer_allowed_elsewhere_and_nothing_is_guessed(tmp_path: Path) -> None:
    births = [{"birth_date": f"19{year}-03-02", "sex": "F"} for year in range(50, 60)]
    clean = [claim(f"P{n}", patient=birth) for n, birth in enumerate(births)]
    claims = x12(tmp_path, "a.837", ("20260310", [*clean, TWO_UNITS]))
    denial = clp("U1", "4", "450", "0", "I", *DENIED)

    def estimated(paid: list[int]) -> Estimate | None:
        # A fifth of what is allowed is the patient's share.
        rows = [clp(f"P{n}", "1", "450", str(amount), "I", *svc("450", str(amount), "1", f"PR*2*{amount / 4}",
                f"CO*45*{450 - amount - amount / 4}")) for n, amount in enumerate(paid)]  # fmt: skip
        return backtested([claims], [remitted(tmp_path, "a.835", *rows, denial)]).denied_money

    exact = estimated([120] * 10)
    assert exact == Estimate(15_000, 15_000, 15_000, 1, 0)
    spread = estimated([100, 140] * 5)
    assert spread is not None
    assert (spread.cents, spread.lines) == (15_000, 1)
    assert spread.low_cents < 15_000 - 4_000
    assert spread.high_cents > 15_000 + 4_000
    assert estimated([120] * 4) == Estimate(0, 0, 0, 0, 1), "four are too few to go by"


def test_the_same_inputs_give_the_same_on_one_core_or_two_and_packed(tmp_path: Path) -> None:
    claims = x12(tmp_path, "a.837", ("20260310", [*MARCH, TWO_UNITS]))
    answers = remitted(tmp_path, "a.835", *(clp(f"H{n}", "1", "450", "150", "I", *PAID) for n in range(4)))
    one, other = backtested([claims], [answers]), backtested([claims], [answers], cores=2)
    assert one == other
    packed = file(tmp_path, "a.837.gz", gzip.compress(claims.read_bytes()))
    assert backtested([packed], [answers]).judged == one.judged
    assert backtested([claims], [answers], least=11).digest != one.digest


@pytest.mark.parametrize(
    ("written", "sample", "before"),
    [("2026-01-01", "before", 0), ("2026-03-15", "across", 1), ("2026-11-01", "after", 2)],
)
def test_whether_the_book_was_written_after_the_data_is_said(
    tmp_path: Path, written: str, sample: str, before: int
) -> None:
    claims = x12(tmp_path, "a.837", ("20260310", MARCH[:1]), ("20260320", MARCH[1:2]))
    answers = remitted(tmp_path, "a.835", clp("H0", "1", "450", "150", "I", *PAID))
    found = backtested([claims], [answers], written=date.fromisoformat(written)).judged[0].in_sample
    assert (found.sample, found.written, found.before) == (sample, written, before)


def test_held_is_what_the_verdict_says(tmp_path: Path) -> None:
    """A warning holds nothing: it is found, and not held."""
    wrong = claim("X1", lines=[{"diagnosis_pointers": [3]}], patient={"birth_date": "1955-03-02", "sex": "M"})
    claims = x12(tmp_path, "a.837", ("20260310", [TWO_UNITS, wrong, MARCH[0]]))
    answers = remitted(tmp_path, "a.835", clp("U1", "4", "450", "0", "I", *DENIED),
                       clp("X1", "1", "450", "150", "I", *PAID), clp("H0", "1", "450", "150", "I", *PAID))  # fmt: skip
    result = backtested([claims], [answers])
    assert rule(result, "UNT001").severity == "warn"
    assert counts(rule(result, "CLM004")) == (0, 1, 1, 1)
    held = rule(result, HELD)
    assert held.paid_cents == 15_000 * (counts(held)[1] or 0)


def test_a_claim_that_is_denied_as_a_whole_has_each_of_its_lines_at_stake(tmp_path: Path) -> None:
    """Some payers send no service lines with a denial of the claim."""
    births = [{"birth_date": f"19{year}-03-02", "sex": "F"} for year in range(50, 57)]
    lines: list[dict[str, Any]] = [{}, {"procedure": "99213", "modifiers": ["25"], "charge": "150.00"}]
    every = [claim(f"P{n}", patient=birth, lines=lines) for n, birth in enumerate(births)]
    claims = x12(tmp_path, "a.837", ("20260310", every))
    paid = [*svc("450", "150", "1", "CO*45*300"), *svc("150", "80", "2", "CO*45*70", code="HC:99213:25")]
    whole = clp("P6", "4", "600", "0", "I6", "CAS*CO*29*600")
    answers = remitted(tmp_path, "a.835", *(clp(f"P{n}", "1", "600", "230", f"I{n}", *paid) for n in range(6)), whole)
    found = backtested([claims], [answers])
    assert found.denied_money == Estimate(23_000, 23_000, 23_000, 2, 0)
    assert found.paid_cents == 6 * 23_000
    assert [(one.value, one.denied) for one in found.totals if (one.payer, one.axis) == ("*", "carc")] == [("CO-29", 1)]


def test_a_payer_that_takes_back_and_corrects_is_held_to_what_it_said_last(tmp_path: Path) -> None:
    """The reversal and the correction are fates of their own; the claim was denied."""
    claims = x12(tmp_path, "a.837", ("20260310", [TWO_UNITS]))
    first = remitted(tmp_path, "1.835", clp("U1", "1", "450", "150", "I1", *PAID))
    back = clp("U1", "22", "-450", "-150", "I2", *svc("-450", "-150", "1", "CO*45*-300"))
    later = remitted(tmp_path, "2.835", back, clp("U1", "4", "450", "0", "I3", *DENIED), day="20260501", trace="C2")
    found = backtested([claims], [first, later])
    assert found.remittances.fates == {"matched": 1, "reversals": 1, "taken back": 1}
    assert counts(rule(found, "UNT001")) == (1, 0, 0, 0)
