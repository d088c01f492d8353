"""What a transaction set is that is no 837 of the two guides that are read."""

from __future__ import annotations

NAMES = {
    "270": "an eligibility inquiry", "271": "an eligibility response", "275": "an attachment",
    "276": "a claim status request", "277": "a claim status response or acknowledgment",
    "278": "a request for or answer on prior authorization", "820": "a premium payment", "824": "an application advice",
    "834": "a benefit enrollment", "835": "a remittance", "997": "an acknowledgment", "999": "an acknowledgment",
}  # fmt: skip
"""By ST01."""
_EXPECTED = "005010X222A1 or A2 (837P), 005010X223A2 or A3 (837I)"
_NEXT = {
    "277": "what a payer or clearinghouse answered is for the billing system",
    "835": "`scrub outcomes import` reads it",
    "997": "look there whether the claims that it answers were taken",
    "999": "look there whether the claims that it answers were taken",
}


def no_claims(kind: str) -> str:
    """The sentence on a set whose ST01 is this; `kind` is shown only where it is a number of the standard."""
    what = f"{kind}, {NAMES[kind]}" if kind in NAMES else "another one"
    then = _NEXT.get(kind, "claims are read from 837P and 837I: send the file that the billing system exports")
    return f"the transaction set is no 837 but {what}; {then}"


def other_version(version: str) -> str:
    """The sentence on an 837 whose ST03 or GS08 is this."""
    if version.startswith("005010X224"):
        return f"the 837 is one of dental claims (837D), which are not read; expected {_EXPECTED}"
    if version.startswith("004010"):
        return f"the 837 is of version 4010, which was replaced by 5010 in 2012; expected {_EXPECTED}"
    return f"the 837's version (ST03, GS08) is none that is read; expected {_EXPECTED}"
