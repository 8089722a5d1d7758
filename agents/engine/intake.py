"""What a task has received and not yet applied, and how far it is in every log.

Records of viewers and of the host wait in stream-time order, running totals in that of their log.
"""

import time
from collections.abc import Callable, Mapping, Sequence

from aiokafka.structs import ConsumerRecord
from faust.types import TP

from agents.engine.parts import Parts
from agents.metrics.task_meter import Jump
from agents.pseudonyms import renaming
from streams.admission import admit
from streams.order import Source, StreamOrder
from streams.records import Arrival
from streams.store import Progress

#: A source with so many events waiting is held back.
WAITING_EVENTS = 5_000


class Intake:
    """The logs of one task; ``on_jump`` hears of offsets that were not there."""

    def __init__(self, partition: int, parts: Parts, on_jump: Callable[[Jump], None]) -> None:
        self.received: dict[TP, int] = {}  # the offset after the newest received record
        self.cursors: dict[int, int] = {}  # the same of the host topic, by partition
        self._partition = partition
        self._parts = parts
        self._on_jump = on_jump
        self._decoders = renaming(
            parts.decoders, parts.settings.pseudonym_key,
            partition=partition, partitions=parts.partitions,
        )  # fmt: skip
        self._order = StreamOrder({})
        self._totals: list[ConsumerRecord] = []
        self._last_arrival_s: dict[str, float] = {}
        self._unread: set[TP] = set()  # of which the group has never committed an offset

    async def seek(self, progress: Progress) -> None:
        """Go to where the state was made in every log, or to the committed offsets.

        The state says itself what is in it. The group's coordinator may not: when it has just
        moved to another broker, aiokafka takes its refusal for "nothing was ever committed".
        """
        self.cursors = await self._host_cursors(progress.host_offsets)
        for topic in (*self._parts.viewer_topics, self._parts.totals_topic):
            tp = TP(topic, self._partition)
            offset = await self._start_of(tp, progress.offsets.get(topic))
            await self._parts.lane.rewind(tp, offset)
            self.received[tp] = offset or 0
            if offset is None:
                self._unread.add(tp)
        newest = {(topic, p): ts for topic, p, ts in progress.newest}
        sources = (*self._viewer_sources(), *self._host_sources())
        self._order = StreamOrder({source: newest.get(source, 0) for source in sources})

    async def _start_of(self, tp: TP, known: int | None) -> int | None:
        """Return the offset to begin with; None for the log's beginning."""
        committed = await self._parts.lane.committed(tp)
        if known is None:
            return committed
        if committed is None and (await self._parts.lane.ends([tp]))[tp] < known:
            return None  # the topic was deleted and made anew
        return max(known, committed or 0)

    async def _host_cursors(self, known: Mapping[int, int]) -> dict[int, int]:
        """Leave out what lies past an end: the host topic was deleted and made anew."""
        topic = self._parts.host_topic
        ends = await self._parts.lane.ends(TP(topic, p) for p in known)
        return {p: offset for p, offset in known.items() if offset <= ends[TP(topic, p)]}

    async def seek_again(self) -> None:
        """Go to where the task stopped reading; what it has not applied yet it still has."""
        for tp, offset in self.received.items():
            await self._parts.lane.rewind(tp, None if tp in self._unread else offset)

    def _viewer_sources(self) -> list[Source]:
        return [(topic, self._partition) for topic in self._parts.viewer_topics]

    def _host_sources(self) -> list[Source]:
        return [(self._parts.host_topic, p) for p in range(self._parts.partitions)]

    # --- what comes in -------------------------------------------------------------------------

    def put(self, records: Sequence[ConsumerRecord]) -> bool:
        """Take over a fetched batch of a topic of viewers; tell whether it brought anything."""
        fresh = self._fresh(records)
        if fresh:
            topic = fresh[0].topic
            decoded = self._decoders[topic].decode([r.value for r in fresh])
            source = (topic, self._partition)
            self._order.push(source, admit(decoded, fresh, self._parts.settings.policy))
            self._last_arrival_s[topic] = time.monotonic()
            if self._order.waiting(source) >= WAITING_EVENTS:
                self._parts.lane.hold(TP(*source))
        return bool(fresh)

    def put_totals(self, records: Sequence[ConsumerRecord]) -> None:
        """Take over a fetched batch of the tasks' running totals."""
        self._totals += self._fresh(records)

    def _fresh(self, records: Sequence[ConsumerRecord]) -> Sequence[ConsumerRecord]:
        """Drop what was received before: Faust may seek back at any rebalance."""
        tp = TP(records[0].topic, self._partition)
        received = self.received[tp]
        if records[0].offset < received:
            records = [r for r in records if r.offset >= received]
        if records:
            self._note_jump(tp, received, records[0].offset)
            self.received[tp] = records[-1].offset + 1
        return records

    def _note_jump(self, tp: TP, expected: int, found: int) -> None:
        """Note offsets that are missing: a transaction's marker, or records deleted too early."""
        if found > expected and tp not in self._unread:
            self._on_jump(Jump(tp, expected, found))
        self._unread.discard(tp)

    def cursor(self, partition: int) -> int:
        """Return the next offset of the host topic that was not taken over."""
        return self.cursors.get(partition, 0)

    # --- what goes on to the task ----------------------------------------------------------------

    def take(self) -> list[Arrival]:
        """Return, in order, all events that nothing can precede any more."""
        for topic, p in self._host_sources():
            news = self._parts.host_log.since(p, self.cursor(p))
            if news:
                self._order.push((topic, p), news)
                self.cursors[p] = self._parts.host_log.end(p)
        arrivals = self._order.take(self._caught_up)
        for source in self._viewer_sources():
            if self._order.waiting(source) < WAITING_EVENTS:
                self._parts.lane.open(TP(*source))
        return arrivals

    def take_totals(self) -> list[ConsumerRecord]:
        """Return the running totals that came since the last time."""
        totals, self._totals = self._totals, []
        return totals

    # --- how far the logs were read --------------------------------------------------------------

    def _caught_up(self, source: Source) -> bool:
        tp = TP(*source)
        topic, partition = source
        received = self.cursor(partition) if topic == self._parts.host_topic else self.received[tp]
        return self._parts.lane.is_caught_up(tp, received)

    def is_lagging(self) -> bool:
        """Tell whether any log still has records to be read."""
        return not all(map(self._caught_up, (*self._viewer_sources(), *self._host_sources())))

    def newest(self) -> dict[Source, int]:
        """Return the newest event time taken from each source."""
        return self._order.newest()

    def newest_of_viewers(self) -> dict[str, int]:
        """Return the newest event time taken from each topic of viewers."""
        topics = self._parts.viewer_topics
        return {t: ts for (t, _), ts in self._order.newest().items() if t in topics}

    def quiet_ms(self) -> dict[str, int]:
        """Return for how long each topic that is read to its end has been silent."""
        now = time.monotonic()
        return {
            topic: int((now - self._last_arrival_s.setdefault(topic, now)) * 1000)
            for topic, p in self._viewer_sources()
            if self._caught_up((topic, p))
        }

    def offsets(self) -> dict[TP, int]:
        """Return the next offset of each log that is not applied."""
        offsets = dict(self.received)
        for source in self._viewer_sources():
            first = self._order.first_waiting(source)
            if first is not None:
                offsets[TP(*source)] = first
        return offsets

    def host_offsets(self) -> dict[int, int]:
        """Return the same of the host topic, by partition."""
        topic = self._parts.host_topic
        return {
            p: cursor if (first := self._order.first_waiting((topic, p))) is None else first
            for p, cursor in self.cursors.items()
        }
