"""A task: the owner of partition number p of every topic, from fence to commit.

Start: fence the former owner, read the changelog back, go to the committed offsets. Then, as
records come: decode, order, step, reserve budgets, and commit everything in one transaction.
"""

import asyncio
import contextlib
import itertools
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from aiokafka import TopicPartition
from aiokafka.structs import ConsumerRecord
from faust.types import TP

from agents import logs
from agents.changelog import read_changelog
from agents.output import Output, decode_total
from agents.parts import Parts
from agents.pseudonyms import renaming
from agents.task_meter import Jump, Reached, Written
from agents.transaction import Out, Transactions
from streams import pipeline
from streams.admission import admit
from streams.order import Source, StreamOrder, by_tick
from streams.records import Arrival
from streams.results import Results
from streams.store import State

if TYPE_CHECKING:  # an optional dependency
    from agents.tracing import Traces

log = logging.getLogger(__name__)

#: A source with so many events waiting is held back.
WAITING_EVENTS = 5_000
_TICK_S = 0.05


class Task:
    """Runs one partition; every error that it does not handle is fatal for the process."""

    def __init__(self, partition: int, parts: Parts) -> None:
        self.partition = partition
        self._parts = parts
        settings = parts.settings
        self._interval_s = settings.commit_interval_ms / 1000
        self._state = State(
            partition, parts.partitions, settings.policy,
            pseudonyms=settings.pseudonym_key is not None,
        )  # fmt: skip
        self._decoders = renaming(
            parts.decoders, settings.pseudonym_key, partition=partition, partitions=parts.partitions
        )
        self._output = Output(settings, partition, parts.partitions)
        self._transactions = Transactions(settings, partition)
        self._order = StreamOrder({})
        self._received: dict[TP, int] = {}  # the offset after the newest received record
        self._committed: dict[TP, int] = {}
        self._last_arrival_s: dict[str, float] = {}
        self._host_cursors: dict[int, int] = {}
        self._totals: list[ConsumerRecord] = []
        self._pending = Results()
        self._unread: set[TP] = set()  # of which the group has never committed an offset
        self._meter = parts.meters.begin(partition)
        self._traces = _traces(parts, partition)
        self._wake = asyncio.Event()
        self._stopping = False

    # --- start -----------------------------------------------------------------------------

    async def start(self) -> None:
        """Fence, restore, seek; records may come when this returns."""
        logs.current.set(self._meter)
        await self._transactions.start()
        changelog = await read_changelog(
            self._parts.settings, self.partition, self._meter.restoring
        )
        try:
            self._state.restore(changelog)
        except ValueError as error:
            raise ValueError(f"task {self.partition} cannot start: {error}") from error
        self._host_cursors = dict(self._state.progress.host_offsets)
        await self._seek()
        self._order = StreamOrder(self._restored_order())
        self._meter.received, self._meter.cursors = self._received, self._host_cursors
        self._meter.ready(changelog, self._state, self._reached())
        took_s = self._meter.restoring_s
        log.info("task %d: %d records restored in %.2f s", self.partition, len(changelog), took_s)

    async def _seek(self) -> None:
        for topic in (*self._parts.viewer_topics, self._parts.totals_topic):
            tp = TP(topic, self.partition)
            offset = await self._parts.lane.committed(tp)
            await self._parts.lane.rewind(tp, offset)
            self._received[tp] = self._committed[tp] = offset or 0
            if offset is None:
                self._unread.add(tp)

    def _restored_order(self) -> dict[Source, int]:
        newest = {(topic, p): ts for topic, p, ts in self._state.progress.newest}
        hosts = ((self._parts.host_topic, p) for p in range(self._parts.partitions))
        viewers = ((topic, self.partition) for topic in self._parts.viewer_topics)
        return {source: newest.get(source, 0) for source in (*viewers, *hosts)}

    def host_cursor(self, partition: int) -> int:
        """Return the next offset of the broadcast topic that this task has not taken over."""
        return self._host_cursors.get(partition, 0)

    # --- what comes in ---------------------------------------------------------------------

    def offer(self, records: Sequence[ConsumerRecord]) -> None:
        """Take over a fetched batch of a topic of viewers."""
        fresh = self._fresh(records)
        if fresh:
            topic = fresh[0].topic
            decoded = self._decoders[topic].decode([r.value for r in fresh])
            self._order.push((topic, self.partition), admit(decoded, fresh, self._state.policy))
            self._last_arrival_s[topic] = time.monotonic()
            self._hold_back(topic)
            self._wake.set()

    def offer_totals(self, records: Sequence[ConsumerRecord]) -> None:
        """Take over a fetched batch of the tasks' running totals."""
        self._totals += self._fresh(records)
        self._wake.set()

    def host_has_news(self) -> None:
        """Look at the host log again."""
        self._wake.set()

    def show_again(self) -> None:
        """Offer the whole state to the views."""
        self._parts.show_again(self._state)

    def _fresh(self, records: Sequence[ConsumerRecord]) -> Sequence[ConsumerRecord]:
        """Drop what was received before: Faust may seek back at any rebalance."""
        tp = TP(records[0].topic, self.partition)
        received = self._received[tp]
        if records[0].offset < received:
            records = [r for r in records if r.offset >= received]
        if records:
            self._note_jump(tp, received, records[0].offset)
            self._received[tp] = records[-1].offset + 1
        return records

    def _note_jump(self, tp: TP, expected: int, found: int) -> None:
        """Note offsets that are missing: a transaction's marker, or records deleted too early."""
        if found > expected and tp not in self._unread:
            self._meter.jumps.append(Jump(tp, expected, found))
        self._unread.discard(tp)

    def _hold_back(self, topic: str) -> None:
        if self._order.waiting((topic, self.partition)) >= WAITING_EVENTS:
            self._parts.lane.hold(TP(topic, self.partition))

    def _let_through(self) -> None:
        for topic in self._parts.viewer_topics:
            if self._order.waiting((topic, self.partition)) < WAITING_EVENTS:
                self._parts.lane.open(TP(topic, self.partition))

    # --- the loop --------------------------------------------------------------------------

    async def run(self) -> None:
        """Process and commit until ``stop``; the last commit is made before it returns."""
        logs.current.set(self._meter)
        commit_at = time.monotonic() + self._interval_s
        while not self._stopping:
            self._meter.turned_s = time.monotonic()
            await self._wait()
            await self._process()
            if time.monotonic() >= commit_at:
                await self._commit()
                commit_at = time.monotonic() + self._interval_s
        await self._commit()

    async def stop(self) -> None:
        """Ask the loop to commit and end."""
        self._stopping = True
        self._wake.set()

    async def close(self) -> None:
        """Give the transactional id back."""
        await self._transactions.stop()

    async def _wait(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), _TICK_S)
        self._wake.clear()

    async def _process(self) -> None:
        self._take_host_events()
        arrivals = self._order.take(self._caught_up)
        self._let_through()
        for run in by_tick(arrivals, self._state.policy.publish_every_ms):
            began_ns = time.time_ns()
            await self._settle(run, pipeline.step(self._state, run), began_ns)
            await asyncio.sleep(0)
        passed = pipeline.advance(
            self._state, self._newest(), self._quiet_ms(), lagging=self._is_lagging()
        )
        await self._settle([], passed, time.time_ns())
        self._merge()

    async def _settle(self, run: Sequence[Arrival], results: Results, began_ns: int) -> None:
        """Ask the budget for what was chosen, and keep the results for the commit."""
        if results.choices:
            answers = await self._parts.budget.reserve([c.reservation for c in results.choices])
            self._parts.meters.answers.update(answers)
            pipeline.settle(self._state, results, answers)
        self._meter.stepped(run, results)
        self._parts.glances.note(self._state, run, results)
        if self._traces is not None:
            self._traces.stepped(run, results, began_ns)
        self._pending.add(results)

    def _merge(self) -> None:
        if self._totals:
            messages = [decode_total(record.value) for record in self._totals]
            self._totals = []
            self._pending.add(pipeline.merge(self._state, messages))

    def _take_host_events(self) -> None:
        for p in range(self._parts.partitions):
            news = self._parts.host_log.since(p, self.host_cursor(p))
            if news:
                self._order.push((self._parts.host_topic, p), news)
                self._host_cursors[p] = self._parts.host_log.end(p)

    # --- how far the logs were read --------------------------------------------------------

    def _caught_up(self, source: Source) -> bool:
        tp = TP(*source)
        topic, partition = source
        if topic == self._parts.host_topic:
            return self._parts.lane.is_caught_up(tp, self.host_cursor(partition))
        return self._parts.lane.is_caught_up(tp, self._received[tp])

    def _newest(self) -> dict[str, int]:
        viewer_topics = self._parts.viewer_topics
        return {t: ts for (t, _), ts in self._order.newest().items() if t in viewer_topics}

    def _quiet_ms(self) -> dict[str, int]:
        now = time.monotonic()
        return {
            topic: int((now - self._last_arrival_s.setdefault(topic, now)) * 1000)
            for topic in self._parts.viewer_topics
            if self._caught_up((topic, self.partition))
        }

    def _is_lagging(self) -> bool:
        parts, p = self._parts, self.partition
        viewers = ((topic, p) for topic in parts.viewer_topics)
        hosts = ((parts.host_topic, q) for q in range(parts.partitions))
        return not all(map(self._caught_up, (*viewers, *hosts)))

    # --- commit ----------------------------------------------------------------------------

    async def _commit(self) -> None:
        offsets = self._offsets()
        if offsets == self._committed and self._pending.is_empty():
            return
        results, self._pending = self._pending, Results()
        began = time.monotonic()
        self._state.progress.host_offsets = self._host_offsets()
        puts = list(self._state.puts(self._order.newest()))
        records = itertools.chain(self._output.state(puts), self._output.results(results))
        count = await self._write(records, offsets)
        self._committed = offsets
        written = Written(
            records=count, bytes_in_all=self._transactions.bytes_written,
            seconds=time.monotonic() - began, puts=puts,
        )  # fmt: skip
        self._meter.committed_now(written, results, self._reached(), self._state)
        if results.releases:
            await self._parts.budget.release(results.releases)
        self._parts.show(results, self._state)

    async def _write(self, records: Iterable[Out], offsets: Mapping[TP, int]) -> int:
        places = {TopicPartition(*tp): offset for tp, offset in offsets.items()}
        if self._traces is not None:
            records = self._traces.committing(records)
        try:
            count = await self._transactions.commit(records, places, _now_ms())
        except Exception as error:
            self._parts.meters.gave_up(error)
            raise
        if self._traces is not None:
            self._traces.committed()
        return count

    def _reached(self) -> Reached:
        return Reached(
            offsets=self._committed, host_offsets=self._state.progress.host_offsets,
            newest=self._order.newest(),
        )  # fmt: skip

    def _offsets(self) -> dict[TP, int]:
        offsets = dict(self._received)
        for topic in self._parts.viewer_topics:
            first = self._order.first_waiting((topic, self.partition))
            if first is not None:
                offsets[TP(topic, self.partition)] = first
        if self._totals:  # came while the last commit was made
            offsets[TP(self._parts.totals_topic, self.partition)] = self._totals[0].offset
        return offsets

    def _host_offsets(self) -> dict[int, int]:
        topic = self._parts.host_topic
        return {
            p: cursor if (first := self._order.first_waiting((topic, p))) is None else first
            for p, cursor in self._host_cursors.items()
        }


def _traces(parts: Parts, partition: int) -> "Traces | None":
    if parts.tracer is None:
        return None
    from agents.tracing import Traces  # noqa: PLC0415 - an optional dependency, loaded when used

    return Traces(parts.tracer, partition)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
