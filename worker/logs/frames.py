"""Where an exception came from, as far as it may be logged: files and lines, never a text.

Imports the standard library alone: who asks may be where nothing else can be imported.
"""

from __future__ import annotations

import os
from collections import deque
from traceback import walk_tb
from types import TracebackType

_MOST = 12


def places(trace: TracebackType | None) -> list[str]:
    """`file:line` of the last frames, without folders."""
    last = deque(walk_tb(trace), maxlen=_MOST)
    return [f"{os.path.basename(frame.f_code.co_filename)}:{line}" for frame, line in last]


def kind(error: type[BaseException]) -> str:
    """Module and name of a type of exception."""
    return f"{error.__module__}.{error.__qualname__}"
