"""A screen on a real Redis, which a small world has been written into as workers write it."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, NamedTuple

import msgspec
from aiohttp import ClientSession, web
from msgspec import structs

from agents.redis_client import connect
from agents.screen.server import Screen
from agents.screen.tokens import Tokens
from agents.settings import Settings
from agents.views.batch import SessionView
from agents.views.glances import Glances
from agents.views.keys import Keys
from agents.views.writer import Views
from streams.results import Results
from tests.redis_server import RedisServer
from tests.streams.world import World

SECRET = "t" * 40


class Reply(NamedTuple):
    """An answer, with its body read."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return what the body says."""
        return msgspec.json.decode(self.body)


class Stage:
    """A running screen, and a browser that is signed in with any token."""

    def __init__(
        self, settings: Settings, url: str, screen: Screen, browser: ClientSession
    ) -> None:
        self.settings = settings
        self.url = url
        self.screen = screen
        self.browser = browser
        self.tokens = Tokens(settings)

    def token(self, *sessions: str, ttl_s: int = 600) -> str:
        """Make a token of a host, or without sessions one of an operator."""
        return self.tokens.sign(sessions=frozenset(sessions), operator=not sessions, ttl_s=ttl_s)

    async def get(self, path: str, token: str | None = None, **headers: str) -> Reply:
        """Ask for a path, as an operator unless a token is given; an empty one is none."""
        token = self.token() if token is None else token
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if token:
            sent["Authorization"] = f"Bearer {token}"
        async with self.browser.get(self.url + path, headers=sent) as reply:
            return Reply(reply.status, reply.headers, await reply.read())

    @asynccontextmanager
    async def stream(self, session_id: str, **headers: str) -> AsyncIterator["EventStream"]:
        """Follow a session as an operator, or with the ``token`` that is given."""
        token = headers.pop("token", None) or self.token()
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        sent["Authorization"] = f"Bearer {token}"
        path = f"{self.url}/v1/sessions/{session_id}/events"
        async with self.browser.get(path, headers=sent) as reply:
            assert reply.status == 200, await reply.text()
            yield EventStream(reply)


class Said(NamedTuple):
    """One event of a stream."""

    name: str
    data: Any
    event_id: str | None


class EventStream:
    """Reads events as a browser does."""

    def __init__(self, reply: Any) -> None:
        self._reply = reply
        self.comments = 0

    async def next(self, name: str | None = None, *, limit_s: float = 20.0) -> Said:
        """Return the next event, or the next one of this name. Raises EOFError at the end."""
        async with asyncio.timeout(limit_s):
            while True:
                said = await self._event()
                if said is not None and name in (None, said.name):
                    return said

    async def _event(self) -> Said | None:
        fields: dict[str, str] = {}
        while (line := (await self._reply.content.readline()).decode()) not in ("", "\n"):
            key, _, value = line.rstrip("\n").partition(":")
            if key:
                fields[key] = value.removeprefix(" ")
            else:
                self.comments += 1
        if not line:
            raise EOFError
        if "data" not in fields:
            return None
        return Said(fields["event"], msgspec.json.decode(fields["data"]), fields.get("id"))


@contextmanager
def settings_of(server: RedisServer, **changes: Any) -> Iterator[Settings]:
    """Give the settings of a screen on this Redis."""
    own = {"screen_token_key": SECRET, "redis_prefix": "stage"} | changes
    yield structs.replace(server.settings, **own)


@asynccontextmanager
async def running(server: RedisServer, **changes: Any) -> AsyncIterator[Stage]:
    """Run a screen in this process, on any free port."""
    with settings_of(server, **changes) as settings:
        screen = Screen(settings)
        runner = web.AppRunner(screen.app(), shutdown_timeout=1.0)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        async with ClientSession() as browser:
            try:
                yield Stage(settings, f"http://{host}:{port}", screen, browser)
            finally:
                await runner.cleanup()


@asynccontextmanager
async def writing(settings: Settings) -> AsyncIterator[Views]:
    """Give views into the same Redis, as a worker has them; all is written at the end."""
    client = connect(settings)
    views = Views(client, Keys(settings.redis_prefix), on_recovered=lambda: None, flush_ms=10)
    task = asyncio.create_task(views.run())
    try:
        yield views
    finally:
        await views.stop()
        await task
        await client.aclose()


async def write(settings: Settings, world: World) -> None:
    """Write what a world's tasks would have shown."""
    glances = Glances()
    async with writing(settings) as views:
        for number, task in enumerate(world.tasks):
            glances.note(task.state, [], world.results if number == 0 else Results())
            for session in task.state.sessions.values():
                glances.show_again(task.state, session, views)
        views.offer(
            conversion=list(world.rows.values()),
            churn=world.results.risks,
            triggers=[*world.results.coupons, *world.results.recommendations],
            sessions=[
                SessionView(
                    session_id=session_id, announced=True, title="", present=0,
                    watermark_ms=session.room.newest,
                )
                for session_id, session in world.state.sessions.items()
            ],
        )  # fmt: skip
