"""What a worker does not give back after each batch, since the next one wants it again."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import gc, resource
from worker import collector

def batch():
    blocks = [bytes(2_000) for _ in range(2_000)] + [bytes(600_000)]
    del blocks

{spare}
batch()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    batch()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before, gc.get_freeze_count())
"""


def faults(spare: str) -> tuple[int, int]:
    """Pages that five batches asked the system for, and how many objects are no longer looked at for cycles."""
    command = [sys.executable, "-c", PROGRAM.format(spare=spare)]
    pages, frozen = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return int(pages), int(frozen)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's heap can be told to keep what is free")
def test_the_next_batch_finds_the_memory_of_the_one_before() -> None:
    assert faults("collector.spare()")[0] < faults("")[0] / 10


def test_what_is_there_at_the_start_is_not_looked_through_for_cycles() -> None:
    assert faults("")[1] == 0
    assert faults("collector.spare()")[1] > 1_000
