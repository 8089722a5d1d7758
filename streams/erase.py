"""Erasure: all state of a viewer goes, and what was counted of the viewer stays counted.

Whoever is present leaves. Coupons that were sent keep their money: they may still be redeemed.
To erase again does nothing; an event that comes later begins a new visit.
"""

from collections.abc import Iterable

from schemas.events import EVERY_SESSION, ViewerErased
from streams.admission import misplaced
from streams.records import Record
from streams.results import Results
from streams.session import Session
from streams.store import State


def erase(state: State, event: ViewerErased, record: Record, results: Results) -> None:
    """Forget the viewer in one session or in all, and tell who holds views."""
    viewer_id = event.viewer_id
    if not state.owns(viewer_id):
        results.refused.append((record, misplaced(viewer_id, state.partitions)))
        return
    for session in _sessions(state, event.session_id):
        if viewer_id in session.visits:
            _forget(state, session, viewer_id)
    results.erased.append((event.session_id, viewer_id))


def _sessions(state: State, session_id: str) -> Iterable[Session]:
    if session_id == EVERY_SESSION:
        return state.sessions.values()
    session = state.sessions.get(session_id)
    return [] if session is None else [session]


def _forget(state: State, session: Session, viewer_id: str) -> None:
    if session.visits[viewer_id].present and session.panes:
        session.pane(max(session.panes))  # it says who is there: so it is published anew
    state.drop_visit(session, viewer_id)
