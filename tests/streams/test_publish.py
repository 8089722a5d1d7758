"""Totals go out four times a second of stream time, marks once: the newest of what changed."""

from schemas import events as ev
from streams.totals import FEW, Mark
from tests.streams.world import PANE, T0, World, event


def panes(totals: object) -> list[int]:
    """Return the panes of some totals, counted from the first."""
    assert isinstance(totals, list)
    return [total.pane - PANE for total in totals]


def test_a_total_is_published_when_a_quarter_of_a_second_is_over() -> None:
    """Events of the same quarter are published together."""
    world = World()
    assert panes(world.says(ev.Heartbeat, 0.1).totals) == [0]
    assert world.says(ev.Heartbeat, 0.2).totals == []
    assert panes(world.says(ev.Heartbeat, 0.3).totals) == [0]


def test_a_task_with_many_sessions_publishes_once_a_second() -> None:
    """What changed in one second goes out together then."""
    world = World()
    world.says(ev.Heartbeat, 0.1)
    events = [event(ev.Heartbeat, 0.3, id=f"h{n}", session_id=f"many{n}") for n in range(FEW + 1)]
    assert world.feed(*events).totals == []
    assert len(world.says(ev.Heartbeat, 1).totals) == FEW + 2


def test_only_panes_that_changed_are_published_oldest_first() -> None:
    """Including those that a late event changed."""
    world = World()
    world.says(ev.Heartbeat, 1)
    world.says(ev.Heartbeat, 11)
    assert panes(world.says(ev.Heartbeat, 21).totals) == [2]
    assert panes(world.feed().totals) == []
    assert panes([*world.says(ev.LikesSent, 3).totals, *world.says(ev.Heartbeat, 22).totals]) == [
        0,
        2,
    ]


def test_every_publication_ends_with_the_watermark() -> None:
    """Who reads the mark has read the totals before it."""
    world = World()
    assert world.says(ev.Heartbeat, 5).marks == [Mark(0, T0 + 3_000)]
    assert world.says(ev.Heartbeat, 5.5).marks == []


def test_a_mark_is_published_even_if_no_total_changed() -> None:
    """Other tasks' windows wait for it."""
    world = World()
    world.says(ev.RoomShown, 5)
    waited = world.wait(30)
    assert waited.totals == []
    assert waited.marks == [Mark(0, T0 + 28_000)]


def test_the_newest_total_holds_all_that_was_counted() -> None:
    """A running total, not a difference: the last one replaces all before it."""
    world = World()
    for second in range(9):
        world.says(ev.LikesSent, second, count=10)
    world.wait(30)
    assert world.row(window="10s").counts["LikesSent"] == 90
