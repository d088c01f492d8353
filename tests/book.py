"""The shipped book, loaded once a test process. It never changes but for the plans that it keeps."""

from __future__ import annotations

from rules.loader import load_book

BOOK = load_book()
