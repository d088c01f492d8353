"""`scrub history` as a user runs it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import CLEAN, UNCHECKED, Run

Write = Callable[..., Path]
KEPT = {"SCRUB_HISTORY_MONTHS": "240"}
"""The demonstration claims are dated 2026."""


def test_import_says_what_it_entered_and_again_that_it_knew_it(scrub: Run, write: Write) -> None:
    file = write("billed.ndjson", CLEAN, UNCHECKED, {**CLEAN, "claim_id": "X", "subscriber": None})
    first = scrub("history", "import", file, **KEPT)
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout.splitlines() == [
        "3 claims read, 1 entered.",
        "  1 without a line that the rule book is for",
        "  1 without a member id, so nobody's",
    ]
    assert "1 in the ledger already" in scrub("history", "import", file, **KEPT).stdout
    done = scrub("history", "reject", "DEMO-0001", "NONE", "--reason", "277CA A7")
    assert (done.returncode, done.stdout) == (1, "DEMO-0001: recorded as rejected; it counts no longer.\n")
    assert done.stderr == "NONE: no ledger has a claim of this id that went to billing and counts.\n"


def test_a_facility_that_no_producer_is_registered_for_is_refused(scrub: Run, write: Write) -> None:
    file = write("billed.json", CLEAN)
    done = scrub("history", "import", file, "--facility", "north", **KEPT)
    assert done.returncode == 2
    assert "no producer is registered for it; known: none" in done.stderr
    assert scrub("producer", "add", "clinic", "--facility", "north").returncode == 0
    done = scrub("history", "import", file, "--facility", "nort", **KEPT)
    assert (done.returncode, "known: north" in done.stderr) == (2, True)
    done = scrub("history", "import", file, "--facility", "north", **KEPT)
    assert (done.returncode, done.stdout) == (0, "1 claim read, 1 entered.\n")


def test_what_cannot_be_read_is_named_and_the_rest_entered(scrub: Run, write: Write) -> None:
    done = scrub("history", "import", write("billed.ndjson", CLEAN, b"{}\n"), **KEPT)
    assert done.returncode == 2
    assert "billed.ndjson:2: claim_id: is required" in done.stderr
    assert done.stdout.splitlines() == ["1 claim read, 1 entered.", "  1 could not be read"]


@pytest.mark.parametrize("reason", ["", "  ", "x" * 201, "a\nb"])
def test_a_rejection_needs_a_reason(scrub: Run, reason: str) -> None:
    done = scrub("history", "reject", "A", "--reason", reason)
    assert done.returncode == 2
    assert "1 to 200 printable" in done.stderr
