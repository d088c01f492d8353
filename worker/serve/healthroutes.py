"""Whether it lives, whether it can serve, and figures for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from redis.exceptions import RedisError

from rules.errors import ScrubError
from worker.monitoring.figures import PREFIX, figures
from worker.monitoring.reconciliation import Reconciliation, reconcile
from worker.serve.identity import Asking
from worker.serve.problems import Problem
from worker.serve.serving import Serving

router = APIRouter()
_FAMILIES = {"gauge": GaugeMetricFamily, "counter": CounterMetricFamily}


@router.get("/healthz", summary="Whether the process lives", response_class=Response)
async def healthz() -> Response:
    """Nothing else is looked at: a restart helps nothing else."""
    return Response(b'{"status":"ok"}', media_type="application/json")


@router.get("/readyz", summary="Whether it can serve", response_class=Response)
def readyz(request: Request) -> Response:
    """503 where Redis does not answer, the audit log cannot be written, or the tokens cannot be read. Without the case
    store checks and claims go on; it is named.
    """
    serving: Serving = request.app.state.serving
    found: dict[str, str] = {}
    for name, look in (
        ("redis", serving.look_at_redis),
        ("audit", serving.look_at_audit),
        ("tokens", serving.gate.tokens.all),
    ):
        found[name] = _state(look)
    ready = set(found.values()) == {"ok"}
    found["case_store"] = _state(serving.look_at_cases)
    found["book"] = serving.book_said
    if ready:
        return Response(orjson.dumps({"status": "ready", **found}), media_type="application/json")
    return Problem(503, "not-ready", "It cannot serve now.", found, {"Retry-After": "5"}).response()


def _state(look: Any) -> str:
    try:
        look()
    except (ScrubError, RedisError, OSError):
        return "unusable"
    return "ok"


@router.get("/metrics", summary="Figures for Prometheus", response_class=Response)
def metrics(request: Request, asking: Asking) -> Response:
    """As `scrub status` knows them, and the times of this service. Wants the right admin."""
    asking.may("admin")
    serving: Serving = request.app.state.serving
    found = reconcile(serving.store.redis, serving.store.keys)
    registry = CollectorRegistry()
    registry.register(_Figures([*_queue(found), *_cases(serving)]))
    return Response(generate_latest(registry) + generate_latest(serving.times.registry), media_type=CONTENT_TYPE_LATEST)


class _Figures:
    """Figures that were looked up."""

    def __init__(self, figures: list[Metric]) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        yield from self._figures


def _queue(found: Reconciliation) -> Iterator[Metric]:
    for one in figures(found):
        labels = [one.label] if one.label else []
        family = _FAMILIES[one.kind](PREFIX + one.name, one.about, labels=labels)
        for value, number in one.samples:
            family.add_metric([value] if one.label else [], number)
        yield family


def _cases(serving: Serving) -> Iterator[Metric]:
    try:
        with serving.cases().session() as session:
            count = session.open_count()
    except ScrubError:
        count = None
    yield GaugeMetricFamily("scrub_case_store_up", "1: the case store answers", int(count is not None))
    if count is not None:
        yield GaugeMetricFamily("scrub_cases_open", "Cases on which somebody has something to do", count)
    judging = GaugeMetricFamily("scrub_judging", "Calls in hand of the processes that judge", labels=["lane"])
    died = CounterMetricFamily("scrub_judging_died", "Times that such a process died", labels=["lane"])
    for lane in serving.judges.lanes:
        judging.add_metric([lane.name], lane.in_hand)
        died.add_metric([lane.name], lane.died)
    yield judging
    yield died
