"""A hospital's own table of contracts: what a row pays, what no row says, and every fault of a file by its line."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from rules.payment.contracts import COLUMNS, Contracts, contract_payment, read_contracts
from rules.payment.places import by_locality
from rules.payment.question import Expected, Question, Site
from tests.book import BOOK

DAY = date(2026, 7, 13)
PAYERS = [name for name in BOOK.registry.names if name not in BOOK.registry.groups]
BUSINESS = ("commercial", "medicare_advantage")
ROWS = (
    "aetna,,64445,office,,dollars,310.00,2026-01-01,2026-12-31",
    "aetna,,64445,office,50,dollars,465.00,2026-01-01,",
    "aetna,medicare_advantage,64445,office,,percent_of_medicare,98,2026-01-01,",
    "aetna,,64445,hospital,,percent_of_charge,62.5%,2026-01-01,",
    'bcbs/ibx,,64445,asc,,dollars,"$1,204.50",2026-01-01,',
    "bcbs,,64445,asc,,dollars,1000.00,2026-01-01,",
    "91051x,,64445,office,,dollars,200.00,2026-01-01,",
)


def table(*rows: str) -> Contracts:
    found, problems = read_contracts("c.csv", text(*rows), PAYERS, BUSINESS)
    assert problems == []
    return found


def text(*rows: str) -> str:
    return "\n".join([",".join(COLUMNS), *rows, ""])


def pays(
    site: Site = "office", *, payers: tuple[str, ...] = ("60054", "aetna"), business: str | None = "commercial",
    charge: int | None = 45000, day: date = DAY, contracts: Contracts | None = None, **more: Any,
) -> Expected:  # fmt: skip
    question = Question("64445", day, site, by_locality(BOOK.tables, "TX 11", DAY), **more)
    return contract_payment(question, BOOK.tables, contracts or table(*ROWS), payers, business, charge)


def test_a_row_in_dollars_is_the_amount_on_its_dates() -> None:
    found = pays(modifiers=("RT",))
    assert (found.kind, found.low, found.high, found.schedule) == ("amount", 31000, 31000, "contract")
    assert pays(day=date(2027, 1, 1)).missing == ("a row of the contract table for aetna, 64445, office, 2027-01-01",)


def test_a_percentage_is_of_the_charge_or_of_what_medicare_allows() -> None:
    assert pays("hospital").low == 28125
    assert pays("hospital", charge=None).missing == ("the charge: the contract with aetna pays 62.5 % of it",)
    found = pays(business="medicare_advantage")
    assert found.low == 16911
    assert found.steps[-1] == "contract with aetna: 98 % of Medicare"


def test_a_percentage_of_what_medicare_does_not_say_is_unknown() -> None:
    contracts = table("aetna,,64445,asc,,percent_of_medicare,120,2026-01-01,")
    found = pays("asc", day=date(2026, 11, 2), contracts=contracts)
    assert found.kind == "unknown"
    assert found.missing == ("status of 64445 on 2026-11-02: scrub tables import ASC Addendum AA of that quarter",)


def test_both_sides_have_a_row_of_their_own_or_are_unknown() -> None:
    assert pays(modifiers=("50",)).low == pays(modifiers=("LT", "RT")).low == 46500
    assert pays(modifiers=("51",)).kind == "unknown"
    assert pays(modifiers=("50", "51")).kind == "unknown"


def test_the_closest_name_of_a_payer_wins() -> None:
    assert pays("asc", payers=("54704", "bcbs/ibx", "bcbs")).low == 120450
    assert pays("asc", payers=("54704", "bcbs")).low == 100000
    assert pays(payers=("91051X",)).low == 20000


def test_what_a_line_alone_does_not_say_is_unknown() -> None:
    for more in ({"units": Decimal(2)}, {"rank": "uncertain"}, {"second_side": True, "modifiers": ("LT",)}):
        assert pays(**more).missing == (
            "how aetna pays several units or procedures of a day: the contract table has one line alone",
        )


def test_without_a_table_it_is_said_where_to_name_one() -> None:
    question = Question("64445", DAY, "office")
    found = contract_payment(question, BOOK.tables, Contracts(), ("aetna",), None, None)
    assert found.missing == ("a contract with aetna: set SCRUB_CONTRACTS to a table of what it pays",)


GOOD = "aetna,,64445,office,,dollars,310.00,2026-01-01,2026-12-31"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "c.csv:1:1: is empty; expected the header " + ",".join(COLUMNS)),
        ("payer,code\n", "c.csv:1:1: expected the header " + ",".join(COLUMNS)),
        (text("aetna,64445"), "c.csv:2:1: expected 9 fields, found 2"),
        (text(GOOD.replace("aetna", "aetn")), "c.csv:2:1: payer: 'aetn' is none that the rule book knows; did you mean aetna?"),
        (text(GOOD.replace("aetna", "medicare")), "c.csv:2:1: payer: Medicare is paid by its own schedules (scrub tables import); a plan is another payer"),
        (text(GOOD.replace("aetna,", ",")), "c.csv:2:1: payer: expected one"),
        (text(GOOD.replace(",,64445", ",ppo,64445")), "c.csv:2:1: line_of_business: expected one of commercial, medicare_advantage, or nothing"),
        (text(GOOD.replace("64445", "6445")), "c.csv:2:1: code: expected five characters, such as 64445"),
        (text(GOOD.replace("office", "11")), "c.csv:2:1: site: expected one of office, facility, hospital, asc"),
        (text(GOOD.replace("office,,", "office,RT,")), "c.csv:2:1: modifier: RT changes no payment; leave it out"),
        (text(GOOD.replace("office,,", "office,5,")), "c.csv:2:1: modifier: expected one of two characters, such as 50, or nothing"),
        (text(GOOD.replace("dollars", "rate")), "c.csv:2:1: basis: expected one of dollars, percent_of_charge, percent_of_medicare"),
        (text(GOOD.replace("310.00", "310.005")), "c.csv:2:1: amount: expected US dollars such as 412.50"),
        (text(GOOD.replace("310.00", "-3")), "c.csv:2:1: amount: expected US dollars such as 412.50"),
        (text(GOOD.replace("dollars,310.00", "percent_of_charge,1001")), "c.csv:2:1: amount: expected a percentage such as 62.5"),
        (text(GOOD.replace("2026-01-01", "1/1/2026")), "c.csv:2:1: from, to: expected dates as YYYY-MM-DD; an empty `to` is without end"),
        (text(GOOD.replace("2026-12-31", "2025-12-31")), "c.csv:2:1: to: is before `from`"),
        (text(GOOD, GOOD.replace("310", "320").replace("2026-01-01", "2026-12-31")), "c.csv:3:1: its dates overlap those of an earlier row for the same"),
        (text('"aetna'), "c.csv:2:1: is no CSV (unexpected end of data)"),
    ],
)  # fmt: skip
def test_a_faulty_table_is_refused_by_its_line(content: str, expected: str) -> None:
    _, problems = read_contracts("c.csv", content, PAYERS, BUSINESS)
    assert list(map(str, problems)) == [expected]


def test_every_fault_of_a_table_is_told_at_once() -> None:
    _, problems = read_contracts("c.csv", text("x,y,z,a,b,c,d,e,f", GOOD.replace("64445", "?")), PAYERS, BUSINESS)
    assert [problem.line for problem in problems] == [2] * 7 + [3]


def test_a_table_as_spreadsheets_save_it_is_read() -> None:
    found, problems = read_contracts("c.csv", "\ufeff" + text(GOOD, ",,,,,,,,").replace("\n", "\r\n"), PAYERS, BUSINESS)
    assert (problems, len(found)) == ([], 1)


def test_the_table_of_the_readme_is_one() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
    block = readme[readme.index(",".join(COLUMNS)) :].split("\n\n")[0]
    found, problems = read_contracts("README.md", "\n".join(map(str.strip, block.splitlines())), PAYERS, BUSINESS)
    assert (problems, len(found)) == ([], 3)
