"""An audit file ends with its day or its size, and the next goes on from it: what is gone or cut between shows."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import pytest

from tests import standby
from worker.audit import check
from worker.audit.ends import end_of, ends
from worker.audit.lines import AuditLine
from worker.audit.log import AuditLog, following, numbered, of_number
from worker.audit.sequence import continued, gaps, links
from worker.errors import AuditUnwritable
from worker.store.keyring import Ring

KEY = b"s" * 64
SECRET = Ring.of(KEY)
SMALL = 1_500
"""Bytes: a file ends after some three lines."""


def line(number: int) -> AuditLine:
    return {"event.action": "claim.scrubbed", "claim.claim_id": f"PCN-{number}"}


def first_line(file: Path) -> AuditLine:
    first: AuditLine = orjson.loads(file.read_bytes().splitlines()[0])
    return first


def numbers(files: Iterator[Path] | list[Path]) -> list[str]:
    """The claims that the lines of the files name, in order."""
    lines = (orjson.loads(raw) for file in files for raw in file.read_bytes().splitlines())
    return [found["claim.claim_id"] for found in lines if "claim.claim_id" in found]


@pytest.fixture
def sequence(tmp_path: Path) -> list[Path]:
    """Four or more files of one process, in order."""
    audit, files = AuditLog(tmp_path / "audit", SECRET, file_bytes=SMALL), list[Path]()
    for number in range(12):
        audit.write([line(number)])
        files += [] if audit.file in files else [audit.file]
    audit.close()
    assert len(files) >= 4
    return files


def checked(folder: Path) -> dict[str, check.FileCheck]:
    """Without Redis."""
    found = ends(folder)
    known = links(found)
    return {end.file.name: continued(check.verify(end.file, SECRET), end, known, asked=False) for end in found}


def test_a_file_of_its_size_ends_and_the_next_goes_on_from_its_last_line(sequence: list[Path]) -> None:
    assert numbers(sequence) == [f"PCN-{number}" for number in range(12)]
    assert sorted(sequence) == sequence, "by name in the order in which they were written"
    for before, after in itertools.pairwise(sequence):
        opened, end = first_line(after), end_of(before)
        assert end is not None
        found = opened["audit.previous_chain"], opened["audit.previous_seq"], opened["audit.previous_mac"]
        assert found == (end.chain, end.seq, end.mac)
        assert (opened["event.outcome"], "audit.lost" in opened) == ("success", False)
        assert before.stat().st_size >= SMALL
        assert before.stat().st_size - len(before.read_bytes().splitlines(keepends=True)[-1]) < SMALL


@pytest.mark.parametrize(
    ("moments", "files"),
    [
        (["2026-11-29T23:59:59Z", "2026-11-30T00:00:00Z"], [["PCN-0"], ["PCN-1"]]),
        (["2026-11-29T00:00:00Z", "2026-11-29T23:59:59Z"], [["PCN-0", "PCN-1"]]),
        (["2026-11-29T12:00:00Z", "2026-12-03T12:00:00Z", "2026-12-04T01:00:00Z"], [["PCN-0"], ["PCN-1"], ["PCN-2"]]),
        (["2026-11-30T00:01:00Z", "2026-11-29T23:59:00Z", "2026-11-30T00:02:00Z"], [["PCN-0", "PCN-1", "PCN-2"]]),
    ],
    ids=["midnight", "one day", "days without a claim", "a clock that is set back"],
)
def test_a_file_ends_with_its_day(tmp_path: Path, moments: list[str], files: list[list[str]]) -> None:
    at = [""]
    audit = AuditLog(tmp_path, SECRET, clock=lambda: at[0])
    for number, moment in enumerate(moments):
        at[0] = moment
        audit.write([line(number)])
    audit.close()
    assert [numbers([file]) for file in sorted(tmp_path.iterdir())] == files
    assert {found.state for found in checked(tmp_path).values()} == {"sound"}


def test_a_batch_is_never_parted(tmp_path: Path) -> None:
    audit = AuditLog(tmp_path, SECRET, file_bytes=SMALL)
    audit.write([line(0)])
    head = audit.write([line(number) for number in range(1, 40)])
    assert head.seq == 41
    assert audit.write([line(40)]).seq == 2
    audit.close()


def test_a_file_shows_without_redis_that_its_end_is_there_once_another_follows(sequence: list[Path]) -> None:
    found = checked(sequence[0].parent)
    assert {one.state for one in found.values()} == {"sound"}
    assert [name for name, one in found.items() if "not known" in one.sentence] == [sequence[-1].name]


def cut(file: Path) -> None:
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:-1]))


def emptied(file: Path) -> None:
    os.truncate(file, 0)


def grown(file: Path) -> None:
    """Who has the key writes one line more."""
    lines = file.read_bytes().splitlines(keepends=True)
    last = orjson.loads(lines[-1])
    body = orjson.dumps(
        {**{name: value for name, value in last.items() if name != "audit.mac"}, "audit.seq": len(lines) + 1}
    )
    mac = check.mac_of(check.mac_key(SECRET.active), last["audit.mac"], body)
    file.write_bytes(b"".join([*lines, body[:-1], b',"audit.mac":"', mac.encode(), b'"}\n']))


@pytest.mark.parametrize(
    ("harm", "said"),
    [(cut, "the end is cut off"), (emptied, "the end is cut off"), (grown, "so it was added")],
)
def test_what_is_cut_off_or_added_to_a_file_of_before_shows_without_redis(
    sequence: list[Path], harm: Callable[[Path], None], said: str
) -> None:
    harm(sequence[1])
    found = checked(sequence[0].parent)
    assert [name for name, one in found.items() if one.state == "tampered"] == [sequence[1].name]
    assert said in found[sequence[1].name].sentence
    assert sequence[2].name in found[sequence[1].name].sentence


def gone(folder: Path, *retired: str) -> list[tuple[str, bool]]:
    """Files that are missing, and whether each lies between two."""
    found = ends(folder)
    return [(gap.file.name, gap.after is not None) for gap in gaps(found, links(found), retired)]


def test_each_file_between_two_is_named_where_it_is_missing(sequence: list[Path]) -> None:
    folder = sequence[0].parent
    assert gone(folder) == []
    sequence[1].unlink()
    sequence[2].unlink()
    assert gone(folder) == [(sequence[1].name, True), (sequence[2].name, True)]
    (end,) = [end for end in ends(folder) if end.file == sequence[0]]
    assert gone(folder, following(end.chain)) == [(sequence[2].name, True)], "what was retired is not missed"


def test_files_that_were_archived_from_the_first_on_are_told_once_and_are_no_loss(sequence: list[Path]) -> None:
    sequence[0].unlink()
    sequence[1].unlink()
    assert gone(sequence[0].parent) == [(sequence[1].name, False)]


def test_a_file_that_was_taken_away_while_it_was_written_is_missing_from_its_sequence(tmp_path: Path) -> None:
    audit = AuditLog(tmp_path, SECRET, file_bytes=SMALL)
    audit.write([line(number) for number in range(6)])
    audit.write([line(7)])
    lost = audit.file
    assert lost.name.endswith("_0002.jsonl")
    lost.unlink()
    audit.write([line(9)])
    audit.close()
    assert gone(tmp_path) == [(lost.name, True)]


@pytest.mark.parametrize(
    ("chain", "first", "number"),
    [
        ("web1-311-9f0c22ab", "web1-311-9f0c22ab", 1),
        ("web1-311-9f0c22ab_0002", "web1-311-9f0c22ab", 2),
        ("web1-311-9f0c22ab_12345", "web1-311-9f0c22ab", 12_345),
        ("web1.hospital.org-311-9f0c22ab", "web1.hospital.org-311-9f0c22ab", 1),
        ("web.2026-311-9f0c22ab_0010", "web.2026-311-9f0c22ab", 10),
    ],
)
def test_a_chain_says_which_of_its_sequence_it_is(chain: str, first: str, number: int) -> None:
    assert numbered(chain) == (first, number)
    assert of_number(first, number) == chain


def test_a_disk_that_is_full_when_a_file_ends_loses_no_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    audit = AuditLog(tmp_path, SECRET, file_bytes=SMALL)
    head = audit.write([line(number) for number in range(5)])
    for _ in range(3):
        with monkeypatch.context() as patched:
            patched.setattr(os, "write", full)
            with pytest.raises(AuditUnwritable, match="No space left on device"):
                audit.write([line(9)])
        assert len(list(tmp_path.iterdir())) == 1
    audit.write([line(9)])
    audit.close()
    assert first_line(audit.file)["audit.previous_mac"] == head.mac
    assert audit.file.name.endswith("_0002.jsonl")
    assert gone(tmp_path) == []
    assert {found.state for found in checked(tmp_path).values()} == {"sound"}


_DIES = """
import os, sys
from pathlib import Path
from worker.audit.log import AuditLog
from worker.store.keyring import Ring

at, files, real = int(sys.argv[2]), [0], os.write

def write(descriptor, data):
    opened = b'"audit.opened"' in bytes(data)
    files[0] += opened
    if files[0] == 2 and (opened if at == 0 else not opened):
        os.kill(os.getpid(), 9)
    if files[0] == 2 and at == 2:
        real(descriptor, data[:40])
        os.kill(os.getpid(), 9)
    return real(descriptor, data)

os.write = write
audit = AuditLog(Path(sys.argv[1]), Ring.of(b"s" * 64), file_bytes=1_500)
for number in range(12):
    audit.write([{"event.action": "claim.scrubbed", "claim.claim_id": f"PCN-{number}"}])
"""


@pytest.mark.parametrize(
    ("at", "state"),
    [(0, "torn"), (1, "sound"), (2, "torn")],
    ids=["before its first line", "before the batch", "in its first line"],
)
def test_a_process_that_is_killed_between_two_files_leaves_nothing_that_looks_like_tampering(
    tmp_path: Path, at: int, state: str
) -> None:
    done = subprocess.run([sys.executable, "-c", _DIES, tmp_path, str(at)], check=False, timeout=60)
    assert done.returncode == -9
    before, after = sorted(tmp_path.iterdir())
    found = checked(tmp_path)
    assert (found[before.name].state, found[after.name].state) == ("sound", state)
    assert gone(tmp_path) == []
    fresh = AuditLog(tmp_path, SECRET)
    fresh.write([line(1)])
    fresh.close()
    assert checked(tmp_path)[fresh.file.name].state == "sound"


@pytest.fixture
def verify(tmp_path: Path) -> Callable[..., tuple[int, str]]:
    """`scrub audit verify` without Redis, with the key."""
    secret = tmp_path / "secret"
    secret.write_bytes(KEY)
    secret.chmod(0o600)

    def run(*words: str | Path) -> tuple[int, str]:
        env = {**os.environ, "SCRUB_STATE_DIR": str(tmp_path), "SCRUB_SECRET_FILE": str(secret)}
        done = standby.scrub_in_text("audit", "verify", "--offline", *words, env=env)
        return done.returncode, done.stdout + done.stderr

    return run


def test_verify_of_a_folder_names_what_is_missing_between_two(
    sequence: list[Path], verify: Callable[..., tuple[int, str]]
) -> None:
    folder = sequence[0].parent
    code, said = verify(folder)
    assert (code, said.count(": sound: "), "missing" in said) == (0, len(sequence), False)
    sequence[2].unlink()
    code, said = verify(folder)
    between = f"it belongs between {sequence[1].name} and {sequence[3].name}"
    assert (code, f"{sequence[2]}: missing: {between}" in said) == (1, True)
    assert verify()[0] == 1, "and so does that of the audit folder"
    code, said = verify(sequence[0], sequence[1])
    assert (code, "missing" in said) == (0, False), "of files that were named alone no other is missed"


def test_verify_of_an_archive_that_begins_later_says_so_and_is_content(
    sequence: list[Path], verify: Callable[..., tuple[int, str]]
) -> None:
    sequence[0].unlink()
    code, said = verify(sequence[0].parent)
    assert (code, f"{sequence[0]}: not here: {sequence[1].name} goes on from it" in said) == (0, True)


def test_two_processes_of_one_host_name_and_process_id_have_sequences_of_their_own(tmp_path: Path) -> None:
    """Containers that are each process 1 of one host, on one volume; here one process stands for both."""
    one, other = (AuditLog(tmp_path, SECRET, file_bytes=SMALL) for _ in range(2))
    for number in range(12):
        one.write([line(number)])
        other.write([line(100 + number)])
    one.close()
    other.close()
    found = checked(tmp_path)
    assert {state.state for state in found.values()} == {"sound"}
    firsts = {numbered(end.chain)[0] for end in ends(tmp_path)}
    assert len(firsts) == 2
    said = [numbers([end.file for end in ends(tmp_path) if numbered(end.chain)[0] == first]) for first in firsts]
    assert sorted(said) == [[f"PCN-{begin + number}" for number in range(12)] for begin in (0, 100)]
    assert gone(tmp_path) == []
