"""A stolen producer password, with the users that are shipped, on a real server: what it cannot do, and what it can.

Redis' own rights cannot forbid XADD its MAXLEN, nor an id of the sender's choice (redis#9176, redis#10242 ask for finer
ones): so each sender has a stream of its own, and nothing of an id or a field on it is believed.
"""

from __future__ import annotations

import json
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import AuthenticationError, ConnectionError, NoPermissionError

from worker import bootstrap
from worker.monitoring.reconciliation import reconcile
from worker.pipeline import producers
from worker.pipeline.consumer import InboxConsumer
from worker.pipeline.ledger import Ledger
from worker.pipeline.outlets import OutletEntry, tail
from worker.pipeline.producer import send
from worker.store import opening
from worker.store.connections import Store
from worker.store.keys import Keys
from worker.store.outletspecs import OUTLETS
from worker.store.registry import Producer
from worker.store.rights import producer_line, user_of

from .attacks import ATTACKS, HONEST, Attacker, fresh, trims, voids
from .guarded import Guarded, guarded
from .helpers import claim, event, quiet

KEYS = Keys()
EVIL = "evil"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("r")
    with guarded(folder) as found:
        yield found


@pytest.fixture
def server(running: Guarded) -> Guarded:
    """Empty, with two registered producers of two facilities."""
    admin = running.client("admin")
    admin.flushall()
    with opening.open_store(running.settings("worker")) as store:
        bootstrap.inbox_consumer(store, quiet(store)).audit.close()
    register(running, Producer(HONEST, "north"))
    register(running, Producer(EVIL, "south"))
    return running


def register(server: Guarded, new: Producer, keys: Keys = KEYS) -> None:
    admin = server.client("admin")
    producers.add(admin, keys, new)
    file = server.password(user_of(new.name))
    if not file.exists():
        file.write_text("secret-of-" + new.name * 8)
    _, user, *rights = producer_line(new.name, keys, file.read_text()).split(" ")
    admin.execute_command("ACL SETUSER", user, *_words(rights))


def _words(rights: list[str]) -> list[str]:
    """A selector is one argument of ACL SETUSER."""
    found: list[str] = []
    for word in rights:
        if found and found[-1].startswith("(") and not found[-1].endswith(")"):
            found[-1] += f" {word}"
        else:
            found.append(word)
    return found


@pytest.fixture
def store(server: Guarded) -> Iterator[Store]:
    """As the workers see it."""
    with opening.open_store(server.settings("worker")) as found:
        yield found


@pytest.fixture
def consumer(store: Store) -> Iterator[InboxConsumer]:
    found = bootstrap.inbox_consumer(store, quiet(store))
    yield found
    found.audit.close()


@pytest.fixture
def honest(server: Guarded) -> Redis:
    return server.client(user_of(HONEST))


@pytest.fixture
def evil(server: Guarded) -> Attacker:
    return Attacker(server.client(user_of(EVIL)), EVIL)


def put(client: Redis, name: str, *events: bytes, **more: Any) -> list[str]:
    return [client.xadd(KEYS.stream(name), {"event": one}, **more).decode() for one in events]


def out(store: Store) -> list[tuple[str, OutletEntry]]:
    return [(name, entry) for name in OUTLETS for entry in tail(store.redis, store.keys, name)]


def billed(store: Store) -> list[str]:
    return sorted(entry.data["claim"]["claim_id"] for entry in tail(store.redis, store.keys, "billing"))


def may(server: Guarded, user: str, *command: str) -> bool:
    return bool(server.client("admin").execute_command("ACL DRYRUN", user, *command) == b"OK")


# What it may.


def test_a_producer_adds_to_its_own_stream_asks_for_room_and_can_do_nothing_else(server: Guarded) -> None:
    own, other = KEYS.stream(EVIL), KEYS.stream(HONEST)
    user = user_of(EVIL)
    assert may(server, user, "XADD", own, "*", "event", "x")
    assert may(server, user, "HGET", KEYS.meta, "full")
    assert may(server, user, "INFO")
    forbidden = [
        f"XADD {other} * event x", f"XADD {KEYS.inbox} * event x", f"XADD {KEYS.stream('inner')} * event x",
        f"XADD {Keys(1, 2).stream(EVIL)} * event x", f"XADD {KEYS.outlet('billing')} * event x",
        f"XTRIM {own} MAXLEN 0", f"XDEL {own} 1-1", f"DEL {own}", f"XRANGE {own} - +", f"XREAD STREAMS {own} 0",
        f"XLEN {own}", f"XINFO STREAM {own}", f"XSETID {own} 1-1", f"XGROUP DESTROY {own} scrub",
        f"HGETALL {KEYS.meta}", f"HSET {KEYS.meta} full x", f"HGET {KEYS.producers} {HONEST}",
        f"HGET {KEYS.chains} x", f"MGET {KEYS.event('x')}", f"GET {KEYS.ledger('x')}", f"EXISTS {KEYS.hold}",
        f"SET {KEYS.hold} x", "EVAL x 0", f"EVAL x 1 {own}", "EVALSHA x 0", "SCRIPT LOAD x", "FCALL x 0", "MULTI",
        "CLIENT TRACKING ON BCAST", "SCAN 0", "KEYS *", "MONITOR", "CONFIG GET *", "FLUSHALL", "SUBSCRIBE x",
        "PUBLISH x y", "TIME", "DBSIZE", "ACL LIST",
    ]  # fmt: skip
    assert [command for command in forbidden if may(server, user, *command.split())] == []


@pytest.mark.parametrize("protocol", [2, 3])
def test_no_tracking_tells_it_names_of_keys(server: Guarded, protocol: int) -> None:
    secret = server.password(user_of(EVIL)).read_text()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as spy:
        spy.settimeout(5)
        spy.connect(str(server.socket))
        spy.sendall(f"HELLO {protocol} AUTH {user_of(EVIL)} {secret}\r\n".encode())
        assert b"proto" in spy.recv(65_536)
        spy.sendall(b"CLIENT TRACKING ON BCAST\r\n")
        assert b"NOPERM" in spy.recv(65_536)


def test_the_packaged_client_needs_no_more(server: Guarded, store: Store, consumer: InboxConsumer) -> None:
    user = user_of(HONEST)
    settings = server.settings(user).model_copy(update={"producer": HONEST})
    with opening.open_store(settings) as theirs:
        receipt = send(theirs.redis, theirs.keys, [claim(1), claim(2)], source="/x", settings=settings)
    assert [name.partition(":")[0] for name in receipt.entries] == [HONEST, HONEST]
    consumer.run()
    assert len(out(store)) == 2
    refused = {line["username"] for line in server.client("admin").execute_command("ACL LOG")}
    assert user not in refused


# The attacks, each beside an honest sender.


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
@pytest.mark.parametrize("first", [True, False])
def test_the_honest_ones_claims_all_come_out_once(
    attack: Callable[[Attacker], None],
    first: bool,
    honest: Redis,
    evil: Attacker,
    store: Store,
    consumer: InboxConsumer,
) -> None:
    if first:
        attack(evil)
        consumer.run()
    put(honest, HONEST, *(event(number, data=fresh(number)) for number in range(3)))
    if not first:
        attack(evil)
    put(honest, HONEST, *(event(number, data=fresh(number)) for number in range(3, 5)))
    consumer.run()
    theirs = Counter(entry.data["claim"]["claim_id"] for name, entry in out(store) if name == "billing")
    assert {name: count for name, count in theirs.items() if name < "PCN-00100"} == {
        f"PCN-{number:05}": 1 for number in range(5)
    }
    assert max(theirs.values()) == 1
    found = reconcile(store.redis, store.keys)
    assert (found.waiting, found.in_flight) == (0, 0)
    assert {one.name for one in found.short} == ({EVIL} if attack is trims else set())
    assert found.balance == (2 if attack is trims else 0), "what it deleted of its own, and it alone"
    for name, entry in out(store):
        assert name != "quarantine", entry.data["problems"]
        assert entry.event["receiveddate"] == datetime.now(UTC).date().isoformat()
        assert entry.event["producer"] in (HONEST, EVIL)


def test_voids_and_replacements_of_another_facility_reach_no_claim_of_this_one(
    honest: Redis, evil: Attacker, store: Store, consumer: InboxConsumer, server: Guarded
) -> None:
    put(honest, HONEST, *(event(number, data=fresh(number)) for number in range(3)))
    consumer.run()
    voids(evil)
    consumer.run()
    put(honest, HONEST, *(event(number, data=fresh(number)) for number in range(3, 5)))
    put(honest, HONEST, event(50, data=fresh(0, frequency_code="8", original_reference_number="ICN1")))
    consumer.run()
    ours = [entry for name, entry in out(store) if entry.event["producer"] == HONEST]
    assert len(ours) == 6
    assert not any(entry.data["report"]["reason"] for entry in ours), "none is superseded"
    entries = [
        entry
        for key in server.client("admin").scan_iter("*:ledger:*")
        for entry in Ledger.parse(server.client("admin").get(key).decode()).entries.values()
    ]
    assert {entry.claim_id: entry.state for entry in entries if entry.facility == "north"} == {
        "PCN-00000": "ended", **{f"PCN-{number:05}": "billed" for number in range(1, 5)},
    }  # fmt: skip
    assert any(entry.facility == "south" for entry in entries)


def test_the_server_starts_with_the_lines_that_the_command_printed(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path_factory.mktemp("r")
    lines = folder / "producers.acl"
    lines.write_text("".join(f"{producer_line(name, KEYS, f'secret-of-{name}')}\n" for name in (HONEST, EVIL)))
    monkeypatch.setenv("PRODUCERS", str(lines))
    with guarded(folder) as server:
        for name in (HONEST, EVIL):
            user, secret = user_of(name), f"secret-of-{name}"
            with Redis(unix_socket_path=str(server.socket), username=user, password=secret) as client:
                assert client.xadd(KEYS.stream(name), {"event": "x"})
                with pytest.raises(NoPermissionError):
                    client.xadd(KEYS.inbox, {"event": "x"})


def test_one_command_shuts_a_producer_out_at_once(server: Guarded, honest: Redis, evil: Attacker) -> None:
    """A connection that is open goes on after `ACL SETUSER ... off`, as Redis documents it."""
    admin = server.client("admin")
    evil.put(event(900))
    admin.execute_command("ACL", "SETUSER", user_of(EVIL), "off")
    evil.put(event(901))
    admin.execute_command("ACL", "DELUSER", user_of(EVIL))
    with pytest.raises((AuthenticationError, ConnectionError)):
        evil.put(event(902))
    with server.client(user_of(EVIL)) as anew, pytest.raises(AuthenticationError):
        anew.xadd(KEYS.stream(EVIL), {"event": "x"})
    put(honest, HONEST, event(1))
    assert admin.xlen(KEYS.stream(EVIL)) == 2


def test_info_tells_a_producer_numbers_and_no_name_of_a_key(
    server: Guarded, evil: Attacker, honest: Redis, consumer: InboxConsumer
) -> None:
    put(honest, HONEST, *(event(number, data=fresh(number)) for number in range(3)))
    consumer.run()
    names = [key.decode() for key in server.client("admin").keys("*")]
    assert len(names) > 10
    told = json.dumps(evil.client.info("everything"), default=str)
    assert [name for name in names if name in told] == []
    assert "{claims" not in told


def test_a_false_claim_counts_in_the_patients_history_and_is_named_with_its_sender(
    honest: Redis, evil: Attacker, store: Store, consumer: InboxConsumer
) -> None:
    evil.put(event(900, data=fresh(1, claim_id="FALSE")))
    consumer.run()
    put(honest, HONEST, event(1, data=fresh(1)))
    consumer.run()
    (true,) = (entry for name, entry in out(store) if name == "rework")
    assert true.event["producer"] == HONEST
    assert [one["code"] for one in true.data["report"]["findings"] if one["severity"] == "block"] == ["DUP001"]
    (false,) = tail(store.redis, store.keys, "billing")
    assert (false.data["claim"]["claim_id"], false.event["producer"]) == ("FALSE", EVIL), "so it is found out"
