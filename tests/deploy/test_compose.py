"""The compose file: right by its specification, and right in what it names."""

import json
import re
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from compose_spec import PyCompose

from agents.settings import load
from deploy.grafana.dashboards import documents as dashboards
from tests.deploy.markdown import inline
from tests.deploy.test_runbooks import PAGES, parse
from tests.deploy.tools import DEPLOY, document

COMPOSE = document(DEPLOY / "compose.yaml")
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = [name for name, one in SERVICES.items() if one["image"].startswith("livepulse:")]


def test_it_follows_the_specification() -> None:
    """A strict parser of the compose specification accepts it."""
    resolved = json.dumps(COMPOSE)  # anchors and merges are YAML's, not compose's
    PyCompose.from_json(resolved).validate()
    with pytest.raises(ValueError, match="comand"):
        PyCompose.from_json(resolved.replace('"command"', '"comand"', 1))


@pytest.mark.parametrize("name", SERVICES)
def test_what_a_service_needs_is_there(name: str) -> None:
    """Services that it waits for exist, and can become what it waits for; volumes too."""
    service = SERVICES[name]
    needs = service.get("depends_on", [])
    for other in needs:
        assert other in SERVICES
        condition = needs[other]["condition"] if isinstance(needs, dict) else "service_started"
        if condition == "service_healthy":
            assert "test" in SERVICES[other]["healthcheck"]
    for volume in service.get("volumes", []):
        source = volume.partition(":")[0]
        known = (
            (DEPLOY / source).exists() if source.startswith(".") else source in COMPOSE["volumes"]
        )
        assert known, source


@pytest.mark.parametrize("name", OURS)
def test_our_commands_and_settings_exist(name: str) -> None:
    """The command line parses, and livepulse accepts the variables."""
    service = SERVICES[name]
    parse([str(word) for word in service["command"]])
    env = {
        key: re.sub(r"\$\{.*\}", "k" * 32, value) for key, value in service["environment"].items()
    }
    assert load(env=env).kafka_bootstrap == "kafka:9092"


def test_a_command_is_run_whatever_else_is_down() -> None:
    """What looks for the fault must not wait for Kafka to be well."""
    typed = [line for page in PAGES for line in inline(page) if line.startswith("docker compose")]
    run = [words for line in typed if "run" in (words := line.split())]
    assert run
    assert all("--no-deps" in words for words in run)


@pytest.mark.parametrize("name", OURS)
def test_our_containers_are_confined(name: str) -> None:
    """No writable file system but /tmp, no capability, no new privileges."""
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["tmpfs"] == ["/tmp"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", SERVICES)
def test_nothing_is_open_to_other_machines(name: str) -> None:
    """Ports are published on loopback only, and every image has a version."""
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", []))
    assert re.search(r":v?\d", SERVICES[name]["image"])


def test_kafka_is_the_one_that_is_tested() -> None:
    """The same version as deploy/kafka-local; topics are never made by a typing error."""
    pom = ET.parse(DEPLOY / "kafka-local" / "pom.xml").getroot()
    space = {"m": "http://maven.apache.org/POM/4.0.0"}
    version = pom.find(".//m:dependency[m:artifactId='kafka_2.13']/m:version", space)
    assert version is not None
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{version.text}"
    assert SERVICES["kafka"]["environment"]["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"


def test_redis_keeps_the_budgets() -> None:
    """It persists and never evicts, as `livepulse doctor` asks for."""
    command = SERVICES["redis"]["command"]
    assert command[command.index("--appendonly") + 1] == "yes"
    assert command[command.index("--maxmemory-policy") + 1] == "noeviction"


def test_prometheus_scrapes_the_services() -> None:
    """Job names are those of the rules, targets are services of this file."""
    jobs = document(DEPLOY / "prometheus" / "prometheus.yml")["scrape_configs"]
    targets = {job["job_name"]: job["dns_sd_configs"][0]["names"] for job in jobs}
    assert targets == {"livepulse-worker": ["worker"], "livepulse-screen": ["screen"]}
    assert {"worker", "screen"} <= set(OURS)


def test_prometheus_keeps_exemplars() -> None:
    """The workers send them; a command replaces all of the image's own."""
    service = SERVICES["prometheus"]
    options = dict(word.split("=", 1) for word in service["command"])
    assert options["--enable-feature"] == "exemplar-storage"
    mounts = dict(volume.split(":")[:2] for volume in service["volumes"])
    assert options["--config.file"] == f"{mounts['./prometheus']}/prometheus.yml"
    assert options["--storage.tsdb.path"] == mounts["prometheus"]


def test_grafana_finds_its_dashboards() -> None:
    """The provider's folder is mounted, and the first page is one of the dashboards."""
    provider = document(DEPLOY / "grafana" / "provisioning" / "dashboards" / "livepulse.yaml")
    folder = provider["providers"][0]["options"]["path"]
    assert f"./grafana/dashboards:{folder}:ro" in SERVICES["grafana"]["volumes"]
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home.removeprefix(f"{folder}/") in dashboards()
    source = document(DEPLOY / "grafana" / "provisioning" / "datasources" / "prometheus.yaml")
    assert source["datasources"][0]["url"] == "http://prometheus:9090"
