"""What our client does that redis-py does not do by default."""

import asyncio
from collections.abc import Iterator

import pytest
from redis.exceptions import TimeoutError as RedisTimeoutError

from agents import redis_client
from tests.redis_server import RedisServer, running


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """Start a server for one test, which may halt it."""
    with running() as started:
        yield started


async def test_a_command_that_timed_out_is_not_sent_again(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A counter that Redis raised too late is raised once, asynchronous or not."""
    monkeypatch.setattr(redis_client, "TIMEOUT_S", 0.1)
    client = redis_client.connect(server.settings)
    blocking = redis_client.connect_sync(server.settings)
    await client.ping()
    blocking.ping()
    server.freeze()
    with pytest.raises(RedisTimeoutError):
        await client.incr("spent")
    with pytest.raises(RedisTimeoutError):
        blocking.incr("spent")
    server.thaw()
    with server.client() as look:
        look.ping()
        assert look.get("spent") == b"2"
    await client.aclose()
    blocking.close()


async def test_more_commands_than_connections_wait_their_turn(server: RedisServer) -> None:
    """Three hundred at once are answered, on no more connections than we allow."""
    client = redis_client.connect(server.settings)
    await asyncio.gather(*(client.incr("n") for _ in range(300)))
    assert await client.get("n") == b"300"
    assert (await client.info("clients"))["connected_clients"] <= redis_client.CONNECTIONS
    await client.aclose()
