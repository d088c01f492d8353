"""Scenarios of senders that do one another harm."""

from __future__ import annotations

import json
import threading
from datetime import datetime

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.integration.attacks import ATTACKS, HONEST, Attacker, floods
from worker.pipeline import producers
from worker.store.registry import Producer
from worker.store.rights import producer_line, user_of

from .reckoning import Reckoning, reckon
from .scenarios import scenario
from .stage import Stage

_LATE = 20
"""Seconds within which a worker is to have decided each honest claim, whatever the others do, on a machine of two cores."""


def registered(stage: Stage, new: Producer) -> str:
    """Registers it, with the rights that a registered one has; answers its login."""
    admin = stage.direct.redis
    producers.add(admin, stage.direct.keys, new)
    user, password = user_of(new.name), f"secret-of-{new.name}"
    words, found = producer_line(new.name, stage.direct.keys, password).split(" ")[2:], list[str]()
    for word in words:  # a selector is one argument
        if found and found[-1].startswith("(") and not found[-1].endswith(")"):
            found[-1] += f" {word}"
        else:
            found.append(word)
    admin.execute_command("ACL SETUSER", user, *found)
    return f"{user}:{password}"


@scenario("hostile", 16)
def hostile(stage: Stage) -> Reckoning:
    """An honest producer beside others with stolen passwords: each attack in turn, and floods, while claims come in."""
    stage.server.start()
    stage.notifications = False
    for worker in [stage.start(), stage.start()]:
        worker.wait_ready(60)
    stage.producer, stage.login = HONEST, registered(stage, Producer(HONEST, "north", trusted=True))
    attackers = []
    for number in stage.each():
        name = f"evil-{number}"
        user, _, password = registered(stage, Producer(name, "south")).partition(":")
        client = Redis(port=stage.server.port, username=user, password=password, retry=Retry(NoBackoff(), 0))
        attack = [*ATTACKS, floods][number % (len(ATTACKS) + 1)]
        thread = threading.Thread(target=attack, args=(Attacker(client, name),), daemon=True)
        thread.start()
        attackers.append((name, thread))
    stage.fed()
    for _, thread in attackers:
        thread.join(60)
    stage.until(lambda: not (now := stage.now()).waiting and not now.in_flight, 240)
    _alarms(stage)
    for name, _ in attackers:
        stage.direct.redis.execute_command("ACL DELUSER", user_of(name))
        producers.remove(stage.direct.redis, stage.direct.keys, name)
    found = reckon(stage)
    _in_time(stage, found)
    return found


def _alarms(stage: Stage) -> None:
    """Who deleted its own claims is named, and only that one."""
    short = sorted(one.name for one in stage.now().short)
    expected = sorted(f"evil-{n}" for n in range(stage.faults) if n % (len(ATTACKS) + 1) == 0)
    if short != expected:
        raise AssertionError(f"named as deleting their own claims: {short}, expected {expected}")
    stage.notes.append(f"{len(short)} producers named that deleted their own claims")


def _in_time(stage: Stage, found: Reckoning) -> None:
    """Its ids are Redis' own, so that they say when each claim came."""
    waited = []
    for raw in (raw for file in stage.audit.glob("*.jsonl") for raw in file.read_bytes().splitlines()):
        line = json.loads(raw)
        if line.get("queue.producer") == HONEST and line["event.action"] in ("claim.scrubbed", "claim.quarantined"):
            came = int(line["queue.entry"].rpartition(":")[2].partition("-")[0])
            waited.append(datetime.fromisoformat(line["@timestamp"]).timestamp() - came / 1000)
    if not waited or max(waited) > _LATE:
        found.say(f"honest claims waited for up to {max(waited, default=0):.1f} s")
    stage.notes.append(f"no honest claim waited for longer than {max(waited, default=0):.1f} s")
