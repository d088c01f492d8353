"""JSON that is safe to look at, and to send on: valid whatever the text in it, and without a raw control character."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from rules.printable import printable

__all__ = ["json_bytes", "printable"]


def json_bytes(value: Any, *, indent: bool = False, default: Callable[[Any], Any] | None = None) -> bytes:
    """The value as JSON on one line, or with `indent` on many, without the last line's end.

    What is not printable is written as `\\uXXXX`: DEL, C1 controls, bidirectional controls and line separators are
    legal in JSON, and steer a terminal. It reads back as the same value, except that a byte of a file name that is not
    UTF-8 becomes text, such as `\\\\xfc`.
    """
    option = orjson.OPT_INDENT_2 if indent else 0
    try:
        found = orjson.dumps(value, default=default, option=option)
    except TypeError:  # maybe a lone surrogate, which JSON has no bytes for
        found = orjson.dumps(_encodable(value), default=default, option=option)
    if found.isascii() and b"\x7f" not in found:
        return found
    return "".join(c if c.isprintable() or c == "\n" else _escaped(c) for c in found.decode()).encode()


def _escaped(character: str) -> str:
    units = character.encode("utf-16-be").hex()
    return "".join(f"\\u{units[start : start + 4]}" for start in range(0, len(units), 4))


def _encodable(value: Any) -> Any:
    if isinstance(value, str):
        return "".join(printable(c) if "\ud800" <= c <= "\udfff" else c for c in value)
    if isinstance(value, Mapping):
        return {_encodable(key): _encodable(held) for key, held in value.items()}
    if isinstance(value, list | tuple):
        return [_encodable(held) for held in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _encodable({field.name: getattr(value, field.name) for field in dataclasses.fields(value)})
    return value
