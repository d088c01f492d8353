"""The doctor's examinations that need no Redis."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.book import BOOK
from worker import doctor
from worker.settings import load_settings

pytestmark = pytest.mark.usefixtures("unset")


def test_another_version_of_a_package_is_ill_and_names_what_was_expected(monkeypatch: pytest.MonkeyPatch) -> None:
    assert {finding.level for finding in doctor.packages()} == {"well"}
    real: Callable[[str], str] = doctor.version
    monkeypatch.setattr(doctor, "version", lambda name: "5.7.0" if name == "celery" else real(name))
    (finding,) = doctor.packages()
    assert (finding.level, finding.sentence) == ("ill", "celery is 5.7.0, expected ==5.6.3.")


def test_sources_past_their_review_date_are_named() -> None:
    book = BOOK
    first = min(source.review_by for source in book.sources.values() if source.review_by)
    assert "sources" not in {finding.about for finding in doctor.rule_book(book, first)}
    finding, *_ = doctor.rule_book(book, first + timedelta(days=1))
    assert (finding.level, finding.about) == ("poor", "sources")
    assert f"(since {first})" in finding.sentence


def test_tables_that_do_not_speak_of_today_are_named() -> None:
    found = {finding.about: finding for finding in doctor.rule_book(BOOK, date(1990, 1, 1))}
    assert "ncci_ptp" in found["tables"].sentence


def test_folders_that_others_may_write_and_a_full_disk_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings(state_dir=tmp_path / "state")
    assert {finding.level for finding in doctor.folders(settings)} == {"well"}
    assert not settings.state_dir.exists()
    settings.state_dir.mkdir()
    settings.state_dir.chmod(0o777)
    settings.secret_path.write_text("short")
    usage: Any = lambda _: type("Usage", (), {"free": 1, "total": 100})  # noqa: E731
    monkeypatch.setattr(doctor.shutil, "disk_usage", usage)
    found = {finding.about: finding.level for finding in doctor.folders(settings)}
    assert found == {"state folder": "ill", "secret": "ill", "audit folder": "well", "disk": "ill"}
