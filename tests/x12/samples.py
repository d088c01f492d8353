"""Where the public samples are; they are read in place and never copied into the project."""

from __future__ import annotations

import os
from pathlib import Path

SAMPLES = Path(os.environ.get("SCRUB_SAMPLES", Path(__file__).parents[3] / "shared" / "samples"))
