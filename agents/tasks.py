"""The tasks of this worker: started when partitions are assigned, ended when they go.

A task that ends in any other way than being stopped ends the process, without a commit: the
next owner goes on from the last one.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Iterable, Sequence

from aiokafka.errors import ProducerFenced
from aiokafka.structs import ConsumerRecord
from faust.types import TP

from agents.parts import Parts
from agents.task import Task

log = logging.getLogger(__name__)


class TaskSet:
    """Starts, feeds and stops tasks as the group's assignment changes.

    ``is_ending`` tells whether the process has been asked to end.
    """

    def __init__(self, parts: Parts, *, is_ending: Callable[[], bool]) -> None:
        self._parts = parts
        self._is_ending = is_ending
        self._tasks: dict[int, Task] = {}
        self._runs: dict[int, asyncio.Task[None]] = {}

    async def assign(self, assigned: Iterable[TP]) -> None:
        """Start a task for each partition number that was assigned, then open the lane."""
        await self.revoke()
        parts = self._parts
        wanted = {tp.partition for tp in assigned if tp.topic == parts.totals_topic}
        tasks = {p: Task(p, parts) for p in sorted(wanted)}
        await asyncio.gather(*(task.start() for task in tasks.values()))
        self._tasks = tasks
        await self._open(tasks)
        self.show_again()
        self._runs = {p: asyncio.create_task(self._run(task)) for p, task in tasks.items()}
        parts.meters.assigned()

    async def _open(self, tasks: dict[int, Task]) -> None:
        parts = self._parts
        parts.host_log.clear()
        for p in range(parts.partitions):
            tp = TP(parts.host_topic, p)
            oldest = min((task.host_cursor(p) for task in tasks.values()), default=0)
            await parts.lane.rewind(tp, oldest or None)
            parts.lane.open(tp)
        for p in tasks:
            for topic in (*parts.viewer_topics, parts.totals_topic):
                parts.lane.open(TP(topic, p))

    async def revoke(self) -> None:
        """Commit and stop all tasks, and drop their state."""
        self._parts.meters.released()
        self._parts.lane.hold_all()
        tasks, self._tasks = self._tasks, {}
        for task in tasks.values():
            await task.stop()
        await asyncio.gather(*self._runs.values())
        self._runs = {}
        for task in tasks.values():
            await task.close()
        self._parts.meters.ended()

    async def _run(self, task: Task) -> None:
        try:
            await task.run()
        except Exception as error:
            if isinstance(error, ProducerFenced) and self._is_ending():
                # Asked to end in the middle of a rebalance: the new owner did not wait for us.
                log.warning("task %d has a new owner already", task.partition)
                return
            log.critical("task %d failed: the process ends", task.partition, exc_info=True)
            logging.shutdown()
            os._exit(1)

    def show_again(self) -> None:
        """Offer all that the tasks know to the views."""
        for task in self._tasks.values():
            task.show_again()

    def offer(self, records: Sequence[ConsumerRecord]) -> None:
        """Hand a fetched batch to its task; a batch of a task that is gone is nobody's."""
        task = self._tasks.get(records[0].partition)
        if task is not None:
            task.offer(records)

    def offer_totals(self, records: Sequence[ConsumerRecord]) -> None:
        """Hand a fetched batch of running totals to its task."""
        task = self._tasks.get(records[0].partition)
        if task is not None:
            task.offer_totals(records)

    def offer_host(self, records: Sequence[ConsumerRecord]) -> None:
        """Give a fetched batch of host events to every task."""
        self._parts.host_log.append(records)
        for task in self._tasks.values():
            task.host_has_news()
        cursors = [task.host_cursor(records[0].partition) for task in self._tasks.values()]
        self._parts.host_log.trim(records[0].partition, cursors)
