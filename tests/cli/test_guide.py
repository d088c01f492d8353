"""rules/README.md, followed step by step: every edit that it asks for, every command that it shows."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from rules.loader import LIBRARY, load_book
from rules.report import SEVERITIES
from rules.words import GRADES

from .conftest import Run

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "rules/README.md").read_text(encoding="utf-8")
YAML = r"```yaml\n(.*?)```"
STEP = re.compile(
    rf"In `(?P<file>[^`]+)`, (?:replace\n\n{YAML}\n\nwith\n\n{YAML}|add at the end\n\n{YAML})|```sh\n(?P<commands>.*?)```",
    re.DOTALL,
)


@pytest.fixture
def desk(home: Path) -> Path:
    """A folder as the reader has it: the library where the guide says it is, and the README's claim."""
    shutil.copytree(LIBRARY, home / "rules/library")
    (found,) = re.findall(r"^```json\n(.*?)^```$", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)
    (home / "claim.json").write_text(found)
    for words in (["init", "--quiet"], ["add", "rules"], ["commit", "--quiet", "--message", "as it was"]):
        mine = ["-c", "user.name=A. Reader", "-c", "user.email=reader@localhost"]
        subprocess.run(["git", *mine, *words], cwd=home, check=True)
    return home


def edit(file: Path, old: str | None, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    if old is None:
        file.write_text(text + new, encoding="utf-8")
        return
    assert text.count(old) == 1, f"{file.name} has {text.count(old)} times:\n{old}"
    file.write_text(text.replace(old, new), encoding="utf-8")


@pytest.mark.slow
@pytest.mark.timeout(300)  # some twenty processes, one after the other
def test_a_reader_who_follows_the_guide_gets_what_it_says(scrub: Run, desk: Path) -> None:
    told: dict[str, str] = {}
    for step in STEP.finditer(GUIDE):
        _, old, new, added, _ = step.groups()
        if step["file"]:
            edit(desk / step["file"], old, new if added is None else added)
            continue
        for line in step["commands"].splitlines():
            command, _, remark = line.partition("  # ends with ")
            words = shlex.split(command)
            assert words.pop(0) == "scrub", line
            done = scrub(*words, SCRUB_BOOK="rules/library")
            assert done.returncode == int(remark or 0), f"{line}\n{done.stdout}{done.stderr}"
            assert remark or not done.stderr, f"{line}\n{done.stderr}"
            told[command] = done.stdout
    assert "line 1  pass" in told["scrub rules explain claim.json POS005"]
    assert "does not run" in told["scrub rules explain claim.json UNT001"]
    assert "2027-01-01" in told["scrub rules list --subject POS --on 2027-01-01"]
    assert "POS005" in told["scrub rules diff HEAD"]
    assert "In force: book" in told['scrub rules switch next.book --reason "the clinic gives blocks in place 19"']
    assert "POS005" in told["scrub rules list --status retired"]
    assert "did you mean 'status'?" in told["scrub rules lint"]


def test_no_step_of_the_guide_is_passed_over() -> None:
    blocks = re.findall(r"^```(\w*)$", GUIDE, re.MULTILINE)
    steps = [step.group(0) for step in STEP.finditer(GUIDE)]
    assert [name for name in blocks if name] == re.findall(r"```(\w+)\n", "\n".join(steps))


def test_the_guides_grades_are_those_that_the_loader_holds_to() -> None:
    from rules.compile import ALLOWED

    for grade in GRADES:
        (row,) = re.findall(rf"^\| {grade} \| .* \| (.*) \|$", GUIDE, re.MULTILINE)
        assert re.findall(r"\w+", row.replace(" or ", " ")) == list(ALLOWED[grade])  # type: ignore[index]
    assert all(f"`{severity}`" in GUIDE for severity in SEVERITIES)


def test_the_code_of_the_guides_rule_is_free() -> None:
    assert "POS005" not in {rule.code for rule in load_book().rules}
