"""Writes the published schemas from the models: `python -m ops.schemas`; `--check` fails where a file is stale.

ops/schema/claim.json      JSON Schema (2020-12) of a claim
ops/schema/report.json     JSON Schema of a report
ops/schema/backtest.json   JSON Schema of what `scrub backtest --format json` writes
ops/schema/manifest.json   JSON Schema of the manifest of a split 837
ops/schema/certificate.json JSON Schema of what `scrub certificate` writes
ops/schema/asyncapi.json   AsyncAPI 3.0 of the inbox and the outlets
ops/schema/openapi.json    OpenAPI 3.1 of what `scrub serve` has for programs
ops/schema/rule.json       and the other files that people write: ops/ruleschemas.py
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from ops import generated, ruleschemas
from rules.book.suggested import CHANGE_CLASSES
from rules.claim import Claim
from rules.report import Report
from worker.backtest.result import BacktestResult
from worker.certificate.content import SignedCertificate
from worker.exits.manifest import Manifest
from worker.intake.events import ClaimEvent
from worker.pipeline.expected import ToldLine
from worker.pipeline.outlets import QUARANTINED, REASONS, SCRUBBED, QuarantineData, ScrubbedData
from worker.serve import openapi
from worker.store.keys import FIELD, Keys
from worker.store.outletspecs import SPECS

FOLDER = Path(__file__).parent / "schema"
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema_of(kind: Any, title: str) -> dict[str, Any]:
    """A self-contained JSON Schema."""
    return {"$schema": DIALECT, "title": title, **TypeAdapter(kind).json_schema()}


def report_schema() -> dict[str, Any]:
    """That of a report, with what stands beside it where `scrub check --format json` writes it."""
    schema, beside = schema_of(Report, "report"), TypeAdapter(ToldLine).json_schema()
    schema["$defs"] |= beside.pop("$defs")
    schema["$defs"]["ToldLine"] = beside
    schema["properties"]["expected"] = {
        "description": "Of a held claim, by `scrub check` alone: what its lines of the book's procedures are expected "
        "to bring, beside their charges. Absent: the claim is not held, or has no such line.",
        "items": {"$ref": "#/$defs/ToldLine"},
        "type": "array",
    }
    schema["properties"]["suggestions"] = {
        "description": "Of a held claim, by `scrub check` alone: ways out, for a person to confirm against the record. "
        "Absent: nothing is suggested.",
        "items": _SUGGESTION,
        "type": "array",
    }
    schema["properties"]["tried"] = {
        "description": "With `--try`: what the claim would be with the first suggestion of each finding; nothing was "
        "changed or sent.",
        "type": "object",
    }
    return schema


_TEXTS = {"type": "array", "items": {"type": "string"}}
_OPERATION = {
    "type": "object",
    "required": ["op", "path", "class"],
    "properties": {
        "op": {"enum": ["replace", "add", "remove"]},
        "path": {"type": "string"},
        "value": {},
        "class": {"enum": list(CHANGE_CLASSES), "description": "Who reads RFC 6902 passes it over."},
    },
    "additionalProperties": False,
}
_SUGGESTION = {
    "type": "object",
    "required": ["key", "code", "rule", "line", "class", "confirm", "paths", "patch"],
    "properties": {
        "key": {"type": "string", "pattern": "^[0-9]+[a-z]$", "description": "By which `--fix` names it."},
        "code": {"type": "string"},
        "rule": {"type": "string", "description": "The rule file in the library, without its ending."},
        "line": {"type": ["integer", "null"]},
        "class": {
            "enum": list(CHANGE_CLASSES),
            "description": "format: the same value, written otherwise; decision: the record decides; follows: goes "
            "with the rest of the claim.",
        },
        "confirm": {**_TEXTS, "description": "What a person confirms before making the change."},
        "paths": {**_TEXTS, "description": "What it changes, as JSON pointers."},
        "patch": {
            "type": "array",
            "items": _OPERATION,
            "description": "RFC 6902 on the claim. Empty where a value names a person: `scrub rework try` has it.",
        },
    },
    "additionalProperties": False,
}


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
                "description": "The entry that was judged: [<partition>:][<stream>:]<id>, the inbox without a stream.",
            },
            "producer": {**text, "description": "The registered producer that sent it; absent: it shares the inbox."},
            "eventsource": {**text, "description": "`source` of the claim event."},
            "eventid": {**text, "description": "`id` of the claim event."},
            "receiveddate": {
                **text,
                "format": "date",
                "description": "Day that stood in, as the claim has no received date, or none that counts.",
            },
            "claimrevision": {
                **text,
                "description": "Which version of its claim it is, where the id of the inbox entry does not say so.",
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
    report = schemas["Report"]["properties"]
    report["editions"] = {"anyOf": [report["editions"], _NAME]}
    report["gaps"]["items"] = {"anyOf": [report["gaps"]["items"], _NAME]}
    schemas["ClaimScrubbed"] = _envelope(SCRUBBED, _reference("ScrubbedData"))
    schemas["ClaimQuarantined"] = _envelope(QUARANTINED, _reference("QuarantineData"))
    return schemas


_NAME = {
    "type": "string",
    "pattern": "^[0-9a-f]{24}$",
    "description": "A name in place of what many reports say alike: HGET {claims:N}:texts NAME, on the partition of "
    "the entry, is the JSON that stands here. A name is for ever of one text, so keep what was asked once; it is the "
    "start of the text's SHA-256. What came in under layout 1 has no names.",
}


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
    own = f"The stream of the registered producer NAME, on which it alone puts claims. {says}"
    channels["producer"] = _channel(keys.stream("NAME"), own, "claim.submitted.v1", "ClaimEvent")
    operations: dict[str, Any] = {
        "submit": {"action": "receive", "channel": {"$ref": "#/channels/inbox"}},
        "submit_registered": {"action": "receive", "channel": {"$ref": "#/channels/producer"}},
    }
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
            "description": "Claims go in at the stream of a registered producer, or at the inbox that all others "
            "share, and come out, checked, at exactly one outlet. Operations are those of the worker.",
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
        "report.json": report_schema(),
        "backtest.json": schema_of(BacktestResult, "backtest"),
        "manifest.json": schema_of(Manifest, "manifest of a split"),
        "certificate.json": schema_of(SignedCertificate, "certificate"),
        "asyncapi.json": asyncapi(),
        "openapi.json": openapi.document(),
        **ruleschemas.documents(),
    }


if __name__ == "__main__":
    files = {FOLDER / name: json.dumps(document, indent=2) + "\n" for name, document in documents().items()}
    sys.exit(generated.write(files, "make schemas"))
