"""``python -m tests.bench.screen [--clients N] [--seconds S] [--json]``: pages on one process.

One session is watched by all clients while its rows change ten times a second, so each gets
as many snapshots as there may be, four a second. The clients run in this process, the screen
and Redis in their own. Delay: from the making of a snapshot to its being unpacked by a client.
"""

import argparse
import asyncio
import json
import os
import re
import statistics
import subprocess
import sys
import time
import urllib.request
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aiohttp import ClientSession, TCPConnector
from msgspec import structs

from agents.demo import redis_process
from agents.screen.stream import STREAMS_A_TOKEN
from agents.screen.tokens import Tokens
from agents.settings import Settings
from agents.sources import variable_of
from schemas.results import ConversionRow
from tests.agents.screen_stage import write, writing
from tests.bench.embedded import embedded_redis
from tests.streams.world import World, simulated

WARM_UP_S = 3.0
CHANGE_EVERY_S = 0.1
_MADE_AT = re.compile(rb'"stale":(?:true|false)\},"at":(\d+),')
_TICKS = os.sysconf("SC_CLK_TCK")
_GIVEN = ("redis_url", "screen_port", "screen_token_key")


@contextmanager
def running_screen(settings: Settings) -> Iterator[int]:
    """Run a screen; yields its process id."""
    env = os.environ | {variable_of(name): str(getattr(settings, name)) for name in _GIVEN}
    command = [sys.executable, "-m", "agents.cli", "screen", "--metrics-port", "0"]
    process = subprocess.Popen(command, env=env)
    try:
        address = f"http://127.0.0.1:{settings.screen_port}/healthz"
        while process.poll() is None:
            try:
                with urllib.request.urlopen(address, timeout=1):
                    break
            except OSError:
                time.sleep(0.05)
        yield process.pid
    finally:
        process.kill()
        process.wait()


def cpu_s(pid: int) -> float:
    """Return how much CPU a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def memory_mb(pid: int) -> float:
    """Return what a process holds in memory."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


class Load:
    """The clients, and what they have seen; ``delays_ms`` are noted while ``is_on``."""

    def __init__(self, settings: Settings, session_id: str) -> None:
        self.delays_ms: list[float] = []
        self.received = 0
        self.is_on = False
        self._url = f"http://127.0.0.1:{settings.screen_port}/v1/sessions/{session_id}/events"
        self._tokens = Tokens(settings)

    async def follow(self, browser: ClientSession, token: str) -> None:
        """Read a stream as a browser does, for ever."""
        headers = {"Authorization": f"Bearer {token}", "Accept-Encoding": "gzip"}
        unpack, rest = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16), b""
        async with browser.get(self._url, headers=headers) as reply:
            assert reply.status == 200, await reply.read()
            async for piece in reply.content.iter_any():
                *events, rest = (rest + unpack.decompress(piece)).split(b"\n\n")
                if self.is_on:
                    self.received += len(piece)
                    self._note(events)

    def _note(self, events: list[bytes]) -> None:
        now_ms = time.time_ns() / 1_000_000
        for event in events:
            made = _MADE_AT.search(event)
            if made:
                self.delays_ms.append(now_ms - int(made[1]))

    def tokens(self, clients: int) -> list[str]:
        """Return a token for each client; a token may have so many streams."""
        count = -(-clients // (STREAMS_A_TOKEN // 2))
        made = [self._tokens.sign(operator=True, ttl_s=3_600 + n) for n in range(count)]
        return [made[n % count] for n in range(clients)]


async def keep_changing(settings: Settings, row: ConversionRow) -> None:
    """Write the session's row again and again, as workers do."""
    async with writing(settings) as views:
        while True:
            row = structs.replace(row, revision=row.revision + 1)
            views.offer(conversion=[row])
            await asyncio.sleep(CHANGE_EVERY_S)


async def measure(settings: Settings, pid: int, clients: int, seconds: float) -> dict[str, float]:
    """Let the clients watch for so long, and return the figures."""
    world = World(tasks=2).run(simulated(tasks=2, events=20_000, sessions=1, ends=False))
    await write(settings, world)
    row = next(r for r in world.rows.values() if (r.scope, r.window) == ("session", "session"))
    load, idle_mb = Load(settings, row.session_id), memory_mb(pid)
    async with ClientSession(connector=TCPConnector(limit=0), auto_decompress=False) as browser:
        tasks = [asyncio.create_task(keep_changing(settings, row))]
        tasks += [asyncio.create_task(load.follow(browser, one)) for one in load.tokens(clients)]
        await asyncio.sleep(WARM_UP_S)
        load.is_on, began_s, before_s = True, time.monotonic(), cpu_s(pid)
        await asyncio.sleep(seconds)
        took_s, used_s = time.monotonic() - began_s, cpu_s(pid) - before_s
        assert not any(task.done() for task in tasks), [t for t in tasks if t.done()]
        figures = _figures(load, clients, took_s) | {
            "cpu_percent": 100 * used_s / took_s,
            "memory_mb": memory_mb(pid),
            "memory_kb_per_client": 1024 * (memory_mb(pid) - idle_mb) / clients,
        }
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return figures


def _figures(load: Load, clients: int, took_s: float) -> dict[str, float]:
    cuts = statistics.quantiles(load.delays_ms, n=100)
    updates = len(load.delays_ms)
    return {
        "clients": clients,
        "updates_per_client_s": updates / clients / took_s,
        "delay_p50_ms": cuts[49],
        "delay_p99_ms": cuts[98],
        "bytes_per_update": load.received / updates,
    }


def table(figures: dict[str, float]) -> str:
    """Return the figures for people."""
    lines = (
        ("clients", "{clients:,.0f}, {updates_per_client_s:.2f} snapshots a second each"),
        ("CPU of the screen", "{cpu_percent:.0f} %"),
        ("delay p50 / p99", "{delay_p50_ms:.0f} / {delay_p99_ms:.0f} ms"),
        ("memory", "{memory_mb:.0f} MB, {memory_kb_per_client:.0f} kB a client"),
        ("a snapshot, packed", "{bytes_per_update:,.0f} bytes"),
    )
    return "\n".join(f"{name:<20}{text.format(**figures)}" for name, text in lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with embedded_redis() as redis_url:
        settings = Settings(
            redis_url=redis_url,
            screen_port=redis_process.free_port(),
            screen_token_key="b" * 40,
        )
        with running_screen(settings) as pid:
            figures = asyncio.run(measure(settings, pid, asked.clients, asked.seconds))
    sys.stdout.write(table(figures) + "\n")
    if asked.json:
        sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
