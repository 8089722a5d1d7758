"""The tasks of a worker, as rebalances come and go."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from agents.engine import tasks as module
from agents.engine.tasks import TaskSet


class FakeTask:
    """Runs until it is stopped, and counts how often it was asked to say all anew."""

    made: list["FakeTask"]

    def __init__(self, partition: int, _parts: Any) -> None:
        self.partition = partition
        self.is_ready = False
        self.asked = 0
        self.at_stop: Callable[[], None] = lambda: None
        self._stopped = asyncio.Event()
        self.made.append(self)

    async def start(self) -> None:
        """Be ready."""
        self.is_ready = True

    async def run(self) -> None:
        """Run."""
        await self._stopped.wait()

    async def stop(self) -> None:
        """End ``run``."""
        self.at_stop()
        self._stopped.set()

    async def close(self) -> None:
        """Do nothing."""

    def host_cursor(self, _partition: int) -> int:
        """Return the beginning."""
        return 0

    def show_again(self) -> None:
        """Count."""
        self.asked += 1


class Lane:
    """A lane that carries nothing."""

    member_id = "me"

    def open(self, tp: TP) -> None:
        """Do nothing."""

    def hold_all(self) -> None:
        """Do nothing."""

    async def rewind(self, tp: TP, offset: int | None) -> None:
        """Do nothing."""


@pytest.fixture
async def tasks(monkeypatch: pytest.MonkeyPatch) -> TaskSet:
    """Give a worker with one task that runs."""
    monkeypatch.setattr(FakeTask, "made", [], raising=False)
    monkeypatch.setattr(module, "Task", FakeTask)
    said = SimpleNamespace(assigned=int, released=int, ended=int)
    parts: Any = SimpleNamespace(
        lane=Lane(), meters=said, host_log=[], partitions=1,
        totals_topic="totals", host_topic="host", viewer_topics=("visits",),
    )  # fmt: skip
    ready = asyncio.Event()
    found = TaskSet(parts, is_ending=lambda: False, on_ready=ready.set)
    await found.assign([TP("totals", 0)])
    await ready.wait()
    return found


async def test_who_runs_is_asked_to_say_all_anew(tasks: TaskSet) -> None:
    """Redis has lost what was written, or was never given it."""
    tasks.show_again()
    assert FakeTask.made[0].asked == 1


async def test_who_is_paused_is_asked_as_well(tasks: TaskSet) -> None:
    """A rebalance holds the task up; what its views have dropped nobody else will say."""
    await tasks.revoke()
    tasks.show_again()
    assert FakeTask.made[0].asked == 1


async def test_who_makes_the_last_commit_before_a_pause_is_asked_as_well(tasks: TaskSet) -> None:
    """There is no moment in a rebalance in which a task is forgotten."""
    FakeTask.made[0].at_stop = tasks.show_again
    await tasks.revoke()
    assert FakeTask.made[0].asked == 1
