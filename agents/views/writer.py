"""Views in Redis for the host screen and for queries; topics can rebuild them at any time.

``Views.offer`` puts values into a bounded buffer, the newest per key. A background task writes
them. When Redis is down the stream does not notice; when it is back, everything is offered anew.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import islice
from uuid import uuid4

from msgspec.structs import astuple
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.exceptions import RedisError

from agents.metrics.redis_meter import RedisMeter
from agents.redis_client import reason
from agents.views import erasure
from agents.views.batch import Batch, Key, SessionView, Value, add
from agents.views.keys import KEPT_MS, Keys
from schemas.events import EVERY_SESSION
from schemas.results import (
    ChurnRow,
    ConversionRow,
    Trigger,
)
from streams.glance import Glance
from streams.journal import Note
from streams.state import Shelf

log = logging.getLogger(__name__)

#: Values that wait at most; beyond, those not renewed for longest are dropped.
LIMIT = 50_000
#: Values a pipeline: building it takes about 10 ms, for which the event loop stands still.
CHUNK = 500
#: How long one pipeline may take, and how long ``stop`` may.
WRITE_S = 2.0
#: Half of the shortest time after which a group may give a member's tasks away (settings).
STILL_S = 3.0
#: So often we look at the clock at least, and try again what failed.
_PULSE_S = 1.0


class Views:
    """Writes the newest values as they come, and at most every ``flush_ms``.

    ``on_recovered`` is called when Redis is back after a failure, or has lost what was written
    (a restart, a flush): offer everything that the views shall hold. It is also called, and what
    waits is dropped, when this process was stopped for ``STILL_S``: others may have taken its
    tasks over and written newer values. ``failures`` counts the pipelines that failed,
    ``dropped`` the values that fell out of the full buffer.
    """

    def __init__(
        self,
        client: Redis,
        keys: Keys,
        *,
        on_recovered: Callable[[], None],
        flush_ms: int = 50,
        limit: int = LIMIT,
        meter: RedisMeter | None = None,
    ) -> None:
        self.failures = 0
        self.dropped = 0
        self._meter = meter or RedisMeter()
        self._client = client
        self._keys = keys
        self._on_recovered = on_recovered
        self._flush_s = flush_ms / 1000
        self._moved_s = time.monotonic()
        self._limit = limit
        self._pending: dict[Key, Value] = {}
        self._erasures: dict[tuple[str, str], None] = {}  # session or "*", viewer
        self._down = False
        self._known = False
        self._me = keys.writer(uuid4().hex)
        self._writing = asyncio.Lock()
        self._news = asyncio.Event()
        self._stopping = asyncio.Event()

    def offer(
        self,
        *,
        conversion: Sequence[ConversionRow] = (),
        churn: Sequence[ChurnRow] = (),
        triggers: Sequence[Trigger] = (),
        left: Sequence[tuple[str, str]] = (),
        sessions: Sequence[SessionView] = (),
    ) -> None:
        """Take new values over; ``left`` is (session, viewer). Never waits, never fails.

        A viewer who is in ``churn`` and in ``left`` has left.
        """
        self._put((_row_key(row), row) for row in conversion)
        self._put((("viewer", row.session_id, row.viewer_id), row) for row in churn)
        self._put((("viewer", *viewer), None) for viewer in left)
        self._put((("trigger", one.session_id, one.trigger_id), one) for one in triggers)
        self._put((("session", one.session_id), one) for one in sessions)

    @property
    def has_room(self) -> bool:
        """Whether what can wait may be offered: it delays what is new by two pipelines at most."""
        return len(self._pending) < 2 * CHUNK

    def tell(
        self,
        *,
        glances: Iterable[Glance] = (),
        shelves: Iterable[tuple[str, Shelf]] = (),
        notes: Iterable[Note] = (),
    ) -> None:
        """Take over what only the host screen shows, as ``offer`` does; shelves by session."""
        self._put((("glance", one.session_id, one.partition), one) for one in glances)
        self._put((("shelf", session_id), shelf) for session_id, shelf in shelves)
        self._put((("note", *astuple(one), type(one).__name__), one) for one in notes)

    def erase(self, viewers: Iterable[tuple[str, str]]) -> None:
        """Forget viewers, given as (session or ``*``, viewer): what waits, then what is there."""
        self._news.set()
        for session_id, viewer_id in viewers:
            self._erasures[session_id, viewer_id] = None
            self._pending = {
                key: value
                for key, value in self._pending.items()
                if not _is_of(key, value, session_id, viewer_id)
            }

    async def run(self) -> None:
        """Write until ``stop`` is called."""
        while not self._stopping.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), _PULSE_S)
            self._news.clear()
            self._is_outdated()
            await self._flush()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), self._flush_s)

    async def stop(self) -> None:
        """End ``run`` after writing what is left, if that takes less than ``WRITE_S``."""
        self._stopping.set()
        self._news.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(WRITE_S):
                await self._flush()

    def _put(self, values: Iterable[tuple[Key, Value]]) -> None:
        pending = self._pending
        self._news.set()
        for key, value in values:
            pending.pop(key, None)  # to the end: the order is by age
            pending[key] = value
        excess = len(pending) - self._limit
        if excess > 0:
            self.dropped += excess
            for key in list(islice(pending, excess)):
                del pending[key]

    async def _flush(self) -> None:
        async with self._writing:
            while self._pending and await self._write(dict(islice(self._pending.items(), CHUNK))):
                pass
            while self._erasures and await self._erase(*next(iter(self._erasures))):
                pass

    async def _erase(self, session_id: str, viewer_id: str) -> bool:
        """Erase a viewer; after a failure it stays to be done."""
        try:
            async with asyncio.timeout(WRITE_S):
                await erasure.erase(self._client, self._keys, session_id, viewer_id)
        except (RedisError, OSError) as error:  # OSError: also the timeout
            self._note_failure(error)
            return False
        del self._erasures[session_id, viewer_id]
        return True

    async def _write(self, chunk: dict[Key, Value]) -> bool:
        """Write a chunk and forget it; a failed one stays, for the next time."""
        pipe = self._pipeline(chunk)
        if self._is_outdated():  # asked as late as can be
            return False
        try:
            with self._meter.timed("views"):
                async with asyncio.timeout(WRITE_S):
                    known = (await pipe.execute())[-1] is not None
        except (RedisError, OSError) as error:  # OSError: also the timeout
            self._note_failure(error)
            return False
        for key, value in chunk.items():
            if self._pending.get(key, self) is value:  # else it was renewed meanwhile
                del self._pending[key]
        self._note_success(known=known)
        return True

    def _pipeline(self, chunk: dict[Key, Value]) -> Pipeline:
        """Return what writes a chunk; its last answer is nothing if Redis lost our last write."""
        batch = Batch(self._keys)
        for key, value in chunk.items():
            add(batch, key, value)
        pipe = self._client.pipeline(transaction=False)
        batch.put_into(pipe)
        pipe.set(self._me, b"1", px=KEPT_MS, get=True)
        return pipe

    def _is_outdated(self) -> bool:
        """Tell whether we were stopped since the last question, and drop what waits if so."""
        now_s = time.monotonic()
        stood_s, self._moved_s = now_s - self._moved_s, now_s
        if stood_s < STILL_S:
            return False
        log.warning("views: stood still for %.1f s: whoever owns the tasks says all anew", stood_s)
        self._pending.clear()
        self._on_recovered()
        return True

    def _note_failure(self, error: Exception) -> None:
        self.failures += 1
        if not self._down:
            log.warning("views: Redis fails, the screens stand still: %s", reason(error))
        self._down = True

    def _note_success(self, *, known: bool) -> None:
        lost = self._down or (self._known and not known)
        self._down, self._known = False, True
        if lost:
            log.info("views: Redis is back, everything is written anew")
            self._on_recovered()


def _is_of(key: Key, value: Value, session_id: str, viewer_id: str) -> bool:
    if session_id not in (EVERY_SESSION, key[1]):
        return False
    if isinstance(value, Trigger):
        return value.viewer_id == viewer_id
    return key[0] == "viewer" and key[2] == viewer_id


def _row_key(row: ConversionRow) -> Key:
    # The start of a whole-session row moves when a late event comes; it is the same row still.
    start = 0 if row.window == "session" else row.start
    return ("row", row.session_id, row.window, row.scope, row.scope_id, start)
