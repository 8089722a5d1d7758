"""Takes a viewer out of the views in Redis: what is kept by viewer goes, what is counted stays."""

from typing import Any

import msgspec
from redis.asyncio import Redis

from agents.views.keys import Keys
from schemas.events import EVERY_SESSION


class _Whose(msgspec.Struct):
    viewer_id: str


_whose = msgspec.json.Decoder(_Whose).decode


async def erase(client: Redis, keys: Keys, session_id: str, viewer_id: str) -> None:
    """Remove a viewer's risk and triggers, of one session or of all. Safe to repeat.

    Raises what redis-py raises; then some of it may be done.
    """
    for one in await _sessions(client, keys, session_id):
        name = keys.triggers(one)
        triggers: list[Any] = await client.zrange(name, 0, -1)
        mine = [value for value in triggers if _whose(value).viewer_id == viewer_id]
        pipe = client.pipeline(transaction=False)
        pipe.hdel(keys.churn(one), viewer_id)
        pipe.zrem(keys.risks(one), viewer_id)
        if mine:
            pipe.zrem(name, *mine)
        await pipe.execute()


async def _sessions(client: Redis, keys: Keys, session_id: str) -> list[str]:
    if session_id != EVERY_SESSION:
        return [session_id]
    members: list[Any] = await client.zrange(keys.sessions, 0, -1)
    return [member.decode() for member in members]
