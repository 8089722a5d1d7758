"""What is known of one task: written by the task, read by scrapes and probes in any thread."""

import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from faust.types import TP
from msgspec import Struct

from agents.metrics.sizes import Sizes
from schemas.results import ConversionRow
from streams.order import Source
from streams.records import Arrival
from streams.results import Results
from streams.store import Put, State

if TYPE_CHECKING:  # meters.py makes these
    from agents.metrics.meters import Meters

#: Counting what a task holds takes up to some milliseconds.
COUNT_EVERY_S = 5.0
#: So many jumps over offsets are remembered until the broker is asked whether they are losses.
_JUMPS = 1_000


class Jump(Struct, frozen=True):
    """A topic-partition went on at ``to``, though ``start`` was to be read next."""

    tp: TP
    start: int
    to: int


class Written(Struct, frozen=True, kw_only=True):
    """What a commit wrote. ``bytes_in_all``: of keys and values, since the task began."""

    records: int
    bytes_in_all: int
    seconds: float
    puts: Sequence[Put]


class Reached(Struct, frozen=True, kw_only=True):
    """How far a task has come: next offsets, by the host's partition; newest event times."""

    offsets: Mapping[TP, int]
    host_offsets: Mapping[int, int]
    newest: Mapping[Source, int]


class TaskMeter:
    """One task, from its start to its end. Times with ``_s`` are of the monotonic clock."""

    def __init__(self, meters: "Meters", partition: int) -> None:
        self.began_s = time.monotonic()
        self.restore_s: float | None = None  # how long it took; None while it goes on
        self.restore_left = 0  # changelog offsets
        self.restored = 0  # keys
        self.turned_s = self.began_s  # when its loop came round last
        self.commits = 0
        self.committed_at_ms: int | None = None  # the time of day
        self.committed = Reached(offsets={}, host_offsets={}, newest={})
        self.received: Mapping[TP, int] = {}  # next offset to be taken over, live
        self.cursors: Mapping[int, int] = {}  # the same of the host topic, by partition, live
        self.watermark_ms: int | None = None
        self.sizes = Sizes()
        self.jumps: deque[Jump] = deque(maxlen=_JUMPS)
        self.partition = partition
        self._meters = meters
        self._waits: list[tuple[int, str]] = []  # arrival of what made a pending trigger, its id
        self._oldest_ms: list[int] = []  # event time of the oldest event of each pending step
        self._counted_s = 0.0
        self._bytes = 0
        self._late_totals = 0

    @property
    def is_ready(self) -> bool:
        """Whether the task runs."""
        return self.restore_s is not None

    @property
    def restoring_s(self) -> float:
        """How long the restore took, or takes until now."""
        return time.monotonic() - self.began_s if self.restore_s is None else self.restore_s

    def restoring(self, left: int, keys: int) -> None:
        """Note how far the changelog is read; called by the thread that reads."""
        self.restore_left, self.restored = left, keys

    def ready(self, changelog: Mapping[bytes, bytes], state: State, reached: Reached) -> None:
        """Note that the task has its state and goes to work."""
        self.sizes.weigh_restored(changelog.items())
        self.sizes.count(state)
        self.committed, self.watermark_ms = reached, state.progress.watermark
        self.restore_left, self.restored = 0, len(changelog)
        self.turned_s = time.monotonic()
        self.restore_s = self.turned_s - self.began_s

    def resume(self) -> None:
        """Note that the task goes on after a pause."""
        self.turned_s = time.monotonic()
        self._meters.tasks[self.partition] = self

    def stepped(self, arrivals: Sequence[Arrival], results: Results) -> None:
        """Count a step, and note since when waits what its commit will publish."""
        oldest_ms = self._meters.stepped(arrivals, results, self.partition)
        if oldest_ms is not None:
            self._oldest_ms.append(oldest_ms)
            arrived_ms = arrivals[0][1].timestamp
            for trigger in (*results.coupons, *results.recommendations):
                self._waits.append((arrived_ms, trigger.trigger_id))

    def committed_now(
        self, written: Written, results: Results, reached: Reached, state: State
    ) -> None:
        """Count a commit: what it published, and how long everything in it has waited."""
        now_ms = time.time_ns() // 1_000_000
        self.commits, self.committed_at_ms = self.commits + 1, now_ms
        self.committed, self.watermark_ms = reached, state.progress.watermark
        self._meters.committed(written.records, written.seconds, results)
        self._count(written, state)
        self._observe(now_ms, results.rows)

    def _count(self, written: Written, state: State) -> None:
        meters, late = self._meters, state.conversion.too_late
        meters.bytes_written += written.bytes_in_all - self._bytes
        meters.late_totals += late - self._late_totals
        self._bytes, self._late_totals = written.bytes_in_all, late
        self.sizes.weigh(written.puts)
        now_s = time.monotonic()
        if now_s - self._counted_s >= COUNT_EVERY_S:
            self._counted_s = now_s
            self.sizes.count(state)

    def _observe(self, now_ms: int, rows: Sequence[ConversionRow]) -> None:
        meters = self._meters
        for arrived_ms, trigger_id in self._waits:
            wait_s = max(now_ms - arrived_ms, 0) / 1000
            meters.trigger_seconds.observe_example(
                wait_s, {"trigger_id": trigger_id}, now_ms / 1000
            )
        for oldest in self._oldest_ms:
            meters.age_seconds.observe(max(now_ms - oldest, 0) / 1000)
        for row in rows:
            if is_final(row):
                meters.final_seconds.observe(max(now_ms - row.end, 0) / 1000)
        self._waits, self._oldest_ms = [], []


def is_final(row: ConversionRow) -> bool:
    """Tell whether a row says for the first time that a pane of a session will not change."""
    return row.window == "10s" and row.scope == "session" and row.status == "final"
