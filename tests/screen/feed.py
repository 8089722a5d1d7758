"""A real HTTP server with scripted sessions: the page's own files, the read API and streams.

It speaks the contract of the screen's server, so the page cannot tell it from the true one.
Its clock stands at ``states.NOW`` and runs from there.
"""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic

from aiohttp import web
from aiohttp.typedefs import Handler

from agents.screen.answers import answer
from tests.screen.panes import NOW, Json, panes
from tests.screen.states import STATES, sessions

SCREEN = Path(__file__).parents[2] / "agents/screen"
COOKIE = "livepulse"
#: The content security policy that the true server sends.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:;"
    " font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'"
)


class Feed:
    """Sessions by id, and what is sent to whoever follows them.

    ``token``: what a visitor must present, None lets everybody in; ``tries``: so many wrong ones
    are borne. ``down``: every answer is a 503. ``hangs``: there is no answer. ``resumed`` holds
    the Last-Event-ID headers that came.
    """

    def __init__(self, *, token: str | None = None) -> None:
        self.token = token
        self.tries = 3
        self.down = False
        self.hangs = False
        self.sessions: list[Json] = sessions()
        self.snapshots: dict[str, Json] = {name: make() for name, make in STATES.items()}
        self.resumed: list[str] = []
        self.url = ""
        self._born = monotonic()
        self._revision = 0
        self._followers: dict[str, set[asyncio.Queue[bytes | None]]] = defaultdict(set)

    def now(self) -> int:
        """Return the server's time, in epoch ms."""
        return NOW + round((monotonic() - self._born) * 1000)

    def push(self, name: str, **changes: Json | float | str | list[Json] | None) -> None:
        """Change parts of a session's snapshot and send it to its followers."""
        self.snapshots[name] = self.snapshots[name] | changes
        self.send(name, "snapshot", self.snapshot(name))

    def push_panes(self, name: str, rows: list[Json]) -> None:
        """Send panes to the followers of a session."""
        self.send(name, "panes", {"rows": rows})

    async def beat(self) -> None:
        """Send every session to its followers once a second, as if the workers went on writing."""
        while True:
            await asyncio.sleep(1)
            for name in self.snapshots:
                self.push(name)

    def cut(self) -> None:
        """End every stream, as a crash would."""
        for followers in self._followers.values():
            for queue in followers:
                queue.put_nowait(None)

    def followers(self, name: str) -> int:
        """Return how many streams of a session are open."""
        return len(self._followers[name])

    def snapshot(self, name: str) -> Json:
        """Return a session's snapshot, as old now as it was when it was scripted."""
        scripted = self.snapshots[name]
        late = self.now() - NOW
        moved = {key: scripted[key] + late for key in ("at", "data_at", "written_at")}
        return scripted | moved | {"revision": self._revision}

    def send(self, name: str, event: str, data: Json) -> None:
        """Send an event to the followers of a session."""
        self._revision += 1
        message = f"id: {self._revision}\nevent: {event}\ndata: {json.dumps(data)}\n\n".encode()
        for queue in self._followers[name]:
            queue.put_nowait(message)

    # --- answers -------------------------------------------------------------------------------

    async def page(self, request: web.Request) -> web.StreamResponse:
        """Answer with one of the four pages; the login page for strangers."""
        if not self._knows(request):
            return web.FileResponse(SCREEN / "page/login.html", status=401)
        return web.FileResponse(SCREEN / "page" / request.match_info.route.name)  # type: ignore[operator]

    async def overview(self, request: web.Request) -> web.Response:
        """Answer with all sessions, or that nothing but the time has changed."""
        same = [one | {"written_at": None} for one in self.sessions]
        return answer(request, {"sessions": self.sessions, "at": self.now()}, same_as=same)

    async def session(self, request: web.Request) -> web.Response:
        """Answer with a session's snapshot."""
        return web.json_response(self.snapshot(self._name(request)))

    async def panes(self, request: web.Request) -> web.Response:
        """Answer with all panes of a session."""
        return web.json_response({"rows": panes(self.snapshots[self._name(request)])})

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Send the snapshot, then whatever is pushed."""
        name = self._name(request)
        if "Last-Event-ID" in request.headers:
            self.resumed.append(request.headers["Last-Event-ID"])
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._followers[name].add(queue)
        try:
            data = json.dumps(self.snapshot(name))
            hour = json.dumps({"rows": panes(self.snapshots[name])})
            for event, text in (("snapshot", data), ("panes", hour)):
                await response.write(
                    f"id: {self._revision}\nevent: {event}\ndata: {text}\n\n".encode()
                )
            while (message := await queue.get()) is not None:
                await response.write(message)
        except ConnectionResetError:
            pass  # the page was closed
        finally:
            self._followers[name].discard(queue)
        return response

    async def login(self, request: web.Request) -> web.Response:
        """Take a token and hand out the cookie."""
        if self.tries == 0:
            return web.json_response({"error": "too many requests"}, status=429)
        if (await request.json())["token"] != self.token:
            self.tries -= 1
            return web.json_response({"error": "the token is not valid"}, status=401)
        response = web.json_response({"role": "host", "sessions": ["busy"], "expires_at": NOW})
        response.set_cookie(COOKIE, self.token or "", httponly=True, samesite="Strict")
        return response

    def _name(self, request: web.Request) -> str:
        name = request.match_info["id"]
        if name not in self.snapshots:
            raise web.HTTPNotFound(text='{"error": "no such session"}')
        return name

    def _knows(self, request: web.Request) -> bool:
        return self.token is None or request.cookies.get(COOKIE) == self.token

    @web.middleware
    async def guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Keep strangers out of the data, send the policy, fail when told to."""
        if self.down:
            return web.json_response({"error": "down"}, status=503)
        if self.hangs:
            await asyncio.Event().wait()
        if request.path.startswith("/v1/sessions") and not self._knows(request):
            return web.json_response({"error": "sign in first"}, status=401)
        response = await handler(request)
        if not response.prepared:
            response.headers["Content-Security-Policy"] = POLICY
            response.headers["Cache-Control"] = "no-cache"
        return response

    def app(self) -> web.Application:
        """Return the application with all routes."""
        app = web.Application(middlewares=[self.guard])
        pages = {"/": "index.html", "/s/{id}": "session.html", "/s/{id}/report": "report.html"}
        for path, name in {**pages, "/login": "login.html"}.items():
            app.router.add_get(path, self.page if path != "/login" else _login_page, name=name)
        app.router.add_get("/v1/sessions", self.overview)
        app.router.add_get("/v1/sessions/{id}", self.session)
        app.router.add_get("/v1/sessions/{id}/panes", self.panes)
        app.router.add_get("/v1/sessions/{id}/events", self.events)
        app.router.add_post("/v1/login", self.login)
        app.router.add_static("/static/vendor", SCREEN / "static/vendor")
        app.router.add_static("/static", SCREEN / "page")
        return app


async def _login_page(_: web.Request) -> web.FileResponse:
    return web.FileResponse(SCREEN / "page/login.html")


@asynccontextmanager
async def serving(feed: Feed) -> AsyncIterator[Feed]:
    """Serve the feed on a free port of the loopback; ``feed.url`` is its address."""
    runner = web.AppRunner(feed.app(), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    feed.url = f"http://{host}:{port}"
    beating = asyncio.create_task(feed.beat())
    try:
        yield feed
    finally:
        beating.cancel()
        feed.cut()
        await runner.cleanup()
