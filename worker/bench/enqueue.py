"""`python -m worker.bench.enqueue COUNT` puts so many no-op tasks on the queue."""

from __future__ import annotations

import sys

from worker.bench.noop import app, noop


def main() -> None:
    """Over one connection."""
    with app.producer_pool.acquire() as producer:
        for _ in range(int(sys.argv[1])):
            noop.apply_async(producer=producer)


if __name__ == "__main__":
    main()
