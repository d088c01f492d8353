"""A short slice of the fault suite; the whole of it is `make faults`."""

from __future__ import annotations

import pytest

from .__main__ import run
from .scenarios import SCENARIOS

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "name",
    [
        "children",
        "redis",
        "deaf",
        "outlet",
        "sentinel",
        "output",
        "auditfile",
    ],
)
def test_a_few_faults_lose_nothing_and_double_nothing(name: str) -> None:
    scenario = SCENARIOS[name]
    row = run(scenario, seed=1, claims=400, faults=1 if name == "sentinel" else 2)
    assert row["state"] == ("shown" if scenario.may_lose and row["lost"] else "sound"), row
    assert row["twice"] == 0


def test_the_audit_notices_a_result_that_is_lost_doubled_or_changed() -> None:
    """Else the suite would prove nothing."""
