"""Named formats, on known good and bad codes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules import formats


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("npi", ["1234567893"], ["1234567898", "123456789", "12345678930", "", "123456789X", "１２３４５６７８９３"]),
        (
            "icd10",
            ["M54.31", "M5431", "G57.01", "QA0.0109", "U07.1", "Z00"],
            ["M54.", "54.31", "m54.31", "M5.431", "M54.31111", ""],
        ),
        ("icd9", ["724.3", "7243", "355.0", "E885.9"], ["M54.31", "", "V58.69", "E11.9"]),
        ("procedure", ["64445", "J1010", "0213T", "G0463"], ["6444", "644455", "ABCDE", "6444 ", "j1010", ""]),
        ("modifier", ["RT", "50", "X1"], ["R", "RTX", "rt", "", "R "]),
        ("taxonomy", ["208VP0000X", "261QA1903X"], ["208VP0000", "208VP0000Y", "208vp0000X", ""]),
        ("mbi", ["1EG4TE5MK73"], ["1SG4TE5MK73", "0EG4TE5MK73", "1EG4-TE5-MK73", "1EG4TE5MK7", "", "1EG4TE5MK7A"]),
    ],
)
def test_format(name: str, good: list[str], bad: list[str]) -> None:
    check = formats.FORMATS[name]
    assert [code for code in good if not check(code)] == []
    assert [code for code in bad if check(code)] == []


@given(st.integers(0, 999_999_999))
def test_exactly_one_last_digit_makes_an_npi(first_nine: int) -> None:
    assert sum(formats.npi(f"{first_nine:09d}{digit}") for digit in range(10)) == 1


@given(st.text(max_size=14))
def test_no_format_stumbles_over_any_text(text: str) -> None:
    assert all(check(text) in (True, False) for check in formats.FORMATS.values())


@given(st.from_regex(r"[A-Z][0-9]{2}\.[0-9]{1,4}", fullmatch=True))
def test_nothing_is_both_icd9_and_icd10(code: str) -> None:
    assert formats.icd10(code) is not formats.icd9(code)
