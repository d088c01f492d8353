"""The audit files beside what Redis knows of them: what is missing, cut or strange is named, and archiving is an act.

As the world loses them: logrotate's `create` and `copytruncate` (rollbar/rollbar-agent#37, google/cadvisor#1536), rm
under a live process (ansible/ansibullbot#868), a folder on another disk, a Redis set up anew.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests import standby
from worker import bootstrap
from worker.audit import chains
from worker.audit import log as audit
from worker.audit.log import AuditLog, Head
from worker.config.settings import load_settings
from worker.errors import ChainUnknown
from worker.monitoring.reconciliation import reconcile
from worker.pipeline.producer import send
from worker.process import celeryapp
from worker.store import opening
from worker.store.connections import Store
from worker.store.keyring import load_ring

from .guarded import guarded
from .helpers import Worker, event, settled, until

pytestmark = pytest.mark.slow

Start = Callable[..., Worker]
Said = tuple[int, str]


def put(store: Store, first: int, last: int) -> None:
    send(store.redis, store.keys, [event(number) for number in range(first, last)], source="t", settings=store.settings)


def files(store: Store) -> list[Path]:
    return sorted(store.settings.audit_path.glob("*.jsonl"))


def judge(store: Store, first: int, last: int) -> Path:
    """Claims decided by a process that ends then; answers its audit file."""
    before = files(store)
    consumer = bootstrap.inbox_consumer(store, celeryapp.notifier(store))
    put(store, first, last)
    while not reconcile(store.redis, store.keys).settled:
        consumer.run()
    consumer.audit.close()
    (new,) = (file for file in files(store) if file not in before)
    return new


@pytest.fixture
def scrub(store: Store) -> Callable[..., Said]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SCRUB_")}

    def run(*words: str | Path) -> Said:
        done = standby.scrub_in_text(*words, env={**clean, "SCRUB_STATE_DIR": str(store.settings.state_dir)})
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout + done.stderr

    return run


def doctor(scrub: Callable[..., Said]) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in scrub("doctor", "--format", "json")[1].splitlines() if line.startswith("{")]
    return [finding for finding in found if finding["about"] == "audit files"]


def test_all_files_that_are_there_and_end_as_redis_knows_it_are_sound(store: Store, scrub: Callable[..., Said]) -> None:
    one, other = judge(store, 0, 5), judge(store, 5, 9)
    code, said = scrub("audit", "verify")
    assert code == 0
    assert said.splitlines() == [
        f"{file}: sound: {n} lines, none changed" for file, n in sorted([(one, 6), (other, 5)])
    ]
    assert [finding["level"] for finding in doctor(scrub)] == ["well"]


def test_an_installation_without_a_claim_has_nothing_to_complain_of(store: Store, scrub: Callable[..., Said]) -> None:
    code, said = scrub("audit", "verify")
    assert (code, "There is no audit file in" in said) == (0, True)
    assert [finding["level"] for finding in doctor(scrub)] == ["well"]


def test_a_file_that_is_gone_is_called_missing(store: Store, scrub: Callable[..., Said]) -> None:
    gone, there = judge(store, 0, 5), judge(store, 5, 9)
    gone.unlink()
    code, said = scrub("audit", "verify")
    assert code == 1
    assert f"{gone}: missing: 6 lines were committed" in said
    assert f"{there}: sound" in said
    (finding,) = doctor(scrub)
    assert (finding["level"], audit.chain_of(gone.name) in finding["sentence"]) == ("ill", True)


def test_a_folder_that_is_gone_is_not_taken_for_a_new_installation(store: Store, scrub: Callable[..., Said]) -> None:
    judge(store, 0, 5)
    shutil.rmtree(store.settings.audit_path)
    code, said = scrub("audit", "verify")
    assert (code, "missing: 6 lines were committed" in said) == (1, True)
    assert doctor(scrub)[0]["level"] == "ill"


@pytest.mark.parametrize("keep", [0, 1, 5])
def test_a_file_that_was_cut_is_found_without_naming_it(store: Store, scrub: Callable[..., Said], keep: int) -> None:
    file = judge(store, 0, 5)
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:keep]))
    code, said = scrub("audit", "verify")
    assert code == 1
    assert f"{file}: tampered: the end is cut off: 6 lines were committed, {keep} are there" in said
    assert doctor(scrub)[0]["level"] == "ill"


def test_a_chain_that_was_taken_out_of_redis_does_not_make_its_cut_file_sound(
    store: Store, scrub: Callable[..., Said]
) -> None:
    file = judge(store, 0, 5)
    store.redis.hdel(store.keys.chains, str(audit.chain_of(file.name)))
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:2]))
    for words in (("audit", "verify"), ("audit", "verify", file)):
        code, said = scrub(*words)
        assert code == 1
        assert f"{file}: unknown: no head known" in said
    assert doctor(scrub)[0]["level"] == "ill"


def test_the_head_of_a_cut_file_cannot_be_set_back_by_who_has_redis_and_the_file(
    store: Store, scrub: Callable[..., Said]
) -> None:
    """As `operator` may write `chains`: number and mac of the new last line are there to be read, its seal is not."""
    file = judge(store, 0, 5)
    chain = str(audit.chain_of(file.name))
    kept = file.read_bytes().splitlines(keepends=True)[:2]
    file.write_bytes(b"".join(kept))
    mac = orjson.loads(kept[-1])["audit.mac"]
    key = orjson.loads(kept[-1])["audit.key"]
    for stored, sentence in [(mac, "is not sealed"), (f"{key}:{mac}", "not the line that was committed")]:
        store.redis.hset(store.keys.chains, chain, f"2 {stored}")
        code, said = scrub("audit", "verify")
        assert (code, f"{file}: tampered: line 2: " in said, sentence in said) == (1, True, True), said
    assert doctor(scrub)[0]["level"] == "ill"


def test_chains_of_another_host_are_counted_and_not_called_missing(store: Store, scrub: Callable[..., Said]) -> None:
    judge(store, 0, 5)
    store.redis.hset(store.keys.chains, "web-7.example-31-00c0ffee", f"9 {'0' * 64}")
    code, said = scrub("audit", "verify")
    assert (code, "Chains of other hosts, to be verified there: 1 (web-7.example)" in said) == (0, True)
    assert [finding["level"] for finding in doctor(scrub)] == ["well", "well"]
    code, said = scrub("audit", "verify", "--every-host")
    assert (code, "audit-web-7.example-31-00c0ffee.jsonl: missing: 9 lines" in said) == (1, True)


def test_a_host_of_which_a_file_is_here_has_all_its_files_here(store: Store, scrub: Callable[..., Said]) -> None:
    """A container has another name after each upgrade, and its volume stays."""
    file = judge(store, 0, 5)
    chain = str(audit.chain_of(file.name))
    store.redis.hset(store.keys.chains, "gone-pod-31-00c0ffee", f"9 {'0' * 64}")
    (file.parent / "audit-gone-pod-32-00000000.jsonl").write_bytes(b"")
    code, said = scrub("audit", "verify")
    assert (code, "audit-gone-pod-31-00c0ffee.jsonl: missing" in said, chain in said) == (1, True, True)


def test_a_copy_that_log_rotation_left_counts_as_the_file(store: Store, scrub: Callable[..., Said]) -> None:
    moved, copied = judge(store, 0, 5), judge(store, 5, 9)
    moved.rename(f"{moved}.1")
    shutil.copy(copied, f"{copied}.1")
    os.truncate(copied, 0)
    code, said = scrub("audit", "verify")
    assert code == 0, said
    assert f"{moved}.1: sound: 6 lines" in said
    assert f"{copied}: passed over: another file holds more of its chain" in said
    assert [finding["level"] for finding in doctor(scrub)] == ["well"]


def test_a_link_that_leads_nowhere_does_not_keep_the_others_from_being_verified(
    store: Store, scrub: Callable[..., Said]
) -> None:
    file = judge(store, 0, 5)
    (file.parent / "loop").symlink_to("loop")
    (file.parent / "audit-gone-1-00c0ffee.jsonl").symlink_to("/nowhere/at/all")
    assert scrub("audit", "verify") == (0, f"{file}: sound: 6 lines, none changed\n")
    assert [finding["level"] for finding in doctor(scrub)] == ["well"]


def test_what_is_no_audit_file_in_the_folder_is_passed_over(store: Store, scrub: Callable[..., Said]) -> None:
    file = judge(store, 0, 5)
    (file.parent / "notes.txt").write_text("hello")
    (file.parent / "old").mkdir()
    (file.parent / "one.gz").write_bytes(gzip.compress(b"x"))
    code, said = scrub("audit", "verify")
    assert (code, said) == (0, f"{file}: sound: 6 lines, none changed\n")


def test_an_archived_file_is_retired_with_a_reason_and_nobody_nags_any_more(
    store: Store, scrub: Callable[..., Said], tmp_path: Path
) -> None:
    file = judge(store, 0, 5)
    archived = tmp_path / file.name
    shutil.copy(file, archived)
    assert scrub("audit", "retire", file, "--reason", "on tape 12") == (0, "1 retired.\n")
    assert scrub("audit", "verify")[0] == 0, "not deleted yet"
    file.unlink()
    assert scrub("audit", "verify")[0] == 0
    assert [finding["level"] for finding in doctor(scrub)] == ["well"]
    code, said = scrub("audit", "verify", archived)
    assert (code, "sound: 6 lines, none changed; retired on" in said, ": on tape 12" in said) == (0, True, True)
    archived.write_bytes(b"".join(archived.read_bytes().splitlines(keepends=True)[:3]))
    code, said = scrub("audit", "verify", archived)
    assert (code, "6 lines were committed, 3 are there" in said) == (1, True)
    (line,) = [
        line for own in files(store) for line in map(orjson.loads, own.read_bytes().splitlines())
        if line["event.action"] == "audit.retired"
    ]  # fmt: skip
    assert (line["event.reason"], line["audit.retired_seq"], line["audit.retired_state"]) == ("on tape 12", 6, "sound")
    assert line["user.name"]
    assert list(chains.known(store.redis, store.keys)) == [line["audit.chain"]], "the list does not only grow"


def torn(file: Path) -> None:
    file.write_bytes(file.read_bytes() + b'{"@timest')


@pytest.mark.parametrize(
    ("harm", "state"),
    [
        (lambda file: file.unlink(), "missing"),
        (lambda file: os.truncate(file, 100), "tampered"),
        (torn, "torn"),
    ],
)
def test_the_audit_log_says_how_the_file_was_when_it_was_retired(
    store: Store, scrub: Callable[..., Said], harm: Callable[[Path], object], state: str
) -> None:
    file = judge(store, 0, 5)
    harm(file)
    chain = str(audit.chain_of(file.name))
    assert scrub("audit", "retire", chain, "--reason", "lost on 3 May")[0] == 0
    (own,) = [one for one in files(store) if one != file]
    (line,) = [orjson.loads(raw) for raw in own.read_bytes().splitlines() if b"audit.retired" in raw]
    found = line["audit.retired_chain"], line["audit.retired_seq"], line["audit.retired_state"]
    assert found == (chain, 6, state)


def test_a_retirement_that_is_archived_itself_counts_for_the_files_that_are_verified_with_it(
    store: Store, scrub: Callable[..., Said], tmp_path: Path
) -> None:
    file = judge(store, 0, 5)
    archive = tmp_path / "archive"
    archive.mkdir()
    for cycle in range(3):  # the file of each retirement is retired by the next
        scrub("audit", "retire", *files(store), "--reason", f"archived in month {cycle}")
        for old in [
            old for old in files(store) if audit.chain_of(old.name) not in chains.known(store.redis, store.keys)
        ]:
            shutil.move(old, archive)
    assert len(list(archive.iterdir())) == 3
    code, said = scrub("audit", "verify", *sorted(archive.iterdir()))
    assert (code, said.count("retired on")) == (0, 3), said
    assert "archived in month 0" in said
    archived = archive / file.name
    archived.write_bytes(b"".join(archived.read_bytes().splitlines(keepends=True)[:3]))
    code, said = scrub("audit", "verify", *sorted(archive.iterdir()))
    assert (code, "6 lines were committed, 3 are there" in said) == (1, True)


def test_a_file_that_is_cut_after_its_retirement_is_not_made_sound_by_another_one(
    store: Store, scrub: Callable[..., Said]
) -> None:
    file = judge(store, 0, 5)
    assert scrub("audit", "retire", file, "--reason", "on tape 12")[0] == 0
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:3]))
    scrub("audit", "retire", file, "--reason", "again")
    code, said = scrub("audit", "verify", file)
    assert code == 1
    assert "tampered: the end is cut off: 6 lines were committed, 3 are there; retired on" in said
    assert "on tape 12" in said


def test_a_retirement_that_was_forged_into_a_file_does_not_count(store: Store, scrub: Callable[..., Said]) -> None:
    file, other = judge(store, 0, 5), judge(store, 5, 9)
    store.redis.hdel(store.keys.chains, str(audit.chain_of(file.name)))
    lines = other.read_bytes().splitlines(keepends=True)
    forged = orjson.loads(lines[-1]) | {
        "event.action": "audit.retired", "event.reason": "x", "user.name": "x", "audit.seq": 6,
        "audit.retired_chain": audit.chain_of(file.name), "audit.retired_seq": 1, "audit.retired_mac": "0" * 64,
    }  # fmt: skip
    other.write_bytes(b"".join([*lines, orjson.dumps(forged) + b"\n"]))
    code, said = scrub("audit", "verify")
    assert (code, f"{file}: unknown: no head known" in said) == (1, True)


def test_what_is_not_there_or_in_use_is_not_retired(
    store: Store, scrub: Callable[..., Said], start_worker: Start
) -> None:
    code, said = scrub("audit", "retire", "web-1-00c0ffee", "--reason", "x")
    assert (code, "There is no audit chain web-1-00c0ffee" in said) == (2, True)
    assert scrub("audit", "retire", "web-1-00c0ffee")[0] == 2, "no reason"
    assert scrub("audit", "retire", "--reason", "x")[0] == 2, "nothing named"
    assert scrub("audit", "retire", "--host", "nobody", "--reason", "x")[0] == 2
    worker = start_worker(concurrency=1).wait_ready()
    put(store, 0, 5)
    settled(store, 5)
    (file,) = files(store)
    until(lambda: reconcile(store.redis, store.keys).alive)
    code, said = scrub("audit", "retire", file, "--reason", "x")
    assert (code, "live workers write" in said) == (2, True)
    assert worker.stop() == 0
    assert scrub("audit", "retire", file, "--reason", "x")[0] == 0


def test_all_chains_of_a_host_that_is_no_more_are_retired_at_once(store: Store, scrub: Callable[..., Said]) -> None:
    judge(store, 0, 5)
    for chain in ("pod-7-1-00c0ffee", "pod-7-2-00c0ffef", "pod-8-1-00c0ffee"):
        store.redis.hset(store.keys.chains, chain, f"9 {'0' * 64}")
    assert scrub("audit", "retire", "--host", "pod-7", "--reason", "scaled down")[0] == 0
    assert "Chains of other hosts, to be verified there: 1 (pod-8)" in scrub("audit", "verify")[1]


def test_a_chain_that_is_written_meanwhile_stays(store: Store) -> None:
    file = judge(store, 0, 5)
    chain = str(audit.chain_of(file.name))

    class Later(AuditLog):
        """Stands for a process that commits while its chain is being retired."""

        def write(self, lines: Any) -> Head:
            store.redis.hset(store.keys.chains, chain, f"7 {'1' * 64}")
            return super().write(lines)

    ring = load_ring(store.settings.secret_path, "audit")
    later = Later(store.settings.audit_path, ring)
    retirement = chains.ChainRetirement(store.once, store.keys, later, ring, store.settings.audit_path)
    assert retirement.retire([chain], "x", []) == [chain]
    later.close()
    assert chains.known(store.redis, store.keys)[chain].seq == 7


def test_without_redis_the_folder_cannot_be_compared_and_that_is_no_verdict(
    store: Store, scrub: Callable[..., Said], tmp_path: Path
) -> None:
    judge(store, 0, 5)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SCRUB_")}
    env = {**clean, "SCRUB_STATE_DIR": str(store.settings.state_dir), "SCRUB_REDIS_URL": f"unix://{tmp_path}/none"}
    done = subprocess.run(
        [sys.executable, "-m", "worker", "audit", "verify"],
        capture_output=True,
        text=True,
        timeout=60,
        env=env,
        check=False,
    )
    assert (done.returncode, "Without Redis" in done.stderr, "sound" in done.stdout) == (2, True, True)
    assert scrub("audit", "verify", "--offline")[0] == 0


def test_the_operator_of_a_guarded_server_may_verify_and_retire(home: Path) -> None:
    with guarded(home) as server:
        with opening.open_store(server.settings("worker")) as store:
            file = judge(store, 0, 3)
        with opening.open_store(server.settings("operator")) as store:
            found, _ = chains.compared(store.redis, store.keys, store.settings.audit_path)
            assert [end.file for end in found.agree] == [file]
            retirement = bootstrap.chain_retirement(store)
            assert retirement.retire([str(audit.chain_of(file.name))], "x", []) == []
            with pytest.raises(ChainUnknown):
                retirement.retire(["nobody-1-00000000"], "x", [])
            retirement.audit.close()


def test_several_partitions_are_compared_by_the_last_commit_on_any_of_them(home: Path, unset: None) -> None:
    settings = load_settings(state_dir=home, partitions=3)
    with opening.open_store(settings) as store:
        file = judge(store, 0, 20)
        found, _ = chains.compared(store.redis, store.keys, settings.audit_path)
        assert [(end.file, end.seq) for end in found.agree] == [(file, len(file.read_bytes().splitlines()))]
        retirement = bootstrap.chain_retirement(store)
        assert retirement.retire([str(audit.chain_of(file.name))], "x", []) == []
        retirement.audit.close()
        assert str(audit.chain_of(file.name)) not in chains.known(store.redis, store.keys)


def removed(file: Path) -> None:
    file.unlink()


def folder_removed(file: Path) -> None:
    shutil.rmtree(file.parent)


def truncated(file: Path) -> None:
    os.truncate(file, 0)


def rotated(file: Path) -> None:
    file.rename(f"{file}.1")
    file.touch()


@pytest.mark.parametrize("harm", [removed, folder_removed, truncated, rotated])
def test_a_live_worker_whose_file_is_taken_away_decides_no_claim_without_a_line_on_disk(
    store: Store, scrub: Callable[..., Said], start_worker: Start, harm: Callable[[Path], None]
) -> None:
    worker = start_worker(concurrency=1).wait_ready()
    put(store, 0, 50)
    settled(store, 50)
    (old,) = files(store)
    harm(old)
    put(store, 50, 100)
    settled(store, 100)
    worker.stop()
    (new,) = [file for file in files(store) if file != old]
    lines = [orjson.loads(raw) for raw in new.read_bytes().splitlines()]
    assert lines[0]["audit.previous_chain"] == audit.chain_of(old.name)
    claims = {line["claim.claim_id"] for line in lines if line["event.action"] == "claim.scrubbed"}
    assert claims == {f"PCN-{number:05}" for number in range(50, 100)}
    assert "while it was being written" in worker.text()
    code, said = scrub("audit", "verify")
    assert (code, f"{new}: sound" in said) == (0 if harm is rotated else 1, True)


def test_files_of_a_live_worker_that_have_ended_are_verified_retired_and_taken_away(
    store: Store, scrub: Callable[..., Said], start_worker: Start
) -> None:
    worker = start_worker(env={"SCRUB_AUDIT_FILE_BYTES": "65536", "SCRUB_BATCH": "20"}, concurrency=1).wait_ready()
    put(store, 0, 150)
    settled(store, 150)
    first, second, *_ = there = files(store)
    decided = [line for file in there for line in map(orjson.loads, file.read_bytes().splitlines())]
    claims = [line["claim.claim_id"] for line in decided if line["event.action"] == "claim.scrubbed"]
    assert sorted(claims) == [f"PCN-{number:05}" for number in range(150)]
    assert {audit.numbered(str(audit.chain_of(file.name)))[0] for file in there} == {audit.chain_of(first.name)}
    code, said = scrub("audit", "verify")
    assert (code, said.count(": sound: ")) == (0, len(there))
    assert [finding["level"] for finding in doctor(scrub)] == ["well"]
    assert scrub("audit", "lost")[0] == 0
    assert f"{claims[0]}" in scrub("claim", claims[0])[1]
    until(lambda: reconcile(store.redis, store.keys).alive)
    code, said = scrub("audit", "retire", there[-1], "--reason", "x")
    assert (code, "live workers write" in said) == (2, True), "the one that is written"
    aside = second.parent.with_name("aside")
    aside.mkdir()
    second.rename(aside / second.name)
    code, said = scrub("audit", "verify")
    assert (code, said.count(f"{second}: missing")) == (1, 1), "told once"
    assert scrub("audit", "retire", second, "--reason", "on tape 12")[0] == 0
    assert scrub("audit", "verify")[0] == 0
    assert f"{aside / second.name}: sound" in scrub("audit", "verify", aside)[1]
    assert worker.stop() == 0
