"""What the calls to Redis take, and whether it answers at all."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from agents.metrics.histogram import CALL_S, Histogram

#: Without a call for so long, Redis is asked for the time.
ASK_AFTER_S = 5.0
_ANSWER_S = 2.0
_AWAY = (RedisConnectionError, RedisTimeoutError, OSError)  # OSError: also asyncio's timeout


class RedisMeter:
    """Counts the calls of a process: ``views`` and ``budget``."""

    def __init__(self) -> None:
        self.seconds = {"views": Histogram(CALL_S), "budget": Histogram(CALL_S)}
        self.is_up = False
        self._heard_s = float("-inf")

    @contextmanager
    def timed(self, call: str) -> Iterator[None]:
        """Measure a call, whether it fails or not; a refusal is an answer, too."""
        began_s = time.monotonic()
        try:
            yield
        except _AWAY:
            self.seconds[call].observe(time.monotonic() - began_s)
            self._heard(is_up=False)
            raise
        except RedisError:
            self.seconds[call].observe(time.monotonic() - began_s)
            self._heard(is_up=True)
            raise
        self.seconds[call].observe(time.monotonic() - began_s)
        self._heard(is_up=True)

    async def keep_asking(self, client: Redis) -> None:
        """Ask for the time, which every user may, whenever there was no other call; for ever."""
        while True:
            wait_s = self._heard_s + ASK_AFTER_S - time.monotonic()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            else:
                self._heard(is_up=await _answers(client))

    def _heard(self, *, is_up: bool) -> None:
        self.is_up = is_up
        self._heard_s = time.monotonic()


async def _answers(client: Redis) -> bool:
    try:
        async with asyncio.timeout(_ANSWER_S):
            await client.time()
    except _AWAY:
        return False
    except RedisError:
        return True
    return True
