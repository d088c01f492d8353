"""RFC 6902 on decoded JSON: the three operations that a rule's repair may use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def patched(document: Any, operations: Iterable[Mapping[str, Any]]) -> Any:
    """The document with the operations done in order: another one, which shares with it what none of them touches.

    Raises:
        LookupError: a path leads nowhere.
    """
    result = document
    for operation in operations:
        path = [part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]]
        result = _with(result, path, operation)
    return result


def _with(node: Any, path: Sequence[str], operation: Mapping[str, Any]) -> Any:
    copy: Any = node[:] if isinstance(node, list) else {**node}
    first, *rest = path
    if not rest:
        _do(operation, copy, first)
        return copy
    key: Any = int(first) if isinstance(copy, list) else first
    copy[key] = _with(copy[key], rest, operation)
    return copy


def _do(operation: Mapping[str, Any], node: Any, last: str) -> None:
    if isinstance(node, list):
        if operation["op"] == "add":
            node.insert(len(node) if last == "-" else int(last), operation["value"])
            return
        key: Any = int(last)
    else:
        key = last
    if operation["op"] != "add":
        node[key]  # a member that is replaced or removed must be there
    if operation["op"] == "remove":
        del node[key]
    else:
        node[key] = operation["value"]
