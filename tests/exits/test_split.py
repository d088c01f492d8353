"""What is written around the claims of a split, and what is not split.

Symptoms of the world that the tests stand for: openemr/openemr#6900 (an interchange control number that was used before is
rejected), openemr/openemr#6471 (HL numbers that do not count from 1 by 1), xlate/staedi#254, #256 and #312 and
walmartlabs/gozer#88 (counts of SE, GE and IEA that nobody looks at), databricks-industry-solutions/x12-edi-parser#30
(SE01 that is wrong), kputnam/stupidedi#144 (a claim under the dependent alone), LibreHealthIO/lh-ehr#1022 (a file put behind
another one) and #1023 (claims that should not have gone into the batch).
"""

from __future__ import annotations

import gc
import gzip
import json
import os
import signal
import stat
import time
import tracemalloc
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from rules.report import Disposition
from tests.exits.splitting import (
    BOOK,
    NOW,
    Result,
    assert_each_claim_is_in_one_class,
    assert_what_goes_on_is_sound,
    cut,
    read_back,
    report,
    segments,
    split,
)
from tests.x12.oracles import validates
from worker.errors import SplitRefused
from worker.exits.manifest import Manifest
from worker.exits.split import Split
from worker.intake.document import Document
from worker.intake.documents import read_documents
from worker.intake.x12.written import ControlNumbers

READING = Path(__file__).parents[1] / "x12/reading"
FORM = Path(__file__).parents[1] / "x12/form"
BASE = {form: (READING / f"base_{form}.837").read_bytes() for form in ("p", "i")}
DISPOSITION: dict[str, Disposition] = {"C": "billing", "H": "rework", "U": "unchecked"}


def claim(name: str) -> str:
    """`C-1` is for billing, `H-1` for rework, `U-1` unchecked."""
    return (
        f"CLM*{name}*450***11:B:1*Y*A*Y*Y~HI*ABK:M5431~NM1*82*1*REED*PAUL****XX*1234567893~LX*1~"
        "SV1*HC:64445:RT*450*UN*1***1~DTP*472*D8*20261001~"
    )


BILLING = "NM1*85*2*CLINIC*****XX*1234567893~N3*1 RIVER RD~N4*AUSTIN*TX*787010001~REF*EI*741234567~"
SUBSCRIBER = "SBR*P*{18}*******MB~NM1*IL*1*DOVE*ANNA****MI*1EG4TE5MK73~{0}NM1*PR*2*MEDICARE TX*****PI*04412~"
DEPENDENT = "PAT*19~NM1*QC*1*DOVE*BOB~N3*2 OAK ST~N4*AUSTIN*TX*78701~DMG*D8*20100302*M~"
OWN = "N3*2 OAK ST~N4*AUSTIN*TX*78701~DMG*D8*19500302*F~"


def levels(*subscribers: tuple[list[str], list[list[str]]], start: int = 1) -> str:
    """One provider; each subscriber with claims of its own, and with those of dependents."""
    number, text = start, f"HL*{start}**20*1~" + BILLING
    for own, dependents in subscribers:
        number += 1
        above = number
        more = SUBSCRIBER.replace("{18}", "18" if own else "").replace("{0}", OWN if own else "")
        text += f"HL*{number}*{start}*22*{int(bool(dependents))}~" + more + "".join(map(claim, own))
        for claims in dependents:
            number += 1
            text += f"HL*{number}*{above}*23*0~" + DEPENDENT + "".join(map(claim, claims))
    return text


def transaction(body: str, control: str = "0001", batch: str = "B1") -> str:
    head = (
        f"ST*837*{control}*005010X222A1~BHT*0019*00*{batch}*20261020*0915*CH~NM1*41*2*RIVERBEND*****46*RB001~"
        "PER*IC*DESK*TE*5550100100~NM1*40*2*MEDICARE*****46*04412~"
    )
    return f"{head}{body}SE*{(head + body).count('~') + 1}*{control}~"


def group(*sets: str, control: str = "1") -> str:
    return f"GS*HC*RB*CH*20261020*0915*{control}*X*005010X222A1~{''.join(sets)}GE*{len(sets)}*{control}~"


def interchange(*groups: str, control: int = 101, usage: str = "P", sender: str = "HOSPBILL01     ") -> bytes:
    isa = (
        f"ISA*00*          *00*          *ZZ*{sender}*ZZ*CLEARHOUSE     *261020*0915*^*00501*{control:09d}*0*{usage}*:~"
    )
    return f"{isa}{''.join(groups)}IEA*{len(groups)}*{control:09d}~".encode()


def of(*subscribers: tuple[list[str], list[list[str]]]) -> bytes:
    return interchange(group(transaction(levels(*subscribers))))


def by_name(raw: bytes, folder: Path, **more: Any) -> Result:
    """Split by what the names of the claims say."""
    dispositions = {
        one.number: DISPOSITION.get(one.claim.claim_id[:1], "billing")
        for one in read_documents("x", BytesIO(raw))
        if isinstance(one, Document)
    }
    result = split(raw, folder, dispositions.__getitem__, **more)
    assert result is not None
    assert_each_claim_is_in_one_class(result)
    assert_what_goes_on_is_sound(result)
    return result


def hierarchy(raw: bytes) -> list[str]:
    return [
        "*".join(part.decode() for part in elements[1:] if elements[0] == b"HL") or elements[1].decode()
        for _, _, elements in segments(raw)
        if elements[0] in (b"HL", b"CLM")
    ]


def said(answer: bytes) -> dict[str, str]:
    """The category of the status of each claim in the 277CA."""
    found, claim_id = {}, ""
    for _, _, elements in segments(answer):
        if elements[0] == b"HL":
            patient = elements[3] == b"PT"
        elif elements[0] == b"TRN":
            claim_id = elements[2].decode() if patient else ""
        elif elements[0] == b"STC" and claim_id:
            found.setdefault(claim_id, elements[1][:2].decode())
    return found


def test_levels_are_carried_for_the_claims_that_stay_and_numbered_anew(tmp_path: Path) -> None:
    raw = of((["H-1"], []), (["C-2", "H-3"], []), ([], [["H-4"], ["C-5"]]), (["C-6"], []))
    result = by_name(raw, tmp_path)
    assert hierarchy(result.files["clean"]) == [
        "1**20*1", "2*1*22*0", "C-2", "3*1*22*1", "4*3*23*0", "C-5", "5*1*22*0", "C-6",
    ]  # fmt: skip
    assert hierarchy(result.files["held"]) == [
        "1**20*1",
        "2*1*22*0",
        "H-1",
        "3*1*22*0",
        "H-3",
        "4*1*22*1",
        "5*4*23*0",
        "H-4",
    ]


@pytest.mark.parametrize(
    ("own", "dependents", "expected"),
    [
        ("C-1", "C-2", {"clean": ["1**20*1", "2*1*22*1", "C-1", "3*2*23*0", "C-2"]}),
        ("C-1", "H-2", {"clean": ["1**20*1", "2*1*22*0", "C-1"], "held": ["1**20*1", "2*1*22*1", "3*2*23*0", "H-2"]}),
        ("H-1", "C-2", {"clean": ["1**20*1", "2*1*22*1", "3*2*23*0", "C-2"], "held": ["1**20*1", "2*1*22*0", "H-1"]}),
    ],
)
def test_a_subscriber_has_children_where_a_dependent_stays(
    own: str, dependents: str, expected: dict[str, list[str]], tmp_path: Path
) -> None:
    """The child code is written before it is known whether a dependent follows (azoner/pyx12#38, kputnam/stupidedi#144)."""
    result = by_name(of(([own], [[dependents]])), tmp_path)
    assert {kind: hierarchy(result.files[kind]) for kind in ("clean", "held") if kind in result.files} == expected


def test_hl_numbers_of_the_original_may_begin_anywhere(tmp_path: Path) -> None:
    body = levels((["C-1"], [["H-2", "C-3"]]), start=7)
    result = by_name(interchange(group(transaction(body))), tmp_path)
    assert hierarchy(result.files["clean"]) == ["1**20*1", "2*1*22*1", "C-1", "3*2*23*0", "C-3"]


def test_control_numbers_are_new_everywhere_and_the_manifest_has_both(tmp_path: Path) -> None:
    """openemr/openemr#6900; the receiver may want each to be unique for ever, as MuleSoft's connector can."""
    raw = b"".join(
        interchange(
            group(
                transaction(levels((["C-1", "H-2"], []))), transaction(levels((["H-3"], [])), "0002", "B2"), control="8"
            ),
            group(transaction(levels((["C-4"], []))), control="9"),
            control=control,
        )
        for control in (101, 102)
    )
    result = by_name(raw.replace(b"C-4", b"C-5", 1), tmp_path)
    sets = result.manifest["sets"]
    assert [(one["kind"], one["isa13"]["original"], one["gs06"]["original"], one["st02"]["original"]) for one in sets] == [
        ("clean", "000000101", "8", "0001"), ("held", "000000101", "8", "0001"), ("held", "000000101", "8", "0002"),
        ("clean", "000000101", "9", "0001"), ("clean", "000000102", "9", "0001"),
    ]  # fmt: skip
    assert [one["bht03"]["original"] for one in sets] == ["B1", "B1", "B2", "B1", "B1"]
    numbers = {level: [one[level]["new"] for one in sets] for level in ("isa13", "gs06", "bht03")}
    assert len(set(numbers["bht03"])) == 5
    assert len(set(numbers["isa13"])) == 3
    assert len({*numbers["isa13"], *numbers["gs06"]}) == 3 + 4, "no number is that of another level"
    for kind in ("clean", "held"):
        text = result.files[kind]
        for place, name in ((13, b"ISA"), (6, b"GS"), (2, b"ST"), (3, b"BHT")):
            level = {b"ISA": "isa13", b"GS": "gs06", b"ST": "st02", b"BHT": "bht03"}[name]
            written = [elements[place].decode() for _, _, elements in segments(text) if elements[0] == name]
            assert written == list(dict.fromkeys(one[level]["new"] for one in sets if one["kind"] == kind))
        assert b"*%s~GE*" % written_last(text, b"ST", 2) in text
        assert b"*%s~IEA*" % written_last(text, b"GS", 6) in text
        assert text.endswith(b"*%s~" % written_last(text, b"ISA", 13))
    assert not [
        one
        for one in sets
        for level in ("isa13", "gs06", "st02", "bht03")
        if one[level]["new"] == one[level]["original"]
    ]
    assert len({one["st02"]["new"] for one in sets}) == 5


def written_last(raw: bytes, name: bytes, place: int) -> bytes:
    return [elements[place] for _, _, elements in segments(raw) if elements[0] == name][-1]


def test_a_number_that_the_original_has_by_chance_is_passed_over(tmp_path: Path) -> None:
    """Whoever numbers by the clock as well."""
    now = int(NOW.timestamp())
    for shift in range(12):
        number = max(now, ControlNumbers.last) % 10**9 + shift
        raw = interchange(group(transaction(levels((["C-1"], []))), control=str(number)), control=number)
        result = by_name(raw, tmp_path / str(shift))
        (one,) = result.manifest["sets"]
        assert one["isa13"]["new"] != one["isa13"]["original"] == f"{number:09d}"
        assert one["gs06"]["new"] != one["gs06"]["original"] == str(number)


def test_sets_groups_and_interchanges_of_which_nothing_stays_are_left_out(tmp_path: Path) -> None:
    raw = interchange(
        group(transaction(levels((["H-1"], []))), transaction(levels((["C-2"], [])), "0002")),
        group(transaction(levels((["H-3"], []))), control="2"),
    ) + interchange(group(transaction(levels((["H-4"], [])))), control=102)
    result = by_name(raw, tmp_path)
    trailers = [b"*".join(one[:2]) for _, _, one in segments(result.files["clean"]) if one[0] in (b"GE", b"IEA")]
    assert trailers == [b"GE*1", b"IEA*1"]
    assert result.files["clean"].count(b"ISA*") == 1
    assert result.files["held"].count(b"ISA*") == 2


@pytest.mark.parametrize("form", ["p", "i"])
def test_an_independent_validator_finds_nothing_in_what_goes_on(form: str, tmp_path: Path) -> None:
    raw = (FORM / f"clean_{form}.837").read_bytes()
    raw = raw.replace(b"*ZZ*99999~", b"*NV*999990000~").replace(b"*12345~", b"*123450000~")
    fine, faults = validates(raw.decode())
    assert fine, faults
    for number, disposition in enumerate(DISPOSITION.values()):
        result = split(raw, tmp_path / str(number), lambda _, to=disposition: to)
        assert result is not None
        (kind,) = set(result.files) & {"clean", "held", "unchecked"}
        fine, faults = validates(result.files[kind].decode())
        assert fine, faults


def test_pyx12_finds_nothing_in_a_hierarchy_that_lost_claims(tmp_path: Path) -> None:
    raw = of((["H-1"], []), (["C-2", "H-3"], []), ([], [["H-4"], ["C-5"]]), (["C-6"], []))
    fine, faults = validates(raw.decode())
    assert fine, faults
    for kind in ("clean", "held"):
        fine, faults = validates(by_name(raw, tmp_path / kind).files[kind].decode())
        assert fine, faults


def test_the_files_of_a_trial_are_marked_in_name_usage_and_manifest(tmp_path: Path) -> None:
    result = by_name(of((["C-1"], [])), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "x.trial.answer.x12", "x.trial.clean.837", "x.trial.manifest.json", "x.trial.reports.ndjson",
    ]  # fmt: skip
    assert result.manifest["trial"] is True
    assert all(one[15] == b"T" for _, _, one in segments(result.files["clean"]) if one[0] == b"ISA")
    assert all(one[15] == b"T" for _, _, one in segments(result.files["answer"]) if one[0] == b"ISA")
    other = by_name(of((["C-1"], [])), tmp_path / "real", trial=False)
    assert other.manifest["trial"] is False
    assert all(one[15] == b"P" for _, _, one in segments(other.files["clean"]) if one[0] == b"ISA")
    assert (tmp_path / "real" / "x.clean.837").is_file()


def test_the_manifest_is_of_its_published_schema(tmp_path: Path) -> None:
    result = by_name(of((["C-1", "H-2", "U-3"], [])), tmp_path)
    found = TypeAdapter(Manifest).validate_python(result.manifest)
    assert {kind: total.claims for kind, total in found.totals.items() if total.claims} == {
        "clean": 1, "held": 1, "unchecked": 1
    }  # fmt: skip
    assert found.totals["held"].charge == "450.00"
    for one in found.files:
        assert len((tmp_path / one.file).read_bytes()) == one.bytes


def test_a_file_that_is_cut_off_is_refused_whole_with_a_sentence(tmp_path: Path) -> None:
    """The sender is told to send it again, so that none of it may go on."""
    raw = of((["C-1", "H-2"], []), (["C-3"], []))
    result = by_name(raw[: raw.index(b"CLM*C-3") + 60], tmp_path)
    rows = result.manifest["claims"]
    assert [(row["claim_id"], row["kind"]) for row in rows] == [
        ("C-1", "refused"),
        ("H-2", "refused"),
        ("C-3", "refused"),
    ]
    assert all("TA1 023" in row["why"] and "sends it again" in row["why"] for row in rows)
    assert any("cut off" in fault for fault in result.manifest["faults"])
    assert not set(result.files) & {"clean", "held", "unchecked", "undecided"}
    assert b"TA1*000000101*261020*0915*R*023" in result.files["answer"]


def test_of_a_set_that_is_rejected_nothing_goes_on_and_the_others_do(tmp_path: Path) -> None:
    """SE01 that is wrong: segments may be lost (databricks-industry-solutions/x12-edi-parser#30)."""
    bad = transaction(levels((["C-1"], []))).replace("SE*", "SE*9")
    result = by_name(interchange(group(bad, transaction(levels((["C-2"], [])), "0002"))), tmp_path)
    assert [(row["claim_id"], row["kind"]) for row in result.manifest["claims"]] == [
        ("C-1", "refused"),
        ("C-2", "clean"),
    ]
    assert "999 IK5 4" in result.manifest["claims"][0]["why"]


def test_a_claim_that_cannot_be_read_is_refused_alone(tmp_path: Path) -> None:
    raw = of((["C-1", "C-2", "C-3"], [])).replace(b"CLM*C-2*450*", b"CLM*C-2*4SMITH*")
    result = by_name(raw, tmp_path)
    assert [row["kind"] for row in result.manifest["claims"]] == ["clean", "refused", "clean"]
    assert "CLM02" in result.manifest["claims"][1]["why"]
    assert b"SMITH" not in (tmp_path / "x.trial.manifest.json").read_bytes()
    assert result.claims("refused") == [cut(raw)[1]]


@pytest.mark.parametrize("place", ["ST", "2000A", "2000B"])
def test_a_level_with_strays_is_not_carried_on(place: str, tmp_path: Path) -> None:
    """A claim whose CLM was lost leaves its segments, and those of a subscriber, in the level before it."""
    stray = "LX*1~SV1*HC:64445:RT*450*UN*1***1~NM1*IL*1*CROW*EVE****MI*1EG4TE5MK99~"
    body = levels(([], [["C-1"]]), (["C-2"], []))
    before = {"ST": "HL*1**20*1~", "2000A": "HL*2*1*22*1~", "2000B": "HL*3*2*23*0~"}[place]
    result = by_name(interchange(group(transaction(body.replace(before, stray + before)))), tmp_path)
    kinds = {row["claim_id"]: row["kind"] for row in result.manifest["claims"]}
    assert kinds == {"C-1": "refused", "C-2": "clean" if place == "2000B" else "refused"}
    assert "perhaps of another patient" in result.manifest["claims"][0]["why"]
    assert b"CROW" not in result.files.get("clean", b"")
    if place == "2000B":
        assert said(result.files["answer"]) == {"C-1": "A3", "C-2": "A2"}
    else:
        assert b"IK5*R" in result.files["answer"], "nothing of the set is taken"


def test_counts_of_trailers_that_were_wrong_are_right_in_what_goes_on(tmp_path: Path) -> None:
    raw = of((["C-1"], [])).replace(b"IEA*1*", b"IEA*3*")
    result = by_name(raw, tmp_path)
    assert any("IEA01" in fault for fault in result.manifest["faults"])
    assert read_back(result.files["clean"])


def test_an_isa_that_lacks_blanks_is_padded(tmp_path: Path) -> None:
    result = by_name(interchange(group(transaction(levels((["C-1"], [])))), sender="HOSPBILL01"), tmp_path)
    (isa,) = (one for _, _, one in segments(result.files["clean"]) if one[0] == b"ISA")
    assert isa[6] == b"HOSPBILL01     "


def test_an_isa_that_only_a_guess_could_mend_is_refused_with_a_sentence(tmp_path: Path) -> None:
    result = by_name(of((["C-1"], [])).replace(b"*261020*", b"*269920*"), tmp_path)
    (row,) = result.manifest["claims"]
    assert row["kind"] == "refused"
    assert "mend it in the system that exports the file" in row["why"]
    assert said(result.files["answer"]) == {"C-1": "A3"}, "the sender is not told that it was taken"


def test_claims_behind_the_end_of_their_interchange_are_refused_with_a_sentence(tmp_path: Path) -> None:
    raw = of((["C-1"], [])) + group(transaction(levels((["C-2"], [])))).encode()
    result = by_name(raw, tmp_path)
    assert [row["kind"] for row in result.manifest["claims"]] == ["clean", "refused"]
    assert "no subscriber, transaction set, group or interchange" in result.manifest["claims"][1]["why"]


def test_a_file_put_behind_itself_repeats_its_claims(tmp_path: Path) -> None:
    """LibreHealthIO/lh-ehr#1022."""
    raw = of((["C-1", "H-2"], [])) * 2
    result = by_name(raw, tmp_path)
    rows = result.manifest["claims"]
    assert [(row["kind"], row["first"]) for row in rows] == [
        ("clean", None),
        ("held", None),
        ("repeated", 1),
        ("repeated", 2),
    ]
    assert "claim 1 of this file" in rows[2]["why"]
    assert len(cut(result.files["clean"])) == 1


def test_claims_that_differ_in_one_byte_or_in_the_patient_repeat_nothing(tmp_path: Path) -> None:
    first = levels((["C-1"], []))
    other = first.replace("1EG4TE5MK73", "1EG4TE5MK74")
    long, short = (first.replace("HI*", f"NTE*ADD*{text}~HI*") for text in ("A LONG OPERATION", "A SHORT ONE"))
    raw = interchange(group(*(transaction(body, f"{n:04d}") for n, body in enumerate((first, other, long, short), 1))))
    assert [row["kind"] for row in by_name(raw, tmp_path).manifest["claims"]] == ["clean"] * 4


def test_lines_of_eighty_columns_go_on_as_they_are(tmp_path: Path) -> None:
    """Mainframes wrap a file wherever the column is, also within a control number."""
    flat = of((["C-1", "H-2"], [["C-3"]]))
    raw = b"\r\n".join(flat[place : place + 80] for place in range(0, len(flat), 80))
    result = by_name(raw, tmp_path)
    assert [one.replace(b"\r\n", b"") for one in result.claims("clean")] == [cut(flat)[0], cut(flat)[2]]
    assert any(b"\r\n" in one for one in result.claims("clean"))


def test_what_is_no_ascii_goes_on_as_it_is(tmp_path: Path) -> None:
    raw = of((["C-1", "H-2"], [])).replace(b"REED", b"R\xc9ED").replace(b"CLINIC", "CLÍNICA".encode())
    result = by_name(raw, tmp_path)
    assert b"R\xc9ED" in result.files["clean"]
    assert "CLÍNICA".encode() in result.files["held"]


def test_an_iea_without_its_terminator_gets_one(tmp_path: Path) -> None:
    result = by_name(of((["C-1"], []))[:-1] + b"\r\n", tmp_path)
    assert result.files["clean"].endswith(b"~")


def test_a_claim_with_a_segment_without_end_takes_along_those_up_to_the_next_level_alone(tmp_path: Path) -> None:
    raw = of((["C-1", "C-2"], []), (["C-3"], []))
    second = cut(raw)[1]
    raw = raw.replace(second, second.replace(b"*REED*PAUL*", b"*" + b"LONG " * 60_000 + b"*PAUL*"))
    result = by_name(raw, tmp_path)
    assert [row["kind"] for row in result.manifest["claims"]] == ["clean", "refused", "clean"]
    assert cut(result.files["clean"]) == [cut(raw)[0], cut(raw)[2]]


def test_professional_and_institutional_groups_of_one_interchange_stay_apart(tmp_path: Path) -> None:
    raw = BASE["p"].replace(b"*T*:", b"*P*:")
    institutional = BASE["i"][BASE["i"].index(b"GS*") : BASE["i"].index(b"IEA*")]
    institutional = institutional.replace(b"*0915*1*X", b"*0915*2*X").replace(b"GE*1*1", b"GE*1*2")
    raw = raw.replace(b"IEA*1*", institutional + b"IEA*2*")
    result = split(raw, tmp_path, lambda _: "billing")
    assert result is not None
    assert_each_claim_is_in_one_class(result)
    assert_what_goes_on_is_sound(result)
    assert [one.claim.form for one in read_back(result.files["clean"])] == ["professional", "institutional"]


def test_an_835_beside_the_837_is_left_out_with_a_sentence(tmp_path: Path) -> None:
    other = "ST*835*0009~BPR*I*0*C*NON************20261020~SE*3*0009~"
    result = by_name(interchange(group(transaction(levels((["C-1"], []))), other)), tmp_path)
    assert any("835" in fault for fault in result.manifest["faults"])
    assert b"BPR" not in result.files["clean"]


def test_gzip_is_unpacked_and_the_manifest_says_so(tmp_path: Path) -> None:
    raw = of((["C-1", "H-2"], []))
    packed = gzip.compress(raw)
    result = split(packed, tmp_path, lambda _: "billing", name="march.837.gz")
    assert result is not None
    assert result.manifest["original"]["packed"] is True
    assert result.manifest["original"]["bytes"] == len(packed)
    assert cut(result.files["clean"]) == cut(raw)
    assert (tmp_path / "march.trial.clean.837").is_file()


@pytest.mark.parametrize("raw", [b"", b"{}", b"just text", b"GS*HC*A*B~ST*837*1~"])
def test_of_what_is_no_x12_nothing_is_written(raw: bytes, tmp_path: Path) -> None:
    assert split(raw, tmp_path, lambda _: "billing") is None
    assert not list(tmp_path.iterdir())


def test_what_is_there_is_not_written_over(tmp_path: Path) -> None:
    raw = of((["C-1", "H-2"], []))
    by_name(raw, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(
        SplitRefused, match=r"x\.trial\.clean\.837 is in .* already, and is not written over; move it away"
    ):
        split(raw, tmp_path, lambda _: "billing")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_what_came_meanwhile_is_not_written_over_and_nothing_of_the_split_stays(tmp_path: Path) -> None:
    raw = of((["C-1", "H-2"], []))
    made = Split("x.837", BytesIO(raw), tmp_path, trial=True, now=NOW)
    for found in read_documents("x", made.content, ended=made.ended):
        assert isinstance(found, Document)
        made.decide(found, report(found.claim.claim_id, "billing"))
    (tmp_path / "x.trial.answer.x12").write_bytes(b"mine")
    with pytest.raises(SplitRefused, match="its manifest is not there, so that a split broke off"):
        made.write(BOOK)
    made.close()
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("x.trial.answer.x12", b"mine")]


def test_a_split_that_fails_leaves_nothing(tmp_path: Path) -> None:
    made = Split("x.837", BytesIO(of((["C-1"], []))), tmp_path, trial=True, now=NOW)
    assert list(tmp_path.iterdir())
    assert all(path.name.startswith(".") and path.name.endswith(".part") for path in tmp_path.iterdir())
    made.close()
    assert not list(tmp_path.iterdir())


def test_a_split_that_is_given_up_within_a_group_lets_go_of_its_answers(tmp_path: Path) -> None:
    """What is not closed by hand would be warned of, and a warning is an error here."""
    raw = interchange(group(transaction(levels((["C-1"], []))), transaction(levels((["C-2", "C-3"], [])), "0002")))
    made = Split("x.837", BytesIO(raw), tmp_path, trial=True, now=NOW)
    for found in read_documents("x", made.content, ended=made.ended):
        assert isinstance(found, Document)
        if found.number == 3:
            break
        made.decide(found, report(found.claim.claim_id, "billing"))
    made.close()
    del made
    gc.collect()
    assert not list(tmp_path.iterdir())


def test_a_folder_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    by_name(of((["C-1"], [])), tmp_path / "trial")
    assert stat.S_IMODE((tmp_path / "trial").stat().st_mode) & 0o077 == 0


def test_a_folder_that_is_none_is_refused_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for folder in (tmp_path / "file", tmp_path / "file" / "in", tmp_path / "no" / "where"):
        with pytest.raises(SplitRefused, match="cannot be used"):
            split(of((["C-1"], [])), folder, lambda _: "billing")


@pytest.mark.parametrize(
    "name", ["a b\x1b[31m.837", "m\udcfcller.837", "x" * 250 + ".837", "X.837", "plain.txt", ".837"]
)
def test_any_name_gives_names_that_can_be_looked_at(name: str, tmp_path: Path) -> None:
    result = split(of((["C-1"], [])), tmp_path, lambda _: "billing", name=name)
    assert result is not None
    names = [path.name for path in tmp_path.iterdir()]
    assert len(names) == 4
    assert all(one.isprintable() and one.isascii() and ".trial." in one for one in names)


def test_who_writes_on_while_a_file_is_split_changes_nothing(tmp_path: Path) -> None:
    source = tmp_path / "x.837"
    source.write_bytes(of((["C-1", "C-2"], [])))
    with source.open("rb") as stream:
        made = Split("x.837", stream, tmp_path / "out", trial=True, now=datetime.now(UTC))
        for found in read_documents("x", made.content, ended=made.ended):
            source.write_bytes(b"ISA")
            assert isinstance(found, Document)
            made.decide(found, report(found.claim.claim_id, "billing"))
        assert made.write(BOOK) is not None
        made.close()
    assert len(cut((tmp_path / "out/x.trial.clean.837").read_bytes())) == 2


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    def peak(claims: int) -> int:
        raw = of(([f"C-{number}" for number in range(claims)], []))
        made = Split(f"{claims}.837", BytesIO(raw), tmp_path, trial=True, now=NOW)
        for found in read_documents("x", made.content, ended=made.ended):
            assert isinstance(found, Document)
            made.decide(found, report(found.claim.claim_id, "billing"))
        tracemalloc.start()
        try:
            made.write(BOOK)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
            made.close()

    peak(20)
    assert peak(4_000) < peak(1_500) + 200_000


def test_killed_at_any_moment_a_manifest_stands_for_whole_files_alone(tmp_path: Path) -> None:
    raw = of(([f"{'CH'[number % 2]}-{number}" for number in range(60)], []))
    begun = time.monotonic()
    by_name(raw, tmp_path / "whole")
    whole = time.monotonic() - begun
    finished = 0
    for kill in range(20):
        folder = tmp_path / str(kill)
        child = os.fork()
        if child == 0:
            try:
                by_name(raw, folder)
            finally:
                os._exit(0)
        if kill < 19:  # one comes to its end, however loaded the machine is
            time.sleep(whole * kill / 14)
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        names = {path.name for path in folder.iterdir() if not path.name.startswith(".")} if folder.is_dir() else set()
        if "x.trial.manifest.json" in names:
            finished += 1
            manifest = json.loads((folder / "x.trial.manifest.json").read_bytes())
            assert all((folder / one["file"]).stat().st_size == one["bytes"] for one in manifest["files"])
        elif names:
            with pytest.raises(SplitRefused, match="broke off before its end: delete it"):
                by_name(raw, folder)
        else:
            by_name(raw, folder)
    assert 0 < finished < 20, "some kills came before the end, some after"


def test_the_reports_are_those_of_the_claims_that_were_read(tmp_path: Path) -> None:
    result = by_name(of((["C-1", "H-2"], [])), tmp_path)
    assert [json.loads(line)["claim_id"] for line in result.files["reports"].splitlines()] == ["C-1", "H-2"]


def test_nothing_identifies_a_patient_in_names_and_manifest(tmp_path: Path) -> None:
    by_name(of((["C-1", "H-2"], [["C-3"]])), tmp_path)
    text = (tmp_path / "x.trial.manifest.json").read_text() + "".join(path.name for path in tmp_path.iterdir())
    assert not [word for word in ("DOVE", "ANNA", "1EG4TE5MK73", "19500302", "OAK ST") if word in text]
