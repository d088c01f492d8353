"""Operations on decoded JSON: what they make, and that what they were given stays as it is."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from rules.engine.patch import patched

CLAIM: dict[str, Any] = {"a/b": "1", "lines": [{"number": 1, "modifiers": ["RT"]}, {"number": 2}]}


def put(op: str, path: str, value: object = None) -> dict[str, Any]:
    return {"op": op, "path": path, "value": value}


def test_operations_are_done_in_order() -> None:
    steps = [
        put("replace", "/lines/0/modifiers/0", "LT"), put("add", "/lines/-", {"number": 3}),
        put("add", "/lines/2/units", "1"), put("remove", "/lines/1"), put("replace", "/a~1b", "2"),
    ]  # fmt: skip
    after = patched(CLAIM, steps)
    assert after == {"a/b": "2", "lines": [{"number": 1, "modifiers": ["LT"]}, {"number": 3, "units": "1"}]}


def test_neither_the_document_nor_the_operations_are_changed() -> None:
    steps = [put("add", "/lines/-", {"number": 3}), put("add", "/lines/2/units", "1"), put("remove", "/lines/0")]
    before, asked = deepcopy(CLAIM), deepcopy(steps)
    patched(CLAIM, steps)
    assert before == CLAIM
    assert asked == steps


@pytest.mark.parametrize("path", ["/none", "/lines/7", "/lines/0/none", "/none/0"])
def test_a_path_that_leads_nowhere_is_refused(path: str) -> None:
    with pytest.raises(LookupError):
        patched(CLAIM, [put("replace", path, "1")])
