"""The matrix runs what it says, on what it says, and tells what it could not have."""

from __future__ import annotations

import os
import platform
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ops.matrix import LOWEST, PYTHONS, ROOT, Python, Row, Unusable, environment, on_path, pythons, run, servers
from worker.store.serverbinary import Release, Server, choose

HERE = platform.python_version()
Program = Callable[[str, str], Path]


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The first folder on PATH, which has no other server or Python."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "sh").symlink_to("/bin/sh")
    monkeypatch.setenv("PATH", str(folder))
    return folder


@pytest.fixture
def program(programs: Path) -> Program:
    """A script on PATH."""

    def put(name: str, does: str) -> Path:
        (programs / name).write_text(f"#!/bin/sh\n{does}\n")
        (programs / name).chmod(0o755)
        return programs / name

    return put


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """In place of `.matrix/`."""
    monkeypatch.setattr("ops.matrix.FOLDER", ROOT / os.path.relpath(tmp_path, ROOT))
    return tmp_path


def reasons(found: list[Python | Row] | list[Server | Row]) -> list[str]:
    return [one.why for one in found if isinstance(one, Row)]


def test_a_python_that_is_not_here_has_a_row_that_says_so(programs: Path) -> None:
    assert reasons(list(pythons([]))) == [f"no python{minor} is on PATH or named in PYTHONS" for minor in PYTHONS]


def test_a_python_on_path_that_does_not_run_or_is_another_is_reported(program: Program) -> None:
    broken = program("python3.11", "echo 'pyenv: python3.11: command not found' >&2; exit 127")
    other = program("python3.12", "echo 3.14.1")
    program("python3.13", "echo 3.13.9")
    first, second, third, _ = pythons([])
    assert isinstance(first, Row)
    assert first.why == f"{broken} is no Python: exit code 127, it says: pyenv: python3.11: command not found"
    assert isinstance(second, Row)
    assert second.why == f"{other} is Python 3.14.1"
    assert isinstance(third, Python)
    assert third.version == "3.13.9"


def test_a_named_python_goes_before_the_one_on_path(program: Program, programs: Path) -> None:
    program("python3.13", "echo 3.13.1")
    named = program("newer", "echo 3.13.9")
    assert Python("3.13.9", str(named)) in list(pythons([str(named)]))
    with pytest.raises(Unusable, match="nowhere cannot be run"):
        list(pythons([str(programs / "nowhere")]))


def test_a_named_python_that_the_matrix_has_no_place_for_is_refused(program: Program) -> None:
    later, one, two = (
        program(name, f"echo {says}") for name, says in [("a", "3.15.2"), ("b", "3.12.1"), ("c", "3.12.9")]
    )
    with pytest.raises(Unusable, match=r"is Python 3\.15\.2; expected one each of 3\.11, 3\.12"):
        list(pythons([str(later)]))
    with pytest.raises(Unusable, match=r"c is Python 3\.12\.9"):
        list(pythons([str(one), str(two)]))


def test_the_first_server_is_that_of_a_new_folder_and_each_release_comes_once(program: Program) -> None:
    program("redis-server", "echo Redis server v=8.1.0 sha=0")
    named = program("another", "echo Redis server v=7.0.3 sha=0")
    again = program("again", "echo Redis server v=8.1.0 sha=0")
    found = [one for one in servers([str(named), str(again)]) if isinstance(one, Server)]
    assert found[0] == choose(None)
    assert [str(Release(one.product, one.version)) for one in found[:2]] == ["Redis 8.1.0", "Redis 7.0.3"]
    assert len({(one.product, one.version) for one in found}) == len(found)


def test_the_lowest_server_that_is_promised_has_a_row_where_it_is_not_here(program: Program) -> None:
    program("redis-server", "echo Redis server v=7.0.15 sha=0")
    rows = [one for one in servers([]) if isinstance(one, Row)]
    assert [row.server for row in rows] == ["Valkey 7.2"]
    assert rows[0].why == "the lowest that is promised is not on PATH, nor named in SERVERS"


def test_a_named_server_that_is_none_is_refused_and_one_on_path_has_a_row(program: Program) -> None:
    bad = program("valkey-server", "exit 3")
    assert f"{bad} ended with exit code 3 when it was asked for its version" in reasons(list(servers([])))
    with pytest.raises(Unusable, match="ended with exit code 3"):
        list(servers([str(bad)]))


def test_a_server_of_the_matrix_is_the_one_that_a_new_folder_gets(
    folder: Path, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    program("redis-server", "echo Redis server v=8.1.0 sha=0")
    named = program("other", "echo Server v=7.2.7 sha=0")
    server = next(one for one in servers([str(named)]) if isinstance(one, Server) and one.product == "Valkey")
    monkeypatch.setenv("PATH", on_path(server))
    assert (choose(None).product, choose(None).version) == ("Valkey", "7.2.7")


def test_a_run_counts_what_passed_failed_and_was_skipped(folder: Path) -> None:
    file = folder / "test_three.py"
    file.write_text(
        "import pytest\ndef test_a(): pass\ndef test_b(): assert 0\n@pytest.mark.skip\ndef test_c(): pass\n"
        "@pytest.fixture\ndef broken(): raise OSError\ndef test_d(broken): pass\n"
    )
    arguments = ["-p", "tests.conftest", str(file)]
    row = run(HERE, Path(sys.executable), choose(None), os.environ["PATH"], arguments)
    assert row.bad
    assert row.counts
    assert row.counts[:3] == (1, 2, 1)
    assert "exit code 1: " in row.why
    assert "AssertionError" in (ROOT / row.why.partition(": ")[2]).read_text()


def test_a_run_of_passing_tests_is_good_and_one_of_none_is_not(folder: Path) -> None:
    file = folder / "test_one.py"
    file.write_text("def test_a(): pass\n")
    for arguments, good in ([], True), (["-k", "nothing"], False):
        row = run(
            HERE,
            Path(sys.executable),
            choose(None),
            os.environ["PATH"],
            ["-p", "tests.conftest", str(file), *arguments],
        )
        assert row.bad is not good
        assert bool(row.why) is not good


@pytest.mark.parametrize(
    ("python", "server"), [("3.9.9", None), (HERE, Server("Redis", "6.6.6", "path", "/gone/redis-server"))]
)
def test_a_run_on_another_python_or_server_than_it_was_to_be_is_bad(
    folder: Path, python: str, server: Server | None
) -> None:
    file = folder / "test_one.py"
    file.write_text("def test_a(): pass\n")
    arguments = ["-p", "tests.conftest", str(file)]
    row = run(python, Path(sys.executable), server or choose(None), os.environ["PATH"], arguments)
    assert row.bad
    assert row.why.startswith("it does not say that it ran on these: ")


def test_tests_that_send_signals_pass_where_the_matrix_is_to_ignore_them(
    folder: Path,
) -> None:
    """As under `nohup make matrix &`."""
    file = folder / "test_one.py"
    file.write_text(
        "import signal\ndef test_a():\n"
        "    assert signal.getsignal(signal.SIGINT) == signal.default_int_handler\n"
        "    assert signal.getsignal(signal.SIGHUP) == signal.SIG_DFL\n"
    )
    before = {one: signal.signal(one, signal.SIG_IGN) for one in (signal.SIGINT, signal.SIGHUP)}
    try:
        for _ in range(2):
            row = run(HERE, Path(sys.executable), choose(None), os.environ["PATH"], ["-p", "tests.conftest", str(file)])
            assert not row.bad, row.why
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def test_a_python_that_cannot_be_set_up_is_reported_with_the_reason(folder: Path, program: Program) -> None:
    bare = program("python3.14", "echo 'No module named venv' >&2; exit 1")
    with pytest.raises(Unusable, match="its environment cannot be made: No module named venv"):
        environment(Python("3.14.0", str(bare)))


def test_the_tests_say_last_which_python_and_server_they_ran_on() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--co", "tests/ops/test_locks.py"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert f"\nPython {HERE}; server: {choose(None)}\n" in done.stdout


def test_bad_usage_ends_with_2_before_anything_runs(programs: Path) -> None:
    command = [sys.executable, "-m", "ops.matrix", "--servers", str(programs / "nowhere")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "nowhere cannot be executed (No such file or directory)" in done.stderr


def test_the_matrix_covers_what_the_project_promises() -> None:
    least = re.search(r'^requires-python = ">=(\S+)"$', (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE)
    assert least
    assert least[1] == PYTHONS[0]
    readme = " ".join((ROOT / "README.md").read_text("utf-8").split())
    assert f"{LOWEST[0]} or {LOWEST[1]} and later" in readme
    assert f"on every Python {PYTHONS[0]} to {PYTHONS[-1]}" in readme
