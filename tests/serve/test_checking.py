"""`POST /check` says what `scrub check` says, whatever comes in and is asked for, and by the book in force."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.claimresponse import ClaimResponse

from rules.book.pack import Files, packed
from rules.loader import whole_book
from tests.corpus.stories import FOLDER
from tests.exits.test_split import of
from tests.worker.fhirbundle import contained
from tests.worker.fhirclaims import PROFESSIONAL
from worker import bootstrap
from worker.config.settings import load_settings
from worker.store import opening
from worker.store.connections import Store

from .conftest import CLEAN, FAULTY, Serve, Service, ndjson

CODING = (FOLDER / "coding" / "claims.ndjson").read_bytes()
DAY = "2026-11-02"
JSON, NDJSON, X12, FHIR = "application/json", "application/x-ndjson", "application/edi-x12", "application/fhir+json"


@pytest.fixture(scope="module")
def checker(service: Service) -> dict[str, str]:
    return service.token("check")


def post(
    service: Service, token: dict[str, str], body: bytes, kind: str = NDJSON, accept: str = NDJSON, **query: str
) -> Any:
    headers = {**token, "Content-Type": kind, "Accept": accept}
    return service.http.post("/check", content=body, headers=headers, params=query)


def command(service: Service, body: bytes, *options: str, code: tuple[int, ...] = (0, 1)) -> bytes:
    file = service.home / "claims"
    file.write_bytes(body)
    done = service.scrub("check", *options, file)
    assert done.returncode in code, done.stderr
    return done.stdout


def test_the_corpus_is_judged_as_on_the_command_line(service: Service, checker: dict[str, str]) -> None:
    answer = post(service, checker, CODING, received=DAY)
    assert answer.status_code == 200
    assert answer.content == command(service, CODING, "--format", "json", "--received", DAY)
    assert len(answer.content.splitlines()) == 44
    whole = post(service, checker, CODING, accept=JSON, received=DAY).json()
    assert whole == {"reports": [json.loads(line) for line in answer.content.splitlines()], "refused": []}


def test_an_837_is_judged_and_answered_as_on_the_command_line(service: Service, checker: dict[str, str]) -> None:
    body = of(([f"A-{n}" for n in range(20)], []), (["B-1"], []))
    body = body.replace(b"*UN*1*", b"*UN*2*", 3)
    answer = post(service, checker, body, X12, received=DAY)
    assert answer.content == command(service, body, "--format", "json", "--received", DAY)
    for query, option in (({}, "x12-277ca"), ({"answers": "all"}, "x12")):
        answer = post(service, checker, body, X12, X12, received=DAY, **query)
        assert answer.headers["content-type"] == X12
        ours, theirs = (
            _same(text) for text in (answer.content, command(service, body, "--format", option, "--received", DAY))
        )
        assert ours == theirs
        assert b"ST*277*" in answer.content


def _same(answer: bytes) -> bytes:
    """Without when it was made, and its control numbers, which are made of that."""
    for number in {*re.findall(rb"IEA\*\d+\*(\d{9})", answer), *re.findall(rb"GE\*\d+\*(\d+)", answer)}:
        answer = answer.replace(number, b"#").replace(number.lstrip(b"0"), b"#")
    return re.sub(rb"(\*\d{6,8})\*\d{4}\*", rb"\1*HHMM*", answer)


def test_fhir_is_judged_as_on_the_command_line_and_answered_as_fhir(service: Service, checker: dict[str, str]) -> None:
    body = json.dumps(contained(PROFESSIONAL)).encode()
    answer = post(service, checker, body, FHIR, received=DAY)
    assert answer.content == command(service, body, "--format", "json", "--received", DAY)
    report = answer.json()
    one = post(service, checker, body, FHIR, FHIR, received=DAY)
    assert one.headers["content-type"] == FHIR
    found = ClaimResponse.model_validate(one.json())
    assert found.request.identifier.value == PROFESSIONAL["claim_id"]
    assert found.outcome == {"billing": "complete", "rework": "error", "unchecked": "partial"}[report["disposition"]]
    blocks = [f for f in report["findings"] if f["severity"] == "block" and f["outcome"] != "bypassed"]
    assert {error.code.coding[0].code for error in found.error or ()} >= {f["code"] for f in blocks}


def test_several_claims_are_answered_by_a_bundle(service: Service, checker: dict[str, str]) -> None:
    answer = post(service, checker, ndjson(CLEAN, FAULTY) + b'{"claim_id": 7}\n', accept=FHIR)
    found = Bundle.model_validate(answer.json())
    outcomes = [getattr(one.resource, "outcome", "unread") for one in found.entry]
    assert outcomes == ["complete", "error", "unread"]
    errors = found.entry[1].resource.error
    assert {"UNT001"} <= {error.code.coding[0].code for error in errors}
    assert all(error.code.text for error in errors)


def test_a_277ca_answers_837_files_alone(service: Service, checker: dict[str, str]) -> None:
    answer = post(service, checker, ndjson(CLEAN), accept=X12)
    assert answer.status_code == 406
    assert "837" in answer.json()["detail"]


def test_what_cannot_be_read_is_said_beside_what_can(service: Service, checker: dict[str, str]) -> None:
    answer = post(service, checker, ndjson(CLEAN) + b'{"claim_id": 7}\n', accept=JSON).json()
    assert [one["claim_id"] for one in answer["reports"]] == ["DEMO-0001"]
    (refused,) = answer["refused"]
    assert refused["position"] == "line 2"
    assert {"path", "sentence"} == refused["problems"][0].keys()


def test_where_nothing_can_be_read_it_is_422_with_every_place(service: Service, checker: dict[str, str]) -> None:
    answer = post(service, checker, b'{"claim_id": 7}', JSON, JSON)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert "claim_id" in {one["pointer"] for one in answer.json()["errors"]}


@pytest.mark.parametrize(
    ("kind", "accept", "body", "status"),
    [
        ("text/html", JSON, b"{}", 415),
        (X12, JSON, b"{}", 415),
        (JSON, JSON, b"ISA*00*", 415),
        (JSON, JSON, b"\x1f\x8b\x08", 415),
        (JSON, "text/html", b"{}", 406),
        (JSON, "application/json;q=0", b"{}", 406),
        (JSON, JSON, b"", 422),
        (JSON, JSON, b"[" * 100_000, 422),
        (JSON, JSON, b" " * (2**24 + 1), 413),
    ],
)  # fmt: skip
def test_what_is_not_taken_is_a_problem(
    service: Service, checker: dict[str, str], kind: str, accept: str, body: bytes, status: int
) -> None:
    answer = post(service, checker, body, kind, accept)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status


def test_two_hundred_claims_are_judged_and_one_more_is_not(service: Service, checker: dict[str, str]) -> None:
    full = ndjson(*[CLEAN] * 200)
    answer = post(service, checker, full)
    assert (answer.status_code, len(answer.content.splitlines())) == (200, 200)
    more = post(service, checker, full + ndjson(CLEAN))
    assert (more.status_code, more.json()["type"]) == (413, "urn:claim-scrubber:problem:too-many-claims")


def test_the_weight_of_accept_decides(service: Service, checker: dict[str, str]) -> None:
    answer = post(service, checker, ndjson(CLEAN), accept=f"{FHIR};q=0.5, {NDJSON};q=0.9, text/html")
    assert answer.headers["content-type"] == NDJSON


OWN = whole_book()
OTHER = Files({**OWN.library, "book.yaml": OWN.library["book.yaml"].replace(b"2026.11", b"2026.12")})


def test_a_book_that_is_put_in_force_judges_the_next_call(
    service: Service, checker: dict[str, str], store: Store
) -> None:
    switcher = bootstrap.book_switcher(store)
    assert post(service, checker, ndjson(CLEAN), received=DAY).json()["book"]["digest"] == OWN.digest
    switcher.switch(packed(OTHER), b"", "other.book", "a test")
    try:
        answer = post(service, checker, ndjson(CLEAN), received=DAY)
        assert answer.json()["book"] == {"version": "2026.12", "digest": OTHER.digest}
        book = service.home / "other.book"
        book.write_bytes(packed(OTHER))
        assert answer.content == command(
            service, ndjson(CLEAN), "--format", "json", "--received", DAY, "--book", str(book)
        )
    finally:
        switcher.roll_back("a test", None)
    assert post(service, checker, ndjson(CLEAN)).json()["book"]["digest"] == OWN.digest


def test_without_redis_claims_are_judged_on_and_what_needs_it_says_so(serve: Serve, unset: None) -> None:
    service = serve()
    token = service.token("check", "submit")
    assert post(service, token, ndjson(CLEAN)).status_code == 200
    with opening.open_store(load_settings(state_dir=service.home / "state")) as store:
        os.kill(int(store.redis.info("server")["process_id"]), signal.SIGKILL)
    for _ in range(3):
        assert post(service, token, ndjson(CLEAN), received=DAY).json()["claim_id"] == "DEMO-0001"
    answer = service.http.post("/claims", content=ndjson(CLEAN), headers={**token, "Content-Type": NDJSON})
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:claim-scrubber:problem:unavailable")
    assert answer.headers["retry-after"] == "5"
    assert service.http.get("/healthz").status_code == 200
    ready = service.http.get("/readyz")
    assert (ready.status_code, ready.json()["redis"]) == (503, "unusable")


def test_mode_gaps_and_overrides_are_those_of_the_command_line(serve: Serve) -> None:
    service = serve(SCRUB_MODE="observe", SCRUB_GAPS="rework", SCRUB_TIMEZONE="Pacific/Kiritimati")
    checker = service.token("check")
    answer = post(service, checker, CODING, received=DAY)
    assert answer.content == command(service, CODING, "--format", "json", "--received", DAY)
    assert {json.loads(line)["disposition"] for line in answer.content.splitlines()} <= {
        "billing",
        "unchecked",
        "rework",
    }
    assert any(json.loads(line)["observed"] for line in answer.content.splitlines())


def test_a_process_that_is_killed_takes_no_call_along(service: Service, checker: dict[str, str]) -> None:
    post(service, checker, ndjson(CLEAN))
    for victim in _pool(service):
        os.kill(victim, signal.SIGKILL)
    time.sleep(0.1)
    answer = post(service, checker, ndjson(CLEAN))
    assert answer.status_code == 200
    assert len(post(service, checker, ndjson(*[CLEAN] * 100)).content.splitlines()) == 100


def _pool(service: Service) -> list[int]:
    """The processes that judge: they are forked by what the service started for that."""
    found = subprocess.run(["ps", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 2) for line in found.splitlines()[1:]]
    forks = {pid for pid, parent, args in rows if parent == str(service.process.pid) and "forkserver" in args}
    return [int(pid) for pid, parent, _ in rows if parent in forks]


def test_sigterm_ends_it_with_0_and_leaves_no_process(serve: Serve) -> None:
    service = serve()
    left = _pool(service)
    assert len(left) == 2
    assert service.end() == 0
    _gone(left)


def test_sigterm_lets_the_call_that_is_in_hand_have_its_answer(serve: Serve) -> None:
    service = serve()
    checker = service.token("check")
    post(service, checker, ndjson(CLEAN))  # the book is read
    with ThreadPoolExecutor(1) as beside:
        call = beside.submit(post, service, checker, ndjson(*[CLEAN, FAULTY] * 100))
        time.sleep(0.2)
        assert not call.done()
        os.kill(service.process.pid, signal.SIGTERM)
        answer = call.result(60)
    assert (answer.status_code, len(answer.content.splitlines())) == (200, 200)
    assert service.process.wait(40) == 0


def test_killed_it_leaves_no_process_either(serve: Serve) -> None:
    service = serve()
    left = _pool(service)
    assert service.end(signal.SIGKILL) == -signal.SIGKILL
    _gone(left)
    service.scrub("status")  # whoever comes next ends the server that was left behind


def _gone(pids: list[int]) -> None:
    until = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        assert time.monotonic() < until
        time.sleep(0.1)
