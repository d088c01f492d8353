"""`scrub rework repair` as a biller uses it: what would be written otherwise, the repair, and where it is seen."""

from __future__ import annotations

from .conftest import CLEAN, Run
from .test_rework import Decide, consumer, decide, listed

__all__ = ["consumer", "decide"]
WRITTEN = CLEAN | {"claim_id": "PCN-1", "diagnoses": ["m54.31"]}


def test_one_claim_is_repaired_and_everything_that_shows_it_says_so(
    scrub: Run, decide: Decide, consumer: object
) -> None:
    decide(WRITTEN)
    (case,) = listed(scrub)
    handle = case["handle"]
    assert f"scrub rework repair {handle}" in " ".join(scrub("rework", "show", handle).stdout.split())
    would = scrub("rework", "repair", "PCN-1")
    assert would.returncode == 0, would.stderr
    for part in (
        "for DXN001:",
        "diagnoses 1: m54.31 becomes M54.31",
        "confirm: ",
        f"--seen {case['version']} --confirm",
    ):
        assert part in " ".join(would.stdout.split())
    assert [one["state"] for one in listed(scrub)] == ["open"]
    options = ("--confirm", "--seen", str(case["version"]), "--note", "seen in the record")
    done = scrub("rework", "repair", handle, *options)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{handle} (PCN-1), repaired, version 3: ")
    assert scrub("rework", "repair", handle, *options).returncode == 2
    consumer.run()  # type: ignore[attr-defined]
    assert [one["state"] for one in listed(scrub, "--state", "mended")] == ["mended"]
    assert "repaired what is only written otherwise" in scrub("rework", "show", handle).stdout
    followed = scrub("claim", "PCN-1").stdout
    for part in ("repaired: /diagnoses/0", "written otherwise by a person, to be judged again", "billing"):
        assert part in followed
    assert "repaired: /diagnoses/0" in scrub("claim", "--offline", "PCN-1").stdout
    assert scrub("audit", "verify").returncode == 0


def test_what_cannot_be_repaired_says_why(scrub: Run, decide: Decide) -> None:
    decide(CLEAN | {"claim_id": "PCN-1", "subscriber": {"member_id": "123"}})
    done = scrub("rework", "repair", "PCN-1")
    assert done.returncode == 2
    assert "no rule that holds it knows a value that is only written otherwise" in " ".join(done.stderr.split())
