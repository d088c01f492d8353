"""The index template and the lnav format: as generated, true to real lines, and read by the real lnav."""

from __future__ import annotations

import csv
import io
import os
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest

from ops import logformats
from tests.report.generated import lines
from worker.audit.log import AuditLog
from worker.monitoring.line import reconciliation_fields
from worker.store.keyring import Ring

LNAV = shutil.which("lnav")
_FITS: dict[str, type | tuple[type, ...]] = {
    "keyword": str, "long": int, "double": (int, float), "boolean": bool, "date": str, "text": str,
}  # fmt: skip


@pytest.mark.parametrize("file", logformats.files())
def test_the_file_is_what_the_field_lists_say(file: Path) -> None:
    assert file.read_text() == logformats.files()[file]


def test_every_field_of_real_lines_has_a_type_that_fits(tmp_path: Path) -> None:
    properties = logformats.index_template()["template"]["mappings"]["properties"]
    for line in lines(300):
        for name, value in line.items():
            for one in value if isinstance(value, list) else [value]:
                assert one is None or isinstance(one, _FITS[properties[name]["type"]]), name
    assert set(reconciliation_fields()) <= properties.keys()


def test_no_field_is_both_a_value_and_an_object() -> None:
    """Elasticsearch makes objects of the dots: `a.b` beside `a` would be refused."""
    names = logformats.index_template()["template"]["mappings"]["properties"]
    assert not [(one, other) for one in names for other in names if other.startswith(f"{one}.")]


@pytest.mark.skipif(not LNAV, reason="no lnav on PATH (Debian: apt install lnav)")
def test_the_real_lnav_installs_the_format_shows_lines_and_counts_them(tmp_path: Path) -> None:
    assert LNAV
    environment = {**os.environ, "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "config"), "TERM": "dumb"}

    def lnav(*arguments: str | Path) -> str:
        done = subprocess.run(
            [LNAV, *map(str, arguments)], capture_output=True, text=True, env=environment, check=False
        )
        assert done.returncode == 0, done.stderr
        assert "error" not in done.stderr, done.stderr
        return done.stdout

    audit = AuditLog(tmp_path / "audit", Ring.of(b"k" * 32))
    given: list[Any] = [dict(line) for line in lines(40)]
    audit.write([{key: value for key, value in line.items() if not key.startswith("audit.")} for line in given])  # type: ignore[misc]
    audit.close()
    tender = {"@timestamp": "2026-10-01T00:00:00.000000Z", "log.level": "error", "message": "the books do not balance"}
    (tmp_path / "worker.log").write_bytes(
        orjson.dumps({**tender, "event.action": "queue.books", "queue.balance": 1}) + b"\n"
    )

    lnav("-i", logformats.LNAV)
    shown = lnav("-n", audit.file)
    assert "claim.scrubbed     billing" in shown
    assert "claim.patient_hash" not in shown, "what is not in the line stays out of sight"
    sql = ';SELECT "claim.disposition" AS went, count(*) AS n, sum("claim.charge_cents") AS cents FROM claim_scrubber GROUP BY 1'
    rows = list(csv.DictReader(io.StringIO(lnav("-n", "-c", sql, "-c", ":write-csv-to -", audit.file))))
    expected = Counter(line["claim.disposition"] for line in given)
    assert {row["went"]: int(row["n"]) for row in rows if row["went"] != "<NULL>"} == expected
    cents = sum(line.get("claim.charge_cents") or 0 for line in given)
    assert sum(int(row["cents"]) for row in rows if row["cents"] != "<NULL>") == cents
    levels = lnav("-n", "-c", ";SELECT log_level, \"queue.balance\" FROM claim_scrubber", "-c", ":write-csv-to -", tmp_path / "worker.log")  # fmt: skip
    assert levels.split() == ["log_level,queue.balance", "error,1"]
    assert "the books do not balance" in lnav("-n", tmp_path / "worker.log")
