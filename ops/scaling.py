"""Writes ops/kubernetes/scaling.yaml: `python -m ops.scaling PARTITIONS [PRODUCER...]`.

KEDA gives the autoscaler one figure a trigger, and that takes the largest, not the sum. What waits is spread over the
streams of all partitions, or lies on the first one until it is forwarded: so the triggers are added up by a formula
(`scalingModifiers`, KEDA 2.12 or later). Each has a name, which the formula uses, and which may have no hyphen.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from worker.store.keys import GROUP, INNER, SHARED, Keys

FILE = Path(__file__).parent / "kubernetes/scaling.yaml"
LAG = 5_000
"""Claims that wait, for each worker: some seconds of its work."""
_PRODUCER = re.compile(r"[a-z][a-z0-9-]{0,31}")
_HEAD = """\
# Workers by what waits. Two at least: one may be away, and a notification is answered at once. Written for one
# partition and senders without names; else python -m ops.scaling PARTITIONS [PRODUCER...] (runbook, Partitions).
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata:
  name: worker
spec:
  scaleTargetRef: {name: worker}
  minReplicaCount: 2
  maxReplicaCount: 8
  pollingInterval: 15
  cooldownPeriod: 300
  # KEDA cannot see the queue: keep what two busy workers need rather than fall to the least.
  fallback: {failureThreshold: 4, replicas: 4}
  advanced:
    horizontalPodAutoscalerConfig:
      behavior:
        scaleDown:
          stabilizationWindowSeconds: 300
          policies: [{type: Pods, value: 1, periodSeconds: 60}]
"""
_TAIL = """\
---
# The user `monitor` sees lengths and lags, and no claim.
apiVersion: keda.sh/v1alpha1
kind: TriggerAuthentication
metadata:
  name: redis-monitor
spec:
  secretTargetRef:
    - {parameter: username, name: claim-scrubber, key: monitor-user}
    - {parameter: password, name: claim-scrubber, key: redis-monitor}
    - {parameter: ca, name: claim-scrubber, key: ca.crt}
"""


def streams(partitions: int, producers: Sequence[str] = ()) -> dict[str, str]:
    """By the names of their triggers, the streams on which claims come in. What workers pass on to other partitions
    counts where there are several."""
    kinds = {"inbox": SHARED, **({"inner": INNER} if partitions > 1 else {})}
    kinds |= {f"in_{name.replace('-', '_')}": name for name in producers}
    return {
        f"{kind}_{keys.partition}": keys.stream(name)
        for keys in Keys(0, partitions).all
        for kind, name in kinds.items()
    }


def text(partitions: int = 1, producers: Sequence[str] = ()) -> str:
    """The file."""
    named = streams(partitions, producers)
    lines = [_HEAD]
    if len(named) > 1:
        lines.append(f'    scalingModifiers:\n      formula: {" + ".join(named)}\n      target: "{LAG}"\n')
        lines.append("      metricType: AverageValue\n")
    lines.append("  triggers:\n")
    lines += [_trigger(name, stream) for name, stream in named.items()]
    return "".join([*lines, _TAIL])


def _trigger(name: str, stream: str) -> str:
    return f"""\
    - type: redis-streams
      name: {name}
      metadata:
        address: redis.redis.svc:6379
        enableTLS: "true"
        databaseIndex: "0"
        stream: "{stream}"
        consumerGroup: {GROUP}
        # Claims that wait, for each worker: some seconds of its work.
        lagCount: "{LAG}"
      authenticationRef: {{name: redis-monitor}}
"""


def _asked(words: Sequence[str]) -> str:
    number, *producers = words or ["1"]
    if not number.isdecimal() or not 1 <= int(number) <= 256:
        sys.exit(f"expected a number of partitions from 1 to 256, not {number!r}")
    if wrong := [name for name in producers if not _PRODUCER.fullmatch(name)]:
        sys.exit(f"expected names of producers, as `scrub producer list` shows them, not {wrong[0]!r}")
    return text(int(number), producers)


if __name__ == "__main__":
    FILE.write_text(_asked(sys.argv[1:]), "utf-8")
    sys.stdout.write(f"{FILE.relative_to(Path(__file__).parents[1])}: written\n")
