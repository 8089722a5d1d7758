"""``python -m tests.bench.pixel [--orders N] [--json]``: from an event to the number on the page.

Everything is real and has its default settings: Kafka, Redis, a worker, the screen, Chromium.
A viewer pays an order while a hundred others send heartbeats and likes; the time from the call
that sends it until the page has drawn the new number of orders is one measurement. The pauses
between orders are random, so that they fall anywhere between the ticks on the way. A second
line leaves out the orders during which the host gave over a tenth of the processors to others.
"""

import argparse
import asyncio
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from confluent_kafka import Producer
from playwright.async_api import Page

from agents.screen.tokens import Tokens
from schemas import events as ev
from tests.bench.steal import Steal
from tests.integration.cluster import Site, new_site
from tests.integration.kafka import running_kafka
from tests.integration.test_screen import screen_of
from tests.ports import free_port
from tests.redis_server import newest, running
from tests.screen.chromium import chromium, drawn, looking

SESSION = "pixel"
VIEWERS = 100
BEATS_A_SECOND = 50
#: Answers with the page's clock, which is ours, in the frame that draws a text.
_DRAWN = """([at, text]) => new Promise(done => {
  const look = () => document.querySelector(at).textContent === text
    ? done(Date.now()) : requestAnimationFrame(look);
  look();
})"""
_PATIENCE_S = 30.0
#: An order during which more was stolen was not measured on a machine of two cores.
_STOLEN = 0.1


class Seen(NamedTuple):
    """How long an order took to be seen, and which part of the processors was stolen meanwhile."""

    delay_ms: float
    stolen: float


class Crowd:
    """Sends events of one session at once, with no batch to wait for."""

    def __init__(self, site: Site) -> None:
        self._settings = site.settings
        own = {"linger.ms": 0, "partitioner": "murmur2_random"}
        self._producer = Producer(site.settings.confluent_config() | own)
        self._ids = count()

    def say(self, kind: type[ev.Event], viewer: int | None = None, **fields: Any) -> float:
        """Send an event that happens now; returns the time of day, in s, when that began."""
        now_s = time.time_ns() / 1e9
        own: dict[str, Any] = {
            "id": f"{kind.__name__}-{next(self._ids)}",
            "ts": round(now_s * 1000),
            "session_id": SESSION,
        }
        key = SESSION
        if viewer is not None:
            key = own["viewer_id"] = f"v{viewer:03}"
        value = msgspec.json.encode(kind(**(own | fields)))
        self._producer.produce(self._settings.topic_of(kind.__name__), key=key, value=value)
        self._producer.poll(0)
        return now_s

    def pay(self, number: int) -> float:
        """Pay an order."""
        line = ev.Line("p1", 1, 9_900)
        return self.say(
            ev.OrderPaid, number % VIEWERS, order_id=f"o{number}", lines=(line,), amount=9_900,
            currency="CNY",
        )  # fmt: skip

    async def live(self) -> None:
        """Begin the session, and keep it busy for ever."""
        self.say(ev.SessionStarted, currency="CNY", title="Pixel")
        for viewer in range(VIEWERS):
            self.say(ev.ViewerEntered, viewer, channel="feed")
        for n in count():
            self.say(ev.Heartbeat, n % VIEWERS)
            if n % 5 == 0:
                self.say(ev.LikesSent, n % VIEWERS, count=2)
            await asyncio.sleep(1 / BEATS_A_SECOND)


@contextmanager
def running_site() -> Iterator[tuple[Site, str]]:
    """Run everything but the browser; yields the site and the screen's address."""
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch)
        with running_kafka(directory) as kafka, running(newest(), directory) as redis:
            site = new_site(kafka, redis.url, directory, screen_token_key="k" * 40)
            site.create_topics()
            with site.worker() as worker, screen_of(site.settings, free_port()) as screen:
                worker.ready()
                yield site, screen.url


@asynccontextmanager
async def watched(site: Site, url: str) -> AsyncIterator[Page]:
    """Open the session's page as its host."""
    token = Tokens(site.settings).sign(sessions=frozenset({SESSION}), operator=False, ttl_s=3_600)
    async with chromium() as browser, looking(browser, {}) as page:
        login = await page.request.post(f"{url}/v1/login", data={"token": token})
        assert login.ok, login.status
        await drawn(page, f"{url}/s/{SESSION}")
        yield page


async def shown_ms(page: Page, at: str, text: str) -> float:
    """Wait until a text is on the page; returns the epoch time, in ms, when it was drawn."""
    async with asyncio.timeout(_PATIENCE_S):
        return float(await page.evaluate(_DRAWN, [at, text]))


async def watch_orders(orders: int) -> list[Seen]:
    """Pay orders one after the other and see each on the page."""
    found = []
    with running_site() as (site, url):
        crowd = Crowd(site)
        busy = asyncio.create_task(crowd.live())
        await asyncio.sleep(5.0)  # the page of a session that nobody knows yet stays empty
        async with watched(site, url) as page:
            await shown_ms(page, "[data-at=viewers]", str(VIEWERS))
            for number in range(1, orders + 1):
                steal, sent_s = Steal(), crowd.pay(number)
                drawn_ms = await shown_ms(page, "[data-figure=orders] .huge > span", str(number))
                found.append(Seen(drawn_ms - sent_s * 1000, steal.share()))
                await asyncio.sleep(random.uniform(0.2, 1.2))
        busy.cancel()
    return found


def percentiles(seen: list[Seen]) -> dict[str, float]:
    """Return what a run comes to."""
    delays = sorted(one.delay_ms for one in seen)
    return {
        "orders": len(delays),
        "p50_ms": round(statistics.median(delays)),
        "p99_ms": round(delays[len(delays) * 99 // 100]),
        "max_ms": round(delays[-1]),
        "stolen": round(statistics.fmean(one.stolen for one in seen), 2),
    }


def main() -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=200)
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    options = parser.parse_args()
    seen = asyncio.run(watch_orders(options.orders))
    ours = [one for one in seen if one.stolen <= _STOLEN]
    found = {"all": percentiles(seen), "undisturbed": percentiles(ours) if ours else None}
    for name, figures in found.items():
        sys.stdout.write(f"{name:12} {figures}\n")
    if options.json:
        sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
