"""What tests of all folders share."""

from __future__ import annotations

import os
import platform

import pytest
from hypothesis import settings

from worker.errors import ServerMissing
from worker.store.serverbinary import choose

settings.register_profile("shared machine", deadline=None)  # how long an example takes says what else runs there
settings.load_profile("shared machine")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says on what they ran; a header would not be printed under -q."""
    try:
        server = str(choose(None))
    except ServerMissing as missing:
        server = f"none. {missing}"
    if named := os.environ.get("TEST_REDIS_SERVER"):
        server += f"; {named} where tests start one of their own (TEST_REDIS_SERVER)"
    terminalreporter.write_line(f"Python {platform.python_version()}; server: {server}")


@pytest.fixture
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting comes from outside."""
    for name in [name for name in os.environ if name.startswith("SCRUB_")]:
        monkeypatch.delenv(name)
