"""The standard streams as a command finds them: one that is closed is filled before a file or socket gets its number.

A closed descriptor is the next one to be handed out, and what is then printed would go into a connection to Redis.
"""

from __future__ import annotations

import contextlib
import os
import sys

_ERRORS = "backslashreplace"
"""No text is a reason not to write: what the encoding lacks is shown by its number."""
_filled: list[int] = []


def prepare() -> None:
    """Standard input stays closed, standard error goes nowhere, and standard output fails as on a full disk."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            _fill(number)
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", errors=_ERRORS, closefd=False)  # noqa: SIM115 - for the process
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", errors=_ERRORS, closefd=False)  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):
            stream.reconfigure(errors=_ERRORS)  # type: ignore[union-attr]


def _fill(number: int) -> None:
    null = os.open(os.devnull, os.O_WRONLY if number == 2 else os.O_RDONLY)
    if null != number:
        os.dup2(null, number)
        os.close(null)
    os.set_inheritable(number, True)
    _filled.append(number)


def for_another_program() -> None:
    """Before this process becomes another one, which is to see for itself what was closed."""
    for number in _filled:
        os.set_inheritable(number, False)
