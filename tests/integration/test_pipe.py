"""The pipe end to end: a claim event goes in, a checked claim comes out, through a real Celery worker."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from pydantic import TypeAdapter

from rules.claim import read_claim
from rules.engine.check import check
from rules.history import NOTHING_BILLED
from worker.audit import chains
from worker.audit.check import verify
from worker.books import current
from worker.client import consume, submit
from worker.config.settings import Settings
from worker.errors import NoClaim, NoListOfClaims
from worker.intake.events import ClaimEvent
from worker.pipeline.outlets import Reader, tail
from worker.pipeline.producer import send
from worker.process import celeryapp
from worker.process.celeryapp import QUEUE
from worker.store import agreement, opening
from worker.store.connections import Store
from worker.store.fitness import check_server
from worker.store.keyring import load_ring
from worker.store.outletspecs import OUTLETS
from worker.store.reachability import Address

from .helpers import Worker, claim, event, settled, until

Start = Callable[..., Worker]


def put(store: Store, *events: bytes) -> list[str]:
    return list(send(store.redis, store.keys, events, source="test", settings=store.settings).entries)


def audit_lines(settings: Settings) -> list[dict[str, object]]:
    files = sorted(settings.audit_path.glob("audit-*.jsonl"))
    return [orjson.loads(line) for file in files for line in file.read_bytes().splitlines()]


def test_a_claim_comes_out_as_the_offline_check_judges_it(store: Store, start_worker: Start) -> None:
    start_worker().wait_ready()
    put(store, event(1), event(2, data=claim(2, payer={"id": "nobody"})))
    settled(store, 2)
    found = {entry.event["eventid"]: entry for name in OUTLETS for entry in tail(store.redis, store.keys, name)}
    assert found.keys() == {"evt-1", "evt-2"}
    book = current.own_book(store.settings)
    for entry in found.values():
        offline = check(read_claim(entry.data["claim"]), book, history=NOTHING_BILLED)
        assert orjson.dumps(entry.data["report"]) == orjson.dumps(orjson.loads(orjson.dumps(offline)))
        assert (entry.event["type"], entry.event["datacontenttype"]) == ("claim.scrubbed.v1", "application/json")
        assert entry.data["claim"]["claim_id"] in ("PCN-00001", "PCN-00002")


def test_notifications_on_a_broker_of_their_own_share_a_connection(store: Store) -> None:
    def connections() -> int:
        store.redis.delete(store.keys.gate)
        celeryapp.notifier(store).notify()
        found: Any = store.redis.info("stats")
        return int(found["total_connections_received"])

    first = connections()
    assert [connections() for _ in range(3)] == [first] * 3
    store.redis.client_kill_filter(_type="normal", skipme=True)
    assert connections() == first + 1
    assert store.redis.llen(f"scrub:{QUEUE}") == 5


def test_what_cannot_be_read_goes_to_quarantine_and_delays_nobody(store: Store, start_worker: Start) -> None:
    bad = [
        b"not json",
        b"\xff\xfe\x00",
        b"",
        b"[" * 10_000,
        b'{"a": 1, "a": 2}',
        orjson.dumps([1]),
        event(900, specversion="0.3"),
        event(901, data={"claim_id": "PCN-901"}),
        event(902, data=claim(902, surprise=1)),
        b'{"data": "' + b"x" * 2_000_000 + b'"}',
    ]
    start_worker().wait_ready()
    entries = put(store, *[event(number) for number in range(20)], *bad[:9], *[event(n) for n in range(20, 40)])
    entries.append(store.redis.xadd(store.keys.inbox, {"event": bad[9]}).decode())
    entries.append(store.redis.xadd(store.keys.inbox, {"something": "else"}).decode())
    found = settled(store, 51)
    assert found.outlet("quarantine").count == 11
    data = [entry.data for entry in tail(store.redis, store.keys, "quarantine")]
    assert [item["reason"] for item in data] == [
        *["not_json"] * 5,
        "not_an_event",
        "envelope_invalid",
        "claim_invalid",
        "claim_invalid",
        "too_large",
        "no_event",
    ]
    assert data[0]["event"] == "not json"
    assert data[1]["event_base64"] == "//4A"
    assert data[10]["fields"] == {"something": "else"}
    assert {problem["path"] for problem in data[7]["problems"]} >= {"data.form", "data.payer", "data.lines"}
    assert [item["inbox_entry"] for item in data] == [*entries[20:29], *entries[49:]]


def test_the_same_event_again_gives_one_result_and_other_data_under_its_name_is_quarantined(
    store: Store, settings: Settings, start_worker: Start
) -> None:
    start_worker().wait_ready()
    put(store, event(1), event(1), event(1, data=claim(7)))
    settled(store, 3)
    put(store, event(1), event(1, requeue_of="1-1"))
    found = settled(store, 5)
    assert found.repeated == 3, "also what says of itself that it was requeued"
    assert found.outlet("quarantine").count == 1
    (reused,) = tail(store.redis, store.keys, "quarantine")
    assert reused.data["reason"] == "event_id_reused"
    lines = audit_lines(settings)
    first = next(line for line in lines if line["event.action"] == "claim.scrubbed")
    repeats = [line for line in lines if line["event.action"] == "claim.repeated"]
    assert [line["claim.first_decision_id"] for line in repeats] == [first["claim.decision_id"]] * 3


def test_every_decision_has_its_audit_line_and_the_chains_verify(
    store: Store, settings: Settings, start_worker: Start
) -> None:
    worker = start_worker().wait_ready()
    put(store, *[event(number) for number in range(600)])
    settled(store, 600)
    assert worker.stop() == 0
    published = {entry.decision_id for name in OUTLETS for entry in tail(store.redis, store.keys, name)}
    lines = [line for line in audit_lines(settings) if line["event.action"] == "claim.scrubbed"]
    assert {line["claim.decision_id"] for line in lines} == published
    assert len(published) == 600
    assert {line["claim.charge_cents"] for line in lines} == {45_000}
    files = list(settings.audit_path.iterdir())
    for file in files:
        head = chains.chain_head(store, file.stem.removeprefix("audit-"))
        assert head is not None
        assert verify(file, load_ring(settings.secret_path, "audit"), head).state == "sound"


def test_a_producer_that_never_notifies_is_served_within_a_period(store: Store, start_worker: Start) -> None:
    start_worker().wait_ready()
    store.redis.xadd(store.keys.inbox, {"event": event(1)})
    settled(store, 1, seconds=5)


def test_submit_notifies_and_the_same_claims_again_are_no_second_event(
    settings: Settings, store: Store, start_worker: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCRUB_STATE_DIR", str(settings.state_dir))
    start_worker(env={"SCRUB_TEND": "600"}).wait_ready()
    assert len(submit([claim(1), claim(1), claim(2), event(9)])) == 4
    assert settled(store, 4).repeated == 0
    submit([claim(1), claim(1), claim(2), event(9)])
    assert settled(store, 8).repeated == 4
    made = [entry.event["eventid"] for name in OUTLETS for entry in tail(store.redis, store.keys, name)]
    assert len(set(made)) == 4


def test_an_event_that_submit_makes_is_a_cloud_event_with_the_date(settings: Settings, store: Store) -> None:
    send(store.redis, store.keys, [claim(1, received_date=None)], source="urn:x", settings=settings)
    ((_, fields),) = store.redis.xrange(store.keys.inbox)
    found = TypeAdapter(ClaimEvent).validate_python(orjson.loads(fields[b"event"]))
    assert (found.source, found.day is not None) == ("urn:x", True)


def test_a_consumer_gets_each_entry_once_and_again_what_it_did_not_finish(
    settings: Settings, store: Store, start_worker: Start
) -> None:
    start_worker().wait_ready()
    put(store, *[event(number) for number in range(250)])
    counts = {outlet.name: outlet.count for outlet in settled(store, 250).outlets}
    outlet = max(counts, key=lambda name: counts[name])
    assert counts[outlet] == 250
    first = []
    for entry in consume(outlet, settings=settings, follow=False, group="g"):
        first.append(entry.decision_id)
        if len(first) == 120:
            break
    rest = [entry.decision_id for entry in consume(outlet, settings=settings, follow=False, group="g")]
    assert len(first + rest) == 251
    assert first[-1] == rest[0]
    assert len({*first, *rest}) == 250
    assert not list(consume(outlet, settings=settings, follow=False, group="g"))


def test_a_consumer_takes_over_what_a_dead_one_held(store: Store) -> None:
    stream = store.keys.outlet("billing")
    for number in range(3):
        store.redis.xadd(stream, {"event": orjson.dumps({"id": f"d{number}", "data": {}})})
    dead = Reader(store.redis, store.keys, "billing", "billing", "dead").entries(follow=False)
    next(dead)
    dead.close()
    heir = Reader(store.redis, store.keys, "billing", "billing", "heir", reclaim_ms=0)
    assert [entry.decision_id for entry in heir.entries(follow=False)] == ["d0", "d1", "d2"]


def test_celery_lists_the_tasks(home: Path, settings: Settings, start_worker: Start) -> None:
    start_worker().wait_ready()
    command = [sys.executable, "-m", "celery", "-A", "worker.app", "inspect", "registered"]
    environment = {"SCRUB_STATE_DIR": str(home), "PATH": "/usr/bin:/bin"}
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)
    assert answer.returncode == 0, answer.stderr
    assert "* scrub" in answer.stdout
    assert "* tend" in answer.stdout


@pytest.mark.parametrize(
    ("env", "sentence"),
    [
        ({"SCRUB_BATCH": "none"}, "SCRUB_BATCH"),
        ({"SCRUB_REDIS_URL": "redis://127.0.0.1:1/0"}, "refuses the connection: nothing listens there"),
        ({"SCRUB_BOOK": "/nowhere"}, "There is no rule book in /nowhere"),
    ],
)
def test_a_worker_that_cannot_work_ends_with_a_sentence(
    env: dict[str, str], sentence: str, start_worker: Start
) -> None:
    worker = start_worker(env=env)
    assert worker.process.wait(20) == 1
    assert sentence in worker.text()
    assert "Traceback" not in worker.text()


@pytest.mark.parametrize(
    ("option", "value", "sentence"),
    [("maxmemory-policy", "allkeys-lru", "expected noeviction"), ("appendonly", "no", "expected appendonly yes")],
)
def test_a_server_that_could_lose_claims_is_refused(store: Store, option: str, value: str, sentence: str) -> None:
    store.redis.config_set(option, value)
    with pytest.raises(Exception, match=sentence):
        check_server(store.redis, Address("Redis", "here", "SCRUB_REDIS_URL", None))


def test_another_secret_or_number_of_partitions_is_refused(store: Store) -> None:
    agreement.agreed_secret(store)
    store.settings.secret_path.write_text("another" * 10)
    with pytest.raises(Exception, match="Copy the secret file"):
        agreement.agreed_secret(store)
    store.redis.hset(store.keys.meta, "partitions", "4")
    with pytest.raises(Exception, match="SCRUB_PARTITIONS=4"):
        opening.open_store(store.settings)


def test_submit_refuses_when_redis_is_nearly_full(settings: Settings, store: Store) -> None:
    store.redis.config_set("maxmemory", store.redis.info("memory")["used_memory"] + 100_000)
    with pytest.raises(Exception, match="more than the 80 %"):
        send(store.redis, store.keys, [claim(1)], source="x", settings=settings)
    assert store.redis.xlen(store.keys.inbox) == 0


def test_the_worker_takes_the_embedded_server_with_it(home: Path, start_worker: Start) -> None:
    worker = start_worker().wait_ready()
    assert worker.stop() == 0
    found = subprocess.run(["ps", "-eo", "args="], capture_output=True, text=True, check=True).stdout
    assert str(home) not in found
    until(lambda: not worker.children())


@pytest.mark.parametrize("items", [claim(1), b"{}", "claim"])
def test_a_single_claim_in_place_of_a_list_is_refused_and_nothing_is_sent(
    settings: Settings, store: Store, items: Any
) -> None:
    with pytest.raises(NoListOfClaims, match=r"submit\(\[claim\]\)"):
        send(store.redis, store.keys, items, source="x", settings=settings)
    assert store.redis.xlen(store.keys.inbox) == 0


def test_an_item_that_is_no_claim_is_named_by_its_place(settings: Settings, store: Store) -> None:
    with pytest.raises(NoClaim, match="Item 2 is no claim: expected a mapping .* found NoneType"):
        send(store.redis, store.keys, [claim(1), None], source="x", settings=settings)  # type: ignore[list-item]
