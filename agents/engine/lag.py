"""How far the tasks of this worker are behind the logs, and what was deleted before they came."""

from collections.abc import Iterator, Mapping

from faust.types import TP
from msgspec import Struct

from agents.engine.parts import Parts
from agents.metrics.log_ends import Span
from agents.metrics.meters import Meters
from agents.metrics.task_meter import Jump, TaskMeter


class Lag(Struct, frozen=True):
    """A topic-partition: its end, the next offset to be read after a restart, what lies between."""

    tp: TP
    end: int
    committed: int
    records: int


class Lags:
    """Compares what the broker said with what the tasks have committed. Safe in any thread."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._meters: Meters = parts.meters
        self._topics = (*parts.viewer_topics, parts.totals_topic)
        self._gone: dict[TP, int] = {}  # what lies before is counted, if it was lost

    def places(self) -> list[TP]:
        """Return the topic-partitions of the tasks that run here."""
        ready = [p for p, meter in list(self._meters.tasks.items()) if meter.is_ready]
        return [TP(topic, p) for p in ready for topic in (*self._topics, self._parts.host_topic)]

    def of(self, spans: Mapping[TP, Span]) -> Iterator[Lag]:
        """Yield how far each topic-partition is behind.

        At the end of a log stand markers of transactions, which are read and never handed over:
        so a log that is read to its end, and of which nothing waits, is no record behind.
        """
        for tp in self.places():
            span = spans.get(tp)
            if span is not None:
                committed, is_settled = self._committed(tp)
                behind = max(span.end - max(committed, span.begin), 0)
                position = self._parts.lane.position(tp)
                is_read = position is not None and position >= span.end
                yield Lag(tp, span.end, committed, 0 if is_read and is_settled else behind)

    def note_lost(self, spans: Mapping[TP, Span]) -> None:
        """Count what the broker deleted before it was read, each record once."""
        for meter in list(self._meters.tasks.values()):
            for jump in _taken(meter):
                if jump.tp in spans:
                    self._lose(jump.tp, jump.start, min(jump.to, spans[jump.tp].begin))
        for tp in self.places():
            if tp in spans:
                next_offset = self._next(tp)
                if next_offset:
                    self._lose(tp, next_offset, spans[tp].begin)

    def _lose(self, tp: TP, start: int, end: int) -> None:
        start = max(start, self._gone.get(tp, 0))
        if end > start:
            self._meters.lost[tp.topic] += end - start
            self._gone[tp] = end

    def _next(self, tp: TP) -> int:
        """Return the next offset that this worker reads; 0 when it has read none yet."""
        if tp.topic == self._parts.host_topic:
            return min(self._cursors(tp.partition), default=0)
        meter = self._meters.tasks.get(tp.partition)
        return 0 if meter is None else meter.received.get(tp, 0)

    def _committed(self, tp: TP) -> tuple[int, bool]:
        """Return the next offset after a restart, and whether nothing waits for a commit."""
        if tp.topic != self._parts.host_topic:
            meter = self._meters.tasks.get(tp.partition)
            if meter is None:
                return 0, False
            committed = meter.committed.offsets.get(tp, 0)
            return committed, committed == meter.received.get(tp, 0)
        every = list(self._meters.tasks.values())
        committed = min(
            (one.committed.host_offsets.get(tp.partition, 0) for one in every), default=0
        )
        return committed, all(committed == cursor for cursor in self._cursors(tp.partition))

    def _cursors(self, partition: int) -> list[int]:
        return [one.cursors.get(partition, 0) for one in list(self._meters.tasks.values())]


def _taken(meter: TaskMeter) -> Iterator[Jump]:
    while meter.jumps:
        yield meter.jumps.popleft()
