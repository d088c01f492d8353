"""An 837 in another currency than US dollars, in which every amount of the claim model is, is refused.

The guides have CUR in loop 2000A for amounts in another currency; a clearinghouse in the US rejects them.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.x12.test_not_read import inserted
from tests.x12.test_reader import one, read, refusals
from worker.intake.document import Document

BASE = {form: (Path(__file__).parent / "reading" / f"base_{form}.837").read_text() for form in ("p", "i")}


@pytest.mark.parametrize("form", ["p", "i"])
@pytest.mark.parametrize("currency", ["CAD", "MXN", "EUR", "US", "840"])
def test_amounts_in_another_currency_are_never_taken_for_dollars(form: str, currency: str) -> None:
    (said,) = refusals(inserted(BASE[form], "NM1*85*", f"CUR*85*{currency}~"))
    assert "CUR02: expected USD" in said
    assert currency not in said.replace("expected USD", "").replace("US dollars", "")


@pytest.mark.parametrize("form", ["p", "i"])
@pytest.mark.parametrize("segment", ["CUR*85*USD~", "CUR*85*usd~", "CUR*85*USD *1~"])
def test_dollars_that_are_named_change_nothing(form: str, segment: str) -> None:
    assert one(inserted(BASE[form], "NM1*85*", segment)) == one(BASE[form])


def test_of_a_file_with_two_billing_providers_only_the_claims_of_one_are_refused() -> None:
    own = BASE["p"][BASE["p"].index("HL*1**20") : BASE["p"].index("SE*")]
    other = own.replace("HL*1*", "HL*3*").replace("HL*2*1*", "HL*4*3*").replace("NM1*85*", "CUR*85*CAD~NM1*85*", 1)
    found = read(BASE["p"].replace("SE*", other + "SE*"))
    assert [isinstance(item, Document) for item in found][:2] == [True, False]
