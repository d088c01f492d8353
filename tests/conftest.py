"""What tests of all folders share."""

from __future__ import annotations

import os

import pytest


@pytest.fixture
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting comes from outside."""
    for name in [name for name in os.environ if name.startswith("SCRUB_")]:
        monkeypatch.delenv(name)
