"""`scrub benchmark`, and expected payments beside charges in `scrub check`, as a user sees them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rules.authoring.examples import example_claim
from tests.tables.test_zips import zips_text

from .conftest import Run

JULY = ("--date", "2026-07-13")
CONTRACTS = "payer,line_of_business,code,site,modifier,basis,amount,from,to\n"
Write = Callable[..., Path]


def asked(scrub: Run, *arguments: str, code: int = 0, **env: str) -> dict[str, Any]:
    done = scrub("benchmark", *arguments, "--format", "json", **env)
    assert (done.returncode, done.stderr) == (code, "")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_an_amount_with_how_it_comes_about(scrub: Run) -> None:
    done = scrub("benchmark", *JULY, "--site", "office", "--locality", "TX 11")
    assert done.stdout.splitlines() == [
        "64445 on 2026-07-13: a practitioner in an office, TX 11 (Dallas)",
        "  Medicare is expected to allow $172.56",
        "    (1.36 x 1.009 + 3.68 x 0.996 + 0.15 x 0.858) x 33.4009",
        "  by:      the book's relative_values; the book's payment_indicators; the book's localities",
        "  Payer's and patient's part together, before deductible and sequestration.",
    ]


def test_without_a_place_it_is_the_range_of_the_nation(scrub: Run) -> None:
    found = asked(scrub, *JULY, "--site", "office")
    assert found["national"] == "173.35"
    assert [found["expected"][name] for name in ("kind", "low", "high")] == ["range", "153.59", "230.35"]
    assert len(found["localities"]) == 109
    done = scrub("benchmark", *JULY, "--site", "office", "--state", "Texas", "--qualifying")
    assert "expected to allow $162.74 to $180.90" in done.stdout
    assert "missing: the locality within the state" in done.stdout


def test_each_locality_has_its_line(scrub: Run) -> None:
    done = scrub("benchmark", *JULY, "--site", "office", "--state", "TX", "--each")
    assert done.stdout.splitlines()[:2] == [
        "04412  TX  09  $171.51  Brazoria",
        "04412  TX  11  $172.56  Dallas",
    ]
    lines = scrub("benchmark", *JULY, "--site", "office", "--each", "--format", "json").stdout.splitlines()
    amounts = [float(json.loads(line)["expected"]["low"]) for line in lines]
    assert (len(amounts), min(amounts), max(amounts)) == (109, 153.59, 230.35)
    refused = scrub("benchmark", *JULY, "--site", "asc", "--each")
    assert refused.returncode == 2


@pytest.mark.parametrize(
    ("arguments", "kind", "amount"),
    [
        (("--site", "facility", "--locality", "04412 11", "--modifiers", "50"), "amount", "98.66"),
        (("--site", "hospital"), "amount", "721.17"),
        (("--site", "hospital", "--wage-index", "1.0412"), "amount", "739.00"),
        (("--site", "hospital", "--with", "27447,76942"), "packaged", "0.00"),
        (("--site", "asc", "--units", "2"), "amount", "185.30"),
        (("--site", "office", "--locality", "TX 11", "--charge", "150"), "amount", "150.00"),
    ],
)
def test_sites_modifiers_and_lines_beside(scrub: Run, arguments: tuple[str, ...], kind: str, amount: str) -> None:
    found = asked(scrub, *JULY, *arguments)["expected"]
    assert (found["kind"], found["low"], found["high"]) == (kind, amount, amount)


def test_what_is_unknown_ends_with_1_and_says_what_is_missing(scrub: Run) -> None:
    done = scrub("benchmark", "--date", "2026-10-13", "--site", "asc")
    assert done.returncode == 1
    assert done.stdout.splitlines()[1:] == [
        "  what Medicare allows is unknown",
        "  missing: status of 64445 on 2026-10-13: scrub tables import ASC Addendum AA of that quarter",
    ]
    assert asked(scrub, *JULY, "--site", "office", "--locality", "TX 12", code=1)["expected"]["missing"] == [
        "locality TX 12 on 2026-07-13: TX has TX 09, TX 11, TX 15, TX 18, TX 20, TX 28, TX 31, TX 99"
    ]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--site", "home"), "'home' is no site; expected office, facility, hospital, asc"),
        (("--site", "office", "--date", "13.7.2026"), "'13.7.2026' is no date; expected YYYY-MM-DD"),
        (("--site", "office", "--state", "Texass"), "'Texass' is no state; expected two letters, such as TX"),
        (("--site", "office", "--state", "TX", "--zip", "75201"), "give one of --zip, --locality and --state"),
        (("--site", "hospital", "--wage-index", "-1"), "'-1' is no number above 0"),
        (("--site", "hospital", "--units", "NaN"), "'NaN' is no number above 0"),
    ],
)
def test_bad_usage_ends_with_2(scrub: Run, arguments: tuple[str, ...], expected: str) -> None:
    done = scrub("benchmark", *arguments, COLUMNS="200")
    assert done.returncode == 2
    assert expected in done.stderr


def test_a_zip_code_is_found_once_its_file_is_imported_and_names_the_file(scrub: Run, home: Path) -> None:
    place = (*JULY, "--site", "office", "--zip", "94110")
    assert "the ZIP codes of 2026-07-13" in asked(scrub, *place, code=1)["expected"]["missing"][0]
    (home / "ZIP5_JUL2026.txt").write_bytes(zips_text())
    done = scrub("tables", "import", "ZIP5_JUL2026.txt")
    assert done.stdout.splitlines()[0] == (
        "imported: ZIP codes with their localities, 2026 Q3; 16 rows kept, the whole table; dates of service from "
        "2026-07-01 until a later edition; for zip5"
    )
    found = asked(scrub, *place)
    assert found["localities"][0]["locality"] == "05"
    assert found["expected"]["editions"][0] == "ZIP codes with their localities, 2026 Q3"
    (edition,) = [
        one
        for one in map(json.loads, scrub("tables", "list", "--format", "json").stdout.splitlines())
        if one["imported"]
    ]
    scrub("tables", "undo", edition["id"])
    assert asked(scrub, *place, code=1)


def test_a_contract_table_pays_for_other_payers_and_a_faulty_one_is_refused(scrub: Run, home: Path) -> None:
    (home / "c.csv").write_text(CONTRACTS + "aetna,,64445,office,,dollars,310.00,2026-01-01,\n")
    place = (*JULY, "--site", "office", "--payer", "aetna")
    assert asked(scrub, *place, "--contracts", "c.csv")["expected"]["low"] == "310.00"
    assert asked(scrub, *place, SCRUB_CONTRACTS=str(home / "c.csv"))["expected"]["schedule"] == "contract"
    assert asked(scrub, *place, code=1)["expected"]["missing"] == [
        "a contract with aetna: set SCRUB_CONTRACTS to a table of what it pays"
    ]
    (home / "bad.csv").write_text(CONTRACTS + "aetn,,64445,office,,dollars,x,2026-01-01,\n")
    done = scrub("benchmark", *place, "--contracts", "bad.csv")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-2:] == [
        "bad.csv:2:1: payer: 'aetn' is none that the rule book knows; did you mean aetna?",
        "bad.csv:2:1: amount: expected US dollars such as 412.50",
    ]
    (home / "latin.csv").write_bytes(CONTRACTS.encode() + b"a\xe9tna,,64445,office,,dollars,1,2026-01-01,\n")
    done = scrub("check", home / "none.json", SCRUB_CONTRACTS=str(home / "latin.csv"))
    assert done.returncode == 2
    assert "is not UTF-8 at byte 64; save it as CSV UTF-8" in done.stderr


def held(name: str, payer: dict[str, Any]) -> dict[str, Any]:
    return {**example_claim("practitioner", {"diagnoses": ["XX"]}, payer), "claim_id": name}


def test_the_check_shows_what_is_expected_beside_the_charge_and_sums_it_up(scrub: Run, write: Write) -> None:
    file = write(
        "c.ndjson", held("A", {"filing_indicator": "MB"}), held("B", {"id": "60054", "filing_indicator": "CI"})
    )
    done = scrub("check", file)
    assert done.returncode == 1
    assert "  charge: $450.00, expected: $161.93 to $180.00 (physician fee schedule)" in done.stdout
    assert "  charge: $450.00, expected: unknown\n" in done.stdout
    end = done.stdout.splitlines()
    first = next(place for place, line in enumerate(end) if line.startswith("Held: "))
    assert end[first : first + 2] == [
        "Held: 2 claims, $900.00; expected: $161.93 to $180.00 for 1 of them, charged $450.00.",
        "  What 1 of them bring is in your contracts: set SCRUB_CONTRACTS.",
    ]
    told = scrub("check", "--format", "json", file)
    assert told.returncode == 1
    amounts = [line["expected"] for line in json.loads(told.stdout.splitlines()[0])["expected"]]
    assert [(one["low"], one["high"]) for one in amounts] == [("161.93", "180.00")]


def test_a_clean_claim_has_no_line_of_money(scrub: Run, write: Write) -> None:
    clean = example_claim("practitioner", {"diagnoses": ["M54.31"]}, {"filing_indicator": "MB"})
    done = scrub("check", write("c.json", clean))
    assert done.returncode in (0, 1)
    assert "charge:" not in done.stdout
    assert "Held:" not in done.stdout
