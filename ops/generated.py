"""What all generators share: writing files, or with `--check` naming those that are stale."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parent.parent


def write(files: Mapping[Path, str], how: str) -> int:
    """Writes the files, or with `--check` on the command line names the stale ones and answers 1.

    `how`: the command that mends it.
    """
    check = "--check" in sys.argv[1:]
    stale = [file for file, text in files.items() if not file.exists() or file.read_text("utf-8") != text]
    for file in stale:
        sys.stderr.write(f"{file.relative_to(ROOT)}: {f'is stale; run: {how}' if check else 'written'}\n")
        if not check:
            file.parent.mkdir(exist_ok=True)
            file.write_text(files[file], "utf-8")
    return 1 if check and stale else 0
