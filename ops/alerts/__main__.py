"""Writes ops/alerts/claim-scrubber.yaml, for Loki, and ops/alerts/prometheus.yaml."""

import sys
from pathlib import Path

from ops import generated
from ops.alerts import figures, rules

if __name__ == "__main__":
    here = Path(__file__).parent
    files = {here / "claim-scrubber.yaml": rules.document(), here / "prometheus.yaml": figures.document()}
    sys.exit(generated.write(files, "make boards"))
