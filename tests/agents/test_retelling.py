"""All that a task knows is told again in small turns, what says most first."""

from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from agents.engine import retelling
from agents.engine.retelling import Retelling
from agents.views.glances import Glances
from schemas import events as ev
from schemas.results import ChurnRow, ConversionRow
from streams.budget import Release, Reservation
from tests.streams.world import World

SESSIONS = ("s1", "s2", "s3")


class Told:
    """Takes what a worker's parts would take: views, budget and glances in one."""

    def __init__(self, room: int = 1_000_000) -> None:
        self.views: Any = self
        self.budget: Any = self
        self.glances = Glances()
        self.order: list[str] = []
        self.rows: list[ConversionRow] = []
        self.at_risk: list[ChurnRow] = []
        self.claims: list[Reservation | Release] = []
        self.room, self.waiting, self.most = room, 0, 0

    @property
    def has_room(self) -> bool:
        """As the views' buffer has it."""
        return self.waiting < self.room

    def offer(
        self,
        *,
        conversion: Sequence[ConversionRow] = (),
        churn: Sequence[ChurnRow] = (),
        **_: object,
    ) -> None:
        """Keep rows."""
        self.order += ["whole" if row.window == "session" else "row" for row in conversion]
        self.order += ["risk"] * len(churn)
        self.rows += conversion
        self.at_risk += churn
        self.waiting += len(conversion) + len(churn)
        self.most = max(self.most, self.waiting)

    def remind(self, claims: Iterable[Reservation | Release]) -> None:
        """Keep claims."""
        found = list(claims)
        self.order += ["claim"] * len(found)
        self.claims += found

    def tell(self, *, glances: Sequence[object], **_: object) -> None:
        """Keep that a session was told."""
        self.order += ["session"] * len(glances)


def begin(world: World, told: Told) -> Retelling:
    """Begin to tell what the world's first task knows."""
    return Retelling(told, world.state)  # type: ignore[arg-type] # as parts take it


def end(telling: Retelling) -> None:
    """Go on in as many turns as it takes."""
    while not telling.turn():
        pass


@pytest.fixture
def world() -> World:
    """Return rooms of ten viewers each, all of whom may leave, after ten minutes."""
    world = World()
    for session_id in SESSIONS:
        world.says(ev.SessionStarted, 0, session_id=session_id, currency="CNY")
        for second in range(0, 600, 20):
            for n in range(10):
                world.says(ev.Heartbeat, second, session_id=session_id, viewer_id=f"v{n}")
    world.wait(700)
    for session in world.state.sessions.values():
        for visit in session.visits.values():
            visit.present = visit.at_risk = True
    return world


def test_all_is_told_however_little_room_there_is(world: World) -> None:
    """Rows wait until others are written; each is told once."""
    whole, narrow = Told(), Told(room=5)
    end(begin(world, whole))
    telling, turns = begin(world, narrow), 1
    while not telling.turn():
        turns += 1
        narrow.waiting = 0
    assert narrow.rows == whole.rows
    assert narrow.at_risk == whole.at_risk
    assert len(whole.at_risk) == 10 * len(SESSIONS)
    assert turns > 10
    assert narrow.most < 10


def test_a_turn_holds_the_worker_up_for_a_moment_only(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends in the middle when its time is over, and the next one goes on."""
    monkeypatch.setattr(retelling, "TURN_S", 1e-9)
    told = Told()
    end(begin(world, told))
    assert {row.session_id for row in told.rows} == set(SESSIONS)


def test_what_says_most_comes_first(world: World) -> None:
    """How the sessions stand, their totals, who may leave, then the windows, newest first."""
    told = Told()
    end(begin(world, told))
    assert list(dict.fromkeys(told.order)) == ["session", "whole", "risk", "row"]
    starts = [row.start for row in told.rows if row.window == "10s"]
    assert starts == sorted(starts, reverse=True)


def test_who_has_left_meanwhile_is_not_told(world: World) -> None:
    """Each is told as it is when its turn comes."""
    told = Told(room=1)
    telling = begin(world, told)
    assert not telling.turn()
    for visit in world.state.sessions["s3"].visits.values():
        visit.present = visit.at_risk = False
    told.room = 1_000_000
    end(telling)
    assert {row.session_id for row in told.at_risk} == {"s1", "s2"}
