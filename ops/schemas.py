"""Writes the published schemas from the models: `python -m ops.schemas`; `--check` fails where a file is stale.

ops/schema/claim.json      JSON Schema (2020-12) of a claim
ops/schema/report.json     JSON Schema of a report
ops/schema/asyncapi.json   AsyncAPI 3.0 of the inbox and the outlets
ops/schema/rule.json       and the other files that people write: ops/ruleschemas.py
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from ops import generated, ruleschemas
from rules.claim import Claim
from rules.report import Report
from worker.intake.events import ClaimEvent
from worker.pipeline.outlets import QUARANTINED, REASONS, SCRUBBED, QuarantineData, ScrubbedData
from worker.store.keys import FIELD, Keys
from worker.store.outletspecs import SPECS

FOLDER = Path(__file__).parent / "schema"
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema_of(kind: Any, title: str) -> dict[str, Any]:
    """A self-contained JSON Schema."""
    return {"$schema": DIALECT, "title": title, **TypeAdapter(kind).json_schema()}


def _envelope(kind: str, data: dict[str, Any]) -> dict[str, Any]:
    """A CloudEvent of this type around the data."""
    text = {"type": "string"}
    return {
        "type": "object",
        "required": ["specversion", "id", "source", "type", "time", "data"],
        "properties": {
            "specversion": {"const": "1.0"},
            "id": {**text, "description": "Decision id: the same decision has the same id, however often it is read."},
            "source": text,
            "type": {"const": kind},
            "time": {**text, "format": "date-time"},
            "datacontenttype": {"const": "application/json"},
            "inboxentry": {
                **text,
                "description": "The inbox entry that was judged; with several partitions <partition>:<id>.",
            },
            "eventsource": {**text, "description": "`source` of the claim event."},
            "eventid": {**text, "description": "`id` of the claim event."},
            "receiveddate": {
                **text,
                "format": "date",
                "description": "Day that stood in, as the claim has no received date.",
            },
            "traceparent": text,
            "data": data,
        },
    }


def _schemas() -> dict[str, Any]:
    """The schemas that messages share, by name."""
    kinds: list[Any] = [ClaimEvent, ScrubbedData, QuarantineData]
    _, shared = TypeAdapter.json_schemas(
        [(kind, "validation", TypeAdapter(kind)) for kind in kinds], ref_template="#/components/schemas/{model}"
    )
    schemas: dict[str, Any] = shared["$defs"]
    schemas["ClaimEvent"]["properties"]["data"] = _reference("Claim")
    schemas["QuarantineData"]["properties"]["reason"]["enum"] = list(REASONS)
    schemas["ClaimScrubbed"] = _envelope(SCRUBBED, _reference("ScrubbedData"))
    schemas["ClaimQuarantined"] = _envelope(QUARANTINED, _reference("QuarantineData"))
    return schemas


def _reference(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _channel(address: str, says: str, message: str, schema: str) -> dict[str, Any]:
    payload = _reference(schema)
    body = {"name": message, "contentType": "application/cloudevents+json", "payload": payload}
    return {"address": address, "description": says, "messages": {schema: body}}


def asyncapi() -> dict[str, Any]:
    """The streams that producers write and consumers read."""
    keys = Keys(0)
    says = (
        f"A Redis stream; XADD one field `{FIELD}` that holds the JSON of the event. In CloudEvents' binary mode: a "
        "field `ce_id`, `ce_source`, ... for each attribute, `content-type`, and `data` with the claim as JSON."
    )
    channels: dict[str, Any] = {"inbox": _channel(keys.inbox, says, "claim.submitted.v1", "ClaimEvent")}
    operations: dict[str, Any] = {"submit": {"action": "receive", "channel": {"$ref": "#/channels/inbox"}}}
    for name, spec in SPECS.items():
        says = f"{spec.about} A Redis stream; field `{FIELD}` of each entry holds the JSON."
        schema, kind = ("ClaimScrubbed", SCRUBBED) if spec.judged else ("ClaimQuarantined", QUARANTINED)
        channels[name] = _channel(keys.outlet(name), says, kind, schema)
        operations[f"publish_{name}"] = {"action": "send", "channel": {"$ref": f"#/channels/{name}"}}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "claim-scrubber",
            "version": "1.0.0",
            "description": "Claims go in at the inbox and come out, checked, at exactly one outlet. "
            "Operations are those of the worker: it receives from the inbox and sends to the outlets.",
        },
        "defaultContentType": "application/cloudevents+json",
        "channels": channels,
        "operations": operations,
        "components": {"schemas": _schemas()},
    }


def documents() -> dict[str, dict[str, Any]]:
    """Every generated file, by name."""
    return {
        "claim.json": schema_of(Claim, "claim"),
        "report.json": schema_of(Report, "report"),
        "asyncapi.json": asyncapi(),
        **ruleschemas.documents(),
    }


if __name__ == "__main__":
    files = {FOLDER / name: json.dumps(document, indent=2) + "\n" for name, document in documents().items()}
    sys.exit(generated.write(files, "make schemas"))
