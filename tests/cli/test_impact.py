"""`scrub rules diff`, `impact` and `overrides`, as an author and a biller's lead run them."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rules.loader import LIBRARY
from worker.bench.claims import claim

from .conftest import CLEAN, FAULTY, Run

Write = Callable[..., Path]
UNT001 = "procedures/64445/medicare/UNT001-one-unit.yaml"
MOD006 = "procedures/64445/uhc/MOD006-side-required.yaml"


@pytest.fixture
def new(home: Path) -> Path:
    """A book of the author's, in which two of Medicare's rules on units are drafts, and one of UHC's is a note."""
    shutil.copytree(LIBRARY, home / "new")
    for file, old, turned in (
        (UNT001, "status: active", "status: draft"),
        ("procedures/64445/medicare/UNT002-mue.yaml", "status: active", "status: draft"),
        (MOD006, "severity: warn", "severity: note"),
    ):
        path = home / "new" / file
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, turned))
    return home / "new"


@pytest.fixture
def claims(write: Write) -> Path:
    return write("claims.ndjson", *(claim(number) for number in range(600)))


def impact(scrub: Run, *arguments: str | Path) -> dict[str, Any]:
    done = scrub("rules", "impact", *arguments, "--format", "json")
    assert (done.returncode, done.stderr) == (1, ""), "claims move"
    found: dict[str, Any] = json.loads(done.stdout)
    return {name: value for name, value in found.items() if name not in ("seconds", "cores")}


def test_impact_tells_what_an_override_changes(scrub: Run, write: Write, home: Path) -> None:
    text = (
        "overrides:\n  - {name: stricter, rule: MOD006, severity: block, payers: [uhc], reason: a letter, owner: me, "
        "expires: 2030-12-31}\n"
    )
    (home / "new.yaml").write_text(text)
    unpinned = scrub("rules", "overrides", "new.yaml")
    assert unpinned.returncode == 1
    pin = unpinned.stdout.split("which is ")[1][:12]
    (home / "new.yaml").write_text(text.replace("expires", f'written_for: "{pin}", expires'))
    uhc = {"id": "87726", "filing_indicator": "CI", "responsibility": "P"}
    bare = write("bare.ndjson", {**CLEAN, "payer": uhc, "lines": [{**CLEAN["lines"][0], "modifiers": []}]})
    words = ("rules", "impact", "--received", "2026-10-20", "--format", "json", bare)
    done = scrub(*words, "--old-overrides", "none", SCRUB_OVERRIDES="new.yaml")
    told = json.loads(done.stdout)
    assert (done.returncode, told["touched"], told["old"]["digest"] != told["new"]["digest"]) == (1, 1, True)
    assert [(one["from"], one["to"], one["claims"]) for one in told["routes"]] == [("billing", "rework", 1)]
    same = scrub(*words, "--old-overrides", "new.yaml", SCRUB_OVERRIDES="new.yaml")
    assert (same.returncode, json.loads(same.stdout)["touched"]) == (0, 0)


def test_diff_tells_two_folders_apart_and_ends_with_1(scrub: Run, new: Path) -> None:
    done = scrub("rules", "diff", LIBRARY, new)
    assert done.returncode == 1
    assert "status draft (was active)" in done.stdout
    assert "severity note (was warn)" in done.stdout
    assert "3 rules among them" in done.stdout
    told = scrub("rules", "diff", LIBRARY, new, "--format", "json")
    changes = [json.loads(line) for line in told.stdout.splitlines()]
    assert (told.returncode, {change["what"] for change in changes}) == (1, {"severity", "status"})
    same = scrub("rules", "diff", new, new)
    assert (same.returncode, same.stdout) == (0, "The books say the same.\n")


@pytest.mark.slow
def test_diff_and_impact_take_a_packed_book_too(scrub: Run, new: Path, claims: Path) -> None:
    assert scrub("rules", "pack", "--book", new, "-o", "new.book").returncode == 0
    assert scrub("rules", "diff", new, "new.book").stdout == "The books say the same.\n"
    of_pack, of_folder = scrub("rules", "diff", LIBRARY, "new.book"), scrub("rules", "diff", LIBRARY, new)
    assert (of_pack.returncode, of_folder.returncode) == (1, 1)
    assert of_pack.stdout == of_folder.stdout
    by_pack = impact(scrub, "--old", "new.book", "--book", LIBRARY, claims)
    by_folder = impact(scrub, "--old", new, "--book", LIBRARY, claims)
    assert by_pack["routes"] == by_folder["routes"] != []
    no_book = scrub("rules", "diff", claims, new)
    assert (no_book.returncode, no_book.stdout) == (2, "")


def test_diff_reads_revisions_of_the_work_tree_that_holds_the_book(scrub: Run, new: Path) -> None:
    def git(*arguments: str) -> None:
        who = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
        subprocess.run(["git", *who, *arguments], cwd=new.parent, check=True, capture_output=True)

    (new.parent / "other.csv").write_text("not of the book\n")
    git("init", "-q")
    git("add", "new", "other.csv")
    git("commit", "-qm", "first")
    rule = new / UNT001
    rule.write_text(rule.read_text().replace("severity: block", "severity: warn"))
    done = scrub("rules", "diff", "HEAD", "--book", new)
    assert done.returncode == 1
    assert "severity warn (was block)" in done.stdout
    assert "1 change, 1 rule among them" in done.stdout
    git("commit", "-qam", "second")
    back = scrub("rules", "diff", "HEAD", "HEAD~1", "--book", new)
    assert (back.returncode, "severity block (was warn)" in back.stdout) == (1, True)
    moved = scrub("rules", "impact", "--old", "HEAD~1", "--book", new, "-", stdin=json.dumps(CLEAN).encode())
    assert moved.returncode == 0
    assert moved.stdout.startswith("1 claim,")


@pytest.mark.parametrize("name", ["nowhere", "--output=x", "HEAD~1000"])
def test_a_book_that_cannot_be_found_is_bad_usage(scrub: Run, new: Path, name: str) -> None:
    done = scrub("rules", "diff", "--book", new, "--", name)
    assert done.returncode == 2
    assert name in done.stderr.replace("\n", "")


def test_impact_says_which_claims_would_move_by_rule_and_payer(scrub: Run, new: Path, claims: Path) -> None:
    done = scrub("rules", "impact", "--book", new, claims)
    assert done.returncode == 1
    assert done.stdout.startswith("600 claims, $")
    assert "no ledger was consulted" in done.stdout
    for text in ("rework to billing", "UNT001", "medicare", "BENCH-0000", "reading included"):
        assert text in done.stdout
    found = impact(scrub, "--book", new, claims)
    (route,) = found["routes"]
    assert (route["from"], route["to"]) == ("rework", "billing")
    assert route["claims"] > 0
    assert found["history"] == "not_consulted"
    assert {move["code"] for move in found["moves"]} >= {"UNT001"}


@pytest.mark.slow
def test_the_answer_is_the_same_on_one_core_and_on_several(scrub: Run, new: Path, home: Path) -> None:
    lines = b"".join(json.dumps(claim(number)).encode() + b"\n" for number in range(1500))
    (home / "many.ndjson").write_bytes(lines)
    (home / "packed.gz").write_bytes(gzip.compress(lines))
    one = impact(scrub, "--book", new, "--cores", "1", home / "many.ndjson")
    assert one == impact(scrub, "--book", new, "--cores", "3", home / "many.ndjson")
    assert one == impact(scrub, "--book", new, home / "packed.gz")


def test_drafts_can_be_judged_as_if_they_were_active(scrub: Run, new: Path, claims: Path) -> None:
    found = impact(scrub, "--old", new, "--book", new, "--drafts", claims)
    (route,) = found["routes"]
    assert (route["from"], route["to"]) == ("billing", "rework")


def test_the_page_needs_no_network_and_escapes_what_it_shows(scrub: Run, new: Path, write: Write) -> None:
    file = write("one.ndjson", {**claim(235), "claim_id": "<b>&"})
    done = scrub("rules", "impact", "--book", new, file, "--format", "html")
    assert done.returncode == 1
    page = done.stdout
    assert page.startswith("<!doctype html>")
    assert "&lt;b&gt;&amp;" in page
    assert "<b>" not in page
    assert "http" not in page


def test_what_cannot_be_read_is_reported_with_its_line_and_ends_with_2(scrub: Run, new: Path, write: Write) -> None:
    file = write("mixed.ndjson", CLEAN, b"{}\n", FAULTY, b"no json\n")
    done = scrub("rules", "impact", "--book", new, file)
    assert done.returncode == 2
    assert any(line.startswith(f"{file}:2: ") for line in done.stderr.splitlines())
    assert any(line.startswith(f"{file}:4:") for line in done.stderr.splitlines())
    assert "2 claims" in done.stdout
    assert scrub("rules", "impact", "--book", new, "nowhere.json").returncode == 2


def test_impact_without_claims_or_without_a_second_book_is_bad_usage(scrub: Run, new: Path, claims: Path) -> None:
    assert scrub("rules", "impact", "--book", new).returncode == 2
    assert scrub("rules", "impact", claims).returncode == 2
    assert scrub("rules", "impact", "--book", new, "--since", "yesterday").returncode == 2


def _line(decision: str, **more: Any) -> bytes:
    line = {
        "@timestamp": "2026-11-20T10:00:00Z", "event.action": "claim.scrubbed", "claim.decision_id": decision,
        "claim.claim_id": f"C-{decision}", "claim.payer": "uhc", "claim.charge_cents": 45000,
        "claim.disposition": "billing", "rule.shadow": [], **more,
    }  # fmt: skip
    return json.dumps(line).encode() + b"\n"


def test_the_log_tells_what_drafts_would_have_done(scrub: Run, home: Path) -> None:
    draft = {"rule.shadow": ["UNT009"], "rule.shadow_block": ["UNT009"]}
    held = {**draft, "claim.disposition": "rework"}
    taken_back = {"event.action": "claim.superseded"}
    (home / "a.jsonl").write_bytes(b"".join([
        _line("1", **draft), _line("1", **draft), _line("2", **held), _line("3"), _line("4", **draft),
        _line("4", **taken_back), _line("5", **draft, **{"@timestamp": "2026-10-01T00:00:00Z"}), b'{"@timest',
    ]))  # fmt: skip
    done = scrub("rules", "impact", "--from-log", home / "a.jsonl", "--since", "2026-11-01", "--format", "json")
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert (found["claims"], found["unread"], found["without"]) == (3, 1, 0)
    assert found["findings"] == [
        {"code": "UNT009", "payer": "uhc", "claims": 2, "charge": "900", "examples": ["C-1", "C-2"]}
    ]
    assert [(move["claims"], move["examples"]) for move in found["moves"]] == [(1, ["C-1"])]
    done = scrub("rules", "impact", "--from-log", home / "a.jsonl")
    assert (done.returncode, "Would move from billing to rework" in done.stdout) == (1, True)


def test_the_log_may_be_several_files_as_a_shell_lists_them(scrub: Run, home: Path) -> None:
    draft = {"rule.shadow": ["UNT009"], "rule.shadow_block": ["UNT009"]}
    for number in "123":
        (home / f"{number}.jsonl").write_bytes(_line(number, **draft))
    files = [home / f"{number}.jsonl" for number in "123"]
    done = scrub("rules", "impact", "--from-log", *files, "--format", "json")
    assert done.returncode == 1, done.stderr
    assert json.loads(done.stdout)["claims"] == 3


def test_a_line_of_the_log_that_is_no_object_is_counted_as_unread(scrub: Run, home: Path) -> None:
    (home / "a.jsonl").write_bytes(b"[1]\n7\n" + _line("1"))
    found = json.loads(scrub("rules", "impact", "--from-log", home / "a.jsonl", "--format", "json").stdout)
    assert (found["claims"], found["unread"]) == (1, 2)


def test_a_line_of_the_log_with_another_type_in_a_field_is_counted_as_unread(scrub: Run, home: Path) -> None:
    draft = {"rule.shadow": ["UNT009"], "rule.shadow_block": ["UNT009"]}
    odd = [
        {name: value}
        for name in ("rule.shadow", "rule.shadow_block", "claim.charge_cents", "claim.payer")
        for value in ([["UNT009"]], [None], {"a": 1}, 1e300, "UNT009", 7)
        if not (name == "claim.charge_cents" and value == 7) and not (name == "claim.payer" and value == "UNT009")
    ]
    lines = [_line(f"odd-{number}", **{**draft, **one}) for number, one in enumerate(odd)]
    (home / "a.jsonl").write_bytes(b"".join(lines) + _line("1", **draft))
    done = scrub("rules", "impact", "--from-log", home / "a.jsonl", "--format", "json")
    assert done.returncode == 1, done.stderr
    found = json.loads(done.stdout)
    assert (found["claims"], found["unread"], len(found["findings"])) == (1, len(odd), 1)


OVERRIDES = """\
overrides:
  - name: one-side
    rule: UNT001
    severity: note
    payers: [medicare]
    reason: agreed with the contractor
    owner: A. Biller
    expires: {expires}
    written_for: "{pin}"
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("expires", "pin", "code", "told"),
    [
        ("2099-12-31", "", 0, ""),
        ("2026-01-01", "", 1, "override one-side expired on 2026-01-01 and is not applied"),
        ("2099-12-31", "0" * 12, 1, "was written for another version"),
    ],
)
def test_overrides_are_listed_with_their_state(
    scrub: Run, home: Path, expires: str, pin: str, code: int, told: str
) -> None:
    file = home / "o.yaml"
    file.write_text(OVERRIDES.format(expires=expires, pin="0" * 12))
    outdated = scrub("rules", "overrides", file, "--format", "json")
    assert outdated.returncode == 1
    listed = json.loads(outdated.stdout)
    file.write_text(OVERRIDES.format(expires=expires, pin=pin or listed["pin"][:12]))
    done = scrub("rules", "overrides", SCRUB_OVERRIDES=str(file))
    assert done.returncode == code
    assert "agreed with the contractor" in done.stdout
    assert told in done.stderr
    lint = scrub("rules", "lint", SCRUB_OVERRIDES=str(file))
    assert lint.returncode == code
    assert told in lint.stderr
    checked = scrub("check", "-", stdin=json.dumps(FAULTY).encode(), SCRUB_OVERRIDES=str(file))
    assert (checked.returncode, bool(checked.stderr)) == (1, bool(told))
    assert told in checked.stderr


def test_check_names_the_override_that_touched_a_finding(scrub: Run, home: Path) -> None:
    (home / "o.yaml").write_text(OVERRIDES.format(expires="2099-12-31", pin="0" * 12))
    two_units = {**claim(0, "medicare")}
    two_units["lines"][0]["units"] = "2"
    done = scrub("check", "-", stdin=json.dumps(two_units).encode(), SCRUB_OVERRIDES="o.yaml")
    assert done.returncode == 1
    assert "by override one-side)" in done.stdout


def test_explain_judges_under_the_overrides_as_check_does(scrub: Run, home: Path) -> None:
    (home / "o.yaml").write_text(OVERRIDES.format(expires="2099-12-31", pin="0" * 12))
    two_units = {**claim(0, "medicare")}
    two_units["lines"][0]["units"] = "2"
    (home / "c.json").write_text(json.dumps(two_units))
    done = scrub("rules", "explain", "c.json", "UNT001", SCRUB_OVERRIDES="o.yaml")
    assert "fail (note)" in done.stdout
    assert "by override one-side: severity note: agreed with the contractor (A. Biller" in done.stdout


def test_faulty_overrides_stop_every_command_with_all_faults(scrub: Run, home: Path) -> None:
    (home / "o.yaml").write_text(OVERRIDES.format(expires="soon", pin="0" * 12).replace("rule:", "rul:"))
    for command in (("check", "-"), ("rules", "explain", "-", "UNT001"), ("rules", "overrides")):
        done = scrub(*command, stdin=json.dumps(CLEAN).encode(), SCRUB_OVERRIDES="o.yaml")
        assert done.returncode in (1, 2)
        told = done.stdout + done.stderr
        assert "o.yaml:3:5: overrides[0].rul: unknown key; did you mean 'rule'?" in told
        assert "overrides[0].expires: expected a calendar date as YYYY-MM-DD" in told
    assert scrub("check", "-", stdin=b"{}", SCRUB_OVERRIDES="missing.yaml").returncode == 2
