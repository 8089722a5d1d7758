"""The events of the benchmark: seeded, the mix of busy rooms.

20,000 viewers in 40 sessions (Zipf); each sends a heartbeat about every 10 s, which is 70 % of
the events; 20 % likes, 6 % comments, 3 % carts, 1 % orders come from viewers drawn by Zipf.
2 % of the events are up to 20 s late. Event time moves at 2,857 events/s.
"""

import itertools
import random
from collections.abc import Iterator
from typing import Any

import msgspec

from agents.recording import Record
from schemas import events as ev

START_MS = 1_750_000_000_000
SESSIONS, VIEWERS, PRODUCTS = 40, 20_000, 20
HEARTBEAT_S = 10
MIX = {"Heartbeat": 70, "LikesSent": 20, "CommentPosted": 6, "CartAdded": 3, "OrderPlaced": 1}
EVENTS_PER_S = VIEWERS / HEARTBEAT_S / 0.7
WORDS = ["love", "this", "color", "price", "size", "today", "wow", "cute", "want", "need", "deal"]

_encode = msgspec.json.Encoder().encode
_TOPIC = {kind.__name__: topic for topic, kinds in ev.TOPICS.items() for kind in kinds}


def records(count: int, *, seed: int = 7, start_ms: int = START_MS) -> Iterator[Record]:
    """Yield the shelf of every session, then ``count`` viewer events in order of arrival."""
    dice = random.Random(seed)
    sessions = [f"s{seed}-{i}" for i in range(SESSIONS)]
    for session_id in sessions:
        yield from _shelf(session_id, start_ms)
    popularity = list(itertools.accumulate(1 / k**1.1 for k in range(1, SESSIONS + 1)))
    activity = list(itertools.accumulate(1 / k**0.8 for k in range(1, VIEWERS + 1)))
    home = dice.choices(sessions, cum_weights=popularity, k=VIEWERS)
    kinds = dice.choices(list(MIX), list(MIX.values()), k=count)
    viewers = dice.choices(range(VIEWERS), cum_weights=activity, k=count)
    beating = itertools.cycle(dice.sample(range(VIEWERS), VIEWERS))
    for i, (name, drawn) in enumerate(zip(kinds, viewers, strict=True)):
        viewer = next(beating) if name == "Heartbeat" else drawn
        arrival = start_ms + 1_000 + int(i * 1_000 / EVENTS_PER_S)
        late = dice.randrange(20_000) if dice.random() < 0.02 else 0
        common: dict[str, Any] = {
            "id": f"{dice.getrandbits(128):032x}",
            "ts": arrival - late,
            "session_id": home[viewer],
            "viewer_id": f"v{seed}-{viewer}",
        }
        event = _event(name, common, dice)
        yield Record(_TOPIC[name], event.viewer_id.encode(), _encode(event), arrival)


def _shelf(session_id: str, ts: int) -> Iterator[Record]:
    events: list[ev.Event] = [
        ev.SessionStarted(id=f"{session_id}-started", ts=ts, session_id=session_id, currency="CNY")
    ]
    events += (
        ev.ProductListed(
            id=f"{session_id}-p{p}", ts=ts, session_id=session_id, product_id=f"p{p}",
            price=500 + 137 * p, stock=1_000_000, currency="CNY",
        )
        for p in range(PRODUCTS)
    )  # fmt: skip
    events.append(
        ev.OfferListed(
            id=f"{session_id}-offer", ts=ts, session_id=session_id, offer_id="ten-off",
            kind="percent_off", value=10, currency="CNY", budget=1 << 40,
            valid_until=ts + 86_400_000, per_viewer_cap=2, margin=0.5,
        )
    )  # fmt: skip
    for event in events:
        yield Record("live.host", session_id.encode(), _encode(event), ts)


def _event(name: str, common: dict[str, Any], dice: random.Random) -> ev.ViewerEvent:
    product = dice.randrange(PRODUCTS)
    price = 500 + 137 * product
    own: dict[str, Any] = {}
    if name == "CommentPosted":
        own = {"text": " ".join(dice.choices(WORDS, k=dice.randrange(3, 9)))}
    elif name == "CartAdded":
        own = {"product_id": f"p{product}", "unit_price": price, "currency": "CNY"}
    elif name == "OrderPlaced":
        lines = (ev.Line(f"p{product}", 1, price),)
        own = {"order_id": f"o{common['id']}", "lines": lines, "amount": price, "currency": "CNY"}
    kind: type[ev.ViewerEvent] = getattr(ev, name)
    return kind(**common, **own)
