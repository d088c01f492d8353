"""The imperative shell: Redis streams, Celery, audit log and command line around the rules.

The way of a claim is `worker.pipeline`; every package and its layer is in docs/architecture.md.
"""

from os.path import dirname

import rules as _rules

if getattr(_rules, "PROJECT", None) != "claim-scrubber" or dirname(dirname(_rules.__file__)) != dirname(__path__[0]):
    # Not among worker.errors: those need the `rules` that is missing here.
    raise ImportError(
        f"claim-scrubber cannot start: the package `rules` that Python finds ({_rules.__file__}) is not the one that"
        f" belongs to it ({dirname(__path__[0])}/rules). Another package of that name, or a file rules.py on PYTHONPATH"
        " or in this folder, goes before it or has overwritten it. Install claim-scrubber in an environment of its own,"
        " with nothing beside it (ops/install.md), and unset PYTHONPATH."
    )
