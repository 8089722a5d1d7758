"""Keeps a room up to date for every session that somebody watches, and lets the others rest.

Redis announces what has changed; a room is read at most four times a second. When Redis does
not answer, those who watch are told, and it is asked again until it does.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple

import msgspec
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from agents.screen.meters import Meters
from agents.screen.room import Room
from agents.screen.source import KINDS, Source
from agents.views.keys import Keys
from streams.material import Material
from streams.screen import Snapshot
from streams.snapshot import Pseudonym

log = logging.getLogger(__name__)

#: Between two snapshots of a session.
EVERY_S = 0.25
#: A snapshot is made so often even when nothing changes: its age is news, too.
QUIET_S = 5.0
#: Between two attempts while Redis does not answer.
AGAIN_S = 1.0
#: A room that nobody watches is remembered for so long: those who come back resume.
KEPT_S = 600.0
_LISTEN_S = 1.0

#: What goes wrong when Redis does not answer; OSError is also the timeout.
AWAY = (RedisError, OSError)


class Current(NamedTuple):
    """A session's newest snapshot, and what it was made of."""

    snapshot: Snapshot
    material: Material


class Hub:
    """The rooms, and the connection that hears what has changed."""

    def __init__(self, client: Redis, keys: Keys, *, pseudonym: Pseudonym, meters: Meters) -> None:
        self._client = client
        self._keys = keys
        self._pseudonym = pseudonym
        self._meters = meters
        self._rooms: dict[str, Room] = {}
        self._sources: dict[str, Source] = {}
        self._builders: dict[str, asyncio.Task[None]] = {}
        self._left_s: dict[str, float] = {}
        self._channels: PubSub | None = None
        self._closed = False

    def close(self) -> None:
        """Let ``run`` end when it is cancelled, even where Redis' client takes that for a loss."""
        self._closed = True

    @asynccontextmanager
    async def watch(self, session_id: str) -> AsyncIterator[Room]:
        """Keep the session's room up to date for the length of the block."""
        room = self._room(session_id)
        room.watchers += 1
        if room.watchers == 1:
            room.note(KINDS)
            self._builders[session_id] = asyncio.create_task(self._build(room))
            await self._subscribe(session_id)
        try:
            yield room
        finally:
            room.watchers -= 1
            if room.watchers == 0:
                self._builders.pop(session_id).cancel()
                self._left_s[session_id] = time.monotonic()
                await self._unsubscribe(session_id)

    async def current(self, session_id: str) -> Current | None:
        """Return how a session stands now, None when nobody knows it. Raises what Redis raises."""
        room, source = self._room(session_id), self._sources[session_id]
        async with room.reading:  # those who waited meanwhile find it read
            if now_ms() - room.revision >= 1_000 * EVERY_S:
                await self._read(room, KINDS)
        if source.material is None or room.snapshot is None:
            return None
        return Current(room.snapshot, source.material)

    async def run(self) -> None:
        """Listen for changes, for ever; after each loss of the connection everything may be new."""
        while not self._closed:
            try:
                await self._listen()
            except AWAY as error:
                if self._closed:
                    return
                self._meters.redis_failed()
                log.warning("screen: Redis does not tell what changes: %r", error)
            finally:
                self._channels = None
            await asyncio.sleep(AGAIN_S)

    async def _listen(self) -> None:
        async with self._client.pubsub(ignore_subscribe_messages=True) as channels:
            # One channel always, because without any nothing can be listened to.
            names = [self._keys.changed(one) for one in self._builders]
            await channels.subscribe(f"{self._keys.prefix}:screen", *names)
            self._channels = channels
            for room in self._rooms.values():
                room.note(KINDS)
            while True:
                message = await channels.get_message(timeout=_LISTEN_S)
                if message is not None:
                    self._hear(message["data"])
                self._forget()

    def _hear(self, data: bytes) -> None:
        said = msgspec.json.decode(data)
        room = self._rooms.get(said["session_id"])
        if room is not None:
            room.note(said["kinds"])

    async def _subscribe(self, session_id: str) -> None:
        if self._channels is not None:
            with suppress(*AWAY):  # the listener notices, too, and subscribes anew
                await self._channels.subscribe(self._keys.changed(session_id))

    async def _unsubscribe(self, session_id: str) -> None:
        if self._channels is not None:
            with suppress(*AWAY):
                await self._channels.unsubscribe(self._keys.changed(session_id))

    def _room(self, session_id: str) -> Room:
        room = self._rooms.get(session_id)
        if room is None:
            room = self._rooms[session_id] = Room(session_id, self._pseudonym)
            self._sources[session_id] = Source(self._client, self._keys, session_id)
            self._left_s[session_id] = time.monotonic()
        return room

    def _forget(self) -> None:
        """Drop the rooms that nobody has watched for long."""
        oldest = time.monotonic() - KEPT_S
        for session_id, left_s in list(self._left_s.items()):
            if self._rooms[session_id].watchers:
                del self._left_s[session_id]
            elif left_s < oldest:
                del self._left_s[session_id], self._rooms[session_id], self._sources[session_id]

    async def _build(self, room: Room) -> None:
        """Read and make revisions while somebody watches."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(room.wake.wait(), QUIET_S)
            kinds, room.changed = room.changed, set()
            room.wake.clear()
            try:
                async with room.reading:
                    await self._read(room, kinds or {"glance"})
            except Exception as error:  # noqa: BLE001 - what one room is full of harms no other
                log.warning("screen: %s cannot be read: %r", room.session_id, error)
                room.lost()
                room.note(KINDS)
                await asyncio.sleep(AGAIN_S)
            await asyncio.sleep(EVERY_S)

    async def _read(self, room: Room, kinds: AbstractSet[str]) -> None:
        """Read a room anew. Raises what Redis raises."""
        source = self._sources[room.session_id]
        try:
            with self._meters.redis.timed("views"):
                material, fresh = await source.read(kinds, now_ms())
        except AWAY:
            self._meters.redis_failed()
            raise
        if material is not None:
            room.take(material, source.panes, fresh)


def now_ms() -> int:
    """Return the time of day in ms."""
    return time.time_ns() // 1_000_000
