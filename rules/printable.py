"""Foreign text made safe to look at: no control, format, bidirectional or line-separating character goes through.

`str.isprintable` draws the line (Unicode categories Cc, Cf, Cs, Co, Cn, Zl, Zp, and Zs but for the blank). What is on
the wrong side of it is shown by its number, as Python writes it: `\\x1b`, `\\u202e`, `\\n`. A byte of a file name that
is not UTF-8 is shown as that byte: `M\\xfcller.json`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

_BYTE = range(0xDC80, 0xDD00)
"""Code points that stand for bytes that are not UTF-8 (PEP 383)."""


_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_BEFORE = ("\t", "\r", "\n")
"""What spreadsheets pass over before a formula (OWASP, CSV Injection)."""


def printable(text: str) -> str:
    """The text with every character that is not printable shown by its number; on one line."""
    return text if text.isprintable() else "".join(map(_shown, text))


def csv_of(columns: Sequence[str], rows: Iterable[Sequence[object]], end: str = "\n") -> str:
    """A CSV without formulas, each line with its end."""
    text = io.StringIO()
    out = csv.writer(text, lineterminator=end)
    out.writerow(columns)
    out.writerows([cell(one) for one in row] for row in rows)
    return text.getvalue()


def cell(value: object) -> object:
    """No formula for a spreadsheet, whatever a sender put into a field: one that begins as such is a text by its
    apostrophe, also behind blanks, and in the wide forms that some programs read alike."""
    if not isinstance(value, str):
        return value
    return f"'{value}" if value.startswith(_BEFORE) or value.lstrip().startswith(_FORMULA) else value


def _shown(character: str) -> str:
    if character.isprintable():
        return character
    number = ord(character)
    return f"\\x{number - 0xDC00:02x}" if number in _BYTE else ascii(character)[1:-1]
