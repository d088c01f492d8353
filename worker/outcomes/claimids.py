"""Claim ids as payers write them back: a payer must return CLM01 as it was, and not every one does.

In other letters, without punctuation, with zeros before it, or cut off behind so many characters.
"""

from __future__ import annotations

SHORTEST_CUT = 17
"""Characters behind which payers cut off; the guides promise 20."""
_LONGEST_CUT = 38
"""Characters that X12 gives a claim id; who sends more gets no more back."""


def folded(claim: str) -> str:
    """What of a claim id survives such writing; empty: nothing by which a claim can be told."""
    return "".join(one for one in claim.upper() if one.isalnum()).lstrip("0")


def spellings(claim: str) -> list[str]:
    """The folded forms in which a payer may give the claim id back: whole, and cut off."""
    whole = folded(claim)
    cuts = {folded(claim[:length]) for length in range(SHORTEST_CUT, min(len(claim), _LONGEST_CUT + 1))}
    cuts |= {whole[:length] for length in range(SHORTEST_CUT, min(len(whole), _LONGEST_CUT + 1))}
    return [one for one in {whole, *cuts} if one]
