"""What a reader in Python imports: `from worker.outlets import consume`."""

from worker.client import consume
from worker.pipeline.outlets import OutletEntry

__all__ = ["OutletEntry", "consume"]
