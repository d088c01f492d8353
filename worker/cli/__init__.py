"""The command line, `scrub`: one module a group of commands.

Every command imports what it needs when it runs, so that `scrub --help` does not wait for Redis or Celery clients.
Exit codes: 0 all is well; 1 something needs a person; 2 bad usage, or an input that cannot be read; 70 the program
itself failed, which says nothing of the claims.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NoReturn

from worker.cli.common import crash, standard
from worker.process import gctuning

if TYPE_CHECKING:
    from worker.cli.commands import app as app


def main() -> NoReturn:
    """Runs the command and ends the process: no traceback whatever happens, and none for Ctrl-C."""
    crash.install()
    gctuning.seldom()  # to load a book makes half a million objects and drops few
    try:
        standard.prepare()
        from worker.cli.commands import run

        code = run()
    except KeyboardInterrupt:
        code = 130
    except Exception as error:  # noqa: BLE001 - it is the last one
        code = crash.crashed(error)
    sys.exit(code)


def __getattr__(name: str) -> Any:
    """`app` is there for who asks; `main` imports it where a failure to do so is reported as any other."""
    if name == "app":
        from worker.cli.commands import app

        return app
    raise AttributeError(name)
