"""Strategies: what some viewers do in some rooms, and when the log hears of it.

A story is a list of (event, delay): the delay in ms until the event stands in its log.
"""

from collections import defaultdict
from collections.abc import Sequence
from itertools import count
from typing import Any

from hypothesis import strategies as st

from schemas import events as ev
from schemas.events import Event
from streams.records import Record
from tests.streams.world import SHOP, T0, event, order, record_of

VIEWERS = [f"v{n}" for n in range(6)]
SESSIONS = ("s1", "s2")
PRODUCTS = ("p1", "p2")

Story = list[tuple[Event, int]]
#: What hypothesis draws of an event: kind, viewer, session, product, seconds since the one before.
Deed = tuple[int, str, str, str, float]

_KINDS = 9


def deeds(
    longest_s: int = 20, *, grid_s: float = 0.25, max_size: int = 25
) -> st.SearchStrategy[list[Deed]]:
    """Draw deeds in the order of their times, the next at most ``longest_s`` after the last."""
    steps = st.integers(0, int(longest_s / grid_s))
    one = st.tuples(
        st.integers(0, _KINDS - 1), st.sampled_from(VIEWERS), st.sampled_from(SESSIONS),
        st.sampled_from(PRODUCTS), steps.map(lambda n: n * grid_s),
    )  # fmt: skip
    return st.lists(one, min_size=1, max_size=max_size)


def tell(drawn: Sequence[Deed], *, begin_s: float = 0) -> list[Event]:
    """Make the events, from ``begin_s`` on; each order is placed once and paid once."""
    events: list[Event] = []
    second, orders = begin_s, count()
    for kind, viewer, session, product, pause in drawn:
        second += pause
        events += _deed(kind, viewer, session, product, second, f"o{next(orders)}")
    return sorted(events, key=lambda one: one.ts)


def _deed(
    kind: int, viewer: str, session: str, product: str, second: float, order_id: str
) -> list[Event]:
    who = {"viewer_id": viewer, "session_id": session}
    bought = {"order_id": order_id, "lines": (ev.Line(product, 2, 1_000),), **who}
    said: Sequence[list[Event]] = (
        [event(ev.ViewerEntered, second, channel="feed", **who)],
        [event(ev.Heartbeat, second, **who)],
        [event(ev.ViewerLeft, second, **who)],
        [event(ev.ProductExposed, second, product_id=product, **who)],
        [event(ev.ProductClicked, second, product_id=product, **who)],
        [event(ev.LikesSent, second, count=3, **who)],
        [event(ev.CommentPosted, second, text="!", **who)],
        [event(ev.CartAdded, second, product_id=product, **SHOP, **who)],
        [order(ev.OrderPlaced, second, **bought), order(ev.OrderPaid, second + 2, **bought)],
    )
    return said[kind]


def logs(events: Sequence[tuple[Event, int]], *, tasks: int = 1) -> list[Record]:
    """Write events into their logs, each when its delay is over."""
    offsets: defaultdict[tuple[str, int], count[int]] = defaultdict(count)
    records = []
    for one, delay_ms in sorted(events, key=lambda told: told[0].ts + told[1]):
        record = record_of(one, tasks=tasks, arrives=one.ts + delay_ms)
        offset = next(offsets[record.topic, record.partition])
        records.append(record._replace(offset=offset))
    return records


def punctual(events: Sequence[Event], *, tasks: int = 1) -> list[Record]:
    """Write events into their logs the moment they happen."""
    return logs([(one, 0) for one in events], tasks=tasks)


def evening(drawn: list[Deed], *, ends_after_s: int = 30) -> list[Event]:
    """Return two sessions with a beginning, a shop and an end."""
    deeds_told = tell(drawn, begin_s=2)
    last_s = (deeds_told[-1].ts - T0) / 1000
    told: list[Event] = []
    for session_id in SESSIONS:
        shop: dict[str, Any] = {"session_id": session_id, "currency": "CNY"}
        told.append(event(ev.SessionStarted, 0, **shop))
        goods: dict[str, Any] = {"price": 1_000, "stock": 9} | shop
        told += [event(ev.ProductListed, 0.5, product_id=p, **goods) for p in ("p1", "p2", "p3")]
        told.append(
            event(ev.OfferListed, 1, offer_id="off", kind="amount_off", value=100,
                  budget=1_000_000, valid_until=T0 + 3_600_000, **shop)
        )  # fmt: skip
        told.append(event(ev.SessionEnded, last_s + ends_after_s, session_id=session_id))
    return sorted([*deeds_told, *told], key=lambda one: one.ts)
