"""What a stranger expects of the repository: its metadata, its editors' settings, its hooks, and pages that are true.

A marker file that the wheel leaves behind types nobody's code (readme_renderer#227, hatch#820); hooks with a second pin
of a tool disagree with its lint (epguides-api#318, vibetuner#2154); pages name folders that moved away (modular#6796,
superset#43143); and two packages of one import name overwrite each other in silence (pip#4625, uv#10564).
"""

from __future__ import annotations

import ast
import configparser
import re
import shlex
import subprocess
import sys
import tomllib
import zipfile
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.specifiers import SpecifierSet
from trove_classifiers import classifiers as known_classifiers

from worker.config.settings import Settings
from worker.store.keys import Keys
from worker.store.private import KNOWN

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT: dict[str, Any] = PYPROJECT["project"]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def tracked() -> list[Path]:
    """Every file of the repository, as git has it or would take it."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    found = [ROOT / name for name in done.stdout.split("\0") if name]
    return [path for path in found if path.is_file()]


FILES = tracked()


def test_the_classifiers_are_ones_that_an_index_takes_and_name_the_pythons_from_the_lowest_on() -> None:
    named = PROJECT["classifiers"]
    assert [one for one in named if one not in known_classifiers] == []
    pythons = [one.rpartition(" ")[2] for one in named if re.search(r":: 3\.\d+$", one)]
    minors = [int(one.removeprefix("3.")) for one in pythons]
    assert minors == list(range(minors[0], minors[-1] + 1))
    allowed = SpecifierSet(PROJECT["requires-python"])
    assert all(one in allowed for one in pythons)
    assert f"3.{minors[0] - 1}" not in allowed


def test_no_license_is_claimed_before_the_owner_has_chosen_one() -> None:
    assert not {"license", "license-files"} & set(PROJECT)
    assert not [one for one in PROJECT["classifiers"] if one.startswith("License")]
    assert not list(ROOT.glob("LICEN[CS]E*"))
    assert "No license is granted yet: it is the owner's to choose." in README


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, by the build backend that `make release` calls."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("*.whl")
    return zipfile.ZipFile(built)


def of_packages(wheel: zipfile.ZipFile) -> set[str]:
    """What is installed beside other packages."""
    return {name for name in wheel.namelist() if ".dist-info/" not in name and ".data/" not in name}


def test_the_wheel_carries_every_file_of_both_packages_and_the_markers_of_typed_code(wheel: zipfile.ZipFile) -> None:
    inside = of_packages(wheel)
    packages = {str(path.relative_to(ROOT)) for path in FILES if path.relative_to(ROOT).parts[0] in ("rules", "worker")}
    assert inside == packages
    assert {"rules/py.typed", "worker/py.typed"} <= inside


def test_the_wheels_import_names_are_the_two_that_the_readme_warns_of(wheel: zipfile.ZipFile) -> None:
    tops = {name.partition("/")[0] for name in of_packages(wheel)}
    assert tops == {"rules", "worker"}
    assert "`rules` and `worker`" in README


def test_the_wheel_carries_what_an_operator_installs_beside_it(wheel: zipfile.ZipFile) -> None:
    """In share/claim-scrubber of the environment; scripts can be run from there."""
    carried = {name.partition("/data/share/claim-scrubber/")[2]: name for name in wheel.namelist() if ".data/" in name}
    wanted = {
        path.relative_to(ROOT / "ops") for path in FILES if path.parent in (ROOT / "ops/systemd", ROOT / "ops/redis")
    }
    assert {str(path) for path in wanted} <= carried.keys()
    assert {"install.md", "backup.md", "runbook.md", "secrets.sh", "alerts/prometheus.yaml"} <= carried.keys()
    for script in ("redis/start.sh", "secrets.sh", "systemd/figures"):
        assert wheel.getinfo(carried[script]).external_attr >> 16 & 0o111, script


EDITOR = configparser.ConfigParser()
EDITOR.read_string("[top]\n" + (ROOT / ".editorconfig").read_text(encoding="utf-8"))


def editor_settings(name: str) -> dict[str, str]:
    """What an editor would do with the file at this path: of the sections that fit, the later ones win."""
    found: dict[str, str] = {}
    for section in EDITOR.sections()[1:]:
        globs = section.strip("[]")
        if brace := re.fullmatch(r"\*\.\{(.+)\}", globs):
            fits = Path(name).suffix[1:] in brace[1].split(",")
        else:
            fits = fnmatch(name, globs) if "/" in globs else Path(name).match(globs)
        if fits:
            found |= EDITOR[section]
    return found


def test_an_editor_leaves_every_file_as_it_is() -> None:
    assert EDITOR["top"]["root"] == "true"
    texts = [path for path in FILES if "\0" not in path.read_bytes().decode("latin-1")]
    assert len(texts) > 500
    faults = []
    for path in texts:
        wanted, content = editor_settings(str(path.relative_to(ROOT))), path.read_bytes()
        content.decode(wanted["charset"])
        lines = content.decode().split("\n")
        if b"\r" in content:
            faults.append(f"{path}: a carriage return")
        if content and lines[-1] and wanted["insert_final_newline"] == "true":
            faults.append(f"{path}: no line end at the end")
        faults += [f"{path}:{at}: blanks at the end" for at, line in enumerate(lines, 1) if line != line.rstrip()]
        tabs = wanted["indent_style"] == "tab"
        faults += [
            f"{path}:{at}: indented otherwise" for at, line in enumerate(lines, 1) if not tabs and line.startswith("\t")
        ]
    assert faults == []


def test_editors_and_ruff_wrap_python_at_the_same_column() -> None:
    assert editor_settings("x.py")["max_line_length"] == str(PYPROJECT["tool"]["ruff"]["line-length"])


def hooks() -> dict[str, dict[str, Any]]:
    """The hooks of a commit by id."""
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert [one["repo"] for one in config["repos"]] == ["local"], "versions come from the lock file alone"
    return {hook["id"]: hook for one in config["repos"] for hook in one["hooks"]}


def test_each_hook_calls_a_tool_of_the_environment_as_make_lint_does() -> None:
    recipe = (ROOT / "Makefile").read_text(encoding="utf-8")
    commands = [shlex.split(hook["entry"]) for hook in hooks().values() if hook["language"] == "system"]
    assert len(commands) >= 5
    for program, *words in commands:
        assert program.startswith(".venv/bin/")
        assert (Path(sys.executable).parent / Path(program).name).exists(), program
        arguments = " ".join(word for word in words if word != "--force-exclude")
        assert f"$(BIN)/{Path(program).name} {arguments}".strip() in recipe


@pytest.mark.parametrize(
    ("message", "taken"),
    [
        ("A subject\n\nAnd why.\n", True),
        (f"{'x' * 72}\n\nAnd why.\n", True),
        ("A subject\n", False),
        ("A subject\nand why, without a blank line\n", False),
        ("A subject\n\n# Please enter the commit message\n", False),
        (f"{'x' * 73}\n\nAnd why.\n", False),
    ],
)
def test_a_commit_says_in_a_short_subject_what_and_in_a_body_why(message: str, taken: bool) -> None:
    hook = hooks()["commit-message"]
    assert (hook["language"], hook["args"], hook["stages"]) == ("pygrep", ["--multiline", "--negate"], ["commit-msg"])
    assert bool(re.search(hook["entry"].encode(), message.encode(), re.MULTILINE | re.DOTALL)) is taken


ARCHITECTURE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")


def layers_of(package: str) -> list[list[str]]:
    """The layers that import-linter holds a package to, the highest first."""
    contracts = PYPROJECT["tool"]["importlinter"]["contracts"]
    (found,) = [one for one in contracts if one["type"] == "layers" and one["containers"] == [package]]
    assert found["exhaustive"]
    return [layer.split(" | ") for layer in found["layers"]]


@pytest.mark.parametrize("package", ["rules", "worker"])
def test_the_page_has_the_layers_that_lint_holds_the_code_to(package: str) -> None:
    section = ARCHITECTURE[ARCHITECTURE.index(f"`{package}/`, the") :].split("\n\n")[1]
    rows = [row.split(" | ") for row in section.splitlines()[2:]]
    assert [re.findall(r"`(\w+)`", row[0]) for row in rows] == layers_of(package)
    assert all(len(row) == 2 and len(row[1]) > 10 for row in rows)


def test_the_page_draws_the_stages_in_one_order_in_the_picture_the_text_and_the_table() -> None:
    stages = re.findall(r"\w+", re.findall(r"`(take → [^`]+)`", ARCHITECTURE)[0])
    assert len(stages) == 7
    assert " --> ".join(stages) in ARCHITECTURE
    assert " -> ".join(stages) in ARCHITECTURE
    table = re.findall(r"^\| (\w+) \| .* \| (`.*) \|$", ARCHITECTURE, re.MULTILINE)
    assert [stage for stage, _ in table][: len(stages)] == stages


def test_what_the_page_says_of_a_crash_is_said_by_a_test_that_there_is() -> None:
    section = ARCHITECTURE.partition("## When a process dies")[2].partition("## ")[0]
    cited = re.findall(r"`(test_\w+)`(?: in `([\w/.]+)`)?", section)
    assert len(cited) >= 8
    for name, path in cited:
        text = (ROOT / (path or "tests/integration/test_faults.py")).read_text(encoding="utf-8")
        assert f"def {name}(" in text, name


def test_the_page_names_keys_of_redis_and_folders_of_the_state_folder_that_there_are() -> None:
    section = ARCHITECTURE.partition("## Where state lives")[2].partition("## ")[0]
    table, _, folders = section.partition("In the state folder")
    keys = [key for row in table.splitlines()[4:] for key in re.findall(r"`(\w+)`", row.split(" | ")[0])]
    assert len(keys) > 8
    assert [key for key in keys if not hasattr(Keys, key)] == []
    assert set(re.findall(r"`([\w.]+)`", folders)) == KNOWN


def test_the_picture_can_be_read_in_one_sitting() -> None:
    assert len(ARCHITECTURE.splitlines()) <= 150


CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
PAGES = {name: (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "CONTRIBUTING.md")} | {
    f"docs/{path.name}": path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").glob("*.md"))
}
TOPS = {path.relative_to(ROOT).parts[0] for path in FILES if len(path.relative_to(ROOT).parts) > 1}


def anchors_of(text: str) -> set[str]:
    """The anchors that a page's headings get."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", PAGES)
def test_every_link_of_a_page_leads_somewhere(name: str) -> None:
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", PAGES[name]) if not link.startswith("https://")]
    assert links
    for link in links:
        path, _, anchor = link.partition("#")
        target = (ROOT / name).parent / path if path else ROOT / name
        assert target.exists(), link
        assert not anchor or anchor in anchors_of(target.read_text(encoding="utf-8")), link


@pytest.mark.parametrize("name", PAGES)
def test_every_path_and_setting_and_make_target_that_a_page_names_is_there(name: str) -> None:
    paths = {path for path in re.findall(r"`([\w.-]+/[\w./-]*)`", PAGES[name]) if path.partition("/")[0] in TOPS}
    paths = {path for path in paths if "NAME" not in path}
    assert paths
    assert [path for path in sorted(paths) if not (ROOT / path).exists()] == []
    fields = {f"SCRUB_{field.upper()}" for field in Settings.model_fields}
    assert set(re.findall(r"SCRUB_[A-Z_]+", PAGES[name])) - fields == set()
    targets = {word for line in re.findall(r"make ((?:[a-z]+ ?)+)`", PAGES[name]) for word in line.split()}
    assert [one for one in sorted(targets) if f"\n{one}:" not in MAKEFILE] == []


def test_each_guard_that_a_list_of_files_names_is_a_test_that_there_is() -> None:
    guards = re.findall(r"`(test_\w+)`(?: in\s+`(tests/[\w/.]+)`)?", CONTRIBUTING)
    assert len(guards) >= 9
    for test, path in guards:
        places = [ROOT / path] if path else [one for one in FILES if one.match("tests/**/test_*.py")]
        assert any(f"def {test}(" in one.read_text(encoding="utf-8") for one in places), test


def test_the_page_for_contributors_knows_every_folder_and_every_command_that_tests() -> None:
    section = CONTRIBUTING.partition("## Where things live")[2].partition("## ")[0]
    named = set(re.findall(r"`([\w/.-]+)/`", section))
    assert TOPS - {one.partition("/")[0] for one in named} == {".ci"}
    assert {f"tests/{path.relative_to(ROOT).parts[1]}" for path in FILES if path.match("tests/*/**/*")} - named == set()
    tests = {one for one in re.findall(r"^([a-z]+):.*## ", MAKEFILE, re.MULTILINE) if one not in NO_TESTS}
    assert [one for one in sorted(tests) if f"| `make {one}` |" not in CONTRIBUTING] == []


NO_TESTS = {
    "access", "advisories", "boards", "catalogue", "clean", "cover", "desk", "format", "help", "release", "run", "schemas",
    "secrets",
}  # fmt: skip
"""Targets of make that write something, or show something."""


def test_ci_runs_what_the_page_says() -> None:
    ran = re.findall(r"^make (\w+)", (ROOT / ".ci/run").read_text(encoding="utf-8"), re.MULTILINE)
    assert f"CI (`.ci/run`) runs {' and '.join(f'`make {one}`' for one in ran)}." in CONTRIBUTING


GLOSSARY = (ROOT / "docs/glossary.md").read_text(encoding="utf-8")
TERMS = [
    [cell.strip() for cell in row.strip("|").split("|")] for row in re.findall(r"^\|.*\|$", GLOSSARY, re.MULTILINE)
]
TERMS = [row for row in TERMS if row[0] not in ("word", "---")]
SOURCES = [path for path in FILES if path.relative_to(ROOT).parts[0] in ("rules", "worker") and path.suffix == ".py"]
FORMER = dict.fromkeys((
    "Archivist", "Bell", "Bench", "Books", "Clerk", "Crossing", "Door", "Drain", "Holdings", "Librarian", "Place",
    "Recorder", "Sent", "StandIn", "TendStep", "bell", "books_line", "crossing", "door", "drain", "holdings",
    "knock", "laid_over", "librarian", "offers", "on_trial", "rung", "shelf", "stand_in", "standin", "tend_once",
), "") | {"look": "worker/reporting/", "turn": "worker/process/"}  # fmt: skip
"""Names that meant something to those alone who gave them, and in which folder; "": in all."""


def classes_of(path: Path) -> set[str]:
    """The names that a module defines at its top: classes and type aliases."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    made = {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
    assigned = [node.targets[0] for node in tree.body if isinstance(node, ast.Assign)]
    return made | {target.id for target in assigned if isinstance(target, ast.Name)}


def identifiers_of(path: Path) -> set[str]:
    """Every name that a module defines or takes: modules, classes, functions, parameters, attributes, variables."""
    found = {path.stem}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.arg):
            found.add(node.arg)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.alias):
            found |= set((node.asname or node.name).split("."))
    return {name.lstrip("_") for name in found}


@pytest.mark.parametrize("row", TERMS, ids=lambda row: row[0])
def test_a_term_of_the_glossary_names_code_that_there_is(row: list[str]) -> None:
    assert len(row) == 4
    word, meaning, code, _ = row
    assert 0 < len(meaning) <= 120, word
    path, *names = re.findall(r"`([\w/.]+)`", code)
    assert set(names) <= classes_of(ROOT / path), f"{word}: {code}"


def test_the_stages_on_the_page_give_types_that_there_are() -> None:
    rows = re.findall(r"^\| \w+ \| (.*) \| (.*) \| (`.*`) \|$", ARCHITECTURE.partition("## When")[0], re.MULTILINE)
    assert len(rows) == 7
    defined = {name for path in SOURCES for name in classes_of(path)}
    named = {name for takes, gives, _ in rows for name in re.findall(r"`(\w+)`", takes + gives)}
    assert len(named) > 5
    assert named - defined == set()


def test_no_word_is_there_twice_and_the_page_stays_short() -> None:
    words = [row[0] for row in TERMS]
    assert len(set(words)) == len(words) >= 30
    assert len(GLOSSARY.splitlines()) < 140


def test_former_words_are_no_names_in_the_code() -> None:
    assert len(SOURCES) > 200
    found: dict[str, list[str]] = {}
    for path in SOURCES:
        name = str(path.relative_to(ROOT))
        for one in identifiers_of(path) & set(FORMER):
            if name.startswith(FORMER[one]):
                found.setdefault(one, []).append(name)
    assert found == {}


def test_each_decision_has_a_number_of_its_own_which_its_heading_says() -> None:
    found = sorted((ROOT / "ops/decisions").glob("*.md"))
    numbers = [int(path.name[:4]) for path in found]
    assert len(set(numbers)) == len(numbers) > 30
    assert [path.read_text("utf-8").partition(".")[0] for path in found] == [f"# {number}" for number in numbers]
