"""The read API: single questions, answered as JSON from the same material as the stream."""

import asyncio
import time
from typing import Any, NamedTuple, cast, get_args

from aiohttp import web
from msgspec import Struct, structs
from redis.asyncio import Redis

from agents.screen import source
from agents.screen.access import GRANT
from agents.screen.answers import answer, fail
from agents.screen.hub import Current, Hub, now_ms
from agents.views.keys import RISKS_KEPT, TRIGGERS_KEPT, Keys
from schemas.results import ConversionRow, Scope, Window
from streams.screen import Pane, ProductLine, SessionLine
from streams.snapshot import Pseudonym, line, pane, risk, triggers

TOP = 50
#: An operator's list is read anew so often, however many ask for it.
LIST_EVERY_S = 0.5
_LATEST_MS = (1 << 53) - 1
_LONGEST_ID = 128


class Sessions(Struct, frozen=True):
    """The sessions that the token opens, the most recently active first."""

    sessions: list[SessionLine]
    at: int


class Rows(Struct, frozen=True):
    """Rows of the conversion table, by start."""

    rows: list[ConversionRow]


class Panes(Struct, frozen=True):
    """Panes of the timeline, by start."""

    rows: list[Pane]


class Products(Struct, frozen=True):
    """What is or was on the shelf."""

    products: tuple[ProductLine, ...]


class _Wanted(NamedTuple):
    """Which rows are asked for; ``name`` None: all of the scope, ``scope`` None: none at all."""

    window: Window
    scope: Scope | None
    name: str | None
    since: int
    until: int


class Api:
    """Answers what is asked of sessions that the token opens."""

    def __init__(self, hub: Hub, client: Redis, keys: Keys, pseudonym: Pseudonym) -> None:
        self._hub = hub
        self._client = client
        self._keys = keys
        self._pseudonym = pseudonym
        self._listing: asyncio.Task[list[SessionLine]] | None = None
        self._asked_s = 0.0

    async def sessions(self, request: web.Request) -> web.Response:
        """Answer ``GET /v1/sessions``."""
        grant = request[GRANT]
        lines = await (self._all() if grant.is_operator else self._read(sorted(grant.sessions)))
        same = [structs.replace(one, written_at=None) for one in lines]
        return answer(request, Sessions(lines, now_ms()), same_as=same)

    async def snapshot(self, request: web.Request) -> web.Response:
        """Answer ``GET /v1/sessions/{id}``."""
        now = (await self._current(request)).snapshot
        session = structs.replace(now.session, written_at=None)
        same = structs.replace(now, session=session, at=0, revision=0, written_at=None)
        return answer(request, now, same_as=same)

    async def churn(self, request: web.Request) -> web.Response:
        """Answer ``GET /v1/sessions/{id}/churn``."""
        top = _number(request, "top", TOP, least=1, most=RISKS_KEPT)
        m = (await self._current(request)).material
        return answer(request, risk(m, m.carts(), self._pseudonym, top=top))

    async def products(self, request: web.Request) -> web.Response:
        """Answer ``GET /v1/sessions/{id}/products``."""
        return answer(request, Products((await self._current(request)).snapshot.products))

    async def triggers(self, request: web.Request) -> web.Response:
        """Answer ``GET /v1/sessions/{id}/triggers``."""
        m = (await self._current(request)).material
        return answer(request, triggers(m, self._pseudonym, latest=TRIGGERS_KEPT))

    async def conversion(self, request: web.Request) -> web.Response:
        """Answer ``GET /v1/sessions/{id}/conversion``."""
        wanted = _wanted(request)
        await self._current(request)
        return answer(request, Rows(await self._rows(request.match_info["id"], wanted)))

    async def panes(self, request: web.Request) -> web.Response:
        """Answer ``GET /v1/sessions/{id}/panes``."""
        await self._current(request)
        session_id = request.match_info["id"]
        rows = await self._rows(session_id, _Wanted("10s", "session", None, 0, _LATEST_MS))
        return answer(request, Panes([pane(row) for row in rows]))

    async def _current(self, request: web.Request) -> Current:
        """Return the session that is asked for; one of somebody else is as good as none."""
        session_id = request.match_info["id"]
        allowed = request[GRANT].may_see(session_id)
        current = await self._hub.current(session_id) if allowed else None
        if current is None:
            raise web.HTTPNotFound(text="there is no such session")
        return current

    async def _all(self) -> list[SessionLine]:
        """Return all sessions; who asks at the same time shares one reading, or its failure."""
        now_s = time.monotonic()
        if self._listing is None or now_s - self._asked_s >= LIST_EVERY_S:
            self._listing, self._asked_s = asyncio.create_task(self._read_all()), now_s
        return await asyncio.shield(self._listing)  # one who goes away ends it for nobody else

    async def _read_all(self) -> list[SessionLine]:
        return await self._read(await source.read_ids(self._client, self._keys))

    async def _read(self, ids: list[str]) -> list[SessionLine]:
        return [line(m) for m in await source.read_lines(self._client, self._keys, ids, now_ms())]

    async def _rows(self, session_id: str, wanted: _Wanted) -> list[ConversionRow]:
        if wanted.scope is None:
            return []
        rows = await source.read_rows(
            self._client, self._keys, session_id, wanted.window, wanted.scope
        )
        return [
            row
            for row in rows
            if (wanted.name is None or row.scope_id == wanted.name)
            and (wanted.window == "session" or wanted.since <= row.start <= wanted.until)
        ]


def _wanted(request: web.Request) -> _Wanted:
    """Read the query of the conversion table. Raises HTTPBadRequest, which names the field."""
    window = request.query.get("window", "1m")
    if window not in get_args(Window):
        fail("window", f"must be one of {', '.join(get_args(Window))}")
    named = [name for name in ("product", "channel") if name in request.query]
    for one in named:
        if not 0 < len(request.query[one]) <= _LONGEST_ID:
            fail(one, f"must be 1 to {_LONGEST_ID} characters, or * for all")
    names = [request.query[one] for one in named]
    scopes = cast("list[Scope]", named or ["session"])
    return _Wanted(
        window=cast("Window", window),
        scope=scopes[0] if len(scopes) == 1 else None,  # no row is of a product and of a channel
        name=names[0] if names and names[0] != "*" else None,
        since=_number(request, "from", 0, least=0, most=_LATEST_MS),
        until=_number(request, "to", _LATEST_MS, least=0, most=_LATEST_MS),
    )


def _number(request: web.Request, name: str, default: int, *, least: int, most: int) -> int:
    given = request.query.get(name)
    if given is None:
        return default
    digits = given.isascii() and given.isdecimal() and len(given) <= len(str(most))
    if not digits or not least <= int(given) <= most:
        fail(name, f"must be a whole number from {least} to {most}")
    return int(given)


def routes(api: Api) -> list[Any]:
    """Return the routes of the API, the stream and signing in aside."""
    one = "/v1/sessions/{id}"
    return [
        web.get("/v1/sessions", api.sessions),
        web.get(one, api.snapshot),
        web.get(f"{one}/conversion", api.conversion),
        web.get(f"{one}/panes", api.panes),
        web.get(f"{one}/churn", api.churn),
        web.get(f"{one}/products", api.products),
        web.get(f"{one}/triggers", api.triggers),
    ]
