"""The imperative shell: Redis streams, Celery, audit log and command line around the rules.

The way of a claim is `worker.pipeline`; every package and its layer is in docs/architecture.md.
"""
