"""The last handler of the command line: the program's own failure is reported by kind and place, and ends with 70.

Not with 1, which says something of the claims, and without the text of the exception, which may hold what a file held.
Imports the standard library alone: it must work where nothing else can be imported, or where memory has run out.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
from contextlib import suppress
from types import TracebackType
from typing import Any

from worker.logs.frames import kind, places

FAILED = 70
"""EX_SOFTWARE of sysexits.h: the program itself failed."""
_DEFECT = (
    "This is a defect of the scrubber: please report these lines, which quote nothing of the input. What was printed or"
    " sent before stands; to run the command again is safe."
)
_MEMORY = (
    "There was not enough memory. Give the command more of it, or split the file; to run the command again is safe."
)
_BROKEN = "The installation is not whole: install claim-scrubber again, with the packages that it wants."


class _State:
    failed = False


def crashed(error: BaseException, where: str = "") -> int:
    """Says on standard error that the program failed, and answers the exit code.

    `where`: what went on meanwhile, in words of ours.
    """
    _State.failed = True
    what = f"scrub failed{where}: {_name(type(error))} at {' '.join(places(error.__traceback__)) or 'an unknown place'}"
    if isinstance(error, ImportError) and (error.name or "").replace(".", "").replace("_", "").isalnum():
        what += f" (module {error.name})"
    _write(f"{what}\n{_advice(error)} Exit code {FAILED}.\n")
    return FAILED


def _name(error: type[BaseException]) -> str:
    return kind(error).removeprefix("builtins.")


def _advice(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return _MEMORY
    return _BROKEN if isinstance(error, ImportError) else _DEFECT


def _write(text: str) -> None:
    with suppress(OSError):
        os.write(2, text.encode("ascii", "backslashreplace"))


def install() -> None:
    """From here on no traceback is printed, wherever an exception ends up: at the top, in a thread, at the end."""
    sys.excepthook = _top
    threading.excepthook = _thread
    sys.unraisablehook = _ignored
    atexit.register(_end)  # the first one in is the last one to run


def _top(_: type[BaseException], error: BaseException, __: TracebackType | None) -> None:
    crashed(error)


def _thread(failed: Any) -> None:
    if not isinstance(failed.exc_value, SystemExit | None):
        crashed(failed.exc_value, " in a thread")


def _ignored(failed: Any) -> None:
    """What Python cannot raise. That a function that was to run at the end failed is a failure of the command."""
    if "atexit" in (failed.err_msg or ""):
        crashed(failed.exc_value, " while it ended")
    else:
        name = _name(failed.exc_type)
        _write(f"scrub: {name} at {' '.join(places(failed.exc_traceback))} was passed over\n")


def _end() -> None:
    if _State.failed:
        with suppress(OSError, ValueError, AttributeError):
            sys.stdout.flush()
        os._exit(FAILED)
