"""`scrub outcomes import` as a user runs it, and each kind of file where the other one belongs."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from pathlib import Path

from tests.worker.remitted import clp, decision, era, file, gs, st, svc

from .conftest import CLEAN, Run

DENIED = svc("450", "0", "1", "CO*151*450")
REMITTANCE = era(clp("A", "1", "450", "0", "ICN1", *DENIED))
CLAIMS = file(["GS*HC*S*R*20261101*1200*1*X*005010X222A1", "ST*837*0001*005010X222A1", "SE*2*0001", "GE*1*1"])
MIXED = file(gs(st(clp("A", "1", "450", "0", "ICN1", *DENIED)), ["ST*277*0002", "SE*2*0002"]))


def test_a_remittance_given_as_claims_is_told_where_it_belongs(scrub: Run, home: Path) -> None:
    (home / "a.835").write_bytes(REMITTANCE)
    (home / "b.835.gz").write_bytes(gzip.compress(REMITTANCE))
    for command in (["check"], ["submit", "--dry-run"]):
        done = scrub(*command, "a.835", "b.835.gz")
        assert done.returncode == 2
        assert done.stderr.count("no 837 but 835, a remittance; `scrub outcomes import` reads it") == 2


def _zip(content: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a.835", content)
    return stream.getvalue()


OTHERS = {
    "837": (CLAIMS, "no 835 but claims (837), and is passed by; `scrub check` and `scrub submit` read claims"),
    "claim": (json.dumps(CLEAN).encode(), "this is JSON and no 835; `scrub check` and `scrub submit` read claims"),
    "array": (b"\xef\xbb\xbf\n[]", "this is JSON and no 835; `scrub check` and `scrub submit` read claims"),
    "fhir.gz": (gzip.compress(b'{"resourceType": "Bundle"}\n'), "this is JSON and no 835; `scrub check`"),
    "csv": (b"claim,paid\nA,100\n", "there is no 835 in this file; `scrub check` and `scrub submit` read claims"),
    "zip": (_zip(REMITTANCE), "this is a zip; unpack it and give the 835 files in it"),
    "pdf": (b"%PDF-1.7\n", "this is a PDF; expected the remittance as X12 835"),
    "html": (b"<html>", "this is XML or HTML and no 835"),
    "mixed": (MIXED, "no 835 but an acknowledgment or status (277)"),
}


def test_another_file_given_as_a_remittance_is_told_where_it_belongs(scrub: Run, home: Path) -> None:
    for name, (content, _) in OTHERS.items():
        (home / name).write_bytes(content)
    (home / "a.jsonl").write_bytes(decision("A"))
    done = scrub("outcomes", "import", *OTHERS, "--audit", "a.jsonl")
    assert done.returncode == 2
    said = done.stderr.splitlines()
    for name, (_, sentence) in OTHERS.items():
        assert any(line.startswith(f"{name}:") and sentence in line for line in said), name
    assert done.stdout.startswith("1 claims on the remittances, 1 matched."), "of the file that has both"


def test_what_is_not_counted_is_listed_by_place_and_all_adds_up(scrub: Run, home: Path) -> None:
    claims = [
        clp("A", "1", "450", "0", "ICN1", *DENIED),
        clp("A", "22", "-450", "-1", "ICN1"),
        *(clp(f"LOST-{number}", "1", "450", "0", f"ICN-{number}", *DENIED) for number in range(7)),
        ["CLP*B**1*1"],
        ["PLB*1234567893*20261231*WO:SECRET*12.5"],
    ]
    (home / "a.835").write_bytes(era(*claims))
    (home / "a.jsonl").write_bytes(decision("A", "UNT001@1"))
    done = scrub("outcomes", "import", "a.835", "a.835", "--audit", "a.jsonl")
    assert done.returncode == 2, "a claim was refused"
    decoded = scrub("outcomes", "import", "a.835", "a.835", "--audit", "a.jsonl", "--format", "json")
    assert decoded.returncode == 2
    told = json.loads(decoded.stdout)
    assert told["remittances"] == {
        "read": 18, "matched": 1, "reversals without their payment": 1, "not in the audit log": 7, "there twice": 9,
        "do not balance": 2,
    }  # fmt: skip
    assert (told["refused"], told["refused_claims"]) == (2, 2)
    assert len(told["listed"]) == 19
    assert told["provider_adjustments"] == {"WO": {"count": 1, "money": "12.5"}}
    text = done.stdout.splitlines()
    assert text[0].startswith("18 claims on the remittances, 1 matched; 1 reversals without their payment, ")
    assert "2 could not be read, 2 of them claims." in text
    assert "  a.835: ST 0001 / claim 2 / segment 11: reversals without their payment" in text
    assert "  and 2 more not in the audit log" in text
    assert ["WO", "1", "$12.50"] in [line.split() for line in text]
    for private in ("LOST", "SECRET", "ICN"):
        assert private not in done.stdout + done.stderr + json.dumps(told)


def test_claims_of_the_past_are_told_where_they_belong(scrub: Run, home: Path) -> None:
    """A year that was submitted and judged today was decided later than it was answered."""
    (home / "a.835").write_bytes(era(clp("A", "1", "450", "0", "ICN1", *DENIED)))
    (home / "a.jsonl").write_bytes(decision("A", "UNT001@1", day="2027-01-15"))
    done = scrub("outcomes", "import", "a.835", "--audit", "a.jsonl")
    assert "1 decided later" in done.stdout
    assert "`scrub backtest` judges each as of its own day" in done.stdout
