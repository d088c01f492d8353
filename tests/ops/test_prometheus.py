"""The figures and the alerts on them, by Prometheus' own promtool: each fires on figures that are wrong and on no others."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from ops.alerts.figures import alerts, document
from worker.monitoring.figures import PREFIX, exposition, figures
from worker.monitoring.reconciliation import Hold, Incoming, Mark, Outlet, Reconciliation
from worker.store.outletspecs import OUTLETS

RULES = Path(__file__).parents[2] / "ops/alerts/prometheus.yaml"
needs_promtool = pytest.mark.skipif(not shutil.which("promtool"), reason="no promtool on PATH (Debian: prometheus)")


def reconciliation(**changes: Any) -> Reconciliation:
    counts: dict[str, Any] = dict.fromkeys(
        ("repeated", "requeued", "forwarded", "received", "dropped", "waiting", "in_flight"), 0
    )
    given = {
        "moment": 1000.0, "accepted": 7, **counts, "oldest_waiting": None, "oldest_in_flight": None,
        "outlets": tuple(Outlet(name, 7 * (name == "billing"), 0, ()) for name in OUTLETS), "consumers": (), "workers": (),
        "hold": None, "rate": None,
    }  # fmt: skip
    return Reconciliation(**given | changes)


def told(**changes: Any) -> str:
    return "\n".join(exposition(figures(reconciliation(**changes)))) + "\n"


def values(text: str) -> dict[str, float]:
    return {
        f"{one.name}{''.join(one.labels.values())}": one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def test_figures_are_what_the_reconciliation_is() -> None:
    found = values(told())
    assert found["scrub_accepted_total"] == 7
    assert found["scrub_decided_totalbilling"] == 7
    assert {f"scrub_outlet_unread{name}" for name in OUTLETS} <= found.keys()
    assert (found["scrub_unreconciled"], found["scrub_hold"], found["scrub_oldest_seconds"]) == (0, 0, 0)
    wrong = values(
        told(
            accepted=10,
            waiting=2,
            oldest_waiting=44.5,
            hold=Hold(990.0, "x"),
            full=True,
            incoming=(Incoming("ehr", 5, 0, 0, 3),),
        )
    )
    assert (wrong["scrub_unreconciled"], wrong["scrub_hold_seconds"], wrong["scrub_full"]) == (1, 10, 1)
    assert (wrong["scrub_oldest_seconds"], wrong["scrub_producers_deleted"]) == (44.5, 2)
    still = values(told(accepted=9, waiting=2, marks=(Mark(900.0, 7), Mark(1000.0, 7))))
    assert still["scrub_standstill_seconds"] == 100


@needs_promtool
def test_promtool_finds_nothing_to_say_of_the_figures() -> None:
    done = subprocess.run(["promtool", "check", "metrics"], input=told(), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    done = subprocess.run(
        ["promtool", "check", "metrics"], input="# TYPE x counter\nx 1\n", capture_output=True, text=True, check=False
    )
    assert done.returncode != 0


def test_the_file_is_what_the_code_says_and_asks_for_figures_that_there_are() -> None:
    assert RULES.read_text() == document()
    there = {PREFIX + one.name + "_total" * (one.kind == "counter") for one in figures(reconciliation())}
    there |= {"scrub_doctor_poor", "scrub_doctor_ill"}
    for alert in alerts():
        asked = set(re.findall(r"scrub_\w+", alert.expression))
        assert asked
        assert asked <= there, alert.name


def test_the_places_of_the_doctor_that_alerts_ask_for_are_those_that_it_speaks_of() -> None:
    source = "".join(file.read_text() for file in (RULES.parents[2] / "worker/doctor").glob("*.py"))
    for alert in alerts():
        for places in re.findall(r'about=~"([^"]+)"', alert.expression):
            assert not [place for place in places.split("|") if f'"{place}"' not in source], alert.name


FIGURES = {
    "scrub_unreconciled": "0x42", "scrub_accepted_total": "0+1x42", "scrub_workers_alive": "2x42", "scrub_standstill_seconds": "3x42",
    "scrub_hold_seconds": "10x42", "scrub_producers_deleted": "0x42", "scrub_full": "0x42", "scrub_oldest_seconds": "4x42",
    'scrub_outlet_unread{outlet="billing"}': "5x42", 'scrub_outlet_unread{outlet="quarantine"}': "900000x42",
}  # fmt: skip
PLACES = ("audit folder", "disk", "tables", "gaps", "sources", "watch", "certificates", "passwords", "snapshots")
WELL = FIGURES | {f'scrub_doctor_{level}{{about="{place}"}}': "0x42" for place in PLACES for level in ("poor", "ill")}
FIRES: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "BooksDoNotBalance": ({"scrub_unreconciled": "3x42"}, {}),
    "NoFigures": ({"scrub_accepted_total": "1 stale _x41"}, {}),
    "NoWorker": ({"scrub_workers_alive": "0x42"}, {}),
    "NothingDecided": ({"scrub_standstill_seconds": "31x42"}, {}),
    "WorkersWait": ({"scrub_hold_seconds": "301x42"}, {}),
    "AuditUnwritable": ({'scrub_doctor_ill{about="audit folder"}': "1x42"}, {"about": "audit folder"}),
    "DiskFills": ({'scrub_doctor_poor{about="disk"}': "1x42"}, {"about": "disk"}),
    "ProducerDeletesClaims": ({"scrub_producers_deleted": "1x42"}, {}),
    "ProducersWait": ({"scrub_full": "1x42"}, {}),
    "OldestClaimTooOld": ({"scrub_oldest_seconds": "301x42"}, {}),
    "OutletUnread": ({'scrub_outlet_unread{outlet="billing"}': "100001x42"}, {"outlet": "billing"}),
    "TablesStale": ({'scrub_doctor_poor{about="gaps"}': "1x42"}, {"about": "gaps"}),
    "SourcePastReview": ({'scrub_doctor_poor{about="sources"}': "1x42"}, {"about": "sources"}),
    "CertificateEnds": ({'scrub_doctor_ill{about="certificates"}': "1x42"}, {"about": "certificates"}),
    "PasswordOld": ({'scrub_doctor_poor{about="passwords"}': "1x42"}, {"about": "passwords"}),
    "SnapshotsLate": ({'scrub_doctor_poor{about="snapshots"}': "1x42"}, {"about": "snapshots"}),
    "NoDoctor": ({name: "1 stale _x41" for name in WELL if "doctor_ill" in name}, {}),
}


def tried(series: dict[str, str], fires: dict[str, dict[str, str]]) -> dict[str, Any]:
    """These figures for three hours; what fires then, with its labels, and nothing else does."""
    asked = []
    for alert in alerts():
        labels = {"severity": alert.severity, "service": "claim-scrubber", **fires.get(alert.name, {})}
        expected = [{"exp_labels": labels}] if alert.name in fires else []
        asked.append({"eval_time": "3h30m", "alertname": alert.name, "exp_alerts": expected})
    return {
        "interval": "5m",
        "input_series": [{"series": one, "values": value} for one, value in series.items()],
        "alert_rule_test": asked,
    }


@needs_promtool
def test_every_alert_fires_when_it_should_and_no_other_does(tmp_path: Path) -> None:
    assert FIRES.keys() == {alert.name for alert in alerts()}
    text = yaml.safe_load(RULES.read_text())
    for rule in text["groups"][0]["rules"]:
        rule.pop("annotations")  # promtool would want each text filled in
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(text))
    tests = [tried(WELL | wrong, {name: labels}) for name, (wrong, labels) in FIRES.items()]
    given = {"rule_files": ["rules.yaml"], "evaluation_interval": "5m", "tests": [tried(WELL, {}), *tests]}
    (tmp_path / "tests.yaml").write_text(yaml.safe_dump(given))
    done = subprocess.run(
        ["promtool", "test", "rules", "tests.yaml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_promtool_reads_the_file_and_would_tell_of_a_wrong_one(tmp_path: Path) -> None:
    assert subprocess.run(["promtool", "check", "rules", str(RULES)], capture_output=True, check=False).returncode == 0
    (tmp_path / "x.yaml").write_text(RULES.read_text().replace("scrub_unreconciled > 0", "scrub_unreconciled >"))
    assert (
        subprocess.run(
            ["promtool", "check", "rules", str(tmp_path / "x.yaml")], capture_output=True, check=False
        ).returncode
        != 0
    )
