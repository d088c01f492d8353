"""How Python and the C library treat memory where batches are worked through, and not as they would otherwise.

A batch makes and drops tens of thousands of objects and hardly a cycle. Looking for some every 700 new objects, as
Python does, took half of the time that reading a claim takes. And a commit is one text of most of a megabyte: the C
library gave it back to the system each time, so that the next had its pages mapped and cleared again, 800 a batch.
"""

from __future__ import annotations

import contextlib
import gc

_OBJECTS = 100_000
_ROUNDS = 50
_TRIM, _MMAP = -1, -3
"""M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of glibc's malloc.h."""
_KEPT, _LARGE = 2**24, 2**22
"""Bytes that are kept free at most for the next batch, and of what is too large for that."""


def seldom() -> None:
    """From here on cycles are looked for once in 100,000 objects that were not dropped."""
    gc.set_threshold(_OBJECTS, _ROUNDS, _ROUNDS)


def spare() -> None:
    """The same, and what is there stays."""
    gc.collect()
    gc.freeze()
    seldom()


def keep_freed() -> None:
    """From here on the C library keeps what a batch frees, some megabytes, for the next one; where it is glibc."""
    import ctypes  # of no use to a command

    with contextlib.suppress(AttributeError, OSError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_MMAP, _LARGE)
        mallopt(_TRIM, _KEPT)
