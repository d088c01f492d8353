"""`scrub check`: what it prints, how it ends, and what it does with input that nobody should send."""

from __future__ import annotations

import gzip
import json
import os
import pty
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest

from rules.loader import LIBRARY
from tests.worker.fhirbundle import contained
from tests.worker.fhirclaims import PROFESSIONAL

from .conftest import CLEAN, FAULTY, SCRUB, UNCHECKED, Run, environment

Write = Callable[..., Path]


def test_clean_claims_end_with_0_and_a_line_each(scrub: Run, write: Write) -> None:
    done = scrub("check", write("c.ndjson", CLEAN, CLEAN))
    assert done.returncode == 0
    tables = "MUE (practitioner) 2026 Q3 [UNT002]"
    assert done.stdout.splitlines() == [
        "DEMO-0001  Medicare Part A and B  billing  (" + str(done.args[-1]) + ":1)",
        f"  not looked at: {tables}",
        "DEMO-0001  Medicare Part A and B  billing  (" + str(done.args[-1]) + ":2)",
        f"  not looked at: {tables}",
        "Looked at: 2 in part.",
        f"       2  import {tables}",
        "       2  without fields that an 837 carries, such as addresses: what rules ask of them was not asked [ADR001]",
        "  What was billed before was not looked at (duplicates, frequency): only a worker does that.",
        "2 claims: 2 billing",
    ]
    assert not done.stderr


def test_a_claim_for_rework_ends_with_1_and_every_finding_has_fix_source_and_denial(scrub: Run, write: Write) -> None:
    done = scrub("check", write("f.json", FAULTY))
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    at = next(number for number, line in enumerate(lines) if "UNT001" in line)
    assert lines[at].startswith("  line 1  block   UNT001  ")
    assert [line.split()[0] for line in lines[at + 1 : at + 5]][:2] == ["fix:", "source:"]
    assert "[grade A]" in lines[at + 2]
    assert lines[at + 3].strip().startswith("https://")
    assert lines[at + 4].split() == ["expect:", "denial", "CO-151", "N362"]
    assert lines[-1] == "1 claim: 1 rework"


def test_what_else_one_slip_brings_is_a_line_each_and_stands_in_the_json(scrub: Run, write: Write) -> None:
    faulty = FAULTY["lines"][0] | {"modifiers": ["50"], "units": "2"}
    file = write("f.json", {**FAULTY, "lines": [faulty, *FAULTY["lines"][1:]]})
    text, decoded = scrub("check", file), scrub("check", "--format", "json", file)
    assert (text.returncode, decoded.returncode) == (1, 1)
    lines = text.stdout.splitlines()
    at = next(number for number, line in enumerate(lines) if "  MOD003  " in line)
    own = lines[at : next(place for place in range(at + 1, len(lines)) if not lines[place].startswith(" " * 10))]
    assert [line.split()[:3] for line in own if line.split()[0] == "also:"] == [
        ["also:", "UNT001", "block:"], ["also:", "UNT002", "block:"], ["also:", "DXN004", "warn:"],
    ]  # fmt: skip
    assert (
        "          also:   UNT001 block: More than one unit of the block on a line (grade A, expect CO-151 N362)" in own
    )
    assert not [line for line in lines if "  UNT001  " in line]
    report = json.loads(decoded.stdout)
    (leader,) = (one for one in report["findings"] if one["code"] == "MOD003")
    assert leader["cause"] == "units_of_block"
    assert leader["fault"] == "Modifier 50 with more than one unit"
    assert [(one["code"], one["severity"], one["citation"]["grade"]) for one in leader["because"]] == [
        ("UNT001", "block", "A"), ("UNT002", "block", "A"), ("DXN004", "warn", "B"),
    ]  # fmt: skip
    assert all(one["message"] and one["fix"] and one["expected_denial"] for one in leader["because"])


def test_where_a_denial_is_expected_the_time_for_an_appeal_is_told_once(scrub: Run, write: Write) -> None:
    def told(payer: dict[str, str], **difference: object) -> list[str]:
        claim = {**CLEAN, "payer": {"filing_indicator": "CI", "responsibility": "P", **payer}, **difference}
        done = scrub("check", write("a.json", claim))
        assert done.returncode in (0, 1)
        return [line.split(None, 1)[1] for line in done.stdout.splitlines() if line.strip().startswith("appeal:")]

    late = {"received_date": "2027-10-20"}
    cigna = {"id": "62308"}
    assert told(cigna, **late) == [
        "a denial may be appealed within 180 days of the decision, or of the last adjustment"
    ]
    assert told(cigna, subscriber={"member_id": "U12345678"}) == []
    assert told({"id": "81040"}, **late) == []  # Allegiance: its own was not read
    assert told({**cigna, "filing_indicator": "16"}, **late) == []


def test_findings_come_worst_first(scrub: Run, write: Write) -> None:
    claim = {**FAULTY, "lines": [FAULTY["lines"][0] | {"diagnosis_pointers": [1, 1]}, *FAULTY["lines"][1:]]}
    done = scrub("check", write("f.json", claim))
    assert done.returncode == 1
    places = ("  line ", "  claim ")
    severities = [line[10:16].strip() for line in done.stdout.splitlines() if line.startswith(places)]
    assert severities == sorted(severities, key=("block", "warn", "note", "lifted").index)
    assert {"block", "warn"} <= set(severities)


def test_an_unchecked_claim_ends_with_1_and_says_why(scrub: Run, write: Write) -> None:
    done = scrub("check", write("u.json", UNCHECKED))
    assert done.returncode == 1
    assert "no line carries procedure 64445" in done.stdout


def test_lines_that_nobody_judged_are_one_line_and_a_claim_of_no_procedure_says_what_was_checked(
    scrub: Run, write: Write
) -> None:
    line = CLEAN["lines"][0]
    more = [{**line, "number": number, "procedure": "99999", "modifiers": []} for number in (2, 3)]
    given = {**CLEAN, "lines": [line, *more], "total_charge": None}
    done = scrub("check", write("m.ndjson", given, UNCHECKED))
    assert done.returncode == 1
    said = [text for text in done.stdout.splitlines() if text.startswith("  not looked at:")]
    assert len(said) == 1
    assert said[0].startswith("  not looked at: lines 2 and 3 (but for form); ")
    assert "no line carries procedure 64445; only its form was checked." in done.stdout
    assert "Looked at: 1 in part, 1 by no rules of a procedure." in done.stdout
    assert "       1  with lines of codes that the book has no rules for" in done.stdout
    assert "import MUE (practitioner) 2026 Q3 [EDT003" in done.stdout, "of the claim of no procedure as well"


def test_json_is_one_report_a_line_and_refusals_stay_off_it(scrub: Run, write: Write) -> None:
    done = scrub("check", "--format", "json", write("m.ndjson", CLEAN, b"{\n", FAULTY))
    assert done.returncode == 2
    reports = [json.loads(line) for line in done.stdout.splitlines()]
    assert [report["disposition"] for report in reports] == ["billing", "rework"]
    needed = {"claim_id", "disposition", "coverage", "history", "book", "findings"}
    assert needed <= reports[0].keys()
    finding = reports[1]["findings"][0]
    assert {"code", "outcome", "severity", "line", "message", "fix", "expected_denial", "citation", "evidence"} <= set(
        finding
    )
    assert done.stderr.startswith(f"{done.args[-1]}:2:")


def test_the_json_of_a_held_claim_has_what_its_lines_are_expected_to_bring_and_replays_as_without(
    scrub: Run, write: Write
) -> None:
    done = scrub("check", "--format", "json", write("m.ndjson", CLEAN, FAULTY))
    assert done.returncode == 1
    clean, faulty = (json.loads(line) for line in done.stdout.splitlines())
    assert "expected" not in clean, "it is sent, and what it brings will be known"
    (line,) = faulty["expected"]
    assert (line["line"], line["procedure"]) == (FAULTY["lines"][0]["number"], "64445")
    assert line["expected"]["kind"] in ("amount", "range", "unknown")
    schema = json.loads((Path(__file__).parents[2] / "ops/schema/report.json").read_text("utf-8"))
    for report in (clean, faulty):
        jsonschema.validate(report, schema)
    again = scrub("replay", write("r.json", faulty), write("f.json", FAULTY))
    assert again.returncode == 0, again.stdout


def test_a_file_of_claims_in_the_place_of_the_report_is_named_once(scrub: Run, write: Write) -> None:
    done = scrub("replay", write("march.837", b"ISA*00*          ~\nGS*HC~\nST*837*0001~\n"))
    said = " ".join(done.stderr.replace("│", " ").split())
    assert done.returncode == 2
    assert said.count("is JSON: expected a report, or an outlet entry with one") == 1
    assert "a file of claims, as an 837, comes after it" in said
    mixed = scrub("replay", write("m.ndjson", b"hello\n{}\n"))
    assert mixed.returncode == 2
    assert mixed.stderr.count("expected a report") == 2, "where some lines are JSON each is told by its place"


def test_standard_input_lists_and_gzip_are_read(scrub: Run, write: Write) -> None:
    listed = json.dumps([CLEAN, FAULTY]).encode()
    packed = write("p.gz", gzip.compress(json.dumps(CLEAN).encode()))
    done = scrub("check", "-", packed, stdin=listed)
    assert done.returncode == 1
    assert "(stdin:item 2)" in done.stdout
    assert done.stdout.endswith("3 claims: 2 billing, 1 rework\n")


def test_received_is_used_where_a_claim_has_no_date_of_receipt(scrub: Run, write: Write) -> None:
    file = write("c.json", {key: value for key, value in CLEAN.items() if key != "received_date"})
    assert scrub("check", "--received", "2026-07-20", file).returncode == 0
    late = scrub("check", "--received", "2027-08-13", file)
    assert (late.returncode, "TIM001" in late.stdout) == (1, True)
    wrong = scrub("check", "--received", "13.8.2027", file)
    assert wrong.returncode == 2
    assert "YYYY-MM-DD" in wrong.stderr


def _deep() -> bytes:
    return b'{"claim_id": ' + b"[" * 5_000 + b"]" * 5_000 + b"}\n"


_BAD: dict[str, tuple[bytes, str, str]] = {
    "empty": (b"", "", "empty"),
    "blank": (b"\n \n\n", "", "empty"),
    "not JSON": (b"dear sirs\n", ":1", "neither JSON nor NDJSON"),
    "cut off": (json.dumps(CLEAN).encode()[:300], ":1", "not JSON"),
    "UTF-16": (json.dumps(CLEAN).encode("utf-16"), ":1", "UTF-16"),
    "Latin-1": (b'{"claim_id": "M\xfcller"}\n', ":1", "not JSON"),
    "NaN": (json.dumps(CLEAN).encode().replace(b'"450.00"', b"NaN", 1), ":1", "not JSON"),
    "Infinity": (json.dumps(CLEAN).encode().replace(b'"450.00"', b"Infinity", 1), ":1", "not JSON"),
    "a key twice": (b'{"claim_id": "1", "claim_id": "2"}\n', ":1", "twice"),
    "deep": (_deep(), ":1", "not JSON"),
    "a number": (b"42\n", ":1", "expected an object"),
    "null": (b"null\n", ":1", "expected an object"),
    "an empty list": (b"[]", "", "the array is empty"),
    "a list in a list": (b"[[]]", ":item 1", "expected an object"),
    "wrong schema": (b'{"claim_id": "1", "diagnosis": []}\n', ":1", "did you mean 'diagnoses'?"),
    "10 MB in a field": (b'{"claim_id": "' + b"x" * 10_000_000 + b'"}\n', ":1", "more than 1048576 bytes"),
    "a million lines": (b'{"lines": [' + b"{}," * 1_000_000 + b"{}]}\n", ":1", "more than 1048576 bytes"),
    "a long list": (b"[" + b"{}," * 10 + b"{}]", ":item 11", "claim_id: is required"),
    "a damaged gzip": (gzip.compress(json.dumps(CLEAN).encode())[:-12], "", "gzip"),
    "837": (b"ISA*00*          *00*", "", "ISA"),
}


@pytest.mark.parametrize("name", _BAD)
def test_bad_input_is_refused_with_its_place_and_the_rest_is_checked(scrub: Run, write: Write, name: str) -> None:
    content, where, sentence = _BAD[name]
    bad, good = write("bad", content), write("good.json", CLEAN)
    done = scrub("check", bad, good)
    assert done.returncode == 2
    assert f"{bad}{where}:" in done.stderr
    assert sentence in done.stderr
    assert len(done.stderr) < 5_000
    assert "DEMO-0001" in done.stdout
    assert "could not be read" in done.stdout.splitlines()[-1]


def test_a_fault_in_a_claim_of_many_lines_is_shown_at_its_line_of_the_file(scrub: Run, write: Write) -> None:
    text = "\n\n" + json.dumps(CLEAN, indent=1).replace('"450.00"', "NaN", 1)
    line = next(number for number, part in enumerate(text.splitlines(), 1) if "NaN" in part)
    done = scrub("check", write("c.json", text.encode()))
    assert done.returncode == 2
    assert done.stderr.startswith(f"{done.args[-1]}:{line}:")


def test_missing_files_and_folders_are_named(scrub: Run, write: Write, home: Path) -> None:
    done = scrub("check", "gone.json", home, write("good.json", CLEAN))
    assert done.returncode == 2
    assert "gone.json: there is no such file" in done.stderr
    assert f"{home}: this is a directory" in done.stderr
    assert done.stdout.endswith("1 claim: 1 billing; 2 could not be read\n")


@pytest.mark.parametrize("name", _BAD)
def test_where_no_claim_can_be_read_the_end_says_that_nothing_was_checked(scrub: Run, write: Write, name: str) -> None:
    done = scrub("check", write("bad", _BAD[name][0]))
    assert done.returncode == 2
    assert done.stderr
    last = done.stdout.splitlines()[-1]
    assert re.match(r"Nothing was checked: [1-9][0-9]* could not be read, and there is no other claim\. ", last), last


def test_without_a_file_it_is_bad_usage(scrub: Run) -> None:
    done = scrub("check")
    assert done.returncode == 2
    assert "FILE" in done.stderr


def test_a_broken_book_is_reported_with_all_its_faults(scrub: Run, write: Write, home: Path) -> None:
    absent = scrub("check", "--book", "nowhere", write("c.json", CLEAN))
    assert (absent.returncode, "no rule book" in absent.stderr) == (2, True)
    (home / "book").mkdir()
    (home / "book/book.yaml").write_text("version: 1\nprocedure: x\n")
    done = scrub("check", "--book", "book", home / "c.json")
    assert done.returncode == 2
    assert "book.yaml:2:1: procedure" in done.stderr
    assert "sources.yaml:1:1" in done.stderr


def test_an_unknown_key_cannot_steer_the_terminal(scrub: Run, write: Write) -> None:
    done = scrub("check", write("c.json", b'{"\\u001b[2Jwiped": 1}\n'))
    assert done.returncode == 2
    assert "\x1b" not in done.stderr
    assert r"\x1b[2Jwiped" in done.stderr


def test_nothing_in_a_pipe_has_colors(scrub: Run, write: Write) -> None:
    file = write("f.json", FAULTY)
    for code, *arguments in (
        (1, "check", file), (0, "rules", "list"), (0, "rules", "show", "UNT001"), (0, "status"), (0, "--help"),
    ):  # fmt: skip
        done = scrub(*arguments)
        assert (done.returncode, bool(done.stdout)) == (code, True), arguments
        assert "\x1b" not in done.stdout + done.stderr


def _on_terminal(home: Path, arguments: list[str], **env: str) -> str:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*SCRUB, *arguments], stdin=theirs, stdout=theirs, stderr=theirs, cwd=home,
        env=environment(home, TERM="xterm", COLUMNS="80", **env),
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


def test_a_terminal_gets_colors_unless_no_color_says_otherwise_and_lines_that_fit(write: Write, home: Path) -> None:
    file = str(write("f.json", FAULTY))
    shown = _on_terminal(home, ["check", file])
    assert "\x1b[1;31mblock" in shown
    dull = _on_terminal(home, ["check", file], NO_COLOR="1")
    assert "\x1b" not in dull
    assert max(len(line) for line in dull.splitlines() if "https://" not in line) <= 80


def test_a_reader_that_goes_away_ends_it_quietly(write: Write, home: Path) -> None:
    file = write("many.ndjson", *[FAULTY] * 2_000)
    with subprocess.Popen(
        [*SCRUB, "check", str(file)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=home, env=environment(home)
    ) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(30) == 141


def test_a_large_file_needs_no_more_memory_than_a_small_one(write: Write, home: Path) -> None:
    small, large = write("s.ndjson", *[CLEAN] * 10), write("l.ndjson", *[CLEAN] * 6_000, b"x" * 50_000_000)

    def peak(file: Path) -> int:
        code = (
            "import subprocess, resource;"
            f"subprocess.run({[*SCRUB, 'check', str(file)]!r}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL);"
            "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, env=environment(home), cwd=home, check=True
        )
        return int(done.stdout)

    assert peak(large) < peak(small) + 30_000  # kilobytes


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_a_full_disk_under_the_output_is_no_verdict(tmp_path: Path) -> None:
    file = tmp_path / "none.json"
    file.write_text("{}")
    with open("/dev/full", "wb") as full:
        command = [sys.executable, "-m", "worker", "rules", "list"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert done.stderr == "cannot write the output: No space left on device\n"


def test_a_code_of_the_hospitals_own_book_that_stands_in_a_text_refuses_the_claim(
    scrub: Run, write: Write, tmp_path: Path
) -> None:
    own = tmp_path / "own"
    shutil.copytree(LIBRARY, own)
    package = own / "procedures" / "64447"
    package.mkdir()
    (package / "procedure.yaml").write_text("procedure: '64447'\nname: femoral nerve injection\ncodes: ['64447']\n")
    claim = contained(PROFESSIONAL)
    claim["procedure"] = [{"sequence": 1, "procedureCodeableConcept": {"text": "left 64447 by ultrasound"}}]
    file = write("c.json", claim)
    assert "64447" not in scrub("check", file).stderr
    for command in (("check", "--book", str(own)), ("submit", "--dry-run")):
        done = scrub(*command, file, SCRUB_BOOK=str(own))
        assert done.returncode == 2
        assert "64447 was done, but no item bills it" in done.stderr
