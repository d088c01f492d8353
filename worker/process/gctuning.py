"""How often Python looks for garbage in cycles: rarely, where claims are worked through in batches.

A batch makes and drops tens of thousands of objects and hardly a cycle. Looking for some every 700 new objects, as
Python does of its own accord, took half of the time that reading a claim takes.
"""

from __future__ import annotations

import gc

_OBJECTS = 100_000
_ROUNDS = 50


def spare() -> None:
    """From here on: what is there stays, and cycles are looked for once in 100,000 objects that were not dropped."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_OBJECTS, _ROUNDS, _ROUNDS)
