"""When the tasks of a worker say how their sessions stand: at most four times a second each.

Looking costs some tens of microseconds a session, so a commit looks at few of them.
"""

from collections.abc import Sequence
from time import time_ns
from weakref import WeakKeyDictionary

from msgspec import Struct, field

from agents.views.writer import Views
from streams.glance import Glance, Looked, glance
from streams.journal import Journal
from streams.partitioner import partition_of
from streams.records import Arrival
from streams.results import Results
from streams.session import Session
from streams.store import State

EVERY_MS = 250
#: Where nothing happens, so often, to say that somebody is still looking.
QUIET_EVERY_MS = 2_000
#: A session of which nothing was heard for so long is let alone.
SILENT_MS = 600_000
#: One commit looks at so many sessions; the others have their turn at the next. Where there are
#: many it is more, so that all have their turn within ``QUIET_EVERY_MS``.
AT_ONCE = 8


class _Kept(Struct):
    """What is kept of a session between two glances."""

    looked: Looked = field(default_factory=Looked)
    said_ms: int = 0  # the time of day
    newest: int = -1  # event time that was said
    present: int = 0  # viewers that were said


class Glances:
    """Tells the views what the tasks of one worker know of their sessions."""

    def __init__(self) -> None:
        self._journals: WeakKeyDictionary[State, Journal] = WeakKeyDictionary()
        self._kept: WeakKeyDictionary[State, dict[str, _Kept]] = WeakKeyDictionary()
        self._looked_ms: WeakKeyDictionary[State, int] = WeakKeyDictionary()  # the time of day

    def note(self, state: State, arrivals: Sequence[Arrival], results: Results) -> None:
        """Look at what a task has just applied and settled, before it is committed."""
        self._journals.setdefault(state, Journal()).note(state, arrivals, results)

    def show(self, state: State, views: Views) -> None:
        """Offer what was noted, and the sessions whose turn it is; after a commit."""
        now_ms = _now_ms()
        self._tell(state, views, self._due(state, now_ms), now_ms)

    def show_again(self, state: State, session: Session, views: Views) -> None:
        """Offer how a session stands."""
        self._tell(state, views, [session], _now_ms())

    def _tell(self, state: State, views: Views, sessions: list[Session], now_ms: int) -> None:
        owned = [one for one in sessions if _owns(state, one)]
        views.tell(
            notes=self._journals.setdefault(state, Journal()).take(),
            glances=[self._glance(state, session, now_ms) for session in sessions],
            shelves=[(session.id, session.shelf) for session in owned],
        )

    def _due(self, state: State, now_ms: int) -> list[Session]:
        """Return the sessions whose turn it is, those that waited longest first."""
        kept = self._kept.setdefault(state, {})
        due = []
        for session in state.sessions.values():
            known = kept.get(session.id) or kept.setdefault(session.id, _Kept())
            room = session.room  # viewers who leave by silence send nothing
            changed = (known.newest, known.present) != (room.newest, room.present)
            if now_ms - known.said_ms >= (EVERY_MS if changed else QUIET_EVERY_MS):
                silent_ms = state.progress.clock - session.room.newest
                if changed or (session.shelf.ended is None and silent_ms < SILENT_MS):
                    due.append((known.said_ms, session))
        if len(kept) > 2 * len(state.sessions):
            self._kept[state] = {one: kept[one] for one in state.sessions if one in kept}
        due.sort(key=lambda one: one[0])
        passed_ms = now_ms - self._looked_ms.get(state, now_ms)
        self._looked_ms[state] = now_ms
        share = len(state.sessions) * passed_ms // QUIET_EVERY_MS
        return [session for _, session in due[: max(AT_ONCE, share + 1)]]

    def _glance(self, state: State, session: Session, now_ms: int) -> Glance:
        kept = self._kept.setdefault(state, {})
        known = kept.setdefault(session.id, _Kept())
        known.said_ms = now_ms
        known.newest, known.present = session.room.newest, session.room.present
        carts = sum(one.looked.carts.carts for one in kept.values())
        return glance(state, session, known.looked, now_ms, carts=carts)


def _owns(state: State, session: Session) -> bool:
    """Tell whether this task speaks for the session as a whole."""
    return partition_of(session.id, state.partitions) == state.partition


def _now_ms() -> int:
    return time_ns() // 1_000_000
