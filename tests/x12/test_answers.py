"""`scrub check --format x12`: TA1 for the interchange, 999 for its sets, 277CA for the claims of the sets that were read.

A TA1 is held against a table of our own, since pyx12 lets a bad one pass and calls a bare one invalid (azoner/pyx12#160);
999 and 277CA against pyx12's maps. The inputs are written after public reports, which each case names.
"""

from __future__ import annotations

import gzip
import io
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rules.engine.check import check
from tests.book import BOOK
from tests.cli.conftest import Run
from tests.x12.samples import SAMPLES
from tests.x12.test_277ca import clean, valid, with_line
from tests.x12.test_fuzz import SEGMENTS
from tests.x12.writer import file_of, hierarchy, interchange, transaction
from worker.intake.document import Document
from worker.intake.documents import ends, read_documents
from worker.intake.x12.answers import Answers
from worker.intake.x12.ended import FATAL, WIDTHS, Ended

NOW = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
TA1 = (r"\d{9}", r"\d{6}", r"([01]\d|2[0-3])[0-5]\d", "[AER]", r"0[0-2]\d|030|031")
"""TA101 to TA105 (X12 005010 control segments)."""


@dataclass
class Answer:
    """What came back, parsed: an interchange's TA1, or its sets by kind."""

    isa: list[str]
    ta1: list[str] = field(default_factory=list)
    groups: list[list[str]] = field(default_factory=list)
    sets: dict[str, list[list[list[str]]]] = field(default_factory=dict)

    def segments(self, kind: str, *names: str) -> list[list[str]]:
        return [segment for one in self.sets.get(kind, ()) for segment in one if segment[0] in names]


def made(raw: bytes, name: str = "f.837") -> str:
    out = io.BytesIO()
    answers = Answers(out, NOW)
    for found in read_documents(name, io.BytesIO(raw), ended=answers.ended):
        if isinstance(found, Document):
            answers.accept(found, check(found.claim, BOOK, received=date(2026, 10, 20)))
        elif found.number and found.trace is not None:
            answers.refuse(found)
    answers.close()
    return out.getvalue().decode("ascii")


def parsed(text: str) -> list[Answer]:
    """Each interchange; every envelope is held against its counts and control numbers."""
    found: list[Answer] = []
    controls: list[str] = []
    for segment in (line.split("*") for line in text.replace("\n", "").split("~")[:-1]):
        name = segment[0]
        if name == "ISA":
            found.append(Answer(segment))
            controls.append(segment[13])
        elif name == "TA1":
            found[-1].ta1 = segment[1:]
        elif name == "GS":
            found[-1].groups.append(segment)
            controls.append(segment[6])
            count = 0
        elif name == "ST":
            current = [segment]
            count += 1
            assert (segment[2], segment[3]) == (f"{count:04d}", found[-1].groups[-1][8])
        elif name == "SE":
            assert segment[1:] == [str(len(current) + 1), current[0][2]]
            found[-1].sets.setdefault(current[0][1], []).append(current)
        elif name == "GE":
            assert segment[1:] == [str(count), found[-1].groups[-1][6]]
        elif name == "IEA":
            assert segment[1:] == [str(len(found[-1].groups)), found[-1].isa[13]]
        else:
            current.append(segment)
    assert len(set(controls)) == len(controls)
    for answer in found:
        if answer.ta1:
            assert (answer.groups, answer.sets) == ([], {})
            assert [re.fullmatch(form, value) is not None for form, value in zip(TA1, answer.ta1, strict=True)] == [
                True
            ] * 5
            assert (answer.ta1[3] == "A") == (answer.ta1[4] == "000")
    return found


def checked(text: str) -> list[Answer]:
    """As `parsed`, and each interchange with sets is valid by pyx12's maps."""
    for one in re.split(r"(?=^ISA\*)", text, flags=re.MULTILINE):
        if one and "\nTA1*" not in one:
            valid(one)
    return parsed(text)


def summary(text: str) -> tuple[list[str], list[str], list[str], int]:
    """TA104 and 105; IK5 of each set; AK9 of each group; claims with a status."""
    answers = checked(text)
    return (
        [":".join(one.ta1[3:]) for one in answers if one.ta1],
        [":".join(segment[1:]) for one in answers for segment in one.segments("999", "IK5")],
        [":".join(segment[1:]) for one in answers for segment in one.segments("999", "AK9")],
        sum(segment[0] == "HL" and segment[3] == "PT" for one in answers for segment in one.segments("277", "HL")),
    )


def changed(*changes: tuple[str, str]) -> Callable[[str], str]:
    def change(raw: str) -> str:
        for old, new in changes:
            assert old in raw
            raw = raw.replace(old, new, 1)
        return raw

    return change


def cut(raw: str) -> str:
    return raw[: raw.index("SV1")]


ISA, GOOD = "ISA*00*", ([], ["A"], ["A:1:1:1"], 2)
CASES: dict[str, tuple[Callable[[str], str], tuple[list[str], list[str], list[str], int]]] = {
    "whole": (changed(), GOOD),
    "a TA1 was asked for": (changed(("*0*T*:", "*1*T*:")), (["A:000"], ["A"], ["A:1:1:1"], 2)),
    # interchange: kputnam/stupidedi#83 (ISA16 left out)
    "ISA16 left out": (changed(("*T*:~", "*T*~")), (["R:027"], [], [], 0)),
    "ISA16 left out, in one line": (lambda raw: raw.replace("\n", "").replace("*T*:~", "*T*~"), (["R:027"], [], [], 0)),
    "ISA16 and the separator before it left out": (changed(("*T*:~", "*T~")), (["R:027"], [], [], 0)),
    "ISA16 is a letter": (changed(("*T*:~", "*T*A~")), (["R:027"], [], [], 0)),
    "the terminator is a letter": (lambda raw: raw.replace("~\n", "X"), (["R:004"], [], [], 0)),
    # ISA11 without a value, one element short: Silvenga/vscode-edi-x12-support#3
    "ISA has an element too few": (changed(("*^*00501*", "*00501*")), (["R:022"], [], [], 0)),
    # too short sender id, as pasted from a browser that folds blanks: Silvenga/vscode-edi-x12-support#3
    "ISA06 too short": (changed(("*SENDER         *", "*SENDER*")), (["E:006"], ["A"], ["A:1:1:1"], 2)),
    "ISA08 too short": (changed(("*RECEIVER       *", "*RECEIVER*")), (["E:008"], ["A"], ["A:1:1:1"], 2)),
    "ISA09 is no date": (changed(("*260101*1200*^", "*261301*1200*^")), (["E:014"], ["A"], ["A:1:1:1"], 2)),
    "ISA10 is no time": (changed(("*260101*1200*^", "*260101*2560*^")), (["E:015"], ["A"], ["A:1:1:1"], 2)),
    # controls of 4010 around a guide of 5010: xlate/staedi#475 has 00402
    "ISA12 of another version": (changed(("*^*00501*", "*^*00401*")), (["E:017"], ["A"], ["A:1:1:1"], 2)),
    # 1 where 0 or 1 belongs: olmelabs/EdiEngine#27 fills ISA14 wrongly
    "ISA14 is none": (changed(("*0*T*:", "*X*T*:")), (["E:019"], ["A"], ["A:1:1:1"], 2)),
    "ISA15 is none": (changed(("*0*T*:", "*0*X*:")), (["E:020"], ["A"], ["A:1:1:1"], 2)),
    "IEA01 counts wrong": (changed(("IEA*1*", "IEA*3*")), (["E:021"], ["A"], ["A:1:1:1"], 2)),
    "IEA02 differs": (changed(("IEA*1*000000001", "IEA*1*000000009")), (["E:001"], ["A"], ["A:1:1:1"], 2)),
    "the upload broke off": (cut, (["R:023"], [], [], 0)),
    "IEA is missing": (changed(("IEA*1*000000001~\n", "")), (["R:023"], [], [], 0)),
    "a segment stands outside": (changed(("GS*HC", "REF*G1*1~\nGS*HC")), (["E:024"], ["A"], ["A:1:1:1"], 2)),
    "GS is missing": (changed(("GS*HC", "GX*HC")), (["R:022"], [], [], 0)),
    "ISA13 is no number": (changed(("*000000001*0*T", "*ABCDEFGHI*0*T")), ([], [], [], 0)),
    # group
    "GE is missing": (changed(("GE*1*1~\n", "")), ([], [], ["R:1:1:0:3"], 0)),
    "GE01 counts wrong": (changed(("GE*1*1~", "GE*7*1~")), ([], ["A"], ["E:7:1:1:5"], 2)),
    "GE02 differs": (changed(("GE*1*1~", "GE*1*2~")), ([], ["A"], ["E:1:1:1:4"], 2)),
    # set: databricks-industry-solutions/x12-edi-parser#30 and xlate/staedi#475 (SE01 that does not count what is there)
    "SE01 counts wrong": (changed(("SE*", "SE*1")), ([], ["R:4"], ["R:1:1:0"], 0)),
    "SE02 differs": (changed(("*0001~\nGE", "*0002~\nGE")), ([], ["R:3"], ["R:1:1:0"], 0)),
    "a segment of the body is lost": (
        changed(("NTE*ADD*SURGERY WAS UNUSUALLY LONG~\n", "")), ([], ["R:4"], ["R:1:1:0"], 0),
    ),
    "SE is missing": (lambda raw: re.sub(r"SE\*\d+\*0001~\n", "", raw), ([], ["R:2"], ["R:1:1:0"], 0)),
    "ST02 is missing": (
        lambda raw: re.sub(r"(SE\*\d+\*)0001", r"\1", raw.replace("ST*837*0001*", "ST*837**")),
        ([], ["E:7:5"], ["E:1:1:1"], 2),
    ),
    "another version": (
        lambda raw: raw.replace("005010X222A2", "004010X098A1"), ([], ["R:I6"], ["R:1:1:0"], 0),
    ),
    # OpenEMR and LibreHealth send 276 and 270 next to 837 (LibreHealthIO/lh-ehr#280)
    "a claim status request": (
        lambda raw: raw.replace("ST*837*0001*005010X222A2", "ST*276*0001*005010X212").replace("GS*HC", "GS*HR"),
        ([], ["R:1"], ["R:1:1:0"], 0),
    ),
    "no claim in it": (
        lambda raw: re.sub(r"SE\*\d+", "SE*6", raw[: raw.index("HL*1")] + raw[raw.index("SE*") :]),
        ([], ["R:5"], ["R:1:1:0"], 0),
    ),
    # a terminator within a note, so that the rest of it is no segment: the claims from there on cannot be trusted
    "no claim of it can be trusted": (
        lambda raw: re.sub(r"SE\*(\d+)", lambda m: f"SE*{int(m[1]) + 2}", raw.replace("SBR*P", "HELLO*WORLD~\nSBR*P")),
        ([], ["R:5"], ["R:1:1:0"], 0),
    ),
    "the first claim is whole and the second is not": (
        lambda raw: re.sub(
            r"SE\*(\d+)", lambda m: f"SE*{int(m[1]) + 1}", raw.replace("CLM*B*", "HELLO*WORLD~\nCLM*B*"),
        ),
        ([], ["E:5"], ["E:1:1:1"], 2),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_each_fault_is_answered_where_it_is_and_what_is_rejected_has_no_answer_further_in(name: str) -> None:
    """Reports: kputnam/stupidedi#83, Silvenga/vscode-edi-x12-support#3, xlate/staedi#475, olmelabs/EdiEngine#27,
    databricks-industry-solutions/x12-edi-parser#30, LibreHealthIO/lh-ehr#280, azoner/pyx12#121 (TA1 for ISA and IEA).
    """
    change, expected = CASES[name]
    raw = change(file_of([clean(claim_id="A"), clean(claim_id="B")]))
    assert summary(made(raw.encode())) == expected


def test_the_sender_of_the_file_is_the_receiver_of_the_answer_and_test_stays_test() -> None:
    raw = file_of([clean()]).replace("*ZZ*RECEIVER ", "*30*RECEIVER ").replace("IEA*1*", "IEA*2*")
    for answer in checked(made(raw.encode())):
        assert answer.isa[5:9] == ["30", f"{'RECEIVER':15}", "ZZ", f"{'SENDER':15}"]
        assert answer.isa[14:16] == ["0", "T"]
        assert all(group[2:4] == ["RECEIVER", "SENDER"] for group in answer.groups)
    assert [(group[1], group[8]) for group in answer.groups] == [("FA", "005010X231A1"), ("HN", "005010X214")]


def test_a_ta1_names_the_interchange_that_it_answers() -> None:
    """A TA1 between ISA and GS breaks parsers: imsweb/x12-parser#77, aaronhuggins/node-x12#46, EdiFabric/EDIFACT.NET#26."""
    (answer,) = checked(made(cut(file_of([clean()])).encode()))
    assert answer.ta1 == ["000000001", "260101", "1200", "R", "023"]


def test_a_999_names_group_and_set_and_the_segment_with_its_claim() -> None:
    """EdiFabric/EDIFACT.NET#61: a 999 that rejects and does not say why is of no use."""
    raw = file_of([clean(claim_id="A"), clean(claim_id="B")]).replace("CLM*B*", "HELLO*WORLD~\nCLM*B*")
    raw = re.sub(r"SE\*(\d+)", lambda m: f"SE*{int(m[1]) + 1}", raw)
    (answer,) = checked(made(raw.encode()))
    ((_, ak1, ak2, *rest),) = answer.sets["999"]
    assert (ak1, ak2) == (["AK1", "HC", "1", "005010X222A2"], ["AK2", "837", "0001", "005010X222A2"])
    place = raw[: raw.index("HELLO")].count("~") - 1  # without ISA and GS, ST is 1
    assert rest[0] == ["IK3", "ZZZ", str(place), "2010", "1"]
    assert "HELLO" not in str(answer)
    states = [segment[1] for segment in answer.segments("277", "STC") if segment[1][:2] in ("A2", "A3")]
    assert states[0] == "A2:20"
    assert set(states[1:]) == {"A3:481"}


def test_a_segment_of_a_claim_is_reported_with_the_claims_number() -> None:
    raw = file_of([clean(claim_id="A")]).replace("SV1*", "NM1*")
    (answer,) = checked(made(raw.encode()))
    assert answer.segments("999", "IK3", "CTX", "IK4")[-2:] == [
        ["IK3", "SV1", *answer.segments("999", "IK3")[-1][2:]],
        ["CTX", "CLM01:A"],
    ]
    assert "277" not in answer.sets


def test_an_hl_of_no_level_is_an_element_fault() -> None:
    raw = file_of([clean()]).replace("*22*0~", "*29*0~")
    (answer,) = checked(made(raw.encode()))
    assert answer.segments("999", "IK3")[0][3:] == ["", "8"]
    assert answer.segments("999", "IK4")[0] == ["IK4", "3", "735", "7"]
    assert answer.segments("999", "IK5") == [["IK5", "R", "5"]]


def sets(*controls: str) -> list[Any]:
    return [
        transaction(hierarchy([(clean(claim_id=f"C{control}"), False)]), "professional", control)
        for control in controls
    ]


def test_of_three_sets_the_bad_one_is_rejected_and_the_claims_of_the_others_are_answered() -> None:
    raw = interchange(sets("0001", "0002", "0003"), "professional").replace("*0002~\nST", "*0009~\nST")
    text = made(raw.encode())
    assert summary(text) == ([], ["A", "R:3", "A"], ["P:3:3:2"], 2)
    assert [one[2] for one in checked(text)[0].segments("277", "TRN") if one[2][:1] == "C"] == ["C0001", "C0003"]


def test_of_three_interchanges_the_bad_one_is_rejected_and_the_others_are_read() -> None:
    """Silvenga/vscode-edi-x12-support#19: of several ISA in one file only the first was kept."""
    one = file_of([clean(claim_id="A")])
    for bad in (one.replace("*T*:~", "*T*~"), one.replace("IEA*1*000000001~\n", ""), one[: one.index("SV1")]):
        answers = checked(made((one + bad + one).encode()))
        assert [bool(answer.ta1) for answer in answers] == [False, True, False]
        assert answers[1].ta1[3] == "R"
        assert all(len(answer.sets["277"]) == 1 for answer in (answers[0], answers[2]))


def test_a_bad_group_takes_none_of_the_others_along() -> None:
    raw = interchange(sets("0001"), "professional")
    group = raw[raw.index("GS*") : raw.index("IEA*")]
    both = raw.replace(
        group, group.replace("GE*1*1~\n", "") + group.replace("*1*X*", "*2*X*").replace("GE*1*1", "GE*1*2")
    )
    both = both.replace("IEA*1*", "IEA*2*")
    text = made(both.encode())
    assert summary(text) == ([], ["A"], ["R:1:1:0:3", "A:1:1:1"], 1)
    assert [group[1] for group in checked(text)[0].groups] == ["FA", "HN"]


@pytest.mark.parametrize("kind", ["999", "997"])
def test_an_acknowledgment_is_not_acknowledged(kind: str) -> None:
    """azoner/pyx12#45: no 999 for a 999; two systems would answer each other without end."""
    raw = (
        file_of([clean()]).replace("ST*837*0001*005010X222A2", f"ST*{kind}*0001*005010X231A1").replace("GS*HC", "GS*FA")
    )
    assert made(raw.encode()) == ""


def test_what_ends_is_known_before_the_claims_also_of_a_packed_file_and_behind_a_header() -> None:
    raw = file_of([clean()]).replace("SE*", "SE*1").encode()
    for sent in (raw, gzip.compress(raw), b"HEADER OF A JOB\n" + raw):
        told: list[Ended] = []
        list(read_documents("f", io.BytesIO(sent), ended=told.append))
        assert list(ends(io.BytesIO(sent), 2**20)) == told
        assert [(one.level, one.codes, one.rejected) for one in told] == [
            ("ST", ("4",), True), ("GS", (), False), ("ISA", (), False),
        ]  # fmt: skip
    for sent in (b"", b"{}", b"[1]", b"<html>ISA*00*" + b" " * 10 + b"*00*</html>"):
        assert list(ends(io.BytesIO(sent), 2**20)) == []


def test_what_is_no_x12_is_not_answered_in_x12() -> None:
    for raw in (b"", b"%PDF-1.7", b"{}", b"GS*HC*A*B~ST*837*0001~"):
        assert made(raw) == ""


def test_every_code_that_rejects_is_one_of_its_list() -> None:
    assert all(re.fullmatch(TA1[4], code) for code in {*FATAL["ISA"], *WIDTHS.values()})
    assert FATAL["GS"] <= {"1", "2", "3", "4", "5", "6"}
    assert FATAL["ST"] <= {"1", "2", "3", "4", "5", "6", "7", "I5", "I6"}


def test_each_of_two_thousand_interchanges_that_break_off_is_answered() -> None:
    one = file_of([clean()]).split("GS*")[0].encode()
    answers = made(one * 2_000)
    assert answers.count("TA1*") == 2_000


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    form=st.sampled_from("PI"),
    places=st.lists(st.tuples(st.integers(0, 500), st.integers(0, 4)), min_size=1, max_size=4),
)
def test_the_answers_to_a_damaged_file_are_valid_and_say_what_the_drop_folder_does(
    form: str, places: list[tuple[int, int]]
) -> None:
    segments = list(SEGMENTS[form])
    for place, how in places:
        at = place % len(segments)
        if how == 0 and len(segments) > 1:
            del segments[at]
        elif how == 1:
            segments.insert(at, segments[at])
        elif how == 4:
            segments[at] = segments[at][: place % 7]
        else:
            parts = segments[at].split("*")
            parts[place % len(parts)] = "" if how == 2 else "?^"
            segments[at] = "*".join(parts)
    raw = ("~\n".join(segments) + "~\n").encode()
    text = made(raw)
    answers = parsed(text)
    told: list[Ended] = []
    list(read_documents("f", io.BytesIO(raw), ended=told.append))
    assert list(ends(io.BytesIO(raw), 2**20)) == told
    rejected = {one.origin for one in told if one.rejected}
    claims = sum(segment[0] == "HL" and segment[3] == "PT" for one in answers for segment in one.segments("277", "HL"))
    kept = 0
    for found in read_documents("f", io.BytesIO(raw)):
        levels = getattr(found, "origin", "").split("/")
        if isinstance(found, Document) and not {"/".join(levels[:depth]) for depth in (1, 2, 3)} & rejected:
            kept += 1
    answered = any(re.fullmatch(r"\d{1,9}", one.at(13)) for one in told if one.level == "ISA")
    assert claims >= kept or not answered


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the public samples are not beside the project")
@pytest.mark.parametrize("pattern", ["x12/lfh/837*", "x12/imsweb/*complex.txt", "x12/imsweb/*multiple_gs.txt"])
def test_the_answers_to_the_public_samples_are_valid(pattern: str) -> None:
    for file in sorted(SAMPLES.glob(pattern)):
        text = made(file.read_bytes())
        assert checked(text)


def test_the_command_writes_the_answers_and_ends_as_a_check_does(scrub: Run, home: Path) -> None:
    file, bad = home / "a.837", home / "b.837"
    file.write_text(file_of([clean(), with_line(units="0")]))
    bad.write_text(file_of([clean()]).replace("SE*", "SE*1"))
    done = scrub("check", "--format", "x12", "--received", "2026-10-20", file)
    assert (done.returncode, done.stderr) == (1, "")
    assert summary(done.stdout) == ([], ["A"], ["A:1:1:1"], 2)
    both = scrub("check", "--format", "x12", "--received", "2026-10-20", bad, file)
    assert both.returncode == 2
    assert "SE01 says" in both.stderr
    assert summary(both.stdout) == ([], ["R:4", "A"], ["R:1:1:0", "A:1:1:1"], 2)
    page = home / "c.837"
    page.write_text("<!DOCTYPE html><html><title>Sign in</title></html>")
    none = scrub("check", "--format", "x12", page)
    assert (none.returncode, none.stdout) == (2, "")
    assert "an HTML page" in none.stderr
