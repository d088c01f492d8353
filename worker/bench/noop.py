"""A Celery task that does nothing, on the same Redis: what a message a claim would cost before any checking.

Celery's own defaults, but for what makes it faster: no results, no events, no rate limits, the largest usual prefetch.
"""

from __future__ import annotations

from celery import Celery

from worker.config.settings import load_settings
from worker.store import connections

QUEUE = "bench-noop"

app = Celery("noop", broker=connections.broker_url(load_settings()))
app.conf.update(
    task_ignore_result=True,
    worker_send_task_events=False,
    worker_disable_rate_limits=True,
    worker_prefetch_multiplier=64,
    task_default_queue=QUEUE,
    broker_connection_retry_on_startup=True,
    worker_hijack_root_logger=False,
)


@app.task(name="noop")
def noop() -> None:
    """Nothing."""
