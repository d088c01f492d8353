"""The fast tests on each Python and against each server that can be had: Python 3.11 to 3.14, Redis and Valkey.

Each Python runs them with the server that a new state folder gets, and the lowest Python runs them with every other
server as well. A Python gets a virtual environment of its own from requirements-dev.lock, in `.matrix/`, and a server
a folder of its own that goes first on PATH. What could not be had has a row that says why. Exit codes: 0 all that ran
passed, 1 some did not, or a Python that is here could not be set up, or none ran, 2 what was named is no server or
Python.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from worker.store.serverbinary import Release, Server, installed, probe

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / ".matrix"
LOCK = ROOT / "requirements-dev.lock"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
LOWEST = (Release("Redis", "7.0"), Release("Valkey", "7.2"))
"""What the README promises; the tests of it say so too."""
_COLUMNS = "{:<10} {:<16} {:>7} {:>7} {:>8} {:>8}  {}\n"


class Python(NamedTuple):
    """An interpreter on this machine."""

    version: str
    """Major, minor and patch number."""
    binary: str

    @property
    def minor(self) -> str:
        """As in PYTHONS."""
        return ".".join(self.version.split(".")[:2])


class Counts(NamedTuple):
    """Of the tests of one run."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0


class Row(NamedTuple):
    """One combination: its counts where it ran, and `why` where something is to be said."""

    python: str
    server: str
    counts: Counts | None = None
    why: str = ""
    bad: bool = False

    def __str__(self) -> str:
        shown = (*self.counts[:3], f"{self.counts.seconds:.0f}") if self.counts else ("-",) * 4
        return _COLUMNS.format(self.python, self.server, *shown, self.why).rstrip() + "\n"


class Unusable(Exception):
    """Something was named that is no Python or no server, or an environment cannot be made; the text says why."""


def interpreter(binary: str) -> Python:
    """The interpreter, asked for its version.

    Raises:
        Unusable
    """
    command = [binary, "-c", "import platform; print(platform.python_version())"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unusable(f"{binary} cannot be run ({error})") from None
    if done.returncode or not re.fullmatch(r"\d+\.\d+\.\d+\S*\n", done.stdout):
        said = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()[0]
        raise Unusable(f"{binary} is no Python: exit code {done.returncode}, it says: {said}")
    return Python(done.stdout.strip(), binary)


def pythons(named: Sequence[str]) -> Iterator[Python | Row]:
    """One for each of PYTHONS, of those that are named or else on PATH; a row that says why where there is none.

    Raises:
        Unusable: one that was named, or a second one of its minor number.
    """
    given = dict[str, Python]()
    for found in map(interpreter, named):
        if found.minor not in PYTHONS or found.minor in given:
            raise Unusable(f"{found.binary} is Python {found.version}; expected one each of {', '.join(PYTHONS)}")
        given[found.minor] = found
    for minor in PYTHONS:
        binary = shutil.which(f"python{minor}")
        try:
            if minor in given:
                yield given[minor]
            elif binary is None:
                raise Unusable(f"no python{minor} is on PATH or named in PYTHONS")
            elif (found := interpreter(binary)).minor == minor:
                yield found
            else:
                raise Unusable(f"{binary} is Python {found.version}")
        except Unusable as reason:
            yield Row(minor, "-", why=str(reason))


def servers(named: Sequence[str]) -> Iterator[Server | Row]:
    """First the one that a new folder gets, then those that are named, then the others that are found, each release
    once; at the end a row for a lowest one that is not among them.

    Raises:
        Unusable: one that was named.
    """
    found = list(installed())
    wanted = [server for server in found if isinstance(server, Server)][:1]
    for binary in named:
        server = probe(os.path.abspath(shutil.which(binary) or binary), "path")
        if isinstance(server, str):
            raise Unusable(server)
        wanted.append(server)
    seen = list[Release]()
    for one in (*wanted, *found):
        if isinstance(one, str):
            yield Row("-", "-", why=one)
        elif (release := Release(one.product, one.version)) not in seen:
            seen.append(release)
            yield one
    for lowest in LOWEST:
        if not any(one.product == lowest.product and one.line == lowest.line for one in seen):
            yield Row("-", str(lowest), why="the lowest that is promised is not on PATH, nor named in SERVERS")


def environment(python: Python) -> Path:
    """The Python of its virtual environment, which is made anew when the lock or the interpreter is another.

    Raises:
        Unusable
    """
    folder = FOLDER / f"python{python.version}"
    stamp, inside = folder / "stamp", folder / "bin" / "python"
    made_of = hashlib.sha256(LOCK.read_bytes() + (ROOT / "pyproject.toml").read_bytes() + repr(python).encode())
    if stamp.is_file() and stamp.read_text() == made_of.hexdigest():
        return inside
    # Our own pip works on it: Debian's Pythons come without one.
    pip = [sys.executable, "-m", "pip", "--python", str(inside), "install", "--quiet", "--no-deps"]
    for command in (
        [python.binary, "-m", "venv", "--clear", "--without-pip", str(folder)],
        [*pip, "--disable-pip-version-check", "--require-hashes", "--requirement", str(LOCK)],
        [*pip, "--disable-pip-version-check", "--no-build-isolation", "--editable", str(ROOT)],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            lines = done.stderr.strip().splitlines() or ["nothing"]
            said = next((line for line in lines if line.startswith("ERROR:")), lines[-1])
            raise Unusable(f"its environment cannot be made: {said}")
    stamp.write_text(made_of.hexdigest())
    return inside


def on_path(server: Server) -> str:
    """A PATH on which it comes first, under both names, as Valkey's own installation has them."""
    folder = FOLDER / "servers" / f"{server.product}-{server.version}".lower()
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("redis-server", "valkey-server"):
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(os.path.realpath(server.binary))
    return f"{folder}{os.pathsep}{os.environ.get('PATH', '')}"


def run(python: str, binary: Path, server: Server, path: str, arguments: Sequence[str]) -> Row:
    """pytest with these arguments, under this interpreter and PATH; its output goes to a file in `.matrix/`."""
    output = FOLDER / f"python{python}-{server.product}-{server.version}.log".lower()
    report = output.with_suffix(".xml")
    report.unlink(missing_ok=True)
    clean = {name: value for name, value in os.environ.items() if name != "TEST_REDIS_SERVER"} | {"PATH": path}
    command = [str(binary), "-m", "pytest", "-q", f"--junitxml={report}", *arguments]
    alone = _heed_signals()
    begun = time.monotonic()
    with output.open("wb") as log:
        done = subprocess.run(
            command, cwd=ROOT, env=clean, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=alone,
            check=False,
        )  # fmt: skip
    counts = _count(report)._replace(seconds=time.monotonic() - begun)
    product = f"{server.product} {server.version}"
    if f"Python {python}; server: {product} " not in output.read_text("utf-8", "replace"):
        why = f"it does not say that it ran on these: {output.relative_to(ROOT)}"
    elif done.returncode or not counts.passed:
        why = f"exit code {done.returncode}: {output.relative_to(ROOT)}"
    else:
        why = ""
    return Row(python, product, counts, why, bad=bool(why))


def _heed_signals() -> bool:
    """Whether this program was set to ignore Ctrl-C or a hang-up, as by nohup or `&`; then it goes on to, but in a way
    that what it starts does not inherit: tests send both, and wait for the answer.
    """
    deaf = [one for one in (signal.SIGINT, signal.SIGHUP) if signal.getsignal(one) in (signal.SIG_IGN, _nothing)]
    for one in deaf:
        signal.signal(one, _nothing)
    return bool(deaf)


def _nothing(*_: object) -> None:
    """A handler, which unlike SIG_IGN does not outlive exec."""


def _count(report: Path) -> Counts:
    """Of a JUnit report; none where pytest did not come to write it."""
    if not report.is_file():
        return Counts()
    (suite,) = ElementTree.parse(report).iter("testsuite")  # noqa: S314 - pytest has just written it
    every, failed, errors, skipped = (int(suite.attrib[name]) for name in ("tests", "failures", "errors", "skipped"))
    return Counts(every - failed - errors - skipped, failed + errors, skipped)


def matrix(named_pythons: Sequence[str], named_servers: Sequence[str], arguments: Sequence[str]) -> Iterator[Row]:
    """The rows, each as soon as it is known.

    Raises:
        Unusable: something that was named.
    """
    interpreters, programs = list(pythons(named_pythons)), list(servers(named_servers))
    yield from (one for one in (*interpreters, *programs) if isinstance(one, Row))
    usable = [one for one in programs if isinstance(one, Server)]
    if not usable:
        return
    first, *rest = usable
    for python in interpreters:
        if isinstance(python, Row):
            continue
        try:
            binary = environment(python)
        except Unusable as reason:
            yield Row(python.version, "-", why=str(reason), bad=True)
            continue
        yield run(python.version, binary, first, os.environ.get("PATH", ""), arguments)
        for server in rest:
            yield run(python.version, binary, server, on_path(server), arguments)
        rest = []


def main() -> int:
    """Prints the rows as they come."""
    parser = argparse.ArgumentParser(prog="make matrix", description=(__doc__ or "").split("\n\n", maxsplit=1)[0])
    parser.add_argument("--pythons", nargs="*", default=[], help="interpreters beside those on PATH")
    parser.add_argument("--servers", nargs="*", default=[], help="servers beside those on PATH and the package's")
    parser.add_argument("--tests", nargs="*", default=[], help="of these folders or files alone")
    parser.add_argument("--workers", default="2", help="how many tests at once")
    asked = parser.parse_args()
    FOLDER.mkdir(exist_ok=True)
    sys.stdout.write(_COLUMNS.format("python", "server", "passed", "failed", "skipped", "seconds", "").rstrip() + "\n")
    rows = list[Row]()
    try:
        for row in matrix(asked.pythons, asked.servers, ["-n", asked.workers, *asked.tests]):
            rows.append(row)
            sys.stdout.write(str(row))
            sys.stdout.flush()
    except Unusable as reason:
        sys.stderr.write(f"{reason}\n")
        return 2
    return 1 if any(row.bad for row in rows) or not any(row.counts for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
