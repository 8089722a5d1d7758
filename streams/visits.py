"""Visits: who is in the room, since when, and how lively."""

from math import exp

from streams import propose
from streams.churn import FAST_MS, ROOM_MS, SLOW_MS
from streams.policy import Policy
from streams.session import Session
from streams.state import UNSCORED, Visit
from streams.store import State
from streams.timers import NEVER
from streams.totals import BOUNCED, MATURED, PANE_MS, RETAINED, Vector, channel_row

BOUNCE_MS = 3_000
MATURITY_MS = 300_000
#: A present viewer is looked at again after this much silence: three heartbeats are missing.
LOOK_EVERY_MS = 30_000
#: Timers go by whole seconds, so that many fire together.
_TIMER_MS = 1_000


def follow(state: State, session: Session, viewer_id: str, visit: Visit, ts: int) -> int:
    """Note that the viewer was there at ``ts``; returns the watch time that this adds, in ms."""
    ahead = ts - visit.last
    if ahead < 0:
        return 0  # late: it says nothing about now
    visit.last = ts
    if visit.present:
        visit.watch_ms += ahead
        return ahead
    _enter(session, visit, ts)
    schedule(state, session.id, viewer_id, visit)
    return 0


def _enter(session: Session, visit: Visit, ts: int) -> None:
    visit.present = True
    visit.entered = visit.acted = ts
    visit.first = visit.first or ts
    session.room.present += 1
    session.changed_room = True


def leave(session: Session, visit: Visit, ts: int, row: Vector) -> bool:
    """End the viewer's stay, if there is one that can have ended then."""
    if not visit.present or ts < visit.last:
        return False
    if ts - visit.entered < BOUNCE_MS:
        row[BOUNCED] += 1
    visit.present = visit.at_risk = False
    session.regrade(visit.risk, UNSCORED)
    visit.risk = UNSCORED
    visit.last = ts
    room = session.room
    room.leaves = room.leaves * exp(-max(ts - room.left_at, 0) / ROOM_MS) + 1
    room.left_at = max(ts, room.left_at)
    room.present -= 1
    session.changed_room = True
    return True


def rate(visit: Visit, ts: int) -> None:
    """Bring the decayed counts up to ``ts``."""
    elapsed = ts - visit.rated_at
    if elapsed <= 0:
        return
    visit.rated_at = ts
    short, long = exp(-elapsed / FAST_MS), exp(-elapsed / SLOW_MS)
    visit.likes_30s *= short
    visit.comments_30s *= short
    visit.clicks_30s *= short
    visit.likes_5m *= long
    visit.comments_5m *= long
    visit.clicks_5m *= long


def schedule(state: State, session_id: str, viewer_id: str, visit: Visit) -> None:
    """Set the visit's timer to the earliest thing that it waits for."""
    behind = state.sessions[session_id].room.behind
    due = _next_due(state, visit, behind)
    if due != NEVER:
        due += behind
        due += -due % _TIMER_MS
        if due != visit.due:
            state.timers.set(due, session_id, viewer_id)
    visit.due = due


def is_due(visit: Visit, now: int, policy: Policy) -> bool:
    """Tell whether something that the visit waits for has come; else its timer was early."""
    if visit.present and now - visit.last >= LOOK_EVERY_MS:
        return True
    if not visit.matured and visit.first + MATURITY_MS <= now:
        return True
    if visit.cart and (propose.next_due(visit, policy) or NEVER) <= now:
        return True
    return any(coupon.expires_at <= now for coupon in visit.coupons or () if coupon.is_open)


def _next_due(state: State, visit: Visit, behind: int) -> int:
    policy = state.policy
    due = NEVER
    if visit.present:
        silent = state.progress.clock - behind - policy.watermark_bound_ms - visit.last
        looks = silent // LOOK_EVERY_MS + 1 if silent > 0 else 1
        due = visit.last + min(looks * LOOK_EVERY_MS, policy.silence_ms)
    if not visit.matured and visit.first:
        due = min(due, visit.first + MATURITY_MS)
    if visit.cart:
        due = min(due, propose.next_due(visit, policy) or NEVER)
    if visit.coupons:
        for coupon in visit.coupons:
            if coupon.is_open:
                due = min(due, coupon.expires_at)
    return due


def mature(session: Session, visit: Visit) -> None:
    """Count the visit into the five-minute retention, once."""
    visit.matured = True
    totals = session.pane((visit.first + MATURITY_MS) // PANE_MS)
    row = channel_row(totals, visit.channel)
    row[MATURED] += 1
    if visit.present:
        row[RETAINED] += 1
