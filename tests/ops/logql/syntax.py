"""LogQL parsed by Grafana's own grammar (npm @grafana/lezer-logql), installed from the lock file beside this."""

from __future__ import annotations

import fcntl
import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
NODE = shutil.which("node") if shutil.which("npm") else None
# Grafana puts a duration there before Loki sees the expression.
_MACRO = re.compile(r"\$__(?:auto|range|interval)")


@dataclass(frozen=True)
class Node:
    """A node of a syntax tree with the text that it spans; positions are UTF-16 units, and all of ours is ASCII."""

    name: str
    text: str
    error: bool
    children: tuple[Node, ...]

    def walk(self) -> Iterator[Node]:
        yield self
        for child in self.children:
            yield from child.walk()

    def all(self, *names: str) -> list[Node]:
        return [node for node in self.walk() if node.name in names]

    def child(self, *names: str) -> Node | None:
        return next((child for child in self.children if child.name in names), None)


class NotLogql(Exception):
    """The grammar does not take this expression."""


def concrete(expression: str, span: str = "5m", **variables: str) -> str:
    """As Grafana sends it: macros and variables filled in."""
    text = _MACRO.sub(span, expression)
    for name, value in variables.items():
        text = text.replace(f"${name}", value)
    return text


def parse(expressions: Sequence[str]) -> list[Node]:
    """The syntax trees.

    Raises:
        NotLogql: with the first expression that is none, and what is left of it from the fault on.
    """
    _install()
    assert NODE
    done = subprocess.run(
        [NODE, "parse.mjs"], cwd=FOLDER, input=json.dumps(list(expressions)), capture_output=True, text=True, check=True
    )
    return [_node(tree, text) for tree, text in zip(json.loads(done.stdout), expressions, strict=True)]


def _install() -> None:
    lock = FOLDER / "package-lock.json"
    with lock.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        installed = FOLDER / "node_modules" / ".package-lock.json"
        if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
            command = ["npm", "ci", "--silent", "--no-fund", "--no-audit", "--ignore-scripts"]
            subprocess.run(command, cwd=FOLDER, check=True, capture_output=True)
            installed.touch()


def _node(tree: dict[str, Any], text: str) -> Node:
    if tree["error"]:
        raise NotLogql(f"{text}\nfrom here on: {text[tree['start'] :]!r}")
    children = tuple(_node(child, text) for child in tree["children"])
    return Node(tree["name"], text[tree["start"] : tree["end"]], tree["error"], children)
