"""`POST /claims` is `scrub submit` for those who should hold no password: same events, no second result, a full queue said."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.exits.test_split import of
from worker.pipeline.consumer import InboxConsumer
from worker.pipeline.outlets import tail
from worker.store.connections import Store
from worker.store.outletspecs import JUDGED

from .conftest import CLEAN, FAULTY, Serve, Service, ndjson

JSON, NDJSON, X12 = "application/json", "application/x-ndjson", "application/edi-x12"


@pytest.fixture(scope="module")
def sender(service: Service) -> dict[str, str]:
    return service.token("submit", source="/north/ehr")


def post(service: Service, token: dict[str, str], body: bytes, kind: str = NDJSON) -> Any:
    return service.http.post("/claims", content=body, headers={**token, "Content-Type": kind})


def decided(store: Store, name: str) -> list[tuple[str, str]]:
    """Outlet and event source of what was decided on a claim."""
    found = [
        (outlet, entry)
        for outlet in ("billing", "rework", "unchecked")
        for entry in tail(store.redis, store.keys, outlet)
    ]
    return [(outlet, str(entry.event["source"])) for outlet, entry in found if entry.data["claim"]["claim_id"] == name]


def test_claims_are_accepted_decided_and_never_twice(
    service: Service, sender: dict[str, str], store: Store, consumer: InboxConsumer
) -> None:
    body = ndjson(CLEAN | {"claim_id": "ONCE-1"}, FAULTY | {"claim_id": "ONCE-2"})
    first = post(service, sender, body)
    assert (first.status_code, first.json()["accepted"], first.json()["source"]) == (202, 2, "/north/ehr")
    again = post(service, sender, body)
    assert again.json()["events"] == first.json()["events"]
    consumer.run()
    assert [len(decided(store, name)) for name in ("ONCE-1", "ONCE-2")] == [1, 1]
    status = json.loads(service.scrub("status", "--json").stdout)
    assert (status["repeated"], status["balance"]) == (2, 0)


def test_an_837_goes_onto_the_queue_with_the_ids_that_scrub_submit_makes(
    service: Service, sender: dict[str, str], store: Store, consumer: InboxConsumer
) -> None:
    body = of((["X-1", "X-2"], []))
    assert post(service, sender, body, X12).json()["accepted"] == 2
    before = json.loads(service.scrub("status", "--json").stdout)["repeated"]
    file = service.home / "same.837"
    file.write_bytes(body)
    assert service.scrub("submit", "--source", "/north/ehr", file).returncode == 0
    consumer.run()
    assert json.loads(service.scrub("status", "--json").stdout)["repeated"] == before + 2
    assert len(decided(store, "X-1")) == 1


def test_what_an_event_says_of_its_source_is_passed_over(
    service: Service, sender: dict[str, str], store: Store, consumer: InboxConsumer
) -> None:
    event = {
        "specversion": "1.0", "id": "theirs-1", "source": "/south/ehr", "type": "claim.submitted.v1",
        "data": CLEAN | {"claim_id": "SOURCE-1"},
    }  # fmt: skip
    answer = post(service, sender, json.dumps(event).encode(), "application/cloudevents+json")
    assert answer.json() == {"source": "/north/ehr", "events": ["theirs-1"], "accepted": 1}
    assert post(service, sender, json.dumps(event | {"source": "/west"}).encode()).json()["events"] == ["theirs-1"]
    consumer.run()
    assert len(decided(store, "SOURCE-1")) == 1


def test_a_token_of_a_producer_sends_on_its_stream_for_its_facility(
    service: Service, store: Store, consumer: InboxConsumer
) -> None:
    done = service.scrub("producer", "add", "south", "--facility", "SOUTH", "--source", "/south")
    assert done.returncode == 0, done.stderr
    made = service.scrub("token", "add", "south", "--scope", "submit", "--producer", "south")
    assert made.returncode == 0, made.stderr
    token = {"Authorization": f"Bearer {made.stdout.decode().strip()}"}
    answer = post(service, token, ndjson(CLEAN | {"claim_id": "SOUTH-1"}))
    assert (answer.status_code, answer.json()["source"]) == (202, "/south")
    consumer.partitions[0].inbox._streams.forget()  # type: ignore[attr-defined]  # it looks for new ones once a second
    consumer.run()
    decided = (one for outlet in JUDGED for one in tail(store.redis, store.keys, outlet))
    (entry,) = (one for one in decided if one.data["claim"]["claim_id"] == "SOUTH-1")
    assert entry.event["producer"] == "south"
    wrong = service.scrub("token", "add", "south-2", "--scope", "submit", "--producer", "south", "--source", "/north")
    assert (wrong.returncode, b"registered for /south" in wrong.stderr.replace(b"\n", b" ")) == (2, True)
    assert service.scrub("producer", "remove", "south").returncode == 0
    refused = post(service, token, ndjson(CLEAN))
    assert (refused.status_code, refused.json()["type"]) == (403, "urn:claim-scrubber:problem:producer-gone")


def test_nothing_is_sent_where_one_cannot_be_read(service: Service, sender: dict[str, str]) -> None:
    before = json.loads(service.scrub("status", "--json").stdout)["accepted"]
    answer = post(service, sender, ndjson(CLEAN | {"claim_id": "HALF-1"}) + b'{"claim_id": 7}\n')
    assert answer.status_code == 422
    assert {one["position"] for one in answer.json()["errors"]} == {"line 2"}
    assert json.loads(service.scrub("status", "--json").stdout)["accepted"] == before


def test_more_than_a_thousand_are_refused(service: Service, sender: dict[str, str]) -> None:
    answer = post(service, sender, ndjson(*[CLEAN] * 1_001))
    assert (answer.status_code, answer.json()["type"]) == (413, "urn:claim-scrubber:problem:too-many-claims")


def test_a_full_queue_is_503_with_when_to_come_again(serve: Serve) -> None:
    service = serve()
    token = service.token("submit", source="/s")
    from worker.config.settings import load_settings
    from worker.store import opening

    with opening.open_store(load_settings(state_dir=service.home / "state")) as store:
        used = int(store.redis.info("memory")["used_memory"])
        store.redis.config_set("maxmemory", used + 100_000)
        answer = post(service, token, ndjson(CLEAN))
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
        assert answer.json()["type"] == "urn:claim-scrubber:problem:inbox-full"
        store.redis.config_set("maxmemory", 0)
    assert post(service, token, ndjson(CLEAN)).status_code == 202
