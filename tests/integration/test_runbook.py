"""The runbook's commands: those of a shell are run, against a real guarded server and a real worker; those of Docker
and Kubernetes are parsed, as far as services, files, options and `scrub` commands go."""

from __future__ import annotations

import json
import os
import re
import shlex
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import typer

from tests.ops.test_container import COMPOSE, SERVICES, understood
from tests.ops.test_kubernetes import DOCUMENTS, PODS
from worker.cli import app
from worker.store import opening

from .guarded import Guarded, guarded
from .helpers import Worker, claim, event, settled

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "ops/runbook.md").read_text()
FENCE = re.compile(r"^( *)```sh *(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


@dataclass
class Section:
    title: str
    blocks: dict[str, list[str]] = field(default_factory=dict)


def sections(text: str) -> list[Section]:
    """Each section with its blocks by mark; before the first heading stands what all of them need."""
    found = []
    for part in re.split(r"^## ", text, flags=re.MULTILINE):
        section = Section(part.splitlines()[0])
        for indent, mark, block in FENCE.findall(part):
            section.blocks.setdefault(mark, []).append(dedent(block) if indent else block)
        found.append(section)
    return found


PREAMBLE, *SECTIONS = sections(TEXT)
REDIS_CLI = f"""#!{sys.executable} -P
import os, sys
from redis import Redis
words = sys.argv[1:]
user = words[1] if words[0] == "--user" else "default"
with Redis(unix_socket_path=os.environ["SOCKET"], username=user, password=os.environ["REDISCLI_AUTH"]) as redis:
    print(redis.execute_command(*words[2:]))
"""
"""What the blocks ask of redis-cli, over the server's socket; it fails where the server does."""


@dataclass
class World:
    server: Guarded
    environment: dict[str, str]


@pytest.fixture
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with guarded(tmp_path_factory.mktemp("b")) as server:
        programs = server.folder / "bin"
        programs.mkdir()
        (programs / "redis-cli").write_text(REDIS_CLI)
        (programs / "redis-cli").chmod(0o755)
        path = os.pathsep.join([str(programs), str(Path(sys.executable).parent), os.environ["PATH"]])
        clean = {name: value for name, value in os.environ.items() if not name.startswith("SCRUB_")}
        environment = {**clean, **server.environment("operator"), "PATH": path, "SOCKET": str(server.socket)}
        environment["XDG_RUNTIME_DIR"] = str(server.folder)  # where the worker has its heartbeat
        worker = Worker(server.folder, env={**server.environment("worker")}).wait_ready()
        try:
            admin = server.client("admin")
            for number in range(8):
                admin.xadd("{claims:0}:inbox", {"event": event(number)})
            admin.xadd("{claims:0}:inbox", {"event": "no claim"})
            yield World(server, environment)
            assert worker.stop() == 0
        finally:
            worker.kill()


def lines(block: str) -> list[list[str]]:
    return [shlex.split(line) for line in block.splitlines() if line and line[0] != "#"]


@pytest.mark.slow
@pytest.mark.parametrize("section", [s for s in SECTIONS if "" in s.blocks], ids=lambda section: section.title)
def test_what_a_section_says_to_run_runs(section: Section, world: World, tmp_path: Path) -> None:
    it_runs("\n".join([*PREAMBLE.blocks[""], *section.blocks[""]]), world, tmp_path)


def it_runs(blocks: str, world: World, tmp_path: Path) -> None:
    registered: Any = typer.main.get_command(app)
    absent = set(re.findall(r"\bscrub ([a-z]+)", blocks)) - registered.commands.keys()
    assert not absent, f"there is no scrub {absent}"
    with opening.open_store(world.server.settings("operator")) as store:
        settled(store, store.redis.xinfo_stream("{claims:0}:inbox")["entries-added"])
    (tmp_path / "ops").mkdir()
    (tmp_path / "ops/secrets").symlink_to(world.server.folder / "secrets")
    (tmp_path / "rules").symlink_to(ROOT / "rules")
    clean = [claim(100 + n) for n in range(3)]
    faulty = [claim(200, total_charge="1.00")]
    (tmp_path / "claims.ndjson").write_text("".join(json.dumps(one) + "\n" for one in clean + faulty))
    readme = (ROOT / "README.md").read_text("utf-8")
    (tmp_path / "overrides.yaml").write_text(re.findall(r"^```yaml\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)[0])
    done = subprocess.run(
        ["bash", "-c", f"set -euo pipefail\n{blocks}"], cwd=tmp_path, env={**world.environment, "HOME": str(tmp_path)}, capture_output=True,
        text=True, timeout=110, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    assert "Traceback" not in done.stderr


KNOWN = {
    "up": {"-d", "--build", "--scale", "--no-deps", "--force-recreate"},
    "ps": set(),
    "logs": set(),
    "build": set(),
    "run": {"--rm"},
    "stop": set(),
    "exec": set(),
    "cp": set(),
}
"""Of `docker compose`: the commands and options of its reference that the runbook uses."""


def is_compose(words: list[str]) -> None:
    if words[0] == "--profile":
        assert any(words[1] in service.get("profiles", []) for service in SERVICES.values())
        words = words[2:]
    command, *words = words
    assert command in KNOWN
    while words and words[0].startswith("-"):
        assert words[0] in KNOWN[command]
        if words.pop(0) == "--scale":
            name, _, number = words.pop(0).partition("=")
            assert name in SERVICES
            assert number.isdigit()
    if command == "cp":
        service, _, path = words[0].partition(":")
        assert service in SERVICES
        assert any(volume.endswith(path) for volume in SERVICES[service]["volumes"])
        return
    services, inner = (words[:1], words[1:]) if command in ("exec", "run") else (words, [])
    assert set(services) <= SERVICES.keys()
    if inner:
        assert inner[0] == "scrub"
        assert understood(inner[1:])


def targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_what_it_asks_of_docker_is_there() -> None:
    is_there([block for section in SECTIONS for block in section.blocks.get("docker", [])])


def is_there(blocks: list[str]) -> None:
    assert blocks
    for words in (words for block in blocks for words in lines(block)):
        while re.match(r"[A-Z_]+=", words[0]):
            variable = words.pop(0).partition("=")[0]
            assert f"${{{variable}:-" in (ROOT / "docker-compose.yml").read_text()
        match words:
            case ["docker", "compose", *rest]:
                is_compose(rest)
            case ["make", target]:
                assert target in targets()
            case ["rm", file]:
                assert file in {secret["file"] for secret in COMPOSE["secrets"].values()}
            case _:
                pytest.fail(f"what is {words}?")


def test_what_it_asks_of_kubernetes_is_there() -> None:
    blocks = [block for section in SECTIONS for block in section.blocks.get("kubernetes", [])]
    assert blocks
    volumes = [volume for pod in PODS.values() for volume in pod["volumes"]]
    wanted = {item["key"] for volume in volumes for item in volume.get("secret", {}).get("items", [])}
    (login,) = (document for document in DOCUMENTS if document["kind"] == "TriggerAuthentication")
    wanted |= {entry["key"] for entry in login["spec"]["secretTargetRef"]}
    things = {f"{document['kind'].lower()}/{document['metadata']['name']}" for document in DOCUMENTS}
    for program, *words in (words for block in blocks for words in lines(block)):
        assert program == "kubectl"
        if words[0] == "-n":
            assert f"namespace/{words[1]}" in things
            del words[:2]
        match words:
            case ["apply" | "diff", "-k", folder]:
                assert (ROOT / folder / "kustomization.yaml").exists()
            case ["create", "namespace", name]:
                assert f"namespace/{name}" in things
            case ["create", "secret", "generic", "claim-scrubber", *entries]:
                assert {entry.split("=")[1] for entry in entries} == wanted
            case ["rollout", "status", thing]:
                assert thing in things
            case ["exec", thing, "--", "scrub", *arguments]:
                assert thing in things
                assert understood(arguments)
            case _:
                pytest.fail(f"what is {words}?")


def test_every_mark_is_known_and_no_other_fence_hides_a_command() -> None:
    assert {mark for section in [PREAMBLE, *SECTIONS] for mark in section.blocks} == {
        "",
        "docker",
        "kubernetes",
        "embedded",
    }
    assert TEXT.count("```") == 2 * len(FENCE.findall(TEXT))


def test_every_make_target_and_file_that_the_text_names_exists() -> None:
    made, files = (
        re.findall(r"`make ([a-z]+)`", TEXT),
        re.findall(r"`(ops/[\w./-]+|docker-compose\.yml|tests/[\w./]+)`", TEXT),
    )
    assert made
    assert set(made) <= targets()
    assert files
    for name in files:
        if not name.startswith(("ops/secrets", "ops/alerts")):
            assert (ROOT / name).exists(), name


def test_the_copy_of_the_secret_is_its_owners_alone(world: World, tmp_path: Path) -> None:
    (command,) = re.findall(r'^ *(install -m 600 "\$SCRUB_STATE_DIR/secret" .*)$', TEXT, re.MULTILINE)
    environment = {**world.environment, "HOME": str(tmp_path)}
    subprocess.run(["bash", "-c", command], env=environment, check=True)
    assert stat.S_IMODE((tmp_path / "claim-scrubber-secret").stat().st_mode) == 0o600
