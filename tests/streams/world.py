"""A world for the tests of the core: events go in, through one or several tasks; results come out.

``says`` brings one event in a step of its own; ``run`` brings whole logs through decoding,
admission and stream-time order, as a task does. Every step merges the totals into rows.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from typing import Any, NamedTuple

import msgspec

from agents.simulator.world import Scenario, simulate
from schemas import events as ev
from schemas.codec import BatchDecoder
from schemas.events import TOPICS, Event, ViewerEvent
from schemas.results import ConversionRow
from streams import pipeline
from streams.admission import admit
from streams.budget import Ledger
from streams.order import StreamOrder, by_tick
from streams.partitioner import partition_of
from streams.policy import Policy
from streams.records import Arrival, Record
from streams.results import Results
from streams.store import State

T0 = 1_760_000_400_000  # the beginning of a 5-minute block
PANE = T0 // 10_000
SHOP: dict[str, Any] = {"currency": "CNY", "unit_price": 1_000}
TOPIC_OF = {kind: topic for topic, kinds in TOPICS.items() for kind in kinds}
DECODERS = {topic: BatchDecoder(kinds) for topic, kinds in TOPICS.items()}
HOST = "live.host"
VIEWER_TOPICS = [topic for topic in TOPICS if topic != HOST]

#: Which row: session, scope, scope id, window, start; a whole session's start may still move.
Identity = tuple[str, str, str, str, int]


class Sums(NamedTuple):
    """What must be the same in every run: how much of everything."""

    counts: dict[str, int]
    people: dict[str, int]
    money: dict[str, int]


def order(kind: type[ev.OrderEvent], second: float, /, **fields: Any) -> Event:
    """Make an event of an order: two pieces of p1 for 10.00 each, unless a field says otherwise."""
    usual = {
        "order_id": "o1",
        "lines": (ev.Line("p1", 2, 1_000),),
        "amount": 2_000,
        "currency": "CNY",
    }
    return event(kind, second, **(usual | fields))


_numbers = count()


def event(kind: type[Event], second: float, /, **fields: Any) -> Event:
    """Make an event of viewer v1 in session s1, so many seconds after T0, with an id of its own."""
    usual: dict[str, Any] = {
        "id": f"{kind.__name__}-{next(_numbers)}",
        "ts": T0 + round(second * 1000),
        "session_id": "s1",
        "viewer_id": "v1",
    }
    if not issubclass(kind, ViewerEvent):
        del usual["viewer_id"]
    return kind(**(usual | fields))


def record_of(one: Event, *, tasks: int = 1, offset: int = 0, arrives: int | None = None) -> Record:
    """Write an event as the record that its producer sends."""
    key = one.viewer_id if isinstance(one, ViewerEvent) else one.session_id
    timestamp = one.ts if arrives is None else arrives
    topic, value = TOPIC_OF[type(one)], msgspec.json.encode(one)
    return Record(topic, partition_of(key, tasks), offset, timestamp, key.encode(), value)


def simulated(*, tasks: int = 1, seed: int = 1, **scenario: Any) -> list[Record]:
    """Return what a simulated world of a few sessions sends, in order of arrival."""
    usual: dict[str, Any] = {
        "events": 3_000, "rate": 40.0, "sessions": 2, "viewers": 400, "products": 6,
        "bad_share": 0.0, "ends": True,
    }  # fmt: skip
    offsets: defaultdict[tuple[str, int], Iterator[int]] = defaultdict(count)
    records = []
    for told in simulate(Scenario(start_ms=T0, seed=seed, **(usual | scenario))):
        partition = partition_of((told.key or b"").decode(), tasks)
        offset = next(offsets[told.topic, partition])
        records.append(Record(told.topic, partition, offset, told.timestamp, told.key, told.value))
    return records


class Task:
    """One state with its stream-time order, as a worker's task holds it."""

    def __init__(self, partition: int, tasks: int, policy: Policy) -> None:
        self.state = State(partition, tasks, policy)
        self.restart(self.state)

    def restart(self, state: State) -> None:
        """Go on with a restored state, and with nothing that was read but not taken."""
        self.state = state
        mine = [(topic, state.partition) for topic in VIEWER_TOPICS]
        hosts = [(HOST, p) for p in range(state.partitions)]
        newest = {(topic, p): ts for topic, p, ts in state.progress.newest}
        self.order = StreamOrder({source: newest.get(source, 0) for source in (*mine, *hosts)})

    def push(self, batch: Sequence[Record]) -> None:
        """Decode, admit and queue the records of one topic and partition."""
        source = (batch[0].topic, batch[0].partition)
        if source in self.sources():
            decoded = DECODERS[source[0]].decode([record.value for record in batch])
            self.order.push(source, admit(decoded, batch, self.state.policy))

    def sources(self) -> set[tuple[str, int]]:
        """Return what the task reads: its own partition, and all of the host's."""
        p = self.state.partition
        return {(t, p) for t in VIEWER_TOPICS} | {(HOST, q) for q in range(self.state.partitions)}

    def newest(self) -> dict[str, int]:
        """Return the newest time taken of each topic of viewers."""
        return {topic: ts for (topic, _), ts in self.order.newest().items() if topic != HOST}


class World:
    """Some tasks with one budget, and the merged table; ``results`` are those of all steps."""

    def __init__(self, tasks: int = 1, policy: Policy | None = None) -> None:
        self.policy = policy or Policy()
        self.tasks = [Task(p, tasks, self.policy) for p in range(tasks)]
        self.results = Results()
        self.rows: dict[Identity, ConversionRow] = {}
        self.ledger = Ledger()
        self._newest = 0

    @property
    def state(self) -> State:
        """The state of the first task, which also merges."""
        return self.tasks[0].state

    # --- one event at a time -------------------------------------------------------------------

    def says(self, kind: type[Event], second: float, /, **fields: Any) -> Results:
        """Let one event happen, so many seconds after T0."""
        return self.feed(event(kind, second, **fields))

    def feed(self, *events: Event) -> Results:
        """Let events happen, in this order, in one step."""
        return self.arrive([(e, record_of(e, tasks=len(self.tasks))) for e in events])

    def arrive(self, arrivals: Sequence[Arrival]) -> Results:
        """Bring arrivals to the tasks of their partitions; the host's go to all."""
        self._newest = max([self._newest, *(e.ts for e, _ in arrivals)])
        together = Results()
        for task in self.tasks:
            p = task.state.partition
            mine = [a for a in arrivals if a[1].partition == p or a[1].topic == HOST]
            together.add(self._step(task, mine, {"events": self._newest}, {}))
        return together

    def wait(self, second: float) -> Results:
        """Let all be quiet until so many seconds after T0."""
        quiet_ms = T0 + round(second * 1000) - self._newest
        together = Results()
        for task in self.tasks:
            newest = task.newest() or {"events": self._newest}
            quiet = dict.fromkeys(newest, quiet_ms)
            together.add(self._step(task, [], newest, quiet))
        return together

    # --- whole logs ----------------------------------------------------------------------------

    def run(self, records: Sequence[Record], *, chunk: int = 500) -> "World":
        """Read logs in order of arrival, so many records at a time; returns itself."""
        for start in range(0, len(records), chunk):
            self.read(records[start : start + chunk])
        return self

    def read(self, records: Sequence[Record]) -> None:
        """Read records of any topics, and take all of them."""
        batches: defaultdict[tuple[str, int], list[Record]] = defaultdict(list)
        for record in records:
            batches[record.topic, record.partition].append(record)
        for task in self.tasks:
            for batch in batches.values():
                task.push(batch)
            arrivals = task.order.take(lambda _: True)
            self._newest = max([self._newest, *(e.ts for e, _ in arrivals)])
            for run in by_tick(arrivals, self.policy.publish_every_ms):
                self._step(task, run, {}, {})
            self._step(task, [], task.newest(), {})

    def close(self) -> "World":
        """Let two minutes pass in silence, in a few steps; returns itself."""
        now = (self._newest - T0) / 1000
        for second in (5, 30, 60, 90, 120):
            self.wait(now + second)
        return self

    # --- what came of it -----------------------------------------------------------------------

    def row(self, scope: str = "session", scope_id: str = "s1", window: str = "session",
            pane: int = PANE) -> ConversionRow:  # fmt: skip
        """Return the newest row of session s1; ``pane`` is the window's first."""
        start = 0 if window == "session" else pane * 10_000
        return self.rows["s1", scope, scope_id, window, start]

    def sums(self, *scopes: str) -> dict[Identity, Sums]:
        """Return how much of everything each row of these scopes (default: all) says."""
        return {
            identity: Sums(row.counts, row.people, row.money)
            for identity, row in self.rows.items()
            if not scopes or row.scope in scopes
        }

    def triggers(self) -> set[str]:
        """Return the ids of all triggers."""
        return {t.trigger_id for t in (*self.results.coupons, *self.results.recommendations)}

    def _settled(self, task: Task, results: Results) -> Results:
        answers = [self.ledger.reserve(choice.reservation) for choice in results.choices]
        pipeline.settle(task.state, results, answers)
        for release in results.releases:
            self.ledger.release(release)
        return results

    def _step(
        self, task: Task, arrivals: Sequence[Arrival], newest: dict[str, int], quiet: dict[str, int]
    ) -> Results:
        results = self._settled(task, pipeline.step(task.state, arrivals))
        if newest:
            results.add(self._settled(task, pipeline.advance(task.state, newest, quiet)))
        self._merge([*results.totals, *results.marks])
        self.results.add(results)
        return results

    def _merge(self, messages: Iterable[Any]) -> None:
        for row in pipeline.merge(self.state, list(messages)).rows:
            start = 0 if row.window == "session" else row.start
            self.rows[row.session_id, row.scope, row.scope_id, row.window, start] = row
            self.results.rows.append(row)
