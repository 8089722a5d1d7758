"""Erasure in Redis: what waits is dropped, what is there is taken out, nobody else is touched."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from agents.redis_client import connect, connect_sync
from agents.views.batch import SessionView
from agents.views.keys import Keys
from agents.views.reading import read_sessions, read_top_risks, read_triggers
from agents.views.writer import Views
from schemas.results import ChurnRow, CouponTrigger
from tests.redis_server import RedisServer, running

KEYS = Keys("test")
NOW = 1_790_000_000_000


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """Start one for the test."""
    with running() as started:
        yield started


@asynccontextmanager
async def views_on(server: RedisServer) -> AsyncIterator[Views]:
    """Make views that write when they are told to, not by themselves."""
    client = connect(server.settings)
    yield Views(client, KEYS, on_recovered=lambda: None)
    await client.aclose()


def fill(views: Views) -> None:
    """Offer a risk and a trigger of two viewers in two rooms."""
    for room in ("a", "b"):
        views.offer(
            churn=[risk(room, "canary"), risk(room, "other")],
            triggers=[coupon(room, "canary"), coupon(room, "other")],
            sessions=[
                SessionView(session_id=room, announced=True, title="", present=2, watermark_ms=NOW)
            ],
        )


def risk(room: str, viewer: str) -> ChurnRow:
    """Return a viewer's risk."""
    return ChurnRow(
        session_id=room, viewer_id=viewer, ts=NOW, probability=0.7, level="high", reasons=(),
        cart_value=0, watch_s=1,
    )  # fmt: skip


def coupon(room: str, viewer: str) -> CouponTrigger:
    """Return a coupon for a viewer."""
    return CouponTrigger(
        trigger_id=f"{room}-{viewer}", session_id=room, viewer_id=viewer, rule="r", cause_id="c",
        decided_at=NOW, expires_at=NOW + 1, reasons=(), policy_version="1", offer_id="o",
        kind="amount_off", value=1, discount=1, minimum_spend=0, currency="CNY", products=(),
    )  # fmt: skip


def shown(server: RedisServer) -> set[tuple[str, str, str]]:
    """Return what a reader gets, as (view, room, viewer)."""
    with connect_sync(server.settings) as client:
        assert {view.session_id for view in read_sessions(client, keys=KEYS)} <= {"a", "b"}
        risks = {
            ("risk", room, one.viewer_id)
            for room in ("a", "b")
            for one in read_top_risks(client, room, keys=KEYS)
        }
        return risks | {
            ("trigger", room, one.viewer_id)
            for room in ("a", "b")
            for one in read_triggers(client, room, keys=KEYS)
        }


EVERYBODY = {
    (view, room, viewer)
    for view in ("risk", "trigger")
    for room in ("a", "b")
    for viewer in ("canary", "other")
}


@pytest.mark.parametrize("rooms", [{"a"}, {"a", "b"}])
async def test_what_is_there_is_taken_out(server: RedisServer, rooms: set[str]) -> None:
    """In one session or in all; the other viewer stays; twice does no harm."""
    async with views_on(server) as views:
        fill(views)
        await views.stop()
        assert shown(server) == EVERYBODY
        for _ in range(2):
            views.erase([("*" if len(rooms) > 1 else "a", "canary")])
            await views.stop()
            gone = {one for one in EVERYBODY if one[1] in rooms and one[2] == "canary"}
            assert shown(server) == EVERYBODY - gone


async def test_what_waits_is_dropped(server: RedisServer) -> None:
    """Values that were offered before the order are never written."""
    async with views_on(server) as views:
        fill(views)
        views.erase([("*", "canary")])
        await views.stop()
        assert shown(server) == {one for one in EVERYBODY if one[2] == "other"}


async def test_an_order_waits_for_redis(server: RedisServer) -> None:
    """While Redis is away the order is kept, and done when it is back."""
    async with views_on(server) as views:
        fill(views)
        await views.stop()
        server.freeze()
        try:
            views.erase([("*", "canary")])
            await views.stop()
        finally:
            server.thaw()
        assert ("risk", "a", "canary") in shown(server)
        await asyncio.wait_for(views.stop(), 10)
        assert shown(server) == {one for one in EVERYBODY if one[2] == "other"}
