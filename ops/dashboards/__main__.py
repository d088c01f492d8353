"""Writes ops/dashboards/*.json."""

import sys
from pathlib import Path

from ops import generated
from ops.dashboards.boards import documents

if __name__ == "__main__":
    folder = Path(__file__).parent
    files = {folder / name: text for name, text in documents().items()}
    sys.exit(generated.write(files, "make boards"))
