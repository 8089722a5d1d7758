"""One event: whose it is, whether it is new, what it does.

This is the hot path: one call per event, a few dictionary look-ups, no allocation that the
state does not keep.
"""

from schemas import events as ev
from schemas.codec import Rejection
from schemas.events import Event
from streams import churn, propose, shelf, skew, visits
from streams.act import Act
from streams.acts import PLANS, Plan
from streams.admission import misplaced
from streams.decisions import consider
from streams.dedup import remember
from streams.erase import erase
from streams.records import Record
from streams.results import Results
from streams.seen import touch
from streams.session import Session
from streams.state import UNKNOWN, Visit
from streams.store import State
from streams.totals import PANE_MS, VIEWERS, WATCH_MS, channel_row, count_person


def apply(state: State, event: Event | Rejection, record: Record, results: Results) -> None:
    """Apply an event to the state, or refuse its record."""
    plan = PLANS.get(type(event))  # type: ignore[arg-type]
    if plan is not None:
        _viewer_event(state, event, record, plan, results)  # type: ignore[arg-type]
    elif isinstance(event, Rejection):
        # A topic that every task reads is refused by one of them.
        if record.partition == state.partition:
            results.refused.append((record, event))
    elif isinstance(event, ev.ViewerErased):
        erase(state, event, record, results)
    else:
        _host_event(state, event, record, results)


def _viewer_event(
    state: State, event: ev.ViewerEvent, record: Record, plan: Plan, results: Results
) -> None:
    session = state.sessions.get(event.session_id) or state.session(event.session_id)
    if plan.priced and (why := _foreign(session, event)):
        results.refused.append((record, why))
        return
    viewer_id = event.viewer_id
    visit = session.visits.get(viewer_id)
    if visit is None:
        if not state.owns(viewer_id):
            results.refused.append((record, misplaced(viewer_id, state.partitions)))
            return
        visit = Visit()
        session.visits.add(viewer_id, visit)
    recent = remember(visit.recent, event.id)
    if recent is None:
        results.duplicates.append(type(event).__name__)
        return
    visit.recent = recent
    if not session.shelf.announced:
        results.unannounced += 1
    _count(state, session, visit, event, plan, results)


def _count(
    state: State,
    session: Session,
    visit: Visit,
    event: ev.ViewerEvent,
    plan: Plan,
    results: Results,
) -> None:
    ts = event.ts
    if ts > session.room.newest:
        session.room.newest = ts
        session.changed_room = True
        skew.note(session.room, ts, state.progress.clock, state.policy)
    if visit.channel == UNKNOWN and type(event) is ev.ViewerEntered:
        visit.channel = event.channel  # the first channel that is known stays
    pane = ts // PANE_MS
    row = channel_row(session.pane(pane), visit.channel)
    row[plan.column] += 1
    if plan.stays:
        row[WATCH_MS] += visits.follow(state, session, event.viewer_id, visit, ts)
        first = touch(visit.seen, VIEWERS, pane)
        if first:
            count_person(row, VIEWERS, first)
        if plan.intent and ts > visit.acted:
            visit.acted = ts
    if plan.handle is not None:
        proposal = plan.handle(Act(state, session, visit, row, results), event)
        if proposal is not None:
            consider(state, session, visit, proposal, results)
    if visit.present and (plan.rescores or ts - visit.scored >= state.policy.churn_refresh_ms):
        rescore(state, session, event.viewer_id, visit, ts, results)


def _foreign(session: Session, event: ev.ViewerEvent) -> Rejection | None:
    """Refuse money that cannot be added to the session's: sums of two currencies mean nothing."""
    own, currency = session.shelf.currency, event.currency  # type: ignore[attr-defined]
    if own is None or currency == own:
        return None
    return Rejection(
        "wrong_currency", f"`currency` is {currency}, but the session sells in {own}: convert it"
    )


def rescore(
    state: State, session: Session, viewer_id: str, visit: Visit, now: int, results: Results
) -> None:
    """Compute a viewer's churn risk anew; tell when its level changed, and act on it.

    Views also hear when the risk of who is at risk is another one, in tenths.
    """
    before = visit.risk
    changed = churn.rescore(visit, session.room, now, state.policy, churn.PRIOR)
    if visit.risk != before:
        session.regrade(before, visit.risk)
    if changed or (visit.at_risk and visit.risk != before):
        row = churn.row(session.id, viewer_id, visit, session.room, now, churn.PRIOR)
        results.risks.append(row)
        if changed:
            results.churn.append(row)
    if visit.at_risk:
        proposal = propose.at_risk(session, viewer_id, visit, now)
        if proposal is not None:
            consider(state, session, visit, proposal, results)


def _host_event(state: State, event: Event, record: Record, results: Results) -> None:
    session = state.session(event.session_id)
    recent = remember(session.shelf.recent, event.id)
    if recent is None:
        if record.partition == state.partition:  # every task reads it, one counts it
            results.duplicates.append(type(event).__name__)
        return
    if why := shelf.refuse(session.shelf, event):
        if record.partition == state.partition:
            results.refused.append((record, why))
        return
    session.shelf.recent = recent
    session.changed_shelf = session.changed_room = True
    session.room.newest = max(session.room.newest, event.ts)
    sold_out = shelf.change(session.shelf, event)
    state.tell_conversion(session)
    if sold_out is not None:
        for proposal in propose.sold_out(session, sold_out, event):
            consider(state, session, session.visits[proposal.viewer_id], proposal, results)
    if isinstance(event, ev.OfferListed):
        for viewer_id, visit in propose.offered(session, event):
            visits.schedule(state, session.id, viewer_id, visit)
