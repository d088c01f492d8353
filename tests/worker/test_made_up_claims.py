"""Claims that are made up are of every payer of the registry, under an id of the payer and of its members' form.

Else a new payer would be left out of benchmarks and demonstration, or shown with what its own rules refuse.
"""

from __future__ import annotations

from typing import Any

import pytest

from rules.claim import Claim, read_claim
from rules.payers import PayerShape
from tests.book import BOOK
from tests.rules.claims import PAYERS as DRAWN
from worker.bench.claims import PAYERS, claim
from worker.demo.claims import EXAMPLES

REGISTRY = BOOK.registry


def payer_of(data: dict[str, Any]) -> str | None:
    return REGISTRY.select(read_claim(data).payer).payer


def has_a_form_of(payer: PayerShape, one: Claim) -> bool:
    assert one.subscriber
    return any(shape.form()(one.subscriber.member_id or "") for shape in payer.member_ids.values())


def test_the_bench_has_claims_of_every_payer_of_the_registry_and_of_no_other() -> None:
    assert set(PAYERS) == set(REGISTRY.payers)


@pytest.mark.parametrize("payer", PAYERS)
def test_the_registry_takes_the_benchs_claims_for_the_payers_that_they_are_meant_for(payer: str) -> None:
    for number in range(50):
        data = claim(number, payer)
        assert payer_of(data) == payer
        assert has_a_form_of(REGISTRY.payers[payer], read_claim(data)), data["subscriber"]


def test_the_demonstration_has_every_payer_of_the_registry_and_their_members_ids() -> None:
    shown = {
        payer_of(example.claim): read_claim(example.claim) for example in EXAMPLES if "IDN004" not in example.codes
    }
    assert set(shown) == {*REGISTRY.payers, None}
    for payer, one in shown.items():
        assert payer is None or has_a_form_of(REGISTRY.payers[payer], one), payer


def test_the_claims_that_hypothesis_draws_are_of_every_payer_of_the_registry() -> None:
    assert {payer_of({**EXAMPLES[0].claim, "payer": payer}) for payer in DRAWN} == {*REGISTRY.payers, None}
