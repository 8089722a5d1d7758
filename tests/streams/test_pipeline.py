"""The central claims: however the work is cut, and whoever does it, the numbers are the same."""

from collections.abc import Sequence
from functools import cache
from itertools import permutations
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import events as ev
from schemas.events import Event
from streams.partitioner import partition_of
from streams.policy import Policy
from streams.records import Record
from streams.replay import Replay
from tests.streams.world import DECODERS, HOST, SHOP, T0, World, event, order, record_of, simulated

TASKS = 4
VIEWERS = [f"v{n}" for n in range(8)]
PRODUCTS = ["p1", "p2"]
BUSY: dict[str, Any] = {"events": 2_500, "rate": 20.0, "sessions": 1, "viewers": 200}


# --- four tasks are one -------------------------------------------------------------------------


def test_the_example_viewers_are_spread_over_all_tasks() -> None:
    """Else the tests below would prove nothing."""
    assert {partition_of(viewer, TASKS) for viewer in VIEWERS} == set(range(TASKS))


@pytest.mark.parametrize("seed", [1, 2])
def test_a_simulated_world_gives_the_same_rows_on_one_task_and_on_four(seed: int) -> None:
    """Late and doubled events included: people, counts and money of every row of every window."""
    world: dict[str, int] = {"events": 2_500, "seed": seed}
    one = World(1).run(simulated(tasks=1, **world)).close()
    four = World(TASKS).run(simulated(tasks=TASKS, **world)).close()
    assert len(one.sums()) > 100
    assert four.sums() == one.sums()


def _deed(choice: tuple[int, str, str, int, int]) -> Event:
    """Make some event of some viewer from numbers that hypothesis draws."""
    kind, viewer, product, second, number = choice
    at = {"viewer_id": viewer, "session_id": f"s{number % 2}"}
    goods = {"order_id": f"{viewer}-{number % 3}", "lines": (ev.Line(product, 1, 1_000),)}
    said: Sequence[Event] = (
        event(ev.ViewerEntered, second, channel="feed" if number % 2 else "search", **at),
        event(ev.Heartbeat, second, **at),
        event(ev.ViewerLeft, second, **at),
        event(ev.ProductExposed, second, product_id=product, **at),
        event(ev.ProductClicked, second, product_id=product, **at),
        event(ev.LikesSent, second, count=number, **at),
        event(ev.CartAdded, second, product_id=product, **SHOP, **at),
        order(ev.OrderPlaced, second, **goods, **at),
        order(ev.OrderPaid, second, **goods, **at),
        order(ev.OrderRefunded, second, **goods | {"amount": 100 * number}, **at),
    )
    return said[kind]


_deeds = st.lists(
    st.tuples(
        st.integers(0, 9), st.sampled_from(VIEWERS), st.sampled_from(PRODUCTS),
        st.integers(0, 400), st.integers(1, 6),
    ).map(_deed),
    max_size=40,
)  # fmt: skip


@given(_deeds)
@settings(max_examples=25, deadline=None)
def test_any_stream_gives_the_same_rows_on_one_task_and_on_four(events: list[Event]) -> None:
    """In any order, as late as it likes within 5 min: viewers are disjoint, so sums are exact."""
    worlds = []
    for tasks in (1, TASKS):
        world = World(tasks)
        for one in events:
            world.feed(one)
        world.close().wait(1_500)  # whoever came has been there for five minutes
        worlds.append(world)
    # Rows that say no more than who stayed for five minutes are left out: a viewer whose channel
    # comes to be known late may have stayed under none, and how late depends on the others.
    on_one, on_four = ({k: s for k, s in world.sums().items() if s.counts} for world in worlds)
    assert on_one == on_four


#: By viewer: first second, seconds between heartbeats, how many, and whether they say goodbye.
_stays = st.lists(
    st.tuples(st.integers(0, 60), st.integers(7, 13), st.integers(0, 9), st.booleans()),
    min_size=1, max_size=len(VIEWERS),
)  # fmt: skip


@given(_stays, st.sampled_from([1, TASKS]))
@settings(max_examples=50, deadline=None)
def test_who_is_present_is_who_has_come_and_not_gone(
    stays: list[tuple[int, int, int, bool]], tasks: int
) -> None:
    """At the end of every pane, by the viewers' own times; who says nothing for 60 s has gone."""
    signs, gone = [], []
    for viewer_id, (first, every, number, says) in zip(VIEWERS, stays, strict=False):
        last = first + number * every
        last += 4 if last % 10 > 6 else 0  # silence is noticed two seconds after it is due
        seconds = [*range(first, last, every), last]
        signs += [event(ev.Heartbeat, second, viewer_id=viewer_id) for second in seconds]
        signs += [event(ev.ViewerLeft, last + 1, viewer_id=viewer_id)] if says else []
        gone.append((first, last + (1 if says else 60)))
    world = World(tasks)
    for one in sorted(signs, key=lambda one: one.ts):
        world.feed(one)
    world.close()
    for row in world.rows.values():
        if row.scope == "session":
            first, end = (row.start - T0) // 1000, (row.end - T0) // 1000
            there = [sum(a < t <= b for a, b in gone) for t in range(first + 10, end + 1, 10)]
            assert (row.present, row.peak_present) == (there[-1], max(there)), row


def test_rows_are_the_true_numbers_of_the_stream() -> None:
    """The sums of the sessions' rows, counted once more by hand from the records."""
    world = World(TASKS).run(simulated(tasks=TASKS, events=2_500, duplicate_share=0.0)).close()
    records = [r for r in simulated(events=2_500, duplicate_share=0.0) if r.topic != HOST]
    events = [DECODERS[r.topic].decode([r.value])[0] for r in records]
    rows = [r for (_, scope, _, w, _), r in world.rows.items() if (scope, w) == ("session",) * 2]
    for kind in (ev.ViewerEntered, ev.ProductClicked, ev.CartAdded, ev.OrderPaid):
        told = sum(type(e) is kind for e in events)
        assert sum(row.counts.get(kind.__name__, 0) for row in rows) == told > 0
    clicked = {(e.session_id, e.viewer_id) for e in events if isinstance(e, ev.ProductClicked)}
    assert sum(row.people["clicked"] for row in rows) == len(clicked)
    paid = sum(e.amount for e in events if isinstance(e, ev.OrderPaid))
    assert sum(row.money["gmv_gross"] for row in rows) == paid


# --- batches are no boundaries ------------------------------------------------------------------


@cache
def room() -> list[Record]:
    """Return the records of a busy session of two minutes."""
    return simulated(**BUSY)


@cache
def reference() -> World:
    """Return the world in which they come one by one."""
    return World().run(room(), chunk=1).close()


def test_the_busy_room_makes_triggers_of_both_kinds() -> None:
    """Else the tests below would prove nothing."""
    assert reference().results.coupons
    assert reference().results.recommendations


@pytest.mark.parametrize("chunk", [7, 100, 1_000, 100_000])
def test_the_same_triggers_and_rows_come_of_any_batches(chunk: int) -> None:
    """Catching up on a backlog decides as running live did."""
    world = World().run(room(), chunk=chunk).close()
    assert world.triggers() == reference().triggers()
    assert world.sums() == reference().sums()


def test_a_row_is_provisional_exactly_while_its_window_may_change() -> None:
    """Until the watermark passes its end and the grace; the busy room lasted two minutes."""
    watermark = reference().state.conversion.watermark
    assert watermark is not None
    for row in reference().rows.values():
        assert (row.status == "provisional") == (row.end + Policy().grace_ms > watermark)


# --- replay -------------------------------------------------------------------------------------


def replayed(records: Sequence[Record]) -> bytes:
    """Return all triggers of a replay, as bytes."""
    replay = Replay(DECODERS, HOST, Policy())
    results = list(replay.run(records))
    triggers = [(r.coupons, r.recommendations) for r in results if r.coupons or r.recommendations]
    return msgspec.json.encode(triggers)


def test_a_replay_gives_the_same_bytes_each_time() -> None:
    """The same file, the same triggers, byte for byte."""
    assert replayed(room()) == replayed(room())


def test_a_replay_gives_the_triggers_of_the_live_run() -> None:
    """A coupon in the middle of a recording is not held up until its end."""
    replay = Replay(DECODERS, HOST, Policy())
    ids = {
        trigger.trigger_id
        for results in replay.run(room())
        for trigger in (*results.coupons, *results.recommendations)
    }
    assert ids == reference().triggers()


# --- time and settlement ------------------------------------------------------------------------


def test_nothing_comes_of_nothing() -> None:
    """A step without events or time has no results."""
    world = World()
    assert world.arrive([]).is_empty()


@pytest.mark.parametrize("arrangement", list(permutations(range(3))))
def test_a_distinct_viewer_is_one_whatever_the_order(arrangement: Sequence[int]) -> None:
    """Three signs of one viewer in three panes: one per pane, one per minute, one in all."""
    world = World()
    signs = [event(ev.Heartbeat, second) for second in (5, 15, 45)]
    world.feed(*(signs[i] for i in arrangement))
    world.close()
    assert world.row(window="10s").people["viewers"] == 1
    assert world.row(window="1m").people["viewers"] == 1
    assert world.row().people["viewers"] == 1


def test_records_of_the_host_reach_every_task() -> None:
    """All tasks see the same shelf; the room is announced in its row."""
    world = World(TASKS)
    world.says(ev.SessionStarted, 0, currency="CNY")
    world.says(ev.ProductListed, 1, product_id="p1", price=900, stock=3, currency="CNY")
    assert all("p1" in task.state.sessions["s1"].shelf.products for task in world.tasks)
    world.says(ev.Heartbeat, 2)
    world.close()
    assert (world.row().announced, world.row().currency) == (True, "CNY")


def test_an_event_on_its_own_partition_only_is_counted_once() -> None:
    """Each record is applied by one task."""
    world = World(TASKS)
    one = event(ev.Heartbeat, 1)
    assert record_of(one, tasks=TASKS).partition == partition_of("v1", TASKS)
    world.feed(one)
    assert sum("v1" in t.state.session("s1").visits for t in world.tasks) == 1
