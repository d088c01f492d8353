"""Files that hold no claims of ours: each is refused with one sentence that names it, and nothing of it is quoted.

Inputs written after public reports: jf-tech/omniparser#142 (which encoding is it?), wonderwhy-er/DesktopCommanderMCP#610
and fox-it/flow.record#138 (PowerShell's UTF-16), Skyvern-AI/skyvern#7411 (an HTML login page saved as the file),
metasfresh/metasfresh#6801 (Excel over SFTP beside EDI), kputnam/stupidedi#12 (no ISA in the input),
nextgenhealthcare/connect#129 (HL7 v2 given to another parser), stackoverflow 31335926 (partners that send X12 in EBCDIC).
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import tarfile
import zipfile
import zlib
from pathlib import Path

import pytest

from tests.x12.test_277ca import clean
from tests.x12.writer import file_of
from worker.intake.document import Document, Refusal
from worker.intake.documents import read_documents

from .conftest import Run

NAME = "CANARY"
X12 = file_of([clean(claim_id="A", patient={"first_name": NAME, "birth_date": "1970-01-01", "sex": "M"})])
FORM = f"""

                                                          AETNA
                                                          PO BOX 14079
   X                                                      912345678
   {NAME}  JO                    01 01 1970   X           {NAME}  JO
   1 MAIN ST                              X               1 MAIN ST
   TOWN                          TX                       TOWN                TX
                                                                  64445
"""


def zipped(*names: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            archive.writestr(name, X12)
    return out.getvalue()


def tarred() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        info = tarfile.TarInfo(f"{NAME}.837")
        info.size = len(X12)
        archive.addfile(info, io.BytesIO(X12.encode()))
    return out.getvalue()


KINDS: dict[str, tuple[bytes, str]] = {
    "zip": (zipped(f"{NAME}.837"), "a zip archive"),
    "zip that holds an 837 unpacked": (zipped("a.837", "b.837"), "a zip archive"),
    "xlsx": (zipped("[Content_Types].xml", "xl/workbook.xml"), "an Office document (xlsx, docx)"),
    "xls": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 500 + NAME.encode(), "an Office document (xls, doc)"),
    "7z": (b"7z\xbc\xaf\x27\x1c" + b"\0\x04" * 40, "a packed archive"),
    "bzip2": (bz2.compress(X12.encode()), "packed with bzip2"),
    "tar": (tarred(), "a tar archive"),
    "tar.gz": (gzip.compress(tarred()), "unpacked, this is a tar archive"),
    "a PDF in gzip": (gzip.compress(b"%PDF-1.7\n" + NAME.encode()), "unpacked, this is a PDF"),
    "PDF": (b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n1 0 obj\n(" + NAME.encode() + b")\n", "a PDF"),
    "a scan": (b"II*\x00\x08\x00\x00\x00" + b"\xff" * 300, "an image"),
    "PNG": (b"\x89PNG\r\n\x1a\n" + b"\0" * 100, "an image"),
    "RTF": (b"{\\rtf1\\ansi " + NAME.encode() + b"}\n", "a text of a word processor"),
    "HTML": (f"<!DOCTYPE html>\n<html><head><title>Sign in, {NAME}</title></head></html>".encode(), "an HTML page"),
    "an HTML page with an 837 in it": (f"<html><pre>{X12}</pre></html>".encode(), "an HTML page"),
    "an error page without a type": (f"\r\n<html>\n<h1>403 {NAME}</h1></html>".encode(), "an HTML page"),
    "CDA": (
        f'<?xml version="1.0"?>\n<ClinicalDocument xmlns="urn:hl7-org:v3"><name>{NAME}</name></ClinicalDocument>'.encode(),
        "a clinical document (CDA)",
    ),
    "FHIR in XML": (b'<?xml version="1.0"?><Claim xmlns="http://hl7.org/fhir"><id value="1"/></Claim>', "FHIR in XML"),
    "XML": (f'<?xml version="1.0"?>\n<claims><name>{NAME}</name></claims>'.encode(), "XML"),
    "HL7 v2": (f"MSH|^~\\&|EHR|HOSP|||202610011200||ADT^A01|1|P|2.3\rPID|1||1^^^H||{NAME}^JO\r".encode(), "HL7 v2"),
    "HL7 v2 as MLLP sends it": (b"\x0bMSH|^~\\&|EHR|HOSP\rPID|1\r\x1c\r", "HL7 v2"),
    "EDIFACT": (b"UNA:+.? 'UNB+UNOA:1+S+R+260101:1200+1'UNH+1+MEDCLM:D:97A:UN'", "EDIFACT"),
    "PGP armored": (f"-----BEGIN PGP MESSAGE-----\n\nhQEMA{NAME}\n-----END PGP MESSAGE-----\n".encode(), "encrypted"),
    "PGP binary": (b"\x85\x01\x0c\x03" + zlib.compress(bytes(range(256)) * 4), "encrypted"),
    "UTF-16 with mark": (X12.encode("utf-16"), "UTF-16"),
    "UTF-16 without": (X12.encode("utf-16-le"), "UTF-16"),
    "EBCDIC": (X12.replace("\n", "").encode("cp037"), "EBCDIC"),
    "EBCDIC in records": (X12.encode("cp037").replace(b"\x25", b"\x15"), "EBCDIC"),
    "EBCDIC, an extract": (f"CLAIM PCN-1 {NAME} 64445 RT 450.00 ".encode("cp037") * 5, "EBCDIC"),
    "zero bytes": (b"\0" * 5_000, "nothing but zero bytes"),
    "CSV": (f"claim_id,name,cpt,charge\n1,{NAME},64445,450\n2,{NAME},64445,450\n".encode(), "a table"),
    "tabs": (f"id\tname\tcpt\n1\t{NAME}\t64445\n2\t{NAME}\t20553\n".encode(), "a table"),
    "print image": (FORM.encode(), "a print image"),
    "small letters": (X12.lower().encode(), "X12 in small letters"),
    "another separator before GS": (X12[X12.index("GS*") :].replace("*", "|").encode(), "without its interchange"),
    "a letter": (f"Dear sirs, {NAME} is ill\n".encode(), "neither JSON nor NDJSON nor X12"),
    "gzip in gzip": (gzip.compress(gzip.compress(X12.encode())), "gzip within gzip"),
}  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
def test_a_file_of_another_kind_is_named_with_what_was_expected_and_what_to_do(name: str) -> None:
    raw, what = KINDS[name]
    (refusal,) = read_documents("f", io.BytesIO(raw))
    assert isinstance(refusal, Refusal)
    (problem,) = refusal.problems
    assert what in problem.sentence
    assert "expected X12 837" in problem.sentence
    assert "What to do: " in problem.sentence
    assert NAME not in str(refusal)
    assert problem.sentence.isprintable()


def test_a_name_in_an_archive_is_not_quoted() -> None:
    (refusal,) = read_documents("f", io.BytesIO(zipped("DOE_JANE_19700101.837")))
    assert "DOE" not in str(refusal)


BEFORE = {
    "a header of a job": b"//CLAIMS JOB (A),MSGCLASS=X\r\n//STEP EXEC\r\n",
    "a header of a mainframe transfer": b"$$ADD ID=X BID='837P'\n",
    "a header of a mail": b"Content-Type: application/EDI-X12\r\nContent-Transfer-Encoding: binary\r\n\r\n",
    "a line": f"FILE OF {NAME}\n".encode(),
    "a mark within": b"HDR\xef\xbb\xbf",
    "zeros": b"\0\0\0",
}


@pytest.mark.parametrize("name", BEFORE)
def test_what_stands_before_the_isa_is_named_and_the_claims_are_read(name: str) -> None:
    """jf-tech/omniparser#142, kputnam/stupidedi#12: readers that take the file's first bytes for the ISA."""
    found = list(read_documents("f", io.BytesIO(BEFORE[name] + X12.encode())))
    assert isinstance(found[0], Document)
    assert all(NAME not in str(one) for one in found[1:] if isinstance(one, Refusal))
    if name != "zeros":
        assert isinstance(found[1], Refusal)
        assert "expected an ISA segment, with which X12 begins" in found[1].sentence
        assert "delete it" in found[1].sentence


@pytest.mark.parametrize(
    ("kind", "version", "sentence"),
    [
        ("270", "005010X279A1", "an eligibility inquiry"),
        ("276", "005010X212", "a claim status request"),
        ("277", "005010X214", "a claim status response or acknowledgment"),
        ("278", "005010X217", "prior authorization"),
        ("820", "005010X218", "a premium payment"),
        ("834", "005010X220A1", "a benefit enrollment"),
        ("835", "005010X221A1", "`scrub outcomes import`"),
        ("999", "005010X231A1", "an acknowledgment"),
        ("850", "004010", "no 837 but another one"),
        ("837", "005010X224A2", "dental"),
        ("837", "004010X098A1", "version 4010"),
    ],
)
def test_another_transaction_set_is_called_what_it_is(kind: str, version: str, sentence: str) -> None:
    """LibreHealthIO/lh-ehr#280 (270 and 276 of the same system), EdiFabric/EDIFACT.NET#26 (a 997 given to a parser)."""
    raw = X12.replace("ST*837*", f"ST*{kind}*").replace("005010X222A2", version)
    found = [one for one in read_documents("f", io.BytesIO(raw.encode())) if isinstance(one, Refusal)]
    assert any(sentence in str(problem) for one in found for problem in one.problems)


def test_the_command_ends_with_2_and_no_traceback_for_every_kind(scrub: Run, home: Path) -> None:
    for number, (raw, _) in enumerate(KINDS.values()):
        (home / f"{number}").write_bytes(raw)
    done = scrub("check", *map(str, range(len(KINDS))))
    assert done.returncode == 2
    assert NAME not in done.stderr + done.stdout
    lines = done.stderr.splitlines()
    assert len(lines) == len(KINDS)
    for line, (_, what) in zip(lines, KINDS.values(), strict=True):
        assert what in line


@pytest.mark.parametrize(
    "raw",
    [
        json.dumps(clean()).encode(),
        b"a broken line, with, commas\n" + json.dumps(clean()).encode() + b"\n",
        b"\n\n" + X12.encode(),
        X12.encode("cp1252"),
        gzip.compress(X12.encode()),
    ],
)
def test_what_is_read_is_not_taken_for_something_else(raw: bytes) -> None:
    assert any(isinstance(one, Document) for one in read_documents("f", io.BytesIO(raw)))
