"""The tasks of this worker: started when partitions are assigned, ended when they go.

Each rebalance takes all partitions from all workers and gives most of them back to whom they came
from. So a task pauses, with its state, and goes on if it comes back. Nobody else can have had it
then: to miss a rebalance is to become another member. If that were wrong, its producer would be
fenced.

A task that ends in any other way than being stopped ends the process, without a commit: the
next owner goes on from the last one.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Iterable, Sequence
from typing import NoReturn

from aiokafka.errors import ProducerFenced
from aiokafka.structs import ConsumerRecord
from faust.types import TP

from agents.engine.parts import Parts
from agents.engine.task import Task

log = logging.getLogger(__name__)


class TaskSet:
    """Starts, feeds and stops tasks as the group's assignment changes.

    ``is_ending`` tells whether the process has been asked to end; ``on_ready`` is called when the
    tasks of an assignment run.
    """

    def __init__(
        self, parts: Parts, *, is_ending: Callable[[], bool], on_ready: Callable[[], None]
    ) -> None:
        self._parts = parts
        self._is_ending = is_ending
        self._on_ready = on_ready
        self._assigned: dict[int, Task] = {}
        self._tasks: dict[int, Task] = {}  # of those, all once they are ready
        self._runs: dict[int, asyncio.Task[None]] = {}
        self._paused: dict[int, Task] = {}
        self._beginning: asyncio.Task[None] | None = None
        self._member_id = ""

    async def assign(self, assigned: Iterable[TP]) -> None:
        """Let a task of each partition number that was assigned begin, or go on.

        Returns before they are ready: until it does, the group hears no heartbeat of this worker,
        and to read a large state takes longer than a member may be silent.
        """
        await self.revoke()
        wanted = sorted({tp.partition for tp in assigned if tp.topic == self._parts.totals_topic})
        before, self._member_id = self._member_id, self._parts.lane.member_id
        mine = wanted if before == self._member_id else ()
        tasks = {p: self._paused.pop(p) for p in mine if p in self._paused}
        tasks |= {p: Task(p, self._parts) for p in wanted if p not in tasks}
        self._assigned = tasks
        self._beginning = asyncio.create_task(self._begin(tasks))

    async def _begin(self, tasks: dict[int, Task]) -> None:
        try:
            await self._drop_paused()
            await asyncio.gather(*(_start(task) for task in tasks.values()))
            self._tasks = tasks  # before the lane is open: what it brings must find them
            await self._open(tasks)
        except Exception as error:  # noqa: BLE001 - nobody waits for what is raised here
            _give_up(f"the tasks {sorted(tasks)} cannot begin", error)
        self._runs = {p: asyncio.create_task(self._run(task)) for p, task in tasks.items()}
        self._parts.meters.assigned()
        log.info("tasks %s run here", sorted(tasks))
        self._on_ready()

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
        """Commit and pause all tasks; those that have only begun are given up."""
        self._parts.meters.released()
        if self._beginning is not None:
            self._beginning.cancel()
            await asyncio.wait([self._beginning])
        self._parts.lane.hold_all()
        self._tasks = {}
        tasks, self._assigned = self._assigned, {}
        self._paused |= tasks
        for task in tasks.values():
            await task.stop()
        await asyncio.gather(*self._runs.values())
        self._runs = {}
        self._parts.meters.ended()
        await self._drop_paused(lambda task: not task.is_ready)

    async def close(self) -> None:
        """Commit and end all tasks."""
        await self.revoke()
        await self._drop_paused()

    async def _drop_paused(self, is_dropped: Callable[[Task], bool] = lambda _: True) -> None:
        """Give up tasks with their state."""
        for p in [p for p, task in self._paused.items() if is_dropped(task)]:
            await self._paused.pop(p).close()

    async def _run(self, task: Task) -> None:
        try:
            await task.run()
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not go on
            if isinstance(error, ProducerFenced) and self._is_ending():
                # Asked to end in the middle of a rebalance: the new owner did not wait for us.
                log.warning("task %d has a new owner already", task.partition)
                return
            _give_up(f"task {task.partition} failed", error)

    def show_again(self) -> None:
        """Offer all that the tasks know to the views, also those that a rebalance holds up."""
        for task in (*self._assigned.values(), *self._paused.values()):
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


async def _start(task: Task) -> None:
    try:
        await (task.resume() if task.is_ready else task.start())
    except Exception as error:  # noqa: BLE001 - there must be no task without its state
        _give_up(f"task {task.partition} cannot start", error)


def _give_up(what: str, error: Exception) -> NoReturn:
    why = f"{type(error).__name__}: {error}"
    log.critical("%s: %s: the process ends", what, why, exc_info=error)
    logging.shutdown()
    os._exit(1)
