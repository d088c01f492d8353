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
from worker.monitoring.reconciliation import Reconciliation, reconcile
from worker.serve.identity import Asking
from worker.serve.problems import Problem
from worker.serve.serving import Serving

router = APIRouter()


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
    for name, value, about in (
        ("waiting", found.waiting, "Claims that no worker has had yet"),
        ("in_flight", found.in_flight, "Claims that a worker has in hand"),
        ("oldest_seconds", found.oldest or 0, "Age of the oldest claim without a decision; 0: none"),
        ("hold", int(found.hold is not None), "1: the workers take no more claims for now"),
        ("hold_seconds", found.held, "For how long"),
        ("full", int(found.full), "1: producers are told to wait"),
        ("unreconciled", abs(found.balance), "Claims by which the books are off"),
        ("workers_alive", len(found.alive), "Workers that are alive"),
    ):
        yield GaugeMetricFamily(f"scrub_{name}", about, value)
    yield CounterMetricFamily("scrub_accepted", "Claims that were accepted", found.accepted)
    yield CounterMetricFamily("scrub_repeated", "Events that were sent again", found.repeated)
    decided = CounterMetricFamily("scrub_decided", "Claims that were decided", labels=["route"])
    unread = GaugeMetricFamily("scrub_outlet_unread", "Entries that the slowest group has not done", labels=["outlet"])
    for outlet in found.outlets:
        decided.add_metric([outlet.name], outlet.count)
        unread.add_metric([outlet.name], outlet.unread)
    yield decided
    yield unread


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
