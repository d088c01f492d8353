"""`scrub demo --desk`, which is `make desk`: from one command at a terminal to a claim in a browser, and nothing left."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import SCRUB, Run, environment
from tests.cli.test_demo import processes
from tests.serve.pages.watched import UNCLOSED, Watched
from worker.store.embedded import server_runs

pytestmark = UNCLOSED
ROOT = Path(__file__).parents[3]
DEMO = ("demo", "--desk", "--state", "run/desk", "--port", "0")


class Terminal:
    """A command at a terminal of its own, on which Ctrl-C is typed as a person types it."""

    def __init__(self, home: Path, *arguments: str) -> None:
        self.ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            ["setsid", "--ctty", *SCRUB, *arguments], stdin=theirs, stdout=theirs, stderr=theirs, cwd=home,
            env=environment(home),
        )  # fmt: skip
        os.close(theirs)
        self.said = ""

    def read(self, done: Callable[[], Any], seconds: float = 120) -> None:
        """Until it is done."""
        until = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < until, self.said[-2_000:]
            if select.select([self.ours], [], [], 0.1)[0]:
                with suppress(OSError):  # its other end is closed
                    self.said += os.read(self.ours, 65_536).decode("utf-8", "replace")

    def find(self, pattern: str) -> str:
        self.read(lambda: re.search(pattern, self.said))
        return re.findall(pattern, self.said)[-1]

    def interrupt(self) -> int:
        os.write(self.ours, b"\x03")
        self.read(lambda: self.process.poll() is not None, 60)
        return self.process.returncode


@pytest.fixture
def terminal(home: Path) -> Iterator[Callable[..., Terminal]]:
    started: list[Terminal] = []

    def start(*arguments: str) -> Terminal:
        started.append(Terminal(home, *arguments))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.terminate()
            one.process.wait(60)
        os.close(one.ours)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_one_command_opens_the_desk_ctrl_c_ends_all_of_it_and_it_starts_again(
    terminal: Callable[..., Terminal], home: Path, browser: Any
) -> None:
    for _ in range(2):
        one = terminal(*DEMO)
        address = one.find(r"listens on (http://127\.0\.0\.1:\d+)\. ")
        dana = Watched(browser, address)
        dana.go("/held")
        dana.page.fill("#code", one.find(r"To sign in to the desk, once: (\S+)"))
        dana.page.click("button.go")
        dana.page.wait_for_url("**/held?list=*")
        held = int(re.findall(r"(\d+) are held", one.said)[0])
        until = time.monotonic() + 60
        while len(dana.page.query_selector_all("tr.row")) != held:  # they are brought in once a second
            assert time.monotonic() < until, dana.page.inner_text("main")
            time.sleep(0.5)
            dana.go("/held")
        assert dana.clean, dana.said
        assert '"log.level"' not in one.said, "what a program reads is no word to a person"
        assert one.interrupt() == 0
        dana.context.close()
        assert "desk, worker and server are down" in one.said
        assert "Traceback" not in one.said
        assert not processes(home)
        assert not server_runs(home / "run/desk/redis")


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.4, 2.5, 6])
def test_ctrl_c_before_it_is_open_leaves_nothing_either(
    terminal: Callable[..., Terminal], home: Path, seconds: float
) -> None:
    one = terminal(*DEMO)
    time.sleep(seconds)
    assert one.interrupt() in (0, 128 + signal.SIGINT, -signal.SIGINT)
    assert "Traceback" not in one.said
    assert not processes(home)


@pytest.mark.slow
def test_a_waiver_of_the_demonstration_is_decided_by_its_worker(
    terminal: Callable[..., Terminal], scrub: Run, home: Path
) -> None:
    one = terminal(*DEMO)
    one.find(r"once: (\S+)")
    state = {"SCRUB_STATE_DIR": str(home / "run/desk")}
    done = scrub(
        "rework", "waive", "DEMO-0041", "--reason", "payer agreed", "--owner", "dana", "--until", f"{datetime.now().astimezone():%F}",
        **state,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    until = time.monotonic() + 60
    while "DEMO-0041" not in scrub("tail", "billing", **state).stdout:
        assert time.monotonic() < until
        time.sleep(0.3)
    assert one.interrupt() == 0


@pytest.mark.slow
def test_a_desk_that_ends_by_itself_ends_the_rest_and_says_so(terminal: Callable[..., Terminal], home: Path) -> None:
    one = terminal(*DEMO)
    one.find(r"once: (\S+)")
    (desk,) = [line.split()[0] for line in processes(home) if "\0serve\0" in line]
    os.kill(int(desk), signal.SIGKILL)
    one.read(lambda: one.process.poll() is not None)
    assert one.process.returncode == 2
    assert "the desk ended with code -9" in one.said
    until = time.monotonic() + 20
    while processes(home):  # those that judge see that the desk is gone
        assert time.monotonic() < until, processes(home)
        time.sleep(0.1)


def test_a_port_that_another_program_has_is_named_before_anything_is_started(scrub: Run, home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = scrub("demo", "--desk", "--port", port)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"127.0.0.1 port {port} cannot be listened on: Address already in use. Choose another one" in done.stderr
    assert not (home / "run").exists()


def test_without_the_extra_it_says_what_to_install_and_the_demonstration_alone_needs_none(home: Path) -> None:
    """As after `pip install claim-scrubber`: the packages of the extra cannot be found."""
    hidden = "import sys; sys.modules.update(dict.fromkeys(('fastapi', 'uvicorn', 'jinja2', 'sqlalchemy'))); import worker.cli; worker.cli.main()"
    done = subprocess.run(
        [SCRUB[0].replace("scrub", "python"), "-P", "-c", hidden, "demo", "--desk"], capture_output=True, text=True,
        cwd=home, env=environment(home), check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "`scrub demo --desk` needs packages that are not installed here" in done.stderr
    assert "claim-scrubber[serve]" in done.stderr
    assert not (home / "run").exists()


def test_make_desk_makes_the_environment_that_make_run_makes_whose_lock_has_the_extra() -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert re.search(r"^desk: \.venv/run\.stamp ", makefile, re.MULTILINE)
    # A make that was started by `make test` tells which folder it enters and leaves, after all else.
    command = ["make", "--no-print-directory", "-n", "desk", "PORT=8081"]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert shown.stdout.splitlines()[-1] == ".venv/bin/scrub demo --desk --state run/desk --port 8081"
    locked = set(re.findall(r"^([\w-]+)==", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
    assert {"fastapi", "uvicorn", "jinja2", "python-multipart", "sqlalchemy", "alembic"} <= locked
