"""Which revision of the source this process runs, where it can be known: two of one version are not always the same."""

from __future__ import annotations

import json
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

_LENGTH = 12


@cache
def revision() -> str:
    """Twelve digits of the commit, of a checkout or of what was installed from a repository; empty: nobody knows."""
    return (_installed() or _checked_out(Path(__file__).parents[2]))[:_LENGTH]


def _installed() -> str:
    """As pip noted it (PEP 610)."""
    try:
        told = distribution("claim-scrubber").read_text("direct_url.json")
        return str(json.loads(told or "{}").get("vcs_info", {}).get("commit_id", ""))
    except (PackageNotFoundError, ValueError, AttributeError):
        return ""


def _checked_out(folder: Path) -> str:
    """As git's own files say it; a linked worktree has its branches in the repository that it belongs to."""
    try:
        git = folder / ".git"
        if git.is_file():
            git = (folder / git.read_text("utf-8").removeprefix("gitdir:").strip()).resolve()
        common = git / "commondir"
        home = (git / common.read_text("utf-8").strip()).resolve() if common.is_file() else git
        head = (git / "HEAD").read_text("utf-8").strip()
        if not head.startswith("ref: "):
            return head
        name = head.removeprefix("ref: ")
        if (home / name).is_file():
            return (home / name).read_text("utf-8").strip()
        packed = (home / "packed-refs").read_text("utf-8").splitlines()
        return next((line.split()[0] for line in packed if line.endswith(f" {name}")), "")
    except (OSError, UnicodeDecodeError):
        return ""
