"""The docstring of an error is its message, on one line, whatever a Python makes of docstrings."""

from __future__ import annotations

import pytest

from rules.errors import ScrubError


@pytest.mark.parametrize("lines", ["A {what} is\n    wrong; do\n    this.\n\n    More.\n    ", "A {what} is\nwrong; do\nthis.\n\nMore.\n"])  # fmt: skip
def test_a_message_is_the_first_paragraph_on_one_line_with_indents_or_without(lines: str) -> None:
    """Python 3.13 takes the indents out (python/cpython#81283)."""
    kind = type("Wrong", (ScrubError,), {"__doc__": lines})
    assert str(kind(what="thing")) == "A thing is wrong; do this."
