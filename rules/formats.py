"""Named formats that a rule can ask of a code. Each is a plain function; rule files know them by name.

Answers on codes and provider numbers are kept, as the same ones come again; a member id's never are.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

_ICD10 = re.compile(r"[A-Z][0-9A-Z][0-9A-Z](?:\.?[0-9A-Z]{1,4})?")
_ICD9 = re.compile(r"(?:[0-9]{3}(?:\.?[0-9]{1,2})?|E[0-9]{3}\.[0-9])")
_PROCEDURE = re.compile(r"(?=.*[0-9])[0-9A-Z]{5}")
_MODIFIER = re.compile(r"[0-9A-Z]{2}")
_TAXONOMY = re.compile(r"[0-9A-Z]{9}X")
_DCN = re.compile(r"[0-9]{6}[0-9A-Z]{8,17}")
_MBI_LETTER = "AC-HJKMNP-RT-Y"
_MBI = re.compile(
    rf"[1-9][{_MBI_LETTER}][0-9{_MBI_LETTER}][0-9][{_MBI_LETTER}][0-9{_MBI_LETTER}][0-9][{_MBI_LETTER}]{{2}}[0-9]{{2}}"
)


@lru_cache(maxsize=16_384)
def npi(code: str) -> bool:
    """Ten digits whose last is the Luhn check digit of `80840` and the first nine (CMS NPIcheckdigit)."""
    if len(code) != 10 or not (code.isascii() and code.isdigit()):
        return False
    total = 24  # the Luhn sum of the constant prefix 80840
    for position, digit in enumerate(reversed(code)):
        value = int(digit) * (2 if position % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


@lru_cache(maxsize=16_384)
def icd10(code: str) -> bool:
    """Shape of an ICD-10-CM code, with or without the dot (FY2026 has codes such as QA0.0109)."""
    return _ICD10.fullmatch(code) is not None


@lru_cache(maxsize=16_384)
def icd9(code: str) -> bool:
    """Shape that only an ICD-9-CM code has: digits alone, or an E code with its dot after three digits.

    V codes look alike in both.
    """
    return _ICD9.fullmatch(code) is not None and not icd10(code)


@lru_cache(maxsize=16_384)
def procedure(code: str) -> bool:
    """Five characters, capital letters and digits, at least one digit: CPT or HCPCS Level II."""
    return _PROCEDURE.fullmatch(code) is not None


@lru_cache(maxsize=16_384)
def modifier(code: str) -> bool:
    """Two characters, capital letters and digits."""
    return _MODIFIER.fullmatch(code) is not None


@lru_cache(maxsize=16_384)
def taxonomy(code: str) -> bool:
    """Ten characters that end in X: a health care provider taxonomy code."""
    return _TAXONOMY.fullmatch(code) is not None


def mbi(code: str) -> bool:
    """Eleven characters in the Medicare Beneficiary Identifier's pattern, no dashes, none of S, L, O, I, B, Z."""
    return _MBI.fullmatch(code) is not None


def document_control_number(number: str) -> bool:
    """14 to 23 capital letters and digits, of which the first six are digits: century, year and day of the year."""
    return _DCN.fullmatch(number) is not None


FORMATS: dict[str, Callable[[str], bool]] = {
    check.__name__: check for check in (npi, icd10, icd9, procedure, modifier, taxonomy, mbi)
}
