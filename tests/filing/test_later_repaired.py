"""Claims that were repaired: out in NAME.2.837 with their bytes written otherwise, and nothing else of them."""

from __future__ import annotations

import gzip
from collections import Counter

import pytest

from tests.book import BOOK
from tests.exits.splitting import cut
from tests.integration.helpers import counting
from worker.desk.acting import Desk as CaseDesk
from worker.desk.repairing import repair, repairable
from worker.errors import NotRepairable
from worker.pipeline.consumer import InboxConsumer
from worker.store.connections import Store

from .conftest import Open
from .filed import going, kinds, later, manifests, of
from .test_later import TODAY, case_of, cases, let_go, person

__all__ = ["cases", "person"]
MESSY = (
    (b"HI*ABK:M5431~", b"HI*ABK:m54.31~"),
    (b"NM1*82*1*REED*PAUL****XX*1234567893~", b"NM1*82*1*REED*PAUL****XX*123-456-7893~"),
    (b"SV1*HC:64445:RT*450", b"SV1*HC:64445:rt*450"),
)
"""What should stand there, and what does."""


def messy(raw: bytes, which: int) -> bytes:
    """The file with the so-many-th claim written as nobody takes it."""
    claim = cut(raw)[which]
    for good, bad in MESSY:
        assert good in claim
        raw = raw.replace(claim, claim.replace(good, bad))
        claim = claim.replace(good, bad)
    return raw


def mend(person: CaseDesk, name: str) -> None:
    case = case_of(person, name)
    repair(person, repairable(person, case, BOOK, TODAY), BOOK, day=TODAY)


@pytest.mark.parametrize("packed", [False, True])
def test_a_repaired_claim_leaves_with_its_bytes_written_otherwise_and_the_manifest_says_which(
    desk: Open, worker: InboxConsumer, store: Store, person: CaseDesk, packed: bool
) -> None:
    one, good = desk(), of("C-1", "C-2", "C-3", "H-4")
    raw = messy(messy(good, 0), 1)
    one.put("batch.837", gzip.compress(raw) if packed else raw)
    one.steps()
    worker.run()
    one.until_written("batch")
    assert kinds(manifests(one.out)["batch"]) == {"C-1": "held", "C-2": "held", "C-3": "clean", "H-4": "held"}
    mend(person, "C-2")
    let_go(person, "H-4")
    worker.run()
    one.until_written("batch.2")
    manifest = manifests(one.out)["batch.2"]
    assert cut((one.out / "batch.2.837").read_bytes()) == [cut(good)[1], cut(good)[3]]
    mended, waived = manifest["claims"]
    assert sorted((row["path"], row["was"], row["becomes"]) for row in mended["repairs"]) == [
        ("/diagnoses/0", "m54.31", "M5431"), ("/lines/0/modifiers/0", "rt", "RT"),
        ("/rendering_provider/npi", "123-456-7893", "1234567893"),
    ]  # fmt: skip
    assert (waived["repairs"], manifest["original"]["packed"]) == ([], packed)
    for row, place in ((mended, 1), (waived, 3)):
        assert raw[row["offset"] : row["offset"] + row["bytes"]] == cut(raw)[place]
    assert counting(store) == ["C-2", "C-3", "H-4"]
    assert case_of(person, "C-2").state == "mended"
    mend(person, "C-1")
    worker.run()
    one.until_written("batch.3")
    assert later(one.out) + going(one.out) == Counter(cut(good))
    one.put("again.837", (one.out / "batch.3.837").read_bytes())
    one.steps()
    worker.run()
    one.until_written("again")
    assert kinds(manifests(one.out)["again"]) == {"C-1": "held"}, "an exact duplicate of what went"


def test_what_stands_outside_of_the_claims_own_segments_is_mended_in_the_host(
    desk: Open, worker: InboxConsumer, store: Store, person: CaseDesk
) -> None:
    one = desk()
    raw = of("C-1", "C-2").replace(b"CLINIC*****XX*1234567893", b"CLINIC*****XX*1234-567-893")
    one.put("batch.837", raw)
    one.steps()
    worker.run()
    one.until_written("batch")
    case = case_of(person, "C-1")
    with pytest.raises(NotRepairable, match="outside of the claim's own segments"):
        repairable(person, case, BOOK, TODAY)
    assert later(one.out) == Counter()


def test_a_claim_that_was_repaired_and_is_held_still_leaves_with_its_repair_once_it_is_waived(
    desk: Open, worker: InboxConsumer, store: Store, person: CaseDesk
) -> None:
    one, good = desk(), of("H-1", "C-2")
    raw = good.replace(b"HI*ABK:M5431~", b"HI*ABK:m5431~", 1)
    one.put("batch.837", raw)
    one.steps()
    worker.run()
    one.until_written("batch")
    mend(person, "H-1")
    worker.run()
    one.steps(4)
    assert manifests(one.out).keys() == {"batch"}
    assert case_of(person, "H-1").state == "open"
    let_go(person, "H-1")
    worker.run()
    one.until_written("batch.2")
    (row,) = manifests(one.out)["batch.2"]["claims"]
    assert ([found["becomes"] for found in row["repairs"]], row["why"][:6]) == (["M5431"], "waived")
    assert cut((one.out / "batch.2.837").read_bytes()) == [cut(good)[0]]
