"""What a batch frees is there for the next one: no page of it is mapped again.

glibc gives back to the system what was large as soon as it is freed, and in a worker each commit is.
"""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

_BATCHES = """
import resource, sys
from worker.process import gctuning
if sys.argv[1] == "kept":
    gctuning.keep_freed()

def batch():
    parts = [b"x" * 3_600 for _ in range(200)]
    return len(b"".join(parts)), len(bytes(bytearray(900_000)))

for _ in range(20):
    batch()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(100):
    batch()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_a_batch_has_the_pages_of_the_one_before() -> None:
    faults = {
        how: int(subprocess.run([sys.executable, "-c", _BATCHES, how], capture_output=True, check=True).stdout)
        for how in ("kept", "given back")
    }
    assert faults["kept"] < 200, faults
    assert faults["given back"] > 5 * faults["kept"], faults
