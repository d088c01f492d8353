"""The protocol of cases by model: versions of claims that are held, waived, repaired, corrected and billed, in any order
that two workers and two persons can come in.

A person's word is as late as it can be: nothing is looked at before it is sent, so that the workers alone keep to it. What
a case knows is followed commit by commit, on one partition and on three, where the versions of one claim have members of
several.
"""

from __future__ import annotations

import os
import secrets
from typing import Any

import pytest
from hypothesis import Phase
from hypothesis import strategies as st
from hypothesis.errors import FlakyStrategyDefinition
from hypothesis.stateful import initialize, rule

from tests.faults.interleaving import explore
from tests.faults.words import Words
from tests.integration.helpers import claim, event
from worker.monitoring.reconciliation import Reconciliation
from worker.store.keys import FIELD, SHARED
from worker.store.registry import Producer

EXAMPLES = int(os.environ.get("SCRUBTEST_EXAMPLES", "20"))
CASES = 2
ALPHA = Producer("alpha", trusted=True)
CLEAN, HELD, WRITTEN = "clean", "held", "written"
"""A version that goes, one that a rule holds, and one that is held for how it is written."""


class CaseProtocol(Words):
    @initialize(count=st.sampled_from((1, 1, 3)))
    def begin(self, count: int) -> None:
        self.sent: set[str] = set()
        """The ids of events."""
        self.prepare(count, ALPHA)

    @property
    def began(self) -> bool:
        return bool(self.sent)

    @rule(
        name=st.integers(0, CASES - 1),
        kind=st.sampled_from((CLEAN, HELD, HELD, WRITTEN)),
        frequency=st.sampled_from(("1", "1", "7")),
        stream=st.sampled_from((SHARED, ALPHA.name)),
        corrected=st.booleans(),
    )
    def send(self, name: int, kind: str, frequency: str, stream: str, corrected: bool) -> None:
        """A version of a claim, with a content of its own; `corrected`: with another member id."""
        number = len(self.sent)
        line = claim()["lines"][0] | {"units": int(kind != HELD), "charge": f"{450 + number}.00"}
        data = claim(
            name, claim_id=f"P-{name}", subscriber={"member_id": f"{name + CASES * corrected:09}"},
            diagnoses=["m54.31 "] if kind == WRITTEN else ["M54.31"], total_charge=f"{450 + number}.00", lines=[line],
            frequency_code=frequency, original_reference_number="REF-1" if frequency == "7" else None,
        )  # fmt: skip
        self.sent.add(f"evt-{number}")
        part = self.store.keys.all[number % self.store.keys.count]
        self.store.redis.xadd(part.stream(stream), {FIELD: event(number, data=data)})
        self.notifier.notify()

    def reckon(self, found: Reconciliation) -> None:
        super().reckon(found)
        plain = [one.entry.event["eventid"] for one in self.seen if one.outlet != "quarantine" and not one.word]
        assert sorted(plain) == sorted(self.sent)
        if self.store.keys.count == 1:  # what is forwarded twice is repeated as well
            reused = sum(one.outlet == "quarantine" for one in self.seen)
            assert reused + found.repeated == sum(len(said) - 1 for said in self.words.values())


def test_each_version_goes_out_once_and_what_a_person_said_of_an_old_one_lets_nothing_go() -> None:
    explore(CaseProtocol, EXAMPLES)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("place", "instead"),
    [
        ("worker.pipeline.deciding.front.obstacle", lambda *_: None),
        ("worker.pipeline.reading.waived_identity", lambda _: secrets.token_hex(16)),
    ],
    ids=["the front", "one identity of one decision"],
)
def test_the_exploration_notices_when_nobody_asks_for(
    place: str, instead: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it would prove nothing."""
    monkeypatch.setattr(place, instead)
    with pytest.raises((AssertionError, ExceptionGroup, FlakyStrategyDefinition)):
        explore(CaseProtocol, 2000, phases=(Phase.generate,), database=None, report_multiple_bugs=False)
