"""The page in a real browser: drawn, light and dark, on a phone; nothing on its console, nothing asked of a network."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from worker.reporting import theme

from .browser import BINARY, Browser, browser
from .generated import lines, write

SCRUB = str(Path(sys.executable).with_name("scrub"))
PLOTS = {
    "over-time", "by-payer", "clean-over-time", "findings", "denials", "undetermined", "throughput", "latency", "backlog",
}  # fmt: skip
needs_browser = pytest.mark.skipif(not BINARY, reason="no Chromium on PATH (Debian: apt install chromium)")


def report(log: Path, page: Path) -> Path:
    subprocess.run([SCRUB, "report", str(log), "-o", str(page)], check=True, capture_output=True)
    return page


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    return report(write(folder / "audit.jsonl", 4_000), folder / "month.html")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page that `make run` leaves."""
    folder = tmp_path_factory.mktemp("demo")
    subprocess.run([SCRUB, "demo", "--state", str(folder / "d")], check=True, capture_output=True)
    return folder / "d" / "report.html"


@pytest.fixture(scope="module")
def tab() -> Iterator[Browser]:
    with browser() as found:
        yield found


def drawn(tab: Browser) -> dict[str, int]:
    """How many marks each plot has."""
    script = "Object.fromEntries([...document.querySelectorAll('.plot')].map(p => [p.id, p.querySelectorAll('svg [role=graphics-symbol], svg .mark-line path').length]))"
    found: dict[str, int] = tab.evaluate(script)
    return found


@needs_browser
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1280, 390])
def test_every_plot_is_drawn_and_nothing_is_on_the_console_nor_asked_of_a_network(
    tab: Browser, month: Path, width: int, dark: bool
) -> None:
    tab.open(month, width=width, dark=dark)
    found = drawn(tab)
    assert found.keys() == PLOTS
    assert all(found.values()), found
    labels = tab.evaluate("[...document.querySelectorAll('.plot[role]')].map(plot => plot.getAttribute('aria-label'))")
    assert len(labels) == len(PLOTS)
    assert all(labels), "what a screen reader says of a plot"
    assert tab.complaints == []
    assert tab.requests == [month.as_uri()]
    assert tab.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.slow
@needs_browser
def test_the_page_of_a_demonstration_is_drawn_too(tab: Browser, demo: Path) -> None:
    tab.open(demo)
    found = drawn(tab)
    assert {"by-payer", "findings", "denials"} <= found.keys()
    assert all(found.values()), found
    assert (tab.complaints, tab.requests) == ([], [demo.as_uri()])


@needs_browser
def test_its_policy_lets_no_request_out(tab: Browser, month: Path) -> None:
    tab.open(month)
    tried = "fetch('http://127.0.0.1:9/').then(() => 'out', () => 'stopped')"
    assert tab.evaluate(tried) == "stopped"
    tab.evaluate("document.title")
    assert any("Content Security Policy" in json.dumps(entry) for entry in tab.complaints)


@needs_browser
def test_it_follows_the_reader_from_light_to_dark_and_keeps_the_payer_that_was_chosen(
    tab: Browser, month: Path
) -> None:
    tab.open(month)
    choose = "{ const s = document.querySelector('#over-time select'); s.value = 'Aetna'; s.dispatchEvent(new Event('change')) }"
    heights = (
        "[...document.querySelectorAll('#over-time svg .mark-rect path')].map(p => p.getAttribute('aria-label')).join()"
    )
    all_payers = tab.evaluate(heights)
    tab.evaluate(choose)
    tab.evaluate("new Promise(done => setTimeout(done, 300))")
    assert tab.evaluate(heights) != all_payers
    fill = "document.querySelector('#findings svg .mark-rect path').getAttribute('fill')"
    light = (tab.evaluate("getComputedStyle(document.body).backgroundColor"), tab.evaluate(fill))
    tab.scheme(dark=True)
    tab.evaluate("new Promise(done => setTimeout(done, 1500))")
    dark = (tab.evaluate("getComputedStyle(document.body).backgroundColor"), tab.evaluate(fill))
    assert (light[1], dark[1]) == (theme.LIGHT["rework"], theme.DARK["rework"])
    assert light[0] != dark[0]
    assert tab.evaluate("document.querySelector('#over-time select').value") == "Aetna"


def test_every_plot_has_its_numbers_as_a_table_in_the_same_figure(month: Path) -> None:
    text = month.read_text().split("<script>")[0]
    figures = re.findall(r"<figure>.*?</figure>", text, re.DOTALL)
    plotted = [figure for figure in figures if 'class="plot"' in figure]
    assert len(plotted) == len(PLOTS)
    without = [figure for figure in plotted if "<table>" not in figure]
    # Throughput, latency and backlog have one table, under the backlog.
    assert [re.findall(r'id="([a-z-]+)"', figure) for figure in without] == [["throughput"], ["latency"]]
    assert text.count("<caption>") == text.count("<table>")
    assert all('scope="row"' in figure for figure in figures if "<tbody><tr>" in figure)


def test_no_claim_number_no_patient_hash_and_no_trace_is_on_it(month: Path) -> None:
    text = month.read_text()
    logged = [json.loads(line) for line in (month.parent / "audit.jsonl").read_text().splitlines()[::80]]
    names = ("claim.claim_id", "claim.patient_hash", "claim.decision_id", "claim.event", "trace.id", "queue.entry")
    for name in names:
        values = {line[name] for line in logged if line.get(name)}
        assert len(values) > 20, f"the log names {name}"
        assert [value for value in values if value in text] == [], name


def test_nothing_of_a_log_can_become_markup(tmp_path: Path) -> None:
    line: dict[str, Any] = next(line for line in lines(200) if line.get("rule.block"))
    evil = "</script><script>alert(1)</script><img src=x>"
    line |= {"rule.block": [evil], "rule.denials": [evil], "claim.payer": evil, "book.version": evil, "host.name": evil}
    (tmp_path / "audit.jsonl").write_text(json.dumps(line))
    text = report(tmp_path / "audit.jsonl", tmp_path / "evil.html").read_text()
    assert evil not in text
    assert "<img src=x" not in text


def _luminance(color: str) -> float:
    parts = (int(color[place : place + 2], 16) / 255 for place in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """As WCAG 2 has it."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(
    ("page", "marks", "series"),
    [(theme.LIGHT_PAGE, theme.LIGHT, theme.SERIES_LIGHT), (theme.DARK_PAGE, theme.DARK, theme.SERIES_DARK)],
)
def test_text_and_marks_stand_out_as_wcag_asks(page: dict[str, str], marks: dict[str, str], series: Any) -> None:
    for ground in (page["paper"], page["ground"]):
        assert min(contrast(page[name], ground) for name in ("ink", "quiet")) >= 4.5
    assert contrast(marks["plain"], page["paper"]) >= 4.5, "links"
    assert contrast(marks["billing"], page["paper"]) >= 4.5, "the figure in the bar"
    assert min(contrast(color, page["paper"]) for color in (*marks.values(), *series)) >= 3


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_million_lines_take_bounded_memory(tmp_path: Path) -> None:
    log = write(tmp_path / "audit.jsonl", 1_000_000)
    code = (
        "import resource, sys\n"
        "from worker.cli import main\n"
        "try: main()\n"
        "finally: print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    command = [sys.executable, "-c", code, "report", str(log), "-o", str(tmp_path / "r.html")]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    kilobytes = int(done.stdout.split()[-1])
    print(f"{log.stat().st_size / 1e6:.0f} MB of log, {kilobytes / 1e3:.0f} MB of memory")
    assert kilobytes < 900_000
    assert (tmp_path / "r.html").stat().st_size < 2_000_000
