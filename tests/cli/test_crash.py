"""A command that breaks, by real breakage in a real process: exit code 70, kind and place, and nothing of the input.

The breakage comes in through PYTHONPATH (`sitecustomize`): it changes what the command calls, and not the handler.
Public reports of the kind: click#712 and globus-cli#972 (a broken pipe ends with 1, whatever it was a pipe to).
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import CLEAN, SCRUB, environment

CANARY = "JANE CANARY 912345678"
Breaking = Callable[..., "subprocess.CompletedProcess[bytes]"]
IN_A_RULE = """
import rules.engine.check
def check(claim, *rest, **more):
    secret = {canary!r}
{body}
rules.engine.check.check = check
"""


@pytest.fixture
def breaking(home: Path) -> Breaking:
    """Runs `scrub check` of one claim where the check itself runs this body, or where Python starts with this code."""

    def run(body: str = "", *, start: str = "", arguments: tuple[str, ...] = ("check", "c.json")) -> object:
        (home / "shim").mkdir()
        indented = "".join(f"    {line}\n" for line in body.splitlines())
        code = start or IN_A_RULE.format(canary=CANARY, body=indented)
        (home / "shim/sitecustomize.py").write_text(code)
        (home / "c.json").write_text(json.dumps(CLEAN))
        return subprocess.run(
            [*SCRUB, *arguments], capture_output=True, timeout=60, cwd=home, check=False, stdin=subprocess.DEVNULL,
            env=environment(home, PYTHONPATH=str(home / "shim")),
        )  # fmt: skip

    return run  # type: ignore[return-value]


def says_kind_and_place(done: subprocess.CompletedProcess[bytes], kind: str) -> None:
    err = done.stderr.decode()
    assert "Traceback" not in err
    assert "CANARY" not in err + done.stdout.decode()
    assert re.search(rf"scrub failed[a-z ]*: {kind} at (\S+\.py:\d+ ?)+", err), err
    assert "Exit code 70." in err


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("raise RuntimeError(secret)", "RuntimeError"),
        ("raise KeyError(secret)", "KeyError"),
        ("raise UnicodeDecodeError('utf-8', secret.encode(), 0, 1, secret)", "UnicodeDecodeError"),
        ("def deep(): return deep()\ndeep()", "RecursionError"),
        ("bytearray(2**62)", "MemoryError"),
        ("raise BaseExceptionGroup(secret, [ValueError(secret)])", "ExceptionGroup"),
        ("import no_such_module_of_ours", "ModuleNotFoundError"),
    ],
)
def test_a_command_that_breaks_ends_with_70_and_tells_kind_and_place_and_no_text(
    breaking: Breaking, body: str, kind: str
) -> None:
    done = breaking(body)
    assert done.returncode == 70
    says_kind_and_place(done, kind)


def test_what_to_do_depends_on_what_broke(breaking: Breaking) -> None:
    assert b"not enough memory" in breaking("bytearray(2**62)").stderr


def test_a_package_that_is_missing_is_an_installation_that_is_not_whole(breaking: Breaking) -> None:
    done = breaking(start="import sys; sys.modules['typer'] = None")
    assert done.returncode == 70
    says_kind_and_place(done, "ModuleNotFoundError")
    assert b"(module typer)" in done.stderr
    assert b"install claim-scrubber again" in done.stderr


def test_a_module_that_breaks_at_import_is_reported_alike(breaking: Breaking) -> None:
    finder = (
        "import sys\n"
        "class Breaks:\n"
        "    def find_spec(self, name, *rest):\n"
        f"        if name == 'worker.cli.check': raise RuntimeError({CANARY!r})\n"
        "sys.meta_path.insert(0, Breaks())\n"
    )
    done = breaking(start=finder)
    assert done.returncode == 70
    says_kind_and_place(done, "RuntimeError")


def test_a_thread_that_breaks_is_a_failure_of_the_command(breaking: Breaking) -> None:
    body = "import threading\ndef work(): raise RuntimeError(secret)\nt = threading.Thread(target=work)\nt.start()\nt.join()\nraise SystemExit(0)"
    done = breaking(body)
    assert done.returncode == 70
    says_kind_and_place(done, "RuntimeError")


def test_an_error_while_the_command_ends_is_a_failure_of_the_command(breaking: Breaking) -> None:
    body = "import atexit\ndef late(): raise RuntimeError(secret)\natexit.register(late)\nraise SystemExit(0)"
    done = breaking(body)
    assert done.returncode == 70
    says_kind_and_place(done, "RuntimeError")


def test_an_error_that_python_passes_over_is_a_line_and_changes_no_exit_code(breaking: Breaking) -> None:
    body = "class Late:\n    def __del__(self): raise RuntimeError(secret)\nLate()\nraise SystemExit(0)"
    done = breaking(body)
    assert done.returncode == 0
    assert re.fullmatch(rb"scrub: RuntimeError at (\S+\.py:\d+ ?)+was passed over\n", done.stderr), done.stderr


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_a_signal_is_no_crash(breaking: Breaking, name: str, code: int) -> None:
    done = breaking(f"import os, signal\nos.kill(os.getpid(), signal.{name})")
    assert (done.returncode, done.stderr) == (code, b"")


def test_ctrl_c_before_the_command_runs_is_no_crash(breaking: Breaking) -> None:
    finder = (
        "import os, signal, sys\n"
        "class Stops:\n"
        "    def find_spec(self, name, *rest):\n"
        "        if name == 'worker.cli.check': os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Stops())\n"
    )
    done = breaking(start=finder)
    assert (done.returncode, done.stderr) == (130, b"")


@pytest.mark.parametrize("error", ["BrokenPipeError(32, 'x')", "OSError(5, 'Input/output error')"])
def test_an_error_of_the_system_is_2_and_never_1_which_would_speak_of_claims(breaking: Breaking, error: str) -> None:
    done = breaking(f"raise {error}")
    assert done.returncode == 2
    assert b"cannot go on: " in done.stderr


def test_a_text_as_exit_code_is_a_failure_too(breaking: Breaking) -> None:
    assert breaking("raise SystemExit('no more')").returncode == 70


def test_help_and_readme_name_the_code() -> None:
    shown = subprocess.run([*SCRUB, "--help"], capture_output=True, check=True).stdout.decode()
    assert "70 the program itself failed" in " ".join(shown.split())
    assert "70" in (Path(__file__).parents[2] / "README.md").read_text().split("scrub check claims.ndjson")[1][:120]
