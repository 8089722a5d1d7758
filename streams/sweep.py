"""What may be forgotten: visits of sessions that are over, and all that is a day old."""

from streams.session import Session
from streams.state import Visit
from streams.store import State
from streams.totals import PANE_MS

#: A session is over so long after its end; one that never ends, after so long without events.
OVER_MS = 600_000
ABANDONED_MS = 6 * 3_600_000
#: Panes outlive those who merge them: one that came back empty would replace what it held.
_LONGER_MS = 3_600_000


def sweep(state: State) -> None:
    """Once per pane of stream time, forget what no event can concern any more."""
    now = state.progress.clock
    if now // PANE_MS == state.progress.swept:
        return
    state.progress.swept = now // PANE_MS
    for session in list(state.sessions.values()):
        over = _over_since(session)
        if now >= over:
            _drop_visits(state, session, now)
        if now >= over + state.policy.past_limit_ms:
            state.drop_session(session)
        else:
            _drop_panes(state, session, now)


def _over_since(session: Session) -> int:
    return session.room.newest + (ABANDONED_MS if session.shelf.ended is None else OVER_MS)


def _drop_visits(state: State, session: Session, now: int) -> None:
    for viewer_id in [v for v, visit in session.visits.glance() if not _is_owed(visit, now)]:
        state.drop_visit(session, viewer_id)


def _is_owed(visit: Visit, now: int) -> bool:
    """Tell whether something may still come for the visit: a payment, a refund, a coupon."""
    coupons = any(c.status == "sent" and c.expires_at > now for c in visit.coupons or ())
    return bool(visit.orders) or coupons


def _drop_panes(state: State, session: Session, now: int) -> None:
    oldest = (now - state.policy.past_limit_ms - _LONGER_MS) // PANE_MS
    for index in [i for i in session.panes if i < oldest]:
        state.drop_pane(session, index)
