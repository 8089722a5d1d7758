"""The reference: the input log replayed by plain counting, with no panes, state or time.

It shares no code with the engine but the digest that makes a trigger's id from its cause.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from streams.ids import trigger_id
from streams.totals import PANE_MS
from tests.chaos.workload import GIFT
from tests.integration.cluster import Said

#: A topic, a partition, an offset.
Place = tuple[str, int, int]
#: A session and a viewer.
Key = tuple[str, str]

_DAY_MS = 24 * 3_600_000
#: What every recommendation must say.
SUGGESTED = [{"product_id": GIFT, "score": 0.0, "source": "pinned"}]


class Mark(NamedTuple):
    """What an applied event leaves in the state: where to look, and for what."""

    key: Key
    kind: str  # the event's type
    name: str | int  # the product, the order, or the number of the like in its pane
    pane: int


@dataclass
class Expected:
    """What must be true once everything is applied."""

    marks: dict[Mark, str] = field(default_factory=dict)  # the event id that must have left it
    panes: defaultdict[tuple[Key, int], Counter[str]] = field(
        default_factory=lambda: defaultdict(Counter)
    )
    triggers: dict[str, dict[str, Any]] = field(default_factory=dict)
    dead_letters: set[Place] = field(default_factory=set)
    duplicates: int = 0
    records: int = 0
    people: defaultdict[tuple[str, str], set[str]] = field(default_factory=lambda: defaultdict(set))
    places: dict[str, Place] = field(default_factory=dict)  # event id: where it stands first


class Oracle:
    """Replays the input log; may be fed as the log grows. ``now_ms``: when the run began."""

    def __init__(self, *, host_topic: str, now_ms: int) -> None:
        self.expected = Expected()
        self.log: list[tuple[Place, Mark]] = []  # the marks in the order of the log
        self._host_topic = host_topic
        self._now_ms = now_ms
        self._clicks: Counter[Key] = Counter()

    def replay(self, records: Iterable[Said]) -> None:
        """Read more of the log; each partition's records in their order."""
        for record in records:
            if record.topic != self._host_topic:
                self._record(record)

    def _record(self, record: Said) -> None:
        expected, place = self.expected, (record.topic, record.partition, record.offset)
        expected.records += 1
        event = _event(record.value)
        if event is None or self._now_ms - event["ts"] > _DAY_MS:
            expected.dead_letters.add(place)
        elif event["id"] in expected.places:
            expected.duplicates += 1
        else:
            expected.places[event["id"]] = place
            self._count(event, place)

    def _count(self, event: dict[str, Any], place: Place) -> None:
        key, pane = (event["session_id"], event["viewer_id"]), event["ts"] // PANE_MS
        counts, kind = self.expected.panes[key, pane], event["type"]
        counts[kind] += event.get("count", 1)
        counts["ordered_amount"] += event.get("amount", 0)
        self.expected.people[key[0], kind].add(key[1])
        name = event.get("order_id") or event.get("product_id") or _digit(event)
        if name is not None:
            mark = Mark(key, kind, name, pane)
            assert mark not in self.expected.marks, f"the workload says {mark} twice"
            self.expected.marks[mark] = event["id"]
            self.log.append((place, mark))
        self._trigger(event, key)

    def _trigger(self, event: dict[str, Any], key: Key) -> None:
        rule = None
        if event["type"] == "OrderPlaced":
            rule = "after_order"
        elif event["type"] == "ProductClicked":
            self._clicks[key] += 1
            rule = "hesitating" if self._clicks[key] == 2 else None
        if rule is not None:
            this = trigger_id(rule, *key, event["id"])
            self.expected.triggers[this] = {
                "rule": rule, "session_id": key[0], "viewer_id": key[1], "cause_id": event["id"],
                "decided_at": event["ts"], "suggestions": SUGGESTED,
            }  # fmt: skip


def _event(value: bytes | None) -> dict[str, Any] | None:
    """Return the event, None when it is broken."""
    try:
        event: dict[str, Any] = json.loads(value or b"")
    except ValueError:
        return None
    return event if event.get("count", 1) >= 1 else None


def _digit(event: dict[str, Any]) -> int | None:
    """Return k of a like of 4**k."""
    return (event["count"].bit_length() - 1) // 2 if "count" in event else None


def whole_session(expected: Expected) -> Iterator[tuple[str, Counter[str]]]:
    """Yield the counts of each session."""
    sums: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for ((session_id, _), _), counts in expected.panes.items():
        sums[session_id].update(counts)
    yield from sums.items()


def by_viewer(expected: Expected) -> dict[Key, Counter[str]]:
    """Return the counts of each viewer."""
    sums: defaultdict[Key, Counter[str]] = defaultdict(Counter)
    for (key, _), counts in expected.panes.items():
        sums[key].update(counts)
    return dict(sums)
