"""The event stream: what is new for this client, as soon as it is there and it can take it."""

import asyncio
import time

from aiohttp import web

from agents.screen.access import GRANT
from agents.screen.answers import refuse
from agents.screen.hub import AWAY, Hub
from agents.screen.meters import Meters
from agents.screen.room import GZIP_HEADER, HEARTBEAT, RETRY, Room, State, Update
from agents.screen.tokens import Grant

HEARTBEAT_S = 15.0
#: Streams that one token may have open: pages on a laptop, a phone and a wall, and some more.
STREAMS_A_TOKEN = 50

_HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # nginx would wait for a full buffer
}


class Streams:
    """Sends every open stream its updates."""

    def __init__(self, hub: Hub, meters: Meters) -> None:
        self._hub = hub
        self._meters = meters
        self._open: dict[str, int] = {}  # streams by token
        self._ending = asyncio.Event()

    async def end(self, _: web.Application) -> None:
        """End all streams: the server stops."""
        self._ending.set()

    async def follow(self, request: web.Request) -> web.StreamResponse:
        """Answer ``GET /v1/sessions/{id}/events``."""
        grant, session_id = request[GRANT], request.match_info["id"]
        if not await self._is_there(grant, session_id):
            return refuse(404, "there is no such session")
        if self._open.get(grant.token_id, 0) >= STREAMS_A_TOKEN:
            return refuse(429, "this token has too many open streams", Retry_After="10")
        line, last_id = _Line(request), request.headers.get("Last-Event-ID", "")
        await line.open()
        self._count(grant, 1)
        try:
            async with self._hub.watch(session_id) as room:
                await self._feed(line, room, grant, room.seen(last_id))
        except (ConnectionError, asyncio.CancelledError):
            pass  # the client has gone
        finally:
            self._count(grant, -1)
        return line.response

    async def _is_there(self, grant: Grant, session_id: str) -> bool:
        if not grant.may_see(session_id):
            return False
        try:
            return await self._hub.current(session_id) is not None
        except AWAY:
            return True  # nobody can say; the stream tells why it is empty

    def _count(self, grant: Grant, by: int) -> None:
        (self._meters.came if by > 0 else self._meters.went)()
        left = self._open.get(grant.token_id, 0) + by
        self._open[grant.token_id] = left
        if not left:
            del self._open[grant.token_id]

    async def _feed(self, line: "_Line", room: Room, grant: Grant, revision: int) -> None:
        """Send what is new until the token has run out, the client has gone or the server ends."""
        state: State | None = None  # the page may still show what the stream before said
        tick = -1
        await line.send(RETRY)
        while not self._ending.is_set() and (left_s := _left_s(grant)) > 0:
            if room.ticks == tick and not await self._turn(room, min(HEARTBEAT_S, left_s)):
                await line.send(HEARTBEAT)
                continue
            update, skipped = room.since(revision, state), room.ticks - tick - 1
            revision, state, tick, first = room.revision, room.state, room.ticks, tick < 0
            if update.plain:
                await line.send(update)
                self._meters.sent(0 if first else skipped)

    async def _turn(self, room: Room, seconds: float) -> bool:
        """Wait for the next update; False when it takes longer."""
        try:
            async with asyncio.timeout(seconds):
                await room.turn()
        except TimeoutError:
            return False
        return True


class _Line:
    """The connection to one client, compressed if it likes that."""

    def __init__(self, request: web.Request) -> None:
        self.response = web.StreamResponse(headers=_HEADERS)
        self._request = request
        self._deflates = "gzip" in request.headers.get("Accept-Encoding", "")

    async def open(self) -> None:
        """Send the head of the answer."""
        if self._deflates:
            self.response.headers["Content-Encoding"] = "gzip"
        await self.response.prepare(self._request)
        if self._deflates:
            await self.response.write(GZIP_HEADER)

    async def send(self, update: Update) -> None:
        """Send an update; waits while the client's buffer is full."""
        await self.response.write(update.deflated if self._deflates else update.plain)


def _left_s(grant: Grant) -> float:
    return grant.expires_at - time.time()  # noqa: TID251 - agents may read the clock
