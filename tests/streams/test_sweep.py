"""What is over is forgotten, and the changelog is told."""

import msgspec

from schemas import events as ev
from streams.store import PANE, VISIT
from streams.sweep import ABANDONED_MS, OVER_MS
from tests.streams.world import SHOP, World, event, order

OVER_S = OVER_MS // 1000
DAY_S = 24 * 3_600


def live_keys(world: World, known: set[bytes]) -> set[bytes]:
    """Return the keys that the changelog holds after one more commit."""
    for key, value in world.state.puts({}):
        if value is None:
            known.discard(key)
        else:
            known.add(key)
    return known


def kinds(keys: set[bytes]) -> list[int]:
    """Return what kinds of state (not of the conversion table) are kept."""
    return sorted(msgspec.msgpack.decode(key)[0] for key in keys if key[0] >= 0x80)


def session(world: World, begin: int, session_id: str) -> None:
    """Let a session of a minute happen, with three viewers and no order."""
    room = {"session_id": session_id}
    events = [event(ev.SessionStarted, begin, **room)]
    for second in (1, 20, 40):
        one = room | {"viewer_id": f"v{second}"}
        events += [
            event(ev.ViewerEntered, begin + second, **one),
            event(ev.ProductClicked, begin + second + 1, product_id="p1", **one),
            event(ev.CartAdded, begin + second + 2, product_id="p1", **SHOP, **one),
        ]
    world.feed(*events, event(ev.SessionEnded, begin + 60, **room))


def test_two_hundred_short_sessions_leave_the_state_flat() -> None:
    """One after another for days: what is kept does not grow, neither here nor in the changelog."""
    world, keys, sizes, kept = World(), set[bytes](), [], []
    for number in range(200):
        session(world, number * 1_800, f"s{number}")
        keys = live_keys(world, keys)
        state = world.state
        rooms = list(state.sessions.values())
        sizes.append(
            (len(rooms), sum(len(r.visits) for r in rooms), sum(len(r.panes) for r in rooms),
             len(state.timers))
        )  # fmt: skip
        kept.append(len(keys))
    sessions_a_day = DAY_S // 1_800
    assert max(size[0] for size in sizes) <= sessions_a_day + 3
    assert max(size[1] for size in sizes) <= 3 * 3
    assert max(size[2] for size in sizes) <= 12 * (sessions_a_day + 4)
    assert max(size[3] for size in sizes) <= 30
    assert sizes[-1] == sizes[-50]
    assert kept[-1] == kept[-50]


def test_everything_that_went_has_a_tombstone() -> None:
    """A new owner finds nothing of a session that is a day over."""
    world = World()
    session(world, 0, "s1")
    keys = live_keys(world, set())
    assert {VISIT, PANE} <= set(kinds(keys))
    world.says(ev.Heartbeat, DAY_S + OVER_S + 120, session_id="another")
    assert "s1" not in world.state.sessions
    left = [msgspec.msgpack.decode(k) for k in live_keys(world, keys) if k[0] >= 0x80]
    assert {session_id for _, session_id, _ in left} == {"another", ""}


def test_visits_go_ten_minutes_after_the_end() -> None:
    """Until then somebody may come late."""
    world = World()
    session(world, 0, "s1")
    world.says(ev.Heartbeat, 60 + OVER_S - 10, session_id="another")
    assert len(world.state.sessions["s1"].visits) == 3
    world.says(ev.Heartbeat, 60 + OVER_S + 10, session_id="another")
    assert world.state.sessions["s1"].visits == {}
    assert world.state.sessions["s1"].room.present == 0
    assert world.state.sessions["s1"].panes


def test_a_visit_with_an_order_is_kept_for_its_refund() -> None:
    """The refund must find the pane of the payment."""
    world = World()
    world.says(ev.SessionStarted, 0)
    world.feed(order(ev.OrderPaid, 5), event(ev.SessionEnded, 30))
    world.says(ev.Heartbeat, 3_600, session_id="another")
    world.feed(order(ev.OrderRefunded, 3_700))
    world.close()
    assert world.row(window="10s").money["gmv_net"] == 0


def test_who_is_still_in_the_room_keeps_the_session() -> None:
    """An end that is followed by events is not the end yet."""
    world = World()
    world.says(ev.SessionEnded, 0)
    for second in range(0, 2 * OVER_S, 30):
        world.says(ev.Heartbeat, second)
    assert "v1" in world.state.sessions["s1"].visits


def test_a_session_without_an_end_is_over_after_six_hours_of_silence() -> None:
    """Its SessionEnded was lost, or it was never announced."""
    world = World()
    world.says(ev.Heartbeat, 0)
    world.says(ev.Heartbeat, ABANDONED_MS // 1000 - 10, session_id="another")
    assert world.state.sessions["s1"].visits
    world.says(ev.Heartbeat, ABANDONED_MS // 1000 + 10, session_id="another")
    assert world.state.sessions["s1"].visits == {}


def test_a_session_of_which_only_the_shelf_was_seen_goes_too() -> None:
    """No start and no viewer: the host's last word is its newest sign."""
    world = World()
    world.says(ev.ProductListed, 0, product_id="p1", price=100, stock=3, currency="CNY")
    world.says(ev.Heartbeat, 3_600, session_id="another")
    assert "s1" in world.state.sessions
    world.says(ev.Heartbeat, DAY_S + ABANDONED_MS // 1000 + 60, session_id="another")
    assert "s1" not in world.state.sessions


def test_a_late_event_does_not_empty_a_pane_that_was_forgotten() -> None:
    """What the merge still remembers, the task remembers as well."""
    world = World()
    world.says(ev.LikesSent, 5, count=50)
    for hour in range(1, 25):
        world.says(ev.Heartbeat, hour * 3_600 - 30)
    world.says(ev.Heartbeat, DAY_S + 20)  # the first pane is a day old
    world.says(ev.LikesSent, 6, count=1)
    world.close()
    assert world.row(window="10s").counts["LikesSent"] == 51
