"""How often memory is tidied up: rarely, where claims are worked through in batches.

A batch makes and drops tens of thousands of objects and hardly a cycle. Looking for some every 700 new objects, as
Python does of its own accord, took half of the time that reading a claim takes. And glibc gives the end of its heap
back to the system after each batch, to ask for it again page by page: that took 3 % of all.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc

_OBJECTS = 100_000
_ROUNDS = 50
_HEAP = {-1: 64 << 20, -3: 32 << 20}
"""mallopt(3), bytes: M_TRIM_THRESHOLD, how much that is free is kept; M_MMAP_THRESHOLD, from which size on a block goes
back to the system by itself."""


def spare() -> None:
    """From here on: what is there stays, and cycles are looked for once in 100,000 objects that were not dropped.

    Up to 64 MiB that are free are kept, where the C library is glibc.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_OBJECTS, _ROUNDS, _ROUNDS)
    with contextlib.suppress(AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        for parameter, value in _HEAP.items():
            mallopt(parameter, value)
