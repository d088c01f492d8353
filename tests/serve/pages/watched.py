"""Debian's Chromium with a page open, and what it complains of."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = "/usr/bin/chromium"
MANAGER = "scrub-read,scrub-work,scrub-waive,scrub-admin"
UNCLOSED = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
"""Playwright's own event loop is closed by the process alone."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not (Path(CHROMIUM).exists() or shutil.which("chromium")):
        pytest.skip(f"there is no Chromium at {CHROMIUM}")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


class Watched:
    """A page, with all that its browser complains of and all that it asks for."""

    def __init__(self, browser: Any, url: str, **about: Any) -> None:
        self.context = browser.new_context(viewport={"width": 1440, "height": 900}, **about)
        self.page, self.url = self.context.new_page(), url
        self.said: list[str] = []
        self.foreign: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda one: one.url.startswith(url) or self.foreign.append(one.url))

    def go(self, path: str) -> None:
        self.page.goto(f"{self.url}{path}")

    @property
    def clean(self) -> bool:
        """But for the browser's own word on a page that is an error by its status."""
        return not self.foreign and not [one for one in self.said if "Failed to load resource" not in one]


def as_dana(**more: str) -> dict[str, Any]:
    return {"extra_http_headers": {"X-Forwarded-User": "dana", "X-Forwarded-Groups": MANAGER, **more}}
