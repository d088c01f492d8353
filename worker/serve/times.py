"""How long requests take, for /metrics: by the name of the route, never by the path that was asked for."""

from __future__ import annotations

import time

from prometheus_client import CollectorRegistry, Histogram

_BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Times:
    """How long requests took, by route and status."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._seconds = Histogram(
            "scrub_http_seconds", "Time of requests", ["route", "status"], registry=self.registry, buckets=_BUCKETS
        )

    def took(self, route: str, status: int, since: float) -> None:
        """Notes a request that ended now."""
        self._seconds.labels(route, status).observe(time.perf_counter() - since)
