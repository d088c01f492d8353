"""RFC 6902 on decoded JSON: the three operations that a rule's repair may use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Any


def patched(document: Any, operations: Iterable[Mapping[str, Any]]) -> Any:
    """A copy of the document with the operations done in order.

    Raises:
        LookupError: a path leads nowhere.
    """
    result = deepcopy(document)
    for operation in operations:
        *parents, last = [part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]]
        node = result
        for part in parents:
            node = node[int(part)] if isinstance(node, list) else node[part]
        _do(operation, node, last)
    return result


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
