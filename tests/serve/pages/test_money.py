"""Money on the pages: what is expected to be paid beside each charge, and the list as a table for a spreadsheet."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from typing import Any

import pytest

from rules.authoring.examples import example_claim
from tests.serve.conftest import Service, _over, _served

from .conftest import PROXY, Person, decide, found, text_of

HOSTILE = ('=HYPERLINK("http://evil.example","x")', "+1", "-2+3", "@SUM(A1)", "\uff1d1+1", 'a,"b";c')
MEDICARE = {
    **example_claim("practitioner", {"diagnoses": ["XX"]}, {"filing_indicator": "MB"}), "total_charge": "450.00",
}  # fmt: skip


@pytest.fixture(scope="module")
def desk() -> Iterator[Service]:
    started: list[Service] = []
    try:
        service = _served(started, **PROXY)
        odd = [
            {**MEDICARE, "claim_id": f"{text[:1]}ODD-{place}", "payer": {**MEDICARE["payer"], "name": text}}
            for place, text in enumerate(HOSTILE)
        ]
        other = {**MEDICARE, "claim_id": "OTHER-1", "payer": {"id": "87726", "filing_indicator": "CI", "name": "U"}}
        decide(service, {**MEDICARE, "claim_id": "MONEY-1"}, other, *odd)
        yield service
    finally:
        _over(started)


def exported(person: Person, address: str) -> tuple[list[dict[str, str]], Any]:
    answer = person.http.get(address)
    assert answer.status_code == 200, answer.text[:2_000]
    assert answer.content.startswith(b"\xef\xbb\xbf"), "or a spreadsheet takes it for another encoding"
    text = answer.content.decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline=""))), answer


def test_the_list_the_claim_and_what_is_found_have_the_expected_payment_beside_the_charge(desk: Service) -> None:
    dana = Person(desk)
    said = text_of(dana.get("/held"))
    assert re.search(
        r"8 claims, \$3,600.00 charged, expected: \$[0-9,.]+ to \$[0-9,.]+ for 7 of them, charged", said
    ), said
    assert re.search(r"MONEY-1 .*?\$450.00 \$161.93 to \$180.00", said)
    assert re.search(r"OTHER-1 .*?\$450.00 unknown", said)
    first = text_of(dana.get("/held?sort=expected"))
    assert first.index("MONEY-1") < first.index("OTHER-1"), "unknown comes last"
    assert "Highest expected payment 8 claims" in first
    handle = dana.open("MONEY-1")
    assert "expected payment: $161.93 to $180.00" in text_of(dana.page)
    dana.get("/find")
    assert re.search(r"MONEY-1 .*?\$450.00 \$161.93 to \$180.00", text_of(dana.post("/find", number="MONEY")))
    assert "$450.00 charged, expected: $161.93 to $180.00" in text_of(dana.get(f"/cases/{handle}/pend"))
    assert "expected payment: $" in text_of(dana.get("/figures"))
    dana.get("/held")
    bulk = dana.post("/bulk", act="note", case=[f"{handle}:1"], list="")
    assert "1 claim, $450.00 charged, expected: $161.93 to $180.00." in text_of(bulk)


def test_the_list_is_exported_as_it_is_filtered_and_that_is_on_the_audit_log(desk: Service) -> None:
    dana = Person(desk, "exporter")
    page = dana.get("/held?sort=expected&due=365")
    link = found(r'href="([^"]*held\.csv[^"]*)">Export', page)
    assert link == "/held.csv?due=365&sort=expected"
    dana.get("/held")
    link = found(r'href="([^"]*held\.csv[^"]*)">Export', dana.page)
    rows, answer = exported(dana, link)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert re.fullmatch(r'attachment; filename="claims-[0-9-]{10}\.csv"', answer.headers["content-disposition"])
    assert "no-store" in answer.headers["cache-control"]
    assert len(rows) == 8
    one = next(row for row in rows if row["claim"] == "MONEY-1")
    assert [one[name] for name in ("charge", "expected", "expected_low", "expected_high")] == [
        "450.00", "range", "161.93", "180.00",
    ]  # fmt: skip
    other = next(row for row in rows if row["claim"] == "OTHER-1")
    assert [other[name] for name in ("expected", "expected_low", "expected_high")] == ["unknown", "", ""]
    lines = [line for line in desk.audited("case.listed") if line["user.name"] == "exporter"]
    assert lines[-1]["access.cases"] == 8
    assert exported(dana, "/work.csv")[0] == []
    assert exported(dana, "/held.csv?payer=U")[0] == [other]


def test_no_cell_of_the_export_is_a_formula_and_every_row_is_whole(desk: Service) -> None:
    rows, _ = exported(Person(desk), "/held.csv")
    assert len(rows) == 8
    for row in rows:
        assert None not in row
        assert None not in row.values()
        for value in row.values():
            number = re.fullmatch(r"-?[0-9]+", value)
            assert number or not value.lstrip().startswith(("=", "+", "-", "@", "\uff1d"))
    names = {row["payer"] for row in rows}
    assert {f"'{text}" for text in HOSTILE[:5]} <= names


def test_who_may_not_read_exports_nothing(desk: Service) -> None:
    stranger = Person(desk, "otto", "scrub-check")
    assert stranger.http.get("/held.csv").status_code == 403
    answer = Person(desk, "north", "scrub-read,scrub-facility-NORTH").http.get("/held.csv")
    assert (answer.status_code, answer.content.count(b"\r\n")) in ((200, 1), (403, answer.content.count(b"\r\n")))


def test_while_the_database_is_away_nothing_is_exported(desk: Service) -> None:
    """Of what was seen last there would be some, which a person would take for all."""
    dana = Person(desk, "late")
    dana.get("/held")
    folder, aside = desk.home / "state/desk", desk.home / "aside"
    folder.rename(aside)
    folder.write_bytes(b"in the way")
    try:
        page = dana.get("/held")
        assert "Read only" in text_of(page)
        assert "MONEY-1" in text_of(page)
        assert "held.csv" not in page
        assert "$161.93 to $180.00" in text_of(page)
        assert dana.http.get("/held.csv").status_code == 503
    finally:
        folder.unlink()
        aside.rename(folder)
