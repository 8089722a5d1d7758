"""The event stream on a real Redis: what a page hears, at which pace, through every loss."""

import asyncio
import time
import zlib
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
import pytest_asyncio
from aiohttp import ClientSession
from msgspec import structs

from agents.screen import hub, stream
from agents.views.batch import SessionView
from agents.views.keys import Keys
from agents.views.writer import Views
from schemas.results import ConversionRow
from tests.agents.screen_stage import Stage, running, settings_of, write, writing
from tests.redis_server import RedisServer
from tests.redis_server import running as running_redis
from tests.streams.world import World, simulated


@pytest.fixture(scope="module")
def world() -> World:
    """Run one session."""
    return World().run(simulated(events=2_500, sessions=1, ends=False))


@pytest.fixture(scope="module")
def server(world: World) -> Iterator[RedisServer]:
    """Start one Redis that holds the world."""
    with running_redis() as started, settings_of(started) as settings:
        asyncio.run(write(settings, world))
        yield started


@pytest_asyncio.fixture
async def stage(server: RedisServer) -> AsyncIterator[Stage]:
    """Run a screen."""
    async with running(server) as started:
        yield started


@pytest.fixture
def session_id(world: World) -> str:
    """Return the session."""
    return next(iter(world.state.sessions))


def newest_pane(world: World) -> ConversionRow:
    """Return the last pane of the session."""
    rows = [r for r in world.rows.values() if (r.scope, r.window) == ("session", "10s")]
    return max(rows, key=lambda row: row.start)


async def change(stage: Stage, *rows: ConversionRow, viewers: int = 0) -> None:
    """Write rows, and say in the session's own view how many are there, as a worker does."""
    async with writing(stage.settings) as views:
        session = SessionView(
            session_id=rows[0].session_id, announced=True, title="", present=viewers,
            watermark_ms=1,
        )  # fmt: skip
        views.offer(conversion=rows, sessions=[session])


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what happens after a client has gone."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - nothing tells when a connection is noticed lost
            await asyncio.sleep(0.05)


async def test_a_page_hears_the_timeline_and_then_the_snapshot(
    stage: Stage, world: World, session_id: str
) -> None:
    """After the state all panes of the last hour; the snapshot carries the id."""
    async with stage.stream(session_id) as events:
        status, panes, shown = [await events.next() for _ in range(3)]
    assert (status.name, panes.name, shown.name) == ("status", "panes", "snapshot")
    assert panes.event_id is None
    assert (shown.event_id or "").endswith(f"-{shown.data['revision']}")
    rows = [r for r in world.rows.values() if (r.scope, r.window) == ("session", "10s")]
    assert [one["start"] for one in panes.data["rows"]] == sorted(row.start for row in rows)


async def test_a_change_is_heard_within_a_moment(
    stage: Stage, world: World, session_id: str
) -> None:
    """A pane that is corrected comes alone, with the next snapshot."""
    row = newest_pane(world)
    async with stage.stream(session_id) as events:
        await events.next("snapshot")
        changed = structs.replace(row, revision=row.revision + 1, status="correction")
        await change(stage, changed)
        said = await events.next("panes")
    assert [(one["start"], one["status"]) for one in said.data["rows"]] == [
        (row.start, "correction")
    ]


async def test_who_comes_back_misses_nothing(stage: Stage, world: World, session_id: str) -> None:
    """With the last id only what has changed meanwhile is sent, though nobody was watching."""
    row = newest_pane(world)
    async with stage.stream(session_id) as events:
        last = (await events.next("snapshot")).event_id
    await change(stage, structs.replace(row, revision=row.revision + 50))
    async with stage.stream(session_id, Last_Event_ID=last or "") as events:
        said = await events.next("panes")
    assert [(one["start"], one["revision"]) for one in said.data["rows"]] == [
        (row.start, row.revision + 50)
    ]


async def test_a_new_process_sends_everything_to_who_comes_back(
    server: RedisServer, session_id: str
) -> None:
    """It cannot know what the page has seen of the one before it."""
    async with running(server) as first, first.stream(session_id) as events:
        panes, last = await events.next("panes"), await events.next("snapshot")
    async with (
        running(server) as second,
        second.stream(session_id, Last_Event_ID=last.event_id or "") as events,
    ):
        again = await events.next("panes")
        newer = await events.next("snapshot")
    assert len(again.data["rows"]) == len(panes.data["rows"])
    assert newer.data["revision"] > last.data["revision"]


async def test_at_most_four_snapshots_a_second(stage: Stage, world: World, session_id: str) -> None:
    """However often something changes; the last one has the newest."""
    row, times = newest_pane(world), []
    async with stage.stream(session_id) as events, writing(stage.settings) as views:
        await events.next("snapshot")
        writer = asyncio.create_task(_keep_changing(views, row))
        for _ in range(5):
            await events.next("snapshot")
            times.append(time.monotonic())
        writer.cancel()
    assert times[-1] - times[0] >= 4 * hub.EVERY_S * 0.8


async def _keep_changing(views: Views, row: ConversionRow) -> None:
    number = row.revision + 100
    while True:
        number += 1
        views.offer(conversion=[structs.replace(row, revision=number)])
        await asyncio.sleep(0.01)


async def test_one_reading_serves_all_who_watch(
    stage: Stage, world: World, session_id: str
) -> None:
    """Twenty pages of one session get the same snapshot, not twenty."""
    async with asyncio.TaskGroup() as group:
        watching = [group.create_task(_two(stage, session_id)) for _ in range(20)]
        await asyncio.sleep(0.3)
        row = newest_pane(world)
        await change(stage, structs.replace(row, revision=row.revision + 900))
    seen = {task.result() for task in watching}
    assert len(seen) <= 3


async def _two(stage: Stage, session_id: str) -> str | None:
    async with stage.stream(session_id) as events:
        await events.next("snapshot")
        return (await events.next("snapshot")).event_id


async def test_silence_has_a_heartbeat(
    stage: Stage, session_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A comment, so that a page knows that the line is open."""
    monkeypatch.setattr(stream, "HEARTBEAT_S", 0.05)
    monkeypatch.setattr(hub, "QUIET_S", 0.5)
    async with stage.stream(session_id) as events:
        for _ in range(3):
            await events.next("snapshot")
    assert events.comments >= 3


async def test_the_stream_ends_with_the_token(stage: Stage, session_id: str) -> None:
    """Nobody watches for longer than they may."""
    token = stage.token(session_id, ttl_s=2)
    async with stage.stream(session_id, token=token) as events:
        with pytest.raises(EOFError):
            await events.next("nothing")


async def test_a_compressed_stream_says_the_same(stage: Stage, session_id: str) -> None:
    """One gzip stream, from which a client can read event by event."""
    sent = {"Authorization": f"Bearer {stage.token()}", "Accept-Encoding": "gzip"}
    path = f"{stage.url}/v1/sessions/{session_id}/events"
    async with (
        ClientSession(auto_decompress=False) as browser,
        browser.get(path, headers=sent) as reply,
    ):
        assert reply.headers["Content-Encoding"] == "gzip"
        packed = b""
        while b"event: snapshot" not in (text := _unpacked(packed)):
            packed += await asyncio.wait_for(reply.content.readany(), 10)
    assert b"event: panes" in text
    assert len(packed) < len(text) / 2


def _unpacked(packed: bytes) -> bytes:
    # gzip.decompress wants an end, which a stream has not.
    return zlib.decompressobj(wbits=zlib.MAX_WBITS | 16).decompress(packed)


async def test_one_token_has_so_many_streams(
    stage: Stage, session_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next one is put off; when one ends there is room again."""
    monkeypatch.setattr(stream, "STREAMS_A_TOKEN", 1)
    token = stage.token(session_id)
    async with stage.stream(session_id, token=token) as events:
        await events.next("snapshot")
        reply = await stage.get(f"/v1/sessions/{session_id}/events", token)
        assert reply.status == 429
    await until(lambda: not stage.screen._streams._open)


async def test_the_loss_of_redis_is_told_and_its_return(world: World, session_id: str) -> None:
    """The page hears that there is no data, and then the newest, on the same stream."""
    with running_redis() as mortal:
        async with running(mortal) as stage:
            await write(stage.settings, world)
            async with stage.stream(session_id) as events:
                await events.next("snapshot")
                mortal.kill()
                assert (await events.next("status")).data == {"state": "no_data_source"}
                mortal.start()
                await write(stage.settings, world)
                assert (await events.next("status")).data == {"state": "ok"}
                shown = await events.next("snapshot")
            assert shown.data["session"]["id"] == session_id


async def test_a_stream_after_a_loss_says_that_it_is_over(world: World, session_id: str) -> None:
    """The screen on which the page heard of the loss has ended before the return."""
    with running_redis() as mortal:
        async with running(mortal) as first:
            await write(first.settings, world)
            async with first.stream(session_id) as events:
                await events.next("snapshot")
                mortal.kill()
                assert (await events.next("status")).data == {"state": "no_data_source"}
        mortal.start()
        async with running(mortal) as second:
            await write(second.settings, world)
            async with second.stream(session_id) as events:
                assert (await events.next()).data == {"state": "ok"}


async def test_a_page_that_opens_while_redis_is_away_waits(world: World, session_id: str) -> None:
    """It is told why it is empty."""
    with running_redis() as mortal:
        async with running(mortal) as stage:
            mortal.kill()
            async with stage.stream(session_id) as events:
                assert (await events.next("status")).data == {"state": "no_data_source"}
                mortal.start()
                await write(stage.settings, world)
                assert (await events.next("snapshot")).data["session"]["id"] == session_id


async def test_a_reading_that_fails_halfway_loses_no_pane(
    server: RedisServer, world: World, session_id: str
) -> None:
    """What was read before the failure is told after it."""
    rows = [r for r in world.rows.values() if (r.scope, r.window) == ("session", "10s")]
    async with running(server, redis_prefix="torn") as stage:
        await write(stage.settings, world)
        risks = Keys("torn").risks(session_id)  # these are read after the panes
        with server.client() as redis:
            redis.set(risks, b"no sorted set")
            async with stage.stream(session_id) as events:
                assert (await events.next("status")).data == {"state": "no_data_source"}
                redis.delete(risks)
                said = await events.next("panes")
    assert [one["start"] for one in said.data["rows"]] == sorted(row.start for row in rows)


async def test_nobody_watches_nothing_is_read(stage: Stage, session_id: str) -> None:
    """When the last page closes, the room rests."""
    async with stage.stream(session_id) as events:
        await events.next("snapshot")
    await until(lambda: not stage.screen._hub._builders)
    room = stage.screen._hub._rooms[session_id]
    before = room.revision
    await asyncio.sleep(3 * hub.EVERY_S)
    assert room.revision == before


async def test_a_closing_server_ends_its_streams(server: RedisServer, session_id: str) -> None:
    """Pages reconnect, to the next process."""
    async with running(server) as stage, stage.stream(session_id) as events:
        await events.next("snapshot")
        await stage.screen._streams.end(stage.screen.app())
        with pytest.raises(EOFError):
            await events.next("nothing")


async def test_clients_and_updates_are_counted(stage: Stage, session_id: str) -> None:
    """Open streams while they are open, updates as they are sent."""
    registry = stage.screen._registry
    async with stage.stream(session_id) as events:
        await events.next("snapshot")
        assert registry.get_sample_value("livepulse_screen_clients") == 1
        assert (registry.get_sample_value("livepulse_screen_updates_total") or 0) >= 1
