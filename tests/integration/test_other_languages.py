"""What the README says to a producer and a consumer in another language: raw protocol on the socket, nothing of ours."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.integration.helpers import Worker, until
from worker.pipeline import producers
from worker.store.connections import Store
from worker.store.embedded import socket_path
from worker.store.registry import Producer

README = Path(__file__).parents[2] / "README.md"
CLAIM = {
    "claim_id": "RAW-1",
    "form": "professional",
    "payer": {"id": "87726", "filing_indicator": "CI"},
    "diagnoses": ["M54.31"],
    "lines": [{"number": 1, "procedure": "64445", "modifiers": ["RT"], "units": 1, "charge": "450.00"}],
}


class Client:
    """A Redis client of thirty lines, as any language has one."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(10)
        self._socket.connect(str(path))
        self._file = self._socket.makefile("rb")

    def __call__(self, *words: str) -> Any:
        parts = [f"*{len(words)}\r\n".encode()]
        parts += [b"$%d\r\n%s\r\n" % (len(word.encode()), word.encode()) for word in words]
        self._socket.sendall(b"".join(parts))
        return self._answer()

    def _answer(self) -> Any:
        kind, rest = (line := self._file.readline())[:1], line[1:-2].decode()
        if kind == b"*":
            return None if rest == "-1" else [self._answer() for _ in range(int(rest))]
        if kind == b"$":
            return None if rest == "-1" else self._file.read(int(rest) + 2)[:-2].decode()
        assert kind in b"+:", rest
        return rest

    def close(self) -> None:
        self._file.close()
        self._socket.close()


def readme_command(verb: str) -> list[str]:
    """The words of the first indented command with this verb in the README."""
    line, *_ = re.findall(rf"^    ({verb} .*)$", README.read_text(encoding="utf-8"), re.MULTILINE)
    words: list[str] = re.findall(r"'[^']*'|\S+", line)
    return [word.strip("'") for word in words]


def test_the_readmes_commands_take_a_claim_in_and_its_verdict_out(
    store: Store, start_worker: Callable[..., Worker]
) -> None:
    producers.add(store.redis, store.keys, Producer("ehr"))
    start_worker().wait_ready()
    client = Client(socket_path(store.settings.server_path))
    try:
        submit = [word.replace("{...}", json.dumps(CLAIM)) for word in readme_command("XADD")]
        entry = client(*submit)
        read = readme_command("XREADGROUP")
        outlet = "rework"  # a claim without a billing NPI cannot be clean
        read = [word.replace("billing", outlet) for word in read]
        until(lambda: client("XLEN", read[-2]) == "1")
        ((stream, ((key, fields),)),) = client(*read)
        event = json.loads(fields[fields.index("event") + 1])
        assert (stream, event["inboxentry"], event["eventid"]) == (f"{{claims:0}}:{outlet}", f"ehr:{entry}", "evt-1")
        assert event["data"]["claim"]["claim_id"] == "RAW-1"
        findings = event["data"]["report"]["findings"]
        assert "IDN001" in {one["code"] for finding in findings for one in (finding, *finding["because"])}
        gap, *_ = event["data"]["report"]["gaps"]
        ask = readme_command("HGET")
        assert len(ask[-1]) == len(gap)
        assert {"kind", "sentence"} <= json.loads(client(*ask[:-1], gap)).keys()
        acknowledge = [word.replace("billing", outlet) for word in readme_command("XACK")]
        assert client(*acknowledge[:-1], key) == "1"
    finally:
        client.close()
