"""The doctor: each finding has its exit code and the way to mend it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from kafka.errors import KafkaError, KafkaTimeoutError, TopicAuthorizationFailedError

from agents.doctor import broker_facts
from agents.doctor.broker_checks import clock
from agents.doctor.redis_checks import eviction
from agents.settings import Settings
from agents.topics import topics
from tests.agents.command_line import CommandLine

CLOSED = "127.0.0.1:1"  # nobody may listen there without being root, and nobody does


@pytest.fixture
def shell(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> CommandLine:
    """Give a command line in an empty directory, whose Redis is not there."""
    shell = CommandLine(monkeypatch, capsys, tmp_path)
    shell.set(redis_url=f"redis://{CLOSED}/0")
    return shell


@pytest.fixture(scope="module")
def embedded() -> Iterator[str]:
    """Give the address of the demo's kind of broker, which holds every topic."""
    broker = Producer({"bootstrap.servers": "ignored", "test.mock.num.brokers": 1})
    address = next(iter(broker.list_topics(timeout=10).brokers.values()))
    for spec in topics(Settings()):
        broker.list_topics(spec.name, timeout=10)  # being asked for makes it
    yield f"{address.host}:{address.port}"
    broker.flush(1)


def diagnosis(shell: CommandLine) -> tuple[int, dict[str, Any]]:
    """Return the exit code, and name -> the last check of that name."""
    outcome = shell.run("doctor", "--json")
    report = json.loads(outcome.out)
    assert report["exit_code"] == outcome.code
    assert report["ok"] == (outcome.code == 0)
    return outcome.code, {check["name"]: check for check in report["checks"]}


def test_wrong_settings_are_exit_code_10(shell: CommandLine) -> None:
    """Nothing else is tried: it would be tried with the wrong settings."""
    shell.set(partitions="many")
    code, checks = diagnosis(shell)
    assert code == 10
    assert list(checks) == ["settings"]
    assert checks["settings"]["mend"] == "use a value like 4"


def test_unreadable_certificates_are_wrong_settings(shell: CommandLine, tmp_path: Path) -> None:
    """A CA file without a certificate is found before it fails as a connection."""
    ca_file = tmp_path / "ca.pem"
    ca_file.write_text("not a certificate")
    shell.set(kafka_security_protocol="SSL", kafka_ssl_ca_file=str(ca_file))
    code, checks = diagnosis(shell)
    assert code == 10
    assert "LIVEPULSE_KAFKA_SSL_CA_FILE" in checks["settings"]["detail"]


def test_no_broker_is_exit_code_11_and_redis_is_still_looked_at(shell: CommandLine) -> None:
    """One visit tells all: the exit code is that of the first failure."""
    shell.set(kafka_bootstrap=CLOSED)
    code, checks = diagnosis(shell)
    assert code == 11
    assert "Connection refused" in checks["broker"]["detail"]
    assert "LIVEPULSE_KAFKA_BOOTSTRAP" in checks["broker"]["mend"]
    assert checks["topics"]["status"] == checks["partitions"]["status"] == "skipped"
    assert checks["redis"]["status"] == "failed"


@pytest.mark.parametrize("error", [KafkaTimeoutError("60 s"), TopicAuthorizationFailedError("t1")])
def test_a_broker_that_refuses_an_answer_is_told_with_its_error(
    shell: CommandLine, embedded: str, monkeypatch: pytest.MonkeyPatch, error: KafkaError
) -> None:
    """The error is what is wrong, and what to mend is something to do."""

    def gather(*_: Any) -> None:
        raise error

    monkeypatch.setattr(broker_facts, "gather", gather)
    shell.set(kafka_bootstrap=embedded)
    code, checks = diagnosis(shell)
    assert code == 11
    assert str(error) in checks["broker"]["detail"]
    assert "livepulse topics acls" in checks["broker"]["mend"]
    assert checks["topics"]["status"] == checks["partitions"]["status"] == "skipped"


def test_missing_topics_are_exit_code_12(shell: CommandLine, embedded: str) -> None:
    """All are named in one finding, with the command that makes them."""
    shell.set(kafka_bootstrap=embedded, topic_prefix="elsewhere.")
    code, checks = diagnosis(shell)
    assert code == 12
    assert checks["topics"]["mend"] == "livepulse topics create"
    assert "elsewhere.window-totals" in checks["topics"]["detail"]


def test_wrong_partition_count_is_exit_code_13(shell: CommandLine, embedded: str) -> None:
    """The embedded broker always makes four."""
    shell.set(kafka_bootstrap=embedded, partitions="3")
    code, checks = diagnosis(shell)
    assert code == 13
    assert checks["partitions"]["mend"].startswith("LIVEPULSE_PARTITIONS=4")


def test_no_redis_is_exit_code_14(shell: CommandLine, embedded: str) -> None:
    """With a broker in order, Redis is what is left to mend."""
    shell.set(kafka_bootstrap=embedded)
    code, checks = diagnosis(shell)
    assert code == 14
    assert checks["broker"]["status"] == checks["partitions"]["status"] == "ok"
    assert checks["topics"]["status"] == "warn"  # it does not tell its cleanup policies
    assert "LIVEPULSE_REDIS_URL" in checks["redis"]["mend"]


def test_a_broker_that_makes_no_topics_says_so(shell: CommandLine, embedded: str) -> None:
    """The remedy for missing topics does not work on the embedded broker, and tells why."""
    shell.set(kafka_bootstrap=embedded, topic_prefix="elsewhere.")
    outcome = shell.run("topics", "create")
    assert outcome.code == 1
    assert "makes no topics on request" in outcome.err


def test_passwords_are_not_shown(shell: CommandLine) -> None:
    """The report may be pasted into a ticket."""
    shell.set(kafka_bootstrap=CLOSED, redis_url=f"redis://:hush-hush@{CLOSED}/0")
    assert "hush-hush" not in shell.run("doctor").out


def test_text_says_how_to_mend(shell: CommandLine) -> None:
    """People get one line for each finding, and one for the remedy."""
    shell.set(kafka_bootstrap=CLOSED)
    out = shell.run("doctor").out
    assert " failed  broker " in out
    assert "to mend: start it, or correct LIVEPULSE_KAFKA_BOOTSTRAP" in out


@pytest.mark.parametrize(
    ("maxmemory", "policy", "status"),
    [
        (0, "allkeys-lru", "ok"),
        (1 << 30, "noeviction", "ok"),
        (1 << 30, "allkeys-lru", "failed"),
        (1 << 30, "volatile-ttl", "failed"),
    ],
)
def test_redis_must_not_evict_budgets(maxmemory: int, policy: str, status: str) -> None:
    """Budgets have a time to live, so even the volatile policies would take them."""
    assert eviction(maxmemory, policy).status == status


@pytest.mark.parametrize(
    ("skew_s", "status", "told"),
    [
        (0.0, "ok", "within"),
        (-2.0, "ok", "within"),
        (2.5, "warn", "2.5 s ahead"),
        (-9, "warn", "9.0 s behind"),
    ],
)
def test_clock_that_is_off_is_a_warning(skew_s: float, status: str, told: str) -> None:
    """A wrong clock is told with its direction, and stops nobody."""
    check = clock(skew_s, "Redis")
    assert check.status == status
    assert told in check.detail
