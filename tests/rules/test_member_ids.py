"""Forms of member ids as payer files declare them: a closed vocabulary, and never a regular expression."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.authoring.examples import example_claim
from rules.claim import read_claim
from rules.engine.cases import case_of
from rules.errors import BookInvalid
from rules.facts import ClaimFacts
from rules.loader import read_book
from rules.memberids import EARLIER, MemberIdShape
from tests.book import BOOK
from tests.former import shipped_of_first_payers
from tests.rules.small import FILE, LIBRARY_FILES, RULE

MBI = "AC-HJKMNP-RT-Y"
OF_0_1_0 = {
    "blue": r"(?=[0-9A-Z]{0,2}[A-Z])[0-9A-Z]{4,17}",
    "fep": r"R[0-9]{8}",
    "uhc": r"[0-9]{9}",
    "aetna": r"W[0-9]{9}",
    "cigna": r"U[0-9]{8}(?:[0-9]{2})?",
    "mbi": rf"[1-9][{MBI}][0-9{MBI}][0-9][{MBI}][0-9{MBI}][0-9][{MBI}]{{2}}[0-9]{{2}}",
}
"""What 0.1.0 (898ad03) held member ids to, in Python."""
IDS = st.text("0123456789ABHMRSUWXYZ -a", max_size=20) | st.one_of(
    [st.from_regex(one, fullmatch=True) for one in OF_0_1_0.values()]
)


def test_the_shipped_forms_are_declared_by_the_payer_files() -> None:
    assert set(BOOK.registry.forms) >= set(OF_0_1_0)
    assert set(EARLIER) == set(OF_0_1_0)


@given(IDS)
def test_the_forms_take_what_they_took_when_they_were_written_in_python(member_id: str) -> None:
    expected = {name: re.fullmatch(one, member_id) is not None for name, one in OF_0_1_0.items()}
    assert {name: BOOK.registry.forms[name](member_id) for name in OF_0_1_0} == expected
    assert {name: has(member_id) for name, has in EARLIER.items()} == expected


@pytest.mark.parametrize("name", OF_0_1_0)
@pytest.mark.parametrize(
    "code", ["", "W12345678\n", "W123456789\n", "R12345678\n", "\u0663\u0662\u0661" * 3, "\u00c4BC123456"]
)
def test_no_member_id_has_a_line_break_or_other_letters(name: str, code: str) -> None:
    assert not BOOK.registry.forms[name](code)


def form(*patterns: list[dict[str, str]]) -> Any:
    return MemberIdShape.model_validate({"says": "x", "patterns": patterns}).form()


def test_a_pattern_is_its_parts_in_a_row_and_a_form_any_of_its_patterns() -> None:
    has = form([{"text": "H"}, {"digits": "8"}], [{"letters": "2"}, {"letters_or_digits": "1-3"}, {"one_of": "XY"}])
    taken = [one for one in ("H12345678", "AB1X", "ABCDEY", "AB1Z", "H1234567", "AB1234X", "h12345678") if has(one)]
    assert taken == ["H12345678", "AB1X", "ABCDEY"]


def test_the_longest_pattern_reads_an_id_once() -> None:
    has = form(*[[{"text": "1"}, {"letters_or_digits": "1-70"}, {"digits": "9"}] for _ in range(10)])
    assert not has("1" * 2_000 + "!")  # a pattern that looks back would take years


def faults(text: str) -> list[str]:
    uhc = LIBRARY_FILES["payers/uhc.yaml"].decode() + text
    with pytest.raises(BookInvalid) as caught:
        read_book({**LIBRARY_FILES, FILE: RULE.encode(), "payers/uhc.yaml": uhc.encode()})
    return [str(problem) for problem in caught.value.problems]


def declared(part: str) -> str:
    return f"member_ids:\n  uhc: {{says: x, patterns: [[{part}]]}}\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (declared("{digits: nine}"), "6:31: member_ids.uhc.patterns[0][0].digits: expected a number of characters such as 9, or 1-14"),
        (declared("{digits: 0}"), "digits: expected 1 to 80 characters, the smaller number first"),
        (declared("{digits: 14-1}"), "digits: expected 1 to 80 characters, the smaller number first"),
        (declared("{digits: 99999999999999999999}"), "digits: expected 1 to 80 characters, the smaller number first"),
        (declared("{digit: 9}"), "patterns[0][0].digit: unknown key"),
        (declared("{digits: 9, text: W}"), "expected exactly one of text, digits, letters, letters_or_digits, one_of"),
        (declared("{}"), "expected exactly one of text, digits, letters, letters_or_digits, one_of"),
        (declared('{text: "[0-9]+"}'), "text: string should match pattern"),
        (declared('{one_of: "a-z"}'), "one_of: string should match pattern"),
        (declared("{letters_or_digits: 1-3, with_letter: true}"), "`with_letter` goes with a fixed number of letters_or_digits"),
        (declared("{digits: 1-3}, {letters: 1-3}"), "only one part of a pattern may have a length that varies"),
        (declared("{digits: 80}, {digits: 1}"), "a member id has at most 80 characters"),
        ("member_ids: {uhc: {says: x, patterns: []}}\n", "patterns: expected at least 1 entry"),
        ("member_ids: {uhc: {says: x, patterns: [[]]}}\n", "patterns[0]: expected at least 1 entry"),
        ("member_ids: {uhc: {patterns: [[{digits: 9}]]}}\n", "member_ids.uhc.says: is required"),
        ("member_ids: {uhc: [W, 9]}\n", "member_ids.uhc: expected an object"),
    ],
)  # fmt: skip
def test_a_fault_in_a_form_is_named_with_its_place(text: str, expected: str) -> None:
    (fault,) = faults(text)
    assert fault.startswith("payers/uhc.yaml:")
    assert expected in fault


def test_a_form_has_one_owner() -> None:
    one = "member_ids:\n  usual: {says: x, patterns: [[{digits: 9}]]}\n"
    medicare = LIBRARY_FILES["payers/medicare.yaml"].decode() + one
    uhc = LIBRARY_FILES["payers/uhc.yaml"].decode() + one
    with pytest.raises(BookInvalid, match="member_ids.usual: 'usual' is a form of medicare already"):
        read_book(
            {
                **LIBRARY_FILES,
                FILE: RULE.encode(),
                "payers/medicare.yaml": medicare.encode(),
                "payers/uhc.yaml": uhc.encode(),
            }
        )


def facts(member_id: str | None) -> ClaimFacts:
    data = example_claim("practitioner", {"subscriber": {"member_id": member_id}}, {"id": "87726"})
    return ClaimFacts(case_of(read_claim(data), BOOK, None))


def test_a_rule_may_ask_for_the_forms_by_name_and_the_id_is_no_fact() -> None:
    assert facts("W123456789")["member_id_forms"] == ("aetna", "blue")
    assert facts("123456789")["member_id_forms"] == ("uhc",)
    assert facts("?")["member_id_forms"] == ()
    assert facts(None)["member_id_forms"] is None


def test_a_book_without_declared_forms_is_judged_by_those_of_its_day() -> None:
    before = {
        name: content.partition(b"member_ids:")[0] if name.startswith("payers/") else content
        for name, content in shipped_of_first_payers().items()
    }
    book = read_book(before, examples=True)
    assert book.registry.forms == {}
