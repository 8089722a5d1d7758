"""What goes in: every viewer sends the numbered sequence 1, 2, 3 ... over several topics.

Each event leaves a mark of its own in the state, so that a lost or doubled one can be named:
event n clicks product ``p<n>`` or places order ``o<n>``, and likes carry 4**k (k: how many
likes the viewer sent before in that pane), so that their sum is a row of digits that must be 1.
"""

import random
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import msgspec

from agents.recording import Record
from streams.totals import PANE_MS

#: So many that in the 20 s in which one topic may have no leader nobody does more than a viewer's
#: memory of 32 ids holds: a repeat in that topic is told from its first by them alone.
VIEWERS = 240
SESSIONS = 3
#: Events a second.
RATE = 240
#: What the n-th event of a viewer is.
CYCLE = ("like", "click", "comment", "order", "click", "comment")
#: 4**10 would be more than one event may say.
MOST_LIKES = 10
#: The one product on the shelf, which nobody buys: recommendations know nothing else.
GIFT = "gift"
#: A repeat must come while the viewer's memory of 32 ids still holds the first.
LONGEST_REPEAT = 20
CURRENCY = "CNY"
_HOUR_MS = 3_600_000

_encode = msgspec.json.encode


@dataclass(frozen=True, kw_only=True)
class Shape:
    """How the input is damaged on its way; shares are parts of one, times are milliseconds.

    ``jitter_ms``: events arrive in the wrong order, so much apart at most. ``late_ms``: those
    that are late happened so long ago at most. Every input has a few repeats and bad records.
    """

    repeats: float = 0.01
    bad: float = 0.01
    late: float = 0.0
    late_ms: int = 600_000
    jitter_ms: int = 0


#: What every input suffers.
USUAL = Shape()


@dataclass
class Workload:
    """Makes the records of one run; ``sent`` remembers the newest of them for a replay."""

    seed: int
    shape: Shape = USUAL
    sent: deque[Record] = field(default_factory=lambda: deque(maxlen=VIEWERS * LONGEST_REPEAT // 2))

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)
        self._likes: Counter[tuple[str, int]] = Counter()

    def prelude(self, start_ms: int) -> Iterator[Record]:
        """Yield what the host says, and every viewer's entry, a second before ``start_ms``."""
        for number in range(SESSIONS):
            yield from _host_records(f"session-{number}", start_ms - 2_000)
        for number in range(VIEWERS):
            who = _who(number)
            entered = {"type": "ViewerEntered", "channel": who["viewer_id"]}
            yield _record("visits", {**entered, **who}, f"{who['viewer_id']}-0", start_ms - 1_000)

    def records(self, start_ms: int) -> Iterator[Record]:
        """Yield the sequences without end, at ``RATE``, by the time at which each arrives."""
        if not self.shape.jitter_ms:
            yield from self._in_order(start_ms)
            return
        held: list[tuple[int, Record]] = []
        for record in self._in_order(start_ms):
            held.append((record.timestamp + self._dice.randrange(self.shape.jitter_ms), record))
            if len(held) >= RATE:
                held.sort(key=lambda one: one[0])
                for due, one in held[: RATE // 2]:
                    yield msgspec.structs.replace(one, timestamp=due)
                del held[: RATE // 2]

    def _in_order(self, start_ms: int) -> Iterator[Record]:
        repeats: deque[tuple[int, Record]] = deque()
        index = 0
        while True:
            now_ms = start_ms + index * 1_000 // RATE
            record = self._event(index, now_ms)
            self.sent.append(record)
            yield record
            if self._dice.random() < self.shape.repeats:
                repeats.append(
                    (index + self._dice.randrange(VIEWERS * LONGEST_REPEAT // 4), record)
                )
            if self._dice.random() < self.shape.bad:
                yield self._bad(index, now_ms)
            while repeats and repeats[0][0] <= index:
                yield msgspec.structs.replace(repeats.popleft()[1], timestamp=now_ms)
            index += 1

    def _event(self, index: int, now_ms: int) -> Record:
        turn, number = divmod(index, VIEWERS)
        n, who = turn + 1, _who(number)
        ts = now_ms
        if self._dice.random() < self.shape.late:
            ts -= self._dice.randrange(self.shape.late_ms)
        topic, fields = self._nth(n, who["viewer_id"], ts)
        return _record(topic, fields | who, f"{who['viewer_id']}-{n}", ts, now_ms)

    def _nth(self, n: int, viewer_id: str, ts: int) -> tuple[str, dict[str, object]]:
        """Return topic and fields of a viewer's n-th event."""
        kind = CYCLE[n % len(CYCLE)]
        if kind == "click":
            return "visits", {"type": "ProductClicked", "product_id": f"p{n}"}
        if kind == "order":
            return "purchases", _order(n)
        likes_before = self._likes[viewer_id, ts // PANE_MS]
        if kind == "like" and likes_before < MOST_LIKES:
            self._likes[viewer_id, ts // PANE_MS] += 1
            return "likes", {"type": "LikesSent", "count": 4**likes_before}
        return "likes", {"type": "CommentPosted", "text": f"number {n}"}

    def _bad(self, index: int, now_ms: int) -> Record:
        """Return a record that must become a dead letter."""
        who = _who(self._dice.randrange(VIEWERS))
        event_id = f"{who['viewer_id']}-bad-{index}"
        like: dict[str, object] = {"type": "LikesSent", "count": 1, **who}
        match self._dice.randrange(3):
            case 0:
                return Record("likes", who["viewer_id"].encode(), b'{"type": "LikesSent", ', now_ms)
            case 1:
                return _record("likes", like | {"count": 0}, event_id, now_ms)
            case _:
                return _record("likes", like, event_id, now_ms - 48 * _HOUR_MS, now_ms)


def _who(number: int) -> dict[str, str]:
    return {"viewer_id": f"viewer-{number}", "session_id": f"session-{number % SESSIONS}"}


def _order(n: int) -> dict[str, object]:
    line = {"product_id": "goods", "quantity": 1, "unit_price": n}
    money = {"amount": n, "currency": CURRENCY, "lines": [line]}
    return {"type": "OrderPlaced", "order_id": f"o{n}"} | money


def _record(
    topic: str, event: Mapping[str, object], event_id: str, ts: int, arrives_ms: int | None = None
) -> Record:
    key = str(event["viewer_id"]).encode()
    return Record(topic, key, _encode({**event, "id": event_id, "ts": ts}), arrives_ms or ts)


def _host_records(session_id: str, ts: int) -> Iterator[Record]:
    said: tuple[dict[str, object], ...] = (
        {"type": "SessionStarted", "title": session_id, "currency": CURRENCY},
        {"type": "ProductListed", "product_id": GIFT, "price": 1, "stock": 1, "currency": CURRENCY},
        {"type": "ProductPinned", "product_id": GIFT},
    )
    for number, event in enumerate(said):
        whole = event | {"id": f"{session_id}-{number}", "ts": ts, "session_id": session_id}
        yield Record("host", session_id.encode(), _encode(whole), ts)
