"""Whether the nightly snapshots of ledgers and event memory still come, for the doctor."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from worker.doctor.diagnosis import Diagnosis
from worker.pipeline.snapshot import files

_LATE = timedelta(hours=36)


def snapshots(folder: Path, now: datetime) -> Iterator[Diagnosis]:
    """Nothing where none was ever made: that is a decision."""
    try:
        found = files(folder)
    except OSError as error:
        yield Diagnosis("poor", "snapshots", f"{folder} cannot be read ({error.strerror}).", "Mend its owner.")
        return
    if not found:
        return
    digits = "".join(re.findall(r"\d+", found[-1].name))
    made = datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    sentence = f"The newest of {len(found)} is of {made:%Y-%m-%d %H:%M}Z."
    if now - made > _LATE:
        yield Diagnosis("poor", "snapshots", sentence, "See why `scrub snapshot` no longer runs every night.")
    else:
        yield Diagnosis("well", "snapshots", sentence)
