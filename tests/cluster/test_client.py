"""A cluster behind the face of one Redis.

redis-py#2914: no EVALSHA in its cluster's pipelines; redis-py#3130: a timeout in one makes it unusable; redis-py#3310:
no way back after a failover.
"""

from __future__ import annotations

import time

from redis.crc import key_slot

from worker.store.cluster import ClusterClient, everywhere
from worker.store.connections import Store
from worker.store.keys import Keys
from worker.store.pipelined import PipelinedCommand

from .conftest import PARTITIONS
from .nodes import Nodes

PARTS = Keys(0, PARTITIONS).all


def test_the_partitions_of_these_tests_are_on_three_nodes(store: Store, nodes: Nodes) -> None:
    assert isinstance(store.redis, ClusterClient)
    assert len({nodes.holds(part.partition) for part in PARTS}) == 3
    assert len({store.redis.home(part) for part in PARTS}) == 3
    assert len(everywhere(store.redis)) == 3
    assert len({key_slot(part.meta.encode()) for part in PARTS}) == PARTITIONS


def test_what_names_several_partitions_is_split_and_answered_in_order(store: Store) -> None:
    names = [part.end(str(number)) for number in range(3) for part in PARTS]
    for name in names[1:]:
        store.redis.set(name, name)
    assert store.redis.mget(names) == [None, *(name.encode() for name in names[1:])]
    assert store.redis.exists(*names) == len(names) - 1
    assert store.redis.unlink(*names[:6]) == 5
    assert store.redis.delete(*names) == len(names) - 6
    with store.redis.pipeline() as pipeline:
        for name in names:
            pipeline.set(name, f"of {name}")
            pipeline.get(name)
            pipeline.eval("return KEYS[1]", 1, name)
        assert pipeline.execute() == [one for name in names for one in (True, f"of {name}".encode(), name.encode())]
    assert {name.decode() for name in store.redis.scan_iter(match="{claims:*}:end:*", count=10)} == set(names)


def test_streams_of_several_partitions_are_read_together_and_waited_for(store: Store) -> None:
    streams = {part.outlet("billing"): "0" for part in PARTS}
    began = time.monotonic()
    assert store.redis.xread(streams, block=300) == []
    assert 0.3 <= time.monotonic() - began < 2
    for stream in streams:
        store.redis.xgroup_create(stream, "mine", id="0", mkstream=True)
        store.redis.xadd(stream, {"event": stream})
    found = store.redis.xreadgroup("mine", "me", dict.fromkeys(streams, ">"), count=10, block=1000)
    assert {(name, page[0][1][b"event"]) for name, page in found} == {(one.encode(), one.encode()) for one in streams}
    assert store.redis.xreadgroup("mine", "me", dict.fromkeys(streams, ">"), count=10) == []


def test_an_answer_may_come_later_from_whichever_node_holds_the_partition(store: Store) -> None:
    sent = [PipelinedCommand(store.once, "EVAL", "return KEYS[1]", 1, part.meta) for part in PARTS]
    assert [one.answer() for one in sent] == [part.meta.encode() for part in PARTS]
