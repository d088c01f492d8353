"""The commitment to a claim that goes to billing: the audit line has it, and so the chain covers it; the salt that it
was made with goes with the claim into the outlet and is kept nowhere else.

Who has a claim and its salt shows with them that this claim was the one decided. The commitment alone says nothing of
the claim: with 128 random bits as its key nobody can try values against it, not even who knows all but one of them.
Of a decision that is made again, after a crash between log and commit, each line has a commitment of its own; what the
outlet holds says which line was the one.
"""

from __future__ import annotations

import hmac
import os

SALT = 16
"""Bytes."""
_LABEL = b"claim-scrubber claim 1\0"


def new_salt() -> bytes:
    """One for each decision, also for one that is made again."""
    return os.urandom(SALT)


def commitment(salt: bytes, claim: bytes) -> str:
    """HMAC-SHA-256 under the salt over the claim as canonical JSON (`worker.intake.events.canonical`), hexadecimal.

    Raises:
        ValueError: of another length two salts could give the same, since HMAC fills them up with zeros.
    """
    if len(salt) != SALT:
        raise ValueError(f"expected a salt of {SALT} bytes")
    return hmac.digest(salt, _LABEL + claim, "sha256").hex()
