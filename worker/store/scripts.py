"""The Lua scripts that run in Redis. Each says at its head what its KEYS, ARGV and answers are."""

from __future__ import annotations

from importlib.resources import files


def script(name: str) -> str:
    """The text of one of the Lua scripts beside this module."""
    return files("worker.store").joinpath("lua", f"{name}.lua").read_text(encoding="utf-8")
