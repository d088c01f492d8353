"""The users of Redis: each can do its work and nothing else. On a real server, started as the container starts it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import AuthenticationError, NoPermissionError, ResponseError

from ops import access
from rules.book.pack import Files, packed
from rules.loader import book_files
from tests import standby
from tests.cli.conftest import SCRUB
from tests.filing.filed import assert_each_claim_once, kinds, of
from worker.client import consume
from worker.monitoring.reconciliation import reconcile
from worker.pipeline.textsweep import TextSweep
from worker.store import opening
from worker.store.keys import Keys
from worker.store.outletspecs import CONSUMED, FILES, OUTLETS

from .commandlog import CANARY, keeps_no_arguments
from .guarded import Guarded, guarded
from .helpers import Worker, claim, event, settled, until

KEYS = Keys()
EVERYBODY = [user.name for user in access.USERS]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    with guarded(short(tmp_path_factory)) as found:
        admin = found.client("admin")
        admin.xadd(KEYS.inbox, {"event": "inbox"})
        for name in OUTLETS:
            admin.xadd(KEYS.outlet(name), {"event": name})
            admin.xgroup_create(KEYS.outlet(name), name, id="0")
        admin.xgroup_create(KEYS.inbox, "scrub", id="0")
        yield found


def short(factory: pytest.TempPathFactory) -> Path:
    """A socket's path may have 107 bytes."""
    folder = factory.mktemp("r")
    assert len(str(folder)) < 90
    return folder


def scrub(server: Guarded, user: str, *arguments: str, stdin: bytes = b"") -> Any:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SCRUB_")}
    return standby.scrub(*arguments, input=stdin, cwd=standby.ROOT, env={**clean, **server.environment(user)})


def test_the_acl_file_is_what_the_table_says() -> None:
    assert access.FILE.read_text() == access.text()


@pytest.mark.slow
def test_the_whole_pipe_works_with_the_least_rights_and_nothing_is_refused_but_the_producers_notification(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with guarded(short(tmp_path_factory)) as server:
        admin = server.client("admin")
        first = Worker(server.folder, env=server.environment("worker")).wait_ready()
        second = None
        try:
            lines = b"\n".join(event(number) for number in range(30))
            assert scrub(server, "producer", "submit", "-", stdin=lines).returncode == 0
            admin.xadd(KEYS.inbox, {"event": "no claim"})
            with opening.open_store(server.settings("operator")) as store:
                settled(store, 31)
                # What a worker that is killed leaves behind, notifications and claims, is taken over by the next.
                os.kill(first.process.pid, signal.SIGSTOP)
                for number in range(30, 60):
                    admin.xadd(KEYS.inbox, {"event": event(number)})
                first.kill()
                second = Worker(server.folder, env=server.environment("worker")).wait_ready()
                settled(store, 61)
                assert reconcile(store.redis, store.keys).balance == 0
            for outlet in ("billing", "rework"):
                consumed = list(consume(outlet, settings=server.settings(outlet), follow=False))
                assert len(consumed) == admin.xlen(KEYS.outlet(outlet))
                assert all(gap["sentence"] for entry in consumed for gap in entry.data["report"]["gaps"])
            assert admin.xlen(KEYS.outlet("billing")) + admin.xlen(KEYS.outlet("rework")) == 60
            for command in (("status",), ("status", "--json"), ("tail", "quarantine"), ("tail", "billing")):
                done = scrub(server, "operator", *command)
                assert (done.returncode, done.stderr) == (0, b""), command
            assert scrub(server, "worker", "status", "--healthcheck").returncode == 0
            assert scrub(server, "worker", "worker", "--check").returncode == 0
            assert server.client("monitor").xinfo_groups(KEYS.inbox)[0]["lag"] == 0
            assert second.stop() == 0
        finally:
            for worker in (first, second):
                if worker:
                    worker.kill()
        refused = {(line["username"], line["object"]) for line in admin.execute_command("ACL LOG")}
        assert refused <= {("producer", "eval"), ("producer", KEYS.gate)}
        assert secrets_of(server).isdisjoint(first.text().split('"')), "a password in the worker's log"
        for secret in secrets_of(server):
            assert secret not in first.text() + second.text() + server.log()


def test_a_restart_brings_back_every_decision(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = short(tmp_path_factory)
    with guarded(folder) as server:
        worker = Worker(folder, env=server.environment("worker")).wait_ready()
        try:
            for number in range(20):
                server.client("producer").xadd(KEYS.inbox, {"event": event(number)})
            with opening.open_store(server.settings("operator")) as store:
                settled(store, 20)
                before = reconcile(store.redis, store.keys)
        finally:
            worker.stop()
    with guarded(folder) as server, opening.open_store(server.settings("operator")) as store:
        after = reconcile(store.redis, store.keys)
        assert (after.accepted, after.waiting, after.balance) == (20, 0, 0), server.log()
        assert [outlet.count for outlet in after.outlets] == [outlet.count for outlet in before.outlets]
        assert [outlet.length for outlet in after.outlets] == [outlet.length for outlet in before.outlets]
        assert "error to its AOF-loading-client" not in server.log()


def test_an_operator_sees_the_books_of_several_partitions(server: Guarded) -> None:
    assert (
        reconcile(server.client("operator"), Keys(0, 4)).balance
        == reconcile(server.client("admin"), Keys(0, 4)).balance
    )


def test_a_user_that_may_not_look_and_a_wrong_password_are_named_as_such(server: Guarded) -> None:
    done = scrub(server, "billing", "doctor")
    assert (done.returncode, b"does not let this user do that" in done.stdout) == (1, True)
    assert b"closed the connection" not in done.stdout
    server.password("monitor").chmod(0o644)
    right = server.password("monitor").read_text()
    server.password("monitor").write_text("wrong")
    try:
        for command, code in (("status", 2), ("doctor", 1)):
            done = scrub(server, "monitor", command)
            assert done.returncode == code
            assert b"Mend the user in SCRUB_REDIS_URL, or the password" in done.stdout + done.stderr
    finally:
        server.password("monitor").write_text(right)


def test_partitions_are_added_by_the_administrator_and_an_attempt_of_others_locks_nobody_out(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with guarded(short(tmp_path_factory)) as server:
        for user in ("operator", "worker"):
            done = scrub(server, user, "partitions", "2")
            assert (done.returncode, b"does not let this user do that" in done.stderr) == (2, True)
            assert server.client("admin").hget(KEYS.meta, "partitions") in (None, b"1 by layout 2")
        assert scrub(server, "admin", "partitions", "2").returncode == 0
        assert server.client("admin").hget(KEYS.meta, "partitions") == b"2 by layout 2"


def test_a_worker_puts_no_book_in_force_and_learns_that_it_may_not(server: Guarded, tmp_path: Path) -> None:
    file = tmp_path / "own.book"
    assert scrub(server, "worker", "rules", "pack", "-o", str(file)).returncode == 0
    done = scrub(server, "worker", "rules", "switch", str(file), "--reason", "t")
    assert (done.returncode, b"does not let this user do that" in done.stderr) == (2, True), done.stderr
    assert server.client("admin").llen(KEYS.book) == 0


def secrets_of(server: Guarded) -> set[str]:
    found = {file.read_text().strip() for file in (server.folder / "secrets").iterdir()}
    assert len(found) > len(EVERYBODY), "one of each user, and those of others"
    return found


def may(server: Guarded, user: str, *command: str) -> bool:
    """What the server itself says of a command, without running it."""
    return bool(server.client("admin").execute_command("ACL DRYRUN", user, *command) == b"OK")


def test_nobody_comes_in_without_a_name_and_a_password(server: Guarded) -> None:
    from redis import Redis

    with Redis(unix_socket_path=str(server.socket)) as nobody, pytest.raises(AuthenticationError):
        nobody.ping()
    for user, word in (("worker", "x"), ("default", "x"), ("default", "")):
        with Redis(unix_socket_path=str(server.socket)) as liar, pytest.raises(AuthenticationError):
            liar.execute_command("AUTH", user, word)


@pytest.mark.parametrize(
    "command",
    [
        "CONFIG GET *", "CONFIG SET appendonly no", "FLUSHALL", "FLUSHDB", "KEYS *", "ACL LIST", "ACL SETUSER x",
        "SHUTDOWN", "MONITOR", "DEBUG SLEEP 0", "MODULE LIST", "CLIENT LIST", "CLIENT KILL TYPE normal", "SLOWLOG GET",
        "SAVE", "BGSAVE", "REPLICAOF NO ONE", "SWAPDB 0 1", "RANDOMKEY", "FUNCTION LIST", "SCRIPT FLUSH", "SORT x",
        "RENAME {claims:0}:inbox x", "COPY {claims:0}:inbox x", "DUMP {claims:0}:inbox", "OBJECT FREQ {claims:0}:inbox",
        "MIGRATE h 1 k 0 1", "XGROUP DESTROY {claims:0}:inbox scrub", "XGROUP SETID {claims:0}:inbox scrub $",
        "XSETID {claims:0}:inbox 1-1", "GET elsewhere", "SET elsewhere 1",
    ],
)  # fmt: skip
def test_nobody_but_the_administrator_may_change_the_server_or_look_at_it_as_a_whole(
    server: Guarded, command: str
) -> None:
    assert [user for user in EVERYBODY if may(server, user, *command.split())] == []
    assert may(server, "admin", *command.split())


NAMING = [
    "CLIENT TRACKING ON BCAST", "CLIENT TRACKING ON", "CLIENT TRACKING ON BCAST PREFIX {claims:0}:ledger:",
    "CLIENT TRACKING ON REDIRECT 1 BCAST", "CLIENT TRACKING ON OPTIN", "CLIENT TRACKING OFF", "CLIENT CACHING YES",
    "CLIENT TRACKINGINFO", "CLIENT GETREDIR", "CLIENT LIST", "CLIENT NO-EVICT on", "CLIENT KILL ID 1", "CLIENT UNBLOCK 1",
    "CLIENT PAUSE 1", "MONITOR", "KEYS *", "RANDOMKEY", "DBSIZE", "SLOWLOG GET", "LATENCY LATEST", "LATENCY DOCTOR",
    "MEMORY USAGE elsewhere", "OBJECT ENCODING {claims:0}:inbox", "OBJECT IDLETIME {claims:0}:inbox",
    "SUBSCRIBE __redis__:invalidate", "SUBSCRIBE __keyevent@0__:set", "PSUBSCRIBE *", "PSUBSCRIBE __key*__:*",
    "SSUBSCRIBE x", "PUBSUB CHANNELS", "SORT_RO {claims:0}:inbox BY nosort GET *", "TOUCH {claims:0}:ledger:x",
    "ACL LOG", "ACL USERS", "ACL GETUSER worker", "ROLE", "LASTSAVE", "DEBUG OBJECT {claims:0}:inbox", "SYNC", "PSYNC ? -1",
    "FUNCTION STATS", "SCRIPT SHOW x", "CLUSTER COUNTKEYSINSLOT 1", "COMMANDLOG GET 1 slow",
]  # fmt: skip
"""What gives away the names of others' keys, or what others do, by one road or another."""


@pytest.mark.parametrize("command", NAMING)
def test_nobody_but_the_administrator_sees_names_of_keys_or_what_others_do(server: Guarded, command: str) -> None:
    if not known(server, command):
        pytest.skip("this server does not have that command")
    assert [user for user in EVERYBODY if may(server, user, *command.split())] == []


def known(server: Guarded, command: str) -> bool:
    try:
        return may(server, "admin", *command.split())
    except ResponseError:  # the server looks the command up first
        return False


def test_only_the_worker_asks_how_large_a_stream_is(server: Guarded) -> None:
    assert [user for user in EVERYBODY if may(server, user, "MEMORY", "USAGE", KEYS.inbox)] == ["worker"]


def test_a_worker_may_do_all_that_deleting_texts_takes(server: Guarded) -> None:
    admin, unnamed = server.client("admin"), "0" * 24
    admin.hset(KEYS.texts, unnamed, "{}")
    assert TextSweep(most=0).sweep(server.client("worker"), KEYS) >= 1
    assert not admin.hexists(KEYS.texts, unnamed)


def test_only_the_operator_walks_through_the_names_of_keys(server: Guarded) -> None:
    for command in ("SCAN 0", "SCAN 0 MATCH *ledger* COUNT 1000"):
        assert [user for user in EVERYBODY if may(server, user, *command.split())] == ["operator"]


@pytest.mark.parametrize("user", EVERYBODY)
@pytest.mark.parametrize("protocol", [2, 3])
def test_a_connection_is_sent_no_names_of_keys_that_others_write(server: Guarded, user: str, protocol: int) -> None:
    """redis#15371: BCAST tracking gave away the names of all keys to every user that may CLIENT TRACKING."""
    secret = server.password(user).read_text().strip()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as spy:
        spy.settimeout(5)
        spy.connect(str(server.socket))
        spy.sendall(f"HELLO {protocol} AUTH {user} {secret}\r\n".encode())
        assert b"proto" in spy.recv(65_536)
        spy.sendall(b"CLIENT TRACKING ON BCAST\r\n")
        assert b"NOPERM" in spy.recv(65_536)
        server.client("admin").set("{claims:0}:ledger:CANARY", "1")
        spy.sendall(b"PING\r\n")
        assert spy.recv(65_536) == b"+PONG\r\n"


def test_the_administrator_would_be_sent_them_so_that_the_test_before_can_fail(server: Guarded) -> None:
    secret = server.password("admin").read_text().strip()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as spy:
        spy.settimeout(5)
        spy.connect(str(server.socket))
        spy.sendall(f"HELLO 3 AUTH admin {secret}\r\n".encode())
        assert b"proto" in spy.recv(65_536)
        spy.sendall(b"CLIENT TRACKING ON BCAST\r\n")
        assert spy.recv(65_536) == b"+OK\r\n"
        server.client("admin").set("{claims:0}:ledger:CANARY", "2")
        assert b"CANARY" in spy.recv(65_536)


def test_the_monitor_cannot_ask_whether_a_ledger_or_an_event_is_there(server: Guarded) -> None:
    for name in ("ledger:x", "event:x", "meta", "chains", "book"):
        for command in (f"XLEN {{claims:0}}:{name}", f"XPENDING {{claims:0}}:{name} g", f"EXISTS {{claims:0}}:{name}"):
            assert not may(server, "monitor", *command.split())
    assert may(server, "monitor", "XLEN", "{claims:7}:quarantine")


@pytest.mark.parametrize("outlet", OUTLETS)
def test_nobody_but_the_worker_writes_an_outlet(server: Guarded, outlet: str) -> None:
    key = KEYS.outlet(outlet)
    assert may(server, "worker", "XADD", key, "*", "event", "x")
    others = [name for name in EVERYBODY if name != "worker"]
    for command in (f"XADD {key} * event x", f"DEL {key}", f"XTRIM {key} MAXLEN 0", f"SET {key} x", f"UNLINK {key}"):
        assert [user for user in others if may(server, user, *command.split())] == []
    deleters = [user for user in others if may(server, user, "XDEL", key, "1-1")]
    assert deleters == (["operator", "serve"] if outlet == "quarantine" else [])


@pytest.mark.parametrize("outlet", OUTLETS)
def test_a_script_gives_nobody_more(server: Guarded, outlet: str) -> None:
    script = "return redis.call('XADD', KEYS[1], '*', 'event', 'x')"
    for user in EVERYBODY:
        if user == "worker":
            continue
        with pytest.raises(
            (NoPermissionError, ResponseError), match=r"(?i)permission|can't run this command|can't access|NOPERM"
        ):
            server.client(user).eval(script, 1, KEYS.outlet(outlet))
    assert server.client("admin").xlen(KEYS.outlet(outlet)) == 1


def test_a_producer_reads_neither_inbox_nor_outlet(server: Guarded) -> None:
    assert not may(server, "producer", "XADD", KEYS.stream("ehr"), "*", "event", "x")
    assert not may(server, "producer", "XADD", KEYS.stream("inner"), "*", "event", "x")
    for command in (
        f"EVAL x 1 {KEYS.inbox}",
        f"MGET {KEYS.event('x')}",
        "SET {claims:0}:full 1",
        "DEL {claims:0}:full",
    ):
        assert not may(server, "producer", *command.split()), command
    for key in (KEYS.inbox, *map(KEYS.outlet, OUTLETS)):
        for command in (
            f"XRANGE {key} - +", f"XREAD STREAMS {key} 0", f"XREADGROUP GROUP scrub me STREAMS {key} >", f"XLEN {key}",
            f"XINFO STREAM {key}", f"XINFO STREAM {key} FULL", f"XPENDING {key} scrub", f"XDEL {key} 1-1", f"GET {key}",
        ):  # fmt: skip
            assert not may(server, "producer", *command.split())
    producer = server.client("producer")
    assert producer.xadd(KEYS.inbox, {"event": "from the producer"})
    with pytest.raises(NoPermissionError):
        producer.xrange(KEYS.inbox)


@pytest.mark.parametrize("user", CONSUMED)
def test_a_consumer_reads_its_own_outlet_and_nothing_else(server: Guarded, user: str) -> None:
    client = server.client(user)
    ((_, ((entry, fields),)),) = client.xreadgroup(user, "me", {KEYS.outlet(user): ">"})
    assert fields == {b"event": user.encode()}
    assert client.xack(KEYS.outlet(user), user, entry) == 1
    others = {KEYS.inbox, *map(KEYS.outlet, OUTLETS)} - {KEYS.outlet(user)}
    if user == FILES:
        assert may(server, user, "XRANGE", KEYS.outlet("quarantine"), "-", "+")
        others -= {KEYS.outlet("quarantine")}
    for key in others:
        for command in (f"XREADGROUP GROUP {user} me STREAMS {key} >", f"XRANGE {key} - +", f"XLEN {key}"):
            assert not may(server, user, *command.split())


def test_the_monitor_sees_numbers_and_no_claim(server: Guarded) -> None:
    key = KEYS.inbox
    for name in ("ehr", "inner"):
        assert may(server, "monitor", "XINFO", "GROUPS", KEYS.stream(name))
    assert may(server, "monitor", "XINFO", "GROUPS", key)
    for command in (f"XINFO STREAM {key}", f"XRANGE {key} - +", f"XREAD STREAMS {key} 0", f"XADD {key} * event x"):
        assert not may(server, "monitor", *command.split())


def test_nobody_but_the_worker_reaches_the_notifications(server: Guarded) -> None:
    for user in EVERYBODY:
        assert may(server, user, "LPUSH", "scrub:scrub-bells", "x") is (user == "worker")
        assert may(server, user, "PUBLISH", access.CONTROL, "x") is (user == "worker")


def test_what_the_user_may_not_do_is_reported_in_a_sentence_without_the_claim(server: Guarded) -> None:
    done = scrub(server, "billing", "submit", "-", stdin=event(1, data=claim(1, claim_id="CANARY")))
    assert done.returncode == 2
    assert b"does not let this user do that" in done.stderr
    assert b"CANARY" not in done.stderr
    done = scrub(server, "producer", "tail", "rework")
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"ops/security.md" in done.stderr


def test_it_keeps_no_claim_in_a_log_of_slow_or_large_commands(server: Guarded) -> None:
    keeps_no_arguments(server.client("admin"))
    assert CANARY not in server.log()


def test_it_evicts_nothing_and_writes_no_crash_report(server: Guarded) -> None:
    admin = server.client("admin")
    for name, value in {
        "crash-log-enabled": "no", "maxmemory-policy": "noeviction", "appendonly": "yes", "appendfsync": "always",
        "maxmemory": str(768 * 2**20),
    }.items():  # fmt: skip
        assert admin.config_get(name) == {name: value}


def test_a_missing_password_is_reported_and_nothing_starts(tmp_path: Path) -> None:
    done = subprocess.run(
        [access.FILE.parent / "start.sh"], env={"PATH": os.environ["PATH"], "SECRETS": str(tmp_path), "RUN": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "expected the password of the user worker" in done.stderr


def test_no_password_is_on_a_command_line(server: Guarded) -> None:
    shown = subprocess.run(["ps", "axeww", "-o", "args"], capture_output=True, text=True, check=True).stdout
    assert "start.sh" in shown or "redis" in shown or "valkey" in shown
    for secret in secrets_of(server):
        assert secret not in shown
    until(lambda: not (server.folder / "run" / "users.sed").exists())


@pytest.mark.skipif(
    not shutil.which("redis-cli"), reason="redis-cli, which the container of Redis has, is not installed"
)
def test_the_container_is_healthy_as_long_as_redis_can_write_its_file(
    server: Guarded, tmp_path_factory: pytest.TempPathFactory
) -> None:
    def health(of: Guarded, socket: Path) -> tuple[int, str]:
        done = subprocess.run(
            [access.FILE.parent / "healthy.sh", "-s", socket], capture_output=True, text=True, check=False,
            env={**os.environ, "SECRETS": str(of.folder / "secrets")},
        )  # fmt: skip
        return done.returncode, done.stderr

    assert health(server, server.socket) == (0, "")
    assert health(server, server.folder / "nothing.sock")[0] != 0
    with guarded(short(tmp_path_factory), "--appendonly", "no") as forgetful:
        assert health(forgetful, forgetful.socket) == (1, "healthy.sh: expected aof_enabled:1\n")


@pytest.mark.slow
def test_an_operator_empties_the_quarantine_enters_history_and_switches_the_book(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with guarded(short(tmp_path_factory)) as server:
        admin = server.client("admin")
        worker = Worker(server.folder, env=server.environment("worker")).wait_ready()
        try:
            for data in (event(1, data={"claim_id": "broken"}), b"no claim"):
                admin.xadd(KEYS.inbox, {"event": data})
            with opening.open_store(server.settings("operator")) as store:
                settled(store, 2)
                for arguments in (("requeue", "--reason-code", "claim_invalid"), ("drop", "--reason-code", "not_json")):
                    done = scrub(server, "operator", "quarantine", *arguments, "--reason", "a test")
                    assert (done.returncode, done.stderr) == (0, b"")
                settled(store, 3)
            line = event(5, data=claim(5, received_date="2026-10-20")) + b"\n"
            done = scrub(server, "operator", "history", "import", "-", stdin=line)
            assert (done.returncode, done.stderr) == (0, b"")
            files = dict(book_files())
            files["book.yaml"] = files["book.yaml"].replace(b'version: "', b'version: "next-')
            pack = server.folder / "next.book"
            pack.write_bytes(packed(Files(files)))
            for arguments in (("switch", str(pack)), ("rollback",), ("switch", str(pack))):
                done = scrub(server, "operator", "rules", *arguments, "--reason", "a test")
                assert (done.returncode, done.stderr) == (0, b"")
            admin.xadd(KEYS.inbox, {"event": event(6)})
            until(lambda: b"next-" in b"".join(admin.hgetall(KEYS.judging).values()))
            worker.stop()
        finally:
            worker.kill()
        # It sends no notification; the workers look by themselves.
        assert {line["object"] for line in admin.execute_command("ACL LOG")} <= {"set", KEYS.gate}


def test_who_files_gets_along_with_its_own_rights(tmp_path_factory: pytest.TempPathFactory) -> None:
    raw = of("C-1", "H-2")
    with guarded(short(tmp_path_factory)) as server:
        worker = Worker(server.folder, env=server.environment("worker")).wait_ready()
        env = {**os.environ, **server.environment("files"), "SCRUB_PRODUCER": "ehr", "SCRUB_SEND_UNDECIDED": "send"}
        drop, out = server.folder / "drop", server.folder / "out"
        drop.mkdir()
        out.mkdir()
        assert scrub(server, "admin", "producer", "add", "ehr", "--exit", "file").returncode == 0
        command = ["submit", "--watch", str(drop), "--out", str(out), "--settle", "0", "--cutoff", "8s"]
        log = server.folder / "filing.log"
        with log.open("wb") as lines:
            filing = subprocess.Popen([*SCRUB, *command], env=env, stdout=lines, stderr=lines, cwd=server.folder)
        try:
            (drop / "batch.837").write_bytes(raw)
            until((out / "batch.manifest.json").exists, 40, log.read_text)
            assert kinds(assert_each_claim_once(raw, out, "batch")) == {"C-1": "clean", "H-2": "held"}
            last = datetime.now().astimezone().date() + timedelta(days=2)
            let_go = ("--reason", "agreed", "--owner", "dana", "--until", last.isoformat())
            done = scrub(server, "operator", "rework", "waive", "H-2", *let_go)
            assert done.returncode == 0, done.stderr
            until((out / "batch.2.837").exists, 40, log.read_text)
            worker.kill()
            late = of("C-3", control=7)
            (drop / "late.837").write_bytes(late)
            until((out / "late.manifest.json").exists, 40, log.read_text)
            assert kinds(assert_each_claim_once(late, out, "late")) == {"C-3": "undecided"}
            assert (out / "late.undecided.send.837").exists()
        finally:
            filing.terminate()
            filing.wait(20)
            worker.kill()
        assert "permission" not in log.read_text().lower()
