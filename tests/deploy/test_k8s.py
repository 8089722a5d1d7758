"""Every overlay is valid for three versions of Kubernetes, and runs livepulse as it must be run."""

import json
import re
import shutil
from collections import defaultdict
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]  # it ships no types
import pytest

from agents.settings import Settings, load
from agents.topics import topics
from tests.deploy.kustomize import identity, pod_of, render
from tests.deploy.tools import DEPLOY, document, parse_documents, run

K8S = DEPLOY / "k8s"
OVERLAYS = {name: render(K8S / "overlays" / name) for name in ("dev", "prod", "prod-keda")}
VERSIONS = ("1.32", "1.34", "1.37")
#: Of these no schema is at hand: see test_k8s_custom.py.
CUSTOM = {"monitoring.coreos.com/v1", "keda.sh/v1alpha1"}

EVERY = [one for objects in OVERLAYS.values() for one in objects]
PLACED = [(name, one) for name, objects in OVERLAYS.items() for one in objects if pod_of(one)]
PODS = [one for _, one in PLACED]


def case(value: Any) -> str:
    """Name a test case."""
    return value if isinstance(value, str) else "-".join(identity(value)[1:])


def environment(one: Any, objects: list[Any]) -> dict[str, str]:
    """Return the variables of a pod's container; a secret or the pod's name as what names it."""
    (container,) = pod_of(one)["containers"]
    maps = {o["metadata"]["name"]: o["data"] for o in objects if o["kind"] == "ConfigMap"}
    found: dict[str, str] = {}
    for source in container.get("envFrom", []):
        found |= maps[source["configMapRef"]["name"]]
    return found | {
        item["name"]: value_of(item["valueFrom"], one) for item in container.get("env", [])
    }


def value_of(source: Any, one: Any) -> str:
    """Return a value for a variable of a pod of this object."""
    if "fieldRef" in source:
        assert source["fieldRef"]["fieldPath"] == "metadata.name"
        return f"{one['metadata']['name']}-0"
    return str(source["secretKeyRef"]["key"]) * 32


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("one", [o for o in EVERY if o["apiVersion"] not in CUSTOM], ids=case)
def test_the_object_is_valid(one: Any, version: str) -> None:
    """Kubernetes' own schema, strictly: a field that does not exist is an error."""
    kubernetes_validate.validate(one, version, strict=True)


def test_a_wrong_field_is_noticed() -> None:
    """The check is strict."""
    (worker,) = (one for one in OVERLAYS["dev"] if one["kind"] == "StatefulSet")
    wrong = json.loads(json.dumps(worker).replace("failureThreshold", "failureThreshhold"))
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[0], strict=True)


def canonical(value: Any) -> str:
    """Return the same text for the same value, whatever the order of its keys."""
    return json.dumps(value, sort_keys=True)


def sorted_items(value: Any) -> Any:
    """Return the value with lists of objects in an order of their own: it means nothing there."""
    if isinstance(value, dict):
        return {key: sorted_items(item) for key, item in value.items()}
    if isinstance(value, list) and all(isinstance(item, dict) for item in value):
        return sorted((sorted_items(item) for item in value), key=canonical)
    return value


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_kustomize_renders_the_same(overlay: str) -> None:
    """Where a kubectl with a kustomize of today is at hand, it agrees with our renderer."""
    kubectl = shutil.which("kubectl")
    if kubectl is None or "Kustomize Version: v5" not in run(kubectl, "version", "--client").stdout:
        pytest.skip("no kubectl with kustomize 5")
    done = run(kubectl, "kustomize", str(K8S / "overlays" / overlay))
    theirs = {identity(one): sorted_items(one) for one in parse_documents(done.stdout)}
    assert theirs == {identity(one): sorted_items(one) for one in OVERLAYS[overlay]}


@pytest.mark.parametrize("one", PODS, ids=case)
def test_the_pod_is_confined(one: Any) -> None:
    """No root, no writable file system but /tmp, no capability, no token of the cluster."""
    pod = pod_of(one)
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert "/tmp" in {mount["mountPath"] for mount in container["volumeMounts"]}
    assert {"cpu", "memory"} <= container["resources"]["requests"].keys()
    assert "memory" in container["resources"]["limits"]


@pytest.mark.parametrize("one", PODS, ids=case)
def test_no_service_sets_a_variable(one: Any) -> None:
    """A Service livepulse-screen would set LIVEPULSE_SCREEN_PORT, which is a setting of ours."""
    assert pod_of(one)["enableServiceLinks"] is False


@pytest.mark.parametrize(("overlay", "one"), PLACED, ids=case)
def test_livepulse_accepts_the_settings(overlay: str, one: Any, tmp_path: Path) -> None:
    """Every variable is a setting, and together they are consistent; files are mounted."""
    env = environment(one, OVERLAYS[overlay])
    mounts = [mount["mountPath"] for mount in pod_of(one)["containers"][0]["volumeMounts"]]
    for name, path in list(env.items()):
        if name.endswith("_FILE"):
            assert str(Path(path).parent) in mounts
            env[name] = str(tmp_path / Path(path).name)
            (tmp_path / Path(path).name).touch()
    settings = load(env=env)
    assert len(topics(settings)) > 1


@pytest.mark.parametrize(("overlay", "one"), PLACED, ids=case)
def test_secrets_are_named_and_never_written(overlay: str, one: Any) -> None:
    """Passwords and keys come from secrets, and no secret is among the objects."""
    plain = {
        name for o in OVERLAYS[overlay] if o["kind"] == "ConfigMap" for name in o.get("data", {})
    }
    assert not {name for name in plain if name.endswith(("PASSWORD", "TOKEN_KEY", "USERNAME"))}
    assert not [o for o in OVERLAYS[overlay] if o["kind"] == "Secret"]
    assert not [item for item in pod_of(one)["containers"][0].get("env", []) if "value" in item]


def read_from_secrets(one: Any) -> dict[str, set[str]]:
    """Return secret -> keys of it that a pod takes, as variables or as files."""
    pod = pod_of(one)
    named = [item["valueFrom"] for item in pod["containers"][0].get("env", [])]
    refs = [source["secretKeyRef"] for source in named if "secretKeyRef" in source]
    files = [volume["secret"] for volume in pod["volumes"] if "secret" in volume]
    found: dict[str, set[str]] = defaultdict(set)
    for name, key in [
        *((ref["name"], ref["key"]) for ref in refs),
        *((file["secretName"], item["key"]) for file in files for item in file["items"]),
    ]:
        found[name].add(key)
    return found


def test_everybody_is_who_may_do_it() -> None:
    """As security.md has it: workers create no topics, and a screen only reads Redis."""
    pods = {o["metadata"]["name"]: read_from_secrets(o) for o in OVERLAYS["prod"] if pod_of(o)}
    users = {name: {s for s, keys in of.items() if "password" in keys} for name, of in pods.items()}
    assert users == {
        "livepulse-topics": {"livepulse-kafka-admin"},
        "livepulse-worker": {"livepulse-kafka", "livepulse-redis"},
        "livepulse-screen": {"livepulse-kafka", "livepulse-redis-screen"},
    }
    assert all(
        "username" in keys for of in pods.values() for keys in of.values() if "password" in keys
    )


def test_the_secrets_to_make_are_told() -> None:
    """The overlay's first lines name each of them with its keys, and no other."""
    needed: dict[str, set[str]] = defaultdict(set)
    for one in (o for o in OVERLAYS["prod"] if pod_of(o)):
        for name, keys in read_from_secrets(one).items():
            needed[name] |= keys
    text = (K8S / "overlays" / "prod" / "kustomization.yaml").read_text(encoding="utf-8")
    told = re.findall(r"^#   (\S+) +([\w.-]+(?:, [\w.-]+)*)", text, flags=re.MULTILINE)
    assert {name: set(keys.split(", ")) for name, keys in told} == needed


@pytest.mark.parametrize("one", [o for o in PODS if o["kind"] != "Job"], ids=case)
def test_probes_ask_the_right_paths(one: Any) -> None:
    """On the metrics port; liveness knows nothing of Kafka, readiness does."""
    (container,) = pod_of(one)["containers"]
    ports = {port["name"] for port in container["ports"]}
    for probe, path in (("startup", "startupz"), ("liveness", "healthz"), ("readiness", "readyz")):
        assert container[f"{probe}Probe"]["httpGet"] == {"path": f"/{path}", "port": "metrics"}
    assert "metrics" in ports
    assert pod_of(one)["terminationGracePeriodSeconds"] >= 20


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_selectors_select(overlay: str) -> None:
    """Services, budgets and policies mean pods that exist."""
    pods = [
        one["spec"]["template"]["metadata"]["labels"] for one in OVERLAYS[overlay] if pod_of(one)
    ]
    for one in OVERLAYS[overlay]:
        spec = one.get("spec", {})
        wanted = spec.get("selector") or spec.get("podSelector") or {}
        labels = wanted.get("matchLabels", wanted)
        if one["kind"] in {"Service", "PodDisruptionBudget", "NetworkPolicy"}:
            assert any(labels.items() <= pod.items() for pod in pods), identity(one)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_traces_may_leave(overlay: str) -> None:
    """To the port of OpenTelemetry over HTTP, in the namespace that watches us."""
    (policy,) = (
        one for one in OVERLAYS[overlay]
        if one["kind"] == "NetworkPolicy" and one["metadata"]["name"] == "livepulse"
    )  # fmt: skip
    (rule,) = (one for one in policy["spec"]["egress"] if one["ports"][0]["port"] == 4318)
    there = {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}
    assert rule["to"] == [{"namespaceSelector": there}]


def test_workers_fit_the_partitions() -> None:
    """Never more workers than partitions: the others would have nothing to do."""
    for name, objects in OVERLAYS.items():
        partitions = next(
            int(one["data"]["LIVEPULSE_PARTITIONS"])
            for one in objects
            if one["kind"] == "ConfigMap"
        )
        specs = [o["spec"] for o in objects if o["metadata"]["name"] == "livepulse-worker"]
        for spec in specs:
            most = spec.get("maxReplicaCount") or spec.get("replicas") or 0
            assert most <= partitions, name


def test_every_file_is_used() -> None:
    """No manifest lies about that no kustomization names."""
    for folder in {path.parent for path in K8S.rglob("*.yaml")}:
        kustomization = document(folder / "kustomization.yaml")
        used = {*kustomization["resources"], *(p["path"] for p in kustomization.get("patches", []))}
        there = {path.name for path in folder.glob("*.yaml")} - {"kustomization.yaml"}
        assert there == {name for name in used if name.endswith(".yaml")}, folder


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_workers_are_static_members_by_the_name_of_their_pod(overlay: str) -> None:
    """Names that stay over a restart, and time to come back in."""
    worker = next(one for one in OVERLAYS[overlay] if one["kind"] == "StatefulSet")
    env = environment(worker, OVERLAYS[overlay])
    assert env["LIVEPULSE_KAFKA_GROUP_INSTANCE_ID"] == "livepulse-worker-0"
    assert int(env["LIVEPULSE_SESSION_TIMEOUT_S"]) > Settings().session_timeout_s
