"""The worker's own process: Celery's parts, heartbeat, presence, maintenance on a timer. Tasks: `worker.tasks`."""
