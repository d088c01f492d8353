"""rules/README.md, followed step by step: every edit that it asks for, every command that it shows."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rules.authoring.words import GRADES
from rules.loader import LIBRARY
from rules.terms import SEVERITIES
from tests.book import BOOK

from .conftest import SCRUB, Run, environment

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "rules/README.md").read_text(encoding="utf-8")
YAML = r"```yaml\n(.*?)```"
STEP = re.compile(
    rf"In `(?P<file>[^`]+)`, (?:replace\n\n{YAML}\n\nwith\n\n{YAML}|add at the end\n\n{YAML})|"
    rf"In the new file `(?P<made>[^`]+)`, write\n\n{YAML}|```sh\n(?P<commands>.*?)```",
    re.DOTALL,
)


@pytest.fixture
def desk(home: Path) -> Path:
    """A folder as the reader has it: the library where the guide says it is, and the README's claim."""
    shutil.copytree(LIBRARY, home / "rules/library")
    (found,) = re.findall(r"^```json\n(.*?)^```$", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)
    (home / "claim.json").write_text(found)
    claim = json.loads(found)
    claim["payer"] |= {"id": "61101"}
    claim["subscriber"] |= {"member_id": "H12345678"}
    claim["lines"][0] |= {"modifiers": ["50"], "units": 2}
    (home / "humana.json").write_text(json.dumps(claim))
    for words in (["init", "--quiet"], ["add", "rules"], ["commit", "--quiet", "--message", "as it was"]):
        mine = ["-c", "user.name=A. Reader", "-c", "user.email=reader@localhost"]
        subprocess.run(["git", *mine, *words], cwd=home, check=True)
    return home


@pytest.fixture
def worker(desk: Path) -> Iterator[Callable[..., None]]:
    """Starts the one worker of this installation, or starts it again."""
    running: list[subprocess.Popen[bytes]] = []

    def start(**env: str) -> None:
        stop()
        log = desk / f"worker-{len(list(desk.glob('worker-*')))}.log"
        with log.open("wb") as stream:
            command = [*SCRUB, "worker", "-c", "1"]
            running.append(
                subprocess.Popen(command, stdout=stream, stderr=stream, cwd=desk, env=environment(desk, **env))
            )
        deadline = time.monotonic() + 120
        while b" ready." not in log.read_bytes():
            assert running[-1].poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        time.sleep(1)  # its first beat

    def stop() -> None:
        while running:
            running[-1].terminate()
            assert running.pop().wait(60) == 0

    yield start
    stop()


def edit(file: Path, old: str | None, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    if old is None:
        file.write_text(text + new, encoding="utf-8")
        return
    assert text.count(old) == 1, f"{file.name} has {text.count(old)} times:\n{old}"
    file.write_text(text.replace(old, new), encoding="utf-8")


@pytest.mark.slow
@pytest.mark.timeout(900)  # some forty processes, one after the other
def test_a_reader_who_follows_the_guide_gets_what_it_says(scrub: Run, desk: Path, worker: Callable[..., None]) -> None:
    told: dict[str, str] = {}
    screens: list[str] = []
    for step in STEP.finditer(GUIDE):
        _, old, new, added, _, whole, _ = step.groups()
        if step["made"]:
            assert not (desk / step["made"]).exists()
            (desk / step["made"]).write_text(whole, encoding="utf-8")
            continue
        if step["file"]:
            edit(desk / step["file"], old, new if added is None else added)
            continue
        for line in step["commands"].splitlines():
            command, _, remark = line.partition("  # ends with ")
            words = shlex.split(command)
            if words[0] == "cp":
                subprocess.run(words, cwd=desk, check=True)
                continue
            assert words.pop(0) == "scrub", line
            if words[:2] == ["rules", "switch"]:
                worker()
            done = scrub(*words)
            if words == ["status"]:
                screens.append(done.stdout)
            assert done.returncode == int(remark or 0), f"{line}\n{done.stdout}{done.stderr}"
            assert remark or not done.stderr, f"{line}\n{done.stderr}"
            if remark and "humana.yaml" in done.stdout:
                lacking = re.search(r"no rule of ([A-Z0-9, ]+) is for humana: add", done.stdout)
                assert lacking
                assert {"BND001", "MOD001", "UNT001"} <= set(lacking[1].split(", ")), done.stdout
            told.setdefault(command, done.stdout)
            told["last " + command] = done.stdout
    assert "line 1  pass" in told["scrub rules explain --book my-book claim.json POS005"]
    assert "does not run" in told["scrub rules explain claim.json UNT001"]
    assert "2027-01-01" in told["scrub rules list --book my-book --subject POS --on 2027-01-01"]
    assert "POS005" in told["scrub rules diff rules/library my-book"]
    shipped, packed = (
        BOOK.label,
        re.findall(r"book (\S+),", told["scrub rules pack --book my-book -o next.book"]),
    )
    assert [packed[0] != shipped, packed[0].partition("+")[0]] == [True, shipped.partition("+")[0]]
    switched = told['scrub rules switch next.book --reason "the clinic gives blocks in place 19"']
    assert switched.startswith(f"In force: book {packed[0]}.\nBefore, workers judged by book {shipped}: ")
    back = told['scrub rules rollback --reason "not before January"']
    assert back.startswith(f"In force: book {shipped}.\nBefore, workers judged by book {packed[0]}: ")
    assert [re.findall(r"hand; book (\S+?)[, ]", screen) for screen in screens] == [packed, [shipped]]
    worker(SCRUB_BOOK="next.book")  # the day after: it is restarted, and its own is the book that was taken back
    assert f"hand; book {shipped}" in scrub("status").stdout
    assert "POS005" in told["scrub rules list --book my-book --status retired"]
    assert "did you mean 'status'?" in told["last scrub rules lint --book my-book"]
    of_humana = told["scrub check --book my-book humana.json"]
    assert [code for code in ("PAY001", "MOD003", "UNT001", "UNT002") if code not in of_humana] == []
    report = json.loads(told["scrub check --book my-book --format json humana.json"])
    # What the guide does not speak of is left: no ledger offline, and the editions of tables that are past.
    assert (report["payer"], report["coverage"]) == ("humana", "partial")
    assert {gap["kind"] for gap in report["gaps"]} <= {"history_not_consulted", "edition_past", "field_not_read"}
    said = [one["code"] for found in report["findings"] for one in (found, *found.get("because", []))]
    assert set(said) == {"DXN004", "MOD003", "UNT001", "UNT002"}


def test_no_step_of_the_guide_is_passed_over() -> None:
    blocks = re.findall(r"^```(\w*)$", GUIDE, re.MULTILINE)
    steps = [step.group(0) for step in STEP.finditer(GUIDE)]
    assert [name for name in blocks if name] == re.findall(r"```(\w+)\n", "\n".join(steps))


def test_the_guides_grades_are_those_that_the_loader_holds_to() -> None:
    from rules.book.compile import ALLOWED

    for grade in GRADES:
        (row,) = re.findall(rf"^\| {grade} \| .* \| (.*) \|$", GUIDE, re.MULTILINE)
        assert re.findall(r"\w+", row.replace(" or ", " ")) == list(ALLOWED[grade])  # type: ignore[index]
    assert all(f"`{severity}`" in GUIDE for severity in SEVERITIES)


def test_the_code_of_the_guides_rule_is_free() -> None:
    assert "POS005" not in {rule.code for rule in BOOK.rules}
