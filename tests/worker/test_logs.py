"""The operational log: JSON, and nothing of what an exception says."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest

from worker import logs


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_our_lines_and_those_of_others_are_json_with_ecs_names(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info")
    logs.log("worker.x").info("one", **{"queue.waiting": 3})
    logging.getLogger("other").warning("two %s", 2)
    ours, theirs = lines(capsys)
    assert (ours["message"], ours["queue.waiting"], ours["log.level"]) == ("one", 3, "info")
    assert (theirs["message"], theirs["log.logger"]) == ("two 2", "other")


def test_of_an_exception_only_type_and_place_are_kept(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info")
    try:
        raise ValueError("CANARY")
    except ValueError as error:
        logging.getLogger("other").exception("failed on %s", "CANARY")
        logging.getLogger("other").error("raised: %r", error)
        logging.getLogger("other").error("%(name)s: %(exc)s", {"name": "scrub", "exc": "CANARY"})
        logs.log("worker.x").error("ours", exc_info=True)
    found = lines(capsys)
    assert "CANARY" not in str(found)
    assert found[0]["error.type"] == found[3]["error.type"] == "builtins.ValueError"
    assert str(found[0]["error.stack_trace"]).startswith("['test_logs.py:")
