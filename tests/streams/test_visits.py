"""Visits: who is in the room, how long they watch, how they leave."""

import inspect

import pytest

from schemas import events as ev
from schemas.results import ChurnRow
from streams.state import Visit
from streams.store import State
from tests.streams.world import PANE, T0, World


def visit_in(world: World, viewer_id: str = "v1") -> Visit:
    """Return a viewer's visit."""
    return world.state.sessions["s1"].visits[viewer_id]


def watched_s(world: World) -> float:
    """Return the seconds of watch time that the session's row says."""
    world.close()
    return world.row().rates["avg_watch_s"].numerator / 1000


def bounced(world: World) -> int:
    """Return how many bounces the session's row says."""
    world.close()
    return world.row().rates["bounce_rate"].numerator


def retained(world: World) -> tuple[int, int]:
    """Return how many of how many visits lasted 5 min."""
    world.close()
    rate = world.row().rates["retention_5m"]
    return rate.numerator, rate.denominator


def stay(world: World, begin: int, end: int, viewer: str = "v1") -> None:
    """Let a viewer enter and send a heartbeat every 10 s."""
    world.says(ev.ViewerEntered, begin, viewer_id=viewer)
    for second in range(begin + 10, end + 1, 10):
        world.says(ev.Heartbeat, second, viewer_id=viewer)


# --- presence -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [ev.ViewerEntered, ev.Heartbeat, ev.LikesSent, ev.SessionShared])
def test_who_acts_in_the_room_is_present(kind: type[ev.Event]) -> None:
    """An entry that was lost does not hide the viewer."""
    world = World()
    world.says(kind, 1)
    assert visit_in(world).present
    assert world.state.sessions["s1"].room.present == 1


@pytest.mark.parametrize("kind", [ev.RoomShown, ev.ViewerLeft])
def test_who_was_only_shown_the_card_or_has_left_is_not_present(kind: type[ev.Event]) -> None:
    """Seeing the room's card is not a visit."""
    world = World()
    world.says(kind, 1)
    assert not visit_in(world).present
    world.close()
    assert world.row().people["viewers"] == 0


def test_leaving_ends_presence_at_once() -> None:
    """ViewerLeft is believed."""
    world = World()
    world.says(ev.ViewerEntered, 1)
    results = world.says(ev.ViewerLeft, 9)
    assert results.left == [("s1", "v1")]
    assert world.state.sessions["s1"].room.present == 0


def test_a_silent_viewer_leaves_after_sixty_seconds() -> None:
    """Not a moment earlier: the timer waits for what may come late."""
    world = World()
    world.says(ev.ViewerEntered, 0)
    assert world.says(ev.Heartbeat, 61.9, viewer_id="other").left == []
    assert world.says(ev.Heartbeat, 62, viewer_id="other").left == [("s1", "v1")]


def test_the_contract_says_how_the_risk_of_who_leaves_ends() -> None:
    """No row tells: a reader that waited for one would count who is gone for ever."""
    world = World()
    stay(world, 0, 20)
    stay(world, 0, 140, "v2")
    world.close()
    assert [row.level for row in world.results.churn if row.viewer_id == "v1"] == ["high"]
    assert not visit_in(world).present
    told = inspect.getdoc(ChurnRow) or ""
    assert f"after {world.policy.silence_ms // 1_000} s without an event" in told


def test_a_heartbeat_puts_leaving_off() -> None:
    """Sixty seconds count from the newest sign of life."""
    world = World()
    stay(world, 0, 50)
    assert world.says(ev.Heartbeat, 111, viewer_id="other").left == []
    assert world.says(ev.Heartbeat, 112, viewer_id="other").left == [("s1", "v1")]


def test_a_silent_viewer_leaves_in_a_quiet_room() -> None:
    """No event has to come: the watermark moves stream time."""
    world = World()
    world.says(ev.ViewerEntered, 0)
    assert world.wait(70).left == [("s1", "v1")]


def test_who_comes_back_is_present_again_and_one_person() -> None:
    """Two stays are one viewer."""
    world = World()
    world.says(ev.ViewerEntered, 1)
    world.says(ev.ViewerLeft, 9)
    world.says(ev.ViewerEntered, 30)
    assert world.state.sessions["s1"].room.present == 1
    world.close()
    assert world.row().people["viewers"] == 1
    assert world.row().counts["ViewerEntered"] == 2


def test_a_leave_that_is_older_than_a_sign_of_life_is_not_believed() -> None:
    """The viewer was there after it: this stay did not end."""
    world = World()
    world.says(ev.ViewerEntered, 20)
    assert world.says(ev.ViewerLeft, 10).left == []
    assert visit_in(world).present


def test_a_late_event_does_not_bring_a_viewer_back() -> None:
    """What happened before the leave says nothing about now."""
    world = World()
    world.says(ev.ViewerEntered, 1)
    world.says(ev.ViewerLeft, 30)
    world.says(ev.Heartbeat, 25)
    assert not visit_in(world).present


def test_the_rows_say_how_many_are_present_and_were_at_most() -> None:
    """Present at the end of the pane; the peak is over all panes."""
    world = World()
    for number in range(3):
        world.says(ev.ViewerEntered, number, viewer_id=f"v{number}")
    world.says(ev.ViewerLeft, 15, viewer_id="v0")
    world.says(ev.ViewerLeft, 16, viewer_id="v1")
    world.says(ev.Heartbeat, 17, viewer_id="v2")
    world.wait(30)
    assert world.row(window="10s").present == 3
    assert world.row(window="10s", pane=PANE + 1).present == 1
    assert (world.row().present, world.row().peak_present) == (1, 3)


def test_a_late_event_leaves_the_presence_of_its_pane_alone() -> None:
    """A correction of the past must not put today's presence there."""
    world = World()
    for number in range(3):
        world.says(ev.ViewerEntered, number, viewer_id=f"v{number}")
    world.says(ev.Heartbeat, 9, viewer_id="v0")
    for number in range(3):
        world.says(ev.ViewerLeft, 21 + number, viewer_id=f"v{number}")
    world.wait(40)
    world.says(ev.LikesSent, 5, viewer_id="v0")
    world.wait(50)
    assert world.row(window="10s").counts["LikesSent"] == 1
    assert world.row(window="10s").present == 3
    assert world.row().peak_present == 3


def test_a_late_event_in_a_pane_without_events_says_who_was_there() -> None:
    """The pane begins with it, but those who were in the room had come before."""
    world = World()
    world.says(ev.ViewerEntered, 1)
    world.says(ev.ViewerEntered, 2, viewer_id="v2")
    world.says(ev.ViewerLeft, 25, viewer_id="v2")
    world.says(ev.LikesSent, 15)
    world.wait(40)
    assert world.row(window="10s", pane=PANE + 1).present == 2


# --- watch time ---------------------------------------------------------------------------------


def test_watch_time_is_from_entry_to_leave() -> None:
    """To the second, whenever the last heartbeat was."""
    world = World()
    stay(world, 0, 20)
    world.says(ev.ViewerLeft, 27)
    assert watched_s(world) == 27


def test_the_silence_before_a_silent_leave_is_not_watched() -> None:
    """Watch time ends with the last sign of life."""
    world = World()
    stay(world, 0, 30)
    assert watched_s(world) == 30


def test_the_time_between_two_stays_is_not_watched() -> None:
    """Only time in the room counts."""
    world = World()
    stay(world, 0, 10)
    world.says(ev.ViewerLeft, 10)
    stay(world, 50, 70)
    assert watched_s(world) == 30
    assert visit_in(world).watch_ms == 30_000


def test_a_late_heartbeat_adds_no_watch_time() -> None:
    """The time up to the newest sign of life is counted already."""
    world = World()
    stay(world, 0, 20)
    world.says(ev.Heartbeat, 15)
    assert watched_s(world) == 20


# --- bounce and retention -----------------------------------------------------------------------


@pytest.mark.parametrize(("left", "expected"), [(2.999, 1), (3, 0)])
def test_who_leaves_within_three_seconds_bounces(left: float, expected: int) -> None:
    """Three seconds are a look."""
    world = World()
    world.says(ev.ViewerEntered, 0)
    world.says(ev.ViewerLeft, left)
    assert bounced(world) == expected


def test_who_is_present_after_five_minutes_is_retained() -> None:
    """Counted once, five minutes after the first entry."""
    world = World()
    stay(world, 0, 330)
    assert retained(world) == (1, 1)
    assert visit_in(world).matured


def test_who_left_before_is_not_retained() -> None:
    """The visit counts among those that could have been."""
    world = World()
    stay(world, 0, 20)
    world.says(ev.ViewerLeft, 25)
    world.says(ev.Heartbeat, 320, viewer_id="other")
    assert retained(world) == (0, 1)


def test_a_visit_younger_than_five_minutes_does_not_count_yet() -> None:
    """Neither part nor whole."""
    world = World()
    stay(world, 0, 100)
    assert retained(world) == (0, 0)


def test_the_first_entry_counts_not_the_second() -> None:
    """Coming back does not begin a new five minutes."""
    world = World()
    stay(world, 0, 10)
    world.says(ev.ViewerLeft, 10)
    stay(world, 200, 310)
    assert retained(world) == (1, 1)
    assert visit_in(world).first == T0


def test_the_histogram_of_risks_holds_who_is_present_and_was_scored() -> None:
    """One count per scored viewer, in the bin of the newest risk; who left is in none."""
    world = World()
    for viewer_id in ("v1", "v2"):
        world.says(ev.ViewerEntered, 0, viewer_id=viewer_id)
        world.says(ev.Heartbeat, 12, viewer_id=viewer_id)
    session = world.state.sessions["s1"]
    assert sum(session.risk_bins) == 2
    assert session.risk_bins[session.visits["v1"].risk] >= 1
    world.says(ev.ViewerLeft, 13, viewer_id="v1")
    assert sum(session.risk_bins) == 1
    restored = State(0, 1, world.policy)
    restored.restore({k: v for k, v in world.state.puts({}) if v is not None})
    assert restored.sessions["s1"].risk_bins == session.risk_bins
