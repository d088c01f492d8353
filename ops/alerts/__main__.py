"""Writes ops/alerts/claim-scrubber.yaml."""

import sys
from pathlib import Path

from ops import generated
from ops.alerts.rules import document

if __name__ == "__main__":
    sys.exit(generated.write({Path(__file__).parent / "claim-scrubber.yaml": document()}, "make boards"))
