"""How far behind a task is, and which records it has lost."""

from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from agents.engine.lag import Lags
from agents.metrics.log_ends import Span
from agents.metrics.meters import Meters
from agents.metrics.task_meter import Jump, Reached, TaskMeter

CARTS, HOST, TOTALS = TP("carts", 0), TP("host", 0), TP("totals", 0)


class Lane:
    """How far each log was read."""

    def __init__(self) -> None:
        self.positions: dict[TP, int] = {}

    def position(self, tp: TP) -> int | None:
        """Return how far a log was read."""
        return self.positions.get(tp)


class World:
    """One task that has committed and received so much."""

    def __init__(self) -> None:
        self.meters = Meters()
        self.lane = Lane()
        parts: Any = SimpleNamespace(
            viewer_topics=("carts",), host_topic="host", totals_topic="totals",
            lane=self.lane, meters=self.meters,
        )  # fmt: skip
        self.lags = Lags(parts)
        self.task = self.begin(0)

    def begin(self, partition: int) -> TaskMeter:
        """Start a task that runs."""
        meter = self.meters.begin(partition)
        meter.restore_s = 0.1
        return meter

    def stands(self, tp: TP, *, committed: int, received: int, position: int | None) -> None:
        """Say how far the task is in one log."""
        reached = self.task.committed
        if tp.topic == "host":
            self.task.cursors = {tp.partition: received}
            host = {tp.partition: committed}
            self.task.committed = Reached(offsets=reached.offsets, host_offsets=host, newest={})
        else:
            self.task.received = {tp: received}
            offsets = {tp: committed}
            self.task.committed = Reached(offsets=offsets, host_offsets={}, newest={})
        if position is not None:
            self.lane.positions[tp] = position

    def behind(self, tp: TP, end: int, begin: int = 0) -> int:
        """Return how many records lie between the committed offset and the end."""
        return next(lag.records for lag in self.lags.of({tp: Span(begin, end)}) if lag.tp == tp)


@pytest.fixture
def world() -> World:
    """Give a world with one task."""
    return World()


@pytest.mark.parametrize("tp", [CARTS, HOST])
def test_a_marker_at_the_end_is_no_lag(world: World, tp: TP) -> None:
    """It is read over and never handed over, so no offset after it is committed."""
    world.stands(tp, committed=10, received=10, position=11)
    assert world.behind(tp, end=11) == 0


@pytest.mark.parametrize("tp", [CARTS, HOST])
def test_what_waits_for_its_commit_is_lag(world: World, tp: TP) -> None:
    """Although it was read."""
    world.stands(tp, committed=4, received=10, position=10)
    assert world.behind(tp, end=10) == 6


def test_lag_grows_while_nothing_is_read(world: World) -> None:
    """The end is the broker's; what the consumer last saw of it does not count."""
    world.stands(CARTS, committed=10, received=10, position=10)
    assert [world.behind(CARTS, end=end) for end in (10, 15, 30)] == [0, 5, 20]


def test_a_log_that_is_held_back_is_not_read_to_its_end(world: World) -> None:
    """Its position is not known."""
    world.stands(CARTS, committed=3, received=3, position=None)
    assert world.behind(CARTS, end=5) == 2


def test_deleted_records_are_no_lag(world: World) -> None:
    """They will never be read: they are lost, or were never wanted."""
    world.stands(CARTS, committed=0, received=0, position=None)
    assert world.behind(CARTS, begin=90, end=100) == 10


def test_a_task_that_is_restored_has_no_lag_yet(world: World) -> None:
    """It shows in ``livepulse_tasks_starting``."""
    world.meters.begin(1)
    assert {tp.partition for tp in world.lags.places()} == {0}


# --- losses --------------------------------------------------------------------------------------


def test_what_is_deleted_before_it_is_read_is_lost_once(world: World) -> None:
    """However often the broker is asked, and however the worker goes on afterwards."""
    world.stands(CARTS, committed=40, received=50, position=None)
    world.lags.note_lost({CARTS: Span(80, 100)})
    world.lags.note_lost({CARTS: Span(85, 100)})
    assert world.meters.lost == {"carts": 35}
    world.task.jumps.append(Jump(CARTS, 50, 85))
    world.stands(CARTS, committed=40, received=100, position=100)
    world.lags.note_lost({CARTS: Span(85, 100)})
    assert world.meters.lost == {"carts": 35}


def test_a_worker_that_comes_back_too_late_has_lost_records(world: World) -> None:
    """It went on at the new beginning before the broker was asked."""
    world.task.jumps.append(Jump(CARTS, 50, 80))
    world.stands(CARTS, committed=50, received=95, position=95)
    world.lags.note_lost({CARTS: Span(80, 100)})
    assert world.meters.lost == {"carts": 30}


def test_a_marker_between_records_is_no_loss(world: World) -> None:
    """The log still has the offset that was jumped over."""
    world.task.jumps.append(Jump(CARTS, 50, 51))
    world.stands(CARTS, committed=60, received=60, position=60)
    world.lags.note_lost({CARTS: Span(20, 60)})
    assert not +world.meters.lost


def test_a_group_that_begins_has_lost_nothing(world: World) -> None:
    """It begins with what there is."""
    world.stands(CARTS, committed=0, received=0, position=None)
    world.stands(HOST, committed=0, received=0, position=None)
    world.lags.note_lost({CARTS: Span(80, 100), HOST: Span(5, 7)})
    assert not +world.meters.lost
