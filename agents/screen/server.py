"""The screen's process: hosts on one port, Prometheus and probes on another.

``/metrics`` has no token, so it is not where hosts are: it listens on ``metrics_host``.
"""

import asyncio
import hmac
import logging
import secrets
import signal
from collections.abc import AsyncIterator
from functools import lru_cache, partial
from pathlib import Path

from aiohttp import web
from prometheus_client.exposition import choose_encoder
from redis.asyncio import Redis

from agents import redis_client
from agents.metrics.vitals import Vitals, registry
from agents.pseudonyms import PREFIX
from agents.screen import api, pages
from agents.screen.access import Access
from agents.screen.answers import Handler, add_headers, errors_as_json, refuse
from agents.screen.hub import AWAY, Hub
from agents.screen.meters import Meters
from agents.screen.openapi import document
from agents.screen.stream import Streams
from agents.screen.tokens import Tokens
from agents.settings import Settings
from agents.sources import variable_of
from agents.views.keys import Keys

log = logging.getLogger(__name__)

STOP_S = 2.0
_PSEUDONYM = 10


class Screen:
    """Everything that one process serves."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.meters = Meters()
        self._vitals = Vitals(settings, "screen")
        self._registry = registry(self._vitals, self.meters)
        tokens = Tokens(settings)
        self._keys = Keys(settings.redis_prefix)
        self._client = redis_client.connect(settings)
        self._access = Access(tokens, is_secure=(settings.screen_url or "").startswith("https:"))
        self._pseudonym = lru_cache(maxsize=100_000)(partial(pseudonym, secret(settings)))
        self._hub = Hub(self._client, self._keys, pseudonym=self._pseudonym, meters=self.meters)
        self._streams = Streams(self._hub, self.meters)

    def app(self) -> web.Application:
        """Return what hosts see."""
        app = web.Application(middlewares=[errors_as_json, self._access.guard, _redis_is_away])
        app.on_response_prepare.append(add_headers)
        app.on_shutdown.append(self._streams.end)
        app.cleanup_ctx.append(self._listening)
        app.router.add_routes(
            [
                *api.routes(api.Api(self._hub, self._client, self._keys, self._pseudonym)),
                web.get("/v1/sessions/{id}/events", self._streams.follow),
                web.get("/v1/openapi.json", _describe),
                web.get("/v1/me", self._access.me),
                web.post("/v1/login", self._access.login),
                web.post("/v1/logout", self._access.logout),
                web.get("/healthz", _healthy),
                *pages.routes(pages.Pages(self._access)),
            ]
        )
        return app

    def probes(self) -> web.Application:
        """Return what Prometheus and Kubernetes see."""
        app = web.Application()
        app.router.add_routes(
            [
                web.get("/metrics", self._metrics),
                web.get("/healthz", _healthy),
                web.get("/startupz", _healthy),
                web.get("/readyz", self._ready),
            ]
        )
        return app

    async def _listening(self, _: web.Application) -> AsyncIterator[None]:
        asking = self.meters.redis.keep_asking(self._client)
        beside = self._hub.run(), asking, self._vitals.beat()
        tasks = [asyncio.create_task(one) for one in beside]
        yield
        self._hub.close()
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=STOP_S)
        await self._client.aclose()

    async def _metrics(self, request: web.Request) -> web.Response:
        encode, kind = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(self._registry), headers={"Content-Type": kind})

    async def _ready(self, _: web.Request) -> web.Response:
        return web.Response(text="ok") if await _answers(self._client) else refuse(503, "no Redis")


async def serve(settings: Settings, *, metrics_port: int) -> None:
    """Serve until SIGTERM or Ctrl-C."""
    screen, stop = Screen(settings), asyncio.Event()
    if advice := pages.missing():
        log.warning("screen: %s", advice)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    runners = [await _start(screen.app(), settings.screen_host, settings.screen_port)]
    if metrics_port:
        runners.append(await _start(screen.probes(), settings.metrics_host, metrics_port))
    host, port = runners[0].addresses[0][:2]
    log.info("screen: listening on http://%s:%d", f"[{host}]" if ":" in host else host, port)
    await stop.wait()
    for runner in runners:
        await runner.cleanup()


def secret(settings: Settings) -> bytes:
    """Return what pseudonyms are made with: who has it can try out which viewer is meant.

    That is the key of the tokens, unless it is a public one, which is no secret.
    """
    key = (settings.screen_token_key or "").encode()
    if not key and settings.screen_token_key_file is not None:
        key = Path(settings.screen_token_key_file).read_bytes()
    is_rs256 = settings.screen_token_algorithm == "RS256"  # noqa: S105 - no secret
    if is_rs256 and b"PRIVATE KEY" not in key:
        key = (settings.pseudonym_key or "").encode() or _made_up()
    return hmac.digest(key, b"livepulse pseudonyms", "sha256")


def _made_up() -> bytes:
    log.warning(
        "screen: a public key makes no pseudonyms: viewers are named anew at each start, and"
        " differently by each screen; set %s for the screen",
        variable_of("pseudonym_key"),
    )
    return secrets.token_bytes(32)


def pseudonym(key: bytes, viewer_id: str) -> str:
    """Return a short name of a viewer, the same on every screen, from which the id is not had.

    With a pseudonym key set the ids are pseudonyms already: they are only cut short.
    """
    if viewer_id.startswith(PREFIX):
        return viewer_id.removeprefix(PREFIX)[:_PSEUDONYM]
    return hmac.digest(key, viewer_id.encode(), "sha256").hex()[:_PSEUDONYM]


async def _start(app: web.Application, host: str, port: int) -> web.AppRunner:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=STOP_S)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    return runner


@web.middleware
async def _redis_is_away(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except AWAY as error:
        if isinstance(error, ConnectionResetError):  # the client's connection, not ours
            raise
        log.warning("screen: %s: %r", request.path, error)
        return refuse(503, "the data cannot be read at the moment", Retry_After="2")


async def _answers(client: Redis) -> bool:
    try:
        return bool(await client.ping())
    except AWAY:
        return False


async def _healthy(_: web.Request) -> web.Response:
    return web.Response(text="ok")


async def _describe(_: web.Request) -> web.Response:
    return web.Response(body=document(), content_type="application/json")
