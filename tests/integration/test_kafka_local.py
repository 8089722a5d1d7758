"""The local Kafka and Redis are real: transactions hide, servers answer, nothing stays behind."""

import os
import socket
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
import redis
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic

from tests.integration.kafka import SCRIPT, Kafka, start_command, wait_until_it_answers
from tests.ports import free_port

pytestmark = pytest.mark.kafka


@pytest.fixture
def topic(kafka: Kafka) -> Iterator[TopicPartition]:
    """Give the only partition of a new topic."""
    name = f"local-{uuid.uuid4().hex}"
    with closing(KafkaAdminClient(bootstrap_servers=kafka.bootstrap)) as admin:
        admin.create_topics(
            [NewTopic(name, num_partitions=1, replication_factor=1)], wait_for_metadata=True
        )
        yield TopicPartition(name, 0)
        admin.delete_topics([name])


@asynccontextmanager
async def reader(
    kafka: Kafka, topic: TopicPartition, isolation_level: str
) -> AsyncIterator[AIOKafkaConsumer]:
    """Read ``topic`` from its start."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka.bootstrap,
        isolation_level=isolation_level,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    consumer.assign([topic])
    async with consumer:
        yield consumer


@asynccontextmanager
async def transactional_producer(kafka: Kafka) -> AsyncIterator[AIOKafkaProducer]:
    """Give a producer with a transactional id of its own."""
    async with AIOKafkaProducer(
        bootstrap_servers=kafka.bootstrap, transactional_id=f"local-{uuid.uuid4().hex}"
    ) as producer:
        yield producer


def test_the_broker_answers(kafka: Kafka) -> None:
    """An admin client sees a live broker with a controller."""
    with closing(KafkaAdminClient(bootstrap_servers=kafka.bootstrap)) as admin:
        cluster = admin.describe_cluster()
    assert len(cluster["brokers"]) >= 1
    assert cluster["controller_id"] >= 0


async def test_an_open_transaction_is_invisible(kafka: Kafka, topic: TopicPartition) -> None:
    """A record shows at once to read_uncommitted, and to read_committed only after the commit."""
    async with (
        transactional_producer(kafka) as producer,
        reader(kafka, topic, "read_uncommitted") as eager,
        reader(kafka, topic, "read_committed") as patient,
    ):
        await producer.begin_transaction()
        await producer.send_and_wait(topic.topic, b"cart", partition=0)
        assert (await eager.getone()).value == b"cart"
        assert await patient.end_offsets([topic]) == {topic: 0}

        await producer.commit_transaction()
        assert (await patient.getone()).value == b"cart"


async def test_an_aborted_transaction_is_never_seen(kafka: Kafka, topic: TopicPartition) -> None:
    """A read_committed reader steps over what was aborted."""
    async with (
        transactional_producer(kafka) as producer,
        reader(kafka, topic, "read_committed") as consumer,
    ):
        for value, finish in (
            (b"aborted", producer.abort_transaction),
            (b"committed", producer.commit_transaction),
        ):
            await producer.begin_transaction()
            await producer.send_and_wait(topic.topic, value, partition=0)
            await finish()
        assert (await consumer.getone()).value == b"committed"


def test_redis_answers(redis_url: str) -> None:
    """A value that was set is read back."""
    key = f"local-{uuid.uuid4().hex}"
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        client.set(key, "here", ex=10)
        assert client.get(key) == "here"


@pytest.mark.usefixtures("kafka")  # which skips where there is no Java
def test_a_killed_run_leaves_no_broker(tmp_path: Path) -> None:
    """When the process that started a foreground broker is killed with -9, the broker ends too."""
    command = start_command(tmp_path, port=free_port())
    code = f"import subprocess; subprocess.run({command!r}, check=True)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as run:
        wait_until_it_answers(run)
        broker = int((tmp_path / "kafka.pid").read_text().split()[0])
        os.kill(broker, 0)
        run.kill()
        try:
            run.communicate(timeout=30)  # returns when the script has ended too and closed the pipe
            with pytest.raises(ProcessLookupError):
                os.kill(broker, 0)
        finally:
            script("stop", tmp_path)


def test_stop_spares_a_process_that_took_the_pid(tmp_path: Path) -> None:
    """A pid file left by a dead broker does not make `stop` end whoever has that pid now."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        (tmp_path / "kafka.pid").write_text(f"{stranger.pid} 127.0.0.1:9092\n")
        assert script("stop", tmp_path).returncode == 0
        assert script("status", tmp_path).returncode == 1
        assert stranger.poll() is None
        stranger.communicate(b"\n")
    assert stranger.returncode == 0


def test_a_taken_port_is_refused(tmp_path: Path) -> None:
    """Somebody else's server on the port is not taken for the broker; the message says the fix."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = script("start", tmp_path, "--port", str(port))
    assert done.returncode == 1
    assert f"--port {port} cannot be used" in done.stderr


def script(command: str, directory: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run ``kafka.py`` to its end."""
    words = [sys.executable, str(SCRIPT), command, "--dir", str(directory), *options]
    return subprocess.run(words, capture_output=True, text=True, check=False)
