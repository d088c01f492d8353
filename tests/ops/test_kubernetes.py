"""The Kubernetes manifests: against the schemas of Kubernetes, and against the code that they run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jsonschema
import kubernetes_validate
import pytest
import yaml

from ops import scaling
from ops.access import USERS
from tests.ops.test_container import DOCKERFILE, understood
from worker.config.settings import PREFIX, Settings, load_settings
from worker.serve.running import GRACE
from worker.store.keys import GROUP, INNER, Keys

FOLDER = Path(__file__).parents[2] / "ops/kubernetes"
VERSIONS = ("1.29.0", "1.33.0", "1.37.0")


def closed(*required: str, **fields: Any) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "required": list(required), "properties": fields}


TEXT, COUNT = {"type": "string", "minLength": 1}, {"type": "integer", "minimum": 0}
NAME = closed("name", name=TEXT)
META = closed("name", name=TEXT, namespace=TEXT, labels={"type": "object", "additionalProperties": TEXT})
POLICY = closed("type", "value", "periodSeconds", type={"enum": ["Pods", "Percent"]}, value=COUNT, periodSeconds=COUNT)
RULES = closed(stabilizationWindowSeconds=COUNT, policies={"type": "array", "items": POLICY})
KEDA = {
    "ScaledObject": closed(
        "apiVersion", "kind", "metadata", "spec",
        apiVersion={"const": "keda.sh/v1alpha1"}, kind=TEXT, metadata=META,
        spec=closed(
            "scaleTargetRef", "triggers",
            scaleTargetRef=NAME, minReplicaCount=COUNT, maxReplicaCount=COUNT, pollingInterval=COUNT,
            cooldownPeriod=COUNT, fallback=closed("failureThreshold", "replicas", failureThreshold=COUNT, replicas=COUNT),
            advanced=closed(
                horizontalPodAutoscalerConfig=closed(behavior=closed(scaleUp=RULES, scaleDown=RULES)),
                scalingModifiers=closed(
                    "formula", "target", formula=TEXT, target=TEXT, activationTarget=TEXT,
                    metricType={"enum": ["AverageValue", "Value"]},
                ),
            ),
            triggers={"type": "array", "minItems": 1, "items": closed(
                "type", "metadata", type=TEXT, name=TEXT, authenticationRef=NAME,
                metadata={"type": "object", "additionalProperties": TEXT},
            )},
        ),
    ),
    "TriggerAuthentication": closed(
        "apiVersion", "kind", "metadata", "spec",
        apiVersion={"const": "keda.sh/v1alpha1"}, kind=TEXT, metadata=META,
        spec=closed(secretTargetRef={
            "type": "array", "items": closed("parameter", "name", "key", parameter=TEXT, name=TEXT, key=TEXT),
        }),
    ),
}  # fmt: skip
"""What we use of KEDA's resources, as its specification has it (keda.sh/docs/2.17/reference/scaledobject-spec)."""


def written() -> Iterator[dict[str, Any]]:
    listed = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())["resources"]
    assert sorted([*listed, "kustomization.yaml"]) == sorted(path.name for path in FOLDER.glob("*.yaml"))
    for name in listed:
        yield from yaml.safe_load_all((FOLDER / name).read_text())


DOCUMENTS = list(written())


def one(kind: str, name: str = "") -> dict[str, Any]:
    found = [document for document in DOCUMENTS if document["kind"] == kind]
    (only,) = (document for document in found if name in ("", document["metadata"]["name"]))
    return only


POD: dict[str, Any] = one("Deployment", "worker")["spec"]["template"]["spec"]
SERVE: dict[str, Any] = one("Deployment", "serve")["spec"]["template"]["spec"]
JOB, PURGE = (one("CronJob", name)["spec"]["jobTemplate"]["spec"]["template"]["spec"] for name in ("snapshot", "purge"))
PODS = {"worker": POD, "snapshot": JOB, "serve": SERVE, "purge": PURGE}
CONTAINERS = [
    (pod, container) for pod in PODS.values() for container in [*pod.get("initContainers", ()), *pod["containers"]]
]
each_container = pytest.mark.parametrize(
    ("pod", "container"), CONTAINERS, ids=[container["name"] for _, container in CONTAINERS]
)


def valid(document: dict[str, Any]) -> None:
    if document["kind"] in KEDA:
        jsonschema.validate(document, KEDA[document["kind"]])
    else:
        for version in VERSIONS:
            kubernetes_validate.validate(document, version, strict=True)


@pytest.mark.parametrize(
    "document", DOCUMENTS, ids=lambda document: f"{document['kind']}-{document['metadata']['name']}"
)
def test_each_holds_to_the_schema_of_kubernetes(document: dict[str, Any]) -> None:
    valid(document)


def test_a_misspelled_field_is_found() -> None:
    with pytest.raises(kubernetes_validate.ValidationError):
        valid({**one("PodDisruptionBudget"), "spec": {"maxUnavailabel": 1}})


@pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl, which carries kustomize, is not installed")
def test_kustomize_builds_them_into_what_is_valid_too() -> None:
    done = subprocess.run(["kubectl", "kustomize", FOLDER], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    built = list(yaml.safe_load_all(done.stdout))
    assert len(built) == len(DOCUMENTS) + 3  # the generated settings
    for document in built:
        valid(document)
        if document["kind"] not in {"Namespace"}:
            assert document["metadata"]["namespace"] == "claim-scrubber"
    deployments = [document for document in built if document["kind"] == "Deployment"]
    assert len(deployments) == 2
    for deployment in deployments:
        template = deployment["spec"]["template"]
        assert {c["image"] for c in template["spec"]["containers"]} == {"registry.example/claim-scrubber:0.2.0.dev0"}
        selected = deployment["spec"]["selector"]["matchLabels"].items()
        assert selected <= template["metadata"]["labels"].items()


@each_container
def test_every_container_holds_to_the_restricted_pod_security_standard(
    pod: dict[str, Any], container: dict[str, Any]
) -> None:
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {"requests", "limits"} == container["resources"].keys()
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert f"USER {pod['securityContext']['runAsUser']}:{pod['securityContext']['runAsGroup']}" in DOCKERFILE
    assert (pod["automountServiceAccountToken"], pod["enableServiceLinks"]) == (False, False)
    assert one("Namespace")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


@each_container
def test_its_commands_exist_and_its_mounts_are_declared(pod: dict[str, Any], container: dict[str, Any]) -> None:
    assert understood(container["args"])
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        if probe in container and "httpGet" in container[probe]:
            asked = container[probe]["httpGet"]
            assert asked["port"] in {port["name"] for port in container["ports"]}
            assert asked["path"] in json.loads((FOLDER.parent / "schema/openapi.json").read_text())["paths"]
        elif probe in container:
            program, *arguments = container[probe]["exec"]["command"]
            assert program == "scrub"
            assert understood(arguments)
    assert {mount["name"] for mount in container["volumeMounts"]} <= {volume["name"] for volume in pod["volumes"]}


@pytest.mark.usefixtures("unset")
def test_its_settings_are_taken_and_its_files_are_mounted(monkeypatch: pytest.MonkeyPatch) -> None:
    for line in (FOLDER / "settings.env").read_text().splitlines():
        name, _, value = line.partition("=")
        assert name.removeprefix(PREFIX).lower() in Settings.model_fields
        monkeypatch.setenv(name, value)
    settings = load_settings()
    (worker,) = POD["containers"]
    mounts = {mount["mountPath"] for mount in worker["volumeMounts"]}
    assert settings.redis_password_file
    assert str(settings.redis_password_file.parent) in mounts
    assert str(settings.secret_path) in mounts, "by subPath, so that it is no link"
    assert str(settings.state_dir) in mounts
    assert settings.audit_path.is_relative_to(settings.state_dir), "audit files outlive their pod"
    (state,) = (volume for volume in POD["volumes"] if volume["name"] == "state")
    assert state["persistentVolumeClaim"]["claimName"] == "state"
    assert one("PersistentVolumeClaim", "state")["spec"]["accessModes"] == ["ReadWriteMany"], "all workers write there"
    assert settings.redis_url
    assert settings.redis_url.startswith("rediss://")
    assert POD["terminationGracePeriodSeconds"] > settings.hard_time_limit


def test_no_secret_is_in_a_manifest() -> None:
    text = "".join(path.read_text() for path in FOLDER.iterdir())
    assert "kind: Secret" not in text
    secrets = [volume["secret"] for pod in PODS.values() for volume in pod["volumes"] if "secret" in volume]
    assert {secret["secretName"] for secret in secrets} == {"claim-scrubber"}
    assert all(secret["defaultMode"] == 0o440 for secret in secrets)


def of_maps(container: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Names and values of its settings. Kubernetes reads several maps in their order; of two with one name the last
    holds."""
    generated = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())["configMapGenerator"]
    maps = {one["name"]: one["envs"] for one in generated}
    for source in container["envFrom"]:
        for file in maps[source["configMapRef"]["name"]]:
            for line in (FOLDER / file).read_text().splitlines():
                name, _, value = line.partition("=")
                assert name.removeprefix(PREFIX).lower() in Settings.model_fields
                yield name, value


@pytest.mark.usefixtures("unset")
def test_the_service_has_a_user_a_database_and_a_proxy_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    (container,) = SERVE["containers"]
    for name, value in of_maps(container):
        monkeypatch.setenv(name, value)
    settings = load_settings()
    redis, database = urlsplit(settings.redis_url or ""), urlsplit(settings.case_store_url)
    assert (redis.scheme, redis.username, redis.password) == ("rediss", "serve", None)
    assert (database.scheme, database.password) == ("postgresql+psycopg", None), "no file that several hosts write"
    mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
    (passwords,) = (volume["secret"]["items"] for volume in SERVE["volumes"] if volume["name"] == "passwords")
    files = [settings.redis_password_file, settings.case_store_password_file]
    assert [file and file.name for file in files] == [item["path"] for item in passwords]
    assert {str(file and file.parent) for file in files} <= mounts
    assert {str(settings.secret_path), str(settings.state_dir)} <= mounts
    for told in ("sslmode=verify-full", "sslrootcert=/run/secrets/redis-ca/ca.crt"):
        assert told in database.query
    assert settings.serve_proxies == "", "nobody's word counts unless it is named"
    (port,) = container["ports"]
    assert (port["containerPort"], settings.serve_host) == (settings.serve_port, "0.0.0.0")
    assert SERVE["terminationGracePeriodSeconds"] > GRACE
    spec = one("Deployment", "serve")["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"}), "visits are in its memory"


def test_the_service_is_reached_by_the_proxy_alone_and_reaches_its_database() -> None:
    policy, service = one("NetworkPolicy", "serve")["spec"], one("Service", "serve")["spec"]
    labels = one("Deployment", "serve")["spec"]["template"]["metadata"]["labels"]
    assert policy["podSelector"]["matchLabels"] == service["selector"] == labels
    (within,) = policy["ingress"]
    assert within["from"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "proxy"}}}]
    (port,) = SERVE["containers"][0]["ports"]
    assert [one["port"] for one in within["ports"]] == [port["containerPort"]]
    assert [one["targetPort"] for one in service["ports"]] == [port["name"]]
    assert "type" not in service, "nothing but the cluster reaches it"
    assert all(rule["to"] for rule in policy["egress"])
    reached = {(port["protocol"], port["port"]) for rule in policy["egress"] for port in rule["ports"]}
    assert reached == {("TCP", 6379), ("TCP", 5432), ("UDP", 53), ("TCP", 53)}


@pytest.mark.usefixtures("unset")
def test_the_nightly_snapshot_is_taken_by_who_may_see_all_and_kept_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    (container,) = JOB["containers"]
    for name, value in of_maps(container):
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert settings.redis_url
    assert urlsplit(settings.redis_url).username == "operator"
    with monkeypatch.context() as aside:
        for name in list(os.environ):
            if name.startswith(PREFIX):
                aside.delenv(name)
        for line in (FOLDER / "settings.env").read_text().splitlines():
            aside.setenv(*line.split("=", 1))
        assert settings.redis_url == (load_settings().redis_url or "").replace("worker@", "operator@"), (
            "the same server"
        )
    mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
    assert settings.redis_password_file
    assert str(settings.redis_password_file.parent) in mounts
    assert str(settings.secret_path) in mounts
    kept = mounts[str(settings.snapshot_path)]
    assert not kept.get("readOnly")
    (volume,) = (volume for volume in JOB["volumes"] if volume["name"] == kept["name"])
    assert volume["persistentVolumeClaim"]["claimName"] == one("PersistentVolumeClaim", "snapshots")["metadata"]["name"]
    assert kept["name"] != mounts[str(settings.state_dir)]["name"]
    (passwords,) = (volume["secret"]["items"] for volume in JOB["volumes"] if volume["name"] == "passwords")
    assert [item["path"] for item in passwords] == [settings.redis_password_file.name]


@pytest.mark.usefixtures("unset")
def test_the_nightly_purge_has_the_store_and_the_account_of_the_http_service_and_waits_for_a_decision(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert one("CronJob", "purge")["spec"]["suspend"] is True
    (container,), (serve,) = PURGE["containers"], SERVE["containers"]
    assert container["envFrom"] == serve["envFrom"]
    for name, value in of_maps(container):
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert settings.case_retention is None, "so that it is suspended"
    assert urlsplit(settings.redis_url or "").username == "serve"
    given = {volume["name"]: volume for volume in SERVE["volumes"]}
    assert all(given[volume["name"]] == volume for volume in PURGE["volumes"])
    allowed = {policy["metadata"]["name"]: policy["spec"] for policy in DOCUMENTS if policy["kind"] == "NetworkPolicy"}
    assert allowed["purge"]["egress"] == allowed["serve"]["egress"]
    assert allowed["purge"]["ingress"] == []
    assert understood(container["args"])


@pytest.mark.parametrize("name", ["snapshot", "purge"])
def test_a_night_has_one_snapshot_and_one_purge_that_are_tried_again_and_end(name: str) -> None:
    spec = one("CronJob", name)["spec"]
    minute, hour, *others = spec["schedule"].split()
    assert (minute.isdigit(), hour.isdigit(), others) == (True, True, ["*", "*", "*"])
    assert spec["concurrencyPolicy"] == "Forbid"
    job = spec["jobTemplate"]["spec"]
    assert job["template"]["spec"]["restartPolicy"] == "Never"
    assert 0 < job["activeDeadlineSeconds"] <= spec["startingDeadlineSeconds"] < 86_400
    assert job["backoffLimit"] > 0


def test_scaling_looks_at_the_streams_own_names_as_a_user_that_sees_no_claim() -> None:
    scaled, login = one("ScaledObject")["spec"], one("TriggerAuthentication")
    (trigger,) = scaled["triggers"]
    assert trigger["metadata"]["stream"] == Keys().inbox
    assert trigger["metadata"]["consumerGroup"] == GROUP
    assert trigger["type"] == "redis-streams"
    assert all(isinstance(value, str) for value in trigger["metadata"].values())
    assert trigger["authenticationRef"]["name"] == login["metadata"]["name"]
    assert scaled["scaleTargetRef"]["name"] == one("Deployment", "worker")["metadata"]["name"]
    assert "replicas" not in one("Deployment", "worker")["spec"], "two would set the number"
    given = {entry["parameter"]: entry["key"] for entry in login["spec"]["secretTargetRef"]}
    assert given["password"].removeprefix("redis-") in {user.name for user in USERS}
    assert scaled["minReplicaCount"] > one("PodDisruptionBudget")["spec"]["maxUnavailable"]


@pytest.mark.parametrize(("partitions", "producers"), [(1, []), (1, ["ehr"]), (4, []), (8, ["ehr", "lab-2"])])
def test_scaling_adds_up_what_waits_on_every_stream_of_every_partition(partitions: int, producers: list[str]) -> None:
    scaled, login = yaml.safe_load_all(scaling.text(partitions, producers))
    valid(scaled)
    valid(login)
    triggers = {trigger["name"]: trigger["metadata"] for trigger in scaled["spec"]["triggers"]}
    wanted = {keys.stream(name) for keys in Keys(0, partitions).all for name in ["", *producers]}
    wanted |= {keys.stream(INNER) for keys in Keys(0, partitions).all} if partitions > 1 else set()
    assert {each["stream"] for each in triggers.values()} == wanted
    assert len(triggers) == len(scaled["spec"]["triggers"]), "each by a name of its own"
    assert all(name.isidentifier() for name in triggers)
    formula = scaled["spec"]["advanced"].get("scalingModifiers")
    if len(wanted) == 1:
        assert formula is None
    else:
        assert formula["formula"].split(" + ") == list(triggers)
        assert formula["target"] == str(scaling.LAG)


def test_the_file_is_what_is_written_for_one_partition() -> None:
    assert scaling.FILE.read_text() == scaling.text()


@pytest.mark.parametrize("field", ["pollingIntervall", "triggers"])
def test_a_misspelled_field_of_keda_is_found(field: str) -> None:
    spec = {**one("ScaledObject")["spec"], field: 15}
    with pytest.raises(jsonschema.ValidationError):
        valid({**one("ScaledObject"), "spec": spec})


@pytest.mark.parametrize("words", [["0"], ["many"], ["257"], ["2", "EHR"], ["2", "a b"]])
def test_scaling_for_what_cannot_be_is_refused(words: list[str]) -> None:
    before = scaling.FILE.read_text()
    done = subprocess.run([sys.executable, "-m", "ops.scaling", *words], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.startswith("expected")) == (1, True)
    assert scaling.FILE.read_text() == before


def test_a_worker_is_reached_by_nobody_and_reaches_redis_and_names_alone() -> None:
    policies = [document["spec"] for document in DOCUMENTS if document["kind"] == "NetworkPolicy"]
    everything, worker, *_ = policies
    assert everything == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert worker["ingress"] == []
    ports = {(port["protocol"], port["port"]) for rule in worker["egress"] for port in rule["ports"]}
    assert ports == {("TCP", 6379), ("UDP", 53), ("TCP", 53)}
    (chosen,) = worker["podSelector"]["matchExpressions"]
    labels = (one("Deployment", "worker")["spec"], one("CronJob", "snapshot")["spec"]["jobTemplate"]["spec"])
    names = [spec["template"]["metadata"]["labels"][chosen["key"]] for spec in labels]
    assert (chosen["operator"], sorted(chosen["values"])) == ("In", sorted(names))
    assert one("PodDisruptionBudget")["spec"]["selector"]["matchLabels"] == {chosen["key"]: "worker"}
    assert all(rule["to"] for rule in worker["egress"])
