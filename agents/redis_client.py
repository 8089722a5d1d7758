"""How we connect to Redis: one place for the protocol, the timeouts and the pool.

redis-py sends a command again after a timeout unless told not to. Nothing here is sent twice
behind our back: the budget would wait too long, and the views try again by themselves.
"""

import re
from typing import Any

import redis
from redis import asyncio as aioredis
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry

from agents.settings import Settings

#: For one connect, one reply, or one wait for a free connection; seconds.
TIMEOUT_S = 2.0
CONNECTIONS = 8

#: How redis-py quotes the command of a pipeline that was refused.
_COMMAND = re.compile(r"^Command # .* of pipeline caused error: ", re.DOTALL)


def connect(settings: Settings) -> aioredis.Redis:
    """Return a client for the worker; it connects on first use. Replies are bytes.

    Close it with ``aclose()``. Callers wait for a free connection instead of failing when all
    are busy. Do not block in a command (``XREAD BLOCK``) for longer than ``TIMEOUT_S``.
    """
    pool = aioredis.BlockingConnectionPool.from_url(
        max_connections=CONNECTIONS,
        timeout=TIMEOUT_S,
        retry=AsyncRetry(NoBackoff(), 0),
        **_options(settings),
    )
    return aioredis.Redis.from_pool(pool)


def connect_sync(settings: Settings) -> redis.Redis:
    """Return the same client for code without an event loop: the terminal view, ``doctor``."""
    return redis.Redis.from_url(retry=Retry(NoBackoff(), 0), **_options(settings))


def reason(error: Exception) -> str:
    """Say what went wrong without the command, whose arguments may name a viewer."""
    return f"{type(error).__name__}: {_COMMAND.sub('', str(error))}"


def _options(settings: Settings) -> dict[str, Any]:
    return {
        "protocol": 3,
        "decode_responses": False,  # values are JSON bytes, decoded into structs
        "socket_timeout": TIMEOUT_S,
        "socket_connect_timeout": TIMEOUT_S,
        "maint_notifications_config": MaintNotificationsConfig(enabled=False),
        **settings.redis_config(),
    }
