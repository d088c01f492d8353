"""What is read the quick way is what the claim model reads, to the last field; and nothing else is read."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import fields, is_dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rules.check import check
from rules.claim import Claim, read_claim
from rules.errors import ClaimInvalid
from tests.book import BOOK
from tests.rules.claims import CLAIMS
from worker.bench.claims import claim
from worker.intake.events import canonical, decode
from worker.intake.plain import read_plain


def plain(data: object) -> Claim | None:
    return read_plain(data, canonical(data))


def parts(value: Any, model: Any) -> Any:
    """The fields of what was read, by the parts of the claim model, with types and digits of amounts."""
    if is_dataclass(model):
        return {field.name: parts(getattr(value, field.name), getattr(model, field.name)) for field in fields(model)}
    if isinstance(model, tuple):
        assert isinstance(value, tuple)
        assert len(value) == len(model)
        return tuple(map(parts, value, model))
    return type(value), str(value)


def agree(data: object) -> bool:
    """Whether it is read at all; then it is what the claim model reads."""
    found = plain(data)
    if found is not None:
        expected = read_claim(data)
        assert parts(found, expected) == parts(expected, expected)
        assert check(found, BOOK) == check(expected, BOOK)
    return found is not None


def test_nearly_every_claim_is_plain() -> None:
    assert sum(agree(claim(number)) for number in range(400)) == 400


@given(CLAIMS)
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_claim_is_read_as_the_claim_model_reads_it(data: dict[str, Any]) -> None:
    agree(data)


ODD = st.sampled_from(
    [None, True, 0, 1, -1, 7, 10**30, "", " ", "1", "1.0", "-0.00", "1e3", "450.5", "450.001", "NaN", "2026-07-13",
     "2026-W29-1", "2026-07-13T00:00:00", "2026-7-13", "é", "a\nb", "x" * 31, "x" * 201, [], {}, [[]], ["RT"], [1],
     {"npi": "1"}, "P", "professional", "0.0000000000000", "12345678901.00", "1_000", "\u0664", decode(b"1.0"), decode(b"1.50")]
)  # fmt: skip


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every place in the claim: the object or list that it is in, and its key there."""
    found: list[tuple[Any, Any]] = []
    for key, part in list(value.items()) if isinstance(value, dict) else list(enumerate(value)):
        found.append((value, key))
        if isinstance(part, dict | list):
            found += places(part)
    return found


@given(st.integers(0, 50), st.data())
@settings(max_examples=600, deadline=None, suppress_health_check=list(HealthCheck))
def test_an_odd_value_anywhere_is_read_as_the_claim_model_reads_it_or_not_at_all(
    number: int, data: st.DataObject
) -> None:
    one = deepcopy(claim(number))
    where, key = data.draw(st.sampled_from(places(one)))
    where[key] = data.draw(ODD)
    agree(one)


@pytest.mark.parametrize("key", ["prior_auth", "CLAIM_ID", "lines "])
def test_an_unknown_key_is_left_to_the_claim_model_which_refuses_it(key: str) -> None:
    assert plain({**claim(1), key: "1"}) is None
    with pytest.raises(ClaimInvalid, match="unknown key"):
        read_claim({**claim(1), key: "1"})


@pytest.mark.parametrize("text", ["Ren\u00e9", "a\tb", "\u007f", 'a"b'])
def test_a_text_that_may_not_be_printable_is_left_to_the_claim_model(text: str) -> None:
    assert plain({**claim(1), "patient": {"first_name": text}}) is None


def test_records_and_other_payers_are_left_to_the_claim_model() -> None:
    assert plain({**claim(1), "documentation": [{"consent": True}]}) is None
    assert plain({**claim(1), "other_payers": [{"paid": "1.00"}]}) is None
