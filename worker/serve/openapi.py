"""The OpenAPI document of the routes for programs; `make schemas` writes it to ops/schema/openapi.json."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.openapi.utils import get_openapi
from pydantic import TypeAdapter

from worker.desk.cases import Act, Case, Urgency
from worker.serve import caseroutes, checkroutes, claimroutes, healthroutes
from worker.serve.problems import MEDIA

ROUTERS: tuple[APIRouter, ...] = (healthroutes.router, checkroutes.router, claimroutes.router, caseroutes.router)
_TEXT, _NUMBER = {"type": "string"}, {"type": "integer"}
_ABOUT = (
    "Claims in, cases and acts. Every error is a problem (RFC 9457); 401 without a token that counts, 403 without the "
    "right, 429 after many failures, 503 with Retry-After where there is no room. Claim numbers are in bodies alone."
)
_OPEN = ("/healthz", "/readyz")
"""For which no token is wanted."""


def document() -> dict[str, Any]:
    """The document."""
    routes = [route for router in ROUTERS for route in router.routes]
    found = get_openapi(title="claim-scrubber", version="1.0.0", description=_ABOUT, routes=routes)
    shared = found.setdefault("components", {}).setdefault("schemas", {})
    shared.pop("HTTPValidationError", None)
    shared.pop("ValidationError", None)
    shared |= _schemas()
    found["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    for path, methods in found["paths"].items():
        for method, about in methods.items():
            about["responses"].pop("422", None)
            about["responses"]["default"] = _content("A problem", MEDIA, "Problem")
            if path not in _OPEN:
                about["security"] = [{"token": []}]
            if name := _answer(path, method):
                code = next(iter(about["responses"]))
                about["responses"][code] = _content("Done", "application/json", name)
    return found


_SHOWN = {"/cases/{handle}/waive": "Waivable", "/cases/{handle}/repair": "Repairable"}


def _answer(path: str, method: str) -> str:
    """What a route answers, by the name of its schema."""
    if method == "get" and path in _SHOWN:
        return _SHOWN[path]
    if path == "/cases/{handle}":
        return "WholeCase"
    if path.startswith("/cases/"):
        return "Case"
    return {"/cases": "Cases", "/claims/search": "Found", "/claims": "Accepted"}.get(path, "")


def _content(about: str, media: str, name: str) -> dict[str, Any]:
    return {"description": about, "content": {media: {"schema": _reference(name)}}}


def _reference(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _schemas() -> dict[str, Any]:
    case = TypeAdapter(Case).json_schema(ref_template="#/components/schemas/{model}")
    act = TypeAdapter(Act).json_schema(ref_template="#/components/schemas/{model}")
    inner = case.pop("$defs", {}) | act.pop("$defs", {})
    case["properties"] |= {
        "urgency": TypeAdapter(Urgency).json_schema(),
        "days_left": {"anyOf": [_NUMBER, {"type": "null"}], "description": "To the last day to file"},
    }
    decision = dict.fromkeys(("decision_id", "moment", "disposition"), _TEXT)
    more = {
        "decisions": _list({"type": "object", "properties": {
            **decision, "superseded": {"type": "boolean"}, "codes": _list(_TEXT),
            "content": {"description": "claim.json and report.json; null: only the audit log had it"},
        }}),
        "acts": _list({"type": "object", "properties": {
            **dict.fromkeys(("id", "handle", "state", "text"), _TEXT), "act": act,
        }}),
    }  # fmt: skip
    cases = _list(_reference("Case"))
    summed: dict[str, dict[str, Any]] = {
        "next": {"anyOf": [_TEXT, {"type": "null"}], "description": "To be given back as `after`; null: the last page"},
        "total": _NUMBER, "charge_cents": _NUMBER,
        "expected": {"description": "Of cases of which it is known for every line; null: of none", "anyOf": [
            _object(cases=_NUMBER, charge_cents=_NUMBER, low_cents=_NUMBER, high_cents=_NUMBER), {"type": "null"},
        ]},
    }  # fmt: skip
    finding = _object(
        name={**_TEXT, "description": "CODE@LINE, with ? where it could not be determined"}, severity=_TEXT,
        message=_TEXT, fix=_TEXT, citation={"type": "object"},
        expected_denial={"anyOf": [{"type": "object"}, {"type": "null"}]},
    )  # fmt: skip
    return {
        **inner,
        "Case": case,
        "WholeCase": {"allOf": [_reference("Case"), {"type": "object", "properties": more}]},
        "Cases": _object(cases=cases, **summed),
        "Found": _object(cases=cases, unknown=_list(_TEXT), **summed),
        "Waivable": _object(
            handle=_TEXT, version=_NUMBER, decision_id=_TEXT, findings=_list(finding),
            content={**_TEXT, "description": "Digest of the claim"},
        ),
        "Repairable": _object(
            handle=_TEXT, version=_NUMBER, decision_id=_TEXT, codes=_list(_TEXT), confirm=_list(_TEXT),
            content={**_TEXT, "description": "Digest of the claim, repaired"},
            changes=_list(_object(path=_TEXT, label=_TEXT, was=_TEXT, becomes=_TEXT)),
        ),
        "Accepted": _object(source=_TEXT, events=_list(_TEXT), accepted=_NUMBER),
        "Problem": _object(type=_TEXT, title=_TEXT, status=_NUMBER, detail=_TEXT),
    }  # fmt: skip


def _list(of: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": of}


def _object(**properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}
