"""The store: what a task puts into its changelog is all that the next owner needs."""

from collections.abc import Callable
from functools import cache
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import events as ev
from streams.policy import Policy
from streams.results import Results
from streams.store import PANE as PANE_KIND
from streams.store import VISIT as VISIT_KIND
from streams.store import Put, State
from streams.timers import NEVER
from streams.totals import PaneTotals
from tests.streams.world import PANE, SHOP, World, event, order, simulated

ROOM = simulated(events=700, rate=12.0, sessions=2, viewers=150, late_share=0.03, seed=5)
CHUNK = 7


class Changelog:
    """A compacted topic: the newest value of each key, in the order of its offsets."""

    def __init__(self) -> None:
        self.records: dict[bytes, bytes] = {}

    def append(self, puts: list[Put]) -> None:
        """Append one commit."""
        for key, value in puts:
            self.records.pop(key, None)
            if value is not None:
                self.records[key] = value

    def commit(self, world: World) -> None:
        """Append what changed in the world's only task."""
        (task,) = world.tasks
        self.append(list(task.state.puts(task.order.newest())))

    def restored(self, shuffle: Callable[[list[bytes]], object] = list.sort) -> State:
        """Give what a new owner of the partition reads, its keys in some order."""
        keys = list(self.records)
        shuffle(keys)
        state = State(0, 1, Policy())
        state.restore({key: self.records[key] for key in keys})
        return state


def encoded(results: Results) -> bytes:
    """Write results down; the tasks may name their sessions in any order."""
    results.totals.sort(key=lambda total: (total.session_id, total.pane))
    return msgspec.msgpack.encode(results, order="deterministic")


def steps(cut: int, shuffle: Callable[[list[bytes]], object] = list.sort) -> list[bytes]:
    """Run the room to its end with a commit after each step; returns the results of each.

    ``cut``: the step after which the task moves to a new owner; negative for never.
    """
    world, log, found = World(), Changelog(), []
    for number, start in enumerate(range(0, len(ROOM), CHUNK)):
        world.results = Results()
        world.read(ROOM[start : start + CHUNK])
        found.append(encoded(world.results))
        log.commit(world)
        if number == cut:
            world.tasks[0].restart(log.restored(shuffle))
    world.results = Results()
    world.close()
    return [*found, encoded(world.results)]


@cache
def undisturbed() -> list[bytes]:
    """Return the results of the room when no task moves."""
    return steps(-1)


@given(st.integers(0, len(ROOM) // CHUNK), st.integers(0, 1_000))
@settings(max_examples=6, deadline=None)
def test_a_restored_task_goes_on_as_if_nothing_had_happened(cut: int, seed: int) -> None:
    """Wherever a session is cut, and in whatever order its keys are read: byte for byte."""
    assert steps(cut, Random(seed).shuffle) == undisturbed()


def test_every_commit_restores_to_what_it_was_made_from() -> None:
    """A new owner that changes nothing would write the same state again."""
    world, log = World(), Changelog()
    for start in range(0, len(ROOM), 100):
        world.read(ROOM[start : start + 100])
        log.commit(world)
    mine, restored = world.state, log.restored()
    assert restored.sessions.keys() == mine.sessions.keys()
    for session_id, session in mine.sessions.items():
        other = restored.sessions[session_id]
        for visit in (*session.visits.values(), *other.visits.values()):
            visit.due = NEVER  # a timer that was moved later may be restored as it was before
        for part in ("shelf", "room", "visits", "panes", "affinity", "unpublished"):
            assert getattr(other, part) == getattr(session, part), part
    assert restored.progress == mine.progress


def test_a_total_that_was_not_published_yet_is_published_by_the_next_owner() -> None:
    """The commit came between a change and the tick that publishes it."""
    world, log = World(), Changelog()
    world.says(ev.ViewerEntered, 0.1)
    world.says(ev.LikesSent, 0.2, count=7)  # in the same second: nothing is published for it
    log.commit(world)
    world.tasks[0].restart(log.restored())
    world.wait(60)
    assert world.row().counts["LikesSent"] == 7


def test_who_was_present_at_the_end_of_a_pane_survives() -> None:
    """A late event must not make the next owner say that nobody was there."""
    world, log = World(), Changelog()
    world.says(ev.ViewerEntered, 1)
    world.says(ev.Heartbeat, 8)
    log.commit(world)
    world.tasks[0].restart(log.restored())
    world.says(ev.Heartbeat, 25)
    world.says(ev.LikesSent, 5)
    world.wait(40)
    assert world.row(window="10s").present == 1


def test_a_commit_without_changes_holds_only_the_progress() -> None:
    """Nothing is written twice."""
    world = World()
    world.says(ev.ViewerEntered, 1)
    list(world.state.puts({}))
    (only,) = world.state.puts({})
    assert msgspec.msgpack.decode(only[0])[0] == 5


def test_each_key_is_put_once_a_commit() -> None:
    """However often it changed."""
    world = World()
    world.run(ROOM[:600], chunk=50)
    keys = [key for key, _ in world.state.puts({})]
    assert len(keys) == len(set(keys))


def test_what_was_dropped_leaves_tombstones() -> None:
    """Visits, panes and sessions go from the changelog as well."""
    world, log = World(), Changelog()
    world.says(ev.CartAdded, 1, product_id="p1", **SHOP)
    log.commit(world)
    state = world.state
    state.drop_session(state.sessions["s1"])
    tombstones = [key for key, value in state.puts({}) if value is None]
    kinds = sorted(msgspec.msgpack.decode(key)[0] for key in tombstones if key[0] >= 0x80)
    assert kinds == [0, 1, 2, 3, 4]


def test_what_comes_back_before_the_commit_is_not_deleted_by_it() -> None:
    """A tombstone stands before the new value of its key."""
    world, log = World(), Changelog()
    world.says(ev.Heartbeat, 1)
    log.commit(world)
    world.state.drop_session(world.state.sessions["s1"])
    world.says(ev.Heartbeat, 3)
    log.commit(world)
    restored = log.restored().sessions["s1"]
    assert restored.visits == world.state.sessions["s1"].visits
    assert restored.panes == world.state.sessions["s1"].panes


def test_a_dropped_visit_is_gone_after_a_restore() -> None:
    """Its tombstone deletes the earlier value."""
    world, log = World(), Changelog()
    world.feed(event(ev.Heartbeat, 1), order(ev.OrderPlaced, 2))
    log.commit(world)
    world.state.drop_visit(world.state.sessions["s1"], "v1")
    log.commit(world)
    assert log.restored().sessions["s1"].visits == {}


_key = msgspec.msgpack.encode


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (_key((VISIT_KIND, "s1", "v1")), b"\xc1"),
        (_key((PANE_KIND, "s1", PANE)), _key("not totals")),
        (_key((99, "s1", "v1")), _key([])),
        (_key("no tuple"), _key([])),
        (b"", _key([])),
        (b"?s1", _key([])),
        (_key((PANE_KIND, "s1", 7)), _key([{"feed": [1, 2, 3]}, {}, 0])),
    ],
    ids=[
        "broken value", "wrong value", "unknown kind", "wrong key", "empty key", "unknown letter",
        "a total of another version",
    ],
)  # fmt: skip
def test_an_undecodable_record_refuses_to_restore_and_names_its_key(
    key: bytes, value: bytes
) -> None:
    """Better no task than one that forgot something."""
    with pytest.raises(ValueError, match="changelog record") as refusal:
        State(0, 1, Policy()).restore({key: value})
    assert repr(key) in str(refusal.value)


def test_a_total_of_another_version_says_so() -> None:
    """Its columns would be added to the wrong ones; what to do is in the message."""
    with pytest.raises(ValueError, match=r"'feed' has 3 columns .* the same version"):
        msgspec.msgpack.decode(_key([{"feed": [1, 2, 3]}, {}, 0]), type=PaneTotals)


def test_how_new_a_session_is_survives() -> None:
    """Else the next owner would hold it for abandoned too early."""
    world, log = World(), Changelog()
    world.says(ev.ViewerEntered, 1)
    log.commit(world)
    world.says(ev.Heartbeat, 5)
    log.commit(world)
    assert log.restored().sessions["s1"].room == world.state.sessions["s1"].room
