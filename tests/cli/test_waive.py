"""`scrub rework waive` as a biller uses it: what would go, the waiver, and where it is seen afterwards."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from .conftest import CLEAN, Run
from .test_rework import TODAY, Decide, consumer, decide, listed

__all__ = ["consumer", "decide"]
HELD = CLEAN | {"claim_id": "PCN-1", "lines": [{**CLEAN["lines"][0], "units": 2}]}
WHY = "agreed by phone, reference 4711"
UNTIL = (TODAY + timedelta(days=2)).isoformat()


def test_one_claim_is_let_go_and_everything_that_shows_it_says_so(
    scrub: Run, decide: Decide, home: Path, consumer: object
) -> None:
    decide(HELD)
    (case,) = listed(scrub)
    handle = case["handle"]
    would = scrub("rework", "waive", "PCN-1")
    assert would.returncode == 0, would.stderr
    assert "can be waived, which lets go:" in would.stdout
    assert "UNT001" in would.stdout
    assert [one["state"] for one in listed(scrub)] == ["open"]

    options = ("--reason", "-", "--owner", " me ", "--until", UNTIL, "--seen", str(case["version"]))
    done = scrub("rework", "waive", handle, *options, stdin=WHY.encode())
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{handle} (PCN-1), waived, version 3: UNT001@1, UNT002@1 let go.")
    again = scrub("rework", "waive", handle, *options, stdin=WHY.encode())
    assert again.returncode == 2
    assert "was changed by somebody else" in again.stderr
    twice = scrub("rework", "waive", handle)
    assert (twice.returncode, "it is waived" in twice.stderr) == (2, True)
    consumer.run()  # type: ignore[attr-defined]

    assert [one["state"] for one in listed(scrub, "--state", "waived")] == ["waived"]
    shown = scrub("rework", "show", handle)
    for part in ("waived", "billing", WHY, f"until {UNTIL}"):
        assert part in shown.stdout
    followed = scrub("claim", "PCN-1")
    assert followed.returncode == 0, followed.stdout
    for part in ("billing", "waived: UNT001@1, UNT002@1", "let go by a person in spite of what blocks it"):
        assert part in followed.stdout
    later = scrub("claim", "--offline", "PCN-1")
    assert "waived:  UNT001@1, UNT002@1" in later.stdout
    assert "waived: UNT001@1" in scrub("tail", "billing").stdout
    (home / "billed.json").write_text(scrub("tail", "billing", "--format", "json").stdout)
    replayed = scrub("replay", home / "billed.json")
    assert replayed.returncode == 0, replayed.stdout
    assert "identical" in replayed.stdout
    assert WHY.encode() not in b"".join(file.read_bytes() for file in (home / "state/audit").iterdir())
    assert scrub("audit", "verify").returncode == 0


@pytest.mark.parametrize(
    ("claim", "arguments", "sentence"),
    [
        (HELD, ["--reason", "why"], "expected --reason, --owner and --until, or none of them"),
        (HELD, ["--reason", "why", "--owner", "me", "--until", "2020-01-01"], "expected a last day from"),
        (HELD | {"subscriber": {"member_id": "123"}}, [], "the payer's front end refuses it"),
    ],
)
def test_what_cannot_be_waived_says_why_before_anything_is_asked(
    scrub: Run, decide: Decide, claim: dict[str, object], arguments: list[str], sentence: str
) -> None:
    decide(claim)
    done = scrub("rework", "waive", "PCN-1", *arguments)
    assert done.returncode == 2
    assert sentence in " ".join(done.stderr.split())
    assert [one["state"] for one in listed(scrub)] == ["open"]


def test_a_certificate_of_a_waived_claim_says_what_was_waived_and_not_by_whom(
    scrub: Run, decide: Decide, home: Path, consumer: object
) -> None:
    decide(HELD)
    listed(scrub)
    done = scrub("rework", "waive", "PCN-1", "--reason", WHY, "--owner", "dana", "--until", UNTIL)
    assert done.returncode == 0, done.stderr
    consumer.run()  # type: ignore[attr-defined]
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (home / "key.pem").write_bytes(private)
    (home / "key.pem").chmod(0o600)
    public = key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
    (home / "public.pem").write_bytes(public)
    issued = scrub("certificate", "PCN-1", "--key", home / "key.pem", "--out", home / "c.json")
    assert issued.returncode == 0, issued.stderr
    assert "waived by a person: UNT001@1, UNT002@1" in issued.stdout
    content = (home / "c.json").read_text()
    (waiver,) = json.loads(content)["waivers"]
    assert (waiver["findings"], waiver["until"]) == (["UNT001@1", "UNT002@1"], UNTIL)
    assert "dana" not in content
    (home / "billed.json").write_text(scrub("tail", "billing", "--format", "json").stdout)
    against = ("--key", home / "public.pem", "--audit", home / "state/audit", "--entry", home / "billed.json")
    verified = scrub("certificate", "verify", home / "c.json", *against)
    assert verified.returncode == 0, verified.stdout
    assert "judged again it has the same verdict" in verified.stdout
