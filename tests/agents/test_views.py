"""The views against a real Redis 6.2: what is written, what a reader gets, what an outage does."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.metrics.redis_meter import RedisMeter
from agents.redis_client import connect, connect_sync
from agents.views import reading, writer
from agents.views.batch import SessionView
from agents.views.keys import HOUR_MS, RISKS_KEPT, Keys
from agents.views.writer import Views
from schemas.results import (
    ChurnRow,
    ConversionRow,
    CouponTrigger,
    Reason,
    RecommendationTrigger,
    Scope,
    Suggestion,
    Window,
)
from tests.redis_server import RedisServer, running

KEYS = Keys("test")
NOW = 1_790_000_000_000


@pytest.fixture(scope="module")
def common() -> Iterator[RedisServer]:
    """Start one server for the tests that leave it alone."""
    with running() as started:
        yield started


@pytest.fixture
def server(common: RedisServer) -> RedisServer:
    """Return the common server, empty."""
    with common.client() as look:
        look.flushall()
    return common


@pytest.fixture
def mortal() -> Iterator[RedisServer]:
    """Start a server for one test, which may kill it."""
    with running() as started:
        yield started


@asynccontextmanager
async def writing(
    server: RedisServer, on_recovered: Callable[[], None] = lambda: None, *, limit: int = 50_000
) -> AsyncIterator[Views]:
    """Run views on this server; at the end everything offered is written."""
    client = connect(server.settings)
    made = Views(client, KEYS, on_recovered=on_recovered, flush_ms=10, limit=limit)
    task = asyncio.create_task(made.run())
    try:
        yield made
    finally:
        await made.stop()
        await task
        await client.aclose()


def row(
    start: int = NOW,
    *,
    scope: Scope = "session",
    scope_id: str = "room",
    window: Window = "10s",
    revision: int = 0,
    paid: int = 1,
) -> ConversionRow:
    """Make a row of the room."""
    return ConversionRow(
        session_id="room", scope=scope, scope_id=scope_id, window=window, start=start,
        end=start + 10_000, status="provisional", revision=revision, announced=True,
        currency="CNY", counts={"OrderPaid": paid}, people={}, money={"gmv_gross": 9_900},
        rates={},
    )  # fmt: skip


def risk(viewer_id: str, probability: float = 0.7) -> ChurnRow:
    """Make a viewer's risk."""
    return ChurnRow(
        session_id="room", viewer_id=viewer_id, ts=NOW, probability=probability, level="high",
        reasons=(Reason("idle", 0.5),), cart_value=0, watch_s=30,
    )  # fmt: skip


def coupon(number: int) -> CouponTrigger:
    """Make the room's coupon of this number, decided at this second."""
    return CouponTrigger(
        trigger_id=f"t{number}", session_id="room", viewer_id="ann", rule="at_risk", cause_id="e",
        decided_at=NOW + number * 1_000, expires_at=NOW, reasons=(), policy_version="1",
        offer_id="o", kind="amount_off", value=1_000, discount=1_000, minimum_spend=0,
        currency="CNY", products=('with "suggestions"',),
    )  # fmt: skip


def recommendation(number: int) -> RecommendationTrigger:
    """Make the room's recommendation of this number."""
    return RecommendationTrigger(
        trigger_id=f"t{number}", session_id="room", viewer_id="ann", rule="ordered", cause_id="e",
        decided_at=NOW + number * 1_000, expires_at=NOW, reasons=(), policy_version="1",
        suggestions=(Suggestion("p1", 0.5, "co_cart"),),
    )  # fmt: skip


def session(session_id: str, watermark_ms: int, present: int = 3) -> SessionView:
    """Make what the list of sessions shows."""
    return SessionView(
        session_id=session_id, announced=True, title="口红专场", present=present,
        watermark_ms=watermark_ms, currency="CNY",
    )  # fmt: skip


async def test_rows_come_back_by_start(server: RedisServer) -> None:
    """Rows of one window and scope, over an hour's border, oldest first; others stay apart."""
    early, late = row(NOW - HOUR_MS), row(NOW)
    product = row(scope="product", scope_id="lipstick")
    async with writing(server) as out:
        out.offer(conversion=[late, early, product, row(window="1m")])
    reader = connect_sync(server.settings)
    assert reading.read_rows(reader, "room", "10s", "session", keys=KEYS) == [early, late]
    assert reading.read_rows(reader, "room", "10s", "product", keys=KEYS) == [product]
    assert len(reading.read_rows(reader, "room", "1m", "session", keys=KEYS)) == 1
    reader.close()


async def test_rows_of_more_than_a_day_ago_are_not_read(server: RedisServer) -> None:
    """A session that never ends shows its last 25 clock hours."""
    rows = [row(NOW + n * HOUR_MS) for n in range(30)]
    async with writing(server) as out:
        out.offer(conversion=rows)
    with connect_sync(server.settings) as reader:
        assert reading.read_rows(reader, "room", "10s", "session", keys=KEYS) == rows[5:]


async def test_a_correction_replaces_its_row(server: RedisServer) -> None:
    """The newest row of a window stands, whether it waited with the old one or came later."""
    async with writing(server) as out:
        out.offer(conversion=[row(paid=1), row(paid=2, revision=1)])
        await out._flush()
        out.offer(conversion=[row(paid=3, revision=2)])
    with connect_sync(server.settings) as reader:
        [found] = reading.read_rows(reader, "room", "10s", "session", keys=KEYS)
    assert found.counts == {"OrderPaid": 3}


async def test_the_whole_session_is_one_row_though_its_start_moves(server: RedisServer) -> None:
    """A late first event moves the start of the session's row; it replaces the row still."""
    earlier = row(NOW - 60_000, window="session", paid=2)
    async with writing(server) as out:
        out.offer(conversion=[row(window="session")])
        await out._flush()
        out.offer(conversion=[earlier])
    with connect_sync(server.settings) as reader:
        assert reading.read_total(reader, "room", keys=KEYS) == earlier
        assert reading.read_rows(reader, "room", "session", "session", keys=KEYS) == [earlier]


async def test_nothing_written_reads_as_nothing(server: RedisServer) -> None:
    """A session that Redis does not know is empty, not an error."""
    with connect_sync(server.settings) as reader:
        assert reading.read_sessions(reader, keys=KEYS) == []
        assert reading.read_total(reader, "room", keys=KEYS) is None
        assert reading.read_rows(reader, "room", "10s", "session", keys=KEYS) == []
        assert reading.read_top_risks(reader, "room", keys=KEYS) == []
        assert reading.read_triggers(reader, "room", keys=KEYS) == []


async def test_sessions_are_listed_by_last_activity(server: RedisServer) -> None:
    """The most recently active first; one that was silent for a day is gone."""
    old, first, second = session("old", NOW), session("a", NOW + 27 * HOUR_MS), session("b", NOW)
    second = msgspec.structs.replace(second, watermark_ms=NOW + 27 * HOUR_MS + 1)
    async with writing(server) as out:
        out.offer(sessions=[old])
        await out._flush()
        out.offer(sessions=[first, second])
    with connect_sync(server.settings) as reader:
        assert reading.read_sessions(reader, keys=KEYS) == [second, first]


async def test_the_fifty_likeliest_to_leave(server: RedisServer) -> None:
    """The top 50 by probability, likeliest first, whoever wrote them; the rest is trimmed."""
    first = [risk(f"v{n}", n / 1_000) for n in range(0, 600, 2)]
    second = [risk(f"v{n}", n / 1_000) for n in range(1, 600, 2)]
    async with writing(server) as one, writing(server) as other:
        one.offer(churn=first)
        other.offer(churn=second)
    with connect_sync(server.settings) as reader:
        found = reading.read_top_risks(reader, "room", keys=KEYS)
        assert reader.zcard(KEYS.risks("room")) == RISKS_KEPT
    assert [one.viewer_id for one in found] == [f"v{n}" for n in range(599, 549, -1)]


async def test_who_has_left_is_removed(server: RedisServer) -> None:
    """A viewer who left is no risk any more, in no view."""
    async with writing(server) as out:
        out.offer(churn=[risk("ann"), risk("bob", 0.8)])
        await out._flush()
        out.offer(left=[("room", "bob")])
    with connect_sync(server.settings) as reader:
        assert reading.read_top_risks(reader, "room", keys=KEYS) == [risk("ann")]
        assert reader.hkeys(KEYS.churn("room")) == [b"ann"]
        assert reader.zrange(KEYS.risks("room"), 0, -1) == [b"ann"]


async def test_the_last_200_triggers_once_each(server: RedisServer) -> None:
    """Newest first, both kinds, capped; a trigger that is offered again is there once."""
    async with writing(server) as out:
        out.offer(triggers=[coupon(n) for n in range(250)])
        await out._flush()
        out.offer(triggers=[coupon(249), recommendation(250)])
    with connect_sync(server.settings) as reader:
        found = reading.read_triggers(reader, "room", keys=KEYS)
    assert found == [recommendation(250), *(coupon(n) for n in range(249, 50, -1))]


async def test_a_change_is_announced_with_its_kinds(server: RedisServer) -> None:
    """One message per session and flush names what has changed, after it was written."""
    with server.client() as listener, listener.pubsub() as channel:
        channel.subscribe(KEYS.changed("room"))
        channel.get_message(timeout=5)
        async with writing(server) as out:
            out.offer(churn=[risk("ann")], conversion=[row()])
        message = channel.get_message(timeout=5)
        assert message is not None
        assert msgspec.json.decode(message["data"]) == {
            "session_id": "room",
            "kinds": ["churn", "conversion"],
        }


async def test_every_key_expires(server: RedisServer) -> None:
    """No view outlives its session for ever."""
    async with writing(server) as out:
        out.offer(
            conversion=[row(), row(window="session")],
            churn=[risk("ann")],
            triggers=[coupon(1)],
            sessions=[session("room", NOW)],
        )
    with server.client() as look:
        lives = {key: look.pttl(key) for key in look.keys("*")}
    assert len(lives) == 10
    assert all(24 * HOUR_MS < life <= 26 * HOUR_MS for life in lives.values()), lives


Offer = tuple[int, float | None]  # viewer, probability or None for leaving


@settings(max_examples=40, deadline=None)
@given(offers=st.lists(st.tuples(st.integers(0, 5), st.none() | st.floats(0, 1))))
def test_what_was_offered_last_stands(common: RedisServer, offers: list[Offer]) -> None:
    """Whatever the order of rows and leavings, Redis shows each viewer's latest."""

    async def example() -> None:
        async with writing(common) as out:
            for viewer, probability in offers:
                if probability is None:
                    out.offer(left=[("room", f"v{viewer}")])
                else:
                    out.offer(churn=[risk(f"v{viewer}", probability)])
                await asyncio.sleep(0)  # lets a flush come in between

    with common.client() as look:
        look.flushall()
    asyncio.run(example())
    latest = {f"v{viewer}": probability for viewer, probability in offers}
    with connect_sync(common.settings) as reader:
        found = reading.read_top_risks(reader, "room", keys=KEYS)
    expected = {name: value for name, value in latest.items() if value is not None}
    assert {one.viewer_id: one.probability for one in found} == expected


async def test_an_outage_blocks_nothing_and_ends_with_the_latest(mortal: RedisServer) -> None:
    """Killed and restarted: the buffer stays bounded, the worker is asked, all is there."""
    back = asyncio.Event()
    latest = [row(NOW + n * 10_000, paid=7) for n in range(50)]

    def offer_everything() -> None:
        out.offer(conversion=latest)
        back.set()

    async with writing(mortal, offer_everything, limit=20) as out:
        out.offer(conversion=latest[:10])
        await out._flush()
        mortal.kill()
        for n in range(1_000):
            out.offer(conversion=[row(NOW + n % 50 * 10_000, paid=n)])
        assert len(out._pending) == 20
        await out._flush()
        assert (out.failures > 0, out.dropped > 0, len(out._pending)) == (True, True, 20)
        out._limit = 1_000
        mortal.start()
        await asyncio.wait_for(back.wait(), 5)
    with connect_sync(mortal.settings) as reader:
        assert reading.read_rows(reader, "room", "10s", "session", keys=KEYS) == latest


async def test_a_refusal_is_an_answer_and_counted_as_a_failure(mortal: RedisServer) -> None:
    """A full Redis is up: only what it refuses tells that nothing is written."""
    client, meter = connect(mortal.settings), RedisMeter()
    out = Views(client, KEYS, on_recovered=lambda: None, meter=meter)
    with mortal.client() as look:
        look.config_set("maxmemory", 1)
    out.offer(conversion=[row()])
    for tried in (1, 2):
        await out._flush()
        assert (out.failures, meter.is_up, len(out._pending)) == (tried, True, 1)
    await client.aclose()


async def test_lost_data_is_noticed_without_a_failed_write(server: RedisServer) -> None:
    """A flushed or quickly restarted Redis answers, but is empty: everything is asked for."""
    back = asyncio.Event()
    async with writing(server, back.set) as out:
        out.offer(conversion=[row()])
        await out._flush()
        out.offer(conversion=[row(NOW + 10_000)])
        await out._flush()
        assert not back.is_set()
        with server.client() as look:
            look.flushall()
        out.offer(conversion=[row(NOW + 20_000)])
        await asyncio.wait_for(back.wait(), 5)
        assert out.failures == 0


async def test_a_process_that_was_stopped_writes_nothing_old(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its tasks may be somebody else's by now, who has written newer rows."""
    monkeypatch.setattr(writer, "STILL_S", 0.2)
    asked = asyncio.Event()
    client = connect(server.settings)
    meter = RedisMeter()
    out = Views(client, KEYS, on_recovered=asked.set, meter=meter)
    out.offer(conversion=[row(paid=1)])
    time.sleep(0.3)  # noqa: ASYNC251 - as SIGSTOP does: the event loop stands still with it
    await out._flush()
    assert asked.is_set()
    assert meter.seconds["views"].sum == 0.0  # what was not asked was not answered either
    out.offer(conversion=[row(NOW + 10_000, paid=2)])
    await out.stop()
    await client.aclose()
    with connect_sync(server.settings) as reader:
        found = reading.read_rows(reader, "room", "10s", "session", keys=KEYS)
    assert found == [row(NOW + 10_000, paid=2)]


async def test_stop_does_not_wait_for_a_silent_redis(
    mortal: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker can end while Redis hangs."""
    monkeypatch.setattr(writer, "WRITE_S", 0.1)
    async with asyncio.timeout(2):
        async with writing(mortal) as out:
            mortal.freeze()
            out.offer(conversion=[row()])
    assert len(out._pending) == 1
