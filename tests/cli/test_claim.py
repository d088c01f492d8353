"""`scrub claim`: where a claim is, how it was decided and why, now and when its outlet entry is gone.

What billers ask of a system: the log of a claim from the claim itself (openemr/openemr#2623), which says whether it was
only checked or sent (openemr/openemr#6558), and every change of its state in its history (masslight/ottehr#9520).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from rules.authoring.examples import example_claim
from worker import bootstrap
from worker.pipeline.consumer import InboxConsumer
from worker.pipeline.notification import Notifier
from worker.store.connections import Store

from .conftest import CLEAN, FAULTY, UNCHECKED, Run
from .test_check_held import Write

ID = "PCN/é 7"
"""As host systems make them, to be found in what they wrote with and without escapes."""


@pytest.fixture
def consumer(store: Store) -> Iterator[InboxConsumer]:
    found = bootstrap.inbox_consumer(store, Notifier(store.redis, store.keys, gate_ms=1, send=lambda: None))
    yield found
    found.audit.close()


def sent(scrub: Run, write: Write, *claims: dict[str, object]) -> None:
    assert scrub("submit", write("c.ndjson", *claims)).returncode == 0


def files(home: Path) -> list[Path]:
    return [file for file in (home / "state/audit").iterdir() if b"claim.scrubbed" in file.read_bytes()]


def test_it_is_followed_from_the_queue_to_who_acknowledged_it(
    scrub: Run, write: Write, store: Store, consumer: InboxConsumer
) -> None:
    sent(scrub, write, FAULTY | {"claim_id": ID}, CLEAN)
    done = scrub("claim", ID)
    assert done.returncode == 0
    first, where, _, following = done.stdout.splitlines()
    assert first.endswith("  waits")
    assert where.endswith(": no worker has it yet")
    assert following.startswith("Next: Wait: a worker decides it.")

    part = consumer.partitions[0]
    taken = part.inbox.take(10)
    assert "in the hands of a worker" in scrub("claim", ID).stdout
    part.process(taken)
    stream = store.keys.outlet("rework")
    for state, act in (
        ("unread by group rework", lambda: store.redis.xreadgroup("rework", "ehr-1", {stream: ">"})),
        (
            "ehr-1 of group rework has it, and has not acknowledged it",
            lambda: store.redis.xack(stream, "rework", *[entry for entry, _ in store.redis.xrange(stream)]),
        ),
        ("acknowledged by group rework", lambda: None),
    ):
        done = scrub("claim", ID)
        assert done.returncode == 0
        assert done.stdout.splitlines()[0].endswith("  rework")
        assert state in done.stdout
        assert "UNT001" in done.stdout
        assert "fix:    " in done.stdout
        assert " sound; book " in done.stdout
        assert "Next: Do what the fixes above say" in done.stdout
        act()


def test_months_later_its_audit_line_and_the_claim_say_whether_the_verdict_was_right(
    scrub: Run, write: Write, store: Store, consumer: InboxConsumer
) -> None:
    sent(scrub, write, FAULTY | {"claim_id": ID}, CLEAN)
    consumer.run()
    store.redis.delete(*[store.keys.outlet(name) for name in ("billing", "rework")])
    line, claim = Path("line.json"), write("one.json", FAULTY | {"claim_id": ID})
    (claim.parent / line).write_text(scrub("claim", "--format", "json", ID).stdout)
    done = scrub("replay", claim.parent / line, claim)
    assert (done.returncode, "identical" in done.stdout) == (0, True)
    assert "gone: messages, fixes, sources and dates" in done.stdout
    other = scrub("replay", claim.parent / line, write("two.json", CLEAN | {"claim_id": ID}))
    assert (other.returncode, "rule.found" in other.stdout) == (1, True)
    (raw,) = [one for file in files(store.settings.state_dir.parent) for one in file.read_bytes().splitlines()
              if b"claim.scrubbed" in one and orjson.dumps(ID)[1:-1] in one]  # fmt: skip
    (claim.parent / "raw.json").write_bytes(raw)
    assert scrub("replay", claim.parent / "raw.json", claim).returncode == 0
    alone = scrub("replay", claim.parent / "raw.json")
    assert (alone.returncode, "the claim PCN" in alone.stderr) == (2, True)


def test_months_later_the_audit_log_alone_says_why_and_what_is_gone(
    scrub: Run, write: Write, store: Store, consumer: InboxConsumer
) -> None:
    sent(scrub, write, FAULTY | {"claim_id": ID}, CLEAN, UNCHECKED)
    consumer.run()
    store.redis.delete(*[store.keys.outlet(name) for name in ("billing", "rework", "unchecked")])
    done = scrub("claim", ID)
    assert done.returncode == 0
    assert "its entry is gone" in done.stdout
    assert "messages, fixes and sources are not in the audit log" in done.stdout
    rows = done.stdout.splitlines()
    row = next(place for place, line in enumerate(rows) if "UNT001" in line)
    assert rows[row].split()[:4] == ["line", "1", "block", "UNT001"]
    assert "units=2" in rows[row + 1]
    alone = scrub("claim", "--offline", ID)
    assert alone.returncode == 0
    assert "Redis was not asked" in alone.stdout
    assert "units=2" in alone.stdout
    clean = scrub("claim", str(CLEAN["claim_id"]))
    assert clean.returncode == 0
    assert clean.stdout.splitlines()[0].endswith("  billing")


def test_the_expected_payment_stands_beside_the_charge_also_when_only_the_audit_log_is_left(
    scrub: Run, write: Write, store: Store, consumer: InboxConsumer
) -> None:
    base = example_claim("practitioner", {"diagnoses": ["XX"]}, {"filing_indicator": "MB"})
    sent(scrub, write, base | {"claim_id": ID, "total_charge": "450.00"}, FAULTY | {"claim_id": "UNKNOWN-1"})
    consumer.run()
    here = scrub("claim", ID).stdout
    assert "charge: $450.00, expected: $161.93 to $180.00" in here
    store.redis.delete(*[store.keys.outlet(name) for name in ("billing", "rework", "unchecked")])
    assert "charge:  $450.00, expected: $161.93 to $180.00" in scrub("claim", ID).stdout
    assert "expected: unknown" in scrub("claim", "UNKNOWN-1").stdout


def test_each_version_stands_with_the_newest_first(scrub: Run, write: Write, consumer: InboxConsumer) -> None:
    sent(scrub, write, FAULTY | {"claim_id": ID})
    consumer.run()
    sent(scrub, write, CLEAN | {"claim_id": ID})
    consumer.run()
    sent(scrub, write, CLEAN | {"claim_id": ID})  # the same event again
    consumer.run()
    done = scrub("claim", ID)
    assert done.returncode == 0
    decisions = [line.split("  ")[1] for line in done.stdout.splitlines() if "  decision " in line]
    assert decisions == ["billing", "rework"]
    assert "the same event again; the decision stood" in done.stdout
    told = json.loads(scrub("claim", "--format", "json", ID).stdout)
    assert [one["outlet"] for one in told["outlets"]] == ["rework", "billing"]
    assert len(told["standing"]) == 2
    assert [one["line"]["event.action"] for one in told["audit"]] == [
        "claim.scrubbed",
        "claim.scrubbed",
        "claim.repeated",
    ]


def test_an_audit_line_that_was_changed_is_said_and_fails(
    scrub: Run, write: Write, home: Path, consumer: InboxConsumer
) -> None:
    sent(scrub, write, FAULTY | {"claim_id": "A"}, FAULTY | {"claim_id": "B"})
    consumer.run()
    (file,) = files(home)
    head, _, tail = file.read_bytes().partition(b'"claim.claim_id":"B"')
    file.write_bytes(head + b'"claim.claim_id":"B"' + tail.replace(b'"rework"', b'"billin"', 1))
    done = scrub("claim", "B")
    assert done.returncode == 1
    assert "tampered" in done.stdout
    assert scrub("claim", "A").returncode == 0, "the line before it is as it was written"


def test_a_number_that_nobody_knows_fails_and_says_where_was_looked(scrub: Run, write: Write, home: Path) -> None:
    for more in ((), ("--offline",)):
        done = scrub("claim", *more, "PCN-NONE")
        assert done.returncode == 1
        assert done.stdout.startswith("PCN-NONE  not known")
        assert str(home / "state/audit") in done.stdout
    assert scrub("claim", "").returncode == 2


def test_the_number_may_come_from_standard_input_and_steers_no_terminal(scrub: Run) -> None:
    done = scrub("claim", "-", stdin=b"PCN\x1b[2J\n")
    assert done.returncode == 1
    assert "\x1b" not in done.stdout
    assert "not known" in done.stdout


def test_what_cannot_be_read_is_found_in_quarantine(scrub: Run, store: Store, consumer: InboxConsumer) -> None:
    event = {
        "specversion": "1.0", "id": "1", "source": "/ehr", "type": "claim.submitted.v1",
        "data": CLEAN | {"claim_id": ID, "lines": "none"},
    }  # fmt: skip
    store.redis.xadd(store.keys.inbox, {"event": json.dumps(event)})
    assert "it cannot be read as a claim" in scrub("claim", ID).stdout
    consumer.run()
    done = scrub("claim", ID)
    assert done.returncode == 0
    assert done.stdout.splitlines()[0].endswith("  quarantine")
    assert "Next: `scrub quarantine show " in done.stdout
