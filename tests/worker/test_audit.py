"""The audit chain: every way of meddling with a file is found, and a crash is not taken for one."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest

from worker.audit.check import verify
from worker.audit.lines import AuditLine
from worker.audit.log import AuditLog, Head, check_folder
from worker.errors import AuditUnwritable, NoAuditFile
from worker.store.keyring import Key, Ring, first_key, key_id

SECRET = Ring.of(b"s" * 64)
ROOT = Path(__file__).parents[2]


def line(number: int) -> AuditLine:
    return {"event.action": "claim.scrubbed", "claim.claim_id": f"PCN-{number}"}


@pytest.fixture
def written(tmp_path: Path) -> tuple[Path, Head]:
    audit = AuditLog(tmp_path, SECRET)
    for batch in range(3):
        head = audit.write([line(batch * 2), line(batch * 2 + 1)])
    audit.close()
    return audit.file, head


def test_what_was_written_verifies(written: tuple[Path, Head]) -> None:
    file, head = written
    verdict = verify(file, SECRET, head)
    assert (verdict.state, verdict.lines, verdict.chain) == ("sound", 7, head.chain)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_without_redis_the_verdict_says_what_it_cannot_know(written: tuple[Path, Head]) -> None:
    assert "not known" in verify(written[0], SECRET).sentence


@pytest.mark.parametrize(
    ("meddle", "sentence"),
    [
        (lambda lines: [*lines[:3], lines[3].replace(b"PCN-2", b"PCN-9"), *lines[4:]], "line 4: the line was changed"),
        (lambda lines: [*lines[:3], *lines[4:]], "line 4: expected number 4, found 5"),
        (lambda lines: lines[1:], "line 1: expected number 1, found 2"),
        (lambda lines: [*lines[:2], lines[3], lines[2], *lines[4:]], "expected number 3, found 4"),
        (lambda lines: [*lines[:3], lines[2], *lines[3:]], "expected number 4, found 3"),
        (lambda lines: [*lines[:3], b"{}\n", *lines[3:]], "not an audit line"),
        (lambda lines: lines[:-1], "the end is cut off: 7 lines were committed, 6 are there"),
        (lambda lines: [*lines[:-1], lines[-1][:-5]], "cut off"),
        (lambda lines: [], "cut off"),
    ],
)
def test_meddling_is_found(
    written: tuple[Path, Head], meddle: Callable[[list[bytes]], list[bytes]], sentence: str
) -> None:
    file, head = written
    file.write_bytes(b"".join(meddle(file.read_bytes().splitlines(keepends=True))))
    verdict = verify(file, SECRET, head)
    assert verdict.state == "tampered"
    assert sentence in verdict.sentence


@pytest.mark.parametrize("content", [b"hello", b"hello\n", b"\x7fELF\n\x00", b'{"claim_id": "PCN-1"}\n' * 3, b"\n\n"])
def test_what_is_no_audit_file_is_called_so(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "f").write_bytes(content)
    with pytest.raises(NoAuditFile, match="is no audit file"):
        verify(tmp_path / "f", SECRET)


def test_a_first_line_that_was_exchanged_for_another_is_tampering(written: tuple[Path, Head]) -> None:
    file, _ = written
    file.write_bytes(b"".join([b"hello\n", *file.read_bytes().splitlines(keepends=True)[1:]]))
    verdict = verify(file, SECRET)
    assert (verdict.state, verdict.sentence) == ("tampered", "line 1: this is not an audit line")


def test_a_file_whose_very_first_line_was_cut_off_is_torn(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b'{"@timestamp":"2026')
    assert verify(tmp_path / "f", SECRET).state == "torn"


def test_a_file_that_was_emptied_is_distinguished_from_one_that_never_had_a_line(written: tuple[Path, Head]) -> None:
    file, head = written
    file.write_bytes(b"")
    found = verify(file, SECRET)
    assert (found.state, found.chain) == ("torn", head.chain)
    assert verify(file, SECRET, head).state == "tampered"


@pytest.mark.parametrize("folder", ["/dev/null", "/proc/nowhere/audit"])
def test_a_folder_that_can_hold_no_audit_file_is_refused_before_any_claim_is_taken(folder: str) -> None:
    with pytest.raises(AuditUnwritable, match="SCRUB_AUDIT_DIR"):
        check_folder(Path(folder))


def test_a_chain_forged_with_another_key_is_found(tmp_path: Path) -> None:
    audit = AuditLog(tmp_path, Ring.of(b"another" * 10))
    head = audit.write([line(1)])
    audit.close()
    found = verify(audit.file, SECRET, head)
    assert (found.state, "is not in" in found.sentence) == ("wrong key", True)
    ours = audit.file.read_bytes().replace(key_id(b"another" * 10).encode(), key_id(b"s" * 64).encode())
    audit.file.write_bytes(ours)
    assert verify(audit.file, SECRET, head).state != "sound", "nor with our key named"


def test_a_line_after_the_head_that_a_crash_cut_off_is_no_tampering(written: tuple[Path, Head]) -> None:
    file, head = written
    with file.open("ab") as stream:
        stream.write(b'{"@timestamp":"2026')
    assert verify(file, SECRET, head).state == "torn"


def test_lines_that_were_written_and_never_committed_are_sound(tmp_path: Path) -> None:
    audit = AuditLog(tmp_path, SECRET)
    head = audit.write([line(1)])
    audit.write([line(2)])
    audit.close()
    assert verify(audit.file, SECRET, head).state == "sound"


def test_a_full_disk_leaves_no_torn_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    audit = AuditLog(tmp_path, SECRET)
    audit.write([line(1)])
    real = os.write

    def full(descriptor: int, data: bytes) -> int:
        if len(data) < 100:
            raise OSError(28, "No space left on device")
        return real(descriptor, data[: len(data) - 50])

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        with pytest.raises(AuditUnwritable, match="No space left on device.* Free the disk, or set SCRUB_AUDIT_DIR"):
            audit.write([line(2)])
    head = audit.write([line(3)])
    audit.close()
    assert verify(audit.file, SECRET, head).state == "sound"
    assert [orjson.loads(raw).get("claim.claim_id") for raw in audit.file.read_bytes().splitlines()] == [
        None,
        "PCN-1",
        "PCN-3",
    ]


def test_a_folder_that_cannot_be_written_is_reported_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(AuditUnwritable, match="SCRUB_AUDIT_DIR"):
        AuditLog(tmp_path / "file", SECRET).write([line(1)])


# What others do to the file while it is written: logrotate's `create` and `copytruncate`, rm, mv.
# google/cadvisor#1536, rollbar/rollbar-agent#37, Seldaek/monolog#1963, ansible/ansibullbot#868.


def removed(file: Path) -> None:
    file.unlink()


def replaced(file: Path) -> None:
    (file.parent / "other").write_bytes(file.read_bytes())
    (file.parent / "other").rename(file)


def moved(file: Path) -> None:
    file.rename(file.with_suffix(".1"))


def moved_and_made_again(file: Path) -> None:
    moved(file)
    file.touch()


def truncated(file: Path) -> None:
    os.truncate(file, 0)


def cut_short(file: Path) -> None:
    os.truncate(file, file.stat().st_size - 10)


def appended(file: Path) -> None:
    with file.open("ab") as stream:
        stream.write(b"hello\n")


def folder_removed(file: Path) -> None:
    shutil.rmtree(file.parent)


def folder_moved(file: Path) -> None:
    file.parent.rename(file.parent.with_name("aside"))


HARM = [
    (removed, "removed"),
    (replaced, "replaced"),
    (moved, "moved"),
    (moved_and_made_again, "moved"),
    (truncated, "truncated"),
    (cut_short, "truncated"),
    (appended, "appended"),
    (folder_removed, "removed"),
    (folder_moved, "moved"),
]


@pytest.mark.parametrize(("harm", "loss"), HARM)
def test_lines_go_to_a_new_chain_that_names_the_one_which_was_lost(
    tmp_path: Path, harm: Callable[[Path], None], loss: str, caplog: pytest.LogCaptureFixture
) -> None:
    audit = AuditLog(tmp_path / "audit", SECRET)
    before = audit.write([line(1)])
    old = audit.file
    harm(old)
    head = audit.write([line(2)])
    audit.close()
    assert audit.file != old
    assert verify(audit.file, SECRET, head).state == "sound"
    first, second = map(orjson.loads, audit.file.read_bytes().splitlines())
    assert (first["event.action"], first["audit.lost"], first["log.level"]) == ("audit.opened", loss, "error")
    found = first["audit.previous_chain"], first["audit.previous_seq"], first["audit.previous_mac"]
    assert found == (before.chain, before.seq, before.mac)
    assert second["claim.claim_id"] == "PCN-2"
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert f"was {loss} while it was being written" in caplog.text
    assert before.chain in caplog.text


@pytest.mark.parametrize(("harm", "loss"), HARM)
def test_a_file_that_is_lost_between_the_write_and_the_look_is_noticed_as_well(
    tmp_path: Path, harm: Callable[[Path], None], loss: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    audit = AuditLog(tmp_path / "audit", SECRET)
    audit.write([line(1)])
    old, real, harmed = audit.file, os.write, []

    def write(descriptor: int, data: bytes) -> int:
        done = real(descriptor, data)
        if not harmed:
            harmed.append(old)
            harm(old)
        return done

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", write)
        head = audit.write([line(2)])
    audit.close()
    assert audit.file != old
    assert verify(audit.file, SECRET, head).state == "sound"
    assert [orjson.loads(raw).get("claim.claim_id") for raw in audit.file.read_bytes().splitlines()] == [None, "PCN-2"]
    assert orjson.loads(audit.file.read_bytes().splitlines()[0])["audit.lost"] == loss


def test_where_each_new_file_is_taken_away_at_once_nothing_is_committed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    audit, real = AuditLog(tmp_path, SECRET), os.write

    def write(descriptor: int, data: bytes) -> int:
        done = real(descriptor, data)
        for file in tmp_path.iterdir():
            file.unlink()
        return done

    monkeypatch.setattr(os, "write", write)
    with pytest.raises(AuditUnwritable, match="taken away"):
        audit.write([line(1)])
    audit.close()


def test_a_chain_that_cannot_begin_for_want_of_room_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    audit = AuditLog(tmp_path, SECRET)
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        with pytest.raises(AuditUnwritable, match="No space left on device.* Free the disk, or set SCRUB_AUDIT_DIR"):
            audit.write([line(1)])
    assert not list(tmp_path.iterdir())
    head = audit.write([line(1)])
    audit.close()
    assert verify(audit.file, SECRET, head).lines == 2


def turned(*, to: int, keys: int = 3) -> Ring:
    """A ring of the secret and two keys that came after it."""
    made = datetime(2026, 1, 1, tzinfo=UTC)
    secrets = [b"s" * 64, b"t" * 64, b"u" * 64][:keys]
    return Ring(tuple(Key(key_id(one), one, made) for one in secrets), to)


def test_a_chain_goes_on_under_another_key_and_verifies_with_the_ring(tmp_path: Path) -> None:
    audit = AuditLog(tmp_path, turned(to=0))
    audit.write([line(1)])
    audit.turn(turned(to=2))
    head = audit.write([line(2)])
    audit.turn(turned(to=1))  # a partition that is behind
    last = audit.write([line(3)])
    audit.close()
    for place in range(3):
        assert verify(audit.file, turned(to=place), last).state == "sound", "whichever is in force by now"
    keys = [orjson.loads(raw)["audit.key"] for raw in audit.file.read_bytes().splitlines()]
    assert keys == [key_id(b"s" * 64)] * 2 + [key_id(b"u" * 64)] * 2
    assert head.seal.startswith(key_id(b"u" * 64))


def test_a_key_that_is_not_here_is_called_a_wrong_key_and_no_tampering(tmp_path: Path) -> None:
    audit = AuditLog(tmp_path, turned(to=0))
    audit.write([line(1)])
    audit.turn(turned(to=2))
    head = audit.write([line(2)])
    audit.close()
    for known in (head, None):
        found = verify(audit.file, turned(to=0, keys=2), known)
        assert (found.state, found.lines) == ("wrong key", 2)
        assert f"line 3: wrong key: it was written with the key {key_id(b'u' * 64)}" in found.sentence


def test_what_is_forged_with_a_key_of_before_does_not_follow_a_line_of_a_later_one(tmp_path: Path) -> None:
    """Who has an old key alone: he cuts the file after a line, and goes on by himself."""
    audit = AuditLog(tmp_path, turned(to=1))
    audit.write([line(1)])
    audit.close()
    last = orjson.loads(audit.file.read_bytes().splitlines()[-1])
    forger = AuditLog(tmp_path / "aside", turned(to=0))
    forger.head = Head(last["audit.chain"], last["audit.seq"], last["audit.mac"])
    (tmp_path / "aside").mkdir()
    forger._descriptor = os.open(tmp_path / "aside" / audit.file.name, os.O_WRONLY | os.O_CREAT)
    forger._append([line(2)])
    with audit.file.open("ab") as stream:
        stream.write((tmp_path / "aside" / audit.file.name).read_bytes())
    forger.close()
    found = verify(audit.file, turned(to=1))
    assert (found.state, "was in force before" in found.sentence) == ("tampered", True)


def test_a_file_of_the_release_before_verifies_and_one_of_another_secret_is_no_tampering() -> None:
    """0.1.1 named no key in its lines, and its head was the mac of the line."""
    file = ROOT / "tests/fixtures/898ad03/audit.jsonl"
    secret = (ROOT / "tests/fixtures/898ad03/secret").read_bytes().strip()
    lines = file.read_bytes().splitlines()
    last = orjson.loads(lines[-1])
    head = Head(last["audit.chain"], last["audit.seq"], last["audit.mac"])
    later = Ring((first_key(secret), Key(key_id(b"t" * 64), b"t" * 64, datetime(2026, 1, 1, tzinfo=UTC))), 1)
    assert verify(file, later, head).state == "sound"
    found = verify(file, SECRET, head)
    assert (found.state, "not one line verifies" in found.sentence) == ("wrong key", True)


def test_a_changed_first_line_of_the_release_before_is_tampering_all_the_same(tmp_path: Path) -> None:
    old = ROOT / "tests/fixtures/898ad03"
    file = tmp_path / "audit-a-1-b.jsonl"
    file.write_bytes((old / "audit.jsonl").read_bytes().replace(b"audit.opened", b"audit.closed", 1))
    found = verify(file, Ring.of((old / "secret").read_bytes().strip()))
    assert (found.state, found.sentence) == ("tampered", "line 1: the line was changed, or written without the key")


def test_the_head_in_redis_cannot_be_had_from_the_file(written: tuple[Path, Head]) -> None:
    """Who may write to Redis cuts the file, and sets the head to what stands at its new end."""
    file, head = written
    kept = file.read_bytes().splitlines(keepends=True)[:2]
    file.write_bytes(b"".join(kept))
    last = orjson.loads(kept[-1])
    assert head.stored not in {value for raw in kept for value in map(str, orjson.loads(raw).values())}
    bare = Head.read(head.chain, 2, last["audit.mac"])
    found = verify(file, SECRET, bare)
    assert (found.state, "is not sealed" in found.sentence) == ("tampered", True)
    for seal in (f"{last['audit.key']}:{last['audit.mac']}", f"{last['audit.key']}:{'0' * 64}", head.seal):
        found = verify(file, SECRET, Head.read(head.chain, 2, seal))
        assert (found.state, found.sentence) == ("tampered", "line 2: not the line that was committed")
    assert verify(file, SECRET, Head.read(head.chain, 2, f"{'0' * 8}:{'0' * 64}")).state == "wrong key"


def test_what_helps_is_what_the_system_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(
        AuditUnwritable, match=r"it is no folder.* Move the file in its place aside, or set SCRUB_AUDIT_DIR"
    ):
        check_folder(tmp_path / "file")
    with pytest.raises(AuditUnwritable, match="See what the disk has") as said:
        check_folder(Path("/proc/none"))
    assert "Free the disk" not in str(said.value)
