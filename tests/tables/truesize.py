"""Synthetic NCCI pairs of the true size: as many rows, codes and dates as CMS publishes a quarter.

    python -m tests.tables.truesize FOLDER [ROWS]

writes the four text files of the practitioners' quarter under the names of CMS. The rows are invented; of 64445 they hold
those that a test names.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from .official import PAIRS_HEADER, RATIONALE, Row

ROWS = 2_637_645
"""Of the practitioners' table of 2026 Q4."""
NAME = "ccipra-v323r0"
_QUARTERS = [f"{year}{month}01" for year in range(1996, 2027) for month in ("01", "04", "07", "10")]
_ENDS = [f"{year}{day}" for year in range(2010, 2026) for day in ("0331", "0630", "0930", "1231")]
_PER_CODE = 260
"""About as many column-2 codes as the average code has."""


def codes() -> list[str]:
    """Some 10,000 codes of the shapes that the table has."""
    numeric = [f"{number:05}" for number in range(100, 99_999, 11)]
    return [*numeric, *(f"{number:04}T" for number in range(100, 999)), *(f"G{number:04}" for number in range(300))]


def rows(count: int = ROWS, seed: int = 64_445) -> Iterator[Row]:
    """Invented rows in the order of CMS; a few pairs have a deleted row before the active one."""
    draw, known, made = random.Random(seed), codes(), 0
    per_code = count // len(known) + 1
    for column1 in known:
        for column2 in sorted(draw.sample(known, per_code)):
            if made == count:
                return
            made += 1
            deleted = draw.random() < 0.25
            starts = draw.choice(_QUARTERS[:50] if deleted else _QUARTERS)
            yield column1, column2, starts, draw.choice(_ENDS) if deleted else "*", draw.choice("0111")


def write(folder: Path, own: Iterable[Row], count: int = ROWS, name: str = NAME) -> list[Path]:
    """The four files, with these rows at the end of the last."""
    files = [
        folder / f"{name}-f{part}.{ending}" for part, ending in zip("1234", ("TXT", "TXT", "txt", "txt"), strict=True)
    ]
    invented = rows(count)
    for part, file in enumerate(files):
        with file.open("w", encoding="latin-1", newline="\r\n") as stream:
            stream.write(PAIRS_HEADER)
            for _ in range(count // 4 + (count % 4 if part == 3 else 0)):
                stream.write(_line(next(invented)))
            if part == 3:
                stream.writelines(map(_line, own))
    return files


def _line(row: Row) -> str:
    one, two, starts, ends, indicator = row
    return f"{one}\t{two}\t\t{starts}\t{ends}\t{indicator}\t{RATIONALE}\n"


OWN: list[Row] = [
    ("20553", "64445", "20170101", "*", "1"),
    ("27447", "64445", "19960101", "*", "0"),
    ("64445", "20550", "20200101", "*", "1"),
]

if __name__ == "__main__":
    write(Path(sys.argv[1]), OWN, int(sys.argv[2]) if len(sys.argv) > 2 else ROWS)
