"""The ledger by itself: who is one patient, what takes whose place, what is kept and for how long."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.claim import read_claim
from rules.facts.history import months_after
from tests.integration.helpers import claim
from worker.pipeline.ledger import (
    EMPTY,
    NOBODY,
    Ledger,
    LedgerEntry,
    LedgerRow,
    entry_of,
    expiry_ms,
    imported_revision,
    patient_hash,
    person_of,
    same_person,
)

KEY = b"k" * 32
LONG_AGO = date(2000, 1, 1)


def revision(number: int) -> str:
    return f"{1_790_000_000_000 + number}-0"


def entry(number: int, claim_id: str = "A", digest: str = "", **changes: Any) -> LedgerEntry:
    found = read_claim(claim(1, claim_id=claim_id, **changes))
    patient = patient_hash(KEY, found)
    assert patient
    return entry_of(found, revision(number), digest or f"digest {number}", {"64445"}, person_of(KEY, patient, found))


def after(*billed: LedgerEntry) -> Ledger:
    """The ledger once these went to billing, in this order of decisions."""
    ledger = EMPTY
    for new in billed:
        ledger = ledger.after(new, billed=True, version=new.revision, since=LONG_AGO)
    return ledger


def counting(ledger: Ledger) -> set[str]:
    return {entry.claim_id for entry in ledger.entries.values() if entry.state == "billed"}


def relations(ledger: Ledger, new: LedgerEntry) -> dict[str, str]:
    return {billed.claim_id: billed.relation for billed in ledger.history(new).billed}


def lines(*modifiers: str, day: str = "2026-10-01") -> list[dict[str, Any]]:
    return [{**claim(1)["lines"][0], "modifiers": list(modifiers), "service_date": day}]


@pytest.mark.parametrize(
    ("member", "same"),
    [("1eg4-te5-mk73", True), (" 1EG4 TE5 MK73 ", True), ("1EG4TE5MK74", False)],
)
def test_spaces_dashes_and_small_letters_make_no_other_patient(member: str, same: bool) -> None:
    one, other = (read_claim(claim(1, subscriber={"member_id": member_id})) for member_id in ("1EG4TE5MK73", member))
    assert (patient_hash(KEY, one) == patient_hash(KEY, other)) is same


@pytest.mark.parametrize("member", [None, "", " - "])
def test_without_a_member_id_there_is_no_patient(member: str | None) -> None:
    assert patient_hash(KEY, read_claim(claim(1, subscriber={"member_id": member}))) is None
    assert patient_hash(KEY, read_claim(claim(1, subscriber=None))) is None


def test_another_payer_or_another_secret_is_another_hash() -> None:
    one = read_claim(claim(1))
    other = read_claim(claim(1, payer={"id": "60054"}))
    assert len({patient_hash(KEY, one), patient_hash(KEY, other), patient_hash(b"x" * 32, one)}) == 3


def person(**known: str) -> Any:
    found = read_claim(claim(1, patient=known or None))
    return person_of(KEY, "p", found)


ANNA = {"birth_date": "1970-03-02", "sex": "F", "first_name": "Anna"}


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (ANNA, True),
        ({**ANNA, "first_name": " ANNA "}, True),
        ({**ANNA, "first_name": "Berta"}, False),
        ({**ANNA, "first_name": "-"}, True),
        ({**ANNA, "birth_date": "1970-03-03"}, False),
        ({**ANNA, "sex": "M"}, False),
        ({**ANNA, "sex": "U"}, True),
        ({"birth_date": "1970-03-02", "sex": "F"}, True),
        ({"birth_date": "1970-03-02"}, None),
        ({"sex": "F", "first_name": "Anna"}, None),
        ({}, None),
    ],
)
def test_members_of_one_member_id_are_distinguished(other: dict[str, str], same: bool | None) -> None:
    assert same_person(person(**ANNA), person(**other)) is same
    assert same_person(person(**other), person(**ANNA)) is same


def test_what_distinguishes_persons_cannot_be_compared_between_patients() -> None:
    found = read_claim(claim(1, patient=ANNA))
    assert not set(person_of(KEY, "p", found)) & set(person_of(KEY, "q", found))


def test_another_claim_a_copy_and_another_version_are_distinguished() -> None:
    ledger = after(entry(1, "A", "same"))
    assert relations(ledger, entry(2, "B", "same")) == {"A": "other"}
    assert relations(ledger, entry(2, "A", "same")) == {"A": "copy"}
    assert relations(ledger, entry(2, "A", "new")) == {"A": "version"}


def test_a_member_of_the_family_has_no_part_in_it_but_under_the_same_claim_id() -> None:
    ledger = after(entry(1, "A", patient=ANNA))
    brother = {**ANNA, "first_name": "Bert", "sex": "M"}
    assert relations(ledger, entry(2, "B", patient=brother)) == {}
    assert relations(ledger, entry(2, "A", patient=brother)) == {"A": "version"}
    (unsure,) = ledger.history(entry(2, "B", patient=None)).billed
    assert not unsure.certain


def test_a_new_version_takes_the_place_of_the_old_one() -> None:
    ledger = after(entry(1, "A", lines=lines("RT")), entry(2, "A", lines=lines("LT")))
    (row,) = ledger.entries["A"].rows
    assert (row.side, ledger.entries["A"].revision, ledger.version) == ("LT", revision(2), revision(2))


@pytest.mark.parametrize("frequency", ["7", "8"])
@pytest.mark.parametrize("named", ["own claim id", "reference", "content"])
def test_a_replacement_or_void_ends_what_it_names(frequency: str, named: str) -> None:
    claim_id, reference = {
        "own claim id": ("A", "ICN1"),
        "reference": ("B", "A"),
        "content": ("B", "ICN1"),
    }[named]
    original, other = entry(1, "A"), entry(2, "C", lines=lines("LT"))
    new = entry(3, claim_id, frequency_code=frequency, original_reference_number=reference)
    ledger = after(original, other, new)
    assert counting(ledger) == ({claim_id, "C"} if frequency == "7" else {"C"})
    assert "A" not in relations(after(original, other), new) or frequency == "8"


def test_a_replacement_may_correct_the_side_where_no_other_claim_is_meant() -> None:
    corrected = entry(2, "B", frequency_code="7", original_reference_number="ICN1", lines=lines("LT"))
    assert counting(after(entry(1, "A"), corrected)) == {"B"}
    void = entry(2, "B", frequency_code="8", original_reference_number="ICN1", lines=lines("LT"))
    assert counting(after(entry(1, "A"), void)) == {"A"}


@pytest.mark.parametrize(
    "other",
    [
        {"lines": lines("RT", day="2026-10-02")},
        {"billing_provider": {"npi": "1245319599"}},
        {"patient": {**ANNA, "sex": "M"}},
    ],
)
def test_a_void_by_the_payers_number_ends_nothing_that_it_may_not_mean(other: dict[str, Any]) -> None:
    void = entry(2, "B", frequency_code="8", original_reference_number="ICN1", **other)
    assert counting(after(entry(1, "A", patient=ANNA), void)) == {"A"}


def test_a_void_that_overtakes_its_original_leaves_a_tombstone() -> None:
    for claim_id, reference in (("A", "ICN1"), ("B", "A")):
        void = entry(5, claim_id, frequency_code="8", original_reference_number=reference)
        ledger = after(void)
        late = entry(4, "A")
        assert ledger.history(late).superseded_by == revision(5)
        assert ledger.after(late, billed=False, version="v", since=LONG_AGO) is ledger
        again = entry(6, "A")
        assert ledger.history(again).superseded_by is None
        assert counting(after(void, again)) == {"A"}


def test_an_older_version_that_comes_later_is_superseded_wherever_the_newer_one_went() -> None:
    for billed in (True, False):
        newer = EMPTY.after(entry(5, "A"), billed=billed, version="v", since=LONG_AGO)
        assert newer.history(entry(4, "A")).superseded_by == revision(5)
        assert newer.history(entry(6, "A")).superseded_by is None


def test_a_version_that_goes_to_rework_leaves_what_was_billed() -> None:
    ledger = after(entry(1, "A")).after(entry(2, "A"), billed=False, version="v", since=LONG_AGO)
    assert counting(ledger) == {"A"}
    assert ledger.entries["A"].revision == revision(2)
    seen = EMPTY.after(entry(1, "A"), billed=False, version="v", since=LONG_AGO)
    assert (counting(seen), seen.history(entry(2, "B")).billed) == (set(), ())


def test_a_flood_of_faulty_claims_leaves_the_newest_marks_alone() -> None:
    ledger = after(entry(0, "A"))
    for number in range(1, 100):
        new = entry(number, f"B{number}")
        ledger = ledger.after(new, billed=False, version=new.revision, since=LONG_AGO)
    assert set(ledger.entries) == {"A", *(f"B{number}" for number in range(80, 100))}


def test_a_rejected_claim_counts_no_longer_and_may_be_sent_again() -> None:
    ledger = after(entry(1, "A", "same")).rejected("A", "v")
    assert relations(ledger, entry(2, "A", "same")) == {}
    assert relations(ledger, entry(2, "B")) == {}
    again = entry(2, "A", "same")
    assert counting(ledger.after(again, billed=True, version="v", since=LONG_AGO)) == {"A"}


def test_entries_go_when_they_are_too_old_and_the_whole_ledger_with_the_last() -> None:
    imported = entry(0, "OLD")._replace(revision=imported_revision(date(2023, 1, 31)))
    old = EMPTY.after(imported, billed=True, version="v", since=LONG_AGO)
    new = entry(1, "A")
    assert set(old.after(new, billed=True, version="v", since=date(2023, 1, 31)).entries) == {"OLD", "A"}
    assert set(old.after(new, billed=True, version="v", since=date(2023, 2, 1)).entries) == {"A"}
    assert datetime.fromtimestamp(expiry_ms(old, 36) / 1000, UTC) == datetime(2026, 2, 1, tzinfo=UTC)


def test_what_was_imported_is_older_than_any_inbox_entry() -> None:
    imported = LedgerEntry("A", imported_revision(date(2999, 1, 1)), "billed")
    assert imported.order < entry(0, "A").order
    assert imported.day == date(2999, 1, 1)


rows = st.builds(
    lambda day, length, side, lifts, units: LedgerRow(
        date.fromordinal(day), date.fromordinal(day + length), side, lifts, "64445", units
    ),
    st.integers(700_000, 740_000), st.integers(0, 40), st.sampled_from(["LT", "RT", "50", ""]),
    st.sampled_from([(), ("59",), ("76", "XE")]), st.none() | st.decimals(-10, 10, places=2, allow_nan=False),
)  # fmt: skip
ids = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=38)
parts = st.sampled_from(["", "ab+/", "zzzz"])
entries = st.builds(
    LedgerEntry, ids, st.integers(0, 2**50).map(lambda ms: f"{ms}-7"),
    st.sampled_from(["billed", "rejected"]), st.sampled_from("178"), st.just("0123456789ab"), st.text(max_size=10),
    st.sampled_from(["practitioner", "hospital_outpatient", "asc"]), st.tuples(parts, parts, parts),
    st.lists(rows, max_size=3).map(tuple), st.none(), st.sampled_from(["", "north"]),
    st.sampled_from(["", "0badcafe"]), st.none(),
)  # fmt: skip
marks = st.builds(lambda name, state: LedgerEntry(name, "5-1", state), ids, st.sampled_from(["seen", "ended"]))


@given(st.lists(entries | marks, max_size=5))
def test_what_is_written_is_read_back(found: list[LedgerEntry]) -> None:
    ledger = Ledger("5-1", {entry.name: entry for entry in found})
    assert Ledger.parse(str(ledger)) == ledger


def test_nothing_of_a_person_stands_in_it() -> None:
    text = str(after(entry(1, "A", patient=ANNA, subscriber={"member_id": "CANARY77"})))
    for value in ("Anna", "ANNA", "1970", "CANARY77", "87726"):
        assert value not in text
    assert NOBODY == ("", "", "")


@given(st.dates(date(1990, 1, 1), date(2100, 1, 1)), st.integers(-60, 60))
def test_months_never_fall_short(day: date, months: int) -> None:
    moved = months_after(day, months)
    assert (moved.year * 12 + moved.month) - (day.year * 12 + day.month) in (months, months + 1)
    assert moved.day == day.day or moved.day == 1
