"""Tells Redis all that a task knows, a little after each commit: it has lost it, or never had it.

All at once would hold the worker up for seconds when the state is large, and be more than the
views' buffer takes. What says most comes first: how the sessions stand, then what coupons hold and
who may leave, then the windows, the newest first.
"""

import time
from collections.abc import Iterable, Iterator

from agents.engine.parts import Parts, session_views
from agents.views.keys import ANSWERS_SURE_MS
from streams import churn, decide
from streams.conversion import Key
from streams.session import Session
from streams.state import Visit
from streams.store import State
from streams.window import WHOLE

#: For so long a turn may hold the worker up.
TURN_S = 0.01


class Retelling:
    """One pass over a task's state. What changes meanwhile is told as it is when its turn comes."""

    def __init__(self, parts: Parts, state: State) -> None:
        self._parts = parts
        self._state = state
        self._steps = self._all()

    def turn(self) -> bool:
        """Go on while there is room and time; tells whether all is told."""
        until_s = time.monotonic() + TURN_S
        while self.has_room:
            if next(self._steps, self) is self:
                return True
            if time.monotonic() >= until_s:
                break
        return False

    @property
    def has_room(self) -> bool:
        """Whether a turn can tell anything: not while Redis is away and much waits for it."""
        return self._parts.views.has_room and self._parts.budget.has_room

    def _all(self) -> Iterator[None]:
        sessions, windows = list(self._state.sessions.values()), self._state.conversion.windows()
        yield from self._standing(sessions)
        yield from self._rows(key for key in windows if key[1] == WHOLE)
        yield from self._viewers(sessions)
        yield from self._rows(key for key in windows if key[1] != WHOLE)

    def _standing(self, sessions: Iterable[Session]) -> Iterator[None]:
        for session in sessions:
            self._parts.glances.show_again(self._state, session, self._parts.views)
            yield

    def _rows(self, windows: Iterable[Key]) -> Iterator[None]:
        for key in windows:
            rows = self._state.conversion.published(key)
            shown = session_views(rows, self._state)
            self._parts.views.offer(conversion=rows, sessions=shown)
            yield

    def _viewers(self, sessions: Iterable[Session]) -> Iterator[None]:
        since = time.time_ns() // 1_000_000 - ANSWERS_SURE_MS
        for session in sessions:
            for viewer_id in list(session.visits):
                visit = session.visits.peek(viewer_id)
                if visit is not None:
                    self._parts.budget.remind(decide.claims(session.id, visit, since))
                    self._risk(session, viewer_id, visit)
                yield

    def _risk(self, session: Session, viewer_id: str, visit: Visit) -> None:
        if visit.present and visit.at_risk:
            row = churn.row(session.id, viewer_id, visit, session.room, visit.scored, churn.PRIOR)
            self._parts.views.offer(churn=[row])
