"""Objects of other people's kinds, of which no schema is at hand: their structure, by hand."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from agents.settings import load
from tests.deploy.test_k8s import OVERLAYS, environment


class Key(Struct, forbid_unknown_fields=True):
    """A key of a secret, for one parameter of the scaler."""

    parameter: Literal["username", "password", "ca", "cert", "key"]
    name: str
    key: str


class Policy(Struct, forbid_unknown_fields=True):
    """So many pods in so many seconds."""

    type: Literal["Pods", "Percent"]
    value: Annotated[int, Meta(ge=1)]
    periodSeconds: Annotated[int, Meta(ge=1, le=1800)]  # noqa: N815 - Kubernetes' name


class Pace(Struct, forbid_unknown_fields=True):
    """How quickly the number of pods may change in one direction."""

    stabilizationWindowSeconds: Annotated[int, Meta(ge=0, le=3600)]  # noqa: N815 - as above
    policies: list[Policy]


class Endpoint(Struct, forbid_unknown_fields=True):
    """Where a pod is scraped."""

    port: str
    interval: Annotated[str, Meta(pattern=r"^\d+s$")]
    scrapeTimeout: Annotated[str, Meta(pattern=r"^\d+s$")]  # noqa: N815 - as above


def custom(kind: str) -> Any:
    """Return the only object of a kind."""
    (one,) = (one for one in OVERLAYS["prod-keda"] if one["kind"] == kind)
    return one["spec"]


def test_the_pod_monitor_scrapes_both() -> None:
    """Worker and screen, on their metrics port, under the job names that the rules expect."""
    spec = custom("PodMonitor")
    endpoints = msgspec.convert(spec["podMetricsEndpoints"], list[Endpoint])
    assert [endpoint.port for endpoint in endpoints] == ["metrics"]
    assert spec["jobLabel"] == "app.kubernetes.io/name"
    assert spec["selector"]["matchExpressions"][0]["values"] == ["worker", "screen"]
    assert spec.keys() == {"jobLabel", "selector", "podMetricsEndpoints"}


def test_scaling_is_quick_up_and_slow_down() -> None:
    """One worker less in ten minutes at most, after half an hour of calm, and never below three."""
    spec = custom("ScaledObject")
    behaviour = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    pace = msgspec.convert(behaviour, dict[Literal["scaleUp", "scaleDown"], Pace])
    assert pace["scaleDown"].stabilizationWindowSeconds >= 1800
    assert [(p.type, p.value, p.periodSeconds) for p in pace["scaleDown"].policies] == [
        ("Pods", 1, 600)
    ]
    assert spec["minReplicaCount"] == 3
    assert spec["scaleTargetRef"]["name"] == "livepulse-worker"


def test_scaling_asks_the_group_of_the_settings() -> None:
    """Group, topic and brokers are those of the workers; all values are texts, as KEDA wants."""
    (trigger,) = custom("ScaledObject")["triggers"]
    metadata = msgspec.convert(trigger["metadata"], dict[str, str])
    worker = next(one for one in OVERLAYS["prod-keda"] if one["kind"] == "StatefulSet")
    env = environment(worker, OVERLAYS["prod-keda"])
    settings = load(env={k: v for k, v in env.items() if not k.endswith("_FILE")})
    assert metadata["bootstrapServers"] == settings.kafka_bootstrap
    assert metadata["consumerGroup"] == settings.app_id
    assert metadata["topic"] == settings.topic_of("Heartbeat")
    assert trigger["authenticationRef"] == {"name": "livepulse-kafka"}
    keys = msgspec.convert(custom("TriggerAuthentication")["secretTargetRef"], list[Key])
    assert {key.parameter for key in keys} == {"username", "password", "ca"}
    assert "replicas" not in worker["spec"]
