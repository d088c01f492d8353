"""The operational log: JSON, and nothing of what an exception says."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal

import pytest

from worker.logs import operational as logs


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


def test_of_a_broken_broker_the_address_the_kind_of_error_and_the_next_try_are_reported(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.configure("info")
    arguments = ("redis://worker:**@queue:6379//", ConnectionError("CANARY"), "Trying again in 2 seconds...")
    logging.getLogger("celery.worker.consumer.consumer").error("consumer: Cannot connect to %s: %s.\n%s\n", *arguments)
    (line,) = lines(capsys)
    assert line["message"] == (
        "consumer: Cannot connect to redis://worker:**@queue:6379//: ConnectionError.\nTrying again in 2 seconds..."
    )


def test_of_others_lines_about_an_error_kinds_and_numbers_are_filled_in_and_no_text(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.configure("info")
    logging.getLogger("other").error("%s failed after %d: %r", "CANARY", 3, ValueError("CANARY"))
    logging.getLogger("other").error("%(name)s: %(exc)s", {"name": "CANARY", "exc": "CANARY"})
    logging.getLogger("other").error("%s %.1f", ValueError("CANARY"), Decimal(1))
    assert [line["message"] for line in lines(capsys)] == ["... failed after 3: ValueError", "...: ...", "%s %.1f"]


def test_where_no_log_was_asked_for_nothing_is_printed_on_standard_output() -> None:
    code = "from worker.logs.operational import log; log('worker.pipeline.notification').debug('CANARY'); log('worker.pipeline.notification').warning('seen')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    assert "CANARY" not in done.stderr
    assert "seen" in done.stderr
