"""Totals and marks go out once a second of stream time, few totals before: the newest of each."""

from schemas import events as ev
from streams import pipeline
from streams.pace import TOTALS_A_TURN
from streams.totals import Mark
from tests.streams.world import PANE, T0, World, event, record_of


def panes(totals: object) -> list[int]:
    """Return the panes of some totals, counted from the first."""
    assert isinstance(totals, list)
    return [total.pane - PANE for total in totals]


def test_a_total_is_published_when_a_second_is_over() -> None:
    """Events of the same second are published together."""
    world = World()
    assert panes(world.says(ev.Heartbeat, 0.1).totals) == [0]
    assert world.says(ev.Heartbeat, 0.9).totals == []
    assert panes(world.says(ev.Heartbeat, 1).totals) == [0]


def test_a_total_that_changed_is_shown_before_it_is_due() -> None:
    """Once; when it is due there is nothing new to say."""
    world = World()
    world.says(ev.Heartbeat, 0.1)
    world.says(ev.LikesSent, 0.2)
    assert panes(pipeline.show(world.state).totals) == [0]
    assert pipeline.show(world.state).totals == []


def test_who_has_shown_much_is_silent_for_some_turns() -> None:
    """What changes meanwhile is shown after them."""
    world = World()
    world.says(ev.Heartbeat, 0.1)
    many = range(2 * TOTALS_A_TURN)
    world.feed(*(event(ev.Heartbeat, 0.3, id=f"h{n}", session_id=f"s{n}") for n in many))
    assert len(pipeline.show(world.state).totals) == len(many)
    world.says(ev.Heartbeat, 0.4)
    assert [len(pipeline.show(world.state).totals) for _ in range(3)] == [0, 1, 0]


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


def test_a_watermark_that_moves_alone_is_published() -> None:
    """A topic that held it back has fallen silent: the other tasks wait for nothing else."""
    state = World().state
    pipeline.step(state, [(one := event(ev.Heartbeat, 20), record_of(one))])
    newest = {"live.visits": T0 + 20_000, "live.likes": T0 + 10_000}
    assert pipeline.advance(state, newest, {}).marks == [Mark(0, T0 + 8_000)]
    assert pipeline.advance(state, newest, {}).marks == []
    assert pipeline.advance(state, newest, {"live.likes": 5_000}).marks == [Mark(0, T0 + 18_000)]
    assert pipeline.advance(state, newest, {"live.likes": 5_050}).marks == []


def test_the_newest_total_holds_all_that_was_counted() -> None:
    """A running total, not a difference: the last one replaces all before it."""
    world = World()
    for second in range(9):
        world.says(ev.LikesSent, second, count=10)
    world.wait(30)
    assert world.row(window="10s").counts["LikesSent"] == 90
