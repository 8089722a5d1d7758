"""The budget and the views on the Redis of a cluster, with several workers and a crash."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from msgspec.json import encode

from agents.engine.budget import RedisBudget
from agents.recording import Record
from agents.redis_client import connect, connect_sync
from agents.views import reading
from agents.views.batch import SessionView
from agents.views.keys import Keys
from agents.views.writer import Views
from schemas import events as ev
from streams.budget import Answer, Ledger, Release, Reservation
from tests.integration.cluster import new_site, until
from tests.integration.kafka import Kafka
from tests.redis_server import RedisServer, newest, running
from tests.streams.world import TOPIC_OF

pytestmark = pytest.mark.kafka

KEYS = Keys("integration")
_ids = count()


@pytest.fixture
def durable(tmp_path: Path) -> Iterator[RedisServer]:
    """Start a Redis that keeps its writes, as a coupon budget needs it."""
    with running(newest(), tmp_path, "--appendfsync", "always") as started:
        yield started


@pytest.fixture
def forgetful() -> Iterator[RedisServer]:
    """Start a Redis that is empty after a crash."""
    with running(newest()) as started:
        yield started


@asynccontextmanager
async def worker(server: RedisServer) -> AsyncIterator[RedisBudget]:
    """Connect as one worker does."""
    client = connect(server.settings)
    yield RedisBudget(client, KEYS, timeout_s=5, pause_s=0)
    await client.aclose()


def ask(number: int, amount: int = 10, budget: int = 1_000) -> Reservation:
    """Ask for the coupon of this number."""
    return Reservation("room", "offer", f"t{number}", amount, budget, expires_at=0)


def spent(server: RedisServer) -> int:
    """Read the promises from Redis itself."""
    with server.client() as look:
        return int(look.hget(KEYS.budget("room"), "offer") or 0)


async def test_workers_agree_with_each_other_and_the_ledger(durable: RedisServer) -> None:
    """1,000 reservations, releases and repeats over two workers are answered as by one."""
    dice, ledger = random.Random(7), Ledger()
    async with worker(durable) as one, worker(durable) as other:
        for _ in range(1_000):
            budget, number = dice.choice((one, other)), dice.randrange(300)
            if dice.random() < 0.6:
                wanted = ask(number, dice.randrange(30))
                assert await budget.reserve([wanted]) == [ledger.reserve(wanted)]
            else:
                done = Release("room", "offer", f"t{number}")
                await budget.release([done])
                ledger.release(done)
    assert spent(durable) == ledger.spent("room", "offer")


async def test_two_workers_in_parallel_never_overspend(durable: RedisServer) -> None:
    """Two workers ask for the same 160 coupons at once: 100 fit, and both hear the same."""
    async with worker(durable) as one, worker(durable) as other:
        asked = [budget.reserve([ask(n)]) for n in range(160) for budget in (one, other)]
        answers = [answer for [answer] in await asyncio.gather(*asked)]
    assert answers[::2] == answers[1::2]
    assert answers.count("granted") == 200
    assert spent(durable) == 1_000


async def test_a_crash_neither_doubles_nor_forgets_a_promise(durable: RedisServer) -> None:
    """Killed between requests in flight and restarted: asking all again changes no grant."""
    wanted = [ask(n) for n in range(160)]
    async with worker(durable) as budget:
        running_requests = [asyncio.create_task(budget.reserve([one])) for one in wanted]
        await asyncio.wait(running_requests, return_when=asyncio.FIRST_COMPLETED)
        durable.kill()
        before: list[Answer] = [answer for [answer] in await asyncio.gather(*running_requests)]
        assert {"granted", "unavailable"} <= set(before)
        assert await budget.reserve([ask(999)]) == ["unavailable"]
        durable.start()
        after = await budget.reserve(wanted)
    assert [b for b, a in zip(before, after, strict=True) if b not in {a, "unavailable"}] == []
    assert after.count("granted") == 100
    assert spent(durable) == 1_000


async def test_views_are_whole_again_after_a_crash(forgetful: RedisServer) -> None:
    """Killed while the views are written: at the end every session shows its latest."""
    latest: dict[int, SessionView] = {}
    asked_again = asyncio.Event()

    def offer_everything() -> None:
        out.offer(sessions=list(latest.values()))
        asked_again.set()

    client = connect(forgetful.settings)
    out = Views(client, KEYS, on_recovered=offer_everything, flush_ms=5)
    task = asyncio.create_task(out.run())
    for n in range(3_000):
        latest[n % 100] = _session(n % 100, present=n)
        out.offer(sessions=[latest[n % 100]])
        if n == 1_000:
            await out._flush()
            forgetful.kill()
        if n == 2_000:
            await out._flush()
            forgetful.start()
        await asyncio.sleep(0)
    await asyncio.wait_for(asked_again.wait(), 5)
    await out.stop()
    await task
    await client.aclose()
    with connect_sync(forgetful.settings) as reader:
        found = reading.read_sessions(reader, keys=KEYS)
    assert {one.session_id: one.present for one in found} == {
        f"room-{n}": 2_900 + n for n in range(100)
    }


def test_a_budget_that_was_lost_is_told_by_the_tasks(
    kafka: Kafka, forgetful: RedisServer, tmp_path: Path
) -> None:
    """Redis comes back empty: what a coupon holds of its offer's budget counts again."""
    site = new_site(kafka, forgetful.url, tmp_path, partitions=1)
    site.create_topics()
    keys, (host, viewer) = Keys(site.settings.redis_prefix), _cart_left_alone()

    def held() -> int:
        with forgetful.client() as look:
            return int(look.hget(keys.budget("room"), "offer") or 0)

    def is_on_sale() -> bool:
        with forgetful.client() as look:
            return bool(look.exists(keys.shelf("room")))

    with site.worker() as worker:
        worker.ready(1)
        site.feed(host)
        until(worker.last_words, is_on_sale)  # before the first viewer comes
        site.feed(viewer)
        until(worker.last_words, lambda: site.read(site.settings.topic_of("CouponTrigger")))
        assert held() == 500
        forgetful.kill()
        forgetful.start()
        until(worker.last_words, lambda: held() == 500)


def _cart_left_alone() -> list[list[Record]]:
    """Return an offer, and what somebody does who fills the cart and waits for 40 s."""
    now_ms = time.time_ns() // 1_000_000

    def own(second: int) -> dict[str, Any]:
        return {"id": f"e{next(_ids)}", "ts": now_ms + (second - 60) * 1_000, "session_id": "room"}

    money: dict[str, Any] = {"currency": "CNY"}
    host: list[ev.Event] = [
        ev.SessionStarted(**own(0), **money),
        ev.ProductListed(**own(0), product_id="p1", price=9_900, stock=9, **money),
        ev.OfferListed(**own(0), offer_id="offer", kind="amount_off", value=500, budget=1_000,
                       valid_until=now_ms + 3_600_000, margin=0.5, **money),
    ]  # fmt: skip
    viewer: list[ev.Event] = [
        ev.ViewerEntered(**own(1), viewer_id="v1", channel="feed"),
        ev.CartAdded(**own(2), viewer_id="v1", product_id="p1", unit_price=9_900, **money),
        *(ev.Heartbeat(**own(second), viewer_id="v1") for second in range(10, 50, 5)),
    ]
    return [
        [
            Record(TOPIC_OF[type(e)], getattr(e, "viewer_id", "room").encode(), encode(e), e.ts)
            for e in events
        ]
        for events in (host, viewer)
    ]


def _session(number: int, present: int) -> SessionView:
    return SessionView(
        session_id=f"room-{number}",
        announced=True,
        title="",
        present=present,
        watermark_ms=1_790_000_000_000 + present,
    )
