"""What a producer in Python imports: `from worker.inbox import submit`."""

from worker.client import submit
from worker.pipeline.producer import Receipt

__all__ = ["Receipt", "submit"]
