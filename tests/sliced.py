"""Long lists of cases: some of them each time, all of them by `make slow`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from zlib import crc32

import pytest


def sliced(cases: Iterable[Any], one_in: int, name: Any = str) -> list[Any]:
    """The cases as parameters; all but one in so many are slow. Which ones rests on their names alone, so that a run
    says the same twice."""
    return [
        case if crc32(name(case).encode()) % one_in == 0 else pytest.param(case, marks=pytest.mark.slow)
        for case in cases
    ]
