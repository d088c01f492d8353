"""Text that others wrote, through every command that shows it: it stays on its line and steers no terminal.

Public reports of the kind: mdk#993 (plain output of remote content), DATROMTool#38 (names of files on progress lines),
ArchiveBox#1373 (a lone surrogate of a file name ends the program).
"""

from __future__ import annotations

import ast
import json
import os
import pty
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.book.book import Book
from rules.claim import read_claim
from rules.engine.check import check as judge
from rules.printable import printable
from tests import standby
from tests.book import unused
from worker.logs.printable import json_bytes
from worker.store.connections import Store
from worker.store.outletspecs import JUDGED

from .conftest import CLEAN, SCRUB, environment

pytestmark = pytest.mark.slow

EVIL = "\x1b[31mEVIL\x1b]0;pwn\x07\r\n\x9b2JFORGED: all is well\u202e\u2028\u0085\x7f\u200bx"
STEERS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def book() -> Book:
    return unused()


def run(home: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return standby.scrub(*arguments, cwd=home, env=environment(home), timeout=120)


def neutral(done: subprocess.CompletedProcess[bytes]) -> str:
    """What was written, in which nothing steers and no line is forged."""
    text = (done.stdout + done.stderr).decode()
    assert "Traceback" not in text
    assert done.returncode != 70, text
    assert not STEERS.search(text), repr(STEERS.search(text))
    assert not re.search(r"^\s*(\W{0,3}\[?2J)?FORGED", text, re.MULTILINE), text
    return text


@pytest.fixture
def planted(home: Path, store: Store, book: Book) -> Path:
    """A Redis in which every name and every text is hostile."""
    redis, keys = store.redis, store.keys
    now = int(time.time() * 1000)
    report = json.loads(orjson.dumps(judge(read_claim(CLEAN), book), default=str))
    claim = {**CLEAN, "claim_id": EVIL, "payer": {**CLEAN["payer"], "name": EVIL}}
    event = {
        "specversion": "1.0",
        "id": EVIL,
        "source": EVIL,
        "type": EVIL,
        "time": EVIL,
        "eventid": EVIL,
        "eventsource": EVIL,
    }
    shown = {"claim": claim, "report": {**report, "claim_id": EVIL, "book": {"version": EVIL, "digest": EVIL}}}
    held = {"reason": EVIL, "sentence": EVIL, "problems": [{"path": EVIL, "sentence": EVIL}], "inbox_entry": EVIL}
    for name in JUDGED:
        redis.xadd(keys.outlet(name), {"event": json.dumps({**event, "data": shown})}, id="1-1")
    redis.xadd(keys.outlet("quarantine"), {"event": json.dumps({**event, "data": held})}, id="1-1")
    for outlet in ("billing", "quarantine"):
        redis.xgroup_create(keys.outlet(outlet), EVIL, id="0")
        redis.xgroup_create(keys.outlet(outlet), b"\xff\xfe", id="0")
        redis.xreadgroup(EVIL, EVIL, {keys.outlet(outlet): ">"}, count=1)
    says = {
        "host": EVIL,
        "pid": 1,
        "version": EVIL,
        "book_version": EVIL,
        "book_digest": EVIL,
        "started": 1.0,
        "processes": [1],
    }
    redis.hset(keys.workers, EVIL, f"{now} {json.dumps(says)}")
    redis.hset(keys.workers, b"\xff\xfe", f"{now} {json.dumps(says)}")
    redis.set(keys.hold, f"{now} {EVIL}")
    name = {"version": EVIL, "digest": EVIL}
    switch = {"book": name, "before": name, "who": EVIL, "reason": EVIL, "moment": 1.0, "own": False}
    redis.lpush(keys.switches, json.dumps(switch))
    redis.hset(keys.judging, EVIL, f"{now} " + json.dumps({"book": name, "refused": EVIL}))
    redis.hset(keys.judging, b"\xff\xfe", f"{now} " + json.dumps({"book": name, "refused": EVIL}))
    return home


def test_everything_in_redis_is_shown_and_steers_nothing(planted: Path) -> None:
    shows = [["status"], ["quarantine", "list"], ["quarantine", "show", "1-1"], ["doctor"], ["tail", "quarantine"]]
    for arguments in [*shows, *(["tail", name] for name in JUDGED)]:
        text = neutral(run(planted, *arguments))
        assert "EVIL" in text or arguments == ["doctor"], (arguments, text)
    status = neutral(run(planted, "status"))
    for what in (r"group \x1b[31mEVIL", r"group \xff\xfe", r"by \x1b[31mEVIL", r"take no more claims"):
        assert what in status, what


def test_json_of_it_is_valid_and_says_the_same(planted: Path) -> None:
    for arguments in (
        ["status", "--json"], ["quarantine", "list", "--format", "json"], ["quarantine", "show", "1-1", "--format", "json"],
        ["tail", "billing", "--format", "json"], ["doctor", "--format", "json"],
    ):  # fmt: skip
        text = neutral(run(planted, *arguments))
        found = [json.loads(line) for line in text.splitlines()]
        assert found
        assert EVIL in strings(found) or arguments[0] == "doctor", arguments
        assert text.isascii() or text.replace("\n", "").isprintable()


def strings(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set().union(*map(strings, value.values()), map(str, value))
    return set().union(*map(strings, value)) if isinstance(value, list) else {str(value)}


def test_a_terminal_gets_our_styles_and_no_others(planted: Path) -> None:
    shown = on_terminal(planted, "status")
    assert "\x1b[1m" in shown
    assert r"\x1b[31mEVIL" in shown
    assert not re.search(r"\x1b(?!\[[0-9;]*m)", shown), "only colors"
    assert "\x1b[31mEVIL" not in shown
    assert not STEERS.search(re.sub(r"\x1b\[[0-9;]*m|\r\n", "", shown))
    assert r"\x1b[31mEVIL" in on_terminal(planted, "quarantine", "show", "1-1")


def test_the_content_of_a_quarantined_entry_is_exact_in_a_pipe_and_steers_no_terminal(home: Path, store: Store) -> None:
    data = {"reason": "not_json", "sentence": "s", "problems": [], "inbox_entry": "1-1", "event": EVIL}
    event = {"id": "d", "time": "2026-01-01T00:00:00Z", "data": data}
    store.redis.xadd(store.keys.outlet("quarantine"), {"event": json.dumps(event)}, id="1-1")
    assert run(home, "quarantine", "show", "--content", "1-1").stdout == EVIL.encode() + b"\n"
    shown = on_terminal(home, "quarantine", "show", "--content", "1-1")
    assert r"\x1b[31mEVIL" in shown
    assert not STEERS.search(shown.replace("\r\n", ""))


def on_terminal(home: Path, *arguments: str) -> str:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*SCRUB, *arguments], stdin=theirs, stdout=theirs, stderr=theirs, cwd=home,
        env=environment(home, TERM="xterm", COLUMNS="100"),
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    try:
        while part := os.read(ours, 65_536):
            shown += part
    except OSError:  # how Linux says that the other side is closed
        pass
    os.close(ours)
    process.wait()
    return shown.decode()


NAMES = ["\x1b[31mEVIL\nFORGED.json", "\u202egpj.json", "M\udcfcller.json", "\x9b2J.json"]


@pytest.mark.parametrize("name", NAMES)
def test_names_of_files_folders_and_arguments_steer_nothing(home: Path, name: str) -> None:
    (home / name).write_text(json.dumps(CLEAN) + "\n{\n")
    (home / f"{name}.d").mkdir()
    for arguments in (
        ["check", name], ["check", "--format", "json", name], ["check", "gone" + name], ["check", f"{name}.d"],
        ["check", "--" + name], [name], ["rules", "show", name], ["rules", "list", "--book", name],
        ["rules", "lint", "--book", f"{name}.d"], ["tail", name], ["submit", "--dry-run", name], ["submit", "--watch", name],
        ["rules", "explain", name, "UNT001"], ["rules", "overrides", name], ["tables", "import", name],
        ["audit", "verify", name], ["report", name, "-o", "x.html"], ["replay", name, name],
        ["rules", "impact", "--book", name, name], ["outcomes", "import", name, "--audit", "."],
        ["quarantine", "show", name], ["rules", "verify", name, "--key", name], ["tables", "undo", name],
    ):  # fmt: skip
        neutral(run(home, *arguments))


def test_what_a_rule_book_and_overrides_say_steers_nothing(home: Path) -> None:
    text = json.dumps(EVIL)
    (home / "o.yaml").write_text(
        f"overrides:\n  - name: {text}\n    filing_limit: 180\n    severity: block\n    payers: [aetna]\n"
        f"    reason: {text}\n    owner: {text}\n    expires: 2027-06-30\n  - {text}: {text}\n"
    )
    neutral(run(home, "rules", "overrides", "o.yaml"))
    subprocess.run(["cp", "-r", str(ROOT / "rules/library"), str(home / "b")], check=True)
    file = next((home / "b").rglob("*UNT001*.yaml"))
    file.write_text(re.sub(r"(?m)^title: .*$", lambda _: f"title: {text}", file.read_text(), count=1))
    for arguments in (["rules", "lint"], ["rules", "list"], ["rules", "show", "UNT001"], ["rules", "test", "UNT001"]):
        neutral(run(home, *arguments, "--book", "b"))
    neutral(run(home, "rules", "diff", str(ROOT / "rules/library"), "b"))


@given(st.text())
def test_any_text_is_printable_afterwards_and_stays_what_it_was_where_it_is(text: str) -> None:
    assert printable(text).isprintable()
    if text.isprintable():
        assert printable(text) == text


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_value_is_valid_json_on_one_printable_line_that_reads_back(value: Any) -> None:
    found = json_bytes(value)
    assert found.decode().isprintable()
    assert json.loads(found) == value


def test_json_of_a_name_that_is_not_utf_8_is_valid() -> None:
    assert json.loads(json_bytes({"name": os.fsdecode(b"M\xfcller")})) == {"name": "M\\xfcller"}


def written_past_the_terminal(file: Path) -> list[str]:
    """Where a module writes to a standard stream, or makes JSON for one, by itself."""
    found = []
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            streams = r"sys\.(__)?std(out|err)(__)?(\.buffer)?\.(write|writelines)"
            if re.fullmatch(
                rf"print|(typer|click)\.(echo|secho|echo_via_pager)|os\.write|{streams}|orjson\.dumps|pprint", name
            ):
                found.append(f"{file.name}:{node.lineno}: {name}")
    return found


def test_no_command_writes_past_the_terminal_module() -> None:
    parts = [list((ROOT / "worker" / part).rglob("*.py")) for part in ("cli", "demo", "reporting")]
    assert all(parts), "a folder has another name"
    files = [file for part in parts for file in part]
    allowed = {"terminal.py", "crash.py"}
    found = [place for file in files if file.name not in allowed for place in written_past_the_terminal(file)]
    assert found == []


def test_the_look_for_such_writes_finds_them(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text(
        "print(1)\nsys.stdout.write('')\nsys.__stdout__.buffer.write(b'')\nos.write(1, b'')\norjson.dumps(1)\ntyper.echo(1)\n"
    )
    assert len(written_past_the_terminal(tmp_path / "x.py")) == 6
