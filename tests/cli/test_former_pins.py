"""`scrub rules overrides` on a file that a hospital wrote for an earlier release."""

from __future__ import annotations

import json
from pathlib import Path

from tests.former import CHANGED, OVERRIDES, PINS, packed

from .conftest import Run


def test_pins_of_0_1_0_hold_and_the_one_that_is_outdated_is_reported_with_the_new_pin(scrub: Run, home: Path) -> None:
    (home / "rules.book").write_bytes(packed())
    (home / "o.yaml").write_text(OVERRIDES)
    words = ("rules", "overrides", "o.yaml", "--book", "rules.book")
    done = scrub(*words, "--format", "json")
    found = {one["name"]: one for one in map(json.loads, done.stdout.splitlines())}
    assert done.returncode == 1
    assert len(found) == 7
    assert [name for name, one in found.items() if one["state"] != "in_force"] == [CHANGED]
    (sentence,) = done.stderr.splitlines()
    assert CHANGED in sentence
    pin = sentence.rpartition("set written_for to ")[2]
    assert found[CHANGED]["pin"].startswith(pin)
    assert pin != PINS["UNT002"]
    (home / "o.yaml").write_text(OVERRIDES.replace(found[CHANGED]["written_for"], pin))
    done = scrub(*words)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("7 overrides.\n")
