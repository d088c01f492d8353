"""The container files, as far as they can be tried without a container engine: schema, linters, and every command,
path, user and variable that they name."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import typer
import yaml

from worker.cli import app
from worker.config.settings import PREFIX, Settings, load_settings
from worker.serve.running import GRACE

ROOT = Path(__file__).parents[2]
COMPOSE_TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(COMPOSE_TEXT)
SECURED: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.tls.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"].startswith("claim-scrubber")}
DOCKERFILE = (ROOT / "ops/Dockerfile").read_text()
SYSTEMD = [ROOT / "ops/systemd/claim-scrubber", ROOT / "ops/systemd/figures"]
SCRIPTS = [ROOT / "ops/secrets.sh", *SYSTEMD, *sorted((ROOT / "ops/redis").glob("*.sh"))]


def tool(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


def values(service: dict[str, Any]) -> dict[str, str]:
    """Its variables as they are where nobody sets anything."""
    return {name: re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value) for name, value in service["environment"].items()}


def run(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def understood(arguments: list[str]) -> bool:
    """Whether `scrub` takes these arguments; nothing is run."""
    command: Any = typer.main.get_command(app)
    while hasattr(command, "commands"):
        command, arguments = command.commands[arguments[0]], arguments[1:]
    command.make_context("scrub", list(arguments))
    return True


def test_the_compose_file_holds_to_the_compose_specification() -> None:
    files = ("docker-compose.yml", "docker-compose.tls.yml")
    run(tool("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", *files)


def test_with_tls_it_changes_addresses_and_secrets_of_services_that_are_there() -> None:
    assert SECURED["services"].keys() <= SERVICES.keys()
    for name, service in SECURED["services"].items():
        assert set(service["secrets"]) <= SECURED["secrets"].keys()
        assert set(re.findall(r"/run/secrets/([\w-]+)", str(service))) <= set(service["secrets"])
        if name != "redis":
            before = values(SERVICES[name])["SCRUB_REDIS_URL"]
            assert service["environment"]["SCRUB_REDIS_URL"] == (
                before.replace("redis:", "rediss:", 1) + "?ssl_ca_certs=/run/secrets/redis-ca"
            )
    assert {"redis", *OURS} == SECURED["services"].keys()
    assert SECURED["services"]["redis"]["command"][:2] == ["--port", "0"], "nothing but TLS is open"


def test_the_dockerfile_and_the_scripts_pass_their_linters() -> None:
    run(tool("hadolint"), "ops/Dockerfile")
    run(tool("shellcheck"), *SCRIPTS)
    assert all(os.access(script, os.X_OK) for script in SCRIPTS)


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_locked_down(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "network_mode", "pid", "ipc", "devices"} & service.keys()
    assert {"cpus", "memory", "pids"} <= service["deploy"]["resources"]["limits"].keys()
    version = service["image"].rpartition(":")[2]
    numbers = r"\d+\.\d+(-|$)" if name == "postgresql" else r"v?\d+\.\d+\.\d+"
    assert re.match(numbers, version), "a version that moves is not pinned"
    assert all(re.match(r"(127\.0\.0\.1|\$\{\w+:-127\.0\.0\.1\}):", port) for port in service.get("ports", []))
    assert not any(
        re.search("PASSWORD|SECRET|TOKEN", key) for key in service.get("environment", {}) if "FILE" not in key
    )


def test_none_runs_as_root_but_the_one_that_reads_the_docker_socket() -> None:
    # The images of Loki and Grafana have users of their own.
    rooted = {name for name, service in SERVICES.items() if service.get("user", "0").startswith("0")}
    assert rooted == {"docker-logs", "loki", "grafana"}
    socketed = {name for name, service in SERVICES.items() if "docker.sock" in str(service.get("volumes"))}
    assert socketed == {"docker-logs"}
    assert SERVICES["docker-logs"]["environment"]["POST"] == "0"


def test_claims_pass_through_a_network_that_reaches_nothing_else() -> None:
    assert COMPOSE["networks"]["claims"] == {"internal": True}
    assert {name: service["networks"] for name, service in OURS.items()} == {
        "check-config": ["claims"], "worker": ["claims"], "serve": ["claims", "published"],
    }  # fmt: skip
    within = {name for name, service in SERVICES.items() if "claims" in service["networks"]}
    assert within == {*OURS, "redis", "postgresql"}
    assert SERVICES["postgresql"]["networks"] == ["claims"]
    assert "ports" not in SERVICES["postgresql"]


def test_workers_start_after_a_healthy_redis_and_a_checked_configuration() -> None:
    assert SERVICES["worker"]["depends_on"] == {
        "redis": {"condition": "service_healthy"},
        "check-config": {"condition": "service_completed_successfully"},
    }
    assert SERVICES["check-config"]["restart"] == "no"


def test_a_worker_has_time_to_finish_what_is_in_hand() -> None:
    assert int(SERVICES["worker"]["stop_grace_period"].removesuffix("s")) > Settings().hard_time_limit


def test_the_readme_gives_a_worker_the_time_to_stop_that_the_files_give_it() -> None:
    (pod,) = re.findall(r"terminationGracePeriodSeconds: (\d+)", (ROOT / "ops/kubernetes/worker.yaml").read_text())
    told = re.findall(
        r"(?:stop_grace_period: |terminationGracePeriodSeconds: |TimeoutStopSec=)(\d+)",
        (ROOT / "README.md").read_text(),
    )
    assert told == [SERVICES["worker"]["stop_grace_period"].removesuffix("s"), pod, pod]


def test_the_service_has_time_to_finish_what_is_in_hand() -> None:
    assert int(SERVICES["serve"]["stop_grace_period"].removesuffix("s")) > GRACE


def test_worker_can_be_scaled() -> None:
    assert not {"container_name", "ports", "hostname"} & SERVICES["worker"].keys()


@pytest.mark.parametrize("name", OURS)
def test_its_command_and_its_health_check_exist(name: str) -> None:
    assert understood(OURS[name]["command"])
    if "healthcheck" in OURS[name]:
        kind, program, *arguments = OURS[name]["healthcheck"]["test"]
        assert kind == "CMD"
        if program == "scrub":
            assert understood(arguments)
        else:
            assert program == "python", "which the image has, and no curl"
            option, source = arguments
            assert option == "-c"
            compile(source, name, "exec")
            (path,) = re.findall(rf"'http://127\.0\.0\.1:{Settings().serve_port}(/\w+)'", source)
            assert path in json.loads((ROOT / "ops/schema/openapi.json").read_text())["paths"]


def test_what_is_no_command_is_not_understood() -> None:
    with pytest.raises(Exception, match="No such option"):
        understood(["worker", "--no-such-option"])


@pytest.mark.usefixtures("unset")
def test_every_variable_is_a_setting_and_has_a_value_that_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    image = dict(re.findall(r"(SCRUB_\w+)=(\S+)", DOCKERFILE))
    for service in OURS.values():
        for name in [one for one in os.environ if one.startswith(PREFIX)]:
            monkeypatch.delenv(name)
        for name, value in (image | values(service)).items():
            assert name.removeprefix(PREFIX).lower() in Settings.model_fields
            monkeypatch.setenv(name, value)
        settings = load_settings()
        mounts = [volume.split(":")[1] for volume in service["volumes"]]
        assert str(settings.state_dir) in mounts, "what is written there must outlive the container"
        assert settings.redis_password_file
        assert settings.redis_password_file.name in service["secrets"]
        assert settings.redis_password_file.name == f"redis-{urlsplit(settings.redis_url or '').username}"


@pytest.mark.usefixtures("unset")
def test_the_service_has_its_cases_where_they_outlive_it_and_listens_for_who_is_let_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    service, database = SERVICES["serve"], SERVICES["postgresql"]
    for name, value in values(service).items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert settings.case_store_url.startswith("sqlite:////var/lib/claim-scrubber/"), "in the volume `state`"
    assert (settings.serve_host, settings.serve_proxies) == ("0.0.0.0", ""), "nobody's word counts unless it is named"
    assert service["ports"] == [f"127.0.0.1:{settings.serve_port}:{settings.serve_port}"]
    (told,) = re.findall(r"^#   CASE_STORE=(\S+) docker compose --profile postgresql up", COMPOSE_TEXT, re.MULTILINE)
    monkeypatch.setenv("SCRUB_CASE_STORE", told)
    url = urlsplit(load_settings().case_store_url)
    made = database["environment"]
    assert (url.hostname, url.username, url.path) == ("postgresql", made["POSTGRES_USER"], f"/{made['POSTGRES_DB']}")
    assert url.password is None
    assert str(settings.case_store_password_file) == made["POSTGRES_PASSWORD_FILE"] == "/run/secrets/postgresql"
    assert "postgresql" in service["secrets"]
    assert database["secrets"] == ["postgresql"]
    assert service["depends_on"]["postgresql"] == {"condition": "service_healthy", "required": False}


@pytest.mark.parametrize(
    "source",
    sorted({v.split(":")[0] for s in SERVICES.values() for v in s.get("volumes", []) if v.startswith("./")}),
)
def test_every_file_and_folder_that_is_mounted_exists(source: str) -> None:
    if source.startswith(("./ops/dashboards", "./ops/alerts")) and not (ROOT / "ops/dashboards").exists():
        pytest.skip("the generated dashboards and alerts are not in this tree")
    assert (ROOT / source).exists()


def test_every_volume_network_and_secret_is_declared() -> None:
    services = SERVICES.values()
    volumes = {v.split(":")[0] for service in services for v in service.get("volumes", []) if v[0] not in "./"}
    assert volumes == COMPOSE["volumes"].keys()
    assert {name for service in services for name in service["networks"]} == COMPOSE["networks"].keys()
    assert {name for service in services for name in service.get("secrets", [])} == COMPOSE["secrets"].keys()


def test_the_secrets_are_those_that_the_script_makes(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    run(ROOT / "ops/secrets.sh", folder)
    assert {Path(secret["file"]).name for secret in COMPOSE["secrets"].values()} == set(os.listdir(folder))
    before = {file.name: file.read_text() for file in folder.iterdir()}
    assert len(set(before.values())) == len(before)
    assert all(re.fullmatch(r"[0-9a-f]{64}\n", text) for text in before.values())
    assert folder.stat().st_mode & 0o777 == 0o700
    run(ROOT / "ops/secrets.sh", folder)
    assert {file.name: file.read_text() for file in folder.iterdir()} == before
    assert "/ops/secrets/" in (ROOT / ".gitignore").read_text().split()


def test_redis_gets_the_password_of_each_of_its_users() -> None:
    users = re.findall(r"^user (\w+) on", (ROOT / "ops/redis/users.acl").read_text(), re.MULTILINE)
    assert sorted(SERVICES["redis"]["secrets"]) == sorted(f"redis-{user}" for user in users)


def test_redis_has_more_memory_than_it_may_fill() -> None:
    limit = SERVICES["redis"]["deploy"]["resources"]["limits"]["memory"]
    (most,) = re.findall(r"^maxmemory (\d+)mb$", (ROOT / "ops/redis/redis.conf").read_text(), re.MULTILINE)
    assert int(most) * 2 <= int(limit.removesuffix("m"))


def test_the_dashboards_are_found_without_a_click() -> None:
    (provider,) = yaml.safe_load((ROOT / "ops/grafana/provisioning/dashboards/scrub.yaml").read_text())["providers"]
    (source,) = yaml.safe_load((ROOT / "ops/grafana/provisioning/datasources/loki.yaml").read_text())["datasources"]
    mounts = {volume.split(":")[1]: volume.split(":")[0] for volume in SERVICES["grafana"]["volumes"]}
    assert mounts[provider["options"]["path"]] == "./ops/dashboards"
    assert source["url"] == "http://loki:3100"
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert Path(home).parent == Path(provider["options"]["path"])
    port = yaml.safe_load((ROOT / "ops/loki/loki.yaml").read_text())["server"]["http_listen_port"]
    alloy = (ROOT / "ops/alloy/config.alloy").read_text()
    assert f"http://loki:{port}/loki/api/v1/push" in alloy
    assert 'service_name = "claim-scrubber"' in alloy
    assert f"com.docker.compose.project={COMPOSE['name']}" in alloy
    assert set(re.findall(r"tcp://([\w-]+):", alloy)) <= SERVICES.keys()


def stages() -> list[list[str]]:
    """The instructions of each stage, continued lines joined, comments left out."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.MULTILINE).replace("\\\n", " ")
    found: list[list[str]] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        if line.startswith("FROM "):
            found.append([])
        found[-1].append(line)
    return found


def test_what_the_image_copies_is_there_and_not_ignored() -> None:
    ignored = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    copied = [line.split()[1:-1] for stage in stages() for line in stage if re.match("COPY (?!--from)", line)]
    sources = {source for names in copied for source in names}
    assert sources >= {"rules", "worker", "pyproject.toml", "requirements.lock"}
    for source in sources:
        assert (ROOT / source).exists()
        assert f"!{source}" in ignored
    assert ignored[0] == "*"
    assert not any(fnmatch.fnmatch("ops/secrets", pattern.removeprefix("!")) for pattern in ignored[1:])


def test_the_image_has_no_compiler_no_pip_and_no_root() -> None:
    build, final = stages()
    assert "apt-get" not in DOCKERFILE
    installs = [part for line in build for part in re.findall(r"install --require-hashes [^&]*", line)]
    assert installs
    assert all("--only-binary :all:" in part for part in installs)
    assert any("pip uninstall" in line for line in final)
    assert [line for line in final if line.startswith("USER")] == ["USER 10001:10001"]
    assert final[-2:] == ['ENTRYPOINT ["scrub"]', 'CMD ["worker"]']
    first, second = (stage[0].split()[1] for stage in (build, final))
    assert first == second, "what is built for one Python is run by another"


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the image's build stage leaves in /opt: its own commands, in folders of this test instead of /src and /opt."""
    folder = tmp_path_factory.mktemp("image")
    source, prefix = folder / "src", folder / "opt"
    source.mkdir()
    prefix.mkdir()
    for line in stages()[0]:
        if line.startswith("COPY "):
            for name in line.split()[1:-1]:
                copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
                copy(ROOT / name, source / name)
        if line.startswith("RUN "):
            script = line.removeprefix("RUN ").replace("/opt/", f"{prefix}/").replace("/src/", f"{source}/")
            script = script.replace("python -m venv", f"{sys.executable} -m venv")
            subprocess.run(["sh", "-euc", script], cwd=source, check=True, capture_output=True, timeout=600)
    return prefix / "scrub"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_entry_points_run_from_an_environment_built_as_the_image_is(image: Path, tmp_path: Path) -> None:
    environment = {"PATH": f"{image}/bin:/usr/bin:/bin", "SCRUB_STATE_DIR": str(tmp_path / "s"), "HOME": str(tmp_path)}

    def scrub(*arguments: str) -> str:
        done = subprocess.run(
            ["scrub", *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert scrub("--version").startswith("claim-scrubber ")
    for service in OURS.values():
        scrub(service["command"][0], "--help")
    assert "A worker can start" in scrub("worker", "--check")
    assert "balance" in scrub("status")
    assert "books balance" in scrub("demo", "--state", str(tmp_path / "demo"))
    assert "pip" not in {path.name for path in (image / "bin").iterdir()}
    packages = {path.name for path in (image / "lib").glob("python*/site-packages/*")}
    assert not {"pip", "hatchling", "editables", "pytest"} & packages


_LOOPBACK = """
import fcntl, socket, struct
with socket.socket() as line:
    fcntl.ioctl(line, 0x8914, struct.pack("16sh14x", b"lo", 1))  # SIOCSIFFLAGS, IFF_UP
"""
_CAGE = """
"$PYTHON" -c "$LOOPBACK"
mount --make-rprivate /
mount --rbind / "$ROOT"
mount -t tmpfs -o size=64m,mode=1777,noexec,nosuid,nodev tmpfs "$ROOT/tmp"
case $BASE in /root/*) mount -t tmpfs -o mode=755 tmpfs "$ROOT/root" ;; esac
for folder in "$BASE" "$IMAGE"; do
    mkdir -p "$ROOT$folder" 2>/dev/null || true
    mount --bind "$folder" "$ROOT$folder"
    mount -o remount,bind,ro "$ROOT$folder"
done
mount --bind "$STATE" "$ROOT/mnt"
mount -o remount,bind,ro "$ROOT"
mount -t proc proc "$ROOT/proc"
exec chroot "$ROOT" setpriv --reuid 10001 --regid 10001 --clear-groups --no-new-privs --inh-caps=-all --bounding-set=-all \
    env -i -C /mnt PATH="$IMAGE/bin:/usr/bin:/bin" HOME=/mnt SCRUB_STATE_DIR=/mnt sh -c "$COMMAND"
"""
"""As the container has it: an account of its own without capabilities, nothing writable but /tmp and the state folder, no
network but its loopback, and processes of its own."""


_SERVED = """
scrub serve 2>/mnt/serve.log &
for path in healthz readyz; do
    python - $path << 'END' || { cat /mnt/serve.log; exit 1; }
import sys, time
from urllib.request import urlopen
for _ in range(120):
    try:
        print(urlopen(f"http://127.0.0.1:8080/{sys.argv[1]}", timeout=60).read().decode())
        sys.exit()
    except OSError:
        time.sleep(0.5)
sys.exit(1)
END
done
kill -TERM $!
wait $!
"""


def caged(command: str, image: Path, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    root, state = tmp_path / "root", tmp_path / "state"
    for folder in (root, state):
        folder.mkdir(exist_ok=True)
    state.chmod(0o700)
    os.chown(state, 10001, 10001)
    names = {"ROOT": root, "STATE": state, "IMAGE": image, "BASE": Path(sys.base_prefix), "COMMAND": command}
    names |= {"PYTHON": sys.executable, "LOOPBACK": _LOOPBACK}
    return subprocess.run(
        ["unshare", "--mount", "--pid", "--net", "--fork", "--kill-child", "sh", "-euc", _CAGE], timeout=200, check=False,
        env={"PATH": os.environ["PATH"], **{name: str(value) for name, value in names.items()}},
        capture_output=True, text=True,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(os.getuid() != 0 or not shutil.which("unshare"), reason="only root can make such a cage here")
def test_it_works_without_root_capabilities_network_and_a_writable_file_system(image: Path, tmp_path: Path) -> None:
    tried = caged("id -u; grep CapEff /proc/self/status; touch /x /usr/x /opt/x && echo written", image, tmp_path)
    if "Operation not permitted" in tried.stderr or "Permission denied" in tried.stderr:
        pytest.skip(f"the kernel gives no such cage here: {tried.stderr.strip()}")
    assert tried.stdout.splitlines()[0] == "10001"
    assert "0000000000000000" in tried.stdout
    assert "written" not in tried.stdout
    assert tried.stderr.count("Read-only file system") == 3
    done = caged("scrub worker --check && scrub demo --state /mnt/demo && scrub status --json", image, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "A worker can start" in done.stdout
    assert "books balance" in done.stdout
    served = caged(_SERVED, image, tmp_path)
    assert served.returncode == 0, served.stdout + served.stderr
    assert [json.loads(line)["status"] for line in served.stdout.splitlines()] == ["ok", "ready"]
