"""Set-ups that are broken on purpose, on a real Kafka and a real Redis: each is found.

The ones that need no server of their own are in ``tests/agents/test_doctor.py``: settings that
contradict, no broker, no topics, no Redis.
"""

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from msgspec import structs

from agents.doctor import broker_facts, redis_checks
from agents.settings import Settings
from agents.topics import topics
from tests.agents.command_line import CommandLine
from tests.integration.certificates import Authority
from tests.integration.conftest import entered
from tests.integration.kafka import Kafka
from tests.integration.secure_kafka import SecureKafka
from tests.integration.sick_kafka import running_sick_kafka
from tests.integration.test_operator import made, redis_config

pytestmark = pytest.mark.kafka


@pytest.fixture
def settings(kafka: Kafka, redis_url: str) -> Settings:
    """Give settings whose topics no other test uses."""
    prefix = f"doctor-{uuid.uuid4().hex[:8]}."
    return Settings(kafka_bootstrap=kafka.bootstrap, redis_url=redis_url, topic_prefix=prefix)


@pytest.fixture
def shell(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> CommandLine:
    """Give a command line with these settings."""
    shell = CommandLine(monkeypatch, capsys, tmp_path)
    shell.set(
        kafka_bootstrap=settings.kafka_bootstrap,
        redis_url=settings.redis_url,
        topic_prefix=settings.topic_prefix,
    )
    return shell


def findings(shell: CommandLine) -> tuple[int, list[dict[str, Any]]]:
    """Return the doctor's exit code and all that is not well."""
    outcome = shell.run("doctor", "--json")
    checks = json.loads(outcome.out)["checks"]
    return outcome.code, [check for check in checks if check["status"] in {"warn", "failed"}]


def only(shell: CommandLine, code: int, status: str) -> dict[str, Any]:
    """Return the one finding that there must be, with this exit code and status."""
    found_code, found = findings(shell)
    assert (found_code, [one["status"] for one in found]) == (code, [status]), found
    assert found[0]["mend"]
    return found[0]


def process_findings() -> tuple[int, list[dict[str, Any]]]:
    """Return the same of a process: kafka-python never closes a connection that was refused."""
    command = [sys.executable, "-m", "agents.cli", "doctor", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    checks = json.loads(done.stdout)["checks"]
    return done.returncode, [one for one in checks if one["status"] in {"warn", "failed"}]


# --- topics --------------------------------------------------------------------------------------


class Wrong(NamedTuple):
    """One value of a topic's configuration, and what the doctor must say of it."""

    name: str
    key: str
    value: str
    code: int
    status: str
    mend: str


@pytest.mark.parametrize(
    "wrong",
    [
        Wrong("state", "cleanup.policy", "delete", 12, "failed", "cleanup.policy=[compact]"),
        Wrong("CartAdded", "retention.ms", "3600000", 12, "failed", "retention.ms=604800000"),
        Wrong("CartAdded", "retention.ms", "172800000", 0, "warn", "retention.ms=604800000"),
        Wrong("CartAdded", "max.message.bytes", "1048588", 12, "failed", "max.message.bytes=41943"),
        Wrong("DeadLetter", "max.message.bytes", "100000", 12, "failed", "bytes=524288"),
        Wrong("LikesSent", "message.timestamp.type", "CreateTime", 0, "warn", "LogAppendTime"),
    ],
)
def test_a_topic_that_is_made_wrong(shell: CommandLine, settings: Settings, wrong: Wrong) -> None:
    """It is named, with the command that mends it."""
    right = next(spec.config for spec in topics(settings) if wrong.name in spec.types)
    made(settings, **{wrong.name: {"configs": right | {wrong.key: wrong.value}}})
    found = only(shell, wrong.code, wrong.status)
    assert settings.topic_of(wrong.name) in found["detail"]
    assert wrong.mend in found["mend"]


def test_topics_of_unequal_partition_counts(shell: CommandLine, settings: Settings) -> None:
    """Only the odd one is named."""
    made(settings, CommentPosted={"num_partitions": 6})
    found = only(shell, 13, "failed")
    assert settings.topic_of("CommentPosted") in found["detail"]
    assert "6 partitions, must have 4" in found["detail"]
    assert found["mend"].startswith("LIVEPULSE_PARTITIONS=6")


def test_too_few_copies(shell: CommandLine, settings: Settings) -> None:
    """The settings ask for three, the topics have one: each is named."""
    made(settings)
    shell.set(replication_factor="3")
    code, found = findings(shell)
    assert code == 12
    copies = [one for one in found if "has 1 copies, must have 3" in one["detail"]]
    assert len(copies) == len({one["detail"] for one in copies}) > 10
    assert "LIVEPULSE_REPLICATION_FACTOR=1" in copies[0]["mend"]
    internal = [one["mend"] for one in found if one["name"] == "broker limits"]
    assert any("transaction.state.log.replication.factor=3" in mend for mend in internal)


# --- the brokers themselves ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def sick_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """Give a broker that allows transactions of half a minute."""
    wrong = {"transaction.max.timeout.ms": "30000"}
    with ExitStack() as stack:
        yield entered(stack, running_sick_kafka(tmp_path_factory.mktemp("sick-kafka"), wrong))


def test_a_broker_that_forbids_our_transactions(
    shell: CommandLine, settings: Settings, sick_kafka: Kafka
) -> None:
    """A worker would end at its start, with an error code and no name."""
    made(structs.replace(settings, kafka_bootstrap=sick_kafka.bootstrap))
    shell.set(kafka_bootstrap=sick_kafka.bootstrap)
    found = only(shell, 11, "failed")
    assert "transaction.max.timeout.ms=30000: a worker asks for 60000" in found["detail"]
    assert "server.properties" in found["mend"]


def test_wrong_credentials(shell: CommandLine, secure_kafka: SecureKafka) -> None:
    """The broker is there and does not let us in: it is not called unreachable."""
    secure_kafka.enrol(["stranger"])
    shell.set(**secure_kafka.login("stranger", "SASL_SSL") | {"kafka_sasl_password": "not it"})
    code, found = process_findings()
    assert code == 11
    broker = next(one for one in found if one["name"] == "broker")
    assert "listens but does not answer" in broker["detail"]
    assert "SASL" in broker["mend"]
    assert "not it" not in json.dumps(found)


def test_a_wrong_certificate_authority(
    shell: CommandLine, secure_kafka: SecureKafka, tmp_path: Path
) -> None:
    """The broker's certificate is not signed by who we trust."""
    other = Authority(tmp_path)
    login = secure_kafka.login("root", "SSL") | {"kafka_ssl_ca_file": str(other.ca_file)}
    shell.set(**login)
    code, found = process_findings()
    assert code == 11
    assert "TLS settings" in next(one["mend"] for one in found if one["name"] == "broker")


@contextmanager
def clock_ahead(monkeypatch: pytest.MonkeyPatch, seconds: float) -> Iterator[None]:
    """Turn this machine's clock, as the doctor sees it."""

    class Turned:
        @staticmethod
        def time() -> float:
            return time.time() + seconds  # noqa: TID251 - it is the clock that is turned

    with monkeypatch.context() as patch:
        patch.setattr(broker_facts, "time", Turned)
        patch.setattr(redis_checks, "time", Turned)
        yield


def test_a_clock_that_is_off(
    shell: CommandLine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against the clock of the broker and that of Redis; a warning, as nothing breaks at once."""
    made(settings)
    with clock_ahead(monkeypatch, 7.0):
        code, found = findings(shell)
    assert code == 0
    assert [one["mend"] for one in found] == ["synchronise both with NTP"] * 2
    for whose, one in zip(("Kafka", "Redis"), found, strict=True):
        seconds, _, text = one["detail"].partition(" s ")
        assert 6 < float(seconds) < 8
        assert text == f"ahead of the clock of {whose}"


# --- Redis ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "finding"),
    [
        ({"appendonly": "no"}, (14, "failed", "keeps nothing", "appendonly yes")),
        (
            {"appendonly": "no", "save": "60 1"},
            (0, "warn", "keeps snapshots at most", "appendonly yes"),
        ),
        (
            {"maxmemory": "100mb", "maxmemory_policy": "allkeys-lru"},
            (14, "failed", "may evict coupon budgets", "maxmemory-policy noeviction"),
        ),
    ],
)
def test_a_redis_that_may_lose_budgets(
    shell: CommandLine,
    settings: Settings,
    values: dict[str, str],
    finding: tuple[int, str, str, str],
) -> None:
    """What was promised would be promised again."""
    code, status, detail, mend = finding
    made(settings)
    with redis_config(settings.redis_url, **values):
        found = only(shell, code, status)
    assert detail in found["detail"]
    assert mend in found["mend"]


def test_a_wrong_password_of_redis(shell: CommandLine, settings: Settings) -> None:
    """Redis is there: it is not called unreachable, and the password is not shown."""
    made(settings)
    shell.set(redis_username="nobody", redis_password="hush-hush")
    found = only(shell, 14, "failed")
    assert "lets this user not in" in found["detail"]
    assert "LIVEPULSE_REDIS_PASSWORD" in found["mend"]
    assert "hush-hush" not in json.dumps(found)
