"""When tasks say how their sessions stand: once a second, few at once, and all after a loss."""

import gc

import pytest

from agents.views import glances
from agents.views.glances import AT_ONCE, EVERY_MS, QUIET_EVERY_MS, Glances
from schemas import events as ev
from streams.glance import Glance
from streams.journal import Marked, Note
from streams.results import Results
from streams.state import Shelf
from streams.store import State
from tests.streams.world import World, event, record_of


class Kept:
    """Takes what a worker's views would take."""

    def __init__(self) -> None:
        self.glances: list[Glance] = []
        self.shelves: list[tuple[str, Shelf]] = []
        self.notes: list[Note] = []

    def tell(
        self, *, glances: list[Glance], shelves: list[tuple[str, Shelf]], notes: list[Note]
    ) -> None:
        """Keep it."""
        self.glances += glances
        self.shelves += shelves
        self.notes += notes


class Clock:
    """The time of day, which stands where it is put."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ms = 1_790_000_000_000
        monkeypatch.setattr(glances, "_now_ms", lambda: self.ms)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Return a clock of the test's own."""
    return Clock(monkeypatch)


def shown(made: Glances, state: State) -> Kept:
    """Return what is said after a commit."""
    kept = Kept()
    made.show(state, kept)  # type: ignore[arg-type] # takes what views take
    return kept


def busy(world: World, second: float, *sessions: str) -> None:
    """Let something happen in sessions."""
    for session_id in sessions:
        world.says(ev.Heartbeat, second, session_id=session_id)


def test_a_session_is_said_four_times_a_second(clock: Clock) -> None:
    """However many commits there are, and however much happens."""
    world, made = World(), Glances()
    said = []
    for step in range(60):  # three seconds of commits
        busy(world, step / 20, "s1")
        said += shown(made, world.state).glances
        clock.ms += 50
    assert [one.written_at for one in said] == [clock.ms - 3_000 + n * EVERY_MS for n in range(12)]


def test_a_quiet_session_is_said_less_often(clock: Clock) -> None:
    """To say that somebody is still looking."""
    world, made = World(), Glances()
    busy(world, 0, "s1")
    assert len(shown(made, world.state).glances) == 1
    clock.ms += QUIET_EVERY_MS - 1
    assert shown(made, world.state).glances == []
    clock.ms += 1
    assert len(shown(made, world.state).glances) == 1


def test_a_session_that_has_ended_is_said_once_more(clock: Clock) -> None:
    """Then it is let alone; nothing about it changes."""
    world, made = World(), Glances()
    busy(world, 0, "s1")
    shown(made, world.state)
    world.says(ev.SessionEnded, 1)
    clock.ms += EVERY_MS
    assert [shelf.ended for _, shelf in shown(made, world.state).shelves] != [None]
    clock.ms += 100 * QUIET_EVERY_MS
    assert shown(made, world.state).glances == []


def test_one_commit_says_few_sessions_and_none_is_forgotten(clock: Clock) -> None:
    """Those that waited longest come first."""
    world, made = World(), Glances()
    sessions = [f"s{n}" for n in range(3 * AT_ONCE)]
    busy(world, 0, *sessions)
    said = []
    for _ in range(3):
        found = shown(made, world.state).glances
        assert len(found) == AT_ONCE
        said += [one.session_id for one in found]
        clock.ms += 100
    assert sorted(said) == sorted(sessions)


@pytest.mark.parametrize("commit_ms", [100, 250, 1_000])
def test_many_sessions_have_their_turn_in_time(clock: Clock, commit_ms: int) -> None:
    """However many: who has not been said for long counts as a worker that is gone."""
    world, made = World(), Glances()
    sessions = {f"s{n}" for n in range(30 * AT_ONCE)}
    busy(world, 0, *sessions)
    said = set()
    for _ in range(QUIET_EVERY_MS // commit_ms + 1):
        said |= {one.session_id for one in shown(made, world.state).glances}
        clock.ms += commit_ms
    assert said == sessions


def test_viewers_who_left_by_silence_are_said(clock: Clock) -> None:
    """Also when stream time has jumped by more than a session may be silent."""
    world, made = World(), Glances()
    busy(world, 0, "s1")
    (before,) = shown(made, world.state).glances
    world.wait(1_200)
    clock.ms += EVERY_MS
    (after,) = shown(made, world.state).glances
    assert (before.present, after.present) == (1, 0)


def test_after_a_loss_a_session_is_said_again(clock: Clock) -> None:
    """Also one that has just been said."""
    world, made, kept = World(), Glances(), Kept()
    sessions = {f"s{n}" for n in range(3 * AT_ONCE)}
    busy(world, 0, *sessions)
    shown(made, world.state)
    clock.ms += 1
    for session in world.state.sessions.values():
        made.show_again(world.state, session, kept)  # type: ignore[arg-type] # as views take it
    assert {one.session_id for one in kept.glances} == sessions
    assert {session_id for session_id, _ in kept.shelves} == sessions


@pytest.mark.usefixtures("clock")
def test_one_task_speaks_for_the_session_as_a_whole() -> None:
    """Every task says its part, its owner the shelf."""
    world, made, kept = World(tasks=3), Glances(), Kept()
    world.says(ev.SessionStarted, 0, title="Evening")
    for task in world.tasks:
        made.show(task.state, kept)  # type: ignore[arg-type] # takes what views take
    assert sorted(one.partition for one in kept.glances) == [0, 1, 2]
    assert [shelf.title for _, shelf in kept.shelves] == ["Evening"]


@pytest.mark.usefixtures("clock")
def test_notes_wait_for_their_commit() -> None:
    """What was noted is said with the next show, once."""
    world, made = World(), Glances()
    world.says(ev.ProductListed, 0, product_id="p1", price=1, stock=1, currency="CNY")
    pinned = event(ev.ProductPinned, 1, product_id="p1")
    results = world.feed(pinned)
    made.note(world.state, [(pinned, record_of(pinned))], results)
    assert [type(note) for note in shown(made, world.state).notes] == [Marked]
    assert shown(made, world.state).notes == []


@pytest.mark.usefixtures("clock")
def test_a_task_that_is_gone_is_forgotten() -> None:
    """Its state is dropped with its partition; nothing here holds on to it."""
    world, made = World(), Glances()
    busy(world, 0, "s1")
    made.note(world.state, [], Results())
    shown(made, world.state)
    assert len(made._kept) == 1
    world.tasks.clear()
    gc.collect()
    assert len(made._kept) == len(made._journals) == 0
