"""Celery's consumer, which says that the main loop turns also while it waits for its broker.

No timer runs then: kombu sleeps between two attempts, and calls back every second. An attempt that hangs does not.
"""

from __future__ import annotations

from typing import Any

from celery.worker.consumer import Consumer as Celerys


class Consumer(Celerys):
    """For the setting `worker_consumer`."""

    def ensure_connected(self, conn: Any) -> Any:
        """Celery's, with a turn of the loop for each second that it waits."""
        from worker.app import heartbeat

        ensure = conn.ensure_connection

        def turning(*arguments: Any, callback: Any = None, **options: Any) -> Any:
            def turn() -> None:
                heartbeat.turn()
                if callback:
                    callback()

            return ensure(*arguments, callback=turn, **options)

        conn.ensure_connection = turning
        try:
            return super().ensure_connected(conn)
        finally:
            del conn.ensure_connection
