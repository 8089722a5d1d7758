"""Time on a real Kafka: late, silent, stalled, apart, over; the rows end as the batch answer."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pytest
from confluent_kafka import Consumer, TopicPartition

from agents.recording import Record
from schemas.results import ConversionRow, CouponTrigger
from streams.policy import Policy
from tests.integration.cluster import (
    PARTITIONS,
    Site,
    WorkerProcess,
    decoded,
    new_site,
    twin,
    until,
)
from tests.integration.kafka import Kafka
from tests.integration.outcome import newest_rows
from tests.integration.world import CLOCK, World, clock_events, make_world, one_viewer_each
from tests.streams.batch import batch
from tests.streams.outcome import assert_batch

pytestmark = pytest.mark.kafka

LIMIT_MS = Policy().grace_ms + 5_000
APART_MS = 20_000
_numbers = count()


# --- what happens ------------------------------------------------------------------------------


def now_ms() -> int:
    """Return the time of the wall clock."""
    return time.time_ns() // 1_000_000


def said(kind: str, /, ts: int, *, arrives: int | None = None, **fields: Any) -> Record:
    """Return one event of viewer v1 in session s1 as a record."""
    topic = {"Heartbeat": "visits", "ViewerEntered": "visits", "LikesSent": "likes",
             "CartAdded": "carts"}.get(kind, "purchases")  # fmt: skip
    event: dict[str, Any] = {"id": f"{kind}-{next(_numbers)}", "type": kind, "ts": ts}
    event |= {"session_id": "s1", "viewer_id": "v1"} | fields
    value, key = msgspec.json.encode(event), event["viewer_id"].encode()
    return Record(f"live.{topic}", key, value, ts if arrives is None else arrives)


def host(kind: str, /, ts: int, *, arrives: int | None = None, **fields: Any) -> Record:
    """Return one event of the host of session s1 as a record."""
    event: dict[str, Any] = {"id": f"{kind}-{next(_numbers)}", "type": kind, "ts": ts}
    event |= {"session_id": "s1"} | fields
    value, key = msgspec.json.encode(event), event["session_id"].encode()
    return Record("live.host", key, value, ts if arrives is None else arrives)


def bought(kind: str, ts: int, amount: int = 2_000, **fields: Any) -> Record:
    """Return an order event: two pieces of p1 for 10.00 each."""
    lines = [{"product_id": "p1", "quantity": 2, "unit_price": 1_000}]
    order: dict[str, Any] = {"order_id": "o1", "lines": lines}
    order |= {"amount": amount, "currency": "CNY"}
    return said(kind, ts, **(order | fields))


def ticking(begin: int, end: int, step: int = 10_000) -> list[Record]:
    """Return events in a room apart, for every topic and partition: time passes."""
    return [r for ts in range(begin, end, step) for r in clock_events(ts, PARTITIONS)]


# --- what comes of it --------------------------------------------------------------------------


def rows_of(site: Site) -> list[ConversionRow]:
    """Return all rows that were published, in order."""
    return decoded(site.read(site.settings.topic_of("ConversionRow")), ConversionRow)


def published(site: Site) -> Iterator[tuple[int, ConversionRow]]:
    """Yield all rows with the time at which their worker committed them."""
    topic = site.settings.topic_of("ConversionRow")
    ends = {p: end for (_, p), end in site.ends(topic).items()}
    config = {"group.id": f"{site.settings.app_id}-times", "isolation.level": "read_committed"}
    consumer = Consumer(site.settings.confluent_config() | config)
    try:
        consumer.assign([TopicPartition(topic, p, 0) for p in ends])
        while ends:
            message = consumer.poll(10.0)
            assert message is not None, f"not read to the end: {ends}"
            yield message.timestamp()[1], msgspec.json.decode(message.value(), type=ConversionRow)
            if message.offset() + 1 >= ends[message.partition()]:
                del ends[message.partition()]
    finally:
        consumer.close()


def wait_rows(site: Site, what: str, wanted: Callable[[ConversionRow], bool], **key: Any) -> None:
    """Wait until the newest row of each that the key names is as wanted; there must be one."""

    def wrong() -> list[ConversionRow]:
        rows = [r for r in newest_rows(rows_of(site)).values() if matches(r, key)]
        return [row for row in rows if not wanted(row)] if rows else [None]  # type: ignore[list-item]

    until(lambda: f"{what}: {wrong()[:2]}", lambda: not wrong(), limit_s=60.0)


def matches(row: ConversionRow, key: dict[str, Any]) -> bool:
    """Tell whether a row has these values."""
    return all(getattr(row, name) == value for name, value in key.items())


def is_closed(row: ConversionRow) -> bool:
    """Tell whether the row was said to be final."""
    return row.status != "provisional"


def wait_batch(site: Site, records: list[Record], *sessions: str) -> None:
    """Wait until the rows of these sessions are the batch answer.

    Open rows of products and channels come up to a second after those of the session.
    """
    wanted = {key: told for key, told in batch(records).items() if key[0] in sessions}
    wrong: list[AssertionError] = []

    def is_batch() -> bool:
        rows = {key: r for key, r in newest_rows(rows_of(site)).items() if key[0] in sessions}
        try:
            assert_batch(rows, wanted)
        except AssertionError as error:
            wrong[:] = [error]
            return False
        return bool(rows)

    until(lambda: f"the batch answer: {wrong}", is_batch)


# --- behind ------------------------------------------------------------------------------------


def test_an_hour_behind_says_the_same(kafka: Kafka, redis_url: str, tmp_path: Path) -> None:
    """One worker gets an hour minute by minute, another begins when it is over."""
    world = make_world(
        start_ms=now_ms() - 3 * 3_600_000, duration_s=3_600.0, rate=4.0, viewers=300,
        sessions=2, bad_share=0.0, late_share=0.0,
    )  # fmt: skip
    site = new_site(kafka, redis_url, tmp_path)
    site.create_topics(arrival_time=False)
    with site.worker() as worker:
        worker.ready()
        follow(site, world, ticking(world.ends_ms + 1_000, world.ends_ms + 661_000))
        assert worker.stop() == 0
    late = twin(site, tmp_path)
    with late.worker() as worker:
        worker.ready()
        wait_world(late, world)
        assert worker.stop() == 0
    assert numbers(late, world) == numbers(site, world)


def follow(site: Site, world: World, after: list[Record]) -> None:
    """Send the world in slices, each when all before it is applied, and wait until it is over."""
    sent = 0
    records = [*world.records, *after]
    for start in range(0, len(records), 600):
        part = records[start : start + 600]
        sent += sum(1 for r in part if r.topic != "live.host")
        site.feed(part)
        wait_applied(site, sent)
    wait_world(site, world)


def wait_applied(site: Site, wanted: int) -> None:
    """Wait until so many events of viewers are applied."""
    until(lambda: f"{wanted} applied, not {applied(site)}", lambda: applied(site) >= wanted)


def applied(site: Site) -> int:
    """Return how many events of viewers are applied and committed."""
    inputs = set(site.input_topics)
    return sum(offset for (topic, _), offset in site.committed().items() if topic in inputs)


def wait_world(site: Site, world: World) -> None:
    """Wait until everything is applied and every window of the world is closed."""
    site.settle()
    for session_id in {e["session_id"] for e in world.good()}:
        wait_rows(site, "closed", is_closed, session_id=session_id)


def numbers(site: Site, world: World) -> dict[Any, Any]:
    """Return counts, people and money of the world's sessions and products.

    A viewer's channel is the first one known, so it may depend on which topic was read first.
    """
    sessions = {e["session_id"] for e in world.good()}
    found = newest_rows(rows_of(site)).items()
    return {
        key: (row.counts, row.people, row.money)
        for key, row in found
        if key[0] in sessions and key[1] != "channel" and says_something(row)
    }


def says_something(row: ConversionRow) -> bool:
    """Tell whether the row is more than the place in which somebody left."""
    return any((*row.counts.values(), *row.people.values(), *row.money.values()))


# --- silent ------------------------------------------------------------------------------------


def test_a_quiet_room_becomes_final(kafka: Kafka, redis_url: str, tmp_path: Path) -> None:
    """Three viewers whom no host announced, on three of six partitions; then nothing comes."""
    site = new_site(kafka, redis_url, tmp_path)
    site.create_topics()
    with site.worker() as worker:
        worker.ready()
        last = now_ms()
        for viewer_id in one_viewer_each(PARTITIONS)[:3]:
            site.feed([said("Heartbeat", last, viewer_id=viewer_id)])
        wait_rows(
            site, "final", is_closed, session_id="s1", window="10s", start=last // 10_000 * 10_000
        )
        wait_rows(
            site, "final", is_closed, session_id="s1", window="1m", start=last // 60_000 * 60_000
        )
        assert worker.stop() == 0
    assert worst_ms(site, last) <= LIMIT_MS


def test_an_ended_session_becomes_final(kafka: Kafka, redis_url: str, tmp_path: Path) -> None:
    """Its own row too, within the same time of its end, and with all that it was."""
    site = new_site(kafka, redis_url, tmp_path)
    site.create_topics()
    records = [host("SessionStarted", now_ms(), currency="CNY")]
    with site.worker() as worker:
        worker.ready()
        last = now_ms()
        records += [
            said("ViewerEntered", last, viewer_id=viewer_id, channel="feed")
            for viewer_id in one_viewer_each(PARTITIONS)
        ]
        records += [bought("OrderPlaced", last), bought("OrderPaid", last)]
        records.append(host("SessionEnded", last + 1))
        site.feed(records)
        wait_rows(site, "final", is_closed, session_id="s1", window="session")
        wait_rows(
            site, "final", is_closed, session_id="s1", window="10s", start=last // 10_000 * 10_000
        )
        wait_batch(site, records, "s1")
        assert worker.stop() == 0
    assert worst_ms(site, last, "session", "10s") <= LIMIT_MS


def worst_ms(site: Site, last: int, *windows: str) -> int:
    """Return how long after its end the slowest row became final, of those that end after all."""
    took = [
        at - row.end
        for at, row in published(site)
        if row.status == "final" and row.end >= last and row.window in (windows or ("10s", "1m"))
    ]
    assert took
    return max(took)


# --- stalled -----------------------------------------------------------------------------------


@pytest.mark.long  # a minute and a half; the properties hold it in every run
def test_a_stalled_worker_closes_nothing_early(
    kafka: Kafka, redis_url: str, tmp_path: Path
) -> None:
    """One of two workers stands still for a quarter of a minute, while events come for both."""
    site = new_site(kafka, redis_url, tmp_path, session_timeout_s=60)
    site.create_topics()
    with site.worker() as first, site.worker() as second:
        share(first, second)
        world = make_world(
            start_ms=now_ms() + 500, duration_s=35.0, rate=60.0, viewers=600, sessions=2,
            bad_share=0.0, late_share=0.0, duplicate_share=0.0,
        )  # fmt: skip
        with site.feeding(
            [*world.records, *ticking(world.ends_ms, world.ends_ms + 120_000, 1_000)]
        ) as ended:
            time.sleep(10.0)  # the fault itself: it is a matter of time, not of an event
            with standing_still(second):
                time.sleep(15.0)
            for session_id in {e["session_id"] for e in world.good()}:
                wait_rows(site, "closed", is_closed, session_id=session_id, window="10s")
            ended()
        assert [w.stop() for w in (second, first)] == [0, 0]
    rows = [row for row in rows_of(site) if row.session_id != CLOCK and row.window in ("10s", "1m")]
    assert [row for row in rows if row.status == "correction"] == []
    assert rows


def share(first: WorkerProcess, second: WorkerProcess) -> None:
    """Wait until both have tasks, and together all of them."""
    tasks = [0, 0]

    def shared() -> bool:
        tasks[:] = [first.tasks(), second.tasks()]
        return all(tasks) and sum(tasks) == PARTITIONS

    until(lambda: f"shared: {tasks}", shared, limit_s=120.0)


@contextmanager
def standing_still(worker: WorkerProcess) -> Iterator[None]:
    """Stop a worker's process for the length of the block."""
    pid = worker._process.pid
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


# --- late --------------------------------------------------------------------------------------


def test_late_events_and_a_refund_after_a_day(kafka: Kafka, redis_url: str, tmp_path: Path) -> None:
    """Rows that were final are corrected, with the next revisions, into the batch answer."""
    site = new_site(kafka, redis_url, tmp_path)
    site.create_topics(arrival_time=False)
    begin = (now_ms() - 26 * 3_600_000) // 300_000 * 300_000
    day = begin + 24 * 3_600_000
    first = [
        said("ViewerEntered", begin + 1_000, channel="feed"),
        said("LikesSent", begin + 2_000, count=2),
        bought("OrderPlaced", begin + 3_000), bought("OrderPaid", begin + 4_000),
    ]  # fmt: skip
    late = [said("LikesSent", begin + 3_000, arrives=begin + 700_000, count=5)]
    refund = [bought("OrderRefunded", day + 3_000, 500)]
    pane = {"session_id": "s1", "scope": "session", "window": "10s", "start": begin}
    with site.worker() as worker:
        worker.ready()
        site.feed([*first, *ticking(begin + 10_000, begin + 700_000)])
        wait_rows(site, "final", is_closed, **pane)
        site.feed([*late, *ticking(begin + 700_000, begin + 720_000)])
        wait_rows(site, "7 likes", lambda row: row.counts["LikesSent"] == 7, **pane)
        site.feed(
            [*ticking(begin + 720_000, day, 600_000), *refund, *ticking(day + 4_000, day + 40_000)]
        )
        wait_rows(site, "refunded", lambda row: row.money["gmv_net"] == 1_500, **pane)
        wait_rows(site, "closed", is_closed, session_id="s1", window="10s")
        wait_batch(site, [*first, *late, *refund], "s1")
        assert worker.stop() == 0
    told = [row for row in rows_of(site) if matches(row, pane)]
    closed = [row.status for row in told if is_closed(row)]
    assert closed[0] == "final"
    assert closed.count("correction") == len(closed) - 1 >= 2
    assert [row.revision for row in told] == list(range(1, len(told) + 1))


# --- apart -------------------------------------------------------------------------------------


@pytest.mark.long  # a minute and a half; the properties hold it in every run
def test_clocks_twenty_seconds_apart(kafka: Kafka, redis_url: str, tmp_path: Path) -> None:
    """Beside a busy right session: no early coupon, nobody taken for gone, no early final row."""
    site = new_site(kafka, redis_url, tmp_path)
    site.create_topics()
    with site.worker() as worker:
        worker.ready()
        begin = now_ms() + 1_000
        slow = slow_session(begin)
        beats = ticking(begin, begin + 240_000, 1_000)
        with site.feeding(sorted([*slow, *beats], key=lambda r: r.timestamp)) as ended:
            whole = {"session_id": "s1", "scope": "session", "window": "session"}
            beaten = sum(1 for r in slow if b"Heartbeat" in (r.value or b""))
            until(
                lambda: "all of the slow session",
                lambda: any(
                    matches(row, whole) and row.counts.get("Heartbeat") == beaten
                    for row in newest_rows(rows_of(site)).values()
                ),
                limit_s=150.0,
            )
            ended()
        assert worker.stop() == 0
    coupons = decoded(site.read(site.settings.topic_of("CouponTrigger")), CouponTrigger)
    assert [one for one in coupons if one.session_id == "s1"] == []
    rows = [row for row in rows_of(site) if row.session_id == "s1" and row.window == "10s"]
    assert rows
    assert [row for row in rows if row.status == "correction"] == []
    last = [row for row in rows_of(site) if matches(row, whole)][-1]
    assert last.rates["avg_watch_s"].numerator == 85_000


def slow_session(begin: int) -> list[Record]:
    """Return a session that says 20 s less than it is.

    A cart that is ordered after 20 s, and a viewer who is silent for 45 s, but not gone.
    """

    def at(second: float) -> dict[str, int]:
        return {
            "ts": begin + round(1_000 * second) - APART_MS,
            "arrives": begin + round(1_000 * second),
        }

    shop: dict[str, Any] = {"product_id": "p1", "currency": "CNY"}
    terms: dict[str, Any] = {
        "offer_id": "off",
        "kind": "amount_off",
        "value": 100,
        "budget": 10_000,
    }
    lines = [{"product_id": "p1", "quantity": 1, "unit_price": 1_000}]
    order: dict[str, Any] = {"order_id": "o1", "lines": lines, "amount": 1_000, "currency": "CNY"}
    return [
        host("SessionStarted", **at(1), currency="CNY"),
        host("ProductListed", **at(1.1), price=1_000, stock=9, **shop),
        host("OfferListed", **at(1.2), currency="CNY", valid_until=begin + 3_600_000, **terms),
        said("ViewerEntered", **at(5), channel="feed"),
        said("Heartbeat", **at(15)),
        said("CartAdded", **at(16), unit_price=1_000, **shop),
        said("Heartbeat", **at(25)), said("Heartbeat", **at(35)),
        said("OrderPlaced", **at(36), **order),
        *(said("Heartbeat", **at(second)) for second in (45, 90)),
    ]  # fmt: skip


# --- over --------------------------------------------------------------------------------------


@pytest.mark.long
def test_sessions_that_are_over_leave_nothing(kafka: Kafka, redis_url: str, tmp_path: Path) -> None:
    """Six days of short sessions: the changelog holds no more after six days than after three."""
    site = new_site(kafka, redis_url, tmp_path)
    site.create_topics(arrival_time=False)
    begin = now_ms() - 6 * 24 * 3_600_000 - 7_200_000
    half = 3 * 24
    kept = []
    with site.worker() as worker:
        worker.ready()
        for first in (0, half):
            end = begin + (first + half) * 3_600_000
            for hour in range(first, first + half):
                site.feed(short_session(begin + hour * 3_600_000, hour))
            site.feed(ticking(end - 10_000, end, 5_000))
            site.settle()
            until(lambda: "swept", lambda: len(live_keys(site)) < 40 * half)
            kept.append(len(live_keys(site)))
        assert worker.stop() == 0
    assert kept[0] > half
    assert kept[1] <= 1.05 * kept[0]


def short_session(begin: int, number: int) -> list[Record]:
    """Return a session of a minute, with a viewer and a cart in every partition."""
    room: dict[str, Any] = {"session_id": f"s{number}"}
    cart: dict[str, Any] = {"product_id": "p1", "unit_price": 100, "currency": "CNY"}
    told = [host("SessionStarted", begin, currency="CNY", **room)]
    for nth, viewer_id in enumerate(one_viewer_each(PARTITIONS)):
        who = room | {"viewer_id": viewer_id}
        told.append(said("ViewerEntered", begin + 1_000 * nth, channel="feed", **who))
        told.append(said("CartAdded", begin + 1_000 * nth + 500, **cart, **who))
    return [*told, host("SessionEnded", begin + 60_000, **room)]


def live_keys(site: Site) -> set[tuple[int, bytes]]:
    """Return the keys of the changelog that no tombstone has ended."""
    live: dict[tuple[int, bytes], bool] = {}
    for one in site.read(site.settings.topic_of("state")):
        live[one.partition, one.key or b""] = one.value is not None
    return {key for key, lives in live.items() if lives}
