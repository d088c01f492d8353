"""Ledgers: what the pipe does with many patients known, and what a patient takes of Redis' memory."""

from __future__ import annotations

import time
from collections.abc import Container, Sequence
from datetime import date, timedelta

from rules.claim import read_claim
from worker.bench.claims import claim
from worker.bench.pipe import Say, decided, fill, used_memory
from worker.bench.tables import Section
from worker.bench.testbed import Testbed, fresh_testbed
from worker.pipeline.ledger import Ledger, entry_of, imported_revision, patient_hash, person_of
from worker.process.command import command
from worker.store import agreement

_BEFORE = date(2025, 11, 3)
"""When they were billed before: no duplicate of what the bench sends, and within the retention."""
_CLAIMS = 20_000
_AT_ONCE = 2_000


def ledgers(codes: Container[str], sizes: Sequence[int], *, say: Say) -> Section:
    """Claims a second of one process with ledgers of so many patients, one claim each."""
    rows = []
    for size in sizes:
        say(f"ledgers of {size} patients")
        with fresh_testbed("everysec") as testbed:
            empty = used_memory(testbed)
            _bill(testbed, size, codes)
            each = (used_memory(testbed) - empty) / size
            fill(testbed, _CLAIMS)
            testbed.start(command(1))
            rows.append((size, round(testbed.rate(lambda: decided(testbed), _CLAIMS)), round(each)))
    note = (
        "The first patients are those of the claims that are sent, which are then other versions of what was billed, "
        "and go to rework for it: this is the bend. A ledger is found by its key, whatever their number."
    )
    return Section(
        "The pipe, by patients known, one process", ("patients", "claims/s", "Redis bytes a patient"), rows, note
    )


def _bill(testbed: Testbed, patients: int, codes: Container[str]) -> None:
    keys, secret = testbed.store.keys, agreement.agreed_secret(testbed.store)
    ends = int((time.time() + timedelta(days=1_000).total_seconds()) * 1000)
    revision = imported_revision(_BEFORE)
    models = [read_claim(claim(number)) for number in range(50)]
    for first in range(0, patients, _AT_ONCE):
        with testbed.store.redis.pipeline(transaction=False) as pipeline:
            for number in range(first, min(first + _AT_ONCE, patients)):
                one = read_claim(claim(number)) if number < _CLAIMS else models[number % len(models)]
                patient = patient_hash(secret, one) if number < _CLAIMS else f"{number:032x}"
                if patient is None:
                    continue
                entry = entry_of(one, revision, f"{number:064x}", codes, person_of(secret, patient, one))
                pipeline.set(keys.ledger(patient), str(Ledger(revision, {f"OLD-{number}": entry})), pxat=ends)
            pipeline.execute()
