"""Names on the command line: completed by the shell, understood in any capitals, guessed, and told in our own words."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from rules.loader import load_book
from worker.store.outletspecs import OUTLETS

from .conftest import SCRUB, environment


def run(home: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    wide = {**environment(home), "COLUMNS": "400", "TERMINAL_WIDTH": "400", **env}
    return subprocess.run([*SCRUB, *words], env=wide, capture_output=True, text=True, timeout=60, check=False)


def completed(home: Path, *words: str, **env: str) -> set[str]:
    line = " ".join(["scrub", *words])
    asked = {"_SCRUB_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(words)), **env}
    done = subprocess.run(
        SCRUB, env={**environment(home), **asked}, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_a_shell_completes_outlets_codes_and_payers(home: Path) -> None:
    assert completed(home, "tail", "") == set(OUTLETS)
    assert completed(home, "tail", "re") == {"rework"}
    codes = {rule.code for rule in load_book().rules}
    assert completed(home, "rules", "show", "") == codes
    assert completed(home, "rules", "explain", "claim.json", "UNT") == {
        code for code in codes if code.startswith("UNT")
    }
    assert completed(home, "rules", "list", "--payer", "") == set(load_book().registry.payers)


def test_of_a_book_of_ones_own_its_codes_are_completed(home: Path, tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules/OWN001-ours.yaml").touch()
    assert completed(home, "rules", "show", "", SCRUB_BOOK=str(tmp_path)) == {"OWN001"}


@pytest.mark.parametrize("payer", ["Aetna", "AETNA", "bcbs/Anthem"])
def test_a_payer_is_understood_in_any_capitals(payer: str, home: Path) -> None:
    said = run(home, "rules", "list", "--payer", payer)
    assert said.returncode == 0
    assert said.stdout == run(home, "rules", "list", "--payer", payer.lower()).stdout


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["rules", "list", "--payer", "atena"],
            "'atena' is no payer of the book. Did you mean aetna? Expected: aetna, bcbs,",
        ),
        (["rules", "list", "--payer", "bcbs/anthm"], "'anthm' is no plan of bcbs. Did you mean anthem?"),
        (["rework", "list", "--format", "cvs"], "there is no 'cvs'. Did you mean csv? Expected: table, csv, json."),
        (["rules", "list", "--severity", "blok"], "there is no 'blok'. Did you mean block?"),
        (["check", "--format", "xlsx", "c.json"], "there is no 'xlsx'."),
    ],
)
def test_what_there_is_not_is_told_with_a_guess_and_what_was_expected(
    words: list[str], sentence: str, home: Path
) -> None:
    done = run(home, *words)
    assert done.returncode == 2
    assert sentence in " ".join(done.stderr.replace("│", " ").split())
    assert "Value error" not in done.stderr
    assert "Traceback" not in done.stderr


def test_an_audit_folder_is_verified_as_its_files(home: Path, tmp_path: Path) -> None:
    done = run(home, "audit", "verify", "--offline", str(tmp_path))
    assert (done.returncode, "there is no audit file (audit-*.jsonl) in" in done.stderr) == (2, True)
