"""`scrub rules pack|sign|verify|switch|rollback`, `scrub replay` and `scrub outcomes`, as a user runs them."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from rules.loader import LIBRARY
from tests.rules.small import FILE, LIBRARY_FILES, RULE
from worker.store.embedded import Lease

from .conftest import CLEAN, FAULTY, Run

Write = Callable[..., Path]
HEAD = b'version: "2026.12"\ncovers_from: 2023-01-01\n'


@pytest.fixture
def other(home: Path) -> Path:
    """A small book of the hospital's own, in a folder; it is read in no time."""
    folder = home / "my-book"
    for name, content in {**LIBRARY_FILES, FILE: RULE.encode(), "book.yaml": HEAD}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def keys(home: Path) -> tuple[Path, Path]:
    if not shutil.which("openssl"):
        pytest.skip("there is no openssl on PATH")
    private, public = home / "private.pem", home / "public.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", private], check=True, capture_output=True)
    subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out", public], check=True, capture_output=True)
    return private, public


@pytest.mark.slow
def test_a_packed_book_is_the_same_file_each_time_and_serves_wherever_a_folder_does(
    scrub: Run, write: Write, other: Path, home: Path
) -> None:
    done = scrub("rules", "pack", "--book", other)
    assert (done.returncode, done.stderr) == (0, "")
    (file,) = home.glob("2026.12-*.book")
    assert file.name in done.stdout
    assert scrub("rules", "pack", "--book", other, "-o", "again.book").returncode == 0
    assert (home / "again.book").read_bytes() == file.read_bytes()
    claims = write("claims.ndjson", CLEAN, FAULTY)
    from_folder, from_file, from_setting = (
        scrub("check", claims, "--format", "json", "--received", "2026-10-20", *book, **env)
        for book, env in [(("--book", other), {}), (("--book", file), {}), ((), {"SCRUB_BOOK": str(file)})]
    )
    assert (from_folder.returncode, from_file.returncode, from_setting.returncode) == (1, 1, 1)
    assert from_folder.stdout == from_file.stdout == from_setting.stdout
    assert '"version":"2026.12"' in from_file.stdout
    assert "payers" in scrub("rules", "show", "UNT001", "--book", file).stdout
    assert "2026.12" in scrub("rules", "lint", "--book", file).stdout
    (other / "book.yaml").write_text("version: 1\n")
    assert scrub("rules", "pack", "--book", other, "-o", "bad.book").returncode == 2
    assert not (home / "bad.book").exists()


@pytest.mark.slow
def test_who_has_no_key_can_make_no_book_that_workers_with_keys_take(
    scrub: Run, other: Path, home: Path, keys: tuple[Path, Path]
) -> None:
    private, public = keys
    assert scrub("rules", "pack", "--book", other, "-o", "a.book").returncode == 0
    wanted = {"SCRUB_BOOK_KEY": str(public)}
    assert scrub("rules", "verify", "a.book", "--key", public).returncode == 1
    refused = scrub("rules", "switch", "a.book", "--reason", "a test", **wanted)
    assert refused.returncode == 2
    assert "it has no signature" in refused.stderr
    assert scrub("rules", "sign", "a.book", "--key", private).returncode == 0
    sound = scrub("rules", "verify", "a.book", **wanted)
    assert (sound.returncode, "signed" in sound.stdout) == (0, True)
    assert scrub("rules", "switch", "a.book", "--reason", "a test", **wanted).returncode == 0
    with (home / "a.book").open("ab") as file:
        file.write(b"\n")
    assert scrub("rules", "verify", "a.book", **wanted).returncode == 1
    assert scrub("rules", "verify", "a.book").returncode == 2


@pytest.fixture
def sealed(scrub: Run, other: Path, home: Path, keys: tuple[Path, Path]) -> dict[str, Path]:
    """Packed books with a signature by the hospital's key, by a stranger's, with none, and of another file."""
    private, _ = keys
    stranger = home / "stranger.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", stranger], check=True, capture_output=True)
    books = {name: home / f"{name}.book" for name in ("signed", "strange", "unsigned", "changed")}
    assert scrub("rules", "pack", "--book", other, "-o", books["signed"]).returncode == 0
    for name in ("strange", "unsigned", "changed"):
        shutil.copy(books["signed"], books[name])
    assert scrub("rules", "sign", books["signed"], "--key", private).returncode == 0
    assert scrub("rules", "sign", books["strange"], "--key", stranger).returncode == 0
    (home / "changed.book.sig").write_bytes(b"\0" * 64)
    return books


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_what_judges_claims_takes_no_packed_book_that_the_hospital_did_not_sign(
    scrub: Run, write: Write, home: Path, keys: tuple[Path, Path], sealed: dict[str, Path]
) -> None:
    claim = write("claim.json", CLEAN)
    trusted = {"SCRUB_BOOK_KEY": str(keys[1])}
    (home / "overrides.yaml").write_text("overrides: []\n")
    by_option: list[tuple[str, ...]] = [
        ("check", str(claim)), ("rules", "explain", str(claim), "UNT001"), ("rules", "impact", str(claim)),
        ("rules", "overrides", str(home / "overrides.yaml")),
    ]  # fmt: skip
    by_setting: list[tuple[str, ...]] = [
        ("check", str(claim)), ("check", "--format", "x12-277ca", str(claim)), ("worker", "--check"), ("tables", "list"),
        ("outcomes", "import", str(claim)), ("demo", "--state", str(home / "demo")), ("rules", "explain", str(claim), "UNT001"),
    ]  # fmt: skip
    told = " is not signed by a key of "
    for command in by_option:
        done = scrub(*command, "--book", sealed["strange"], **trusted)
        assert (done.returncode, done.stdout) == (2, ""), command
        assert f"{sealed['strange']}{told}{keys[1]}: its signature is of another file or by another key" in done.stderr
        assert len(done.stderr.splitlines()) == 1, done.stderr
    for name in ("unsigned", "changed"):
        done = scrub("check", claim, "--book", sealed[name], **trusted)
        assert (done.returncode, done.stdout, told in done.stderr) == (2, "", True), name
        for command in by_setting:
            done = scrub(*command, SCRUB_BOOK=str(sealed[name]), **trusted)
            assert (done.returncode, "is not signed by a key of" in done.stderr) == (2, True), (
                name,
                command,
                done.stderr,
            )
        old = scrub("rules", "impact", "--old", sealed[name], claim, **trusted)
        assert (old.returncode, told in old.stderr) == (2, True)
        told_by = scrub("doctor", SCRUB_BOOK=str(sealed[name]), **trusted)
        assert (told_by.returncode, f"{sealed[name]} is not signed" in told_by.stdout) == (1, True)
    for command in by_option[:1]:
        done = scrub(*command, "--book", sealed["signed"], **trusted)
        assert (done.returncode in (0, 1), done.stderr) == (True, "")
    assert scrub("worker", "--check", SCRUB_BOOK=str(sealed["signed"]), **trusted).returncode == 0
    assert scrub("check", claim, "--book", sealed["unsigned"]).returncode in (0, 1), "without keys nobody asks"


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_what_looks_at_a_book_takes_one_that_is_not_signed_yet_and_a_folder_is_taken_and_reported(
    scrub: Run, write: Write, other: Path, keys: tuple[Path, Path], sealed: dict[str, Path]
) -> None:
    trusted = {"SCRUB_BOOK_KEY": str(keys[1])}
    for command in (("rules", "list"), ("rules", "show", "UNT001"), ("rules", "lint"), ("rules", "test")):
        done = scrub(*command, "--book", sealed["unsigned"], **trusted)
        assert (done.returncode, done.stderr) == (0, ""), command
    assert scrub("rules", "diff", sealed["unsigned"], other, **trusted).returncode in (0, 1)
    assert scrub("check", write("claim.json", CLEAN), "--book", other, **trusted).returncode in (0, 1)
    told = scrub("doctor", SCRUB_BOOK=str(other), **trusted)
    assert told.returncode == 1
    assert f"SCRUB_BOOK_KEY is set, and {other} is a folder, which nobody can sign." in told.stdout


@pytest.mark.slow
@pytest.mark.timeout(400)  # a dozen processes, one after the other
def test_a_switch_and_a_rollback_are_printed_shown_and_audited(scrub: Run, other: Path, home: Path) -> None:
    assert scrub("rules", "pack", "--book", other, "-o", "a.book").returncode == 0
    with Lease(home / "state" / "redis"):
        nothing = scrub("rules", "rollback", "--reason", "a test")
        assert (nothing.returncode, "own book" in nothing.stderr) == (2, True)
        done = scrub("rules", "switch", "a.book", "--reason", "new policy")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("In force: book 2026.12+")
        assert "No worker runs" in done.stdout
        assert "already" in scrub("rules", "switch", "a.book", "--reason", "again").stdout
        shown = scrub("status")
        assert "Book 2026.12+" in shown.stdout
        assert ": new policy. Before: 2026.11+" in shown.stdout
        book = json.loads(scrub("status", "--json").stdout)["book"]
        assert (book["last"]["reason"], book["last"]["before"]["version"]) == ("new policy", "2026.11")
        (home / "bad.book").write_bytes(b"no book")
        bad = scrub("rules", "switch", "bad.book", "--reason", "a test")
        assert (bad.returncode, "is no packed book" in bad.stderr) == (2, True)
        assert scrub("rules", "switch", "none.book", "--reason", "a test").returncode == 2
        back = scrub("rules", "rollback", "--reason", "stops clean claims")
        assert (back.returncode, back.stdout.startswith("In force: book 2026.11+")) == (0, True)
        assert "Book 2026.11+" in scrub("status").stdout
        audits = sorted((home / "state" / "audit").glob("*.jsonl"))
        lines = [json.loads(line) for file in audits for line in file.read_text().splitlines()]
        reasons = {line["event.reason"] for line in lines if line["event.action"] == "book.switched"}
        assert reasons == {"new policy", "stops clean claims"}
        assert scrub("audit", "verify", *audits).returncode == 0


def test_a_report_is_judged_again_and_what_differs_is_named(scrub: Run, write: Write, home: Path) -> None:
    claims = write("claims.ndjson", CLEAN, FAULTY)
    judged = scrub("check", claims, "--format", "json", "--received", "2026-10-20")
    assert judged.returncode == 1
    reports = judged.stdout
    (home / "reports.ndjson").write_text(reports)
    same = scrub("replay", "reports.ndjson", claims, "--received", "2026-10-20")
    assert (same.returncode, same.stderr) == (0, "")
    assert same.stdout.count("identical") == 2
    (home / "changed.ndjson").write_text(reports.replace('"disposition":"rework"', '"disposition":"billing"'))
    other = scrub("replay", "changed.ndjson", claims, "--received", "2026-10-20")
    assert other.returncode == 1
    assert "1 field differs" in other.stdout
    assert other.stdout.partition("\n  ")[2].split()[:5] == ["disposition", "then", "billing", "now", "rework"]
    machine = scrub("replay", "changed.ndjson", claims, "--format", "json")
    assert machine.returncode == 1
    told = json.loads(machine.stdout.splitlines()[1])
    assert told["differences"][0] == {"path": "disposition", "then": "billing", "now": "rework"}


def test_a_report_whose_book_or_claim_is_not_there_says_what_to_do(
    scrub: Run, write: Write, other: Path, home: Path
) -> None:
    claims = write("claims.ndjson", CLEAN)
    reports = scrub("check", claims, "--format", "json", "--book", other, "--received", "2026-10-20").stdout
    (home / "reports.ndjson").write_text(reports)
    alone = scrub("replay", "reports.ndjson", claims)
    assert (alone.returncode, "give its file with --book" in alone.stderr) == (2, True)
    assert scrub("rules", "pack", "--book", other, "-o", "a.book").returncode == 0
    assert scrub("replay", "reports.ndjson", claims, "--book", "a.book", "--received", "2026-10-20").returncode == 0
    wrong = scrub("replay", "reports.ndjson", claims, "--book", LIBRARY)
    assert (wrong.returncode, "the report was made by" in wrong.stderr) == (2, True)
    lost = scrub("replay", "reports.ndjson", "--book", "a.book")
    assert (lost.returncode, "give the file that holds it" in lost.stderr) == (2, True)
    bad = scrub("replay", "-", claims, stdin=b"{}\nnothing\n")
    assert bad.returncode == 2
    assert bad.stderr.count("expected a report") == 2


ERA = """\
ISA*00*          *00*          *ZZ*PAYER          *ZZ*HOSPITAL       *991101*1200*^*00501*000000001*0*P*:~
GS*HP*PAYER*HOSPITAL*20991101*1200*1*X*005010X221A1~
ST*835*0001~
BPR*I*0*H*NON************20991101~
TRN*1*CHECK1*1999999999~
DTM*405*20991101~
LX*1~
CLP*{claim}*4*450*0**12*ICN1~
NM1*QC*1*CANARY*ANNA****MI*SECRET1~
SVC*HC:64445:RT*450*0**1~
CAS*CO*50*450~
REF*6R*1~
LQ*HE*N115~
SE*11*0001~
GE*1*1~
IEA*1*000000001~
"""


def test_remittances_are_counted_by_rule_payer_and_reason_and_name_nobody(scrub: Run, home: Path) -> None:
    audit = home / "old"
    audit.mkdir()
    lines = [
        {"@timestamp": "2026-10-20T10:00:00Z", "event.action": "claim.scrubbed", "claim.claim_id": name,
         "claim.decision_id": name, "claim.payer": "uhc", "claim.judged": [1], "rule.found": found}
        for name, found in [("PCN-1", ["DX001@1"]), ("PCN-2", [])]
    ]  # fmt: skip
    (audit / "a.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    for name in ("PCN-1", "PCN-2"):
        (home / f"{name}.835").write_text(ERA.format(claim=name).replace("CHECK1", f"CHECK{name}"))
    done = scrub("outcomes", "import", "PCN-1.835", "PCN-2.835", "--audit", audit)
    assert (done.returncode, done.stderr) == (0, "")
    assert "2 claims on the remittances, 2 matched." in done.stdout
    rows = [line.split() for line in done.stdout.splitlines()]
    assert ["DX001", "uhc", "1", "$450.00"] in [row[:4] for row in rows]
    assert ["uhc", "CO-50", "N115", "1", "$450.00"] in [row[:5] for row in rows]
    told = json.loads(
        scrub("outcomes", "import", "PCN-1.835", "PCN-2.835", "--audit", audit, "--format", "json").stdout
    )
    assert told["rules"][0]["denied"] == {"count": 1, "money": "450"}
    assert told["missed"][0]["carc"] == "50"
    for private in ("CANARY", "ANNA", "SECRET1", "PCN-1", "PCN-2"):
        assert private not in done.stdout + json.dumps(told)
    broken = scrub("outcomes", "import", "PCN-1.835", "-", "--audit", audit, stdin=b"ISA*no")
    assert broken.returncode == 2
    assert "stdin" in broken.stderr
    assert scrub("outcomes", "import", "PCN-1.835", "--audit", "nowhere").returncode == 2
