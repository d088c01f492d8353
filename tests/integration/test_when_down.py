"""The page for an outage: its commands run, and its way of bringing the books together bills nothing twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run, home, scrub
from tests.filing.filed import of
from worker.config.settings import load_settings
from worker.store import opening

from .helpers import Worker, settled, until
from .test_runbook import FENCE, ROOT, Section, World, is_there, it_runs, sections, world

__all__ = ["home", "scrub", "world"]
TEXT = (ROOT / "ops/when-it-is-down.md").read_text()
SECTIONS = sections(TEXT)


def mine(*marks: str) -> list[Section]:
    return [section for section in SECTIONS for mark in marks if mark in section.blocks]


@pytest.mark.slow
@pytest.mark.parametrize("section", mine(""), ids=lambda section: section.title)
def test_what_a_section_says_to_run_runs(section: Section, world: World, tmp_path: Path) -> None:
    (tmp_path / "march.837").write_bytes(of("C-1", "H-2"))
    (tmp_path / "sent-by-hand").mkdir()
    (tmp_path / "sent-by-hand/march.837").write_bytes(of("C-1"))
    it_runs("\n".join(section.blocks[""]), world, tmp_path)


def test_what_it_asks_of_docker_is_there_and_nothing_else_hides_a_command() -> None:
    is_there([block for section in mine("docker") for block in section.blocks["docker"]])
    assert {mark for section in SECTIONS for mark in section.blocks} == {"", "docker"}
    assert TEXT.count("```") == 2 * len(FENCE.findall(TEXT))


@pytest.mark.slow
def test_what_was_sent_by_hand_and_comes_again_is_held_as_a_duplicate_and_not_billed(scrub: Run, home: Path) -> None:
    """Claims waited on the queue when it went down; some of them were billed by hand, and all are sent again after."""
    (home / "march.837").write_bytes(of("C-1", "C-2"))
    (home / "by-hand.837").write_bytes(of("C-1"))
    with opening.open_store(load_settings(state_dir=home / "state")) as store:
        assert scrub("submit", "march.837").returncode == 0  # no worker runs: they wait
        assert scrub("history", "import", "by-hand.837").returncode == 0
        worker = Worker(home / "state").wait_ready(60)
        try:
            assert scrub("submit", "march.837").returncode == 0
            settled(store, store.redis.xinfo_stream(store.keys.inbox)["entries-added"], 60)
            until(lambda: "C-2" in scrub("tail", "billing").stdout, 30)
        finally:
            worker.stop(40)
    assert "C-1" not in scrub("tail", "billing").stdout
    listed = scrub("rework", "list", "--code", "DUP001")
    assert (listed.returncode, "C-1" in listed.stdout) == (1, True), "1: there is work"
    closed = scrub("rework", "close", "C-1", "--as", "billed_elsewhere", "--note", "sent by hand in the outage")
    assert closed.returncode == 0, closed.stderr
    assert scrub("audit", "verify", *sorted((home / "state/audit").iterdir())).returncode == 0


def test_the_page_is_named_where_people_look_when_it_is_down() -> None:
    for place, name in (("README.md", "ops/when-it-is-down.md"), ("ops/runbook.md", "when-it-is-down.md")):
        assert f"({name})" in (ROOT / place).read_text(), place


def test_what_it_says_of_trial_files_and_folders_is_so(scrub: Run, home: Path) -> None:
    (home / "march.837").write_bytes(of("C-1"))
    assert scrub("check", "--split", "out", "march.837").returncode == 0
    raw = (home / "out/march.trial.clean.837").read_bytes()
    assert raw.split(b"~")[0].split(b"*")[15] == b"T"
