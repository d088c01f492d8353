"""Runs the examples of the shipped book and notes its digest and the data of its files, so that no start has to:
`python -m ops.tried`.

`--check` fails where the note is of another book.
"""

from __future__ import annotations

import sys

from ops import generated
from rules.book.parsed import written
from rules.loader import PARSED, TRIED, book_files, load_book

if __name__ == "__main__":
    digest = load_book(examples="--check" not in sys.argv[1:]).digest
    sys.exit(generated.write({TRIED: f"{digest}\n", PARSED: written(book_files())}, "make catalogue"))
