"""Writes what other log tools need of the field lists: `python -m ops.logformats`; `--check` fails where one is stale.

ops/elastic/index-template.json   composable index template for Elasticsearch and OpenSearch
ops/lnav/claim-scrubber.json      log format for lnav (https://lnav.org): lnav -i ops/lnav/claim-scrubber.json
"""

from __future__ import annotations

import json
import sys
from typing import Any

from ops import generated
from worker.audit.lines import AuditLine
from worker.logs.fields import Kind, LineField, fields_of
from worker.monitoring.line import reconciliation_fields

ELASTIC = generated.ROOT / "ops" / "elastic" / "index-template.json"
LNAV = generated.ROOT / "ops" / "lnav" / "claim-scrubber.json"
OPERATIONAL = ("@timestamp", "log.level", "log.logger", "message", "service.name", "error.type", "error.stack_trace")
"""What the operational log has on any line, by `worker.logs.operational`; all of them text."""
_ELASTIC: dict[Kind, str] = {
    "text": "keyword", "whole": "long", "decimal": "double", "flag": "boolean", "texts": "keyword",
    "wholes": "long",
}  # fmt: skip
_LNAV: dict[Kind, str] = {
    "text": "string", "whole": "integer", "decimal": "float", "flag": "boolean", "texts": "json",
    "wholes": "json",
}  # fmt: skip
_IDENTIFIERS = ("claim.claim_id", "claim.decision_id", "claim.payer", "queue.entry", "trace.id", "batch.id")


def _fields() -> dict[str, LineField]:
    lists = {**fields_of(AuditLine), **reconciliation_fields()}
    more = {name: LineField(name, "text", "of the operational log") for name in OPERATIONAL if name not in lists}
    return {**more, **lists}


def index_template() -> dict[str, Any]:
    """Field types for Elasticsearch 7.8 or later and OpenSearch; dotted names become objects by themselves."""
    properties: dict[str, Any] = {name: {"type": _ELASTIC[field.kind]} for name, field in _fields().items()}
    properties["@timestamp"] = {"type": "date"}
    properties["message"] = {"type": "text"}
    properties["claim.problems"] = {"type": "text"}
    return {
        "index_patterns": ["claim-scrubber-*"],
        "priority": 200,
        "template": {
            "settings": {"index": {"sort.field": "@timestamp", "sort.order": "desc"}},
            "mappings": {"dynamic": False, "date_detection": False, "properties": dict(sorted(properties.items()))},
        },
        "_meta": {
            "description": "Audit log and operational log of claim-scrubber; names by the Elastic Common Schema."
        },
    }


def lnav_format() -> dict[str, Any]:
    """One format for both logs: lnav distinguishes JSON logs by their time field alone, which they share."""
    columns = {"log.level": 7, "event.action": 17, "message": 0, "claim.disposition": 10, "claim.payer": 8}
    columns |= {"claim.claim_id": 14, "rule.block": 0, "error.code": 0, "error.type": 0}
    line: list[Any] = [{"field": "__timestamp__"}]
    for name, width in columns.items():
        line += [" ", {"field": name, "default-value": "", "min-width": width}]
    shown = {*columns, "queue.waiting", "queue.oldest_s", "queue.balance"}  # the last three of maintenance
    values: dict[str, Any] = {}
    for name, field in _fields().items():
        if name != "@timestamp":
            values[name] = {"kind": _LNAV[field.kind], "description": field.about, "hidden": name not in shown}
            values[name] |= {"identifier": True} if name in _IDENTIFIERS else {}
    return {
        "$schema": "https://lnav.org/schemas/format-v1.schema.json",
        "claim_scrubber": {
            "title": "claim-scrubber",
            "description": "Audit log and operational log.",
            "url": "https://docs.lnav.org/en/latest/formats.html",
            "file-type": "json",
            "timestamp-field": "@timestamp",
            "level-field": "log.level",
            "level": {"error": "^(error|critical)$", "warning": "^warning$", "info": "^info$", "debug": "^debug$"},
            "opid-field": "claim.decision_id",
            "body-field": "message",
            "hide-extra": True,
            "line-format": line,
            "value": values,
        },
    }


def files() -> dict[Any, str]:
    """Every generated file."""
    return {
        ELASTIC: json.dumps(index_template(), indent=2) + "\n",
        LNAV: json.dumps(lnav_format(), indent=2) + "\n",
    }


if __name__ == "__main__":
    sys.exit(generated.write(files(), "make boards"))
