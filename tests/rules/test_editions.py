"""Imported editions: who speaks for a table on which day, and what an edition's file is."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.authoring.examples import example_claim
from rules.claim import read_claim
from rules.engine.check import check
from rules.errors import BookInvalid
from rules.loader import read_book
from rules.tables.edition import Edition
from rules.tables.editions import clashes, merged, read_edition
from rules.tables.table import SPECS, read_table
from tests.book import BOOK
from tests.rules.small import FILE, LIBRARY_FILES, RULE

SHIPPED, _ = read_table("mue", "f", f"{','.join(SPECS['mue'].columns)}\npractitioner,64445,1,3,2024-07-01,,s\noutpatient_hospital,64445,1,3,2024-07-01,,s\n", {"s": None})  # fmt: skip


def edition(
    units: str, starts: str, to: str | None = None, *, table: str = "mue", part: str = "practitioner",
    rows: list[list[str]] | None = None, back: bool = False,
) -> Edition:  # fmt: skip
    return Edition.model_validate(
        {
            "table": table, "title": "Official", "release": starts, "reaches_back": back,
            "files": [{"name": "f.csv", "sha256": f"{int(units):064}"}],
            "speaks": {part: {"from": starts, "to": to}},
            "rows": rows if rows is not None else [[part, "64445", units, "3", "", ""]],
        }
    )  # fmt: skip


def units_on(day: date, *editions: Edition, part: str = "practitioner") -> str | None:
    row = merged(SHIPPED, editions).find((part, "64445"), day)
    return row[0] if row else None


def test_an_edition_speaks_from_its_first_day_on() -> None:
    new = edition("2", "2026-07-01")
    assert [units_on(date(2026, 6, 30), new), units_on(date(2026, 7, 1), new), units_on(date(2030, 1, 1), new)] == [
        "1",
        "2",
        "2",
    ]


def test_it_leaves_the_other_part_alone() -> None:
    assert units_on(date(2026, 7, 1), edition("2", "2026-07-01"), part="outpatient_hospital") == "1"


def test_two_editions_live_side_by_side_by_date_whatever_their_order() -> None:
    first, second = edition("2", "2026-07-01"), edition("3", "2026-10-01")
    for pair in ((first, second), (second, first)):
        found = [
            units_on(date(2026, 6, 30), *pair),
            units_on(date(2026, 9, 30), *pair),
            units_on(date(2026, 10, 1), *pair),
        ]
        assert found == ["1", "2", "3"]


def test_after_the_last_day_of_an_edition_the_shipped_rows_speak_again() -> None:
    year = edition("2", "2026-01-01", "2026-12-31")
    assert [units_on(date(2026, 12, 31), year), units_on(date(2027, 1, 1), year)] == ["2", "1"]


def test_what_an_edition_does_not_hold_is_not_there_on_its_dates() -> None:
    empty = edition("2", "2026-07-01", rows=[])
    assert [units_on(date(2026, 6, 30), empty), units_on(date(2026, 7, 1), empty)] == ["1", None]


def test_rows_with_dates_of_their_own_hold_on_them_within_the_edition() -> None:
    rows = [
        ["practitioner", "64445", "5", "3", "2020-01-01", "2026-07-31"],
        ["practitioner", "64445", "6", "3", "2026-08-01", ""],
    ]
    own = edition("2", "2026-07-01", rows=rows)
    assert [units_on(date(2026, 6, 30), own), units_on(date(2026, 7, 31), own), units_on(date(2026, 8, 1), own)] == [
        "1",
        "5",
        "6",
    ]


def test_the_first_edition_whose_rows_have_dates_also_speaks_for_the_time_before_it() -> None:
    rows = [["practitioner", "64445", "5", "3", "2020-01-01", ""]]
    first, second = edition("2", "2026-07-01", rows=rows, back=True), edition("3", "2026-10-01", back=True)
    days = (date(2019, 12, 31), date(2020, 1, 1), date(2026, 9, 30), date(2026, 10, 1))
    assert [units_on(day, first, second) for day in days] == [None, "5", "5", "3"]


def test_the_table_says_which_edition_speaks_and_which_dates_it_covers() -> None:
    own = edition("2", "2020-07-01", "2020-12-31")
    table = merged(SHIPPED, [own])
    assert [table.edition("practitioner", date(2020, 6, 30)), table.edition("practitioner", date(2020, 7, 1))] == [
        None,
        own,
    ]
    days = (date(2020, 6, 30), date(2020, 7, 1), date(2021, 1, 1), date(2024, 7, 1))
    assert [table.covers("practitioner", day) for day in days] == [False, True, False, True]
    assert not table.covers("outpatient_hospital", date(2020, 7, 1))


DAYS = st.dates(date(2024, 1, 1), date(2027, 12, 31))


@given(st.lists(st.tuples(DAYS, st.none() | st.integers(0, 400)), max_size=5, unique_by=lambda entry: entry[0]), DAYS)
def test_on_every_day_the_last_edition_that_has_begun_and_not_ended_speaks_alone(
    periods: list[tuple[date, int | None]], day: date
) -> None:
    editions = [
        edition(str(place), start.isoformat(), (start + timedelta(days=days)).isoformat() if days is not None else None)
        for place, (start, days) in enumerate(periods, 10)
    ]
    begun = [(e.speaks["practitioner"].from_, e) for e in editions if e.speaks["practitioner"].from_ <= day]
    last = max(begun, default=(None, None), key=lambda entry: entry[0])[1] if begun else None
    ends = last.speaks["practitioner"].to if last else None
    speaks = last if last and (ends is None or day <= ends) else None
    shipped = "1" if day >= date(2024, 7, 1) else None
    assert units_on(day, *editions) == (speaks.rows[0][2] if speaks else shipped)
    spans = merged(SHIPPED, editions).spans.get(("practitioner", "64445"), ())
    assert sum(start <= day <= end for start, end, _ in spans) <= 1


def test_two_editions_that_begin_on_one_day_clash_unless_they_say_the_same() -> None:
    one, same, other = edition("2", "2026-07-01"), edition("2", "2026-07-01"), edition("3", "2026-07-01")
    assert clashes([one, same]) == []
    assert clashes([one, other]) == [(one, other, "practitioner")]
    assert clashes([one, edition("3", "2026-07-01", part="outpatient_hospital")]) == []


def test_the_file_of_an_edition_is_the_same_whoever_writes_it_and_reads_back() -> None:
    one = edition("2", "2026-07-01")
    assert read_edition("x.json", one.text()) == (one, [])
    again, _ = read_edition("x.json", one.text())
    assert again is not None
    assert again.text() == one.text()
    assert one.id == "mue-practitioner-2026-07-01-00000000"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"form": 3}, "imported/x.json:1:1: form: is no imported edition"),
        ({"table": "nothing"}, "imported/x.json:1:1: table: no fact reads a table 'nothing'"),
        ({"rows": [["practitioner", "64445", "1", "3", ""]]}, "imported/x.json:2:1: rows: expected 6 fields of a part that it speaks for"),
        ({"rows": [["outpatient_hospital", "64445", "1", "3", "", ""]]}, "imported/x.json:2:1: rows: expected 6 fields of a part that it speaks for"),
        ({"rows": [["practitioner", "64445", "1", "3", "soon", ""]]}, "imported/x.json:2:1: rows: expected dates as YYYY-MM-DD"),
        ({"files": []}, "imported/x.json:1:1: files: is no imported edition"),
    ],
)  # fmt: skip
def test_a_faulty_file_of_an_edition_does_not_load(change: dict[str, Any], expected: str) -> None:
    content = json.dumps(json.loads(edition("2", "2026-07-01").text()) | change).encode()
    with pytest.raises(BookInvalid) as caught:
        read_book({**LIBRARY_FILES, FILE: RULE.encode()}, {"x.json": content})
    assert str(caught.value.problems[0]).startswith(expected)


def test_a_file_that_was_cut_does_not_load() -> None:
    assert "is no imported edition" in str(read_edition("x.json", edition("2", "2026-07-01").text()[:200])[1][0])


def test_editions_are_part_of_the_books_digest_and_clashes_do_not_load() -> None:
    files = {**LIBRARY_FILES, FILE: RULE.encode()}
    one, other = edition("2", "2026-07-01"), edition("3", "2026-07-01")
    plain, with_one = read_book(files), read_book(files, {"a.json": one.text()})
    assert plain.digest != with_one.digest == read_book(files, {"a.json": one.text()}).digest
    with pytest.raises(BookInvalid, match="begins on the same day as"):
        read_book(files, {"a.json": one.text(), "b.json": other.text()})


def mue_report(*editions: Edition, units: str = "1") -> Any:
    claim = example_claim("practitioner", {"lines": [{"units": units}]}, {"id": "04412", "filing_indicator": "MB"})
    return check(read_claim(claim), BOOK.with_editions(editions))


def test_a_report_names_the_edition_that_judged_also_where_nothing_is_found() -> None:
    own = edition("1", "2026-07-01")
    (found,) = [e for e in mue_report(own).editions if e.table == "mue" and "copy" not in (e.edition or "")]
    assert (found.title, found.edition, found.sha256) == ("Official", "2026-07-01", own.files[0].sha256)
    (shipped,) = [e for e in mue_report().editions if e.table == "mue" and "2024 Q3" in (e.edition or "")]
    assert shipped.sha256 is None


def test_a_finding_cites_the_edition_that_judged() -> None:
    (cited,) = [f.citation for f in mue_report(edition("1", "2026-07-01"), units="2").every if f.code == "UNT002"]
    assert (cited.source, cited.edition, cited.grade) == ("Official", "2026-07-01", "A")
    (cited,) = [f.citation for f in mue_report(edition("1", "2026-08-01"), units="2").every if f.code == "UNT002"]
    assert cited.edition is not None
    assert cited.edition.startswith("2024 Q3")
