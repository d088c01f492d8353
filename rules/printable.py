"""Foreign text made safe to look at: no control, format, bidirectional or line-separating character goes through.

`str.isprintable` draws the line (Unicode categories Cc, Cf, Cs, Co, Cn, Zl, Zp, and Zs but for the blank). What is on
the wrong side of it is shown by its number, as Python writes it: `\\x1b`, `\\u202e`, `\\n`. A byte of a file name that
is not UTF-8 is shown as that byte: `M\\xfcller.json`.
"""

from __future__ import annotations

_BYTE = range(0xDC80, 0xDD00)
"""Code points that stand for bytes that are not UTF-8 (PEP 383)."""


def printable(text: str) -> str:
    """The text with every character that is not printable shown by its number; on one line."""
    return text if text.isprintable() else "".join(map(_shown, text))


def _shown(character: str) -> str:
    if character.isprintable():
        return character
    number = ord(character)
    return f"\\x{number - 0xDC00:02x}" if number in _BYTE else ascii(character)[1:-1]
