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
from agents.engine.changelog import read_changelog
from agents.engine.intake import Intake
from agents.engine.output import Output, decode_total
from agents.engine.parts import Parts
from agents.engine.retelling import Retelling
from agents.engine.transaction import Out, Transactions
from agents.metrics.task_meter import Reached, Written
from streams import pipeline
from streams.order import by_tick
from streams.records import Arrival
from streams.results import Results
from streams.store import State

if TYPE_CHECKING:  # an optional dependency
    from agents.tracing import Traces

log = logging.getLogger(__name__)

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
        self._output = Output(settings, partition, parts.partitions)
        self._transactions = Transactions(settings, partition)
        self._committed: dict[TP, int] = {}
        self._pending = Results()
        self._meter = parts.meters.begin(partition)
        self._intake = Intake(partition, parts, self._meter.jumps.append)
        self._traces = _traces(parts, partition)
        self._wake = asyncio.Event()
        self._stopping = False
        self._is_asked_again = True  # nobody knows what Redis holds of it
        self._retelling: Retelling | None = None

    # --- start -----------------------------------------------------------------------------

    async def start(self) -> None:
        """Fence, restore, seek; records may come when this returns."""
        logs.current.set(self._meter)
        await self._transactions.start()
        changelog = await read_changelog(
            self._parts.settings, self.partition, self._meter.restoring
        )
        self._state.restore(changelog)
        await self._intake.seek(self._state.progress)
        self._committed = dict(self._intake.received)
        self._meter.received, self._meter.cursors = self._intake.received, self._intake.cursors
        self._meter.ready(changelog, self._state, self._reached())
        took_s = self._meter.restoring_s
        log.info("task %d: %d records restored in %.2f s", self.partition, len(changelog), took_s)

    async def resume(self) -> None:
        """Go on after a pause, with the state and the producer of before."""
        self._stopping = False
        self._meter.resume()
        await self._intake.seek_again()

    @property
    def is_ready(self) -> bool:
        """Whether the task has its state."""
        return self._meter.is_ready

    def host_cursor(self, partition: int) -> int:
        """Return the next offset of the broadcast topic that this task has not taken over."""
        return self._intake.cursor(partition)

    # --- what comes in ---------------------------------------------------------------------

    def offer(self, records: Sequence[ConsumerRecord]) -> None:
        """Take over a fetched batch of a topic of viewers."""
        if self._intake.put(records):
            self._wake.set()

    def offer_totals(self, records: Sequence[ConsumerRecord]) -> None:
        """Take over a fetched batch of the tasks' running totals."""
        self._intake.put_totals(records)
        self._wake.set()

    def host_has_news(self) -> None:
        """Look at the host log again."""
        self._wake.set()

    def show_again(self) -> None:
        """Tell Redis the whole state, after the next commits: they prove that it is ours."""
        self._is_asked_again = True
        self._wake.set()

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
        arrivals = self._intake.take()
        for run in by_tick(arrivals, self._state.policy.publish_every_ms):
            began_ns = time.time_ns()
            await self._settle(run, pipeline.step(self._state, run), began_ns)
            await asyncio.sleep(0)
        intake = self._intake
        newest, quiet_ms = intake.newest_of_viewers(), intake.quiet_ms()
        passed = pipeline.advance(self._state, newest, quiet_ms, lagging=intake.is_lagging())
        await self._settle([], passed, time.time_ns())

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
        messages = [decode_total(record.value) for record in self._intake.take_totals()]
        self._pending.add(pipeline.merge(self._state, messages))
        self._pending.add(pipeline.show(self._state))

    # --- commit ----------------------------------------------------------------------------

    async def _commit(self) -> None:
        self._merge()
        offsets = self._intake.offsets()
        results, self._pending = self._pending, Results()
        if self._has_moved(offsets) or not results.is_empty() or self._has_to_tell():
            await self._commit_all(offsets, results)
        await self._parts.budget.release(results.releases)

    def _has_moved(self, offsets: dict[TP, int]) -> bool:
        """Tell whether anything was read since the last commit, also of the host alone."""
        known = self._committed, self._state.progress.host_offsets
        return (offsets, self._intake.host_offsets()) != known

    async def _commit_all(self, offsets: dict[TP, int], results: Results) -> None:
        began = time.monotonic()
        self._state.progress.host_offsets = self._intake.host_offsets()
        self._state.progress.offsets = {tp.topic: offset for tp, offset in offsets.items()}
        puts = list(self._state.puts(self._intake.newest()))
        records = itertools.chain(self._output.state(puts), self._output.results(results))
        count = await self._write(records, offsets)
        self._committed = offsets
        written = Written(
            records=count, bytes_in_all=self._transactions.bytes_written,
            seconds=time.monotonic() - began, puts=puts,
        )  # fmt: skip
        self._meter.committed_now(written, results, self._reached(), self._state)
        self._parts.show(results, self._state)
        self._tell_again()

    def _has_to_tell(self) -> bool:
        return self._is_asked_again or (self._retelling is not None and self._retelling.has_room)

    def _tell_again(self) -> None:
        if self._is_asked_again:
            self._is_asked_again = False
            self._retelling = Retelling(self._parts, self._state)
        if self._retelling is not None and self._retelling.turn():
            self._retelling = None

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
            newest=self._intake.newest(),
        )  # fmt: skip


def _traces(parts: Parts, partition: int) -> "Traces | None":
    if parts.tracer is None:
        return None
    from agents.tracing import Traces  # noqa: PLC0415 - an optional dependency, loaded when used

    return Traces(parts.tracer, partition)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
