"""The servers that integration tests share, started once for the session when first asked for."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from typing import NoReturn, TypeVar

import pytest

from tests.integration.kafka import Kafka, running_kafka
from tests.integration.secure_kafka import SecureKafka, running_secure_kafka
from tests.integration.secure_redis import SecureRedis, running_secure_redis
from tests.redis_server import newest, running

Server = TypeVar("Server")


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """Give a real broker; ``kafka.bootstrap`` is its address."""
    with ExitStack() as stack:
        yield entered(stack, running_kafka(tmp_path_factory.mktemp("kafka")))


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the URL of a real Redis."""
    with running(newest(), tmp_path_factory.mktemp("redis")) as server:
        yield server.url


@pytest.fixture(scope="session")
def secure_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureKafka]:
    """Give a broker that requires credentials and allows what an ACL says."""
    with ExitStack() as stack:
        yield entered(stack, running_secure_kafka(tmp_path_factory.mktemp("secure-kafka")))


@pytest.fixture(scope="session")
def secure_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureRedis]:
    """Give a Redis that requires TLS and a user."""
    with ExitStack() as stack:
        yield entered(stack, running_secure_redis(tmp_path_factory.mktemp("secure-redis")))


def entered(stack: ExitStack, server: AbstractContextManager[Server]) -> Server:
    """Start the server; skip the test when its program is missing, except where CI promises it."""
    try:
        return stack.enter_context(server)
    except FileNotFoundError as error:
        skip_or_fail(str(error))


def skip_or_fail(reason: str) -> NoReturn:
    """Skip on a developer's machine, fail when ``CI`` is set."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
