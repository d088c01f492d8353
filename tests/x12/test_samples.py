"""Every public X12 sample gives the counts of its manifest: claims read and claims refused, and why."""

from __future__ import annotations

import csv

import pytest

from tests.x12.samples import SAMPLES
from worker.intake.document import Document
from worker.intake.documents import read_documents

pytestmark = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the public samples are not beside the project")
MANIFEST = list(csv.DictReader(SAMPLES.joinpath("MANIFEST.csv").read_text().splitlines())) if SAMPLES.is_dir() else []
ROWS = [row for row in MANIFEST if row["path"].startswith("x12/")]
WHOLE = {"ambiguous_loop", "segment_errors", "writer_test"}
"""imsweb files whose claims can be read; the others have an HI that is no composite, or worse."""
UNSPLIT = {
    "cob.2ndary.example4", "demo.example6", "demo.example9", "demo.example11", "demo.example12",
    "out-of-network-repriced-claim", "ppo-repriced-claim",
}  # fmt: skip
"""lfh files that declare `:` in ISA16 and use `>`."""


def names(path: str, parts: set[str]) -> bool:
    return any(part in path for part in parts)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["path"])
def test_claims_in_the_file_are_claims_read_and_claims_refused(row: dict[str, str]) -> None:
    path = row["path"]
    with (SAMPLES / path).open("rb") as stream:
        found = list(read_documents(path, stream))
    read = [item for item in found if isinstance(item, Document)]
    refused = [item for item in found if not isinstance(item, Document) and item.number]
    faults = [item for item in found if not isinstance(item, Document) and not item.number]
    claims = int(row["CLM"] or 0)
    assert len(read) + len(refused) == claims
    assert len(faults) <= 1
    assert [item.number for item in found if item.number] == list(range(1, claims + 1))
    wholly = claims and ("imsweb" not in path or names(path, WHOLE)) and not names(path, UNSPLIT)
    if wholly:
        assert len(read) == claims
        assert sum(len(item.claim.lines) for item in read) == int(row["SV1"]) + int(row["SV2"])
    else:
        assert not read
    if names(path, UNSPLIT):
        assert all("the file seems to use '>'" in item.sentence for item in refused)
    if "imsweb" in path and not wholly and "x223" not in path and claims:
        assert all(any("HI01" in problem.path for problem in item.problems) for item in refused[:1])
    if not claims:
        assert faults
