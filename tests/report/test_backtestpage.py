"""The page of a backtest in a real browser: light, dark, on a phone and printed; nothing asked of a network."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.backtest import year
from tests.backtest.running import backtested
from worker.reporting.backtestpage import page

from .browser import BINARY, Browser, browser

needs_browser = pytest.mark.skipif(not BINARY, reason="no Chromium on PATH (Debian: apt install chromium)")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("result")
    written = year.write(folder, 800)
    file = folder / "result.html"
    file.write_text(page(backtested(written.claims, written.answers, least=11)), "utf-8")
    return file


@pytest.fixture(scope="module")
def tab() -> Iterator[Browser]:
    with browser() as found:
        yield found


@needs_browser
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1280, 390])
def test_it_is_shown_whole_and_asks_nothing_of_a_network(tab: Browser, made: Path, width: int, dark: bool) -> None:
    tab.open(made, width=width, dark=dark)
    assert tab.complaints == []
    assert tab.requests == [made.as_uri()]
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert tab.evaluate("document.querySelectorAll('.tile').length") == 6
    seen = "[...document.querySelectorAll('.ranges')].map(one => [one.getAttribute('aria-label').length, one.clientHeight])"
    assert all(label > 20 and height > 50 for label, height in tab.evaluate(seen))
    inside = "[...document.querySelectorAll('.ranges')].every(one => one.scrollWidth <= one.parentElement.clientWidth)"
    assert tab.evaluate(inside)
    paper = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, paper[4:-1].split(","))) < 200) == dark


@needs_browser
def test_nothing_is_cut_off_in_print(tab: Browser, made: Path) -> None:
    tab.open(made, width=800)
    tab.call("Emulation.setEmulatedMedia", media="print")
    cut = "[...document.querySelectorAll('.scroll')].filter(one => one.scrollHeight > one.clientHeight + 1).length"
    assert tab.evaluate(cut) == 0
    tab.call("Emulation.setEmulatedMedia", media="")


@needs_browser
def test_its_policy_lets_no_request_out(tab: Browser, made: Path) -> None:
    tab.open(made)
    assert tab.evaluate("fetch('http://127.0.0.1:9/').then(() => 'out', () => 'stopped')") == "stopped"
    assert any("Content Security Policy" in json.dumps(entry) for entry in tab.complaints)


def test_estimates_are_drawn_as_such_and_what_is_few_is_not_shown(made: Path) -> None:
    text = made.read_text("utf-8")
    assert text.count('class="estimated"') == 2
    assert text.count('class="measured"') >= 1
    assert "about $" in text
    assert "&lt;11" in text
    assert "In-sample: the book is of 2026-11-01" in text
    assert "<script" not in text
    for private in ("CANARY", "ROE", "Y0000001", "ICNY"):
        assert private not in text
