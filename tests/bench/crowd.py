"""A crowd in state: what each does in a minute, slot by slot of 100 ms, as one task sees it.

Each viewer comes in and sends a heartbeat every 10 s; in between they like and see a product,
and one in thirty puts it into the cart.
"""

import time
from collections.abc import Iterator
from typing import Any

from schemas import events as ev
from streams import pipeline
from streams.partitioner import partition_of
from streams.records import Arrival, Record
from streams.store import Put, State

SESSIONS = 100
BEATS = 6
#: Slots between a viewer's heartbeats: 100 of 100 ms.
_SLOTS = 100
_SLOT_MS = 100
_LIKING = 2  # the heartbeat after which they like and see a product
#: The minute is over when the program begins, so that what comes next is no surprise.
START_MS = time.time_ns() // 1_000_000 - _SLOTS * (BEATS + 1) * _SLOT_MS
END_MS = START_MS + _SLOTS * (BEATS + 1) * _SLOT_MS


def fill(state: State, viewers: int) -> Iterator[tuple[int, list[Put]]]:
    """Live through the minute; yields, per slot, how many events it had and what it commits."""
    groups: list[list[int]] = [[] for _ in range(_SLOTS)]
    for number in range(viewers):
        if partition_of(viewer_id(number), state.partitions) == state.partition:
            groups[number % _SLOTS].append(number)
    for slot in range(_SLOTS * (BEATS + 1)):
        ts = START_MS + slot * _SLOT_MS
        events = [event for n in groups[slot % _SLOTS] for event in _acts(n, slot // _SLOTS, ts)]
        pipeline.step(state, [_arrival(event, state.partition) for event in events])
        pipeline.advance(state, {}, {})
        yield len(events), list(state.puts({}))


def viewer_id(number: int) -> str:
    """Name a viewer."""
    return f"v{number:07}"


def _acts(number: int, beat: int, ts: int) -> Iterator[ev.ViewerEvent]:
    own: dict[str, Any] = {
        "ts": ts, "session_id": f"s{number % SESSIONS}", "viewer_id": viewer_id(number),
    }  # fmt: skip
    if beat == 0:
        yield ev.ViewerEntered(id=f"e{number}", channel="feed", **own)
        return
    yield ev.Heartbeat(id=f"h{number}-{beat}", **own)
    if beat == _LIKING:
        yield ev.LikesSent(id=f"l{number}", count=3, **own)
        yield ev.ProductExposed(id=f"x{number}", product_id="p1", **own)
    if beat == BEATS and number % 30 == 0:
        yield ev.CartAdded(
            id=f"c{number}", product_id="p1", unit_price=9_900, currency="CNY", **own
        )


def _arrival(event: ev.ViewerEvent, partition: int) -> Arrival:
    return event, Record("live.visits", partition, 0, event.ts, None, None)
