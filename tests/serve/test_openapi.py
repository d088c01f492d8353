"""The OpenAPI document is what the service does: every route for programs, its rights, and answers that hold to it."""

from __future__ import annotations

import json
from typing import Any

from jsonschema import Draft202012Validator

from worker.serve.openapi import ROUTERS, document

from .conftest import CLEAN, FAULTY, Service, ndjson

DOCUMENT = document()


def hold(answer: Any, name: str) -> None:
    Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}).validate(
        answer
    )


def test_it_has_every_route_for_programs_and_no_page() -> None:
    ours = {(path, method) for path, methods in DOCUMENT["paths"].items() for method in methods}
    routes = {(route.path, method.lower()) for router in ROUTERS for route in router.routes for method in route.methods}  # type: ignore[attr-defined]
    assert ours == routes


def test_each_route_is_served_and_refuses_who_has_no_token(service: Service) -> None:
    for path, methods in DOCUMENT["paths"].items():
        for method, about in methods.items():
            answer = service.http.request(method, path.replace("{handle}", "2222222222"))
            assert answer.status_code in ((401, 429) if "security" in about else (200,)), (method, path)


def test_only_the_probes_want_no_token() -> None:
    free = {
        path for path, methods in DOCUMENT["paths"].items() for about in methods.values() if "security" not in about
    }
    assert free == {"/healthz", "/readyz"}


def test_answers_hold_to_it(service: Service) -> None:
    token = service.token("check", "submit", "read")
    headers = {**token, "Content-Type": "application/x-ndjson"}
    accepted = service.http.post("/claims", content=ndjson(CLEAN, FAULTY), headers=headers)
    hold(accepted.json(), "Accepted")
    done = service.scrub("worker", "--check")
    assert done.returncode == 0, done.stderr
    hold(service.http.get("/cases", headers=token).json(), "Cases")
    hold(service.http.post("/claims/search", json={"claim_ids": ["x"]}, headers=token).json(), "Found")
    for answer in (
        service.http.get("/nothing"),
        service.http.get("/cases"),
        service.http.get("/cases?limit=0", headers=token),
    ):
        hold(answer.json(), "Problem")
    json.dumps(DOCUMENT)
