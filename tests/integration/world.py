"""A small world with everything in it, and what a plain count of its records must give."""

import time
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import msgspec

from agents.recording import Record
from agents.simulator.scenario import Scenario, Tally
from agents.simulator.world import simulate
from streams.partitioner import partition_of
from tests.integration.cluster import PARTITIONS

#: Steps of the people funnel, by the event that takes them.
STEPS = {
    "ProductExposed": "exposed", "ProductClicked": "clicked", "CartAdded": "carted",
    "OrderPlaced": "ordered", "OrderPaid": "paid", "LikesSent": "interacted",
    "CommentPosted": "interacted", "SessionShared": "interacted", "HostFollowed": "interacted",
}  # fmt: skip


class World(NamedTuple):
    """Records in order of arrival, what was done to them, and which are broken."""

    records: list[Record]
    broken: list[Record]
    tally: Tally
    ends_ms: int

    def first(self, number: int) -> "World":
        """Return the world as it was when so many records had arrived."""
        records = self.records[:number]
        known = set(map(id, records))
        return self._replace(records=records, broken=[r for r in self.broken if id(r) in known])

    def good(self) -> Iterator[dict[str, Any]]:
        """Yield each good event once."""
        seen = set()
        broken = set(map(id, self.broken))
        for record in self.records:
            if id(record) not in broken:
                event = msgspec.json.decode(record.value or b"")
                if event["id"] not in seen:
                    seen.add(event["id"])
                    yield event


def make_world(**scenario: Any) -> World:
    """Simulate a world that ends, with what befell its records."""
    tally, records, broken, before = Tally(), [], [], 0
    chosen = Scenario(ends=True, **scenario)
    for record in simulate(chosen, tally=tally):
        records.append(record)
        if sum(tally.bad.values()) > before:
            before += 1
            broken.append(record)
    ends_ms = max(record.timestamp for record in records)
    return World(records, broken, tally, ends_ms)


def clock_events(ts: int, partitions: int) -> list[Record]:
    """Return an event at ``ts`` for every partition of each topic, of viewers in a room apart.

    They say that time has passed: what was due in the world's rooms before ``ts`` is then done.
    """
    records = []
    for viewer in one_viewer_each(partitions):
        for topic, fields in HARMLESS.items():
            this = f"{viewer}-{topic}-{ts}"
            event = {"id": this, "order_id": this, "ts": ts, "session_id": CLOCK}
            value = msgspec.json.encode(event | {"viewer_id": viewer} | fields)
            records.append(Record(topic, viewer.encode(), value, ts))
    return records


#: One harmless event for each topic of viewers.
HARMLESS: dict[str, dict[str, Any]] = {
    "live.visits": {"type": "Heartbeat"},
    "live.likes": {"type": "LikesSent", "count": 1},
    "live.comments": {"type": "CommentPosted", "text": "tick"},
    "live.carts": {
        "type": "CartRemoved", "product_id": "none", "unit_price": 0, "currency": "CNY",
    },
    "live.purchases": {
        "type": "OrderPlaced", "amount": 0, "currency": "CNY",
        "lines": [{"product_id": "none", "quantity": 1, "unit_price": 0}],
    },
    "live.social": {"type": "SessionShared"},
}  # fmt: skip


def one_viewer_each(partitions: int) -> list[str]:
    """Return a viewer for each partition, in order."""
    found: dict[int, str] = {}
    number = 0
    while len(found) < partitions:
        viewer = f"clock-{number}"
        found.setdefault(partition_of(viewer, partitions), viewer)
        number += 1
    return [found[p] for p in range(partitions)]


#: The room of the clock events.
CLOCK = "clock"


@cache
def recorded_world() -> World:
    """Return some minutes of four sessions, a quarter of an hour ago, and the time after them.

    The clock events at the end let every window of the world close and every timer fire.
    """
    start_ms = time.time_ns() // 1_000_000 - 900_000
    world = make_world(
        start_ms=start_ms, rate=250.0, viewers=4_000, sessions=4, events=40_000,
        bad_share=0.002, unannounced_share=0.1,
    )  # fmt: skip
    for ts in range(world.ends_ms, world.ends_ms + 661_000, 10_000):
        world.records.extend(clock_events(ts, PARTITIONS))
    return world


def live_world() -> World:
    """Return half a minute that is over, in one burst, and a minute made for its own pace."""
    start_ms = time.time_ns() // 1_000_000 + 500
    return make_world(
        start_ms=start_ms, rate=300.0, viewers=3_000, sessions=3, bad_share=0.004,
        duration_s=60.0, warm_up_s=30.0,
    )  # fmt: skip


class Count:
    """What a plain count of a session's good events gives: no panes, no state, no time."""

    def __init__(self) -> None:
        self.counts: defaultdict[str, int] = defaultdict(int)
        self.people: defaultdict[str, set[str]] = defaultdict(set)
        self.money: defaultdict[str, int] = defaultdict(int)

    def add(self, event: dict[str, Any]) -> None:
        """Count one event."""
        kind = event["type"]
        self.counts[kind] += event.get("count", 1) if kind == "LikesSent" else 1
        if kind in STEPS:
            self.people[STEPS[kind]].add(event["viewer_id"])
        if kind == "OrderPlaced":
            self.counts["units"] += sum(line["quantity"] for line in event["lines"])
            self.money["ordered_amount"] += event["amount"]
        if kind == "OrderPaid":
            self.money["gmv_gross"] += event["amount"]
        if kind == "OrderRefunded":
            self.money["refunded"] += event["amount"]


def count(world: World) -> dict[str, Count]:
    """Count every session by itself."""
    found: defaultdict[str, Count] = defaultdict(Count)
    for event in world.good():
        if "viewer_id" in event:
            found[event["session_id"]].add(event)
    return dict(found)
