"""Stream time: it moves with the events, and, when all is quiet, with the watermark.

Timers fire one watermark bound behind the newest event, so that what happened before a timer
was due has been seen when it fires.
"""

from collections.abc import Mapping

from streams import decide, propose, visits
from streams.apply import rescore
from streams.decisions import consider
from streams.results import Results
from streams.session import Session
from streams.state import Visit
from streams.store import State
from streams.timers import NEVER
from streams.totals import PANE_MS, channel_row
from streams.watermark import Watermark

#: A heartbeat of somebody is due every 10 s.
ROOM_SILENT_MS = 12_000


def reach(state: State, ts: int, results: Results) -> None:
    """Let stream time reach ``ts`` and fire what was due before."""
    if ts > state.progress.clock:
        if state.timers.next <= ts - state.policy.watermark_bound_ms:
            _fire(state, ts - state.policy.watermark_bound_ms, results)
        state.progress.clock = ts


def pass_time(
    state: State,
    newest: Mapping[str, int],
    quiet_ms: Mapping[str, int],
    results: Results,
    *,
    lagging: bool,
) -> None:
    """Advance the watermark, and with it, when all topics are quiet, stream time."""
    progress = state.progress
    watermark = Watermark(state.policy, progress.watermark, progress.counted)
    reached = watermark.advance(
        newest, quiet_ms, lagging=lagging, foremost=state.conversion.foremost
    )
    progress.watermark, progress.counted = reached, watermark.counted
    if reached is not None:
        reach(state, reached + state.policy.watermark_bound_ms, results)


def _fire(state: State, now: int, results: Results) -> None:
    for due, session_id, viewer_id in state.timers.due(now):
        session = state.sessions.get(session_id)
        visit = session.visits.get(viewer_id) if session else None
        if session is None or visit is None or visit.due != due:
            continue  # set anew meanwhile, or gone
        # However far stream time jumps, it passes through each timer on its way.
        state.progress.clock = max(state.progress.clock, due + state.policy.watermark_bound_ms)
        visit.due = NEVER
        now_there = due - session.room.behind
        if visits.is_due(visit, now_there, state.policy):
            _wake(state, session, viewer_id, visit, now_there, results)
        visits.schedule(state, session_id, viewer_id, visit)


def _wake(
    state: State, session: Session, viewer_id: str, visit: Visit, now: int, results: Results
) -> None:
    """Do what the visit was waiting for."""
    if not visit.matured and visit.first + visits.MATURITY_MS <= now:
        visits.mature(session, visit)
    if visit.coupons:
        results.releases += decide.expire(session, visit, now)
    if visit.present and now - visit.last >= visits.LOOK_EVERY_MS:
        _look(state, session, viewer_id, visit, now, results)
    if visit.present and visit.cart:
        proposal = propose.cart_waiting(session, viewer_id, visit, now, state.policy)
        if proposal is not None:
            consider(state, session, visit, proposal, results)


def _look(
    state: State, session: Session, viewer_id: str, visit: Visit, now: int, results: Results
) -> None:
    """Look at a viewer who may have fallen silent: gone, or slipping away.

    A room that is silent as a whole says nothing about one viewer: more likely the events are
    held up than that everybody is about to leave.
    """
    if now - visit.last >= state.policy.silence_ms:
        row = channel_row(session.pane(now // PANE_MS), visit.channel)
        visits.leave(session, visit, now, row)
        results.left.append((session.id, viewer_id))
    elif now - session.room.newest < ROOM_SILENT_MS:
        rescore(state, session, viewer_id, visit, now, results)
